//! What the vault holds already, at 16 bytes a record.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::model::{Id, MemoryOp, Record};
use crate::vault::Log;

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::super::walk::{self, Extent, Head};

pub(super) type Key = [u8; 16];

/// What names a line: the id of what it brings in, or a digest of the whole line.
pub(super) fn key_of(line: &[u8]) -> Key {
    own_id(line).map_or_else(|| digest(line), |id| id.bytes())
}

fn own_id(line: &[u8]) -> Option<Id> {
    let head = Head::read(line)?;
    match &*head.kind {
        "message" | "attachment" => head.id,
        "memory" => match Record::from_line(line).ok()? {
            Record::Memory(event) => match event.op {
                MemoryOp::Add { item }
                | MemoryOp::Supersede { item, .. }
                | MemoryOp::Merge { item, .. } => Some(item.id),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn digest(bytes: &[u8]) -> Key {
    let hash = Sha256::digest(bytes);
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

fn scan(
    log: &mut dyn Log,
    report: &mut OnProgress<'_>,
    mut take: impl FnMut(&[u8]),
) -> Result<(), TransferError> {
    let extent = Extent::take(log)?;
    let mut meter = Meter::new(Step::Known, extent.through, report);
    walk::each(log, extent, |entry| {
        take(entry.line());
        meter.at(entry.seq)
    })?;
    Ok(())
}

/// The records of the vault as a bag: each can be taken out once.
///
/// A log may hold the same line twice (`purged` has nothing of its own), and an import of its
/// export is to do so too.
pub(super) struct Stock {
    keys: Vec<Key>,
    taken: Vec<u64>,
    /// How many were taken of the keys that are there more than once.
    taken_of_many: HashMap<Key, usize>,
}

impl Stock {
    pub(super) fn of(
        log: &mut dyn Log,
        report: &mut OnProgress<'_>,
    ) -> Result<Self, TransferError> {
        let mut keys = Vec::with_capacity(records_of(log)?);
        scan(log, report, |line| keys.push(key_of(line)))?;
        Ok(Stock::new(keys))
    }

    fn new(mut keys: Vec<Key>) -> Self {
        keys.sort_unstable();
        Stock {
            taken: vec![0; keys.len().div_ceil(64)],
            taken_of_many: HashMap::new(),
            keys,
        }
    }

    /// Takes one such record out; false if there is none left.
    pub(super) fn take(&mut self, key: &Key) -> bool {
        let first = self.keys.partition_point(|held| held < key);
        if self.keys.get(first) != Some(key) {
            return false;
        }
        if self.keys.get(first + 1) == Some(key) {
            let there = self.keys[first..].partition_point(|held| held <= key);
            let taken = self.taken_of_many.entry(*key).or_default();
            *taken += 1;
            return *taken <= there;
        }
        let (word, bit) = (first / 64, 1 << (first % 64));
        let free = self.taken[word] & bit == 0;
        self.taken[word] |= bit;
        free
    }
}

/// The ids that are in the vault, and those that the import has brought in.
pub(super) struct Known {
    sorted: Vec<Key>,
    recent: HashSet<Key>,
}

const RECENT_MIN: usize = 1 << 16;

impl Known {
    pub(super) fn of(
        log: &mut dyn Log,
        report: &mut OnProgress<'_>,
    ) -> Result<Self, TransferError> {
        Known::by(log, report, |line| {
            let id = own_id(line).or_else(|| conversation_id(line))?;
            Some(id.bytes())
        })
    }

    /// Every record, by what names its line.
    pub(super) fn lines_of(
        log: &mut dyn Log,
        report: &mut OnProgress<'_>,
    ) -> Result<Self, TransferError> {
        Known::by(log, report, |line| Some(key_of(line)))
    }

    fn by(
        log: &mut dyn Log,
        report: &mut OnProgress<'_>,
        key: impl Fn(&[u8]) -> Option<Key>,
    ) -> Result<Self, TransferError> {
        let mut sorted = Vec::with_capacity(records_of(log)?);
        scan(log, report, |line| sorted.extend(key(line)))?;
        sorted.sort_unstable();
        sorted.dedup();
        Ok(Known {
            sorted,
            recent: HashSet::new(),
        })
    }

    pub(super) fn has(&self, id: Id) -> bool {
        self.has_key(&id.bytes())
    }

    fn has_key(&self, key: &Key) -> bool {
        self.sorted.binary_search(key).is_ok() || self.recent.contains(key)
    }

    /// False if the id was there already.
    pub(super) fn insert(&mut self, id: Id) -> bool {
        self.insert_key(id.bytes())
    }

    /// False if the key was there already.
    pub(super) fn insert_key(&mut self, key: Key) -> bool {
        if self.has_key(&key) {
            return false;
        }
        // The set takes twice the room of the list: it stays a small part of it.
        if self.recent.len() >= RECENT_MIN.max(self.sorted.len() / 8) {
            self.sorted.reserve_exact(self.recent.len());
            self.sorted.extend(self.recent.drain());
            self.sorted.sort_unstable();
        }
        self.recent.insert(key)
    }
}

fn conversation_id(line: &[u8]) -> Option<Id> {
    let head = Head::read(line)?;
    head.id.filter(|_| head.kind == "conversation")
}

fn records_of(log: &mut dyn Log) -> Result<usize, TransferError> {
    Ok(usize::try_from(log.refresh()?.seq).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_of_a_stock_can_be_taken_once() {
        let key = |n: u8| [n; 16];
        let mut stock = Stock::new(vec![key(3), key(1), key(3), key(2), key(3)]);
        for (n, there) in [(0, 0), (1, 1), (2, 1), (3, 3), (4, 0)] {
            let taken = (0..5).filter(|_| stock.take(&key(n))).count();
            assert_eq!(taken, there, "{n}");
        }
    }

    #[test]
    fn ids_stay_known_while_the_list_grows() {
        let mut known = Known {
            sorted: Vec::new(),
            recent: HashSet::new(),
        };
        let id = |n: u32| Id::from_digest(digest(&n.to_be_bytes()));
        for n in 0..200_000 {
            assert!(known.insert(id(n)));
        }
        assert!((0..200_000).all(|n| known.has(id(n))));
        assert!(!known.insert(id(7)) && !known.has(id(200_000)));
        assert!(known.sorted.len() >= 100_000);
    }
}
