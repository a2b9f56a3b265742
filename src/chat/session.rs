//! One sitting: the open log, its folds, and the conversation that is being had.

use std::collections::{BTreeSet, HashSet, VecDeque};

use crate::memory::{Audience, Budgets, Context, Memory, Reader, Standing};
use crate::model::{
    ConversationEvent, ConversationOp, Id, Item, MemoryEvent, MemoryOp, Message, Privacy, Project,
    Record, Role, SessionEvent, SessionOp, Surface, Text, Timestamp,
};
use crate::recall::Merging;
use crate::vault::{Log, VaultError, View};

use super::buffer::{Buffer, Kept, Window};
use super::conversations::{Conversations, FoundConversation};
use super::error::ChatError;
use super::recall::Recall;
use super::role::Frame;
use super::transcript::transcript;

/// What a person set for a sitting.
#[derive(Clone, Debug)]
pub struct Settings {
    pub window_messages: usize,
    pub window_tokens: usize,
    pub max_tokens: u32,
    pub temperature: Option<f64>,
    pub budgets: Budgets,
    /// In place of the usual system prompt.
    pub system: Option<Text>,
    /// What the person says is put into it.
    pub frame: Option<Frame>,
    /// What is remembered goes into the prompt,
    pub use_memory: bool,
    /// and what is said may be remembered.
    pub learns: bool,
    pub surface: Surface,
    /// The project that new conversations are of.
    pub project: Option<Project>,
}

/// Which conversation to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    New,
    /// Of those of the project, or of none, the one spoken in last; an error if there is none.
    Last,
    /// The one spoken in last, or a new one.
    LastOrNew,
    /// By the beginning of its id.
    Prefix(String),
    This(Id),
    /// Started under this name in the project, or in none, now or before.
    Named(Text),
}

/// What another process did meanwhile.
#[derive(Debug, Default)]
pub struct News {
    /// Messages in the conversation that is open here.
    pub messages_here: usize,
    pub messages_elsewhere: usize,
    /// Items that were added or changed, as they are now.
    pub items: Vec<Item>,
    /// Items that are not to be used any more.
    pub withdrawn: usize,
}

impl News {
    pub fn is_empty(&self) -> bool {
        self.messages_here == 0
            && self.messages_elsewhere == 0
            && self.items.is_empty()
            && self.withdrawn == 0
    }
}

/// Makes records of the state of a moment, and what is to be told of them.
pub(super) type Make<'a, T> = dyn FnMut(&mut Session) -> Result<(Vec<Record>, T), ChatError> + 'a;

/// The open log, its folds, and one conversation.
pub struct Session {
    pub log: Box<dyn Log>,
    pub buffer: View<Buffer>,
    pub memory: View<Memory>,
    pub settings: Settings,
    id: Id,
    conversation: Id,
    /// The conversation has been written to, or was there before.
    begun: bool,
    name: Option<Text>,
    local: bool,
    started: bool,
    pub(super) standing: Option<Standing>,
    pub(super) messages: u64,
    pub(super) memories: u64,
    news: News,
    /// Conversations that were spoken in during this sitting.
    spoken: BTreeSet<Id>,
    /// What finds earlier moments; none in incognito.
    pub(super) recall: Option<Recall>,
}

impl Session {
    /// Loads the folds and finds the conversation; writes nothing.
    pub fn open(
        mut log: Box<dyn Log>,
        recall: Option<Recall>,
        settings: Settings,
        opening: Opening,
    ) -> Result<Self, ChatError> {
        let buffer = View::load(log.as_mut(), Buffer::default())?;
        let memory = View::load(log.as_mut(), Memory::new())?;
        let mut session = Session {
            log,
            buffer,
            memory,
            settings,
            id: Id::fresh(),
            conversation: Id::fresh(),
            begun: false,
            name: None,
            local: false,
            started: false,
            standing: None,
            messages: 0,
            memories: 0,
            news: News::default(),
            spoken: BTreeSet::new(),
            recall,
        };
        session.turn_to(opening)?;
        Ok(session)
    }

