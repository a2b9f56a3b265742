//! The database of the program `llm`: threads and turns as it keeps them now, and responses as it
//! kept them before.
//!
//! The file is untrusted: it is opened read-only, only plain tables are asked, and the engine is
//! told to run nothing that a schema brings along.

use std::path::Path;

use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use serde::Deserialize;

use crate::model::Role;
use crate::vault::Vault;

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::foreign::{Arrival, Arrivals, Few, Opening, Spot, id_of, model_name, time_from};
use super::{Fault, ImportOptions, Imported, Origin};

/// The longest text that is taken out of it.
const TEXT_BYTES_MAX: i32 = 32 << 20;
/// What the parts of one message may come to; beyond it, the message is too long anyway.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Fragments and words between them that one part may be made of.
const PIECES_MAX: usize = 65_536;
/// Steps from a turn's last message back to its first.
const CHAIN_MAX: usize = 10_000;

/// Appends the conversations of `llm`'s database at `path`, which is not written to.
pub fn import_llm(
    vault: &mut Vault,
    path: &Path,
    options: &ImportOptions,
    mut report: OnProgress<'_>,
) -> Result<Imported, TransferError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)
        .and_then(restrict)
        .map_err(TransferError::Database)?;
    let has = |table: &str, column: &str| has_column(&database, table, column);
    let turns = has("turns", "tip_message_hash")? && has("threads", "id")?;
    let responses = has("responses", "response")? && has("conversations", "id")?;
    if !turns && !responses {
        return Err(TransferError::NotThisFormat {
            expected: "a database of llm",
        });
    }
    let mut arrivals = Arrivals::new(vault, Origin::Llm, options, &mut report)?;
    if responses {
        let rows = count(&database, "responses")?;
        let mut meter = Meter::new(Step::Import, rows, &mut report);
        take_responses(&database, &mut arrivals, &mut meter)?;
    }
    if turns {
        let rows = count(&database, "turns")?;
        let mut meter = Meter::new(Step::Import, rows, &mut report);
        take_turns(&database, &mut arrivals, &mut meter)?;
    }
    arrivals.finish()
}

fn restrict(database: Connection) -> rusqlite::Result<Connection> {
    database.set_limit(Limit::SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX)?;
    database.pragma_update(None, "trusted_schema", false)?;
    database.pragma_update(None, "cell_size_check", true)?;
    database.pragma_update(None, "query_only", true)?;
    database.pragma_update(None, "cache_size", -16_384)?;
    database.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(database)
}

/// Whether it is a table, and no view, with that column.
fn has_column(database: &Connection, table: &str, column: &str) -> Result<bool, TransferError> {
    let sql = "select count(*) from sqlite_schema s join pragma_table_info(s.name) c \
               where s.type = 'table' and s.name = ?1 and c.name = ?2 \
               and s.sql not like '%virtual%'";
    let found: i64 = database
        .query_row(sql, [table, column], |row| row.get(0))
        .map_err(TransferError::Database)?;
    Ok(found == 1)
}

fn count(database: &Connection, table: &str) -> Result<u64, TransferError> {
    let sql = format!("select count(*) from \"{table}\"");
    let rows: i64 = database
        .query_row(&sql, [], |row| row.get(0))
        .map_err(TransferError::Database)?;
    Ok(rows.unsigned_abs())
}

/// A text column; a number or bytes in its place are none.
fn text(row: &Row<'_>, column: usize) -> Option<String> {
    row.get::<_, Option<String>>(column).ok().flatten()
}

fn spot_of(entry: u64) -> Spot {
    Spot {
        entry: Some(entry),
        ..Spot::default()
    }
}

fn take_responses(
    database: &Connection,
    arrivals: &mut Arrivals<'_>,
    meter: &mut Meter<'_, '_>,
) -> Result<(), TransferError> {
    arrivals.file = Some("responses".to_owned());
    let sql = "select r.id, r.conversation_id, c.name, r.prompt, r.response, r.model, \
               r.datetime_utc from responses r left join conversations c \
               on c.id = r.conversation_id order by r.rowid";
    let mut statement = database.prepare(sql).map_err(TransferError::Database)?;
    let mut rows = statement.query([]).map_err(TransferError::Database)?;
    let mut entry = 0;
    while let Some(row) = rows.next().map_err(TransferError::Database)? {
        entry += 1;
        meter.at(entry)?;
        let Some(id) = text(row, 0) else {
            arrivals.bad(spot_of(entry), Fault::Incomplete);
            continue;
        };
        let turn = Turn {
            thread: text(row, 1).unwrap_or_else(|| id.clone()),
            id,
            name: text(row, 2),
            prompt: text(row, 3).unwrap_or_default(),
            reply: text(row, 4).unwrap_or_default(),
            model: text(row, 5),
            at: text(row, 6),
        };
        turn.take(entry, arrivals)?;
    }
    Ok(())
}

