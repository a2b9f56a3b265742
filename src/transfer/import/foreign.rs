//! What the readers of foreign forms have in common: ids that are the same each time, times as
//! others write them, and lists with an end.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::model::{
    ConversationEvent, ConversationOp, Id, Item, Kind, MemoryEvent, MemoryOp, Message, Record,
    Role, Source, SourceClass, Status, Text, Timestamp,
};
use crate::vault::Vault;

use super::super::error::TransferError;
use super::super::progress::OnProgress;
use super::intake::Intake;
use super::known::Known;
use super::{Bad, Fault, ImportOptions, Imported, Origin};

/// What an item may have; a longer one is no memory but a document.
const ITEM_BYTES_MAX: usize = 64 * 1024;
/// What a message may have, so that its record, with every character escaped, is one.
const MESSAGE_BYTES_MAX: usize = 15 << 20;

/// An id made of where a thing comes from and what it is called there.
pub(super) fn id_of(origin: Origin, parts: &[&str]) -> Id {
    let mut hash = Sha256::new();
    hash.update(b"agent/import/v1");
    for part in std::iter::once(&origin.name()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash.finalize()[..16]);
    Id::from_digest(digest)
}

/// Where in the source something is.
#[derive(Clone, Copy, Default)]
pub(super) struct Spot {
    pub line: Option<u64>,
    pub entry: Option<u64>,
    pub byte: Option<u64>,
}

/// A conversation that begins with the first message of it that is new.
pub(super) struct Opening<'a> {
    pub id: Id,
    pub at: Option<Timestamp>,
    pub title: Option<&'a str>,
}

/// A message as it was read.
pub(super) struct Arrival<'a> {
    pub id: Id,
    pub role: Role,
    pub at: Option<Timestamp>,
    pub text: &'a str,
    pub model: Option<String>,
}

/// Takes what a reader found, and appends what is new.
pub(super) struct Arrivals<'a> {
    intake: Intake<'a>,
    known: Known,
    pub imported: Imported,
    trust: bool,
    now: Timestamp,
    /// The file inside an archive or a directory.
    pub file: Option<String>,
    /// When the last message was said, for one that has no time.
    last_at: Option<Timestamp>,
}

impl<'a> Arrivals<'a> {
    pub(super) fn new(
        vault: &'a mut Vault,
        origin: Origin,
        options: &ImportOptions,
        report: &mut OnProgress<'_>,
    ) -> Result<Self, TransferError> {
        let known = Known::of(vault, report)?;
        Ok(Arrivals {
            intake: Intake::new(vault),
            known,
            imported: Imported {
                origin: Some(origin),
                ..Imported::default()
            },
            trust: options.trust,
            now: options.now,
            file: None,
            last_at: None,
        })
    }

    pub(super) fn bad(&mut self, spot: Spot, fault: Fault) {
        self.imported.note_bad(Bad {
            file: self.file.clone(),
            line: spot.line,
            entry: spot.entry,
            byte: spot.byte,
            fault,
        });
    }

    /// Whether the vault has what goes by this id.
    pub(super) fn has(&self, id: Id) -> bool {
        self.known.has(id)
    }

    pub(super) fn left_out(&mut self) {
        self.imported.left_out += 1;
    }

    pub(super) fn message(
        &mut self,
        opening: &Opening<'_>,
        arrival: Arrival<'_>,
        spot: Spot,
    ) -> Result<(), TransferError> {
        if arrival.text.trim().is_empty() {
            self.left_out();
            return Ok(());
        }
        if arrival.text.len() > MESSAGE_BYTES_MAX {
            self.bad(spot, Fault::TooLong);
            return Ok(());
        }
        if self.known.has(arrival.id) {
            self.imported.skipped += 1;
            self.last_at = arrival.at;
            return Ok(());
        }
        let at = arrival.at.or(self.last_at).or(opening.at);
        let at = at.unwrap_or(self.now);
        let mut message = Message::text(opening.id, arrival.role, at, Text::from(arrival.text));
        message.id = arrival.id;
        message.model = arrival.model;
        message.source = Some(SourceClass::Import);
        let line = Record::Message(message).to_line();
        if line.len() > super::jsonl::LINE_BYTES_MAX {
            self.bad(spot, Fault::TooLong);
            return Ok(());
        }
        self.open(opening, at)?;
        self.known.insert(arrival.id);
        self.imported.messages += 1;
        self.last_at = Some(at);
        self.intake.push(line)
    }

    /// The next conversation: a message of it that has no time does not take one of the last.
    pub(super) fn turn_over(&mut self) {
        self.last_at = None;
    }

