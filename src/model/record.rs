//! The records of the log: one JSON object each.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::conversation::{ConversationEvent, ConversationOp, Summary};
use super::memory::{MemoryEvent, MemoryOp};
use super::message::{Attachment, Message};
use super::text::{Id, Text};

/// One record. `Unknown` is a type, or an operation of a known type, that a later version writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    Message(Message),
    Attachment(Attachment),
    Conversation(ConversationEvent),
    Memory(MemoryEvent),
    Session(SessionEvent),
    Summary(Summary),
    Work(Work),
    Consent(Consent),
    /// A system prompt under a name.
    Role(RoleEvent),
    /// Last record of a rewritten epoch.
    Rekeyed(Rekeyed),
    /// Stands where a record was purged, so that numbers stay.
    Purged,
    /// Stands where a record could not be read at a repair.
    Lost(Lost),
    /// The owner went on after the warning that the vault is older than this machine remembers.
    Restored(Restored),
    Imported(Imported),
    /// On a shared store: the log goes on in another epoch.
    Moved(Moved),
    #[serde(other)]
    Unknown,
}

/// The article's audit record: a session began or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEvent {
    pub id: Id,
    pub at: Timestamp,
    pub surface: Surface,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Id>,
    #[serde(flatten)]
    pub op: SessionOp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    Chat,
    Ask,
    Mcp,
    Import,
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum SessionOp {
    Started,
    /// Goes on in another conversation than it started in.
    Turned,
    Ended {
        #[serde(default)]
        messages: u64,
        #[serde(default)]
        memories: u64,
    },
    #[serde(other)]
    Unknown,
}

/// An extraction or consolidation that is owed, and its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub id: Id,
    pub at: Timestamp,
    #[serde(flatten)]
    pub op: WorkOp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum WorkOp {
    /// An extraction over `conversation` from the message after `after` on.
    ExtractionOwed {
        conversation: Id,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Id>,
        /// The model's answer that could not be read, kept to look at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Text>,
    },
    /// A pass over `conversation` looked at everything up to and with `through`.
    Done {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<Id>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        through: Option<Id>,
    },
    #[serde(other)]
    Unknown,
}

/// The person's answer to "may this go to that host?".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consent {
    pub at: Timestamp,
    pub host: String,
    pub granted: bool,
}

/// A named system prompt, as the person wrote it; without a prompt, the name is free again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleEvent {
    pub at: Timestamp,
    pub name: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Text>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rekeyed {
    pub at: Timestamp,
    /// Hex of the epoch that this one replaces.
    pub previous_epoch: String,
    /// `rekey`, `purge`, `retention` or `repair`.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    pub file: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    pub at: Timestamp,
    /// What the machine remembered: the seq of its witness.
    pub witness_seq: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    pub at: Timestamp,
    pub from: String,
    pub records: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    pub to_epoch: String,
}

/// Bytes that are not a record.
#[derive(Debug, thiserror::Error)]
#[error("not a record: JSON error at byte {column}")]
pub struct RecordError {
    /// Where, never what: the text of a record stays out of errors.
    pub column: usize,
}

#[derive(Serialize)]
struct Versioned<'a> {
    v: u8,
    #[serde(flatten)]
    record: &'a Record,
}

impl Record {
    /// The one line that is sealed: UTF-8 JSON without a line feed.
    pub fn to_line(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let line = serde_json::to_vec(&Versioned { v: 1, record: self })
            .expect("records hold only strings, numbers and string-keyed objects");
        zeroize::Zeroizing::new(line)
    }

    /// Reads one line. What a later version writes becomes `Unknown`; only bytes that are no JSON
    /// object with a `type` are an error.
    pub fn from_line(line: &[u8]) -> Result<Record, RecordError> {
        match serde_json::from_slice::<Record>(line) {
            Ok(record) if record.has_unknown_op() => Ok(Record::Unknown),
            Ok(record) => Ok(record),
            Err(error) if error.is_data() => match serde_json::from_slice::<JustType>(line) {
                Ok(_) => Ok(Record::Unknown),
                Err(error) => Err(RecordError {
                    column: error.column(),
                }),
            },
            Err(error) => Err(RecordError {
                column: error.column(),
            }),
        }
    }

    fn has_unknown_op(&self) -> bool {
        matches!(
            self,
            Record::Memory(MemoryEvent {
                op: MemoryOp::Unknown,
                ..
            }) | Record::Conversation(ConversationEvent {
                op: ConversationOp::Unknown,
                ..
            }) | Record::Work(Work {
                op: WorkOp::Unknown,
                ..
            })
        )
    }
}

#[derive(Deserialize)]
struct JustType {
    #[serde(rename = "type")]
    _type: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Item, Kind, Role, Source, SourceClass, Status};

    fn at() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_record_is_one_line_and_comes_back_equal() {
        let item = Item {
            id: Id::fresh(),
            kind: Kind::Fact,
            text: "two\nlines".into(),
            status: Status::Active,
            pinned: false,
            created: at(),
            confirmed: None,
            expires: None,
            source: Source::of(SourceClass::UserCommand),
            supersedes: None,
            flag: None,
            private: None,
            project: None,
        };
        let records = [
            Record::Message(Message::text(
                Id::fresh(),
                Role::User,
                at(),
                "hi\n there".into(),
            )),
            Record::Memory(MemoryEvent {
                at: at(),
                op: MemoryOp::Add { item },
            }),
            Record::Memory(MemoryEvent {
                at: at(),
                op: MemoryOp::Forget { id: Id::fresh() },
            }),
            Record::Conversation(ConversationEvent {
                id: Id::fresh(),
                at: at(),
                op: ConversationOp::Archived,
            }),
            Record::Purged,
        ];
        for record in records {
            let line = record.to_line();
            assert!(!line.contains(&b'\n'));
            assert!(line.starts_with(br#"{"v":1,"type":""#));
            assert_eq!(Record::from_line(&line).unwrap(), record);
        }
    }

    #[test]
    fn what_a_later_version_writes_is_unknown_and_not_an_error() {
        for line in [
            r#"{"v":1,"type":"weather","sky":"blue"}"#,
            r#"{"v":1,"type":"memory","at":"2026-11-22T10:00:00Z","op":"dream","id":3}"#,
            r#"{"v":9,"type":"message","content":"another shape"}"#,
            r#"{"v":1,"type":"purged","extra":[1,2]}"#,
        ] {
            let record = Record::from_line(line.as_bytes()).unwrap();
            let expected = if line.contains("purged") {
                Record::Purged
            } else {
                Record::Unknown
            };
            assert_eq!(record, expected, "{line}");
        }
    }

    #[test]
    fn an_unknown_field_is_ignored() {
        let mut line: serde_json::Value = serde_json::from_slice(
            &Record::Message(Message::text(Id::fresh(), Role::User, at(), "hi".into())).to_line(),
        )
        .unwrap();
        line["mood"] = "new".into();
        let record = Record::from_line(line.to_string().as_bytes()).unwrap();
        assert!(matches!(record, Record::Message(_)));
    }

    #[test]
    fn bytes_that_are_no_object_are_an_error_that_quotes_nothing() {
        for line in ["", "secret words", "{\"type\":\"mess", "[1]", "{}"] {
            let error = Record::from_line(line.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }
}
