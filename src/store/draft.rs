//! Files of an epoch that does not count yet.
//!
//! Nobody can see them before `publish`, so they are written under their own names and synced in
//! groups: two syncs a file would take longer than everything else of a rewrite. Each is synced
//! through the very handle that wrote it, which is the one that learns of a failed write-back.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Revision;
use super::disk::open_new;
use super::error::StoreError;
use super::name::Name;

/// So much may be written and not synced, to keep a sync from taking all memory and minutes;
const UNSYNCED_BYTES_MAX: u64 = 32 << 20;
/// and so many files be open.
const UNSYNCED_FILES_MAX: usize = 64;

#[derive(Default)]
pub(super) struct Drafts {
    unsynced: Mutex<Unsynced>,
}

#[derive(Default)]
struct Unsynced {
    files: Vec<(String, File)>,
    bytes: u64,
}

/// A file of a draft being written; removed unless it is finished.
pub(super) struct DraftFile<'a> {
    drafts: &'a Drafts,
    name: String,
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl Drafts {
    /// Of every file of a draft: no handle can hold one, since it goes by another name later.
    pub(super) const REVISION: Revision = Revision(0);

    fn lock(&self) -> MutexGuard<'_, Unsynced> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn create(&self, name: &Name, path: &Path) -> Result<DraftFile<'_>, StoreError> {
        let file =
            open_new(path).map_err(|source| StoreError::from_io(name.to_string(), source))?;
        Ok(DraftFile {
            drafts: self,
            name: name.to_string(),
            path: path.to_owned(),
            file: Some(file),
            bytes: 0,
        })
    }

    /// Makes every finished file durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let Unsynced { files, .. } = std::mem::take(&mut *self.lock());
        for (file, handle) in files {
            if let Err(source) = handle.sync_all() {
                return Err(StoreError::Sync { file, source });
            }
        }
        Ok(())
    }

    /// Drops what will not be published.
    pub(super) fn forget(&self) {
        *self.lock() = Unsynced::default();
    }
}

impl DraftFile<'_> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let file = self.file.as_mut().expect("a file is finished only once");
        self.bytes += bytes.len() as u64;
        let written = file.write_all(bytes);
        written.map_err(|source| StoreError::from_io(&self.name, source))
    }

    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        let file = self.file.take().expect("a file is finished only once");
        let mut unsynced = self.drafts.lock();
        unsynced.files.push((std::mem::take(&mut self.name), file));
        unsynced.bytes += self.bytes;
        let full =
            unsynced.bytes >= UNSYNCED_BYTES_MAX || unsynced.files.len() >= UNSYNCED_FILES_MAX;
        drop(unsynced);
        if full { self.drafts.sync() } else { Ok(()) }
    }
}

impl Drop for DraftFile<'_> {
    fn drop(&mut self) {
        if self.file.is_some() {
            std::fs::remove_file(&self.path).ok();
        }
    }
}
