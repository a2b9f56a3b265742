//! The article's three plaintext files, also as a crash of its code leaves them.
//!
//! Its messages have no ids: one is known again by what was said, when, and the how manieth time.
//! The buffer repeats the end of the session log, and what it repeats comes in once.

use std::collections::HashMap;
use std::io::Read;

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::model::{Id, Kind, Role, Timestamp};
use crate::vault::Vault;

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::chatgpt::fault_of;
use super::foreign::{Arrival, Arrivals, Few, Members, Opening, Spot, id_of, model_name, time_of};
use super::known::{Key, digest};
use super::lines::{Line, Lines};
use super::values::Values;
use super::{Fault, ImportOptions, Imported, Origin, Source, rewind};

/// The three files, as many as there are.
#[derive(Default)]
pub struct ArticleSources<'a> {
    pub conversation_buffer: Option<&'a mut dyn Source>,
    pub long_term_memory: Option<&'a mut dyn Source>,
    pub session_log: Option<&'a mut dyn Source>,
}

/// A message is at most this long, escapes included.
const LINE_BYTES_MAX: usize = 16 << 20;
/// 100 strings, in the article.
const MEMORY_BYTES_MAX: u64 = 4 << 20;
const ENTRIES_MAX: usize = 65_536;
const PARTS_MAX: usize = 1024;

const BUFFER: &str = "conversation_buffer.json";
const MEMORY: &str = "long_term_memory.json";
const LOG: &str = "session_log.jsonl";

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(default)]
    role: Option<String>,
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, borrow, alias = "ts", alias = "time", alias = "at")]
    timestamp: Option<&'a RawValue>,
    #[serde(default, alias = "session", alias = "conversation_id")]
    session_id: Option<String>,
    /// In what this program wrote.
    #[serde(default, borrow)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    model: Option<String>,
    // A line for a whole turn.
    #[serde(default, alias = "user_input", alias = "user_message")]
    user: Option<String>,
    #[serde(
        default,
        alias = "response",
        alias = "reply",
        alias = "assistant_response"
    )]
    assistant: Option<String>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    text: Option<String>,
}

/// Appends what the article's files hold and the vault does not.
pub fn import_article(
    vault: &mut Vault,
    sources: ArticleSources<'_>,
    options: &ImportOptions,
    mut report: OnProgress<'_>,
) -> Result<Imported, TransferError> {
    let mut article = Article {
        arrivals: Arrivals::new(vault, Origin::Article, options, &mut report)?,
        said: HashMap::new(),
        times: HashMap::new(),
    };
    if let Some(source) = sources.session_log {
        article.arrivals.file = Some(LOG.to_owned());
        article.session_log(source, &mut report)?;
    }
    if let Some(source) = sources.conversation_buffer {
        article.arrivals.file = Some(BUFFER.to_owned());
        article.buffer(source)?;
    }
    if let Some(source) = sources.long_term_memory {
        article.arrivals.file = Some(MEMORY.to_owned());
        article.memory(source)?;
    }
    article.arrivals.finish()
}

struct Article<'a> {
    arrivals: Arrivals<'a>,
    /// How often the session log says the same, for the buffer to repeat.
    said: HashMap<Key, u32>,
    /// How often the same was said at the same time.
    times: HashMap<Key, u32>,
}

/// What was said, with what tells it from other messages.
struct Said<'a> {
    role: Role,
    text: String,
    entry: &'a Entry<'a>,
}

