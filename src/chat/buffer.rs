//! The conversation buffer: the last messages of the last conversations, and what else a chat must
//! know at once. A fold of the log; its checkpoint is `conversation_buffer.sealed`.

use std::collections::{BTreeMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::model::{
    Applied, Block, ConversationEvent, ConversationOp, Fold, FoldName, Id, Message, Project,
    Record, Role, Summary, Text, Timestamp, Usage, comes_up,
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
    /// Images that go with it; they lie in the log right before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub images: u32,
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
        let images = message.content.iter().filter(|block| is_image(block));
        let images = u32::try_from(images.count()).unwrap_or(0);
        let typed = message.typed();
        let short = typed.len() <= TEXT_BYTES_MAX;
        let whole = message.role != Role::User || typed == text;
        Kept {
            images,
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

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Whether a block names a picture that models can be sent.
pub(super) fn is_image(block: &Block) -> bool {
    matches!(block, Block::Attachment { media, .. } if media.starts_with("image/"))
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
    /// Named system prompts.
    #[serde(default)]
    roles: BTreeMap<Text, Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    projects: Vec<Project>,
    /// Of every conversation that is of a project, which of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    placed: BTreeMap<Id, usize>,
}

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

    /// The conversation of a project, or of none, that was spoken in last, of those at hand.
    pub(super) fn last_of(&self, project: Option<&Project>) -> Option<Id> {
        let own = self.windows.iter();
        let own = own.filter(|(id, _)| self.project_of(**id) == project);
        own.max_by_key(|(_, window)| window.last_seq)
            .map(|(id, _)| *id)
    }

    /// Whether there may be conversations that are not at hand.
    pub(super) fn is_full(&self) -> bool {
        self.windows.len() >= CONVERSATIONS_MAX
    }

    /// The project that a conversation is of, at hand or not.
    pub fn project_of(&self, conversation: Id) -> Option<&Project> {
        self.placed
            .get(&conversation)
            .and_then(|at| self.projects.get(*at))
    }

    /// Every project that a conversation is of.
    pub fn projects(&self) -> &[Project] {
        &self.projects
    }

    /// The conversations that do not come up in a project, or where there is none.
    pub(super) fn hidden_in(&self, here: Option<&Project>) -> HashSet<Id> {
        let placed = self.placed.keys().copied();
        placed
            .filter(|id| !comes_up(self.project_of(*id), here))
            .collect()
    }

    /// The conversations of a project.
    pub fn conversations_of(&self, project: &Project) -> HashSet<Id> {
        let placed = self.placed.keys().copied();
        placed
            .filter(|id| self.project_of(*id) == Some(project))
            .collect()
    }

    /// A conversation stays in the project that it began in.
    fn place(&mut self, conversation: Id, project: Option<&Project>) {
        let Some(project) = project else { return };
        let at = self.projects.iter().position(|known| known == project);
        let at = at.unwrap_or_else(|| {
            self.projects.push(project.clone());
            self.projects.len() - 1
        });
        self.placed.entry(conversation).or_insert(at);
    }

    /// What the person said about words going to `host`, if they were asked.
    pub fn consent(&self, host: &str) -> Option<bool> {
        self.consents.get(host).copied()
    }

    /// Named system prompts, by name.
    pub fn roles(&self) -> impl Iterator<Item = (&Text, &Text)> {
        self.roles.iter()
    }

    /// The system prompt of this name.
    pub fn role(&self, name: &str) -> Option<&Text> {
        self.roles.get(&Text::from(name))
    }

    /// The conversations that are at hand, the one spoken in last first.
    pub fn newest_first(&self) -> Vec<(Id, &Window)> {
        let mut windows: Vec<(Id, &Window)> = self.windows.iter().map(|(id, w)| (*id, w)).collect();
        windows.sort_by_key(|(_, window)| std::cmp::Reverse(window.last_seq));
        windows
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
            ConversationOp::Started {
                private, project, ..
            } => {
                self.place(event.id, project.as_ref());
                let window = self.windows.entry(event.id).or_insert_with(Window::empty);
                window.last_seq = seq;
                window.local = private.is_some();
                self.keep_the_newest();
            }
            ConversationOp::Forked {
                from,
                message,
                project,
            } => {
                let project = project.as_ref().or(self.project_of(*from)).cloned();
                self.place(event.id, project.as_ref());
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
                    window.messages.truncate(end + 1);
                    window.last_seq = seq;
                    window.usage = Usage::default();
                    self.windows.insert(event.id, window);
                    self.keep_the_newest();
                }
            }
            ConversationOp::Deleted => {
                self.windows.remove(&event.id);
            }
            ConversationOp::Titled { .. }
            | ConversationOp::Archived
            | ConversationOp::Restored
            | ConversationOp::Unknown => {}
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

impl Window {
    fn empty() -> Self {
        Window {
            last_seq: 0,
            messages: VecDeque::new(),
            summary: None,
            summarised: None,
            unsummarised: 0,
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
        5
    }

    fn apply(&mut self, seq: u64, record: &Record) -> Applied {
        match record {
            Record::Message(message) => self.message(seq, message),
            Record::Conversation(event) => self.conversation(seq, event),
            Record::Summary(summary) => self.summary(summary),
            Record::Consent(consent) => {
                self.consents.insert(consent.host.clone(), consent.granted);
            }
            Record::Role(event) => {
                match &event.prompt {
                    Some(prompt) => self.roles.insert(event.name.clone(), prompt.clone()),
                    None => self.roles.remove(&event.name),
                };
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
