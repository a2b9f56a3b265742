//! What an export leaves out, line by line: deleted conversations and forgotten items.

use std::collections::{HashMap, HashSet};

use zeroize::Zeroizing;

use crate::model::{ConversationOp, Id, MemoryOp, Record, Text};

use super::super::walk::Head;

/// What an export leaves out.
#[derive(Default)]
pub(super) struct Hidden {
    /// Deleted conversations.
    pub conversations: HashMap<Id, Kept>,
    pub attachments: HashSet<Id>,
    pub works: HashSet<Id>,
    pub items: HashSet<Id>,
}

/// What of a deleted conversation is seen through its forks.
#[derive(Default)]
pub(super) struct Kept {
    pub partly: bool,
    /// The messages up to which it is needed; each leaves when the log has passed it.
    pub until: HashSet<Id>,
}

/// What happens to one line of the log.
pub(super) enum Fate {
    AsItIs,
    LeftOut,
    /// The operation counts, its words do not.
    Instead(Zeroizing<Vec<u8>>),
}

impl Hidden {
    pub(super) fn is_empty(&self) -> bool {
        self.conversations.is_empty() && self.items.is_empty()
    }

    /// Judges a line; called once for each, in the order of the log.
    pub(super) fn judge(&mut self, line: &[u8]) -> Fate {
        if self.is_empty() {
            return Fate::AsItIs;
        }
        let Some(head) = Head::read(line) else {
            return Fate::AsItIs;
        };
        let by = |leave: bool| if leave { Fate::LeftOut } else { Fate::AsItIs };
        match &*head.kind {
            "message" => by(self.leaves_message(head.conversation, head.id)),
            "attachment" => by(head.id.is_some_and(|id| self.attachments.contains(&id))),
            "conversation" => by(head.id.is_some_and(|id| self.leaves_event(id, line))),
            "summary" | "session" => by(head
                .conversation
                .is_some_and(|id| self.conversations.contains_key(&id))),
            "work" => by(head.id.is_some_and(|id| self.works.contains(&id))),
            "memory" => self.judge_memory(line),
            _ => Fate::AsItIs,
        }
    }

    fn leaves_message(&mut self, conversation: Option<Id>, message: Option<Id>) -> bool {
        let kept = conversation.and_then(|id| self.conversations.get_mut(&id));
        let Some(kept) = kept else { return false };
        if kept.until.is_empty() {
            return true;
        }
        if let Some(message) = message {
            kept.until.remove(&message);
        }
        false
    }

    /// Of a deleted conversation that a fork needs, the title is left out and the rest stays.
    fn leaves_event(&self, id: Id, line: &[u8]) -> bool {
        let Some(kept) = self.conversations.get(&id) else {
            return false;
        };
        let titled = || match Record::from_line(line) {
            Ok(Record::Conversation(event)) => matches!(event.op, ConversationOp::Titled { .. }),
            _ => true,
        };
        !kept.partly || titled()
    }

    fn judge_memory(&self, line: &[u8]) -> Fate {
        let Ok(Record::Memory(mut event)) = Record::from_line(line) else {
            return Fate::AsItIs;
        };
        match &mut event.op {
            MemoryOp::Add { item }
            | MemoryOp::Supersede { item, .. }
            | MemoryOp::Merge { item, .. }
                if self.items.contains(&item.id) =>
            {
                item.text = Text::default();
                item.source.quote = None;
                item.flag = None;
                Fate::Instead(Record::Memory(event).to_line())
            }
            MemoryOp::Edit { id, .. } if self.items.contains(id) => Fate::LeftOut,
            _ => Fate::AsItIs,
        }
    }
}
