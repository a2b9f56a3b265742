//! One turn: what the person says, what the model gets to see, what is kept of the answer.
//!
//! Holds the conversation buffer and the list of conversations, both folds of the log. Async where
//! the provider is; the vault is reached through `Log`, whose calls are short and synchronous.
//! Never touches the terminal.

mod branch;
mod buffer;
mod compose;
mod conversations;
mod error;
mod ledger;

mod purge;
mod recall;
mod session;
mod transcript;
mod turn;

pub use buffer::{Buffer, Kept, Window};
pub use compose::{Composed, Recalled};
pub use conversations::{Conversation, Conversations, FoundConversation};
pub use error::ChatError;
pub use ledger::{Ledger, Sum};
pub use purge::{PurgePlan, PurgeTargets, Quoting};
pub use recall::Recall;
pub use session::{News, Opening, Session, Settings};
pub use transcript::transcript;
pub use turn::{Answer, Told};
