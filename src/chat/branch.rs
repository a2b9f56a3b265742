//! What a person does to a conversation besides talking: titles, forks; and what was typed
//! and said before, to offer it again.

use super::error::ChatError;
use super::session::{Opening, Session};
use crate::model::{ConversationEvent, ConversationOp, Id, Record, Text, Timestamp};

/// Lines that are offered again.
const TYPED_MAX: usize = 1000;

impl Session {
    /// Gives this conversation a title.
    pub fn title(&mut self, title: &str, now: Timestamp) -> Result<(), ChatError> {
        let title = Text::new(crate::memory::one_line(title));
        self.conversation_event(ConversationOp::Titled { title }, now)
    }

    /// Goes on in a new conversation that begins with this one's messages.
    pub fn fork(&mut self, now: Timestamp) -> Result<(), ChatError> {
        let from = self.conversation();
        let window = self.buffer.fold.window(from);
        let last = window.and_then(|window| window.messages.back());
        let message = last.ok_or(ChatError::NothingSaid)?.id;
        let id = Id::fresh();
        let event = ConversationEvent {
            id,
            at: now,
            op: ConversationOp::Forked {
                from,
                message,
                project: self.project().cloned(),
            },
        };
        self.append(&[Record::Conversation(event)])?;
        self.turn_to(Opening::This(id))
    }

    fn conversation_event(&mut self, op: ConversationOp, at: Timestamp) -> Result<(), ChatError> {
        if !self.continues() {
            return Err(ChatError::NothingSaid);
        }
        let event = ConversationEvent {
            id: self.conversation(),
            at,
            op,
        };
        self.append(&[Record::Conversation(event)])
    }

    /// What the person typed lately, in any conversation that comes up here, oldest first.
    pub fn typed_lately(&self) -> Vec<Text> {
        let windows = self.buffer.fold.newest_first();
        let hidden = self.hidden();
        let seen = windows.iter().filter(|(id, _)| !hidden.contains(id));
        let kept = seen.flat_map(|(_, window)| &window.messages);
        let mut typed: Vec<(u64, Text)> = kept
            .filter_map(|kept| Some((kept.seq, Text::from(kept.typed()?))))
            .collect();
        typed.sort_by_key(|(seq, _)| *seq);
        let surplus = typed.len().saturating_sub(TYPED_MAX);
        typed.drain(..surplus);
        typed.into_iter().map(|(_, text)| text).collect()
    }
}
