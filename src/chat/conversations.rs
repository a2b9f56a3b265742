//! Every conversation there is: title, times, size, and where in the log it lies. A fold of the
//! log; its checkpoint is `conversations.sealed`.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::sittings::{Sittings, Unread};
use crate::model::{
    Applied, ConversationEvent, ConversationOp, Fold, FoldName, Id, Message, Project, Record, Role,
    Text, Timestamp, Work, WorkOp,
};

/// Characters of the first message that stand for a title until there is one.
const OPENING_CHARS: usize = 60;

/// One conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    pub started: Timestamp,
    pub last: Timestamp,
    pub messages: u64,
    pub first_seq: u64,
    pub last_seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<Text>,
    /// The start of what the person said first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opening: Option<Text>,
    /// What `-s` calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The conversation, and its last message, that this one begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked: Option<(Id, Id)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
    /// What is learnt here comes up there alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// The last message that an extraction has looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<Id>,
    /// An extraction that was begun, or failed, and has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed: Option<Owed>,
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

impl Conversation {
    /// The title, or what stands for one.
    pub fn title(&self) -> &str {
        let title = self
            .title
            .as_deref()
            .or(self.name.as_deref())
            .or(self.opening.as_deref());
        title.unwrap_or("(nothing said yet)")
    }

    /// It stays in the project that it began in.
    fn begin_in(&mut self, project: Option<Project>) {
        self.project = self.project.take().or(project);
    }
}

/// The fold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversations {
    #[serde(default)]
    all: BTreeMap<Id, Conversation>,
    #[serde(default, skip_serializing_if = "Sittings::is_empty")]
    sittings: Sittings,
}

/// What a shortened id stands for.
pub enum FoundConversation<'a> {
    One(Id, &'a Conversation),
    None,
    Several(Vec<Id>),
}

impl Conversations {
    pub fn find(&self, id: Id) -> Option<&Conversation> {
        self.all.get(&id)
    }

    /// Those that are not deleted, the one spoken in last first.
    pub fn newest_first(&self) -> Vec<(Id, &Conversation)> {
        let mut list: Vec<(Id, &Conversation)> = self.existing().collect();
        list.sort_by_key(|(_, conversation)| std::cmp::Reverse(conversation.last_seq));
        list
    }

    /// Those that are hidden and wait for a purge.
    pub fn deleted(&self) -> impl Iterator<Item = Id> + '_ {
        self.all
            .iter()
            .filter(|(_, conversation)| conversation.deleted)
            .map(|(id, _)| *id)
    }

    /// Extractions that are owed, the oldest conversation first.
    pub fn owed(&self) -> impl Iterator<Item = (Id, Owed)> {
        self.existing()
            .filter_map(|(id, conversation)| Some((id, conversation.owed?)))
    }

    /// Where something was said that no pass has looked at, in sittings for which `of` says so.
    pub(super) fn unread(&self, of: impl Fn(Id, bool) -> bool) -> Vec<Unread> {
        let mut unread = self.sittings.unread(of);
        unread.retain(|unread| self.find(unread.conversation).is_some_and(|c| !c.deleted));
        unread
    }

    fn existing(&self) -> impl Iterator<Item = (Id, &Conversation)> {
        let all = self
            .all
            .iter()
            .map(|(id, conversation)| (*id, conversation));
        all.filter(|(_, conversation)| !conversation.deleted)
    }

    /// The conversation whose id begins with `prefix`.
    pub fn by_prefix(&self, prefix: &str) -> FoundConversation<'_> {
        let found: Vec<_> = self
            .existing()
            .filter(|(id, _)| id.has_prefix(prefix))
            .collect();
        match found[..] {
            [] => FoundConversation::None,
            [(id, conversation)] => FoundConversation::One(id, conversation),
            _ => FoundConversation::Several(found.into_iter().map(|(id, _)| id).collect()),
        }
    }

    /// The conversation of a project, or of none, that was spoken in last.
    pub fn last_of(&self, project: Option<&Project>) -> Option<Id> {
        let own = self
            .existing()
            .filter(|(_, found)| found.project.as_ref() == project);
        own.max_by_key(|(_, found)| found.last_seq)
            .map(|(id, _)| id)
    }

    /// The newest conversation that was started under `name` in a project, or in none.
    pub fn by_name(&self, name: &str, project: Option<&Project>) -> Option<Id> {
        let named = |conversation: &Conversation| {
            conversation.name.as_deref() == Some(name) && conversation.project.as_ref() == project
        };
        let found = self
            .existing()
            .filter(|(_, conversation)| named(conversation));
        found
            .max_by_key(|(_, conversation)| conversation.last_seq)
            .map(|(id, _)| id)
    }

    /// The shortest beginning of an id, of at least eight digits, that no other id shares.
    pub fn short_id(&self, id: Id) -> String {
        let text = id.to_string();
        // Ids lie in the order of their digits, so one that shares a beginning lies beside it.
        let before = self.all.range(..id).next_back();
        let after = self.all.range((Bound::Excluded(id), Bound::Unbounded));
        let near: Vec<String> = before
            .into_iter()
            .chain(after.take(1))
            .map(|(other, _)| other.to_string())
            .collect();
        let unique = |len: &usize| !near.iter().any(|other| other[..*len] == text[..*len]);
        let len = (8..text.len()).find(unique).unwrap_or(text.len());
        text[..len].trim_end_matches('-').to_owned()
    }

    fn at(&mut self, id: Id, seq: u64, at: Timestamp) -> &mut Conversation {
        let conversation = self.all.entry(id).or_insert_with(|| Conversation {
            started: at,
            last: at,
            messages: 0,
            first_seq: seq,
            last_seq: seq,
            title: None,
            opening: None,
            name: None,
            forked: None,
            deleted: false,
            archived: false,
            local: false,
            project: None,
            looked: None,
            owed: None,
        });
        conversation.last_seq = seq;
        conversation
    }

    fn message(&mut self, seq: u64, message: &Message) {
        let conversation = self.at(message.conversation, seq, message.at);
        conversation.messages += 1;
        conversation.last = conversation.last.max(message.at);
        conversation.started = conversation.started.min(message.at);
        if conversation.opening.is_none() && message.role == Role::User {
            conversation.opening = Some(opening(&message.plain()));
        }
        self.sittings.message(message);
    }

    fn work(&mut self, seq: u64, work: &Work) {
        match &work.op {
            WorkOp::ExtractionOwed {
                conversation,
                after,
                answer,
            } => {
                let Some(conversation) = self.all.get_mut(conversation) else {
                    return;
                };
                let tries = match conversation.owed.filter(|owed| owed.after == *after) {
                    // The answer of a try that was counted when it began.
                    Some(owed) if answer.is_some() => owed.tries,
                    Some(owed) => owed.tries.saturating_add(1),
                    None => 1,
                };
                conversation.owed = Some(Owed {
                    work: work.id,
                    after: *after,
                    tries,
                });
            }
            WorkOp::Done {
                conversation: Some(id),
                through,
            } => {
                if let Some(conversation) = self.all.get_mut(id) {
                    conversation.owed = None;
                    conversation.looked = through.or(conversation.looked);
                }
                self.sittings.looked(*id, *through, seq);
            }
            WorkOp::Done { .. } | WorkOp::Unknown => {}
        }
    }

    fn event(&mut self, seq: u64, event: &ConversationEvent) {
        let parent = match &event.op {
            ConversationOp::Forked { from, .. } => self.find(*from),
            _ => None,
        };
        let local = parent.is_some_and(|parent| parent.local);
        let parent = parent.and_then(|parent| parent.project.clone());
        let conversation = self.at(event.id, seq, event.at);
        match &event.op {
            ConversationOp::Started {
                name,
                private,
                project,
            } => {
                conversation.name = name.clone();
                conversation.local = private.is_some();
                conversation.begin_in(project.clone());
            }
            ConversationOp::Titled { title } => conversation.title = Some(title.clone()),
            ConversationOp::Forked {
                from,
                message,
                project,
            } => {
                conversation.forked = Some((*from, *message));
                conversation.local |= local;
                conversation.begin_in(project.clone().or(parent));
            }
            ConversationOp::Archived => conversation.archived = true,
            ConversationOp::Deleted => {
                (conversation.deleted, conversation.owed) = (true, None);
                self.sittings.deleted(event.id);
            }
            ConversationOp::Restored => {
                conversation.deleted = false;
                conversation.archived = false;
            }
            ConversationOp::Unknown => {}
        }
    }
}

