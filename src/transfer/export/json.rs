//! `json`: one document with conversations, their messages and the memory, under the article's
//! names where it has one.

use std::io::Write;

use serde::Serialize;

use crate::model::{Block, Id, Item, Message, Project, Role, Stop, Timestamp, Usage};

use super::super::error::TransferError;
use super::hidden::Hidden;
use super::items;
use super::pages::Pages;
use super::survey::{Conversation, Survey};
use super::{ExportOptions, Exported};

/// Messages in the article's rolling buffer.
pub(super) const BUFFER_MESSAGES: usize = 20;

#[derive(Serialize)]
struct Head<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    format: u32,
    at: Timestamp,
    program: &'static str,
    all: bool,
    counts: Counts,
    missing: &'a [(u64, u64)],
}

#[derive(Serialize)]
struct Counts {
    conversations: u64,
    messages: u64,
    memories: u64,
}

#[derive(Serialize)]
struct ConversationHead<'a> {
    id: Id,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forked_from: Option<Fork>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    archived: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    private: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a Project>,
}

#[derive(Serialize)]
struct Fork {
    conversation: Id,
    message: Id,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    id: Id,
    role: Role,
    at: Timestamp,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Stop>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentOut<'a>>,
}

#[derive(Serialize)]
struct AttachmentOut<'a> {
    id: Id,
    name: &'a str,
    media: &'a str,
}

/// The article's two fields of a message.
#[derive(Serialize)]
pub(super) struct Spoken {
    pub role: Role,
    pub content: crate::model::Text,
}

pub(super) struct Json<'a> {
    out: &'a mut dyn Write,
    conversations: u64,
    messages: u64,
    latest: Option<Id>,
    buffer: std::collections::VecDeque<Spoken>,
}

impl<'a> Json<'a> {
    /// Writes everything that comes before the conversations.
    pub(super) fn begin(
        out: &'a mut dyn Write,
        survey: &Survey,
        hidden: &Hidden,
        exported: &Exported,
        options: &ExportOptions,
    ) -> Result<Self, TransferError> {
        let mut json = Json {
            out,
            conversations: 0,
            messages: 0,
            latest: survey.latest(hidden),
            buffer: std::collections::VecDeque::new(),
        };
        let head = Head {
            v: 1,
            kind: "export_document",
            format: crate::transfer::FORMAT,
            at: options.now,
            program: concat!("agent ", env!("CARGO_PKG_VERSION")),
            all: options.all,
            counts: Counts {
                conversations: exported.conversations,
                messages: exported.messages,
                memories: exported.memories,
            },
            missing: &exported.missing,
        };
        json.open_object(&head)?;
        json.text(",\n\"long_term_memory\":{")?;
        for (n, (kind, name, _)) in items::LISTS.into_iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            json.text(&format!("{comma}\n\"{name}\":["))?;
            let listed = items::of_kind(&survey.memory, kind, hidden, options.all);
            for (n, stored) in listed.into_iter().enumerate() {
                let item: &Item = &stored.item;
                json.text(if n > 0 { ",\n" } else { "\n" })?;
                json.value(item)?;
            }
            json.text("]")?;
        }
        json.text("},\n\"conversations\":[")?;
        Ok(json)
    }

    pub(super) fn finish(mut self) -> Result<(), TransferError> {
        self.text("],\n\"conversation_buffer\":")?;
        let buffer = std::mem::take(&mut self.buffer);
        self.value(&buffer)?;
        self.text("}\n")
    }

    /// An object whose closing brace is still to come.
    fn open_object(&mut self, value: &impl Serialize) -> Result<(), TransferError> {
        let mut bytes = serde_json::to_vec(value).expect("holds only strings and numbers");
        bytes.pop();
        self.out.write_all(&bytes).map_err(TransferError::Write)
    }

    fn value(&mut self, value: &impl Serialize) -> Result<(), TransferError> {
        serde_json::to_writer(&mut *self.out, value)
            .map_err(|error| TransferError::Write(error.into()))
    }

    fn text(&mut self, text: &str) -> Result<(), TransferError> {
        self.out
            .write_all(text.as_bytes())
            .map_err(TransferError::Write)
    }
}

impl Pages for Json<'_> {
    fn begin(&mut self, conversation: &Conversation) -> Result<(), TransferError> {
        let comma = if self.conversations > 0 { ",\n" } else { "\n" };
        self.text(comma)?;
        self.conversations += 1;
        self.messages = 0;
        self.open_object(&ConversationHead {
            id: conversation.id,
            title: conversation.heading(),
            started: conversation.started,
            last: conversation.last,
            name: conversation.name.as_deref(),
            forked_from: conversation.fork.map(|(conversation, message)| Fork {
                conversation,
                message,
            }),
            archived: conversation.archived,
            deleted: conversation.deleted,
            private: conversation.private,
            project: conversation.project.as_ref(),
        })?;
        self.text(",\"messages\":[")
    }

    fn message(&mut self, message: &Message) -> Result<(), TransferError> {
        self.text(if self.messages > 0 { ",\n" } else { "\n" })?;
        self.messages += 1;
        let content = message.plain();
        let attachments = message.content.iter().filter_map(|block| match block {
            Block::Attachment { id, name, media } => Some(AttachmentOut {
                id: *id,
                name,
                media,
            }),
            _ => None,
        });
        self.value(&MessageOut {
            id: message.id,
            role: message.role,
            at: message.at,
            content: &content,
            model: message.model.as_deref(),
            usage: message.usage,
            stop: message.stop,
            attachments: attachments.collect(),
        })?;
        if Some(message.conversation) == self.latest {
            keep_last(&mut self.buffer, message.role, content);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), TransferError> {
        self.text("]}")
    }
}

/// Rolls the buffer on by a message of one of the two who speak.
pub(super) fn keep_last(
    buffer: &mut std::collections::VecDeque<Spoken>,
    role: Role,
    content: crate::model::Text,
) {
    if !matches!(role, Role::User | Role::Assistant) {
        return;
    }
    if buffer.len() == BUFFER_MESSAGES {
        buffer.pop_front();
    }
    buffer.push_back(Spoken { role, content });
}
