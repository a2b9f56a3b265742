//! Copies of the log's files that a sync tool or a person made: opened as strictly as the log
//! itself, with the keys of the epoch that is open, and never put in its place.

use super::entry::Entry;
use super::error::VaultError;
use super::log::{place_runs, whole};
use super::scan::scan;
use super::{LogCopy, Vault};
use crate::seal::{Position, Salvage, Segment, SegmentHead, TAIL_HEAD_BYTES, Tail};
use crate::store::Part;

/// Whose a copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Belonging {
    /// The epoch that is open.
    Ours,
    /// An epoch of this vault that was rewritten, by a purge or a rekey.
    OtherEpoch,
    OtherVault,
}

/// What is wrong with a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyFlaw {
    /// It ends inside an append, as a copy that was made meanwhile does.
    Torn,
    /// Something in it does not open.
    Damaged,
}

/// What a copy holds.
pub struct OpenCopy {
    /// The place before its first record; none where that cannot be read.
    pub before: Option<Position>,
    /// Every record that opens, in order.
    pub entries: Vec<Entry>,
    pub flaw: Option<CopyFlaw>,
}

impl Vault {
    pub fn belonging(&self, copy: &LogCopy) -> Belonging {
        if copy.vault != self.header.vault {
            Belonging::OtherVault
        } else if copy.epoch != self.header.epoch {
            Belonging::OtherEpoch
        } else {
            Belonging::Ours
        }
    }

    /// Whether the log holds all that a copied segment does, told by its head alone: a link covers
    /// every record before it.
    pub fn holds_all_of(&mut self, copy: &LogCopy) -> Result<bool, VaultError> {
        let Part::Segment(number) = copy.part else {
            return Ok(false);
        };
        let start = copy.read_start(SegmentHead::START_BYTES)?;
        let Ok(head) = SegmentHead::read(&self.data, number, &start, copy.bytes) else {
            return Ok(false);
        };
        let there = self.log.position(&self.data, head.after.seq)?;
        Ok(there == Some(head.after))
    }

    /// Opens a copy that is ours. What of it does not open is a flaw, not an error.
    pub fn open_copy(&self, copy: &LogCopy) -> Result<OpenCopy, VaultError> {
        self.alive()?;
        let file = copy.read()?;
        Ok(match copy.part {
            Part::Segment(number) => self.open_segment_copy(number, &file),
            Part::Tail(number) => self.open_tail_copy(number, &file),
            _ => OpenCopy::nothing(),
        })
    }

    fn open_segment_copy(&self, number: u64, file: &[u8]) -> OpenCopy {
        let chain = self.log.chain();
        match Segment::open(&self.data, number, file) {
            Ok(segment) if segment.verify(chain).is_ok() => {
                return OpenCopy {
                    before: Some(segment.head.before),
                    entries: whole(&segment, chain),
                    flaw: None,
                };
            }
            _ => {}
        }
        let salvage = Salvage::open(&self.data, number, file).ok();
        match salvage.and_then(|salvage| Some((salvage.head?, salvage))) {
            Some((head, salvage)) => OpenCopy {
                before: Some(head.before),
                entries: place_runs(salvage, head.before.seq, head.after.seq, chain),
                flaw: Some(CopyFlaw::Damaged),
            },
            None => OpenCopy::nothing(),
        }
    }

    fn open_tail_copy(&self, number: u64, file: &[u8]) -> OpenCopy {
        let (tail, from, rescued) = match Tail::read(&self.data, number, file) {
            Ok(tail) => (tail, TAIL_HEAD_BYTES, false),
            Err(_) => match Tail::rescue(&self.data, number, file) {
                Some((tail, from)) => (tail, from, true),
                None => return OpenCopy::nothing(),
            },
        };
        let before = tail.start.before;
        let read = scan(&tail, self.log.chain(), file, from, before);
        let flaw = match (rescued || !read.gaps.is_empty(), read.torn) {
            (true, _) => Some(CopyFlaw::Damaged),
            (false, true) => Some(CopyFlaw::Torn),
            (false, false) => None,
        };
        OpenCopy {
            before: Some(before),
            entries: read.entries.into_values().collect(),
            flaw,
        }
    }
}

impl OpenCopy {
    fn nothing() -> Self {
        OpenCopy {
            before: None,
            entries: Vec::new(),
            flaw: Some(CopyFlaw::Damaged),
        }
    }
}
