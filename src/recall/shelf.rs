//! Where index files rest: the seam between the index and the sealed store.
//!
//! A file is written once, whole, under a random name and never changed; a query opens single
//! chunks of it. The manifest is the one thing that is replaced, and the commit point.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// Bytes of a chunk that opens by itself; only a file's last may be shorter.
pub const CHUNK_BYTES: usize = 65_536;

/// What a shelf tells about a file it has written, kept in the manifest: a file is only read if it
/// is still this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMark {
    pub name: [u8; 16],
    pub generation: u64,
    pub commit: [u8; 32],
    /// Bytes of plaintext.
    pub size: u64,
}

/// The manifest's bytes, and its place in the order of replacements.
pub struct SealedManifest {
    pub generation: u64,
    pub bytes: Zeroizing<Vec<u8>>,
}

#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The file is gone: another process has merged it into a new one.
    #[error("an index file is missing")]
    Missing,
    /// The file is not the one that the manifest names, or does not open.
    #[error("an index file does not open")]
    Damaged,
    /// Another process has replaced the manifest.
    #[error("the index manifest has been replaced by another process")]
    Conflict,
    #[error("the store of the index failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Held while index files are written or removed; let go on drop.
pub type ShelfLock = Box<dyn Any>;

/// Sealed files of the index. Two implementations: the vault's, and [`VolatileShelf`].
pub trait Shelf {
    /// One chunk of a file; `None` behind its end.
    fn read_chunk(
        &self,
        file: &FileMark,
        chunk: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ShelfError>;

    /// Writes a new file under a fresh random name. It is not part of the index before a manifest
    /// names it; a crash leaves at most a file that nobody names.
    fn write(&self, bytes: &[u8]) -> Result<FileMark, ShelfError>;

    fn remove(&self, name: &[u8; 16]) -> Result<(), ShelfError>;

    fn list(&self) -> Result<Vec<[u8; 16]>, ShelfError>;

    fn manifest(&self) -> Result<Option<SealedManifest>, ShelfError>;

    /// Replaces the manifest if its generation is still `expected` (`None`: there is none), and
    /// returns the new generation.
    fn replace_manifest(&self, expected: Option<u64>, bytes: &[u8]) -> Result<u64, ShelfError>;

    /// Takes the lock of writers; `None` if another holds it.
    fn try_lock(&self) -> Result<Option<ShelfLock>, ShelfError>;
}

/// A shelf in memory that counts what is read.
#[derive(Default)]
pub struct VolatileShelf {
    files: RefCell<BTreeMap<[u8; 16], Zeroizing<Vec<u8>>>>,
    manifest: RefCell<Option<(u64, Zeroizing<Vec<u8>>)>>,
    next_name: Cell<u128>,
    chunks_read: Cell<u64>,
    locked: std::rc::Rc<Cell<bool>>,
}

impl VolatileShelf {
    /// How many chunks have been opened so far.
    pub fn chunks_read(&self) -> u64 {
        self.chunks_read.get()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> usize {
        self.files.borrow().values().map(|file| file.len()).sum()
    }

    /// Changes a file's bytes, as a damage would.
    pub fn tamper(&self, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(file) = self.files.borrow_mut().values_mut().next() {
            change(file);
        }
    }
}

struct VolatileLock(std::rc::Rc<Cell<bool>>);

impl Drop for VolatileLock {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Shelf for VolatileShelf {
    fn read_chunk(
        &self,
        file: &FileMark,
        chunk: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ShelfError> {
        let files = self.files.borrow();
        let bytes = files.get(&file.name).ok_or(ShelfError::Missing)?;
        self.chunks_read.set(self.chunks_read.get() + 1);
        let part = usize::try_from(chunk)
            .ok()
            .and_then(|n| bytes.chunks(CHUNK_BYTES).nth(n));
        Ok(part.map(|part| Zeroizing::new(part.to_vec())))
    }

    fn write(&self, bytes: &[u8]) -> Result<FileMark, ShelfError> {
        self.next_name.set(self.next_name.get() + 1);
        let name = self.next_name.get().to_be_bytes();
        let size = bytes.len() as u64;
        self.files
            .borrow_mut()
            .insert(name, Zeroizing::new(bytes.to_vec()));
        Ok(FileMark {
            name,
            generation: 1,
            commit: [0; 32],
            size,
        })
    }

    fn remove(&self, name: &[u8; 16]) -> Result<(), ShelfError> {
        self.files.borrow_mut().remove(name);
        Ok(())
    }

    fn list(&self) -> Result<Vec<[u8; 16]>, ShelfError> {
        Ok(self.files.borrow().keys().copied().collect())
    }

    fn manifest(&self) -> Result<Option<SealedManifest>, ShelfError> {
        Ok(self
            .manifest
            .borrow()
            .as_ref()
            .map(|(generation, bytes)| SealedManifest {
                generation: *generation,
                bytes: bytes.clone(),
            }))
    }

    fn replace_manifest(&self, expected: Option<u64>, bytes: &[u8]) -> Result<u64, ShelfError> {
        let mut manifest = self.manifest.borrow_mut();
        if manifest.as_ref().map(|(generation, _)| *generation) != expected {
            return Err(ShelfError::Conflict);
        }
        let generation = expected.unwrap_or(0) + 1;
        *manifest = Some((generation, Zeroizing::new(bytes.to_vec())));
        Ok(generation)
    }

    fn try_lock(&self) -> Result<Option<ShelfLock>, ShelfError> {
        if self.locked.replace(true) {
            return Ok(None);
        }
        Ok(Some(Box::new(VolatileLock(self.locked.clone()))))
    }
}
