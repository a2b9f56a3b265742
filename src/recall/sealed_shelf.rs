//! The vault's own shelf: index files as sealed blobs.

use std::rc::Rc;

use zeroize::Zeroizing;

use super::shelf::{FileMark, SealedManifest, Shelf, ShelfError, ShelfLock};
use crate::vault::{IndexFiles, SealedFile, VaultError};

/// Index files of an open vault. Writing needs the lock that `try_lock` gave.
pub struct SealedShelf {
    files: Rc<dyn IndexFiles>,
}

impl SealedShelf {
    pub fn new(files: Box<dyn IndexFiles>) -> Self {
        SealedShelf {
            files: files.into(),
        }
    }
}

fn shelf_error(error: VaultError) -> ShelfError {
    match error {
        VaultError::Restless => ShelfError::Missing,
        VaultError::IndexNotLocked => ShelfError::Conflict,
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
struct Release(Rc<dyn IndexFiles>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.unlock();
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
        let file = self.files.write(bytes).map_err(shelf_error)?;
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
        self.files.remove(*name).map_err(shelf_error)
    }

    fn list(&self) -> Result<Vec<[u8; 16]>, ShelfError> {
        self.files.list().map_err(shelf_error)
    }

    fn manifest(&self) -> Result<Option<SealedManifest>, ShelfError> {
        let manifest = self.files.manifest().map_err(shelf_error)?;
        Ok(manifest.map(|(generation, bytes)| SealedManifest { generation, bytes }))
    }

    fn replace_manifest(&self, expected: Option<u64>, bytes: &[u8]) -> Result<u64, ShelfError> {
        self.files
            .replace_manifest(expected, bytes)
            .map_err(shelf_error)?
            .ok_or(ShelfError::Conflict)
    }

    fn try_lock(&self) -> Result<Option<ShelfLock>, ShelfError> {
        let taken = self.files.lock().map_err(shelf_error)?;
        Ok(taken.then(|| Box::new(Release(self.files.clone())) as ShelfLock))
    }
}
