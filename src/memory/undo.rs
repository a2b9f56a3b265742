//! Finds the operations that take others back.
//!
//! Nothing is removed by that: an item that was added ends rejected, one that was replaced comes
//! back, words return as they were. An item that changed again since is left alone, and said so.

use std::ops::RangeInclusive;

use crate::model::{Id, MemoryOp, Status, Timestamp};

use super::fold::{Batch, Event, Memory, Stored, What};
use super::judge::Knowledge;

/// What takes operations back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Undo {
    pub ops: Vec<MemoryOp>,
    /// Items left alone, since something else happened to them after.
    pub skipped: Vec<Id>,
}

/// Takes back operations that were applied to `before` at `at`, with nothing after them.
pub fn undo(ops: &[MemoryOp], before: &Memory, at: Timestamp) -> Vec<MemoryOp> {
    let mut after = before.clone();
    after.apply_ops(at, ops);
    revert(&after, before.seq() + 1..=after.seq()).ops
}

/// Takes back a batch.
pub fn undo_batch(memory: &Memory, batch: &Batch) -> Undo {
    revert(memory, batch.first_seq..=batch.last_seq)
}

/// Brings back an item that was superseded, expired, rejected or forgotten. What took its place is
/// rejected, if it took no other's.
pub fn bring_back(id: Id, memory: &Memory) -> Vec<MemoryOp> {
    let Some(stored) = memory.item(id) else {
        return Vec::new();
    };
    if matches!(stored.item.status, Status::Active | Status::Pending) {
        return Vec::new();
    }
    let mut ops = Vec::new();
    if stored.item.status == Status::Superseded
        && let Some(heir) = memory.successor(id).map(|heir| heir.item.id)
    {
        let mut before = memory.all().filter(|other| {
            other.item.id != id
                && memory
                    .successor(other.item.id)
                    .is_some_and(|s| s.item.id == heir)
        });
        let sole =
            before.all(|other| other.item.id == heir || stands_between(memory, id, other.item.id));
        if sole {
            ops.push(MemoryOp::Reject { id: heir });
        }
    }
    ops.push(MemoryOp::Restore { id });
    // What says otherwise and took no part in replacing it; where the item only waits again, the
    // fold lets these be.
    for other in
        Knowledge::of(memory, stored.item.project.as_ref()).answered_by(id, &stored.item.text)
    {
        let rejected = ops.contains(&MemoryOp::Reject { id: other });
        if !rejected {
            ops.push(MemoryOp::Supersede {
                id: other,
                item: stored.item.clone(),
            });
        }
    }
    ops
}

/// Whether `other` is one of those that replaced `id` in turn, or that `id` replaced in turn.
fn stands_between(memory: &Memory, id: Id, other: Id) -> bool {
    let reaches = |from: Id, to: Id| {
        let next = |id: &Id| memory.item(*id).and_then(|stored| stored.superseded_by);
        std::iter::successors(Some(from), next)
            .take(memory.all().count() + 1)
            .any(|step| step == to)
    };
    reaches(id, other) || reaches(other, id)
}

fn revert(memory: &Memory, seqs: RangeInclusive<u64>) -> Undo {
    let mut undo = Undo::default();
    let touched: Vec<&Stored> = memory
        .all()
        .filter(|stored| stored.events.iter().any(|event| seqs.contains(&event.seq)))
        .collect();
    for stored in &touched {
        if stored.changed_seq > *seqs.end() {
            undo.skipped.push(stored.item.id);
        }
    }
    // Rejections before restorations: what replaces goes before what was replaced comes.
    let mut restored = Vec::new();
    for stored in touched {
        let id = stored.item.id;
        let heir_stays = stored
            .superseded_by
            .is_some_and(|heir| undo.skipped.contains(&heir));
        if undo.skipped.contains(&id) {
            continue;
        }
        if heir_stays && stored.item.status == Status::Superseded {
            undo.skipped.push(id);
            continue;
        }
        let events: Vec<&Event> = stored
            .events
            .iter()
            .filter(|event| seqs.contains(&event.seq))
            .collect();
        if events[0].what == What::Added {
            if is_open(stored.item.status) {
                undo.ops.push(MemoryOp::Reject { id });
            }
            continue;
        }
        let text_before = events.iter().find_map(|event| event.text_before.as_ref());
        if let Some(text) = text_before.filter(|text| **text != stored.item.text) {
            undo.ops.push(MemoryOp::Edit {
                id,
                text: text.clone(),
            });
        }
        undo.ops.extend(pin_back(stored, &events));
        match (events[0].before, stored.item.status) {
            (before, now) if before == now => {}
            (Status::Pending, Status::Active) => undo.ops.push(MemoryOp::Reject { id }),
            (before, now) if is_open(before) && !is_open(now) => {
                restored.push(MemoryOp::Restore { id });
            }
            (Status::Forgotten, _) => undo.ops.push(MemoryOp::Forget { id }),
            (Status::Rejected, _) => undo.ops.push(MemoryOp::Reject { id }),
            (Status::Superseded | Status::Expired, _) => undo.ops.push(MemoryOp::Expire { id }),
            _ => {}
        }
    }
    undo.ops.extend(restored);
    undo
}

