//! What operations change in memory, for people and as JSON.

use serde::Serialize;

use super::super::output::one_line;
use super::{Shown, word};
use crate::memory::{Change, Memory};
use crate::model::{Id, Status, Text};

/// One change as `--json` shows it.
#[derive(Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(super) enum ChangeShown<'a> {
    Added {
        item: Shown<'a>,
    },
    Replaced {
        old: Vec<Id>,
        item: Shown<'a>,
    },
    Reworded {
        id: Id,
        before: &'a Text,
        after: &'a Text,
    },
    Moved {
        id: Id,
        text: &'a Text,
        before: Status,
        after: Status,
    },
    Pinned {
        id: Id,
        text: &'a Text,
        pinned: bool,
    },
    Confirmed {
        id: Id,
        text: &'a Text,
    },
}

pub(super) fn shown(changes: &[Change]) -> Vec<ChangeShown<'_>> {
    let shown = changes.iter().map(|change| match change {
        Change::Added(item) => ChangeShown::Added { item: item.into() },
        Change::Replaced { old, new } => ChangeShown::Replaced {
            old: old.iter().map(|(id, _)| *id).collect(),
            item: new.into(),
        },
        Change::Reworded { id, before, after } => ChangeShown::Reworded {
            id: *id,
            before,
            after,
        },
        Change::Moved {
            id,
            text,
            before,
            after,
        } => ChangeShown::Moved {
            id: *id,
            text,
            before: *before,
            after: *after,
        },
        Change::Pinned { id, text, pinned } => ChangeShown::Pinned {
            id: *id,
            text,
            pinned: *pinned,
        },
        Change::Confirmed { id, text } => ChangeShown::Confirmed { id: *id, text },
    });
    shown.collect()
}

/// The same as lines: what goes begins with `-`, what comes with `+`.
pub(super) fn lines(changes: &[Change], memory: &Memory) -> Vec<String> {
    let short = |id: &Id| memory.short_id(*id);
    let mut lines = Vec::new();
    for change in changes {
        match change {
            Change::Added(item) => {
                let waits = match item.status {
                    Status::Pending => "  [waits for you]",
                    _ => "",
                };
                lines.push(format!("+ {}{waits}", one_line(&item.text)));
            }
            Change::Replaced { old, new } => {
                let gone = old.iter();
                lines.extend(gone.map(|(id, text)| format!("- {}  {}", short(id), one_line(text))));
                lines.push(format!("+ {}", one_line(&new.text)));
            }
            Change::Reworded { id, before, after } => {
                lines.push(format!("- {}  {}", short(id), one_line(before)));
                lines.push(format!("+ {}  {}", short(id), one_line(after)));
            }
            Change::Moved {
                id,
                text,
                before,
                after,
            } => {
                let (sign, text) = (sign_of(*after), one_line(text));
                let moved = format!("{} → {}", word(before), word(after));
                lines.push(format!("{sign} {}  {text}  [{moved}]", short(id)));
            }
            Change::Pinned { id, text, pinned } => {
                let what = if *pinned { "pinned" } else { "not pinned" };
                lines.push(format!("  {}  {}  [{what}]", short(id), one_line(text)));
            }
            Change::Confirmed { id, text } => {
                lines.push(format!("  {}  {}  [confirmed]", short(id), one_line(text)));
            }
        }
    }
    lines
}

fn sign_of(after: Status) -> char {
    match after {
        Status::Active | Status::Pending => '+',
        _ => '-',
    }
}
