use proptest::prelude::*;

use super::*;
use crate::memory::test_support::{add, at, item, later};
use crate::model::{Kind, Source};

fn status(memory: &Memory, id: Id) -> Status {
    memory.item(id).unwrap().item.status
}

#[test]
fn a_superseded_item_stays_marked_and_can_come_back() {
    let (old, new) = (item("lives in Oslo"), item("lives in Bergen"));
    let mut memory = Memory::new();
    let supersede = MemoryOp::Supersede {
        id: old.id,
        item: new.clone(),
    };
    memory.apply_ops(at(), &[add(&old)]);
    memory.apply_ops(later(1), &[supersede]);
    let stored = memory.item(old.id).unwrap();
    assert_eq!(stored.item.status, Status::Superseded);
    assert_eq!(stored.superseded_by, Some(new.id));
    assert_eq!(stored.ended(), Some(later(1)));
    assert_eq!(memory.item(new.id).unwrap().item.supersedes, Some(old.id));
    memory.apply_ops(later(2), &[MemoryOp::Restore { id: old.id }]);
    assert_eq!(status(&memory, old.id), Status::Active);
    assert_eq!(memory.item(old.id).unwrap().superseded_by, None);
}

#[test]
fn two_replacements_at_once_leave_one_active() {
    let (old, a, b) = (item("Oslo"), item("Bergen"), item("Tromsø"));
    let mut memory = Memory::new();
    let replace = |item: &Item| MemoryOp::Supersede {
        id: old.id,
        item: item.clone(),
    };
    memory.apply_ops(at(), &[add(&old), replace(&a), replace(&b)]);
    assert_eq!(status(&memory, a.id), Status::Superseded);
    assert_eq!(status(&memory, b.id), Status::Active);
    assert_eq!(memory.successor(old.id).unwrap().item.id, b.id);
}

#[test]
fn a_known_item_can_take_the_place_of_another() {
    let (old, new) = (item("Oslo"), item("Bergen"));
    let mut memory = Memory::new();
    let supersede = MemoryOp::Supersede {
        id: old.id,
        item: new.clone(),
    };
    memory.apply_ops(at(), &[add(&old), add(&new), supersede]);
    assert_eq!(memory.item(old.id).unwrap().superseded_by, Some(new.id));
    assert_eq!(memory.item(new.id).unwrap().events.len(), 1);
}

#[test]
fn what_waits_replaces_nothing_until_approved() {
    let (old, mut new) = (item("Oslo"), item("Bergen"));
    new.status = Status::Pending;
    let mut memory = Memory::new();
    let supersede = MemoryOp::Supersede {
        id: old.id,
        item: new.clone(),
    };
    memory.apply_ops(at(), &[add(&old), supersede]);
    assert_eq!(status(&memory, old.id), Status::Active);
    memory.apply_ops(later(1), &[MemoryOp::Approve { id: new.id }]);
    assert_eq!(status(&memory, old.id), Status::Superseded);
    assert_eq!(status(&memory, new.id), Status::Active);
}

#[test]
fn restoring_approves_nothing() {
    let mut new = item("from a file");
    new.status = Status::Pending;
    let id = new.id;
    let mut memory = Memory::new();
    let ops = [add(&new), MemoryOp::Reject { id }, MemoryOp::Restore { id }];
    memory.apply_ops(at(), &ops);
    assert_eq!(status(&memory, id), Status::Pending);
    memory.apply_ops(
        at(),
        &[
            MemoryOp::Confirm { id },
            MemoryOp::Edit {
                id,
                text: "x".into(),
            },
        ],
    );
    assert_eq!(status(&memory, id), Status::Pending);
}