    /// Goes on in another conversation.
    pub fn turn_to(&mut self, opening: Opening) -> Result<(), ChatError> {
        let found = match opening {
            Opening::New => None,
            Opening::LastOrNew => self.last_of_project()?,
            Opening::Last => {
                let last = self.last_of_project()?;
                Some(last.ok_or(ChatError::NothingToContinue)?)
            }
            Opening::This(id) => Some(id),
            Opening::Prefix(prefix) => Some(self.by_prefix(prefix)?),
            Opening::Named(name) => {
                let list = self.conversations()?.fold;
                let found = list.by_name(&name, self.settings.project.as_ref());
                self.name = found.is_none().then_some(name);
                found
            }
        };
        if found.is_some() {
            // The list may have been ahead of the buffer, which says whose it is.
            self.absorb(0)?;
        }
        // One that was named before anything was said in it is new still.
        self.begun = match found {
            Some(id) if self.buffer.fold.window(id).is_none() => {
                self.conversations()?.fold.find(id).is_some()
            }
            found => found.is_some(),
        };
        self.conversation = found.unwrap_or_else(Id::fresh);
        let window = self.buffer.fold.window(self.conversation);
        self.local = window.is_some_and(|window| window.local);
        self.standing = None;
        Ok(())
    }

    fn last_of_project(&mut self) -> Result<Option<Id>, ChatError> {
        let project = self.settings.project.clone();
        let last = self.buffer.fold.last_of(project.as_ref());
        if last.is_some() || !self.buffer.fold.is_full() {
            return Ok(last);
        }
        Ok(self.conversations()?.fold.last_of(project.as_ref()))
    }

    fn by_prefix(&mut self, prefix: String) -> Result<Id, ChatError> {
        let conversations = self.conversations()?;
        match conversations.fold.by_prefix(&prefix) {
            FoundConversation::One(id, _) => Ok(id),
            FoundConversation::None => Err(ChatError::NoSuchConversation(prefix)),
            FoundConversation::Several(ids) => Err(ChatError::AmbiguousConversation {
                prefix,
                count: ids.len(),
            }),
        }
    }

