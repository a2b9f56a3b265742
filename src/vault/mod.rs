//! The unlocked vault: keys, the log, checkpoints, epochs and the witness.
//!
//! Nothing here knows a terminal, a network, or what a record means; records go in and come out as
//! lines, and folds are told apart by name only. `docs/format.md` is the contract.

mod across;
mod append;
mod assess;
mod backup;
mod checkpoint;
mod copies;
mod entry;
mod epochs;
mod error;
mod index_files;
mod init;
mod log;
mod open;
mod provider_keys;
mod purge;
mod record;
mod rekey;
mod repair;
mod rewrite;
mod roll;
mod salvage;
mod scan;
mod scratch;
mod shared;
mod slots;
mod source;
#[cfg(test)]
pub(crate) mod testing;
mod verify;
mod witness;

use std::sync::Arc;

pub use crate::seal::EpochId;
pub use backup::BackedUp;
pub use checkpoint::View;
pub use copies::{Belonging, CopyFlaw, OpenCopy};

pub use entry::Entry;
pub use epochs::OtherEpoch;
pub use error::{Damage, DamageKind, RemoteError, Rollback, VaultError};
pub use index_files::{IndexFiles, IndexManifest, SealedFile, VaultIndex};
pub use init::NewVault;
pub use open::{LockedVault, Secret};
pub use provider_keys::ProviderKeys;
pub use purge::PurgeReceipt;
pub use rekey::SlotChange;
pub use repair::{Repaired, RestoredHeader, restore_header};
pub use rewrite::{LostRecords, Rewritten, Verdict, Why};
pub use scratch::ScratchLog;
pub use shared::SharedLog;
pub use verify::{Finding, Structure, VerifyReport, structure};

pub use crate::seal::Link;
pub use crate::store::LogCopy;

use crate::model::{FoldName, Record};
use crate::seal::{DataKey, Header, Position, SlotId, VaultId, VaultKey};
use crate::store::{Part, Revision, Store, Wait};
use log::OpenLog;
use witness::WitnessState;
use zeroize::Zeroizing;

/// The sealed log as everything above sees it: the vault itself, or a vault across a socket.
pub trait Log: Send {
    /// Seals records on top of everything that is there; durable when it returns. The records of
    /// one call count all or none. Returns the place behind the last.
    fn append(&mut self, records: &[Record]) -> Result<Position, VaultError>;

    /// Appends only if `expected` is still the log's end; none, and nothing done, if another process
    /// was faster. So what was decided on a state becomes true of that state and no other.
    fn append_at(
        &mut self,
        expected: Position,
        records: &[Record],
    ) -> Result<Option<Position>, VaultError>;

    /// Takes in what other processes appended. Writes nothing. Returns the log's end.
    fn refresh(&mut self) -> Result<Position, VaultError>;

    /// Some records behind `after`, in order; none at the end of the log. What is damaged is
    /// passed over, so that numbers may be missing.
    fn read(&mut self, after: u64) -> Result<Vec<Entry>, VaultError>;

    /// One record; none where there is none that can be read.
    fn record(&mut self, seq: u64) -> Result<Option<Record>, VaultError> {
        let Some(before) = seq.checked_sub(1) else {
            return Ok(None);
        };
        let batch = self.read(before)?;
        let entry = batch.first().filter(|entry| entry.seq == seq);
        Ok(entry.and_then(|entry| entry.record().ok()))
    }

    /// A fold's saved state, opened; none if there is none that opens.
    fn checkpoint(&mut self, name: FoldName) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError>;

    /// Saves a fold's state as of `at`, unless what is there is newer.
    fn put_checkpoint(
        &mut self,
        name: FoldName,
        version: u32,
        at: Position,
        json: Zeroizing<Vec<u8>>,
    ) -> Result<(), VaultError>;

    /// The place behind record `seq`; none if the log does not reach it or it is damaged.
    fn position(&mut self, seq: u64) -> Result<Option<Position>, VaultError>;

    /// The way to the files of the search index, in the epoch that is open; none where nothing is
    /// kept.
    fn index(&self) -> Option<Box<dyn IndexFiles>> {
        None
    }

    /// Does what is due and need not stand between a person's line and its answer: a full tail
    /// becomes a segment.
    fn settle(&mut self) -> Result<(), VaultError>;

    /// The epoch that is open. Folds of another one start again.
    fn epoch(&self) -> EpochId;
}

/// The file of a fold's checkpoint.
fn part_of(name: FoldName) -> Part {
    match name {
        FoldName::ConversationBuffer => Part::ConversationBuffer,
        FoldName::LongTermMemory => Part::LongTermMemory,
        FoldName::Conversations => Part::Conversations,
    }
}

/// An unlocked vault. Wipes its keys when dropped.
pub struct Vault {
    store: Arc<dyn Store>,
    wait: Wait,
    key: VaultKey,
    header: Header,
    header_held: Revision,
    /// The slot whose secret was given, if one was.
    opened_by: Option<SlotId>,
    data: DataKey,
    log: OpenLog,
    witness: WitnessState,
    /// Up to here everything is known to be on the disk.
    durable: Position,
    rollback: Option<Rollback>,
    /// The leftovers of interrupted writers were removed by this handle.
    swept: bool,
    /// A sync failed: the next append starts a new tail.
    mistrust_tail: bool,
    /// Another process has changed the vault key: ours is wiped.
    rekeyed: bool,
}

impl Vault {
    pub fn id(&self) -> VaultId {
        self.header.vault
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What is damaged and waits for a repair, as far as it was met.
    pub fn damage(&self) -> &[Damage] {
        self.log.damage()
    }

    /// Why the vault is read-only, if it is.
    pub fn rollback(&self) -> Option<&Rollback> {
        self.rollback.as_ref()
    }

    /// Whether this machine had a witness of the vault when it was opened.
    pub fn has_witness(&self) -> bool {
        self.witness.newest().is_some()
    }

    /// The end of the log as last seen.
    pub fn end(&self) -> Position {
        self.log.end()
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// How long to wait for other processes from now on.
    pub fn set_wait(&mut self, wait: Wait) {
        self.wait = wait;
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::InRam;
