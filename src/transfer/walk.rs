//! The log from its first record to an end that was taken once, while others go on appending.

use std::borrow::Cow;

use serde::Deserialize;

use crate::model::{Id, Timestamp};
use crate::vault::{Entry, Log};

use super::error::TransferError;

/// Where an export begins to read and where it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// The last record that belongs to it.
    pub through: u64,
    epoch: [u8; 16],
}

impl Extent {
    /// Takes the log's end as it is now.
    pub(super) fn take(log: &mut dyn Log) -> Result<Self, TransferError> {
        let end = log.refresh()?;
        Ok(Extent {
            through: end.seq,
            epoch: log.epoch().0,
        })
    }
}

/// Reads records in order; what is damaged is passed over and noted.
pub(super) struct Walk<'a> {
    log: &'a mut dyn Log,
    extent: Extent,
    at: u64,
    batch: std::vec::IntoIter<Entry>,
    /// First and last number of every run of records that cannot be read.
    pub missing: Vec<(u64, u64)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(log: &'a mut dyn Log, extent: Extent) -> Self {
        Walk {
            log,
            extent,
            at: 0,
            batch: Vec::new().into_iter(),
            missing: Vec::new(),
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry>, TransferError> {
        if self.at >= self.extent.through {
            return Ok(None);
        }
        let entry = match self.batch.next() {
            Some(entry) => Some(entry),
            None => {
                self.batch = self.log.read(self.at)?.into_iter();
                if self.log.epoch().0 != self.extent.epoch {
                    return Err(TransferError::Rewritten);
                }
                self.batch.next()
            }
        };
        let before = self.at;
        let found = entry.filter(|entry| entry.seq <= self.extent.through);
        let next = found
            .as_ref()
            .map_or(self.extent.through + 1, |entry| entry.seq);
        if next > before + 1 {
            self.missing.push((before + 1, next - 1));
        }
        self.at = next;
        Ok(found)
    }

    /// Goes to the record behind `after`, for reading here and there.
    pub(super) fn seek(&mut self, after: u64) {
        let ahead = self.batch.as_slice();
        let within = ahead
            .first()
            .zip(ahead.last())
            .is_some_and(|(first, last)| first.seq <= after + 1 && after < last.seq);
        if within {
            let skip = ahead.partition_point(|entry| entry.seq <= after);
            if skip > 0 {
                self.batch.nth(skip - 1);
            }
        } else {
            self.batch = Vec::new().into_iter();
        }
        self.at = after;
    }
}

/// What sorts a record, without its words.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(default)]
    pub id: Option<Id>,
    #[serde(default)]
    pub conversation: Option<Id>,
    #[serde(default)]
    pub at: Option<Timestamp>,
    #[serde(default, borrow)]
    pub content: Vec<BlockHead<'a>>,
}

#[derive(Deserialize)]
pub(super) struct BlockHead<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(default)]
    pub id: Option<Id>,
}

impl<'a> Head<'a> {
    /// None for what this version does not know in this shape.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}
