//! The conversation buffer: the last messages of the last conversations, and what else a chat must
//! know at once. A fold of the log; its checkpoint is `conversation_buffer.sealed`.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::model::{
    Applied, ConversationEvent, ConversationOp, Fold, FoldName, Id, Message, Record, Role,
    SessionEvent, SessionOp, Summary, Surface, Text, Timestamp, Usage, Work, WorkOp,
};

/// Conversations whose windows are kept.
const CONVERSATIONS_MAX: usize = 32;
/// Messages of each: the article's number. A larger window is read from the log.
pub(super) const MESSAGES_MAX: usize = 20;
/// A longer message is not kept here, but read from the log where it is needed.
const TEXT_BYTES_MAX: usize = 32 * 1024;

/// A message as the window holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub seq: u64,
    pub id: Id,
    pub role: Role,
    pub at: Timestamp,
    /// None where it is too long to be kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// What of it the person typed, where that is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<Text>,
    /// The reply did not end by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

impl Kept {
    pub(super) fn of(seq: u64, message: &Message) -> Self {
        let text = message.plain();
        let typed = message.typed();
        let short = typed.len() <= TEXT_BYTES_MAX;
        let whole = message.role != Role::User || typed == text;
        Kept {
            seq,
            id: message.id,
            role: message.role,
            at: message.at,
            text: (text.len() <= TEXT_BYTES_MAX).then_some(text),
            typed: (!whole).then(|| if short { typed } else { Text::default() }),
            incomplete: message.is_incomplete(),
        }
    }

    /// What the person typed, if this is theirs and not too long to be kept here.
    pub fn typed(&self) -> Option<&str> {
        let typed = self.typed.as_ref().or(self.text.as_ref());
        typed.filter(|_| self.role == Role::User).map(Text::as_str)
    }
}

/// The end of one conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub last_seq: u64,
    pub messages: VecDeque<Kept>,
    /// Stands for what came before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Text>,
    /// The last message that the summary covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summarised: Option<Id>,
    /// Messages that no summary stands for.
    #[serde(default)]
    pub unsummarised: u64,
    /// The last message that an extraction has looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extracted: Option<Id>,
    /// Messages there were in all.
    pub count: u64,
    #[serde(default)]
    pub usage: Usage,
    /// `private: local`: the words never leave this machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
}

/// The fold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Buffer {
    #[serde(default)]
    windows: BTreeMap<Id, Window>,
    /// Hosts that the person allowed, or refused, to get words.
    #[serde(default)]
    consents: BTreeMap<String, bool>,
    /// Chats that began and have not ended: running, or crashed.
    #[serde(default)]
    open_sessions: BTreeMap<Id, OpenSession>,
    /// By conversation: extractions that were begun, or failed, and have not ended.
    #[serde(default)]
    owed: BTreeMap<Id, Owed>,
}

/// A chat without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSession {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Id>,
    /// Of the record that says it started.
    pub seq: u64,
}

/// An extraction that is still to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    pub work: Id,
    /// The message before the first to look at; none: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Id>,
    /// How often it was begun.
    pub tries: u32,
}

/// Extractions that are remembered as owed; what was said stays searchable in any case.
const OWED_MAX: usize = 64;

/// Sessions without an end that are remembered; older ones crashed long ago.
const OPEN_SESSIONS_MAX: usize = 64;

impl Buffer {
    pub fn window(&self, conversation: Id) -> Option<&Window> {
        self.windows.get(&conversation)
    }

    /// The conversation that was spoken in last.
    pub fn last_conversation(&self) -> Option<Id> {
        let last = self
            .windows
            .iter()
            .max_by_key(|(_, window)| window.last_seq);
        last.map(|(id, _)| *id)
    }

    /// What the person said about words going to `host`, if they were asked.
    pub fn consent(&self, host: &str) -> Option<bool> {
        self.consents.get(host).copied()
    }

