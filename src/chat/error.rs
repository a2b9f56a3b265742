//! What can go wrong in a turn.

use crate::provider::ProviderError;
use crate::recall::RecallError;
use crate::recall::meaning::EmbedError;
use crate::vault::VaultError;

#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error("there is nothing to say")]
    EmptyPrompt,
    #[error("no conversation's id begins with {0}")]
    NoSuchConversation(String),
    #[error("{count} conversations have an id that begins with {prefix}")]
    AmbiguousConversation { prefix: String, count: usize },
    #[error("there is no conversation to continue")]
    NothingToContinue,
    #[error("nothing has been said in this conversation yet")]
    NothingSaid,
    #[error("no role is called {0}")]
    NoSuchRole(String),
    #[error("the role {role} needs a value for {name}")]
    MissingVariable { role: String, name: String },
    #[error("the role {role} has no variable {name}")]
    NoSuchVariable { role: String, name: String },
    #[error("this conversation is private to this machine and does not go to {host}")]
    PrivateConversation { host: String },
    #[error(transparent)]
    Meaning(#[from] EmbedError),
    #[error(transparent)]
    Recall(#[from] RecallError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}
