//! Long-term memory as it lies in the log: items, and the operations on them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::conversation::Privacy;
use super::project::{Project, comes_up};
use super::text::{Id, Text};

/// The article's three kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Fact,
    Preference,
    Outcome,
}

/// Where an item stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for a person; never in a prompt.
    Pending,
    Active,
    Superseded,
    Expired,
    Rejected,
    /// Hidden everywhere; `purge` removes the bytes.
    Forgotten,
    #[serde(other)]
    Unknown,
}

/// Who put the words there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceClass {
    UserSaid,
    UserCommand,
    AssistantSaid,
    FileOrTool,
    Import,
    Mcp,
    #[serde(other)]
    Unknown,
}

/// Where an item comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub class: SourceClass,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Id>,
    /// Words that occur, as they stand, in what the person wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Text>,
}

impl Source {
    pub fn of(class: SourceClass) -> Self {
        Source {
            class,
            conversation: None,
            message: None,
            quote: None,
        }
    }
}

/// One thing that is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub id: Id,
    pub kind: Kind,
    pub text: Text,
    pub status: Status,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    pub created: Timestamp,
    /// When the item was last said to be true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    pub source: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Id>,
    /// Why the item waits for a person, where something about it looked wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// Where the item may go; absent means anywhere the person consented to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<Privacy>,
    /// Where the item comes up; absent means everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
}

impl Item {
    /// An active item with a fresh id, and nothing else said about it.
    pub fn new(kind: Kind, text: Text, source: Source, created: Timestamp) -> Self {
        Item {
            id: Id::fresh(),
            kind,
            text,
            status: Status::Active,
            pinned: false,
            created,
            confirmed: None,
            expires: None,
            source,
            supersedes: None,
            flag: None,
            private: None,
            project: None,
        }
    }

    /// Whether the item comes up in a project, or where there is none.
    pub fn comes_up_in(&self, here: Option<&Project>) -> bool {
        comes_up(self.project.as_ref(), here)
    }
}

/// One operation on long-term memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryEvent {
    pub at: Timestamp,
    #[serde(flatten)]
    pub op: MemoryOp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum MemoryOp {
    Add {
        item: Item,
    },
    /// `item` takes the place of `id`, which stays, marked.
    Supersede {
        id: Id,
        item: Item,
    },
    /// `item` takes the place of all of `ids`, which stay, marked.
    Merge {
        ids: Vec<Id>,
        item: Item,
    },
    Edit {
        id: Id,
        text: Text,
    },
    Confirm {
        id: Id,
    },
    Pin {
        id: Id,
    },
    Unpin {
        id: Id,
    },
    Approve {
        id: Id,
    },
    Reject {
        id: Id,
    },
    Expire {
        id: Id,
    },
    Forget {
        id: Id,
    },
    /// Brings a superseded, expired, rejected or forgotten item back.
    Restore {
        id: Id,
    },
    /// Ends the operations of one consolidation, so that they can be undone together.
    Consolidated,
    #[serde(other)]
    Unknown,
}

impl MemoryOp {
    /// The words that the operation brings, if it brings any.
    pub fn words(&self) -> Option<&Text> {
        match self {
            MemoryOp::Add { item }
            | MemoryOp::Supersede { item, .. }
            | MemoryOp::Merge { item, .. } => Some(&item.text),
            MemoryOp::Edit { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The item that these words are, or are of.
    pub fn words_of(&self) -> Option<Id> {
        match self {
            MemoryOp::Add { item }
            | MemoryOp::Supersede { item, .. }
            | MemoryOp::Merge { item, .. } => Some(item.id),
            MemoryOp::Edit { id, .. } => Some(*id),
            _ => None,
        }
    }
}
