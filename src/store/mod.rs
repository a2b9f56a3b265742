//! Where sealed bytes rest: files today, and a volatile store in RAM for tests and incognito.
//!
//! The only room that touches data files, locks and notify. It holds no key and sees no plaintext:
//! what it is given to write is `Sealed`, which only the `seal` room makes.

mod copies;
mod disk;
mod draft;
mod error;
mod file;
mod held;
mod inspect;
mod lock;
mod machine;
mod name;
mod volatile;
mod watch;
mod witness_file;

use std::time::Duration;

pub use copies::{LogCopy, log_copies};
pub use error::{Holder, StoreError};
pub use file::FileStore;
pub use inspect::{Oddity, is_sync_conflict};
pub use machine::{memory_left_kib, swap_is_on};
pub use name::{Dir, Name, Part};
pub use volatile::VolatileStore;
pub use watch::Watching;

use crate::seal::{EpochId, Sealed, SealedFrames, VaultId};

/// Tells apart the files that stood under one name, for the life of a store handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Revision(u64);

/// What must stand under a name for a replacement to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    Anything,
    Absent,
    Unchanged(Revision),
}

/// The exclusive lock, held until dropped. Whoever changes the store shows it.
pub struct Exclusive {
    _held: Box<dyn Send>,
}

/// The shared lock, held until dropped.
pub struct Shared {
    _held: Box<dyn Send>,
}

/// A name that this process has among those of this machine, until dropped.
pub struct Claim {
    _held: Box<dyn Send>,
}

/// What an exclusive lock is for: other processes are told, and wait longer for a rewrite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Init,
    Append,
    Checkpoint,
    Slots,
    Rekey,
    Purge,
    Repair,
}

impl Purpose {
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Init => "init",
            Purpose::Append => "append",
            Purpose::Checkpoint => "checkpoint",
            Purpose::Slots => "slots",
            Purpose::Rekey => "rekey",
            Purpose::Purge => "purge",
            Purpose::Repair => "repair",
        }
    }

    /// Whether `word` names a rewrite, for which others wait without limit.
    fn is_rewrite(word: &str) -> bool {
        [Purpose::Rekey, Purpose::Purge, Purpose::Repair]
            .iter()
            .any(|p| p.word() == word)
    }
}

/// How long to wait for a lock.
#[derive(Clone, Copy)]
pub struct Wait {
    pub limit: Duration,
    /// Called once when a rewrite by another process is being waited for.
    pub on_rewrite: fn(&Holder),
}

impl Wait {
    pub fn seconds(limit: u64) -> Self {
        Wait {
            limit: Duration::from_secs(limit),
            on_rewrite: |_| {},
        }
    }
}

/// A file of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub name: Name,
    pub bytes: u64,
}

/// A place for sealed bytes under the names of the format. Object-safe; every call is synchronous.
///
/// A crash at any moment leaves every name with either its old or its new bytes; only a tail may
/// hold a torn end.
pub trait Store: Send + Sync {
    /// Takes the lock that every change needs.
    fn exclusive(&self, purpose: Purpose, wait: Wait) -> Result<Exclusive, StoreError>;

    /// Takes the lock for reads that must agree with each other.
    fn shared(&self, wait: Wait) -> Result<Shared, StoreError>;

    /// Takes the lock of the search index if it is free.
    fn index_lock(&self, epoch: EpochId) -> Result<Option<Exclusive>, StoreError>;

    /// Tells which file stands under a name now.
    fn revision(&self, name: &Name) -> Result<Option<Revision>, StoreError>;

    fn size(&self, name: &Name) -> Result<Option<u64>, StoreError>;

