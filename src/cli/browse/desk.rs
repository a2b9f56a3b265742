//! The open vault behind a browser: rows and details out of the folds, and changes into the log.

use super::super::failure::Failure;
use super::super::history::local;
use super::super::memory::word;
use super::super::output::{harmless, one_line};
use super::super::project;
use super::super::shell::now;
use super::state::{Reader, Row, Said, State, What, Wish};
use crate::chat::{Conversations, transcript};
use crate::keeper::Opened;
use crate::memory::{Filter, Memory, Stored, approve_shown, edit_by_command};
use crate::model::{
    ConversationEvent, ConversationOp, Id, MemoryEvent, MemoryOp, Message, Record, Role, Status,
    Text,
};
use crate::vault::{Log, View};

/// Messages of a conversation that are read on each side of the one it is opened at.
const AROUND: usize = 500;
/// Characters of a row; more never fits.
const ROW_CHARS: usize = 300;

pub(super) struct Desk {
    vault: Opened,
    memory: View<Memory>,
    conversations: View<Conversations>,
}

impl Desk {
    pub(super) fn new(mut vault: Opened) -> Result<Self, Failure> {
        let memory = View::load(&mut vault, Memory::new())?;
        let conversations = View::load(&mut vault, Conversations::default())?;
        Ok(Desk {
            vault,
            memory,
            conversations,
        })
    }

    /// Takes in what others appended.
    pub(super) fn refresh(&mut self) -> Result<(), Failure> {
        self.vault.refresh()?;
        self.memory.catch_up(&mut self.vault)?;
        self.conversations.catch_up(&mut self.vault)?;
        Ok(())
    }

    /// Brings the list and the detail up to what is there.
    pub(super) fn show(&self, state: &mut State) {
        let rows = match state.what {
            What::Memory => self.items(state.every),
            What::History => self.titles(),
        };
        state.load(rows);
        let detail = state.selected().map(|id| match state.what {
            What::Memory => self.item(id),
            What::History => self.conversation(id),
        });
        state.detail = detail.unwrap_or_default();
    }

    fn items(&self, every: bool) -> Vec<Row> {
        let filter = Filter {
            every,
            ..Filter::default()
        };
        let items = self.memory.fold.items(filter).rev();
        items
            .map(|stored| {
                let item = &stored.item;
                let mut mark = word(&item.kind);
                if item.status != Status::Active {
                    mark.push_str(&format!(" [{}]", word(&item.status)));
                }
                if item.pinned {
                    mark.push_str(" *");
                }
                mark.push_str(&project::mark(item.project.as_ref()));
                Row {
                    id: item.id,
                    mark: format!("{mark:<11}"),
                    text: one_line(&item.text).chars().take(ROW_CHARS).collect(),
                }
            })
            .collect()
    }

    fn titles(&self) -> Vec<Row> {
        let newest = self.conversations.fold.newest_first().into_iter();
        newest
            .map(|(id, found)| Row {
                id,
                mark: format!("{} {:>4}", local(found.last), found.messages),
                text: format!(
                    "{}{}",
                    one_line(found.title())
                        .chars()
                        .take(ROW_CHARS)
                        .collect::<String>(),
                    project::mark(found.project.as_ref())
                ),
            })
            .collect()
    }

