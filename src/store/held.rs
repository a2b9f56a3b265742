//! Files that are held open: the header and the tail.
//!
//! A file that is held keeps its inode, so that equal device and inode numbers under its name mean
//! the very same file.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Revision;
use super::error::StoreError;
use super::name::{Name, Part};

/// The tails and headers of the last few epochs; more are never needed at once.
const HELD_MAX: usize = 4;

struct Entry {
    name: Name,
    file: Arc<File>,
    device: u64,
    inode: u64,
    revision: Revision,
}

/// A file as it is under its name now.
pub(super) struct Current {
    pub(super) revision: Revision,
    pub(super) file: Arc<File>,
    pub(super) len: u64,
}

#[derive(Default)]
pub(super) struct Held {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: Vec<Entry>,
    last: u64,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file under `path` now, opened at its first sight and held from then on.
    pub(super) fn current(&self, name: &Name, path: &Path) -> Result<Option<Current>, StoreError> {
        let fail = |source| StoreError::from_io(name.to_string(), source);
        let found = match std::fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(fail(source)),
        };
        let mut inner = self.lock();
        let same = |entry: &&Entry| entry.name == *name && entry.is(&found);
        if let Some(place) = inner.entries.iter().position(|entry| same(&entry)) {
            // What was asked for last goes last: the header that is asked for always, never.
            let entry = inner.entries.remove(place);
            let current = entry.current(found.len());
            inner.entries.push(entry);
            return Ok(Some(current));
        }
        let writable = matches!(name, Name::In(_, Part::Tail(_)));
        let Some(file) = super::disk::open_existing(path, writable).map_err(fail)? else {
            return Ok(None);
        };
        let opened = file.metadata().map_err(fail)?;
        inner.last += 1;
        let entry = Entry {
            name: *name,
            device: opened.dev(),
            inode: opened.ino(),
            revision: Revision(inner.last),
            file: Arc::new(file),
        };
        let current = entry.current(opened.len());
        if inner.entries.len() == HELD_MAX {
            inner.entries.remove(0);
        }
        inner.entries.push(entry);
        Ok(Some(current))
    }

    /// The file of an earlier `current`, while it is still the one under its name.
    pub(super) fn unchanged(
        &self,
        name: &Name,
        path: &Path,
        held: Revision,
    ) -> Result<Arc<File>, StoreError> {
        match self.current(name, path)? {
            Some(current) if current.revision == held => Ok(current.file),
            _ => Err(StoreError::Conflict {
                file: name.to_string(),
            }),
        }
    }

    /// The file of an earlier `current` and its length, while it has a name at all: one that was
    /// replaced has none any more.
    pub(super) fn linked(
        &self,
        name: &Name,
        held: Revision,
    ) -> Result<(Arc<File>, u64), StoreError> {
        let conflict = || StoreError::Conflict {
            file: name.to_string(),
        };
        let is = |entry: &&Entry| entry.name == *name && entry.revision == held;
        let file = self
            .lock()
            .entries
            .iter()
            .find(is)
            .map(|entry| entry.file.clone());
        let file = file.ok_or_else(conflict)?;
        let found = file
            .metadata()
            .map_err(|source| StoreError::from_io(name.to_string(), source))?;
        match found.nlink() {
            0 => Err(conflict()),
            _ => Ok((file, found.len())),
        }
    }

    /// Forgets a file whose sync failed: its descriptor must not be trusted again.
    pub(super) fn forget(&self, name: &Name) {
        self.lock().entries.retain(|entry| entry.name != *name);
    }
}

impl Entry {
    fn current(&self, len: u64) -> Current {
        Current {
            revision: self.revision,
            file: self.file.clone(),
            len,
        }
    }

    fn is(&self, found: &Metadata) -> bool {
        (self.device, self.inode) == (found.dev(), found.ino())
    }
}