    /// Reads a whole file; none if there is none.
    fn read(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads at most `len` bytes from `at`; fewer at the end of the file.
    fn read_at(&self, name: &Name, at: u64, len: usize) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads as `read_at` while the file under the name is still the one of `held`; else none.
    fn read_held(
        &self,
        name: &Name,
        held: Revision,
        at: u64,
        len: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match self.revision(name)? == Some(held) {
            true => self.read_at(name, at, len),
            false => Ok(None),
        }
    }

    /// Puts `bytes` under a name whole or not at all, durable when it returns (for a checkpoint or
    /// an index file: durable content, and either name; in a draft: when that is published).
    fn replace(
        &self,
        lock: &Exclusive,
        name: &Name,
        expected: Expected,
        bytes: &Sealed,
    ) -> Result<Revision, StoreError>;

    /// Puts the first `bytes` bytes that `source` has under `from` under a name that is free here.
    /// As with any store, both hold sealed bytes only; they are not looked at.
    fn copy_from(
        &self,
        lock: &Exclusive,
        name: &Name,
        source: &dyn Store,
        from: &Name,
        bytes: u64,
    ) -> Result<(), StoreError>;

    /// Fails where `bytes` more would not fit.
    fn ensure_space(&self, bytes: u64) -> Result<(), StoreError>;

    /// Adds frames to the tail at `at`, which must be its end, by one write and one sync. Durable
    /// when it returns; on failure the tail is cut back to `at`, if that can be done.
    fn append(
        &self,
        lock: &Exclusive,
        name: &Name,
        held: Revision,
        at: u64,
        frames: &SealedFrames,
    ) -> Result<(), StoreError>;

    /// Makes durable what others wrote to the tail.
    fn sync(&self, lock: &Exclusive, name: &Name, held: Revision) -> Result<(), StoreError>;

    /// Keeps everything from `at` on in the quarantine, then cuts the tail there.
    fn quarantine_end(
        &self,
        lock: &Exclusive,
        name: &Name,
        held: Revision,
        at: u64,
    ) -> Result<(), StoreError>;

    /// Removes a file, durably unless it can be made again. One that is not there is no error.
    fn remove(&self, lock: &Exclusive, name: &Name) -> Result<(), StoreError>;

    /// The files of a directory of the format that have a name of the format.
    fn list(&self, dir: Dir) -> Result<Vec<Found>, StoreError>;

    /// Their names alone, which is quicker where there are many.
    fn names(&self, dir: Dir) -> Result<Vec<Name>, StoreError> {
        Ok(self
            .list(dir)?
            .into_iter()
            .map(|found| found.name)
            .collect())
    }

    /// The epochs there are, live and drafts.
    fn epochs(&self) -> Result<Vec<Dir>, StoreError>;

    /// Makes an empty epoch that does not count yet.
    fn draft(&self, lock: &Exclusive, draft: Dir) -> Result<(), StoreError>;

    /// Makes a complete draft durable, then gives it its name, durably.
    fn publish(&self, lock: &Exclusive, draft: Dir) -> Result<(), StoreError>;

    /// Removes an epoch or a draft with all that is in it. An epoch only goes once every renaming
    /// before it, so that of the header, is durable.
    fn discard(&self, lock: &Exclusive, dir: Dir) -> Result<(), StoreError>;

    /// Moves an epoch into the store's quarantine, where no reader looks; durable like `discard`.
    fn set_aside(&self, lock: &Exclusive, epoch: EpochId) -> Result<(), StoreError>;

    /// What the store's quarantine holds, by name.
    fn aside(&self) -> Result<Vec<String>, StoreError>;

    /// Removes the store's quarantine with all that is in it.
    fn clear_aside(&self, lock: &Exclusive) -> Result<(), StoreError>;

    /// Removes what interrupted writers left: temporary files and drafts. Returns how many.
    fn sweep(&self, lock: &Exclusive, live: EpochId) -> Result<usize, StoreError>;

    /// What stands in the directory and is no name of the format.
    fn strangers(&self) -> Result<Vec<String>, StoreError>;

    /// Both places of this machine's witness of a vault.
    fn witness(&self, vault: VaultId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes one of the two places, without a sync.
    fn put_witness(&self, vault: VaultId, place: usize, bytes: &Sealed) -> Result<(), StoreError>;

    /// Claims a name among the processes of this machine, until the claim is dropped; none while
    /// another process has it. Leaves nothing that matters after a crash.
    fn claim(&self, name: [u8; 16]) -> Result<Option<Claim>, StoreError>;

    /// Calls `wake` whenever something may have changed, until the result is dropped.
    fn watch(&self, wake: Box<dyn Fn() + Send>) -> Result<Watching, StoreError>;
}

/// Reads the first `bytes` bytes of a file that must have them.
fn read_exactly(source: &dyn Store, name: &Name, bytes: u64) -> Result<Vec<u8>, StoreError> {
    let len = usize::try_from(bytes).unwrap_or(usize::MAX);
    match source.read_at(name, 0, len)? {
        Some(read) if read.len() == len => Ok(read),
        _ => Err(StoreError::Vanished {
            file: name.to_string(),
        }),
    }
}

#[cfg(test)]
pub(crate) mod failing;
#[cfg(test)]
mod suite;
