//! What is asked of a provider, in no vendor's terms.

use std::fmt;

use serde_json::Value;

use crate::model::{Role, Text, Timestamp};

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Without the provider's name before it.
    pub model: String,
    pub system: Vec<SystemPart>,
    pub messages: Vec<Turn>,
    pub max_tokens: u32,
    /// Sent only if set: newer models refuse sampling parameters.
    pub temperature: Option<f64>,
    /// Asks for a reply of this shape; a server that cannot is asked without, so that the reply
    /// still has to be checked.
    pub schema: Option<JsonSchema>,
    /// What the model may ask for; it is never made to.
    pub tools: Vec<Tool>,
    /// Stands behind the standing instructions where the server takes no tools.
    pub instead_of_tools: Text,
    /// What memory and history brought back. Models get it inside `system` and `messages`; only
    /// `offline` reads it from here.
    pub notes: Vec<Note>,
}

impl Request {
    /// A request with nothing to say yet.
    pub fn new(model: impl Into<String>, max_tokens: u32) -> Self {
        Request {
            model: model.into(),
            system: Vec::new(),
            messages: Vec::new(),
            max_tokens,
            temperature: None,
            schema: None,
            tools: Vec::new(),
            instead_of_tools: Text::default(),
            notes: Vec::new(),
        }
    }

    /// Adds a turn of plain text.
    pub fn say(mut self, role: Role, text: impl Into<Text>) -> Self {
        self.messages.push(Turn {
            role,
            parts: vec![Part::Text(text.into())],
        });
        self
    }
}

/// A part of the standing instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemPart {
    pub text: Text,
    /// Everything up to the end of this part is the same in the next request: a provider that
    /// caches prompts does so up to here.
    pub cached: bool,
}

/// What one side says at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// `System` in the middle of a conversation is sent as the provider allows it, at worst as
    /// the person's words.
    pub role: Role,
    pub parts: Vec<Part>,
}

/// A part of a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(Text),
    Image {
        media: String,
        base64: Text,
    },
    /// A tool that the model asked for, in the model's own turn.
    ToolUse(ToolUse),
    /// What the tool gave, in the turn after it.
    ToolResult {
        id: String,
        content: Text,
        is_error: bool,
    },
    /// JSON that only its maker can read, such as the thinking that led to a call of a tool: it
    /// goes back as it came, in the turns of the same answer.
    Opaque(Text),
}

/// A model asks for a tool.
#[derive(Clone, PartialEq)]
pub struct ToolUse {
    pub id: String,
    pub name: String,
    pub input: Value,
}

impl fmt::Debug for ToolUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The input is conversation.
        f.debug_struct("ToolUse")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A tool that the model may ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: String,
    /// JSON Schema of an object.
    pub input_schema: Value,
}

/// The shape that a reply shall have.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonSchema {
    pub name: String,
    pub schema: Value,
}

/// Something remembered, with where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub kind: NoteKind,
    pub text: Text,
    pub at: Timestamp,
    /// Who said it: `you`, `the assistant`, a file.
    pub speaker: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    Memory,
    History,
}
