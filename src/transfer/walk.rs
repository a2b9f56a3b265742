//! The log from its first record to an end that was taken once, while others go on appending.

use std::borrow::Cow;
use std::sync::mpsc::sync_channel;

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

    /// Some records behind `after` that belong to it.
    fn read(&self, log: &mut dyn Log, after: u64) -> Result<Vec<Entry>, TransferError> {
        let mut batch = log.read(after)?;
        if log.epoch().0 != self.epoch {
            return Err(TransferError::Rewritten);
        }
        batch.truncate(batch.partition_point(|entry| entry.seq <= self.through));
        Ok(batch)
    }
}

/// Batches that are opened ahead; each is a segment, about a MiB.
const BATCHES_AHEAD: usize = 1;

/// Hands over every record in order. Another thread opens the next ones meanwhile. Returns first
/// and last number of every run of records that cannot be read.
pub(super) fn each(
    log: &mut dyn Log,
    extent: Extent,
    mut take: impl FnMut(&Entry) -> Result<(), TransferError>,
) -> Result<Vec<(u64, u64)>, TransferError> {
    let (sender, receiver) = sync_channel(BATCHES_AHEAD);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut at = 0;
            while at < extent.through {
                let batch = extent.read(log, at);
                at = match &batch {
                    Ok(batch) => batch.last().map_or(extent.through, |entry| entry.seq),
                    Err(_) => extent.through,
                };
                // Nobody listens any more: the other side has failed, and says why.
                if sender.send(batch).is_err() {
                    return;
                }
            }
        });
        let mut missing = Vec::new();
        let mut at = 0;
        for batch in receiver {
            for entry in batch? {
                if entry.seq > at + 1 {
                    missing.push((at + 1, entry.seq - 1));
                }
                at = entry.seq;
                take(&entry)?;
            }
        }
        if at < extent.through {
            missing.push((at + 1, extent.through));
        }
        Ok(missing)
    })
}

/// Reads records here and there; quick where they lie near one another.
pub(super) struct Picker<'a> {
    log: &'a mut dyn Log,
    extent: Extent,
    batch: Vec<Entry>,
}

impl<'a> Picker<'a> {
    pub(super) fn new(log: &'a mut dyn Log, extent: Extent) -> Self {
        Picker {
            log,
            extent,
            batch: Vec::new(),
        }
    }

    /// Record `seq`; none if it cannot be read any more.
    pub(super) fn pick(&mut self, seq: u64) -> Result<Option<Entry>, TransferError> {
        let ends = self.batch.first().zip(self.batch.last());
        if ends.is_none_or(|(first, last)| seq < first.seq || last.seq < seq) {
            self.batch = self.extent.read(self.log, seq - 1)?;
        }
        let place = self.batch.binary_search_by_key(&seq, |entry| entry.seq);
        Ok(place.ok().map(|place| self.batch[place].clone()))
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
