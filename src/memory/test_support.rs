//! Small makers of items and memories for the tests of this room.

use jiff::tz::TimeZone;

use crate::model::{Id, Item, Kind, MemoryOp, Source, SourceClass, Timestamp};

use super::accept::accept;
use super::fold::Memory;
use super::judge::{Accepted, Context, Judgement};
use super::proposal::Proposal;
use super::quote::Said;

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

pub(super) fn context(now: Timestamp) -> Context {
    Context {
        conversation: Some(Id::NIL),
        now,
        zone: TimeZone::UTC,
        private: None,
        project: None,
    }
}

pub(super) fn facts(texts: &[&str]) -> Vec<Proposal> {
    texts
        .iter()
        .map(|text| Proposal {
            kind: Kind::Fact,
            text: (*text).into(),
        })
        .collect()
}

/// One talk at a time: the person says, the model proposes.
pub(super) fn talk(
    memory: &mut Memory,
    now: Timestamp,
    said: &[&str],
    proposed: &[&str],
) -> Accepted {
    let said: Vec<Said<'_>> = said
        .iter()
        .map(|text| Said {
            id: Id::fresh(),
            at: now,
            text,
        })
        .collect();
    let accepted = accept(&facts(proposed), &said, memory, &context(now));
    memory.apply_ops(now, &accepted.ops);
    accepted
}

pub(super) fn one(accepted: &Accepted) -> &Judgement {
    assert_eq!(accepted.verdicts.len(), 1);
    &accepted.verdicts[0].judgement
}

pub(super) fn active(memory: &Memory) -> Vec<String> {
    memory
        .active()
        .map(|stored| stored.item.text.as_str().to_owned())
        .collect()
}