fn take_turns(
    database: &Connection,
    arrivals: &mut Arrivals<'_>,
    meter: &mut Meter<'_, '_>,
) -> Result<(), TransferError> {
    arrivals.file = Some("turns".to_owned());
    let sql = "select t.id, t.thread_id, h.name, t.parent_message_hash, t.tip_message_hash, \
               t.model, t.datetime_utc from turns t left join threads h on h.id = t.thread_id \
               order by t.rowid";
    let mut messages = Messages::prepare(database)?;
    let mut statement = database.prepare(sql).map_err(TransferError::Database)?;
    let mut rows = statement.query([]).map_err(TransferError::Database)?;
    let mut entry = 0;
    while let Some(row) = rows.next().map_err(TransferError::Database)? {
        entry += 1;
        meter.at(entry)?;
        let (Some(id), Some(tip)) = (text(row, 0), text(row, 4)) else {
            arrivals.bad(spot_of(entry), Fault::Incomplete);
            continue;
        };
        let parent = text(row, 3);
        // The prompt is what the person said since the assistant's last word, if anything: a turn
        // that hands over a tool's result has none. The reply is what the assistant said from
        // there to the tip.
        let prompt = match &parent {
            Some(parent) => messages.said_last(parent, "user", None)?,
            None => String::new(),
        };
        let reply = messages.said_last(&tip, "assistant", parent.as_deref())?;
        let turn = Turn {
            thread: text(row, 1).unwrap_or_else(|| id.clone()),
            id,
            name: text(row, 2),
            prompt,
            reply,
            model: text(row, 5),
            at: text(row, 6),
        };
        turn.take(entry, arrivals)?;
    }
    Ok(())
}

struct Turn {
    id: String,
    thread: String,
    name: Option<String>,
    prompt: String,
    reply: String,
    model: Option<String>,
    at: Option<String>,
}

impl Turn {
    fn take(&self, entry: u64, arrivals: &mut Arrivals<'_>) -> Result<(), TransferError> {
        let at = self.at.as_deref().and_then(time_from);
        let opening = Opening {
            id: id_of(Origin::Llm, &[&self.thread]),
            at,
            title: self.name.as_deref(),
        };
        arrivals.turn_over();
        let sides = [
            (Role::User, "prompt", &self.prompt),
            (Role::Assistant, "response", &self.reply),
        ];
        for (role, side, text) in sides {
            let model = model_name("", self.model.as_deref());
            let arrival = Arrival {
                id: id_of(Origin::Llm, &[&self.id, side]),
                role,
                at,
                text,
                model: model.filter(|_| role == Role::Assistant),
            };
            arrivals.message(&opening, arrival, spot_of(entry))?;
        }
        Ok(())
    }
}

/// The messages of the newer schema, which are kept once and point at the one before.
struct Messages<'a> {
    message: rusqlite::Statement<'a>,
    parts: rusqlite::Statement<'a>,
    fragment: rusqlite::Statement<'a>,
}

/// A text in pieces: words of its own, and fragments that are kept apart.
#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    text_ref: Few<Piece, PIECES_MAX>,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    literal: Option<String>,
    #[serde(default)]
    fragment: Option<i64>,
}

impl<'a> Messages<'a> {
    fn prepare(database: &'a Connection) -> Result<Self, TransferError> {
        let prepare = |sql| database.prepare(sql).map_err(TransferError::Database);
        Ok(Messages {
            message: prepare("select role, parent_hash from messages where hash = ?1")?,
            parts: prepare(
                "select text, payload from parts where message_hash = ?1 and type = 'text' \
                 order by position limit 1024",
            )?,
            fragment: prepare("select content from fragments where id = ?1")?,
        })
    }

    /// The text of the newest message of `role` from `hash` back, not beyond `until`, nor beyond
    /// what the other side said.
    fn said_last(
        &mut self,
        hash: &str,
        role: &str,
        until: Option<&str>,
    ) -> Result<String, TransferError> {
        let mut at = Some(hash.to_owned());
        for _ in 0..CHAIN_MAX {
            let Some(hash) = at.filter(|hash| Some(hash.as_str()) != until) else {
                break;
            };
            let found = self
                .message
                .query_row([&hash], |row| Ok((text(row, 0), text(row, 1))))
                .optional()
                .map_err(TransferError::Database)?;
            let Some((found, parent)) = found else { break };
            match found.as_deref() {
                Some(found) if found == role => return self.text(&hash),
                Some("user" | "assistant") => break,
                _ => at = parent,
            }
        }
        Ok(String::new())
    }

    fn text(&mut self, hash: &str) -> Result<String, TransferError> {
        let mut rows = self.parts.query([hash]).map_err(TransferError::Database)?;
        let mut out = String::new();
        while let Some(row) = rows.next().map_err(TransferError::Database)? {
            let plain = text(row, 0).filter(|plain| !plain.is_empty());
            let pieces = match (&plain, text(row, 1)) {
                (None, Some(payload)) => serde_json::from_str::<Payload>(&payload).ok(),
                _ => None,
            };
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(plain.as_deref().unwrap_or_default());
            for piece in pieces.iter().flat_map(|payload| &payload.text_ref.0) {
                match (&piece.literal, piece.fragment) {
                    (Some(literal), _) => out.push_str(literal),
                    (None, Some(id)) => {
                        let content = self.fragment.query_row([id], |row| Ok(text(row, 0)));
                        let content = content.optional().map_err(TransferError::Database)?;
                        out.push_str(&content.flatten().unwrap_or_default());
                    }
                    (None, None) => {}
                }
                if out.len() > MESSAGE_BYTES_MAX {
                    return Ok(out);
                }
            }
        }
        Ok(out)
    }
}
