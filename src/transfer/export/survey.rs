//! The first of an export's two passes: what there is, and what of it is hidden.

use std::collections::{HashMap, HashSet};

use crate::memory::Memory;
use crate::model::{
    ConversationEvent, ConversationOp, Fold, Id, Privacy, Project, Record, Role, Status, Text,
    Timestamp, WorkOp,
};
use crate::vault::Log;

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::super::walk::{self, Extent, Head};
use super::hidden::{Hidden, Kept};

/// A conversation as the whole log has it.
pub(super) struct Conversation {
    pub id: Id,
    pub title: Option<Text>,
    pub name: Option<Text>,
    /// The first thing said in it, or done to it.
    pub started: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// What the person said first, for where there is no title.
    opening: Option<Text>,
    pub messages: u32,
    /// The record of its last message.
    pub last_seq: u64,
    /// Of its messages' lines.
    pub bytes: u64,
    pub deleted: bool,
    pub archived: bool,
    pub private: bool,
    pub project: Option<Project>,
    pub fork: Option<(Id, Id)>,
}

/// Where a message lies: 16 bytes for each.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub seq: u64,
    pub conversation: u32,
    pub bytes: u32,
}

pub(super) struct Survey {
    pub extent: Extent,
    pub missing: Vec<(u64, u64)>,
    pub conversations: Vec<Conversation>,
    by_id: HashMap<Id, u32>,
    /// Only filled for forms that go by conversation.
    pub places: Vec<Place>,
    pub memory: Memory,
    /// Which conversation names which attachment.
    attachments: Vec<(Id, u32)>,
    works: Vec<(Id, u32)>,
}

/// Whether a form needs to know where every message lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    Wanted,
    Unwanted,
}

impl Survey {
    pub(super) fn take(
        log: &mut dyn Log,
        places: Places,
        report: &mut OnProgress<'_>,
    ) -> Result<Self, TransferError> {
        let extent = Extent::take(log)?;
        let mut survey = Survey {
            extent,
            missing: Vec::new(),
            conversations: Vec::new(),
            by_id: HashMap::new(),
            places: Vec::new(),
            memory: Memory::new(),
            attachments: Vec::new(),
            works: Vec::new(),
        };
        let mut meter = Meter::new(Step::Survey, extent.through, report);
        survey.missing = walk::each(log, extent, |entry| {
            survey.note(entry.seq, entry.line(), places);
            meter.at(entry.seq)
        })?;
        Ok(survey)
    }

