//! What records say about whole conversations: which are deleted, which stay on this machine. Holds
//! ids, no words.

use std::collections::HashSet;

use crate::model::{ConversationOp, Id};

/// Conversations that are not to be found, or not by everyone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    deleted: HashSet<Id>,
    local: HashSet<Id>,
}

impl State {
    pub fn of(deleted: impl Iterator<Item = Id>, local: impl Iterator<Item = Id>) -> State {
        State {
            deleted: deleted.collect(),
            local: local.collect(),
        }
    }

    pub fn deleted(&self) -> impl Iterator<Item = Id> {
        self.deleted.iter().copied()
    }

    pub fn is_deleted(&self, conversation: &[u8; 16]) -> bool {
        !self.deleted.is_empty() && self.deleted.contains(&Id::from_bytes(*conversation))
    }

    pub fn local(&self) -> impl Iterator<Item = Id> {
        self.local.iter().copied()
    }

    /// Whether nothing of a conversation may be told to another machine.
    pub fn is_local(&self, conversation: &[u8; 16]) -> bool {
        !self.local.is_empty() && self.local.contains(&Id::from_bytes(*conversation))
    }

    pub fn apply_conversation(&mut self, id: Id, op: &ConversationOp) {
        match op {
            ConversationOp::Deleted => {
                self.deleted.insert(id);
            }
            ConversationOp::Restored => {
                self.deleted.remove(&id);
            }
            ConversationOp::Started {
                private: Some(_), ..
            } => {
                self.local.insert(id);
            }
            ConversationOp::Started { private: None, .. } => {
                self.local.remove(&id);
            }
            ConversationOp::Forked { from, .. } if self.local.contains(from) => {
                self.local.insert(id);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Privacy;

    #[test]
    fn a_fork_of_what_stays_here_stays_here() {
        let [private, open, fork, other] = [1, 2, 3, 4].map(|n| Id::from_bytes([n; 16]));
        let started = |private| ConversationOp::Started {
            name: None,
            private,
            project: None,
        };
        let forked = |from| ConversationOp::Forked {
            from,
            message: Id::NIL,
            project: None,
        };
        let mut state = State::default();
        state.apply_conversation(private, &started(Some(Privacy::Local)));
        state.apply_conversation(open, &started(None));
        state.apply_conversation(fork, &forked(private));
        state.apply_conversation(other, &forked(open));
        assert!(state.is_local(&fork.bytes()) && !state.is_local(&other.bytes()));
    }
}