fn is_open(status: Status) -> bool {
    matches!(status, Status::Active | Status::Pending)
}

fn pin_back(stored: &Stored, events: &[&Event]) -> Option<MemoryOp> {
    let id = stored.item.id;
    let first = events
        .iter()
        .find(|event| matches!(event.what, What::Pinned | What::Unpinned))?;
    match (first.what, stored.item.pinned) {
        (What::Pinned, true) => Some(MemoryOp::Unpin { id }),
        (What::Unpinned, false) => Some(MemoryOp::Pin { id }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::test_support::{add, at, item, later, memory_saying};

    fn statuses(memory: &Memory, ids: &[Id]) -> Vec<(Status, String, bool)> {
        ids.iter()
            .map(|id| &memory.item(*id).unwrap().item)
            .map(|item| (item.status, item.text.as_str().to_owned(), item.pinned))
            .collect()
    }

    #[test]
    fn what_was_done_is_taken_back() {
        let (memory, ids) = memory_saying(&["a", "b", "c", "d", "e"]);
        let new = item("new");
        let merged = item("merged");
        let ops = [
            MemoryOp::Supersede {
                id: ids[0],
                item: new.clone(),
            },
            MemoryOp::Merge {
                ids: vec![ids[1], ids[2]],
                item: merged.clone(),
            },
            MemoryOp::Edit {
                id: ids[3],
                text: "D".into(),
            },
            MemoryOp::Pin { id: ids[3] },
            MemoryOp::Expire { id: ids[4] },
        ];
        let back = undo(&ops, &memory, later(1));
        let mut after = memory.clone();
        after.apply_ops(later(1), &ops);
        after.apply_ops(later(2), &back);
        assert_eq!(statuses(&after, &ids), statuses(&memory, &ids));
        for id in [new.id, merged.id] {
            assert_eq!(after.item(id).unwrap().item.status, Status::Rejected);
        }
    }

    #[test]
    fn what_changed_since_is_left_alone() {
        let (mut memory, ids) = memory_saying(&["a", "b"]);
        let new = item("new");
        let ops = [
            MemoryOp::Supersede {
                id: ids[0],
                item: new.clone(),
            },
            MemoryOp::Expire { id: ids[1] },
        ];
        memory.apply_ops(later(1), &ops);
        let batch = *memory.batches().last().unwrap();
        memory.apply_ops(later(2), &[MemoryOp::Confirm { id: new.id }]);
        let undo = undo_batch(&memory, &batch);
        assert_eq!(undo.ops, [MemoryOp::Restore { id: ids[1] }]);
        assert_eq!(undo.skipped, [new.id, ids[0]]);
    }

    #[test]
    fn undoing_twice_brings_it_back() {
        let (mut memory, ids) = memory_saying(&["a"]);
        let new = item("new");
        let supersede = MemoryOp::Supersede {
            id: ids[0],
            item: new.clone(),
        };
        memory.apply_ops(later(1), &[supersede]);
        for (hours, active) in [(2, ids[0]), (3, new.id)] {
            let batch = *memory.batches().last().unwrap();
            let undo = undo_batch(&memory, &batch);
            memory.apply_ops(later(hours), &undo.ops);
            let left: Vec<Id> = memory.active().map(|stored| stored.item.id).collect();
            assert_eq!(left, [active]);
        }
    }

    #[test]
    fn approval_taken_back_is_rejection() {
        let mut memory = Memory::new();
        let mut new = item("x");
        new.status = Status::Pending;
        memory.apply_ops(at(), &[add(&new)]);
        let back = undo(&[MemoryOp::Approve { id: new.id }], &memory, later(1));
        assert_eq!(back, [MemoryOp::Reject { id: new.id }]);
    }

    #[test]
    fn bringing_back_an_item_leaves_nothing_active_that_says_otherwise() {
        let (mut memory, ids) = memory_saying(&["lives in Oslo", "likes tea"]);
        let rome = item("lives in Rome");
        memory.apply_ops(later(1), &[MemoryOp::Expire { id: ids[0] }, add(&rome)]);
        memory.apply_ops(later(2), &bring_back(ids[0], &memory));
        let left: Vec<Id> = memory.active().map(|stored| stored.item.id).collect();
        assert_eq!(left, ids);
    }

    #[test]
    fn bringing_back_an_item_ends_what_took_its_place() {
        let (mut memory, ids) = memory_saying(&["Oslo", "tea", "coffee"]);
        let (bergen, rome, both) = (item("Bergen"), item("Rome"), item("tea and coffee"));
        let replace = |id: Id, item: &crate::model::Item| MemoryOp::Supersede {
            id,
            item: item.clone(),
        };
        let merge = MemoryOp::Merge {
            ids: vec![ids[1], ids[2]],
            item: both.clone(),
        };
        let ops = [replace(ids[0], &bergen), replace(bergen.id, &rome), merge];
        memory.apply_ops(later(1), &ops);
        let restore = |id| MemoryOp::Restore { id };
        let reject = MemoryOp::Reject { id: rome.id };
        assert_eq!(bring_back(ids[0], &memory), [reject, restore(ids[0])]);
        assert_eq!(bring_back(ids[1], &memory), [restore(ids[1])]);
        assert_eq!(bring_back(rome.id, &memory), []);
    }
}
