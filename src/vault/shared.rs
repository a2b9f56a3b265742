//! One log in two hands: a chat on the vault, and one beside it that only reads it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::error::VaultError;
use super::{Entry, IndexFiles, Log};
use crate::model::{FoldName, Record};
use crate::seal::{EpochId, Position};

/// A log that several may hold; each call has it alone.
pub type SharedLog = Arc<Mutex<Box<dyn Log>>>;

fn held(log: &SharedLog) -> MutexGuard<'_, Box<dyn Log>> {
    // A log says by itself whether it is still of use.
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log for SharedLog {
    fn append(&mut self, records: &[Record]) -> Result<Position, VaultError> {
        held(self).append(records)
    }

    fn append_at(
        &mut self,
        expected: Position,
        records: &[Record],
    ) -> Result<Option<Position>, VaultError> {
        held(self).append_at(expected, records)
    }

    fn refresh(&mut self) -> Result<Position, VaultError> {
        held(self).refresh()
    }

    fn read(&mut self, after: u64) -> Result<Vec<Entry>, VaultError> {
        held(self).read(after)
    }

    fn record(&mut self, seq: u64) -> Result<Option<Record>, VaultError> {
        held(self).record(seq)
    }

    fn checkpoint(&mut self, name: FoldName) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        held(self).checkpoint(name)
    }

    fn put_checkpoint(
        &mut self,
        name: FoldName,
        version: u32,
        at: Position,
        json: Zeroizing<Vec<u8>>,
    ) -> Result<(), VaultError> {
        held(self).put_checkpoint(name, version, at, json)
    }

    fn position(&mut self, seq: u64) -> Result<Option<Position>, VaultError> {
        held(self).position(seq)
    }

    fn index(&self) -> Option<Box<dyn IndexFiles>> {
        held(self).index()
    }

    fn settle(&mut self) -> Result<(), VaultError> {
        held(self).settle()
    }

    fn epoch(&self) -> EpochId {
        held(self).epoch()
    }
}