    fn item(&self, id: Id) -> Vec<String> {
        let Some(stored) = self.memory.fold.item(id) else {
            return Vec::new();
        };
        let item = &stored.item;
        let source = &item.source;
        let mut lines = vec![one_line(&item.text), String::new()];
        let mut row = |name: &str, value: String| lines.push(format!("{name:<11}{value}"));
        row("id", self.memory.fold.short_id(id));
        row("status", word(&item.status));
        if let Some(project) = &item.project {
            row("project", one_line(project.root()));
        }
        row("source", word(&source.class));
        if let Some(conversation) = source.conversation {
            let found = self.conversations.fold.find(conversation);
            row(
                "said in",
                found.map_or_else(String::new, |found| one_line(found.title())),
            );
        }
        if let Some(quote) = &source.quote {
            row("quote", format!("“{}”", one_line(quote)));
        }
        if let Some(flag) = &item.flag {
            row("flagged", one_line(flag));
        }
        if let Some(end) = item.expires {
            row("until", local(end));
        }
        lines.push(String::new());
        lines.extend(stored.events.iter().map(|event| {
            let before = event.text_before.as_ref();
            let before = before.map_or_else(String::new, |t| format!(" (before: {})", one_line(t)));
            format!("{}  {}{before}", local(event.at), word(&event.what))
        }));
        lines
    }

    fn conversation(&self, id: Id) -> Vec<String> {
        let Some(found) = self.conversations.fold.find(id) else {
            return Vec::new();
        };
        let learnt = self.memory.fold.items(Filter::default());
        let mut lines = vec![
            one_line(found.title()),
            String::new(),
            format!("{:<11}{}", "id", self.conversations.fold.short_id(id)),
            format!("{:<11}{}", "begun", local(found.started)),
            format!("{:<11}{}", "last", local(found.last)),
            format!("{:<11}{}", "messages", found.messages),
        ];
        if let Some((from, _)) = found.forked {
            let trunk = self.conversations.fold.find(from);
            let title = trunk.map_or_else(String::new, |found| one_line(found.title()));
            lines.push(format!("{:<11}{title}", "forked of"));
        }
        if found.local {
            lines.push(format!("{:<11}to this machine", "private"));
        }
        let learnt: Vec<&Stored> = learnt
            .filter(|stored| stored.item.source.conversation == Some(id))
            .collect();
        if !learnt.is_empty() {
            lines.push(String::new());
            lines.push("learnt here:".to_owned());
            lines.extend(
                learnt
                    .iter()
                    .map(|s| format!("• {}", one_line(&s.item.text))),
            );
        }
        lines
    }

    /// Does what a key wished for.
    pub(super) fn grant(&mut self, wish: Wish, state: &mut State) -> Result<(), Failure> {
        match (wish, state.what) {
            (Wish::Open(id), What::History) => self.open(id, None, state)?,
            (Wish::Open(id), What::Memory) => {
                let source = self
                    .memory
                    .fold
                    .item(id)
                    .map(|stored| stored.item.source.clone());
                let place = source.and_then(|source| Some((source.conversation?, source.message)));
                match place {
                    Some((conversation, message)) => self.open(conversation, message, state)?,
                    None => state.notice = "it was not said in a conversation".to_owned(),
                }
            }
            (Wish::Begin(id), what) => {
                let words = match what {
                    What::Memory => self.memory.fold.item(id).map(|s| one_line(&s.item.text)),
                    What::History => {
                        let found = self.conversations.fold.find(id);
                        found.map(|found| one_line(found.title()))
                    }
                };
                state.typing = words.map(|words| super::state::Typing::Words(id, words));
            }
            (Wish::Words(id, words), What::Memory) => {
                let op = edit_by_command(id, &words, &self.memory.fold)?;
                self.change(vec![op], "changed", state)?;
            }
            (Wish::Words(id, title), What::History) => {
                let title = Text::new(one_line(&title));
                self.turn(id, ConversationOp::Titled { title }, "titled", state)?;
            }
            (Wish::Forget(id), What::Memory) => {
                let done = "hidden everywhere; the bytes stay until purged";
                self.change(vec![MemoryOp::Forget { id }], done, state)?;
            }
            (Wish::Forget(id), What::History) => {
                let done = "hidden everywhere; the bytes stay until purged";
                self.turn(id, ConversationOp::Deleted, done, state)?;
            }
            (Wish::Approve(id), _) => self.approve(id, state)?,
            (Wish::Reject(id), _) if self.waits(id) => {
                self.change(vec![MemoryOp::Reject { id }], "turned down", state)?;
            }
            (Wish::Reject(_), _) => state.notice = "it does not wait for anybody".to_owned(),
            (Wish::Pin(id), _) => {
                let pinned = self.memory.fold.item(id).is_some_and(|s| s.item.pinned);
                let (op, done) = match pinned {
                    true => (MemoryOp::Unpin { id }, "not pinned any more"),
                    false => (MemoryOp::Pin { id }, "pinned: the model is always told"),
                };
                self.change(vec![op], done, state)?;
            }
            (Wish::Nothing | Wish::Quit | Wish::Every, _) => {}
        }
        self.show(state);
        Ok(())
    }