    /// Sessions that have not ended, with their conversations.
    pub fn open_sessions(&self) -> impl Iterator<Item = (Id, OpenSession)> + '_ {
        self.open_sessions.iter().map(|(id, open)| (*id, *open))
    }

    /// Extractions that are owed, with their conversations.
    pub fn owed(&self) -> impl Iterator<Item = (Id, Owed)> + '_ {
        self.owed.iter().map(|(id, owed)| (*id, *owed))
    }

    fn message(&mut self, seq: u64, message: &Message) {
        let window = self
            .windows
            .entry(message.conversation)
            .or_insert_with(Window::empty);
        window.messages.push_back(Kept::of(seq, message));
        if window.messages.len() > MESSAGES_MAX {
            window.messages.pop_front();
        }
        window.count += 1;
        window.unsummarised += 1;
        window.last_seq = seq;
        if let Some(usage) = message.usage {
            window.usage.input += usage.input;
            window.usage.output += usage.output;
            window.usage.cache_read += usage.cache_read;
            window.usage.cache_write += usage.cache_write;
        }
        self.keep_the_newest();
    }

    fn keep_the_newest(&mut self) {
        while self.windows.len() > CONVERSATIONS_MAX {
            let oldest = self
                .windows
                .iter()
                .min_by_key(|(_, window)| window.last_seq);
            let Some(oldest) = oldest.map(|(id, _)| *id) else {
                return;
            };
            self.windows.remove(&oldest);
        }
    }

    fn conversation(&mut self, seq: u64, event: &ConversationEvent) {
        match &event.op {
            ConversationOp::Started { private, .. } => {
                let window = self.windows.entry(event.id).or_insert_with(Window::empty);
                window.last_seq = seq;
                window.local = private.is_some();
                self.keep_the_newest();
            }
            ConversationOp::Forked { from, message } => {
                let mut window = self
                    .windows
                    .get(from)
                    .cloned()
                    .unwrap_or_else(Window::empty);
                if let Some(end) = window.messages.iter().position(|kept| kept.id == *message) {
                    let covered = |id| window.messages.iter().position(|kept| kept.id == id);
                    if window.summarised.and_then(covered) > Some(end) {
                        (window.summary, window.summarised) = (None, None);
                    }
                    let dropped = (window.messages.len() - end - 1) as u64;
                    window.unsummarised = match window.summarised {
                        Some(_) => window.unsummarised.saturating_sub(dropped),
                        None => end as u64 + 1,
                    };
                    if window.extracted.and_then(covered) > Some(end) {
                        window.extracted = Some(*message);
                    }
                    window.messages.truncate(end + 1);
                    window.last_seq = seq;
                    window.usage = Usage::default();
                    self.windows.insert(event.id, window);
                    self.keep_the_newest();
                }
            }
            ConversationOp::Deleted => {
                self.windows.remove(&event.id);
                self.owed.remove(&event.id);
            }
            ConversationOp::Titled { .. }
            | ConversationOp::Archived
            | ConversationOp::Restored
            | ConversationOp::Unknown => {}
        }
    }

    fn session(&mut self, seq: u64, event: &SessionEvent) {
        if event.surface != Surface::Chat {
            return;
        }
        match event.op {
            SessionOp::Started => {
                let conversation = event.conversation;
                let open = OpenSession { conversation, seq };
                self.open_sessions.insert(event.id, open);
                if self.open_sessions.len() > OPEN_SESSIONS_MAX {
                    self.open_sessions.pop_first();
                }
            }
            SessionOp::Ended { .. } => {
                self.open_sessions.remove(&event.id);
            }
            SessionOp::Unknown => {}
        }
    }

    fn summary(&mut self, summary: &Summary) {
        if let Some(window) = self.windows.get_mut(&summary.conversation) {
            let mut messages = window.messages.iter().rev();
            let behind = messages.position(|kept| kept.id == summary.through);
            window.unsummarised = behind.unwrap_or(window.messages.len()) as u64;
            window.summary = Some(summary.text.clone());
            window.summarised = Some(summary.through);
        }
    }
}

impl Buffer {
    fn work(&mut self, work: &Work) {
        match &work.op {
            WorkOp::ExtractionOwed {
                conversation,
                after,
                answer,
            } => {
                let before = self.owed.get(conversation);
                let tries = match before.filter(|owed| owed.after == *after) {
                    // The answer of a try that was counted when it began.
                    Some(owed) if answer.is_some() => owed.tries,
                    Some(owed) => owed.tries.saturating_add(1),
                    None => 1,
                };
                let owed = Owed {
                    work: work.id,
                    after: *after,
                    tries,
                };
                self.owed.insert(*conversation, owed);
                if self.owed.len() > OWED_MAX {
                    self.owed.pop_first();
                }
            }
            WorkOp::Done {
                conversation: Some(conversation),
                through,
            } => {
                self.owed.remove(conversation);
                if let Some(window) = self.windows.get_mut(conversation) {
                    window.extracted = through.or(window.extracted);
                }
            }
            WorkOp::Done { .. } | WorkOp::Unknown => {}
        }
    }
}

impl Window {
    fn empty() -> Self {
        Window {
            last_seq: 0,
            messages: VecDeque::new(),
            summary: None,
            summarised: None,
            unsummarised: 0,
            extracted: None,
            count: 0,
            usage: Usage::default(),
            local: false,
        }
    }
}

impl Fold for Buffer {
    fn name(&self) -> FoldName {
        FoldName::ConversationBuffer
    }

    fn version(&self) -> u32 {
        2
    }

    fn apply(&mut self, seq: u64, record: &Record) -> Applied {
        match record {
            Record::Message(message) => self.message(seq, message),
            Record::Conversation(event) => self.conversation(seq, event),
            Record::Session(event) => self.session(seq, event),
            Record::Work(work) => self.work(work),
            Record::Summary(summary) => self.summary(summary),
            Record::Consent(consent) => {
                self.consents.insert(consent.host.clone(), consent.granted);
            }
            Record::Unknown => return Applied::Unknown,
            _ => {}
        }
        Applied::Known
    }

    fn save(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    fn load(&mut self, json: &[u8]) -> serde_json::Result<()> {
        *self = serde_json::from_slice(json)?;
        Ok(())
    }

    fn reset(&mut self) {
        *self = Buffer::default();
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
