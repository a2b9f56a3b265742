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
#[cfg(test)]
mod proof_tests;
mod purge;
mod recall;
mod reply;
mod session;
#[cfg(test)]
mod test_support;
mod tidy;
mod tools;
mod transcript;
mod turn;

pub use buffer::{Buffer, Kept, OpenSession, Owed, Window};
pub use compact::Compacted;
pub use compose::{Composed, Recalled};
pub use conversations::{Conversation, Conversations, FoundConversation, SomeConversations};
pub use dictate::Unanswered;
pub use error::ChatError;
pub use extract::{Broke, Pass, Passed};
pub use find::{Found, Kind as FoundKind};
pub use ledger::{Ledger, Sum};
pub use meaning::Load;
pub use purge::{PurgePlan, PurgeTargets, Quoting};
pub use recall::Recall;
pub use session::{News, Opening, Session, Settings};
pub use tidy::{Proposed, Tidied, UndoWhat, Undone, Unplanned};
pub use transcript::transcript;
pub use turn::{Answer, Told};