    /// The list of all conversations, loaded when it is asked for.
    pub fn conversations(&mut self) -> Result<View<Conversations>, VaultError> {
        View::load(self.log.as_mut(), Conversations::default())
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub fn conversation(&self) -> Id {
        self.conversation
    }

    /// Whether there was anything in the conversation before.
    pub fn continues(&self) -> bool {
        self.begun
    }

    /// The project of the conversation: what comes up in it is of that, or of none.
    pub fn project(&self) -> Option<&Project> {
        match self.begun {
            true => self.buffer.fold.project_of(self.conversation),
            false => self.settings.project.as_ref(),
        }
    }

    /// The conversations that do not come up in this one.
    pub(super) fn hidden(&self) -> HashSet<Id> {
        self.buffer.fold.hidden_in(self.project())
    }

    /// For whom, and in which project, a prompt about a conversation is made.
    pub(super) fn reader(&self, audience: Audience, conversation: Id) -> Reader {
        let project = match conversation == self.conversation {
            true => self.project(),
            false => self.buffer.fold.project_of(conversation),
        };
        let project = project.cloned();
        Reader { audience, project }
    }

    #[cfg(test)]
    pub(super) fn set_local_for_tests(&mut self) {
        self.local = true;
    }

    pub fn is_local(&self) -> bool {
        self.local
    }

    /// What the person typed in this conversation lately, oldest first.
    pub fn typed(&self) -> Vec<Text> {
        let window = self.buffer.fold.window(self.conversation);
        let kept = window.into_iter().flat_map(|window| &window.messages);
        kept.filter(|kept| kept.role == Role::User)
            .filter_map(|kept| kept.text.clone())
            .collect()
    }

    /// Takes in what other processes appended.
    pub fn refresh(&mut self) -> Result<(), ChatError> {
        self.log.refresh()?;
        self.absorb(0)
    }

    /// What other processes did since this was asked last.
    pub fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Appends, and takes in what was appended along with anything that came before it.
    pub fn append(&mut self, records: &[Record]) -> Result<(), ChatError> {
        self.log.append(records)?;
        self.absorb(records.len())
    }

    /// Appends what `make` makes of the state of this moment; makes it anew where another process
    /// appended meanwhile, so that nothing is judged by a memory that is out of date.
    pub(super) fn append_judged<T>(&mut self, make: &mut Make<'_, T>) -> Result<T, ChatError> {
        loop {
            self.refresh()?;
            let (records, made) = make(self)?;
            if records.is_empty() {
                return Ok(made);
            }
            // Others can be faster only by getting something done: this comes to an end.
            let at = self.memory.at();
            if self.log.append_at(at, &records)?.is_some() {
                self.absorb(records.len())?;
                return Ok(made);
            }
        }
    }

    /// What items of a conversation are judged with.
    pub(super) fn context(&self, conversation: Id, now: Timestamp) -> Context {
        let window = self.buffer.fold.window(conversation);
        let local = match conversation == self.conversation {
            true => self.local,
            false => window.is_some_and(|window| window.local),
        };
        Context {
            conversation: Some(conversation),
            now,
            zone: jiff::tz::TimeZone::system(),
            private: local.then_some(Privacy::Local),
            project: self.reader(Audience::ThisMachine, conversation).project,
        }
    }

    /// Folds what is new in the log; the last `own` records of it are no news.
    fn absorb(&mut self, own: usize) -> Result<(), ChatError> {
        self.buffer.catch_up(self.log.as_mut())?;
        let mut records = self.memory.catch_up(self.log.as_mut())?;
        records.truncate(records.len().saturating_sub(own));
        for (_, record) in records {
            match record {
                Record::Message(message) if message.conversation == self.conversation => {
                    self.news.messages_here += 1;
                }
                Record::Message(_) => self.news.messages_elsewhere += 1,
                Record::Memory(MemoryEvent { op, .. }) => self.note(op),
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, op: MemoryOp) {
        match op {
            MemoryOp::Add { item }
            | MemoryOp::Supersede { item, .. }
            | MemoryOp::Merge { item, .. } => {
                let news = item.comes_up_in(self.project()).then_some(item);
                self.news.items.extend(news);
            }
            MemoryOp::Edit { id, .. } | MemoryOp::Approve { id } | MemoryOp::Restore { id } => {
                let item = self.item_here(id).cloned();
                self.news.items.extend(item);
            }
            MemoryOp::Forget { id } | MemoryOp::Reject { id } | MemoryOp::Expire { id }
                if self.item_here(id).is_some() =>
            {
                self.news.withdrawn += 1;
            }
            _ => {}
        }
    }

    /// An item, if it comes up in this conversation.
    fn item_here(&self, id: Id) -> Option<&Item> {
        let item = self.memory.fold.item(id).map(|stored| &stored.item);
        item.filter(|item| item.comes_up_in(self.project()))
    }

    /// The end of the conversation, as many messages as the settings ask for: from the buffer, or
    /// from the log where the buffer holds fewer.
    pub(super) fn window_messages(
        &mut self,
        window: Option<&Window>,
    ) -> Result<VecDeque<Kept>, ChatError> {
        let Some(window) = window else {
            return self.messages_of_log(self.settings.window_messages);
        };
        let held = window.messages.len() as u64;
        let wanted = (self.settings.window_messages as u64).min(window.count);
        if held >= wanted {
            Ok(window.messages.clone())
        } else {
            self.messages_of_log(self.settings.window_messages)
        }
    }

    /// The last messages of the conversation, read from the log.
    pub(super) fn messages_of_log(&mut self, most: usize) -> Result<VecDeque<Kept>, ChatError> {
        if !self.begun {
            return Ok(VecDeque::new());
        }
        let conversations = self.conversations()?;
        let most = most.max(1);
        let mut kept = VecDeque::new();
        let mut each = |seq, message: Message| {
            kept.push_back(Kept::of(seq, &message));
            if kept.len() > most {
                kept.pop_front();
            }
        };
        transcript(
            self.log.as_mut(),
            &conversations.fold,
            self.conversation,
            &mut each,
        )?;
        Ok(kept)
    }

    /// What has to stand before the first message: the session and, if new, the conversation.
    pub(super) fn beginnings(&mut self, now: Timestamp) -> Vec<Record> {
        let mut records = Vec::new();
        if !self.started {
            records.push(self.session_record(now, SessionOp::Started));
        } else if !self.spoken.contains(&self.conversation) {
            records.push(self.session_record(now, SessionOp::Turned));
        }
        if !self.begun {
            let private = self.local.then_some(Privacy::Local);
            let op = ConversationOp::Started {
                name: self.name.clone(),
                private,
                project: self.settings.project.clone(),
            };
            let event = ConversationEvent {
                id: self.conversation,
                at: now,
                op,
            };
            records.push(Record::Conversation(event));
        }
        records
    }

    pub(super) fn has_begun(&mut self) {
        self.spoken.insert(self.conversation);
        self.started = true;
        self.begun = true;
    }

    fn session_record(&self, now: Timestamp, op: SessionOp) -> Record {
        Record::Session(SessionEvent {
            id: self.id,
            at: now,
            surface: self.settings.surface,
            conversation: Some(self.conversation),
            op,
        })
    }

    /// The standing section, frozen for the session unless something in it was withdrawn, and what
    /// became known since.
    pub(super) fn standing(&mut self, audience: Audience, now: Timestamp) -> (Standing, Standing) {
        let reader = self.reader(audience, self.conversation);
        let memory = &self.memory.fold;
        let budgets = &self.settings.budgets;
        let stands = self.standing.take().filter(|standing| {
            standing.reader == reader && standing.withdrawn(memory, now).is_empty()
        });
        let standing = stands.unwrap_or_else(|| Standing::new(memory, budgets, reader, now));
        let additions = standing.additions(memory, budgets, now);
        self.standing = Some(standing.clone());
        (standing, additions)
    }

    /// Writes what is due after an answer: checkpoints that are far behind. A failure is returned
    /// for a warning only; the records are safe.
    pub fn settle(&mut self) -> Result<(), ChatError> {
        if self.buffer.is_behind() {
            self.buffer.save(self.log.as_mut())?;
        }
        if self.memory.is_behind() {
            self.memory.save(self.log.as_mut())?;
        }
        self.settle_index(Merging::Small)?;
        Ok(self.log.settle()?)
    }

    /// Ends the sitting: its end in the log, and every checkpoint.
    pub fn end(mut self, now: Timestamp) -> Result<(), ChatError> {
        if self.started {
            let (messages, memories) = (self.messages, self.memories);
            let end = self.session_record(now, SessionOp::Ended { messages, memories });
            self.append(&[end])?;
            if self.settings.surface != Surface::Chat {
                return self.settle();
            }
            self.buffer.save(self.log.as_mut())?;
            self.memory.save(self.log.as_mut())?;
            self.settle_index(Merging::All)?;
            let mut conversations = self.conversations()?;
            if conversations.is_behind() {
                conversations.save(self.log.as_mut())?;
            }
        }
        Ok(())
    }
}

/// Operations as the records of one moment.
pub(super) fn events(ops: &[MemoryOp], at: Timestamp) -> Vec<Record> {
    let events = ops.iter().map(|op| MemoryEvent { at, op: op.clone() });
    events.map(Record::Memory).collect()
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;
