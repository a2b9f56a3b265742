//! What happens to a conversation besides its messages.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::project::Project;
use super::text::{Id, Text};

/// Where a conversation's words may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Never to a host that is not this machine.
    Local,
    #[serde(other)]
    Unknown,
}

/// One thing that happened to a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConversationEvent {
    pub id: Id,
    pub at: Timestamp,
    #[serde(flatten)]
    pub op: ConversationOp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ConversationOp {
    Started {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Text>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        private: Option<Privacy>,
        /// None: of no project.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project: Option<Project>,
    },
    Titled {
        title: Text,
    },
    /// The conversation begins with the messages of another up to and with `message`.
    Forked {
        from: Id,
        message: Id,
        /// That of the other, which may be purged one day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project: Option<Project>,
    },
    Archived,
    /// Hidden everywhere; `purge` removes the bytes.
    Deleted,
    Restored,
    #[serde(other)]
    Unknown,
}

/// Stands for the older part of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub id: Id,
    pub conversation: Id,
    pub at: Timestamp,
    pub text: Text,
    /// The last message that the summary covers.
    pub through: Id,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}
