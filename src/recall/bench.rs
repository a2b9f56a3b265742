//! Speaks the recall benchmark's protocol: JSON lines in, JSON lines out.
//!
//! `{"index": [{"id","session","timestamp","speaker","text"}, …]}` replaces the whole store and is
//! answered by `{"ok": true}`; `{"query": "…", "k": 20}` by `{"ids": […]}`, best first. The caller
//! says where the messages go, so that the same lines measure plain arrays and a sealed vault.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Id, Message, Record, Role, Text, Timestamp};

use super::RecallError;
use super::index::Index;
use super::meaning::{EmbedError, Embedder};
use super::search::{Filter, Query};

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("line {line} is no request of the recall benchmark")]
    Request { line: usize },
    #[error(transparent)]
    Recall(#[from] RecallError),
    #[error(transparent)]
    Meaning(#[from] EmbedError),
    #[error("the pipe of the recall benchmark broke")]
    Pipe(#[from] std::io::Error),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Request {
    Index { index: Vec<Turn> },
    Ask { query: String, k: usize },
}

#[derive(Deserialize)]
struct Turn {
    id: String,
    session: i64,
    timestamp: Option<String>,
    speaker: String,
    text: String,
}

#[derive(Serialize)]
struct Done {
    ok: bool,
}

#[derive(Serialize)]
struct Found<'a> {
    ids: Vec<&'a str>,
}

/// Answers requests until the input ends. `store` takes the records of a whole store and returns
/// an index of them, in which they have the seqs from 1 on; `embedder` gives questions a meaning.
pub fn serve<E: From<BenchError>>(
    input: impl BufRead,
    mut output: impl Write,
    embedder: Option<&dyn Embedder>,
    store: &mut dyn FnMut(&[Record]) -> Result<Index, E>,
) -> Result<(), E> {
    let mut ids: Vec<String> = Vec::new();
    let mut index = None;
    for (n, line) in input.lines().enumerate() {
        let line = line.map_err(BenchError::from)?;
        let wrong = BenchError::Request { line: n + 1 };
        let request: Request = serde_json::from_str(&line).map_err(|_| wrong)?;
        let answer = match request {
            Request::Index { index: turns } => {
                index = Some(store(&records(&turns))?);
                ids = turns.into_iter().map(|turn| turn.id).collect();
                serde_json::to_string(&Done { ok: true })
            }
            Request::Ask { query, k } => {
                let seqs = match &index {
                    Some(index) => ask(index, embedder, &query, k)?,
                    None => Vec::new(),
                };
                let found = seqs.into_iter().filter_map(|seq| ids.get(seq as usize - 1));
                serde_json::to_string(&Found {
                    ids: found.map(String::as_str).collect(),
                })
            }
        };
        let answer = answer.expect("holds only strings and a truth value");
        writeln!(output, "{answer}")
            .and_then(|()| output.flush())
            .map_err(BenchError::from)?;
    }
    Ok(())
}

fn ask(
    index: &Index,
    embedder: Option<&dyn Embedder>,
    query: &str,
    k: usize,
) -> Result<Vec<u64>, BenchError> {
    // A question of the benchmark is plain words: what looks like a phrase or an exclusion is none.
    let mut query = Query::plain(query);
    if let Some(embedder) = embedder {
        query.understand(embedder)?;
    }
    let mut open = |_| -> Result<Option<Text>, RecallError> { Ok(None) };
    let filter = Filter {
        by_neighbours: true,
        ..Filter::default()
    };
    let hits = index.search(&query, &filter, k, &mut open)?;
    Ok(hits.iter().map(|hit| hit.seq).collect())
}

fn records(turns: &[Turn]) -> Vec<Record> {
    let mut sessions: HashMap<i64, Id> = HashMap::new();
    turns
        .iter()
        .map(|turn| {
            let next = Uuid::from_u128(sessions.len() as u128 + 1).into_bytes();
            let conversation = *sessions.entry(turn.session).or_insert(Id::from_bytes(next));
            let (role, name) = match turn.speaker.as_str() {
                "user" => (Role::User, None),
                "assistant" => (Role::Assistant, None),
                name => (Role::User, Some(name)),
            };
            let at = turn
                .timestamp
                .as_deref()
                .and_then(moment)
                .unwrap_or(Timestamp::UNIX_EPOCH);
            let mut message = Message::text(conversation, role, at, turn.text.as_str().into());
            message.name = name.map(Text::from);
            Record::Message(message)
        })
        .collect()
}

/// A moment without a zone, to the minute, taken for UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recall::shelf::VolatileShelf;

    fn answers(lines: &str) -> Result<String, BenchError> {
        let mut out = Vec::new();
        serve(lines.as_bytes(), &mut out, None, &mut |records| {
            let mut index = Index::open(Box::new(VolatileShelf::default()), 8)?;
            for (n, record) in records.iter().enumerate() {
                index.apply(n as u64 + 1, record);
            }
            Ok::<_, BenchError>(index)
        })?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_request_line_has_its_answer_line() {
        let lines = r#"{"index":[{"id":"D1:1","session":1,"timestamp":"2023-05-08T13:56","speaker":"Ann","text":"I keep bees"},{"id":"D1:2","session":1,"timestamp":null,"speaker":"Bob","text":"I keep goats"}]}
{"query":"Who keeps goats - or a \"goat\"?","k":1,"timestamp":null}
{"index":[]}
{"query":"goats","k":5,"timestamp":null}
"#;
        let expected = "{\"ok\":true}\n{\"ids\":[\"D1:2\"]}\n{\"ok\":true}\n{\"ids\":[]}\n";
        assert_eq!(answers(lines).unwrap(), expected);
    }

    #[test]
    fn a_line_that_is_no_request_is_named() {
        let error = answers("{\"index\":[]}\n{\"quer\":1}\n").unwrap_err();
        assert!(matches!(error, BenchError::Request { line: 2 }));
    }
}
