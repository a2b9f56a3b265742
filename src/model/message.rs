//! Messages and what they are made of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::memory::SourceClass;
use super::text::{Id, Text};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
    System,
    #[serde(other)]
    Unknown,
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    Text {
        text: Text,
        /// Where the words come from, if not from who speaks: a file put before a prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<SourceClass>,
    },
    /// Names an attachment record of its own; the bytes are stored once.
    Attachment { id: Id, name: Text, media: String },
    /// A kind of block that a later version writes.
    #[serde(other)]
    Unknown,
}

impl Block {
    /// Words of who speaks.
    pub fn said(text: Text) -> Self {
        Block::Text { text, source: None }
    }

    /// Words of a file, or of what was piped in behind a prompt.
    pub fn attached(text: Text) -> Self {
        let source = Some(SourceClass::FileOrTool);
        Block::Text { text, source }
    }
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The model had said what it wanted to say.
    End,
    /// The token limit was reached.
    Length,
    /// The model declined.
    Refused,
    /// The person pressed Ctrl-C.
    Interrupted,
    /// The stream ended, or failed, before the model had finished.
    Cut,
    #[serde(other)]
    Unknown,
}

impl Stop {
    /// Whether the reply is complete; nothing is learnt from one that is not.
    pub fn is_complete(self) -> bool {
        matches!(self, Stop::End)
    }
}

/// Tokens, as the provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to a cache.
    #[serde(default)]
    pub input: u64,
    #[serde(default)]
    pub output: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_read: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One message of a conversation, as it lies in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: Id,
    pub conversation: Id,
    pub role: Role,
    pub at: Timestamp,
    /// Who of several persons speaks, where a history was imported that has more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    pub content: Vec<Block>,
    /// `provider/model` of a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Where the words come from; absent means what the role says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceClass>,
}

impl Message {
    /// A message of plain text.
    pub fn text(conversation: Id, role: Role, at: Timestamp, text: Text) -> Self {
        Message {
            id: Id::fresh(),
            conversation,
            role,
            at,
            name: None,
            content: vec![Block::said(text)],
            model: None,
            usage: None,
            stop: None,
            source: None,
        }
    }

    /// All text blocks, joined by line feeds.
    pub fn plain(&self) -> Text {
        self.texts(|_| true)
    }

    /// What the person typed: no file, nothing piped in or imported.
    pub fn typed(&self) -> Text {
        let own =
            |source: &Option<SourceClass>| matches!(source, None | Some(SourceClass::UserSaid));
        match self.role == Role::User && own(&self.source) {
            true => self.texts(own),
            false => Text::default(),
        }
    }

    fn texts(&self, wanted: impl Fn(&Option<SourceClass>) -> bool) -> Text {
        let mut out = Text::default();
        for block in &self.content {
            if let Block::Text { text, source } = block
                && wanted(source)
            {
                if !out.is_empty() {
                    out.push_str("\n");
                }
                out.push_str(text);
            }
        }
        out
    }

    /// Whether something is still to come, or never came: a reply that did not end by itself.
    pub fn is_incomplete(&self) -> bool {
        self.stop.is_some_and(|stop| !stop.is_complete())
    }
}

/// A file that messages name, stored once, at most 8 MiB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    pub id: Id,
    pub at: Timestamp,
    pub name: Text,
    pub media: String,
    /// Base64 for bytes, the text itself for text.
    pub data: Text,
}
