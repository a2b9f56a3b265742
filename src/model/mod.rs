//! Plain data that every room above `store` shares: records, messages, memory items, folds.
//!
//! Nothing here does I/O, keeps time or knows where its bytes rest. A record is one JSON object on
//! one line; an unknown type or field is kept on disk and ignored here, so that an old program
//! reads a new log.

mod conversation;
mod fold;
mod memory;
mod message;
mod project;
mod record;
mod text;

pub use conversation::{ConversationEvent, ConversationOp, Privacy, Summary};
pub use fold::{Applied, Fold, FoldName};
pub use jiff::Timestamp;
pub use memory::{Item, Kind, MemoryEvent, MemoryOp, Source, SourceClass, Status};
pub use message::{Attachment, Block, Message, Role, Stop, Usage};
pub use project::{Project, comes_up};
pub use record::{
    Consent, Imported, Lost, Moved, Record, RecordError, Rekeyed, Restored, RoleEvent,
    SessionEvent, SessionOp, Surface, Work, WorkOp,
};
pub use text::{Id, Text};