    fn note(&mut self, seq: u64, line: &[u8], places: Places) {
        let Some(head) = Head::read(line) else {
            return;
        };
        match (&*head.kind, head.conversation) {
            ("message", Some(id)) => {
                let index = self.index_of(id);
                for block in head.content.iter().filter(|b| b.kind == "attachment") {
                    self.attachments.extend(block.id.map(|id| (id, index)));
                }
                let conversation = &mut self.conversations[index as usize];
                conversation.messages = conversation.messages.saturating_add(1);
                conversation.bytes += line.len() as u64;
                conversation.last_seq = seq;
                conversation.note_time(head.at);
                if places == Places::Wanted && conversation.opening.is_none() {
                    conversation.opening = opening(line);
                }
                if places == Places::Wanted {
                    self.places.push(Place {
                        seq,
                        conversation: index,
                        bytes: u32::try_from(line.len()).unwrap_or(u32::MAX),
                    });
                }
            }
            ("conversation" | "memory" | "work", _) => match Record::from_line(line) {
                Ok(Record::Conversation(event)) => self.note_event(&event),
                Ok(Record::Work(work)) => {
                    if let WorkOp::ExtractionOwed { conversation, .. } = work.op {
                        let index = self.index_of(conversation);
                        self.works.push((work.id, index));
                    }
                }
                Ok(record @ Record::Memory(_)) => {
                    let _ = self.memory.apply(seq, &record);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn note_event(&mut self, event: &ConversationEvent) {
        let parent = match &event.op {
            ConversationOp::Forked { from, .. } => {
                let parent = self.by_id.get(from);
                parent.and_then(|at| self.conversations[*at as usize].project.clone())
            }
            _ => None,
        };
        let index = self.index_of(event.id);
        let conversation = &mut self.conversations[index as usize];
        match &event.op {
            ConversationOp::Started {
                name,
                private,
                project,
            } => {
                conversation.begin_in(project.as_ref());
                conversation.note_time(Some(event.at));
                conversation.name = name.clone();
                conversation.private |= *private == Some(Privacy::Local);
            }
            ConversationOp::Titled { title } => conversation.title = Some(title.clone()),
            ConversationOp::Forked {
                from,
                message,
                project,
            } => {
                conversation.fork = Some((*from, *message));
                conversation.begin_in(project.as_ref().or(parent.as_ref()));
            }
            ConversationOp::Archived => conversation.archived = true,
            ConversationOp::Deleted => conversation.deleted = true,
            ConversationOp::Restored => {
                conversation.deleted = false;
                conversation.archived = false;
            }
            ConversationOp::Unknown => {}
        }
    }

    fn index_of(&mut self, id: Id) -> u32 {
        if let Some(index) = self.by_id.get(&id) {
            return *index;
        }
        let index = u32::try_from(self.conversations.len()).expect("fewer than 2^32 conversations");
        self.conversations.push(Conversation {
            id,
            title: None,
            name: None,
            started: None,
            last: None,
            opening: None,
            messages: 0,
            last_seq: 0,
            bytes: 0,
            deleted: false,
            archived: false,
            private: false,
            project: None,
            fork: None,
        });
        self.by_id.insert(id, index);
        index
    }

    pub(super) fn conversation(&self, id: Id) -> Option<&Conversation> {
        self.by_id
            .get(&id)
            .map(|index| &self.conversations[*index as usize])
    }

    fn is_deleted(&self, index: u32) -> bool {
        self.conversations[index as usize].deleted
    }

    pub(super) fn hidden_unless(&self, all: bool) -> Hidden {
        if all {
            Hidden::default()
        } else {
            self.hidden()
        }
    }

    /// What must not be seen in an export that leaves hidden things out.
    fn hidden(&self) -> Hidden {
        let shown: HashSet<Id> = self
            .attachments
            .iter()
            .filter(|(_, index)| !self.is_deleted(*index))
            .map(|(id, _)| *id)
            .collect();
        let only_deleted = |pairs: &[(Id, u32)]| -> HashSet<Id> {
            pairs
                .iter()
                .filter(|(id, index)| self.is_deleted(*index) && !shown.contains(id))
                .map(|(id, _)| *id)
                .collect()
        };
        let mut hidden = Hidden {
            conversations: self.of_deleted(),
            attachments: only_deleted(&self.attachments),
            works: only_deleted(&self.works),
            items: self.forgotten(),
        };
        self.keep_what_forks_need(&mut hidden);
        hidden
    }

    fn of_deleted(&self) -> HashMap<Id, Kept> {
        self.conversations
            .iter()
            .filter(|conversation| conversation.deleted)
            .map(|conversation| (conversation.id, Kept::default()))
            .collect()
    }

    fn forgotten(&self) -> HashSet<Id> {
        self.memory
            .all()
            .filter(|stored| stored.item.status == Status::Forgotten)
            .map(|stored| stored.item.id)
            .collect()
    }

    /// A fork that is seen begins with messages of another conversation: they are seen through it,
    /// though the other one was deleted.
    fn keep_what_forks_need(&self, hidden: &mut Hidden) {
        let mut open: Vec<&Conversation> = self
            .conversations
            .iter()
            .filter(|conversation| !conversation.deleted)
            .collect();
        while let Some(conversation) = open.pop() {
            let Some((from, message)) = conversation.fork else {
                continue;
            };
            if let Some(kept) = hidden.conversations.get_mut(&from)
                && kept.until.insert(message)
            {
                kept.partly = true;
                open.extend(self.conversation(from));
            }
        }
    }

    /// The conversation in which something was said last, of those that are seen.
    pub(super) fn latest(&self, hidden: &Hidden) -> Option<Id> {
        self.conversations
            .iter()
            .filter(|c| c.messages > 0 && !hidden.conversations.contains_key(&c.id))
            .max_by_key(|conversation| conversation.last_seq)
            .map(|conversation| conversation.id)
    }

    pub(super) fn counts(&self, hidden: &Hidden) -> (u64, u64, u64) {
        let seen = self
            .conversations
            .iter()
            .filter(|conversation| !hidden.conversations.contains_key(&conversation.id));
        let (conversations, messages) = seen.fold((0, 0), |(n, m), conversation| {
            (n + 1, m + u64::from(conversation.messages))
        });
        let items = self.memory.all();
        let memories = items.filter(|stored| !hidden.items.contains(&stored.item.id));
        (conversations, messages, memories.count() as u64)
    }
}

/// The first words of a message of the person.
fn opening(line: &[u8]) -> Option<Text> {
    const CHARS_MAX: usize = 60;
    let Ok(Record::Message(message)) = Record::from_line(line) else {
        return None;
    };
    if message.role != Role::User {
        return None;
    }
    let text = message.plain();
    let words: Vec<&str> = text.split_whitespace().take(CHARS_MAX).collect();
    let line = words.join(" ");
    let cut: String = line.chars().take(CHARS_MAX).collect();
    let more = if cut.len() < line.len() { "…" } else { "" };
    Some(Text::new(format!("{cut}{more}")))
}

impl Conversation {
    fn begin_in(&mut self, project: Option<&Project>) {
        self.project = self.project.take().or_else(|| project.cloned());
    }

    /// The title, or what stands for it.
    pub(super) fn heading(&self) -> &str {
        let named = self.title.as_ref().or(self.name.as_ref());
        let text = named.or(self.opening.as_ref()).map(|text| text.trim());
        text.filter(|text| !text.is_empty()).unwrap_or("Untitled")
    }

    fn note_time(&mut self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        self.started = Some(self.started.map_or(at, |was| was.min(at)));
        self.last = Some(self.last.map_or(at, |was| was.max(at)));
    }
}