impl Article<'_> {
    fn session_log(
        &mut self,
        source: &mut dyn Source,
        report: &mut OnProgress<'_>,
    ) -> Result<(), TransferError> {
        rewind(source)?;
        let mut meter = Meter::new(Step::Import, 0, report);
        let mut lines = Lines::new(source, LINE_BYTES_MAX);
        while let Some(line) = lines.next()? {
            let spot = Spot {
                line: Some(line.number()),
                ..Spot::default()
            };
            match line {
                Line::TooLong { .. } => self.arrivals.bad(spot, Fault::TooLong),
                Line::Whole { bytes, .. } if bytes.trim_ascii().is_empty() => {}
                Line::Whole { bytes, ended, .. } => match serde_json::from_slice(bytes) {
                    Ok(entry) => self.logged(&entry, spot)?,
                    Err(_) if !ended => self.arrivals.bad(spot, Fault::CutOff),
                    Err(_) => self.arrivals.bad(spot, fault_of(bytes)),
                },
            }
            meter.at(lines.bytes)?;
        }
        Ok(())
    }

    fn logged(&mut self, entry: &Entry<'_>, spot: Spot) -> Result<(), TransferError> {
        let said = said_in(entry);
        if said.is_empty() {
            self.arrivals.left_out();
        }
        for said in said {
            *self.said.entry(said.key(&[])).or_default() += 1;
            self.message("log", &said, spot)?;
        }
        Ok(())
    }

    fn buffer(&mut self, source: &mut dyn Source) -> Result<(), TransferError> {
        rewind(source)?;
        let mut values = Values::new(source);
        while let Some(value) = values.next()? {
            let spot = Spot {
                entry: Some(value.entry),
                byte: Some(value.at),
                ..Spot::default()
            };
            let bytes = match value.bytes {
                Ok(bytes) => bytes,
                Err(fault) => {
                    self.arrivals.bad(spot, fault);
                    continue;
                }
            };
            match serde_json::from_slice::<Entry<'_>>(bytes) {
                Ok(entry) => self.buffered(&entry, spot)?,
                Err(_) => self.arrivals.bad(spot, fault_of(bytes)),
            }
        }
        Ok(())
    }

    fn buffered(&mut self, entry: &Entry<'_>, spot: Spot) -> Result<(), TransferError> {
        let said = said_in(entry);
        if said.is_empty() {
            self.arrivals.left_out();
        }
        for said in said {
            if let Some(left) = self.said.get_mut(&said.key(&[]))
                && *left > 0
            {
                *left -= 1;
                continue;
            }
            self.message("buffer", &said, spot)?;
        }
        Ok(())
    }

    fn message(&mut self, from: &str, said: &Said<'_>, spot: Spot) -> Result<(), TransferError> {
        let session = said.entry.session_id.as_deref().unwrap_or("");
        let time = said.entry.timestamp.map_or("", RawValue::get);
        let time = if time.len() > 64 { "" } else { time };
        let count = self
            .times
            .entry(said.key(&[from, session, time]))
            .or_default();
        *count += 1;
        let count = count.to_string();
        let role = role_name(said.role);
        let id = id_of(
            Origin::Article,
            &[from, session, time, role, &said.text, &count],
        );
        // What went out of this very vault is here already.
        let own = said
            .entry
            .id
            .and_then(|id| serde_json::from_str::<Id>(id.get()).ok());
        let own = own.filter(|id| self.arrivals.has(*id));
        let id = own.unwrap_or(id);
        let at: Option<Timestamp> = time_of(said.entry.timestamp);
        let opening = Opening {
            id: conversation_id(session),
            at,
            title: Some("From the article's files").filter(|_| session.is_empty()),
        };
        let arrival = Arrival {
            id,
            role: said.role,
            at,
            text: &said.text,
            model: model_name("", said.entry.model.as_deref()),
        };
        self.arrivals.message(&opening, arrival, spot)
    }

    fn memory(&mut self, source: &mut dyn Source) -> Result<(), TransferError> {
        rewind(source)?;
        let mut bytes = Zeroizing::new(Vec::new());
        source
            .take(MEMORY_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(TransferError::Read)?;
        if bytes.len() as u64 > MEMORY_BYTES_MAX {
            self.arrivals.bad(Spot::default(), Fault::TooLong);
            return Ok(());
        }
        let whole = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes);
        if let Err(error) = whole {
            let spot = Spot {
                line: Some(error.line() as u64),
                ..Spot::default()
            };
            let fault = if error.is_eof() {
                Fault::CutOff
            } else {
                fault_of(&bytes)
            };
            self.arrivals.bad(spot, fault);
        }
        let lists = [
            (Kind::Fact, "\"key_facts\""),
            (Kind::Preference, "\"user_preferences\""),
            (Kind::Outcome, "\"past_outcomes\""),
        ];
        for (kind, name) in lists {
            if let Some((list, at)) = behind_name(&bytes, name.as_bytes()) {
                self.list(kind, list, at, whole_is_broken(&bytes))?;
            }
        }
        Ok(())
    }

    /// One of the three lists; of a file that is cut, what is whole of it.
    fn list(
        &mut self,
        kind: Kind,
        list: &[u8],
        base: usize,
        broken: bool,
    ) -> Result<(), TransferError> {
        if list.first() == Some(&b'{') {
            let mut values = Values::new(list);
            let object = values.next()?.and_then(|value| value.bytes.ok());
            let members = object.and_then(|bytes| {
                serde_json::from_slice::<Members<&RawValue, ENTRIES_MAX>>(bytes).ok()
            });
            for (name, value) in members.unwrap_or_default().0 {
                let text = item_text(value.get().as_bytes());
                let text = text.unwrap_or_else(|| value.get().to_owned());
                self.item(kind, &format!("{name}: {text}"), None, Spot::default())?;
            }
            return Ok(());
        }
        let mut values = Values::new(list);
        while let Some(value) = values.next()? {
            let spot = Spot {
                entry: Some(value.entry),
                byte: Some(base as u64 + value.at),
                ..Spot::default()
            };
            match value.bytes {
                // The cut of the file was told of already.
                Err(Fault::CutOff) if broken => {}
                Err(fault) => self.arrivals.bad(spot, fault),
                Ok(bytes) => match item_text(bytes) {
                    Some(text) => self.item(kind, &text, item_time(bytes), spot)?,
                    None if broken => return Ok(()),
                    None => self.arrivals.bad(spot, fault_of(bytes)),
                },
            }
        }
        Ok(())
    }

    fn item(
        &mut self,
        kind: Kind,
        text: &str,
        at: Option<Timestamp>,
        spot: Spot,
    ) -> Result<(), TransferError> {
        let name = match kind {
            Kind::Fact => "fact",
            Kind::Preference => "preference",
            Kind::Outcome => "outcome",
        };
        let id = id_of(Origin::Article, &["item", name, text.trim()]);
        self.arrivals.memory(id, kind, text, at, spot)
    }
}

