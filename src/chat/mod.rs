//! One turn: what the person says, what the model gets to see, what is kept of the answer.
//!
//! Holds the conversation buffer and the list of conversations, both folds of the log. Async where
//! the provider is; the vault is reached through `Log`, whose calls are short and synchronous.
//! Never touches the terminal.

mod branch;
mod buffer;
mod compact;
mod compose;
mod conversations;
mod dictate;
mod error;
mod extract;
mod find;
mod ledger;
mod meaning;
mod passes;
#[cfg(test)]
mod proof_tests;
mod purge;
mod recall;
mod reply;
mod role;
mod session;
mod sittings;
#[cfg(test)]
mod test_support;
mod tidy;
mod tools;
mod transcript;
mod turn;

pub use buffer::{Buffer, Kept, Window};
pub use compact::Compacted;
pub use compose::{Composed, Recalled};
pub use conversations::{Conversation, Conversations, FoundConversation, Owed, SomeConversations};
pub use dictate::Unanswered;
pub use error::ChatError;
pub use extract::{Broke, Passed};
pub use find::{Found, Kind as FoundKind, Wanted};
pub use ledger::{Ledger, Sum};
pub use meaning::Load;
pub use passes::{Candidate, Pass};
pub use purge::{PurgePlan, PurgeTargets, Quoting};
pub use recall::Recall;
pub use role::{Frame, Values};
pub use session::{News, Opening, Session, Settings};
pub use tidy::{Proposed, Tidied, UndoWhat, Undone, Unplanned};
pub use transcript::transcript;
pub use turn::{Answer, Told};