#[test]
fn the_life_of_an_item_is_told() {
    let first = item("has a cat");
    let id = first.id;
    let mut memory = Memory::new();
    let ops = [
        add(&first),
        MemoryOp::Edit {
            id,
            text: "has two cats".into(),
        },
        MemoryOp::Confirm { id },
        MemoryOp::Confirm { id },
        MemoryOp::Pin { id },
        MemoryOp::Pin { id },
        MemoryOp::Forget { id },
    ];
    for (hour, op) in (0..).zip(&ops) {
        memory.apply_ops(later(hour), std::slice::from_ref(op));
    }
    let stored = memory.item(id).unwrap();
    let whats: Vec<What> = stored.events.iter().map(|event| event.what).collect();
    let expected = [
        What::Added,
        What::Edited,
        What::Confirmed,
        What::Pinned,
        What::Forgotten,
    ];
    assert_eq!(whats, expected);
    assert_eq!(stored.events[1].text_before, Some("has a cat".into()));
    assert_eq!(stored.confirmations, 2);
    assert_eq!(stored.ended(), Some(later(6)));
    assert_eq!(stored.changed_seq, 7);
}

#[test]
fn a_long_life_keeps_its_first_and_its_latest_events() {
    let first = item("x");
    let id = first.id;
    let mut memory = Memory::new();
    memory.apply_ops(at(), &[add(&first)]);
    for n in 0..200 {
        let text = format!("x{n}").as_str().into();
        memory.apply_ops(at(), &[MemoryOp::Edit { id, text }]);
    }
    let events = &memory.item(id).unwrap().events;
    assert_eq!(events.len(), EVENTS_MAX);
    assert_eq!(events[0].what, What::Added);
    assert_eq!(events.last().unwrap().seq, 201);
}

#[test]
fn time_ends_an_item_and_a_confirmation_brings_it_back() {
    let mut guest = item("has a guest");
    guest.expires = Some(later(2));
    let mut memory = Memory::new();
    memory.apply_ops(at(), &[add(&guest)]);
    assert!(memory.item(guest.id).unwrap().is_live(later(1)));
    assert!(!memory.item(guest.id).unwrap().is_live(later(2)));
    memory.apply_ops(later(3), &[MemoryOp::Confirm { id: guest.id }]);
    assert!(memory.item(guest.id).unwrap().is_live(later(4)));
}

#[test]
fn what_nobody_confirmed_for_long_is_stale() {
    let old = item("x");
    let mut memory = Memory::new();
    memory.apply_ops(at(), &[add(&old)]);
    let days = |days: i64| later(24 * days);
    assert!(!memory.item(old.id).unwrap().is_stale(days(180)));
    assert!(memory.item(old.id).unwrap().is_stale(days(181)));
    memory.apply_ops(days(181), &[MemoryOp::Confirm { id: old.id }]);
    assert!(!memory.item(old.id).unwrap().is_stale(days(182)));
}

#[test]
fn a_purged_predecessor_takes_nothing_with_it() {
    let new = item("lives in Bergen");
    let mut memory = Memory::new();
    assert_eq!(memory.apply(1, &Record::Purged), Applied::Known);
    let supersede = MemoryOp::Supersede {
        id: Id::fresh(),
        item: new.clone(),
    };
    memory.apply_ops(at(), &[supersede]);
    assert_eq!(status(&memory, new.id), Status::Active);
}

#[test]
fn a_record_of_a_later_version_is_said_to_be_unknown() {
    let mut memory = Memory::new();
    assert_eq!(memory.apply(1, &Record::Unknown), Applied::Unknown);
    let mut strange = item("x");
    strange.source = Source::of(SourceClass::Unknown);
    let event = |item: &Item| {
        Record::Memory(MemoryEvent {
            at: at(),
            op: add(item),
        })
    };
    assert_eq!(memory.apply(2, &event(&strange)), Applied::Unknown);
    strange = item("y");
    strange.status = Status::Unknown;
    assert_eq!(memory.apply(3, &event(&strange)), Applied::Unknown);
    assert_eq!(memory.active().count(), 1);
    assert_eq!(memory.apply(4, &event(&item("z"))), Applied::Known);
}

#[test]
fn operations_with_one_time_are_one_batch() {
    let mut memory = Memory::new();
    memory.apply_ops(
        at(),
        &[add(&item("a")), add(&item("b")), MemoryOp::Consolidated],
    );
    memory.apply_ops(at(), &[add(&item("c"))]);
    memory.apply_ops(later(1), &[add(&item("d"))]);
    let spans: Vec<(u64, u64, bool)> = memory
        .batches()
        .iter()
        .map(|batch| (batch.first_seq, batch.last_seq, batch.consolidation))
        .collect();
    assert_eq!(spans, [(1, 3, true), (4, 4, false), (5, 5, false)]);
}

