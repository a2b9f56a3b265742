//! Takes content out of every file of the vault. Which records, is decided above.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::Vault;
use super::error::VaultError;
use super::rewrite::{Plan, Reading, Rewritten, Verdict, Why};
use crate::model::{Record, Timestamp};
use crate::seal::EpochId;
use crate::store::{Dir, Exclusive, Store};

/// What a purge removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeReceipt {
    pub rewritten: Rewritten,
    /// Epochs that are gone, the one before this among them.
    pub epochs_removed: Vec<EpochId>,
    /// Their files, the search index among them.
    pub files_removed: u64,
    pub bytes_removed: u64,
    /// What the quarantine of the state directory held, by name.
    pub quarantine_removed: Vec<String>,
}

impl Vault {
    /// Puts `purged` in the place of some records, and other lines in the place of others that
    /// were derived from them; then removes every other copy there is of the old ones: older
    /// epochs, the search index, checkpoints and quarantined bytes. Vault key and slots stay as
    /// they are, so that other processes go on. Numbers that the log does not have are passed over.
    pub fn purge(
        &mut self,
        seqs: &BTreeSet<u64>,
        replacements: &BTreeMap<u64, Zeroizing<Vec<u8>>>,
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<PurgeReceipt, VaultError> {
        for line in replacements.values() {
            Record::from_line(line).map_err(|source| VaultError::NotARecord { source })?;
        }
        let mut filter = |seq: u64, _: &[u8]| match replacements.get(&seq) {
            _ if seqs.contains(&seq) => Verdict::Purge,
            Some(line) => Verdict::Replace(line.clone()),
            None => Verdict::Keep,
        };
        self.purge_by(Why::Purge, &mut filter, now, progress)
    }

    /// The same, asked about each record in turn; `why` is a purge or a retention.
    pub fn purge_by(
        &mut self,
        why: Why,
        filter: &mut dyn FnMut(u64, &[u8]) -> Verdict,
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<PurgeReceipt, VaultError> {
        self.refresh_log()?;
        self.writable()?;
        let store = self.store.clone();
        let lock = store.exclusive(why.purpose(), self.wait)?;
        self.come_to_the_end(&lock)?;
        self.undamaged()?;
        let header = self.next_header()?;
        let (live, next) = (self.header.epoch, header.epoch);
        let mut gone = Gone::default();
        let mut last = Gone::default();
        last.count(store.as_ref(), live)?;
        let rewritten = self.rewrite(
            &lock,
            Plan {
                why,
                now,
                key: self.key.again(),
                header,
                reading: Reading::Whole,
                filter: Some(filter),
                // Before the commit: a purge that is in force has left nothing but the previous
                // epoch, which the next writer removes if this one cannot.
                ready: &mut |_| gone.clear(store.as_ref(), &lock, [live, next]),
                progress,
            },
        )?;
        if rewritten.previous_removed {
            gone.epochs.append(&mut last.epochs);
            gone.files += last.files;
            gone.bytes += last.bytes;
        }
        Ok(PurgeReceipt {
            rewritten,
            epochs_removed: gone.epochs,
            files_removed: gone.files,
            bytes_removed: gone.bytes,
            quarantine_removed: gone.aside,
        })
    }
}

#[derive(Default)]
struct Gone {
    epochs: Vec<EpochId>,
    files: u64,
    bytes: u64,
    aside: Vec<String>,
}

impl Gone {
    fn count(&mut self, store: &dyn Store, epoch: EpochId) -> Result<(), VaultError> {
        let files = store.list(Dir::Live(epoch))?;
        self.epochs.push(epoch);
        self.files += files.len() as u64;
        self.bytes += files.iter().map(|found| found.bytes).sum::<u64>();
        Ok(())
    }

    /// Removes every epoch but `kept`, and the quarantine.
    fn clear(
        &mut self,
        store: &dyn Store,
        lock: &Exclusive,
        kept: [EpochId; 2],
    ) -> Result<(), VaultError> {
        for dir in store.epochs()? {
            let Dir::Live(epoch) = dir else { continue };
            if !kept.contains(&epoch) {
                self.count(store, epoch)?;
                store.discard(lock, dir)?;
            }
        }
        self.aside = store.aside()?;
        Ok(store.clear_aside(lock)?)
    }
}
