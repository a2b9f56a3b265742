//! `agent memory consolidate`, `agent memory undo` and `agent memory restore`.

use std::process::ExitCode;

use serde::Serialize;

use super::super::args::ConsolidateArgs;
use super::super::failure::Failure;
use super::super::output::{one_line, print_json, print_line};
use super::super::project;
use super::super::shell::{Shell, now};
use super::super::talk;
use super::changes::{ChangeShown, lines, shown};
use super::find_item;
use super::learn::{interrupted, model, sitting, unanswered};
use crate::chat::{Session, Tidied, UndoWhat, Unplanned};
use crate::memory::{Change, PlanOp, Skip, bring_back, diff};
use crate::model::{Id, MemoryEvent, Record};

#[derive(Serialize)]
struct Report<'a> {
    changes: Vec<ChangeShown<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<Skipped>,
    #[serde(skip_serializing_if = "is_zero")]
    left_out: usize,
    dry_run: bool,
}

#[derive(Serialize)]
struct Skipped {
    ids: Vec<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

pub(super) fn consolidate(shell: &Shell, args: &ConsolidateArgs) -> Result<ExitCode, Failure> {
    if args.undo {
        return undo(shell, UndoWhat::LastConsolidation, args.dry_run);
    }
    let (mut session, keys) = sitting(shell)?;
    let chosen = model(shell, &mut session, &keys, &args.ask)?;
    let provider = chosen.provider.as_ref();
    let projects = match &args.of.project {
        Some(wanted) => {
            let memory = &session.memory.fold;
            [Some(project::named(session.log.as_mut(), memory, wanted)?)].into()
        }
        None => session.memory.fold.projects(),
    };
    // No request holds items of two projects.
    let runtime = talk::runtime()?;
    let mut proposed = Vec::new();
    for project in projects {
        let (model, project) = (&chosen.model, project.as_ref());
        let asked = session.propose_consolidation(provider, model, project, now(), interrupted());
        match runtime.block_on(asked)? {
            Ok(found) => proposed.push(found),
            Err(Unplanned::TooFew) => {}
            Err(Unplanned::Unanswered(why)) => return Err(unanswered(why)),
            Err(Unplanned::Unreadable(error)) => return Err(Failure::ModelAnswer(error)),
        }
    }
    let left_out = proposed.iter().map(|proposed| proposed.left_out).sum();
    let tidied = match args.dry_run {
        true => session.rehearse_consolidation(&proposed, now())?,
        false => session.consolidate(&proposed, now())?,
    };
    let code = tell(shell, &session, &tidied, left_out, args.dry_run)?;
    if let Err(error) = session.settle() {
        shell.note(&format!("warning: {error}"));
    }
    Ok(code)
}

fn tell(
    shell: &Shell,
    session: &Session,
    tidied: &Tidied,
    left_out: usize,
    dry_run: bool,
) -> Result<ExitCode, Failure> {
    if shell.global.json {
        let skipped = tidied.skipped.iter().map(|(op, why)| Skipped {
            ids: ids_of(op),
            why: Some(why.to_string()),
        });
        print_json(&Report {
            changes: shown(&tidied.changes),
            skipped: skipped.collect(),
            left_out,
            dry_run,
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    print_changes(session, &tidied.changes)?;
    for (op, why) in &tidied.skipped {
        shell.note(&skipped_line(session, op, *why));
    }
    if left_out > 0 {
        shell.note(&format!("{left_out} items found no room in the request"));
    }
    shell.note(match (tidied.changes.is_empty(), dry_run) {
        (true, _) => "Nothing to tidy.",
        (false, true) => "Nothing was changed: this was a dry run.",
        (false, false) => "`agent memory consolidate --undo` takes this back.",
    });
    Ok(ExitCode::SUCCESS)
}

fn print_changes(session: &Session, changes: &[Change]) -> Result<(), Failure> {
    let lines = lines(changes, &session.memory.fold);
    lines.iter().try_for_each(|line| print_line(line))
}

fn ids_of(op: &PlanOp) -> Vec<Id> {
    match op {
        PlanOp::Merge { ids, .. } => ids.clone(),
        PlanOp::Supersede { id, by } => vec![*id, *by],
        PlanOp::Expire { id } | PlanOp::Reword { id, .. } => vec![*id],
    }
}

fn skipped_line(session: &Session, op: &PlanOp, why: Skip) -> String {
    let memory = &session.memory.fold;
    let texts = ids_of(op).into_iter().filter_map(|id| memory.item(id));
    let texts: Vec<String> = texts
        .map(|stored| format!("“{}”", one_line(&stored.item.text)))
        .collect();
    let wanted = match op {
        PlanOp::Merge { .. } => "not put together",
        PlanOp::Supersede { .. } => "not replaced",
        PlanOp::Expire { .. } => "not ended",
        PlanOp::Reword { .. } => "not reworded",
    };
    format!("{wanted}: {}: {why}", texts.join(", "))
}

pub(super) fn undo(shell: &Shell, what: UndoWhat<'_>, dry_run: bool) -> Result<ExitCode, Failure> {
    let (mut session, _) = sitting(shell)?;
    let undone = session.undo(what, !dry_run, now())?;
    let (changes, skipped) =
        undone.map_or_else(Default::default, |undone| (undone.changes, undone.skipped));
    if shell.global.json {
        let skipped = skipped.iter().map(|id| Skipped {
            ids: vec![*id],
            why: None,
        });
        print_json(&Report {
            changes: shown(&changes),
            skipped: skipped.collect(),
            left_out: 0,
            dry_run,
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    print_changes(&session, &changes)?;
    for id in &skipped {
        let stored = session.memory.fold.item(*id);
        let text = stored.map_or_else(String::new, |stored| one_line(&stored.item.text));
        shell.note(&format!("left alone, since it changed after: {text}"));
    }
    shell.note(match (changes.is_empty(), dry_run) {
        (true, _) => "Nothing to take back.",
        (false, true) => "Nothing was changed: this was a dry run.",
        (false, false) => "Taken back; the same again brings it back.",
    });
    Ok(ExitCode::SUCCESS)
}

/// Brings items back that were superseded, expired, rejected or forgotten.
pub(super) fn restore(shell: &Shell, prefixes: &[String]) -> Result<ExitCode, Failure> {
    let (mut session, _) = sitting(shell)?;
    let mut all = Vec::new();
    for prefix in prefixes {
        let memory = &session.memory.fold;
        let id = find_item(memory, prefix)?;
        let at = now();
        let ops = bring_back(id, memory);
        let changes = diff(memory, &ops, at);
        if ops.is_empty() {
            shell.note(&format!("{}: is there already", memory.short_id(id)));
            continue;
        }
        let records = ops.into_iter().map(|op| MemoryEvent { at, op });
        let records: Vec<Record> = records.map(Record::Memory).collect();
        session.append(&records)?;
        if !shell.global.json {
            print_changes(&session, &changes)?;
        }
        all.extend(changes);
    }
    if shell.global.json {
        print_json(&Report {
            changes: shown(&all),
            skipped: Vec::new(),
            left_out: 0,
            dry_run: false,
        })?;
    }
    Ok(ExitCode::SUCCESS)
}
