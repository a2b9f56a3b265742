//! Small makers of items and memories for the tests of this room.

use crate::model::{Id, Item, Kind, MemoryOp, Source, SourceClass, Timestamp};

use super::fold::Memory;

pub(super) fn at() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

pub(super) fn later(hours: i64) -> Timestamp {
    at() + jiff::SignedDuration::from_hours(hours)
}

pub(super) fn item(text: &str) -> Item {
    Item::new(
        Kind::Fact,
        text.into(),
        Source::of(SourceClass::UserSaid),
        at(),
    )
}

pub(super) fn add(item: &Item) -> MemoryOp {
    MemoryOp::Add { item: item.clone() }
}

/// A memory of active facts with these ids.
pub(super) fn memory_of(ids: &[&str]) -> Memory {
    let mut memory = Memory::new();
    for id in ids {
        let mut item = item("something");
        item.id = id.parse::<Id>().unwrap();
        memory.apply_ops(at(), &[add(&item)]);
    }
    memory
}

/// A memory of active facts with these texts, and their ids.
pub(super) fn memory_saying(texts: &[&str]) -> (Memory, Vec<Id>) {
    let mut memory = Memory::new();
    let mut ids = Vec::new();
    for text in texts {
        let item = item(text);
        ids.push(item.id);
        memory.apply_ops(at(), &[add(&item)]);
    }
    (memory, ids)
}
