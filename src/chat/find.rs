//! Searching on behalf of a person: what the index finds, as records that may be shown.

use crate::memory::{Memory, Stored};
use crate::model::{Id, Item, Project, Record, Role, Text, Timestamp};
use crate::recall::{Filter, Query, Snippet, snippet};
use crate::vault::{Log, VaultError};

use super::error::ChatError;
use super::recall::Recall;
use super::session::Session;

/// Characters of a snippet.
const SNIPPET_CHARS: usize = 160;

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    pub seq: u64,
    pub score: f64,
    pub at: Timestamp,
    pub text: Text,
    /// The part of the text that shows why it was found.
    pub snippet: Snippet,
    pub is: Kind,
    /// Of an item; of a message, its conversation's counts.
    pub project: Option<Project>,
}

/// Which kind of record was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Message {
        id: Id,
        conversation: Id,
        role: Role,
    },
    /// An item of memory that counts as true.
    Item { id: Id },
}

/// What of all that is found is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    pub filter: Filter,
    /// At most so many.
    pub most: usize,
    /// Items of this project alone; which conversations, the filter says.
    pub project: Option<&'a Project>,
}

impl Recall {
    /// The best records for a query, best first; of memory, those that `memory` says are true at
    /// `now`.
    pub fn find(
        &mut self,
        log: &mut dyn Log,
        memory: &Memory,
        query: &Query,
        wanted: Wanted<'_>,
        now: Timestamp,
    ) -> Result<Vec<Found>, ChatError> {
        let of = wanted.project;
        let is_wanted = |item: &Item| of.is_none() || item.project.as_ref() == of;
        let filter = Filter {
            standing: memory.standing_words(now, is_wanted),
            ..wanted.filter
        };
        let hits = self.ask(log, &mut |index, log| {
            let mut open = |seq| -> Result<Option<Text>, ChatError> {
                Ok(log.record(seq)?.and_then(words_of))
            };
            index.search(query, &filter, wanted.most, &mut open)
        })?;
        let mut out = Vec::new();
        for hit in hits {
            let Some((is, at, text)) = shown(log, memory, hit.seq, now)? else {
                continue;
            };
            out.push(Found {
                seq: hit.seq,
                score: hit.score,
                at,
                snippet: snippet(&text, query, self.index().languages(), SNIPPET_CHARS),
                text,
                project: match is {
                    Kind::Item { id } => memory.item(id).and_then(|s| s.item.project.clone()),
                    Kind::Message { .. } => None,
                },
                is,
            });
        }
        Ok(out)
    }
}

impl Session {
    /// Searches everything ever said, in this project or another. Nothing is found in incognito.
    pub fn find(
        &mut self,
        query: &Query,
        wanted: Wanted<'_>,
        now: Timestamp,
    ) -> Result<Vec<Found>, ChatError> {
        let Some(mut recall) = self.recall.take() else {
            return Ok(Vec::new());
        };
        let caught_up = recall.catch_up(self.log.as_mut());
        let found = caught_up.and_then(|()| {
            let query = recall.understood(query.clone(), self.is_local());
            recall.find(self.log.as_mut(), &self.memory.fold, &query, wanted, now)
        });
        self.recall = Some(recall);
        found
    }
}

pub(super) fn words_of(record: Record) -> Option<Text> {
    match record {
        Record::Message(message) => Some(message.plain()),
        Record::Memory(event) => event.op.words().cloned(),
        _ => None,
    }
}

fn shown(
    log: &mut dyn Log,
    memory: &Memory,
    seq: u64,
    now: Timestamp,
) -> Result<Option<(Kind, Timestamp, Text)>, VaultError> {
    Ok(match log.record(seq)? {
        Some(Record::Message(message)) => {
            let is = Kind::Message {
                id: message.id,
                conversation: message.conversation,
                role: message.role,
            };
            Some((is, message.at, message.plain()))
        }
        Some(record) => item_of(memory, &record, now).map(|stored| {
            let is = Kind::Item { id: stored.item.id };
            (is, stored.last_said(), stored.item.text.clone())
        }),
        None => None,
    })
}

/// The item whose present words a memory record holds, if it counts as true at `now`: what was
/// forgotten, superseded, rejected, edited away or never approved does not come back.
fn item_of<'a>(memory: &'a Memory, record: &Record, now: Timestamp) -> Option<&'a Stored> {
    let Record::Memory(event) = record else {
        return None;
    };
    let stored = memory.item(event.op.words_of()?)?;
    let stands = stored.is_live(now) && event.op.words() == Some(&stored.item.text);
    stands.then_some(stored)
}

/// [`item_of`] by the record's number.
pub(super) fn item_at<'a>(
    log: &mut dyn Log,
    memory: &'a Memory,
    seq: u64,
    now: Timestamp,
) -> Result<Option<&'a Stored>, VaultError> {
    let record = log.record(seq)?;
    Ok(record.and_then(|record| item_of(memory, &record, now)))
}

#[cfg(test)]
#[path = "find_tests.rs"]
pub(super) mod tests;
