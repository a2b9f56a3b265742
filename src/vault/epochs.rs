//! Which epochs there are beside the live one, and which of them may go.

use super::Vault;
use super::error::VaultError;
use super::log::OpenLog;
use super::open::read_header;
use super::rewrite::Why;
use crate::model::Record;
use crate::seal::{DataKey, EpochId, Header};
use crate::store::{Dir, Exclusive, Name, Part, Purpose};

/// How far back a writer looks for the record that names the previous epoch. The first writer
/// after a rewrite removes it, so the record is near the end or the removal failed again and again.
const LOOK_BACK_RECORDS: u64 = 8192;

/// An epoch that is not the live one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherEpoch {
    pub epoch: EpochId,
    /// Of its copy of the header, where that can be read.
    pub generation: Option<u64>,
    pub bytes: u64,
    /// The live log was written from it: the next writer removes it.
    pub is_previous: bool,
}

/// The newest `rekeyed` record: the epoch it names, its why, and its number.
pub(super) fn newest_rekeyed(
    log: &mut OpenLog,
    data: &DataKey,
    look_back: u64,
) -> Result<Option<(EpochId, String, u64)>, VaultError> {
    let end = log.end().seq;
    let lowest = end.saturating_sub(look_back);
    let (mut before, mut step) = (end, 64);
    while before > lowest {
        let after = before.saturating_sub(step).max(lowest);
        let mut at = after;
        let mut newest = None;
        while at < before {
            let batch = log.read(data, at)?;
            let Some(last) = batch.last().map(|entry| entry.seq) else {
                break;
            };
            for entry in batch.iter().filter(|entry| entry.seq <= before) {
                if let Ok(Record::Rekeyed(rekeyed)) = entry.record() {
                    let epoch = EpochId::from_hex(&rekeyed.previous_epoch);
                    newest = epoch.map(|epoch| (epoch, rekeyed.why, entry.seq));
                }
            }
            at = last;
        }
        if newest.is_some() {
            return Ok(newest);
        }
        (before, step) = (after, step * 4);
    }
    Ok(None)
}

impl Vault {
    fn others(&self) -> Result<Vec<EpochId>, VaultError> {
        let live = self.header.epoch;
        let epochs = self.store.epochs()?.into_iter();
        Ok(epochs
            .filter_map(|dir| match dir {
                Dir::Live(epoch) if epoch != live => Some(epoch),
                _ => None,
            })
            .collect())
    }

    /// Brings a rewrite to its end that was cut short after its commit: the epoch that the newest
    /// `rekeyed` record names as previous goes, and no other.
    pub(super) fn remove_previous_epoch(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        let others = self.others()?;
        if others.is_empty() {
            return Ok(());
        }
        let newest = newest_rekeyed(&mut self.log, &self.data, LOOK_BACK_RECORDS)?;
        let Some((previous, why, _)) = newest else {
            return Ok(());
        };
        let live = self.header.epoch;
        let header_is_live = read_header(self.store.as_ref())?
            .is_some_and(|(header, _)| header.epoch == live && header.verify(&self.key).is_ok());
        if others.contains(&previous) && header_is_live {
            // What cannot be removed costs room and no record: the next writer tries again.
            if why == Why::Repair.word() {
                self.store.set_aside(lock, previous).ok();
            } else {
                self.store.discard(lock, Dir::Live(previous)).ok();
            }
        }
        Ok(())
    }

    /// The epochs beside the live one: what interrupted rewrites left, or what was put there.
    pub fn other_epochs(&mut self) -> Result<Vec<OtherEpoch>, VaultError> {
        let others = self.others()?;
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let newest = newest_rekeyed(&mut self.log, &self.data, u64::MAX)?;
        let previous = newest.map(|(previous, ..)| previous);
        let mut told = Vec::new();
        for epoch in others {
            let dir = Dir::Live(epoch);
            let copy = self
                .store
                .read_at(&Name::In(dir, Part::HeaderCopy), 0, 4097)?;
            let copy = copy.and_then(|bytes| Header::parse(&bytes).ok());
            let files = self.store.list(dir)?;
            told.push(OtherEpoch {
                epoch,
                generation: copy.map(|copy| copy.generation),
                bytes: files.iter().map(|found| found.bytes).sum(),
                is_previous: previous == Some(epoch),
            });
        }
        Ok(told)
    }

    /// Removes an epoch on the owner's word. The live one stays whatever is asked.
    pub fn remove_epoch(&mut self, epoch: EpochId) -> Result<(), VaultError> {
        self.writable()?;
        let store = self.store.clone();
        let lock = store.exclusive(Purpose::Purge, self.wait)?;
        self.come_to_the_end(&lock)?;
        if epoch == self.header.epoch {
            return Err(VaultError::LiveEpoch);
        }
        Ok(store.discard(&lock, Dir::Live(epoch))?)
    }
}