/// The first words of a text, on one line.
fn opening(text: &str) -> Text {
    let mut out = String::new();
    for word in text.split_whitespace() {
        let room = OPENING_CHARS.saturating_sub(out.chars().count());
        if room == 0 {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().filter(|c| !c.is_control()).take(room));
    }
    Text::new(out)
}

impl Fold for Conversations {
    fn name(&self) -> FoldName {
        FoldName::Conversations
    }

    fn version(&self) -> u32 {
        4
    }

    fn apply(&mut self, seq: u64, record: &Record) -> Applied {
        match record {
            Record::Message(message) => self.message(seq, message),
            Record::Conversation(event) => self.event(seq, event),
            Record::Session(event) => self.sittings.session(seq, event),
            Record::Work(work) => self.work(seq, work),
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
        *self = Conversations::default();
    }
}

/// A few conversations with what they were forked from, and the neighbours of their ids: for titles
/// and short ids, without taking in thousands of others. Never to be saved.
pub struct SomeConversations {
    wanted: Vec<Id>,
    pub found: Conversations,
}

impl SomeConversations {
    pub fn new(wanted: Vec<Id>) -> Self {
        SomeConversations {
            wanted,
            found: Conversations::default(),
        }
    }
}

/// The state of [`Conversations`], each still closed.
#[derive(Deserialize)]
struct Closed<'a> {
    #[serde(borrow, default)]
    all: BTreeMap<Id, &'a RawValue>,
}

impl Fold for SomeConversations {
    fn name(&self) -> FoldName {
        self.found.name()
    }

    fn version(&self) -> u32 {
        self.found.version()
    }

    fn apply(&mut self, seq: u64, record: &Record) -> Applied {
        self.found.apply(seq, record)
    }

    fn save(&self) -> serde_json::Result<Vec<u8>> {
        Err(serde::ser::Error::custom("only some of the conversations"))
    }

    fn load(&mut self, json: &[u8]) -> serde_json::Result<()> {
        let closed: Closed<'_> = serde_json::from_slice(json)?;
        let mut found = BTreeMap::new();
        let mut wanted = self.wanted.clone();
        while let Some(id) = wanted.pop() {
            let before = closed.all.range(..id).next_back();
            let from = closed.all.range(id..).take(2);
            for (id, json) in before.into_iter().chain(from) {
                let conversation: Conversation = serde_json::from_str(json.get())?;
                let parent = conversation.forked.map(|(parent, _)| parent);
                wanted.extend(parent.filter(|parent| !found.contains_key(parent)));
                found.insert(*id, conversation);
            }
        }
        self.found.all = found;
        Ok(())
    }

    fn reset(&mut self) {
        self.found.reset();
    }
}
