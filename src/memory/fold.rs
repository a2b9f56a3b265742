//! The state of long-term memory as a fold of the log, and what every operation does to it.
//!
//! An operation that makes no sense in the state it meets (an unknown id, an id added twice, the
//! approval of what does not wait) changes nothing: a log is never refused, and whatever two
//! processes wrote at once has one meaning.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::model::{
    Applied, Fold, FoldName, Id, Item, MemoryEvent, MemoryOp, Privacy, Project, Record,
    SourceClass, Status, Text, Timestamp,
};

/// Events kept of one item; of a longer life the first and the latest stay.
const EVENTS_MAX: usize = 64;
/// After this an item that nobody confirmed is shown as such.
const STALE_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_hours(180 * 24);
/// Batches kept, for undoing.
const BATCHES_MAX: usize = 64;

/// Everything remembered, with the life of every item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    items: BTreeMap<Id, Stored>,
    /// The seq of the last record that was for this fold; one at or below it is a repetition.
    applied: u64,
    batches: Vec<Batch>,
}

/// An item with what the log says about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    pub item: Item,
    /// The item that took this one's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<Id>,
    /// The seq of the record that last changed the item in any way.
    pub changed_seq: u64,
    /// How often the item was confirmed.
    #[serde(default)]
    pub confirmations: u32,
    /// What `Restore` goes back to: pending until the item was once active.
    was: Status,
    pub events: Vec<Event>,
}

/// One thing that happened to an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub seq: u64,
    pub at: Timestamp,
    pub what: What,
    /// The status before.
    pub before: Status,
    /// The words before an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_before: Option<Text>,
}

/// What can happen to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Added,
    /// Another item took its place.
    Superseded,
    Edited,
    Confirmed,
    Pinned,
    Unpinned,
    Approved,
    Rejected,
    Expired,
    Forgotten,
    Restored,
}

/// Operations that were appended together: neighbours in the log with one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub first_seq: u64,
    pub last_seq: u64,
    pub at: Timestamp,
    #[serde(default)]
    pub consolidation: bool,
}

impl Stored {
    /// Whether the item counts as true at `now`: active, and its time not over.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.item.status == Status::Active && self.item.expires.is_none_or(|end| now < end)
    }

    /// When the item was last said to be true.
    pub fn last_said(&self) -> Timestamp {
        self.item
            .confirmed
            .map_or(self.item.created, |at| at.max(self.item.created))
    }

    /// When the item left the active or waiting ones, if it has.
    pub fn ended(&self) -> Option<Timestamp> {
        let over = |status| !matches!(status, Status::Active | Status::Pending);
        if !over(self.item.status) {
            return None;
        }
        let left = self.events.iter().rev().find(|event| !over(event.before));
        Some(left.map_or(self.item.created, |event| event.at))
    }

    /// Whether the item was not said to be true for so long that it may no longer be.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now.duration_since(self.last_said()) > STALE_AFTER
    }

    /// Whether the item may be told to a host that is not this machine.
    pub fn may_leave(&self) -> bool {
        self.item.private.is_none()
    }

    /// The seq of the record that holds the item's present words.
    pub fn words_seq(&self) -> Option<u64> {
        let brings_words = |event: &&Event| matches!(event.what, What::Added | What::Edited);
        let last = self.events.iter().rev().find(brings_words);
        last.map(|event| event.seq)
    }

    fn record(&mut self, seq: u64, at: Timestamp, what: What, text_before: Option<Text>) {
        self.changed_seq = seq;
        let event = Event {
            seq,
            at,
            what,
            before: self.item.status,
            text_before,
        };
        if let Some(last) = self.events.last_mut()
            && what == What::Confirmed
            && last.what == What::Confirmed
        {
            *last = event;
            return;
        }
        if self.events.len() == EVENTS_MAX {
            self.events.remove(1);
        }
        self.events.push(event);
    }

    fn leave(&mut self, seq: u64, at: Timestamp, what: What, to: Status) {
        self.record(seq, at, what, None);
        self.item.status = to;
    }

    fn revive(&mut self, at: Timestamp) {
        if self.item.expires.is_some_and(|end| end <= at) {
            self.item.expires = None;
        }
    }
}

impl Memory {
    pub fn new() -> Self {
        Memory::default()
    }

    /// An item by its id, whatever its status.
    pub fn item(&self, id: Id) -> Option<&Stored> {
        self.items.get(&id)
    }

    /// The records whose words are those of an item that counts as true at `now` and that is
    /// `wanted`: what a search may find of memory.
    pub fn standing_words(&self, now: Timestamp, wanted: impl Fn(&Item) -> bool) -> HashSet<u64> {
        let live = self.items.values().filter(|stored| stored.is_live(now));
        let live = live.filter(|stored| wanted(&stored.item));
        live.filter_map(Stored::words_seq).collect()
    }

