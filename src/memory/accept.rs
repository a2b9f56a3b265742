//! The ways into memory: what a model proposes from a talk, what comes from outside, and what the
//! person adds by command.

use std::collections::BTreeMap;

use crate::model::{Id, Kind, MemoryOp, Project, SourceClass, Status, Text};

use super::escape::one_line;
use super::fold::Memory;
use super::judge::{Accepted, Candidate, Context, Judge, Judgement, Knowledge};
use super::proposal::Proposal;
use super::quote::{Quotable, Said};
use super::secrets::{SecretKind, detect_secrets};
use super::told::Note;
use super::words::{read, without_subject};

const EDIT_CHARS_MAX: usize = 2000;

/// An edit that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("no item has this id")]
    UnknownItem,
    #[error("the item is forgotten")]
    Forgotten,
    #[error("only an item that counts can be moved")]
    NotActive,
    #[error("the new text is empty")]
    Empty,
    #[error("the new text is above 2000 characters")]
    TooLong,
    #[error("the new text contains {}", names(.0))]
    Secret(Vec<SecretKind>),
}

fn names(kinds: &[SecretKind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(" and ")
}

/// Judges what a model proposes after a turn. `said` is what the person typed in this conversation,
/// oldest first, without attachments, files and tool output. An item that none of it holds up
/// arrives pending.
pub fn accept(
    proposals: &[Proposal],
    said: &[Said<'_>],
    memory: &Memory,
    context: &Context,
) -> Accepted {
    if proposals.is_empty() {
        return Accepted::default();
    }
    let quotable = Quotable::new(said);
    let mut judge = Judge::new(memory, context);
    for proposal in proposals {
        let text = one_line(&proposal.text);
        let note = Note {
            text: &text,
            reading: &read(&without_subject(&text)),
            own_names: judge.own_names(),
        };
        let quote = quotable.find(&note);
        judge.judge(Candidate {
            kind: proposal.kind,
            text: proposal.text.as_str().to_owned(),
            class: match quote {
                Some(_) => SourceClass::UserSaid,
                None => SourceClass::AssistantSaid,
            },
            quote,
            replaces: None,
            pinned: false,
        });
    }
    judge.finish()
}

/// Judges what came through a file, a tool, an import or another program: all of it waits.
pub fn receive(
    proposals: &[Proposal],
    class: SourceClass,
    memory: &Memory,
    context: &Context,
) -> Accepted {
    let class = match class {
        SourceClass::UserSaid | SourceClass::UserCommand => SourceClass::AssistantSaid,
        class => class,
    };
    let mut judge = Judge::new(memory, context);
    for proposal in proposals {
        judge.judge(Candidate {
            kind: proposal.kind,
            text: proposal.text.as_str().to_owned(),
            class,
            quote: None,
            replaces: None,
            pinned: false,
        });
    }
    judge.finish()
}

/// Adds what the person gives as a command: active at once, with one verdict. What is known already
/// is confirmed instead, and secrets are refused here too.
pub fn add_by_command(
    text: &str,
    kind: Kind,
    pinned: bool,
    memory: &Memory,
    context: &Context,
) -> Accepted {
    let mut judge = Judge::new(memory, context);
    judge.judge(Candidate {
        kind,
        text: text.to_owned(),
        class: SourceClass::UserCommand,
        quote: None,
        replaces: None,
        pinned,
    });
    judge.finish()
}

/// The operation that gives an item other words, as the person typed them but on one line.
pub fn edit_by_command(id: Id, text: &str, memory: &Memory) -> Result<MemoryOp, EditError> {
    let stored = memory.item(id).ok_or(EditError::UnknownItem)?;
    if stored.item.status == Status::Forgotten {
        return Err(EditError::Forgotten);
    }
    let secrets = detect_secrets(text);
    if !secrets.is_empty() {
        return Err(EditError::Secret(secrets));
    }
    let text = one_line(text);
    if text.is_empty() {
        return Err(EditError::Empty);
    }
    if text.chars().count() > EDIT_CHARS_MAX {
        return Err(EditError::TooLong);
    }
    Ok(MemoryOp::Edit {
        id,
        text: Text::new(text),
    })
}

/// The operations that make an item one of a project, or of none, and the id it has there: a copy
/// comes and the old one ends, so that it is as if it had always been there. None if it is.
pub fn move_by_command(
    id: Id,
    to: Option<&Project>,
    memory: &Memory,
) -> Result<(Vec<MemoryOp>, Id), EditError> {
    let stored = memory.item(id).ok_or(EditError::UnknownItem)?;
    if stored.item.status != Status::Active {
        return Err(EditError::NotActive);
    }
    if stored.item.project.as_ref() == to {
        return Ok((Vec::new(), id));
    }
    let mut item = stored.item.clone();
    (item.id, item.project, item.supersedes) = (Id::fresh(), to.cloned(), None);
    let there = item.id;
    Ok((vec![MemoryOp::Add { item }, MemoryOp::Expire { id }], there))
}

/// The approvals of what a person was shown, and the ids of items that no longer wait or no longer
/// say what was shown: these are not approved. What an approved item says otherwise than is
/// superseded with it, also where that was learnt while it waited.
pub fn approve_shown(shown: &[(Id, Text)], memory: &Memory) -> (Vec<MemoryOp>, Vec<Id>) {
    let mut known: BTreeMap<Option<&Project>, Knowledge> = BTreeMap::new();
    let mut ops = Vec::new();
    let mut changed = Vec::new();
    for (id, text) in shown {
        let waiting = memory
            .item(*id)
            .filter(|stored| stored.item.status == Status::Pending && stored.item.text == *text);
        let Some(stored) = waiting else {
            changed.push(*id);
            continue;
        };
        ops.push(MemoryOp::Approve { id: *id });
        let here = stored.item.project.as_ref();
        let known = known
            .entry(here)
            .or_insert_with(|| Knowledge::of(memory, here));
        for old in known.answered_by(*id, text) {
            if stored.item.supersedes != Some(old) {
                ops.push(MemoryOp::Supersede {
                    id: old,
                    item: stored.item.clone(),
                });
            }
        }
    }
    (ops, changed)
}

impl Accepted {
    /// One line on what was learnt, what waits and what was refused; none if nothing of it.
    /// `memory` is the one before, in which replaced items are looked up.
    pub fn notice(&self, memory: &Memory) -> Option<Text> {
        let mut parts: Vec<String> = Vec::new();
        let mut waiting = 0;
        for verdict in &self.verdicts {
            match &verdict.judgement {
                Judgement::Learnt => parts.push(format!("remembered: {}", &*verdict.text)),
                Judgement::Replaced(ids) => {
                    let was: Vec<&str> = ids
                        .iter()
                        .filter_map(|id| memory.item(*id))
                        .map(|stored| &*stored.item.text)
                        .collect();
                    let was = match was.as_slice() {
                        [] => String::new(),
                        was => format!(" (was: {})", was.join("; ")),
                    };
                    parts.push(format!("remembered: {}{was}", &*verdict.text));
                }
                Judgement::Waiting(_) => waiting += 1,
                Judgement::Refused(kinds) => {
                    parts.push(format!("not remembered: {}", names(kinds)));
                }
                Judgement::TooLong => parts.push("not remembered: too long".to_owned()),
                Judgement::Known { .. }
                | Judgement::Restated
                | Judgement::Declined { .. }
                | Judgement::NoRoom
                | Judgement::Trivial => {}
            }
        }
        if waiting > 0 {
            let verb = if waiting == 1 { "waits" } else { "wait" };
            parts.push(format!("{waiting} {verb} for review"));
        }
        (!parts.is_empty()).then(|| Text::new(one_line(&parts.join(" · "))))
    }
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;