    fn waits(&self, id: Id) -> bool {
        let stored = self.memory.fold.item(id);
        stored.is_some_and(|stored| stored.item.status == Status::Pending)
    }

    fn approve(&mut self, id: Id, state: &mut State) -> Result<(), Failure> {
        let stored = self.memory.fold.item(id).filter(|_| self.waits(id));
        let Some(text) = stored.map(|stored| stored.item.text.clone()) else {
            state.notice = "it does not wait for anybody".to_owned();
            return Ok(());
        };
        let (ops, _) = approve_shown(&[(id, text)], &self.memory.fold);
        self.change(ops, "counts from now on", state)
    }

    fn change(&mut self, ops: Vec<MemoryOp>, done: &str, state: &mut State) -> Result<(), Failure> {
        let at = now();
        let events = ops.into_iter().map(|op| MemoryEvent { at, op });
        let records: Vec<Record> = events.map(Record::Memory).collect();
        self.append(&records, done, state)
    }

    fn turn(
        &mut self,
        id: Id,
        op: ConversationOp,
        done: &str,
        state: &mut State,
    ) -> Result<(), Failure> {
        let event = ConversationEvent { id, at: now(), op };
        self.append(&[Record::Conversation(event)], done, state)
    }

    fn append(&mut self, records: &[Record], done: &str, state: &mut State) -> Result<(), Failure> {
        if !records.is_empty() {
            self.vault.append(records)?;
            self.refresh()?;
        }
        state.notice = done.to_owned();
        Ok(())
    }

    fn open(&mut self, id: Id, message: Option<Id>, state: &mut State) -> Result<(), Failure> {
        let all = &self.conversations.fold;
        let Some(found) = all.find(id).filter(|found| !found.deleted) else {
            state.notice = "that conversation is not there any more".to_owned();
            return Ok(());
        };
        let title = one_line(found.title());
        let mut messages: Vec<Message> = Vec::new();
        let mut dropped = 0;
        let mut mark = None;
        transcript(&mut self.vault, all, id, &mut |_, found| {
            if mark.is_some_and(|mark| messages.len() > mark + AROUND) {
                return;
            }
            if Some(found.id) == message {
                mark = Some(messages.len());
            }
            messages.push(found);
            // Far before the place, nothing is kept.
            if mark.is_none() && messages.len() > 2 * AROUND {
                messages.drain(..AROUND);
                dropped += AROUND;
            }
        })?;
        let mut reader = Reader {
            title,
            mark: mark.unwrap_or(0),
            messages: messages.iter().map(said).collect(),
            ..Reader::default()
        };
        if dropped > 0 {
            reader
                .title
                .push_str(&format!("  (without its first {dropped} messages)"));
        }
        state.reader = Some(reader);
        Ok(())
    }
}

fn said(message: &Message) -> Said {
    let who = match message.role {
        Role::User => "you",
        Role::Assistant => "assistant",
        Role::System | Role::Unknown => "system",
    };
    let mark = if message.is_incomplete() {
        " (incomplete)"
    } else {
        ""
    };
    Said {
        head: format!("{who}, {}{mark}", local(message.at)),
        text: harmless(message.plain().trim_end()).replace('\t', "    "),
    }
}
