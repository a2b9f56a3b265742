//! What records say about earlier ones: deleted conversations, and which memory items stand.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{ConversationOp, Id, MemoryOp, Status};

/// Hides what is not to be found. Holds ids and numbers, no words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    deleted: HashSet<Id>,
    /// By item: the record with its present words, and its status.
    items: HashMap<Id, (u64, Status)>,
    /// The records whose words an active item has now.
    active: HashSet<u64>,
}

impl State {
    pub fn of(deleted: impl Iterator<Item = Id>, items: &BTreeMap<Id, (u64, Status)>) -> State {
        let mut state = State {
            deleted: deleted.collect(),
            ..State::default()
        };
        for (id, (seq, status)) in items {
            state.set(*id, *seq, *status);
        }
        state
    }

    pub fn deleted(&self) -> impl Iterator<Item = Id> {
        self.deleted.iter().copied()
    }

    pub fn items(&self) -> impl Iterator<Item = (Id, (u64, Status))> {
        self.items.iter().map(|(id, at)| (*id, *at))
    }

    pub fn is_deleted(&self, conversation: &[u8; 16]) -> bool {
        !self.deleted.is_empty() && self.deleted.contains(&Id::from_bytes(*conversation))
    }

    /// Whether the memory item in this record stands, with these words.
    pub fn is_active(&self, seq: u64) -> bool {
        self.active.contains(&seq)
    }

    fn set(&mut self, id: Id, seq: u64, status: Status) {
        if let Some((before, _)) = self.items.insert(id, (seq, status)) {
            self.active.remove(&before);
        }
        if status == Status::Active {
            self.active.insert(seq);
        }
    }

    fn set_status(&mut self, id: Id, status: Status) {
        if let Some(&(seq, _)) = self.items.get(&id) {
            self.set(id, seq, status);
        }
    }

    pub fn apply_conversation(&mut self, id: Id, op: &ConversationOp) {
        match op {
            ConversationOp::Deleted => {
                self.deleted.insert(id);
            }
            ConversationOp::Restored => {
                self.deleted.remove(&id);
            }
            _ => {}
        }
    }

    /// Applies an operation on memory; returns the words to index at `seq`, if it brings any.
    pub fn apply_memory<'a>(&mut self, seq: u64, op: &'a MemoryOp) -> Option<&'a str> {
        match op {
            MemoryOp::Add { item } => {
                self.set(item.id, seq, item.status);
                return Some(&item.text);
            }
            MemoryOp::Supersede { id, item } => {
                self.set_status(*id, Status::Superseded);
                self.set(item.id, seq, item.status);
                return Some(&item.text);
            }
            MemoryOp::Merge { ids, item } => {
                ids.iter()
                    .for_each(|id| self.set_status(*id, Status::Superseded));
                self.set(item.id, seq, item.status);
                return Some(&item.text);
            }
            MemoryOp::Edit { id, text } => {
                let status = self.items.get(id)?.1;
                self.set(*id, seq, status);
                return Some(text);
            }
            MemoryOp::Approve { id } | MemoryOp::Restore { id } => {
                self.set_status(*id, Status::Active);
            }
            MemoryOp::Reject { id } => self.set_status(*id, Status::Rejected),
            MemoryOp::Expire { id } => self.set_status(*id, Status::Expired),
            MemoryOp::Forget { id } => self.set_status(*id, Status::Forgotten),
            MemoryOp::Confirm { .. }
            | MemoryOp::Pin { .. }
            | MemoryOp::Unpin { .. }
            | MemoryOp::Consolidated
            | MemoryOp::Unknown => {}
        }
        None
    }
}
