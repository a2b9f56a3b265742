//! What operations would change, as data: for `--dry-run`, and for saying what was done.

use std::collections::BTreeMap;

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
    let mut replaced = replaced_now(memory, &after);
    let mut changes = Vec::new();
    for stored in after.all() {
        let item = &stored.item;
        let old = replaced.remove(&item.id).unwrap_or_default();
        let before = memory.item(item.id);
        if !old.is_empty() {
            let new = item.clone();
            changes.push(Change::Replaced { old, new });
        } else if before.is_none() {
            changes.push(Change::Added(item.clone()));
        }
        if let Some(before) = before
            && stored.changed_seq > memory.seq()
        {
            compare(before, stored, &mut changes);
        }
    }
    changes
}

/// By the id of the item that takes their place only now: the items replaced.
fn replaced_now(before: &Memory, after: &Memory) -> BTreeMap<Id, Vec<(Id, Text)>> {
    let mut replaced: BTreeMap<Id, Vec<(Id, Text)>> = BTreeMap::new();
    for old in after.all() {
        let was = before.item(old.item.id);
        if let Some(heir) = old.superseded_by
            && was.is_some_and(|was| was.superseded_by != Some(heir))
        {
            let old = (old.item.id, old.item.text.clone());
            replaced.entry(heir).or_default().push(old);
        }
    }
    replaced
}

fn compare(before: &Stored, after: &Stored, changes: &mut Vec<Change>) {
    let id = after.item.id;
    let text = &after.item.text;
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
