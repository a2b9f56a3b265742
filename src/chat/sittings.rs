//! Which chats spoke in which conversations and have not ended, and whether there is anything in
//! them that no pass has looked at. Part of the list of conversations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Id, Message, Role, SessionEvent, SessionOp, Surface};

/// Of sittings that broke off, those in which nothing is left to look at are kept up to here.
const IDLE_MAX: usize = 256;

/// One sitting in one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spoken {
    /// What was said behind this record counts.
    after: u64,
    /// Something the person said there was not looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unread: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    one_shot: bool,
}

/// By conversation and sitting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Sittings(BTreeMap<Id, Open>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    /// The last message of anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Id>,
    by: BTreeMap<Id, Spoken>,
}

/// What no pass has looked at in one conversation, of sittings that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub conversation: Id,
    pub after: u64,
}

impl Sittings {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn session(&mut self, seq: u64, event: &SessionEvent) {
        let spoken = Spoken {
            after: seq,
            unread: false,
            one_shot: event.surface == Surface::Ask,
        };
        match (&event.op, event.conversation) {
            (SessionOp::Started | SessionOp::Turned, Some(conversation))
                if matches!(event.surface, Surface::Chat | Surface::Ask) =>
            {
                let open = self.0.entry(conversation).or_default();
                open.by.entry(event.id).or_insert(spoken);
                self.drop_idle(event.id);
            }
            (SessionOp::Ended { .. }, _) => self.keep(|id, _| id != event.id),
            _ => {}
        }
    }

    pub(super) fn message(&mut self, message: &Message) {
        let Some(open) = self.0.get_mut(&message.conversation) else {
            return;
        };
        open.last = Some(message.id);
        if message.role == Role::User {
            open.by.values_mut().for_each(|spoken| spoken.unread = true);
        }
    }

    /// A pass has looked at everything up to a message. If more was said meanwhile, the next one
    /// looks at all of it again: what is known already is not learnt twice.
    pub(super) fn looked(&mut self, conversation: Id, through: Option<Id>, seq: u64) {
        let Some(open) = self.0.get_mut(&conversation) else {
            return;
        };
        if through.is_some() && open.last == through {
            for spoken in open.by.values_mut() {
                (spoken.after, spoken.unread) = (seq, false);
            }
        }
    }

    pub(super) fn deleted(&mut self, conversation: Id) {
        self.0.remove(&conversation);
    }

    /// The conversations with something unread, from the first of it on, of sittings for which
    /// `of` says so; to it goes whether one was a single question.
    pub(super) fn unread(&self, of: impl Fn(Id, bool) -> bool) -> Vec<Unread> {
        let mut found = Vec::new();
        for (conversation, open) in &self.0 {
            let unread = open.by.iter().filter(|(_, spoken)| spoken.unread);
            let counts = unread.clone().any(|(id, spoken)| of(*id, spoken.one_shot));
            let after = unread.map(|(_, spoken)| spoken.after).min();
            found.extend(after.filter(|_| counts).map(|after| Unread {
                conversation: *conversation,
                after,
            }));
        }
        found
    }

    /// Nothing that is unread is ever dropped, whatever there is of it.
    fn drop_idle(&mut self, begun: Id) {
        let open: usize = self.0.values().map(|open| open.by.len()).sum();
        if open > IDLE_MAX {
            self.keep(|id, spoken| spoken.unread || id == begun);
        }
    }

    fn keep(&mut self, stays: impl Fn(Id, &Spoken) -> bool) {
        self.0.retain(|_, open| {
            open.by.retain(|id, spoken| stays(*id, spoken));
            !open.by.is_empty()
        });
    }
}
