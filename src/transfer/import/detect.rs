//! Whose form a file has, from what it begins with.

use std::io::Read;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::error::TransferError;
use super::archive::{Archive, MAGIC};
use super::values::Values;
use super::{Origin, Source, rewind};

/// Which of the article's files it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArticlePart {
    Buffer,
    Memory,
    Log,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Origin(Origin),
    Article(ArticlePart),
}

/// Tells whose form the content has. The source is left anywhere.
pub fn detect(source: &mut dyn Source) -> Result<Origin, TransferError> {
    Ok(match look(source)? {
        Found::Origin(origin) => origin,
        Found::Article(_) => Origin::Article,
    })
}

/// Whether a file begins as age files do, armoured or not.
pub fn is_age(start: &[u8]) -> bool {
    start.starts_with(b"age-encryption.org/v1\n")
        || start.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

pub(super) fn is_archive(source: &mut dyn Source) -> Result<bool, TransferError> {
    Ok(beginning(source, MAGIC.len())? == MAGIC)
}

/// What of a first value is looked at where it is too long or cut.
const BEGINNING_BYTES: usize = 64 * 1024;

const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
const SEALED_MAGIC: &[u8] = b"AGSB\x01";

pub(super) fn look(source: &mut dyn Source) -> Result<Found, TransferError> {
    let start = beginning(source, BEGINNING_BYTES)?;
    if start.starts_with(SQLITE_MAGIC) {
        return Ok(Found::Origin(Origin::Llm));
    }
    if start.starts_with(SEALED_MAGIC) {
        return Ok(Found::Origin(Origin::Vault));
    }
    rewind(source)?;
    if start.starts_with(MAGIC) {
        let mut archive = Archive::open(source)?;
        let (_, mut file) = archive.file(0)?;
        let mut start = Vec::new();
        Read::by_ref(&mut file)
            .take(BEGINNING_BYTES as u64)
            .read_to_end(&mut start)
            .map_err(TransferError::Read)?;
        let rest = std::io::Read::chain(start.as_slice(), file);
        return of_text(rest, &start);
    }
    of_text(source, &start)
}

fn beginning(source: &mut dyn Source, bytes: usize) -> Result<Vec<u8>, TransferError> {
    rewind(source)?;
    let mut start = Vec::new();
    source
        .take(bytes as u64)
        .read_to_end(&mut start)
        .map_err(TransferError::Read)?;
    Ok(start)
}

/// The members that tell one form from another.
#[derive(Default, Deserialize)]
#[serde(default)]
struct First<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    format: Option<&'a RawValue>,
    #[serde(borrow)]
    mapping: Option<&'a RawValue>,
    #[serde(borrow)]
    chat_messages: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    key_facts: Option<&'a RawValue>,
    #[serde(borrow)]
    user_preferences: Option<&'a RawValue>,
    #[serde(borrow)]
    past_outcomes: Option<&'a RawValue>,
}

fn of_text(source: impl Read, start: &[u8]) -> Result<Found, TransferError> {
    let is_list = start.trim_ascii_start().first() == Some(&b'[');
    let mut values = Values::new(source);
    let first = values.next()?.and_then(|value| value.bytes.ok());
    let members = first.and_then(|bytes| serde_json::from_slice::<First<'_>>(bytes).ok());
    let found = match members {
        Some(first) => first.says(is_list),
        // Cut, or too long to hold: what it begins with must do.
        None => by_words(start, is_list),
    };
    found.ok_or(TransferError::UnknownFormat)
}

impl First<'_> {
    fn says(&self, is_list: bool) -> Option<Found> {
        let kind = self.kind.map_or("", RawValue::get);
        if self.mapping.is_some() {
            return Some(Found::Origin(Origin::Chatgpt));
        }
        if self.chat_messages.is_some() {
            return Some(Found::Origin(Origin::Claude));
        }
        if self
            .key_facts
            .or(self.user_preferences)
            .or(self.past_outcomes)
            .is_some()
        {
            return Some(Found::Article(ArticlePart::Memory));
        }
        match kind {
            "\"export\"" if self.format.is_some() => return Some(Found::Origin(Origin::Jsonl)),
            "\"entity\"" | "\"relation\"" => return Some(Found::Origin(Origin::McpMemory)),
            _ => {}
        }
        if is_list && self.role.is_some() && self.content.is_some() {
            return Some(Found::Article(ArticlePart::Buffer));
        }
        let logged = self.timestamp.is_some() || self.role.is_some();
        (!is_list && logged).then_some(Found::Article(ArticlePart::Log))
    }
}

fn by_words(start: &[u8], is_list: bool) -> Option<Found> {
    let has = |word: &[u8]| start.windows(word.len()).any(|part| part == word);
    if !is_list && (has(b"\"key_facts\"") || has(b"\"user_preferences\"")) {
        return Some(Found::Article(ArticlePart::Memory));
    }
    if has(b"\"chat_messages\"") {
        return Some(Found::Origin(Origin::Claude));
    }
    if has(b"\"mapping\"") {
        return Some(Found::Origin(Origin::Chatgpt));
    }
    let said = has(b"\"role\"") && has(b"\"content\"");
    if is_list {
        return said.then_some(Found::Article(ArticlePart::Buffer));
    }
    // Lines, of which the first is broken.
    if has(b"\"type\":\"end\"") && has(b"\"sha256\"") {
        return Some(Found::Origin(Origin::Jsonl));
    }
    if has(b"\"type\":\"entity\"") || has(b"\"type\":\"relation\"") {
        return Some(Found::Origin(Origin::McpMemory));
    }
    (said || has(b"\"timestamp\"")).then_some(Found::Article(ArticlePart::Log))
}
