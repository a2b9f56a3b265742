//! The vault's own shelf: index files as sealed blobs.

use std::cell::RefCell;
use std::rc::Rc;

use zeroize::Zeroizing;

use super::shelf::{FileMark, SealedManifest, Shelf, ShelfError, ShelfLock};
use crate::vault::{IndexFiles, IndexLock, SealedFile, VaultError};

/// Index files of an open vault. Writing needs the lock that `try_lock` gave.
pub struct SealedShelf {
    files: IndexFiles,
    lock: Rc<RefCell<Option<IndexLock>>>,
}

impl SealedShelf {
    pub fn new(files: IndexFiles) -> Self {
        SealedShelf {
            files,
            lock: Rc::default(),
        }
    }

    fn locked<T>(
        &self,
        act: impl FnOnce(&IndexLock) -> Result<T, VaultError>,
    ) -> Result<T, ShelfError> {
        let lock = self.lock.borrow();
        let lock = lock.as_ref().ok_or(ShelfError::Conflict)?;
        act(lock).map_err(shelf_error)
    }
}

fn shelf_error(error: VaultError) -> ShelfError {
    match error {
        VaultError::Restless => ShelfError::Missing,
        VaultError::Sealed { .. } => ShelfError::Damaged,
        other => ShelfError::Store(Box::new(other)),
    }
}

fn sealed(mark: &FileMark) -> SealedFile {
    SealedFile {
        name: mark.name,
        generation: mark.generation,
        commit: mark.commit,
    }
}

/// Lets the lock go on drop.
struct Release(Rc<RefCell<Option<IndexLock>>>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.borrow_mut().take();
    }
}

impl Shelf for SealedShelf {
    fn read_chunk(
        &self,
        file: &FileMark,
        chunk: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ShelfError> {
        self.files.chunk(&sealed(file), chunk).map_err(shelf_error)
    }

    fn write(&self, bytes: &[u8]) -> Result<FileMark, ShelfError> {
        let file = self.locked(|lock| self.files.write(lock, bytes))?;
        let SealedFile {
            name,
            generation,
            commit,
        } = file;
        Ok(FileMark {
            name,
            generation,
            commit,
            size: bytes.len() as u64,
        })
    }

    fn remove(&self, name: &[u8; 16]) -> Result<(), ShelfError> {
        self.locked(|lock| self.files.remove(lock, *name))
    }

    fn list(&self) -> Result<Vec<[u8; 16]>, ShelfError> {
        self.files.list().map_err(shelf_error)
    }

    fn manifest(&self) -> Result<Option<SealedManifest>, ShelfError> {
        let manifest = self.files.manifest().map_err(shelf_error)?;
        Ok(manifest.map(|(generation, bytes)| SealedManifest { generation, bytes }))
    }

    fn replace_manifest(&self, expected: Option<u64>, bytes: &[u8]) -> Result<u64, ShelfError> {
        self.locked(|lock| self.files.replace_manifest(lock, expected, bytes))?
            .ok_or(ShelfError::Conflict)
    }

    fn try_lock(&self) -> Result<Option<ShelfLock>, ShelfError> {
        let Some(lock) = self.files.try_lock().map_err(shelf_error)? else {
            return Ok(None);
        };
        *self.lock.borrow_mut() = Some(lock);
        Ok(Some(Box::new(Release(self.lock.clone()))))
    }
}
