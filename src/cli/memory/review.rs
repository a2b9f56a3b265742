//! `agent memory review`, and the approving that `agent memory approve` does: on a terminal, by
//! keys that a person presses, and nowhere else.

use std::process::ExitCode;

use rustyline::config::{Behavior, Builder};
use rustyline::history::MemHistory;

use super::super::failure::Failure;
use super::super::output::{complain, harmless, one_line, print_json};
use super::super::project;
use super::super::secret_input::{ask_key, has_terminal};
use super::super::shell::{Shell, now};
use super::learn::sitting;
use super::word;
use crate::chat::Session;
use crate::memory::{Stored, approve_shown, edit_by_command};
use crate::model::{Id, MemoryEvent, MemoryOp, Record, Text};

/// What a review came to.
#[derive(Default, serde::Serialize)]
struct Reviewed {
    approved: usize,
    rejected: usize,
    forgotten: usize,
    left: usize,
}

/// Whether what stands on the screen is all that would be approved.
pub(super) fn is_shown_whole(text: &str) -> bool {
    harmless(text) == text
}

pub(super) fn review(shell: &Shell) -> Result<ExitCode, Failure> {
    if !has_terminal() {
        return Err(Failure::ApprovalNeedsTerminal);
    }
    let (mut session, _) = sitting(shell)?;
    let queue: Vec<Id> = session.memory.fold.pending().map(|s| s.item.id).collect();
    if queue.is_empty() {
        complain("Nothing waits.");
    }
    let mut done = Reviewed::default();
    for (n, id) in queue.iter().enumerate() {
        match one(&mut session, *id, (n + 1, queue.len()))? {
            Decision::Approved => done.approved += 1,
            Decision::Rejected => done.rejected += 1,
            Decision::Forgotten => done.forgotten += 1,
            Decision::Left => {}
            Decision::Quit => break,
        }
    }
    done.left = session.memory.fold.pending().count();
    if shell.global.json {
        print_json(&done)?;
    } else if !queue.is_empty() {
        shell.note(&format!(
            "{} approved, {} rejected, {} forgotten; {} wait. `agent memory undo` takes the last back.",
            done.approved, done.rejected, done.forgotten, done.left
        ));
    }
    if let Err(error) = session.settle() {
        shell.note(&format!("warning: {error}"));
    }
    Ok(ExitCode::SUCCESS)
}

enum Decision {
    Approved,
    Rejected,
    Forgotten,
    Left,
    Quit,
}

/// Shows one item and does what the pressed key says.
fn one(session: &mut Session, id: Id, place: (usize, usize)) -> Result<Decision, Failure> {
    loop {
        // Another process may have decided meanwhile.
        session.refresh()?;
        let waiting = session.memory.fold.pending().find(|s| s.item.id == id);
        let Some(stored) = waiting else {
            return Ok(Decision::Left);
        };
        show(session, stored, place);
        let text = stored.item.text.clone();
        let key = ask_key(
            "[a]pprove  [r]eject  [e]dit  [f]orget  [s]kip  [q]uit  [?] ",
            "arefsq?",
            's',
        )?;
        match key {
            'a' if !is_shown_whole(&text) => {
                complain("It holds characters that cannot be shown: edit it first.");
            }
            'a' => {
                let (ops, changed) = approve_shown(&[(id, text)], &session.memory.fold);
                if changed.is_empty() {
                    append(session, ops)?;
                    return Ok(Decision::Approved);
                }
            }
            'r' => {
                append(session, vec![MemoryOp::Reject { id }])?;
                return Ok(Decision::Rejected);
            }
            'f' => {
                append(session, vec![MemoryOp::Forget { id }])?;
                return Ok(Decision::Forgotten);
            }
            'e' => edit(session, id, &text)?,
            'q' => return Ok(Decision::Quit),
            '?' => complain(
                "approve: it counts from now on, in these words · reject: it ends · edit: other \
                 words, then asked again · forget: hidden everywhere · skip: it goes on waiting",
            ),
            _ => return Ok(Decision::Left),
        }
    }
}

fn show(session: &Session, stored: &Stored, (n, of): (usize, usize)) {
    let item = &stored.item;
    let day = item.created.strftime("%Y-%m-%d");
    complain(&format!(
        "\n{n}/{of}  {}, {day}, from: {}{}",
        word(&item.kind),
        word(&item.source.class),
        project::mark(item.project.as_ref())
    ));
    complain(&format!("  “{}”", one_line(&item.text)));
    if let Some(quote) = &item.source.quote {
        complain(&format!("  you wrote: “{}”", one_line(quote)));
    }
    if let Some(flag) = &item.flag {
        complain(&format!("  flagged: {}", one_line(flag)));
    }
    let old = item.supersedes.and_then(|id| session.memory.fold.item(id));
    if let Some(old) = old {
        complain(&format!("  in place of: “{}”", one_line(&old.item.text)));
    }
}

fn append(session: &mut Session, ops: Vec<MemoryOp>) -> Result<(), Failure> {
    let at = now();
    let events = ops.into_iter().map(|op| MemoryEvent { at, op });
    let records: Vec<Record> = events.map(Record::Memory).collect();
    Ok(session.append(&records)?)
}

/// Asks for other words, beginning with those that are there.
fn edit(session: &mut Session, id: Id, text: &Text) -> Result<(), Failure> {
    let config = Builder::new().behavior(Behavior::PreferTerm).build();
    let history = MemHistory::with_config(&config);
    let editor = rustyline::Editor::<(), MemHistory>::with_history(config, history);
    let mut editor = editor.map_err(|error| Failure::Input(std::io::Error::other(error)))?;
    let Ok(line) = editor.readline_with_initial("  new words: ", (&harmless(text), "")) else {
        return Ok(());
    };
    match edit_by_command(id, &line, &session.memory.fold) {
        Ok(op) => append(session, vec![op]),
        Err(error) => {
            complain(&format!("  not changed: {error}"));
            Ok(())
        }
    }
}
