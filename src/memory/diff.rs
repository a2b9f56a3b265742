//! What operations would change, as data: for `--dry-run`, and for saying what was done.

use crate::model::{Id, Item, MemoryOp, Status, Text, Timestamp};

use super::fold::{Memory, Stored};

/// One change of one item, seen from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Added(Item),
    /// A new or known item takes the place of others.
    Replaced {
        old: Vec<(Id, Text)>,
        new: Item,
    },
    Reworded {
        id: Id,
        before: Text,
        after: Text,
    },
    /// From one status to another.
    Moved {
        id: Id,
        text: Text,
        before: Status,
        after: Status,
    },
    Pinned {
        id: Id,
        text: Text,
        pinned: bool,
    },
    Confirmed {
        id: Id,
        text: Text,
    },
}

/// The changes that operations would make to memory, in order of the items' ids.
pub fn diff(memory: &Memory, ops: &[MemoryOp], at: Timestamp) -> Vec<Change> {
    let mut after = memory.clone();
    after.apply_ops(at, ops);
    let mut changes = Vec::new();
    for stored in after.all() {
        if stored.changed_seq <= memory.seq() && !replaces_now(stored, memory, &after) {
            continue;
        }
        match memory.item(stored.item.id) {
            None => changes.push(addition(stored, memory, &after)),
            Some(before) => compare(before, stored, memory, &after, &mut changes),
        }
    }
    changes
}

/// The items whose place this one takes only now.
fn replaced_now<'a>(
    stored: &'a Stored,
    before: &'a Memory,
    after: &'a Memory,
) -> impl Iterator<Item = &'a Stored> {
    let id = stored.item.id;
    after.all().filter(move |old| {
        let was = before.item(old.item.id);
        old.superseded_by == Some(id) && was.is_some_and(|was| was.superseded_by != Some(id))
    })
}

fn replaces_now(stored: &Stored, before: &Memory, after: &Memory) -> bool {
    replaced_now(stored, before, after).next().is_some()
}

fn addition(stored: &Stored, before: &Memory, after: &Memory) -> Change {
    let old: Vec<(Id, Text)> = replaced_now(stored, before, after)
        .map(|old| (old.item.id, old.item.text.clone()))
        .collect();
    let new = stored.item.clone();
    if old.is_empty() {
        Change::Added(new)
    } else {
        Change::Replaced { old, new }
    }
}

fn compare(
    before: &Stored,
    after: &Stored,
    memory: &Memory,
    then: &Memory,
    changes: &mut Vec<Change>,
) {
    let id = after.item.id;
    let text = &after.item.text;
    if replaces_now(after, memory, then) {
        changes.push(addition(after, memory, then));
    }
    if before.item.text != *text {
        changes.push(Change::Reworded {
            id,
            before: before.item.text.clone(),
            after: text.clone(),
        });
    }
    // Told with the item that takes the place.
    let told = after.item.status == Status::Superseded;
    if before.item.status != after.item.status && !told {
        changes.push(Change::Moved {
            id,
            text: text.clone(),
            before: before.item.status,
            after: after.item.status,
        });
    }
    if before.item.pinned != after.item.pinned {
        changes.push(Change::Pinned {
            id,
            text: text.clone(),
            pinned: after.item.pinned,
        });
    }
    if before.confirmations != after.confirmations {
        changes.push(Change::Confirmed {
            id,
            text: text.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::test_support::{add, item, later, memory_saying};

    #[test]
    fn each_change_is_told_once_and_nothing_else() {
        let (memory, ids) = memory_saying(&["a", "b", "c", "d", "e", "untouched"]);
        let (new, more) = (item("new"), item("more"));
        let e = memory.item(ids[4]).unwrap().item.clone();
        let text: Text = "A".into();
        let ops = [
            MemoryOp::Edit {
                id: ids[0],
                text: text.clone(),
            },
            MemoryOp::Supersede {
                id: ids[1],
                item: new.clone(),
            },
            MemoryOp::Expire { id: ids[2] },
            MemoryOp::Supersede {
                id: ids[3],
                item: e.clone(),
            },
            add(&more),
            MemoryOp::Confirm { id: Id::NIL },
        ];
        let changes = diff(&memory, &ops, later(1));
        assert_eq!(
            changes,
            [
                Change::Reworded {
                    id: ids[0],
                    before: "a".into(),
                    after: text
                },
                Change::Moved {
                    id: ids[2],
                    text: "c".into(),
                    before: Status::Active,
                    after: Status::Expired
                },
                Change::Replaced {
                    old: vec![(ids[3], "d".into())],
                    new: e
                },
                Change::Replaced {
                    old: vec![(ids[1], "b".into())],
                    new: Item {
                        supersedes: Some(ids[1]),
                        ..new
                    }
                },
                Change::Added(more),
            ]
        );
        assert_eq!(diff(&memory, &[], later(1)), []);
    }
}
