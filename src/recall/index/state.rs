//! What later records say about earlier ones: which conversations are deleted. Holds ids, no words.

use std::collections::HashSet;

use crate::model::{ConversationOp, Id};

/// Conversations that are not to be found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    deleted: HashSet<Id>,
}

impl State {
    pub fn of(deleted: impl Iterator<Item = Id>) -> State {
        State {
            deleted: deleted.collect(),
        }
    }

    pub fn deleted(&self) -> impl Iterator<Item = Id> {
        self.deleted.iter().copied()
    }

    pub fn is_deleted(&self, conversation: &[u8; 16]) -> bool {
        !self.deleted.is_empty() && self.deleted.contains(&Id::from_bytes(*conversation))
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
}