    fn open(&mut self, opening: &Opening<'_>, first_at: Timestamp) -> Result<(), TransferError> {
        if !self.known.insert(opening.id) {
            return Ok(());
        }
        self.imported.conversations += 1;
        let at = opening.at.unwrap_or(first_at);
        let mut push = |op| {
            let id = opening.id;
            let record = Record::Conversation(ConversationEvent { id, at, op });
            self.intake.push(record.to_line())
        };
        push(ConversationOp::Started {
            name: None,
            private: None,
            project: None,
        })?;
        let title = opening.title.map(str::trim);
        match title.filter(|title| !title.is_empty()) {
            Some(title) => push(ConversationOp::Titled {
                title: title.chars().take(200).collect::<String>().into(),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn memory(
        &mut self,
        id: Id,
        kind: Kind,
        text: &str,
        at: Option<Timestamp>,
        spot: Spot,
    ) -> Result<(), TransferError> {
        let text = text.trim();
        if text.is_empty() {
            self.left_out();
            return Ok(());
        }
        if text.len() > ITEM_BYTES_MAX {
            self.bad(spot, Fault::TooLong);
            return Ok(());
        }
        if !self.known.insert(id) {
            self.imported.skipped += 1;
            return Ok(());
        }
        let source = Source::of(SourceClass::Import);
        let mut item = Item::new(kind, text.into(), source, at.unwrap_or(self.now));
        item.id = id;
        if !self.trust {
            item.status = Status::Pending;
        }
        self.imported.memories += 1;
        let event = MemoryEvent {
            at: self.now,
            op: MemoryOp::Add { item },
        };
        self.intake.push(Record::Memory(event).to_line())
    }

    pub(super) fn finish(mut self) -> Result<Imported, TransferError> {
        if self.intake.records > 0 {
            let record = Record::Imported(crate::model::Imported {
                at: self.now,
                from: self.imported.origin.map_or("", Origin::name).to_owned(),
                records: self.intake.records,
            });
            self.intake.push(record.to_line())?;
        }
        self.intake.flush()?;
        self.imported.records = self.intake.records;
        Ok(self.imported)
    }
}

/// Seconds since 1970, as a number or in a string, or a date and time with or without an offset.
pub(super) fn time_of(raw: Option<&RawValue>) -> Option<Timestamp> {
    let text = raw?.get();
    if text.len() > 64 {
        return None;
    }
    if let Ok(seconds) = serde_json::from_str::<f64>(text) {
        return from_seconds(seconds);
    }
    time_from(&serde_json::from_str::<String>(text).ok()?)
}

pub(super) fn time_from(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Ok(civil) = text.parse::<jiff::civil::DateTime>() {
        // Python's `isoformat` of a time without zone: whose clock it was is not told.
        return civil
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|at| at.timestamp());
    }
    from_seconds(text.parse().ok()?)
}

fn from_seconds(seconds: f64) -> Option<Timestamp> {
    // What a float holds of a time is microseconds.
    let micros = (seconds * 1e6).round();
    (micros.is_finite() && micros.abs() < 9e18)
        .then(|| Timestamp::from_microsecond(micros as i64).ok())
        .flatten()
}

/// `provider/model`, if it could be one.
pub(super) fn model_name(provider: &str, model: Option<&str>) -> Option<String> {
    let model = model?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@".contains(c);
    let fits = !model.is_empty() && model.len() <= 100 && model.chars().all(plain);
    fits.then(|| {
        if provider.is_empty() {
            model.to_owned()
        } else {
            format!("{provider}/{model}")
        }
    })
}

/// A list of at most `N` entries: a short text can name more of them than fit in memory.
pub(super) struct Few<T, const N: usize>(pub Vec<T>);

impl<T, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Few(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Few<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FewVisitor<T, const N: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for FewVisitor<T, N> {
            type Value = Few<T, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {N}")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Few::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(entry) = list.next_element()? {
                    if out.len() == N {
                        return Err(de::Error::invalid_length(N + 1, &self));
                    }
                    out.push(entry);
                }
                Ok(Few(out))
            }
        }
        deserializer.deserialize_any(FewVisitor(PhantomData))
    }
}

/// The members of an object, at most `N`, in their order.
pub(super) struct Members<T, const N: usize>(pub Vec<(String, T)>);

impl<T, const N: usize> Default for Members<T, N> {
    fn default() -> Self {
        Members(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Members<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor<T, const N: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for MembersVisitor<T, N> {
            type Value = Members<T, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of at most {N} members")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if out.len() == N {
                        return Err(de::Error::invalid_length(N + 1, &self));
                    }
                    out.push(entry);
                }
                Ok(Members(out))
            }
        }
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_others_write_them() {
        let time = |text: &str| {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            time_of(Some(&raw)).map(|at| at.to_string())
        };
        for (text, expected) in [
            ("1700000000", Some("2023-11-14T22:13:20Z")),
            ("1700000000.25", Some("2023-11-14T22:13:20.25Z")),
            ("\"1700000000\"", Some("2023-11-14T22:13:20Z")),
            ("\"2023-11-14T22:13:20.000Z\"", Some("2023-11-14T22:13:20Z")),
            (
                "\"2023-11-14T23:13:20+01:00\"",
                Some("2023-11-14T22:13:20Z"),
            ),
            (
                "\"2023-11-14 22:13:20.5+00:00\"",
                Some("2023-11-14T22:13:20.5Z"),
            ),
            (
                "\"2023-11-14T22:13:20.123456\"",
                Some("2023-11-14T22:13:20.123456Z"),
            ),
            ("1e300", None),
            ("-1e18", None),
            ("null", None),
            ("\"yesterday\"", None),
            ("[1]", None),
        ] {
            assert_eq!(time(text).as_deref(), expected, "{text}");
        }
        assert_eq!(time_of(None), None);
    }

    #[test]
    fn a_list_has_an_end() {
        assert_eq!(
            serde_json::from_str::<Few<u8, 3>>("[1,2,3]").unwrap().0,
            [1, 2, 3]
        );
        assert!(
            serde_json::from_str::<Few<u8, 3>>("null")
                .unwrap()
                .0
                .is_empty()
        );
        assert!(serde_json::from_str::<Few<u8, 3>>("[1,2,3,4]").is_err());
        assert!(serde_json::from_str::<Members<u8, 1>>(r#"{"a":1,"b":2}"#).is_err());
    }

    #[test]
    fn ids_differ_by_origin_and_by_where_the_parts_end() {
        let ids = [
            id_of(Origin::Chatgpt, &["a", "bc"]),
            id_of(Origin::Chatgpt, &["ab", "c"]),
            id_of(Origin::Claude, &["a", "bc"]),
        ];
        assert!(ids[0] != ids[1] && ids[0] != ids[2]);
        assert_eq!(ids[0], id_of(Origin::Chatgpt, &["a", "bc"]));
    }
}