impl Said<'_> {
    fn key(&self, more: &[&str]) -> Key {
        let mut bytes = Zeroizing::new(Vec::new());
        for part in [role_name(self.role), &self.text].iter().chain(more) {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        digest(&bytes)
    }
}

fn conversation_id(session: &str) -> Id {
    id_of(Origin::Article, &["session", session])
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System | Role::Unknown => "system",
    }
}

/// What an entry says: a message, or both sides of a turn, or nothing that is a message.
fn said_in<'a>(entry: &'a Entry<'a>) -> Vec<Said<'a>> {
    let mut said = Vec::new();
    let mut push = |role, text: String| said.push(Said { role, text, entry });
    let role = match entry.role.as_deref() {
        Some("user" | "human") => Some(Role::User),
        Some("assistant" | "agent" | "ai" | "model") => Some(Role::Assistant),
        Some("system") => Some(Role::System),
        _ => None,
    };
    if let Some((role, content)) = role.zip(entry.content) {
        if let Some(text) = content_text(content) {
            push(role, text);
        }
        return said;
    }
    if let Some(text) = &entry.user {
        push(Role::User, text.clone());
    }
    if let Some(text) = &entry.assistant {
        push(Role::Assistant, text.clone());
    }
    said
}

/// A string, or a list of blocks with text in them.
fn content_text(content: &RawValue) -> Option<String> {
    if let Ok(text) = serde_json::from_str::<String>(content.get()) {
        return Some(text);
    }
    let blocks: Few<Block, PARTS_MAX> = serde_json::from_str(content.get()).ok()?;
    let texts: Vec<String> = blocks
        .0
        .into_iter()
        .filter_map(|block| block.text)
        .collect();
    Some(texts.join("\n"))
}

fn whole_is_broken(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_err()
}

/// What stands behind `"name" :`, and where.
fn behind_name<'a>(bytes: &'a [u8], name: &[u8]) -> Option<(&'a [u8], usize)> {
    let mut from = 0;
    loop {
        let found = bytes[from..]
            .windows(name.len())
            .position(|part| part == name)?;
        let end = from + found + name.len();
        let behind = bytes[end..].trim_ascii_start();
        if let Some(value) = behind.strip_prefix(b":") {
            let value = value.trim_ascii_start();
            return Some((value, bytes.len() - value.len()));
        }
        from = end;
    }
}

#[derive(Deserialize)]
struct ItemObject<'a> {
    #[serde(
        default,
        alias = "fact",
        alias = "preference",
        alias = "outcome",
        alias = "content",
        alias = "value",
        alias = "summary",
        alias = "description"
    )]
    text: Option<String>,
    #[serde(
        default,
        borrow,
        alias = "created",
        alias = "created_at",
        alias = "date"
    )]
    timestamp: Option<&'a RawValue>,
}

fn item_text(bytes: &[u8]) -> Option<String> {
    if let Ok(text) = serde_json::from_slice::<String>(bytes) {
        return Some(text);
    }
    serde_json::from_slice::<ItemObject<'_>>(bytes).ok()?.text
}

fn item_time(bytes: &[u8]) -> Option<Timestamp> {
    time_of(
        serde_json::from_slice::<ItemObject<'_>>(bytes)
            .ok()?
            .timestamp,
    )
}
