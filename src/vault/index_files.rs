//! The sealed files of the search index: written whole, opened chunk by chunk.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Vault;
use super::error::VaultError;
use super::log::sealed_error;
use crate::seal::{Blob, DataKey, EpochId, HEAD_BYTES, Random, SealError};
use crate::store::{Dir, Exclusive, Expected, Name, Part, Store};

/// The manifest's generation and its bytes.
pub type IndexManifest = (u64, Zeroizing<Vec<u8>>);

/// The index's files of one epoch as everything above sees them: the vault's own, or a vault's
/// across a socket. Without the lock, what changes them is `IndexNotLocked`.
pub trait IndexFiles {
    /// One opened chunk; none behind the file's end. A file that is gone is `Restless`: another
    /// process has merged or rewritten it.
    fn chunk(
        &self,
        file: &SealedFile,
        index: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError>;

    /// Seals a new file under a fresh random name.
    fn write(&self, bytes: &[u8]) -> Result<SealedFile, VaultError>;

    fn remove(&self, name: [u8; 16]) -> Result<(), VaultError>;

    fn list(&self) -> Result<Vec<[u8; 16]>, VaultError>;

    /// The manifest with its generation; none if there is none that opens.
    fn manifest(&self) -> Result<Option<IndexManifest>, VaultError>;

    /// Replaces the manifest by one of the next generation; none if it is not of `expected`.
    fn replace_manifest(
        &self,
        expected: Option<u64>,
        bytes: &[u8],
    ) -> Result<Option<u64>, VaultError>;

    /// Takes the lock of the index's writers; false while another holds it.
    fn lock(&self) -> Result<bool, VaultError>;

    /// Lets the lock go.
    fn unlock(&self);
}

/// The index's files in the vault's own store. Holds a data key of its own, wiped on drop.
pub struct VaultIndex {
    store: Arc<dyn Store>,
    data: DataKey,
    /// Heads of the files that were opened.
    heads: RefCell<HashMap<[u8; 16], Blob>>,
    lock: RefCell<Option<Exclusive>>,
}

/// A file as it was sealed: only that very one is read again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealedFile {
    pub name: [u8; 16],
    pub generation: u64,
    pub commit: [u8; 32],
}

impl Vault {
    /// The way to the search index of the epoch that is open.
    pub fn index_files(&self) -> VaultIndex {
        VaultIndex {
            store: self.store.clone(),
            data: self.key.data_key(self.header.epoch),
            heads: RefCell::new(HashMap::new()),
            lock: RefCell::new(None),
        }
    }
}

impl VaultIndex {
    pub fn epoch(&self) -> EpochId {
        self.data.epoch()
    }

    fn file(&self, part: Part) -> Name {
        Name::In(Dir::Live(self.data.epoch()), part)
    }

    fn locked<T>(
        &self,
        act: impl FnOnce(&Exclusive) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let lock = self.lock.borrow();
        act(lock.as_ref().ok_or(VaultError::IndexNotLocked)?)
    }
}

impl IndexFiles for VaultIndex {
    fn chunk(
        &self,
        file: &SealedFile,
        index: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let name = self.file(Part::IndexFile(file.name));
        let wrong = |source| sealed_error(&name, source);
        let mut heads = self.heads.borrow_mut();
        let blob = match heads.entry(file.name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let size = self.store.size(&name)?.ok_or(VaultError::Restless)?;
                let read = self.store.read_at(&name, 0, HEAD_BYTES)?;
                let head = read.ok_or(VaultError::Restless)?;
                let id = Part::IndexFile(file.name)
                    .blob_id()
                    .expect("index files are blobs");
                let blob = Blob::read(&self.data, id, &head, size).map_err(wrong)?;
                if blob.commit() != file.commit || blob.generation() != file.generation {
                    return Err(wrong(SealError::BlobKey));
                }
                place.insert(blob)
            }
        };
        let Some((offset, len)) = blob.chunk_place(index) else {
            return Ok(None);
        };
        let read = self
            .store
            .read_at(&name, offset, len)?
            .ok_or(VaultError::Restless)?;
        let mut chunk = Zeroizing::new(read);
        let len = blob.open_chunk(index, &mut chunk).map_err(wrong)?.len();
        chunk.truncate(len);
        Ok(Some(chunk))
    }

    fn write(&self, bytes: &[u8]) -> Result<SealedFile, VaultError> {
        let name: [u8; 16] = Random::bytes()?;
        let part = Part::IndexFile(name);
        let id = part.blob_id().expect("index files are blobs");
        let sealed = self.data.seal(id, 1, bytes)?;
        let file = self.file(part);
        self.locked(|lock| Ok(self.store.replace(lock, &file, Expected::Absent, &sealed)?))?;
        let head = Blob::read(&self.data, id, sealed.bytes(), sealed.bytes().len() as u64)?;
        Ok(SealedFile {
            name,
            generation: head.generation(),
            commit: head.commit(),
        })
    }

    fn remove(&self, name: [u8; 16]) -> Result<(), VaultError> {
        self.heads.borrow_mut().remove(&name);
        let file = self.file(Part::IndexFile(name));
        self.locked(|lock| Ok(self.store.remove(lock, &file)?))
    }

    fn list(&self) -> Result<Vec<[u8; 16]>, VaultError> {
        let found = self.store.list(Dir::Live(self.data.epoch()))?;
        let names = found.into_iter().filter_map(|found| match found.name {
            Name::In(_, Part::IndexFile(name)) => Some(name),
            _ => None,
        });
        Ok(names.collect())
    }

    fn manifest(&self) -> Result<Option<IndexManifest>, VaultError> {
        let id = Part::IndexManifest
            .blob_id()
            .expect("the manifest is a blob");
        let Some(file) = self.store.read(&self.file(Part::IndexManifest))? else {
            return Ok(None);
        };
        let opened = self.data.open(id, &file).ok();
        Ok(opened.map(|(blob, bytes)| (blob.generation(), bytes.into_zeroizing())))
    }

    fn replace_manifest(
        &self,
        expected: Option<u64>,
        bytes: &[u8],
    ) -> Result<Option<u64>, VaultError> {
        if self.manifest()?.map(|(generation, _)| generation) != expected {
            return Ok(None);
        }
        let generation = expected.unwrap_or(0) + 1;
        let id = Part::IndexManifest
            .blob_id()
            .expect("the manifest is a blob");
        let sealed = self.data.seal(id, generation, bytes)?;
        let name = self.file(Part::IndexManifest);
        self.locked(|lock| {
            Ok(self
                .store
                .replace(lock, &name, Expected::Anything, &sealed)?)
        })?;
        Ok(Some(generation))
    }

    fn lock(&self) -> Result<bool, VaultError> {
        let taken = self.store.index_lock(self.data.epoch())?;
        let held = taken.is_some();
        if held {
            *self.lock.borrow_mut() = taken;
        }
        Ok(held)
    }

    fn unlock(&self) {
        self.lock.borrow_mut().take();
    }
}
