//! Models outside: one seam, and the wire formats of those who serve them.
//!
//! Alone in touching the network. A vendor's header, path or JSON shape stays in that vendor's
//! file; retries, timeouts, limits and the cleaning of what servers say are in one place for all.
//! Never touches the vault, and never decides whether words may leave: it says where they would go.

mod anthropic;
mod embeddings;
mod endpoint;
mod error;
mod exchange;
mod frames;
mod http;
mod offline;
mod ollama;
mod openai;
#[cfg(test)]
mod replay;
mod request;
mod select;
mod turns;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use zeroize::Zeroizing;

use crate::model::{Stop, Text, Usage};

pub use embeddings::Embeddings;
pub use endpoint::is_local_host;
pub use error::{Malformation, Phase, ProviderError, ServerMessage};
pub use offline::Offline;
pub use request::{JsonSchema, Note, NoteKind, Part, Request, SystemPart, Tool, ToolUse, Turn};
pub use select::{ANTHROPIC_MODEL, Chosen, DEFAULT_MODEL, OPENAI_MODEL, Why, embeddings, select};

/// Someone who answers: a server that runs models, or `offline`.
pub trait Provider: Send + Sync {
    /// What stands before the `/` of a model: `anthropic`, `openai`, `ollama`, `offline`, or a
    /// configured name.
    fn name(&self) -> &str;

    /// Where words would be sent, with the port unless it is the scheme's own; `None`: nothing
    /// leaves this process.
    fn host(&self) -> Option<&str>;

    /// Streams the answer to a request. Dropping the stream ends the exchange. Needs a runtime
    /// with I/O and time. After `Event::Done`, or an error, the stream ends; text that came before
    /// an error stays valid, as part of a reply that was cut.
    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Event, ProviderError>>;

    /// The request as it would be sent; none where nothing is sent.
    fn preview(&self, request: &Request) -> Option<Preview>;

    /// The models it serves, as it orders them.
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>>;
}

/// A request as it would be sent, without the key.
pub struct Preview {
    pub method: &'static str,
    pub url: String,
    /// Names and values; in place of a key stands `KEY_KEPT_BACK`.
    pub headers: Vec<(String, String)>,
    /// JSON.
    pub body: Zeroizing<Vec<u8>>,
}

/// Stands for a key where a request is shown.
pub const KEY_KEPT_BACK: &str = "(the key, not shown)";

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// More of the reply. Untrusted: may hold any character.
    Text(Text),
    /// More of what the model thinks aloud; no part of the reply.
    Thinking(Text),
    /// The model asks for a tool.
    ToolUse(ToolUse),
    /// JSON to be handed back as it came, where the answer goes on after a tool was called.
    Opaque(Text),
    /// Tokens of the whole exchange; at most once, before `Done`.
    Usage(Usage),
    /// The last event. `Stop::Cut`: the stream ended without its terminator.
    Done(Stop),
    Notice(Notice),
}

/// What a person may want to know while waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The server failed before it said anything; the request is sent again.
    Retrying {
        /// 1 for the first repetition.
        attempt: u32,
        after_ms: u64,
        /// `None`: it could not be reached.
        status: Option<u16>,
    },
    /// No model was named, and the server was asked for one.
    Model(String),
}

/// A model that a provider serves. Names are free of control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    pub id: String,
    pub name: Option<String>,
    pub context_tokens: Option<u64>,
}