#[test]
fn a_loaded_state_ignores_what_it_does_not_know() {
    let mut memory = Memory::new();
    memory.apply_ops(at(), &[add(&item("a"))]);
    let mut json: serde_json::Value = serde_json::from_slice(&memory.save().unwrap()).unwrap();
    json["v"] = 1.into();
    json["seq"] = 99.into();
    json["link"] = "00".into();
    let mut loaded = Memory::new();
    loaded.load(json.to_string().as_bytes()).unwrap();
    assert_eq!(loaded, memory);
    assert!(loaded.load(b"{").is_err());
}

/// Operations over a handful of ids, so that they meet.
fn op() -> impl Strategy<Value = (u8, MemoryOp)> {
    let ids = 0..6_u8;
    let hour = 0..4_u8;
    (hour, 0..14_u8, ids.clone(), ids, "[a-c]{1,2}").prop_map(|(hour, op, a, b, text)| {
        let id = |n: u8| Id::from_digest([n; 16]);
        let mut item = Item::new(
            [Kind::Fact, Kind::Preference, Kind::Outcome][usize::from(b % 3)],
            text.as_str().into(),
            Source::of(SourceClass::UserSaid),
            later(i64::from(hour)),
        );
        item.id = id(b);
        if a % 3 == 0 {
            item.status = Status::Pending;
        }
        if a == b {
            item.expires = Some(later(2));
        }
        let op = match op {
            0 | 1 => MemoryOp::Add { item },
            2 => MemoryOp::Supersede { id: id(a), item },
            3 => MemoryOp::Merge {
                ids: vec![id(a), id(b), id(a / 2)],
                item,
            },
            4 => MemoryOp::Edit {
                id: id(a),
                text: text.as_str().into(),
            },
            5 => MemoryOp::Confirm { id: id(a) },
            6 => MemoryOp::Pin { id: id(a) },
            7 => MemoryOp::Unpin { id: id(a) },
            8 => MemoryOp::Approve { id: id(a) },
            9 => MemoryOp::Reject { id: id(a) },
            10 => MemoryOp::Expire { id: id(a) },
            11 => MemoryOp::Forget { id: id(a) },
            12 => MemoryOp::Consolidated,
            _ => MemoryOp::Restore { id: id(a) },
        };
        (hour, op)
    })
}

fn replay(memory: &mut Memory, first_seq: u64, ops: &[(u8, MemoryOp)]) {
    for (seq, (hour, op)) in (first_seq..).zip(ops) {
        let event = MemoryEvent {
            at: later(i64::from(*hour)),
            op: op.clone(),
        };
        assert_eq!(memory.apply(seq, &Record::Memory(event)), Applied::Known);
    }
}

proptest! {
    #[test]
    fn a_checkpoint_and_a_replay_equal_a_replay_from_1(
        ops in prop::collection::vec(op(), 0..60),
        split in any::<prop::sample::Index>(),
        overlap in 0..5_usize,
    ) {
        let mut whole = Memory::new();
        replay(&mut whole, 1, &ops);
        let split = split.index(ops.len() + 1);
        let mut first = Memory::new();
        replay(&mut first, 1, &ops[..split]);
        let mut second = Memory::new();
        second.load(&first.save().unwrap()).unwrap();
        prop_assert_eq!(&second, &first);
        // Records that the checkpoint already covers change nothing.
        let from = split.saturating_sub(overlap);
        replay(&mut second, from as u64 + 1, &ops[from..]);
        prop_assert_eq!(second, whole);
    }

    #[test]
    fn what_was_superseded_says_by_what(ops in prop::collection::vec(op(), 0..60)) {
        let mut memory = Memory::new();
        replay(&mut memory, 1, &ops);
        for stored in memory.all() {
            if stored.item.status == Status::Superseded {
                let by = stored.superseded_by.and_then(|id| memory.item(id));
                prop_assert!(by.is_some());
            }
            prop_assert!(stored.events.len() <= EVENTS_MAX);
        }
    }
}