    /// The projects that active or waiting items are of, in order; none stands for those of none.
    pub fn projects(&self) -> BTreeSet<Option<Project>> {
        let open =
            |stored: &&Stored| matches!(stored.item.status, Status::Active | Status::Pending);
        let open = self.items.values().filter(open);
        open.map(|stored| stored.item.project.clone()).collect()
    }

    /// Whether a batch did something to an item that comes up in a project, or where there is none.
    pub fn is_of(&self, batch: &Batch, here: Option<&Project>) -> bool {
        let seqs = batch.first_seq..=batch.last_seq;
        self.items.values().any(|stored| {
            stored.item.comes_up_in(here) && stored.events.iter().any(|e| seqs.contains(&e.seq))
        })
    }

    /// Every item there ever was, in order of id.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Stored> {
        self.items.values()
    }

    pub(super) fn ids_before(&self, id: Id) -> impl DoubleEndedIterator<Item = &Stored> {
        self.items.range(..id).map(|(_, stored)| stored)
    }

    pub(super) fn ids_after(&self, id: Id) -> impl Iterator<Item = &Stored> {
        let later = (Bound::Excluded(id), Bound::Unbounded);
        self.items.range(later).map(|(_, stored)| stored)
    }

    /// The seq of the last record that changed memory.
    pub fn seq(&self) -> u64 {
        self.applied
    }

    /// The latest batches of operations, oldest first.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// The item that stands today where `id` once stood: the end of the chain of supersessions.
    pub fn successor(&self, id: Id) -> Option<&Stored> {
        let mut stored = self.items.get(&id)?;
        // A chain has no item twice, but a damaged checkpoint could.
        for _ in 0..self.items.len() {
            let next = stored.superseded_by.and_then(|next| self.items.get(&next));
            match next {
                Some(next) if stored.item.status == Status::Superseded => stored = next,
                _ => break,
            }
        }
        Some(stored)
    }

    /// Applies operations as if they had been appended at `at`, after everything else. For trying
    /// out what they would do, on a clone: the log gives its own numbers.
    pub fn apply_ops(&mut self, at: Timestamp, ops: &[MemoryOp]) {
        for op in ops {
            let event = MemoryEvent { at, op: op.clone() };
            let _ = self.apply(self.applied + 1, &Record::Memory(event));
        }
    }

    fn apply_event(&mut self, seq: u64, event: &MemoryEvent) -> Applied {
        if seq <= self.applied {
            return Applied::Known;
        }
        self.applied = seq;
        self.note_batch(seq, event);
        let at = event.at;
        match &event.op {
            MemoryOp::Add { item } => return self.add(seq, at, item, item.supersedes.as_slice()),
            MemoryOp::Supersede { id, item } => return self.add(seq, at, item, &[*id]),
            MemoryOp::Merge { ids, item } => return self.add(seq, at, item, ids),
            MemoryOp::Edit { id, text } => self.edit(seq, at, *id, text),
            MemoryOp::Confirm { id } => self.confirm(seq, at, *id),
            MemoryOp::Pin { id } => self.pin(seq, at, *id, true),
            MemoryOp::Unpin { id } => self.pin(seq, at, *id, false),
            MemoryOp::Approve { id } => self.approve(seq, at, *id),
            MemoryOp::Reject { id } => self.end(seq, at, *id, What::Rejected),
            MemoryOp::Expire { id } => self.end(seq, at, *id, What::Expired),
            MemoryOp::Forget { id } => self.end(seq, at, *id, What::Forgotten),
            MemoryOp::Restore { id } => self.restore(seq, at, *id),
            MemoryOp::Consolidated => {}
            MemoryOp::Unknown => return Applied::Unknown,
        }
        Applied::Known
    }

    fn note_batch(&mut self, seq: u64, event: &MemoryEvent) {
        let consolidation = event.op == MemoryOp::Consolidated;
        if let Some(last) = self.batches.last_mut()
            && last.last_seq + 1 == seq
            && last.at == event.at
            && !last.consolidation
        {
            last.last_seq = seq;
            last.consolidation = consolidation;
            return;
        }
        if self.batches.len() == BATCHES_MAX {
            self.batches.remove(0);
        }
        self.batches.push(Batch {
            first_seq: seq,
            last_seq: seq,
            at: event.at,
            consolidation,
        });
    }

    fn add(&mut self, seq: u64, at: Timestamp, item: &Item, replaced: &[Id]) -> Applied {
        if !self.items.contains_key(&item.id) {
            let mut item = item.clone();
            let id = item.id;
            item.supersedes = replaced.iter().copied().find(|old| *old != id);
            let mut stored = Stored {
                superseded_by: None,
                changed_seq: seq,
                confirmations: 0,
                was: match item.status {
                    Status::Active => Status::Active,
                    _ => Status::Pending,
                },
                events: Vec::new(),
                item,
            };
            stored.record(seq, at, What::Added, None);
            self.items.insert(id, stored);
        }
        // Also where the item was there before: one known item then takes the place of another.
        let active = |stored: &Stored| stored.item.status == Status::Active;
        if self.items.get(&item.id).is_some_and(active) {
            self.supersede(seq, at, replaced, item.id);
        }
        if is_of_a_later_version(item) {
            return Applied::Unknown;
        }
        Applied::Known
    }

    /// Marks what stands today where each of `replaced` stood. Two processes that replace the same
    /// item at once so leave one of the new ones active, the later, and not both. What is of another
    /// project, or of none, stays: there the new one does not come up.
    fn supersede(&mut self, seq: u64, at: Timestamp, replaced: &[Id], by: Id) {
        let project = self.items.get(&by).and_then(|by| by.item.project.clone());
        for old in replaced {
            let Some(head) = self.successor(*old).map(|stored| stored.item.id) else {
                continue;
            };
            if head == by {
                continue;
            }
            let stored = self.items.get_mut(&head).expect("successor is an item");
            if stored.item.project != project {
                continue;
            }
            if matches!(stored.item.status, Status::Active | Status::Pending) {
                stored.leave(seq, at, What::Superseded, Status::Superseded);
                stored.superseded_by = Some(by);
            }
        }
    }

    fn edit(&mut self, seq: u64, at: Timestamp, id: Id, text: &Text) {
        if let Some(stored) = self.items.get_mut(&id)
            && stored.item.status != Status::Forgotten
            && stored.item.text != *text
        {
            let before = std::mem::replace(&mut stored.item.text, text.clone());
            stored.record(seq, at, What::Edited, Some(before));
        }
    }

    fn confirm(&mut self, seq: u64, at: Timestamp, id: Id) {
        if let Some(stored) = self.items.get_mut(&id)
            && stored.item.status == Status::Active
        {
            stored.record(seq, at, What::Confirmed, None);
            stored.item.confirmed = Some(stored.item.confirmed.map_or(at, |was| was.max(at)));
            stored.confirmations = stored.confirmations.saturating_add(1);
            stored.revive(at);
        }
    }

    fn pin(&mut self, seq: u64, at: Timestamp, id: Id, pinned: bool) {
        if let Some(stored) = self.items.get_mut(&id)
            && stored.item.status != Status::Forgotten
            && stored.item.pinned != pinned
        {
            let what = if pinned { What::Pinned } else { What::Unpinned };
            stored.record(seq, at, what, None);
            stored.item.pinned = pinned;
        }
    }

    fn approve(&mut self, seq: u64, at: Timestamp, id: Id) {
        let Some(stored) = self.items.get_mut(&id) else {
            return;
        };
        if stored.item.status != Status::Pending {
            return;
        }
        stored.leave(seq, at, What::Approved, Status::Active);
        stored.was = Status::Active;
        stored.item.confirmed = Some(at);
        stored.revive(at);
        let replaced = stored.item.supersedes;
        self.supersede(seq, at, replaced.as_slice(), id);
    }

    fn end(&mut self, seq: u64, at: Timestamp, id: Id, what: What) {
        let Some(stored) = self.items.get_mut(&id) else {
            return;
        };
        let open = matches!(stored.item.status, Status::Active | Status::Pending);
        match what {
            What::Rejected if open => stored.leave(seq, at, what, Status::Rejected),
            What::Expired if open => stored.leave(seq, at, what, Status::Expired),
            What::Forgotten if stored.item.status != Status::Forgotten => {
                stored.leave(seq, at, what, Status::Forgotten);
            }
            _ => {}
        }
    }

    fn restore(&mut self, seq: u64, at: Timestamp, id: Id) {
        if let Some(stored) = self.items.get_mut(&id)
            && matches!(
                stored.item.status,
                Status::Superseded | Status::Expired | Status::Rejected | Status::Forgotten
            )
        {
            stored.record(seq, at, What::Restored, None);
            stored.item.status = stored.was;
            stored.superseded_by = None;
            stored.revive(at);
        }
    }
}

/// A status, class or privacy that this version cannot tell from another: a checkpoint would lose
/// the difference.
fn is_of_a_later_version(item: &Item) -> bool {
    item.status == Status::Unknown
        || item.source.class == SourceClass::Unknown
        || item.private == Some(Privacy::Unknown)
}

impl Fold for Memory {
    fn name(&self) -> FoldName {
        FoldName::LongTermMemory
    }

    fn version(&self) -> u32 {
        2
    }

    fn apply(&mut self, seq: u64, record: &Record) -> Applied {
        match record {
            Record::Memory(event) => self.apply_event(seq, event),
            Record::Unknown => Applied::Unknown,
            _ => Applied::Known,
        }
    }

    fn save(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    fn load(&mut self, json: &[u8]) -> serde_json::Result<()> {
        *self = serde_json::from_slice(json)?;
        Ok(())
    }

    fn reset(&mut self) {
        *self = Memory::default();
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
