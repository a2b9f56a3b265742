//! Which passes are to be made: over this sitting, over others that broke off, and those that
//! failed. The list of conversations knows them all; nothing of the log is read to find them.

use std::collections::BTreeMap;

use crate::model::{Id, Message};

use super::conversations::{Conversations, Owed};
use super::error::ChatError;
use super::session::Session;
use super::transcript::transcript;

/// Turns of one conversation that are to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    pub conversation: Id,
    /// Looks at what stands behind this record.
    pub(super) after_seq: u64,
    /// The last record that says anything of the conversation.
    pub(super) last_seq: u64,
    /// The work that is owed already, if it is.
    pub(super) work: Option<Id>,
}

/// A pass that might be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub conversation: Id,
    /// How often it was tried.
    pub tries: u32,
    /// Its words stay on this machine.
    pub local: bool,
}

/// Where a pass begins, as far as that is known without reading.
struct Start {
    /// Of sittings in which something was not looked at.
    unread: Option<u64>,
    owed: Option<Owed>,
}

impl Session {
    /// The passes over what was said in this sitting; with what is owed of the same conversations
    /// from before, since that would count as done with it.
    pub fn own_passes(&mut self) -> Result<Vec<Pass>, ChatError> {
        let list = self.conversations()?.fold;
        let own = self.id();
        let unread = list.unread(|sitting, _| sitting == own);
        let passes = unread.into_iter().map(|unread| {
            let start = Start {
                unread: Some(unread.after),
                owed: list.find(unread.conversation).and_then(|c| c.owed),
            };
            self.pass(&list, unread.conversation, &start)
        });
        passes.collect()
    }

    /// The passes that are owed, at most so many, of the oldest conversations: those that failed,
    /// and those over sittings that broke off, single questions only if `asks`. `wanted` says of
    /// each whether it is to be made now.
    pub fn owed_passes(
        &mut self,
        asks: bool,
        most: usize,
        wanted: &mut dyn FnMut(&Candidate) -> bool,
    ) -> Result<Vec<Pass>, ChatError> {
        let list = self.conversations()?.fold;
        let own_id = self.id();
        let own: Vec<Id> = list
            .unread(|sitting, _| sitting == own_id)
            .iter()
            .map(|unread| unread.conversation)
            .collect();
        let mut starts: BTreeMap<Id, Start> = list
            .unread(|sitting, one_shot| sitting != own_id && (asks || !one_shot))
            .into_iter()
            .map(|unread| {
                let after = Some(unread.after);
                let owed = None;
                (
                    unread.conversation,
                    Start {
                        unread: after,
                        owed,
                    },
                )
            })
            .collect();
        for (id, owed) in list.owed() {
            let start = starts.entry(id).or_insert(Start {
                unread: None,
                owed: None,
            });
            start.owed = Some(owed);
        }
        let mut passes = Vec::new();
        for (id, start) in starts {
            let candidate = Candidate {
                conversation: id,
                tries: start.owed.map_or(0, |owed| owed.tries),
                local: list.find(id).is_some_and(|found| found.local),
            };
            if passes.len() < most && !own.contains(&id) && wanted(&candidate) {
                passes.push(self.pass(&list, id, &start)?);
            }
        }
        Ok(passes)
    }

    /// The pass over one conversation, from where the last one ended, or over all of it.
    pub fn pass_over(&mut self, conversation: Id, all: bool) -> Result<Pass, ChatError> {
        let list = self.conversations()?.fold;
        let looked = list.find(conversation).and_then(|found| found.looked);
        let after = looked.filter(|_| !all);
        Ok(Pass {
            conversation,
            after_seq: self.place_of(&list, conversation, after)?,
            last_seq: list.find(conversation).map_or(0, |found| found.last_seq),
            work: None,
        })
    }

    fn pass(
        &mut self,
        list: &Conversations,
        conversation: Id,
        start: &Start,
    ) -> Result<Pass, ChatError> {
        let owed_from = match &start.owed {
            Some(owed) => Some(self.place_of(list, conversation, owed.after)?),
            None => None,
        };
        let starts = start.unread.into_iter().chain(owed_from);
        Ok(Pass {
            conversation,
            after_seq: starts.min().unwrap_or(0),
            last_seq: list.find(conversation).map_or(0, |found| found.last_seq),
            work: start.owed.map(|owed| owed.work),
        })
    }

    /// The number of a message; of the start of the conversation where it is not there (any more).
    fn place_of(
        &mut self,
        list: &Conversations,
        conversation: Id,
        message: Option<Id>,
    ) -> Result<u64, ChatError> {
        let Some(found) = list.find(conversation) else {
            return Ok(0);
        };
        let mut place = found.first_seq.saturating_sub(1);
        if let Some(wanted) = message {
            let mut each = |seq, message: Message| {
                if message.id == wanted {
                    place = seq;
                }
            };
            transcript(self.log.as_mut(), list, conversation, &mut each)?;
        }
        Ok(place)
    }
}
