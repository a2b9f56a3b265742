//! Files of an epoch that does not count yet.
//!
//! Nobody can see them before `publish`, so they are written under their own names, and synced by
//! threads of their own while the next are being written: two syncs a file, one after the other,
//! would take longer than everything else of a rewrite. Syncs that wait together share the flush of
//! the disk. Each file is synced through the very handle that wrote it, which is the one that
//! learns of a failed write-back.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::Revision;
use super::disk::open_new;
use super::error::StoreError;
use super::name::Name;

/// So many files are synced together,
const SYNC_THREADS: usize = 8;
/// and so many may wait for it.
const WAITING_FILES_MAX: usize = 8;

#[derive(Default)]
pub(super) struct Drafts {
    syncing: Mutex<Option<Syncing>>,
}

type Waiting = Arc<Mutex<Receiver<(String, File)>>>;

/// The threads that sync; each ends with its first failure, or when there is nothing more to come.
struct Syncing {
    files: SyncSender<(String, File)>,
    threads: Vec<JoinHandle<Result<(), StoreError>>>,
}

/// A file of a draft being written; removed unless it is finished.
pub(super) struct DraftFile<'a> {
    drafts: &'a Drafts,
    name: String,
    path: PathBuf,
    file: Option<File>,
}

fn sync_file(name: String, file: &File) -> Result<(), StoreError> {
    file.sync_all()
        .map_err(|source| StoreError::Sync { file: name, source })
}

fn sync_each(waiting: &Waiting) -> Result<(), StoreError> {
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv()
    };
    while let Ok((name, file)) = next() {
        sync_file(name, &file)?;
    }
    Ok(())
}

impl Syncing {
    fn start() -> std::io::Result<Self> {
        let (files, waiting) = sync_channel(WAITING_FILES_MAX);
        let waiting: Waiting = Arc::new(Mutex::new(waiting));
        let start = |_| {
            let waiting = waiting.clone();
            let thread = std::thread::Builder::new().name("syncer".to_owned());
            thread.spawn(move || sync_each(&waiting))
        };
        let threads = (0..SYNC_THREADS).map(start).collect::<Result<_, _>>()?;
        Ok(Syncing { files, threads })
    }

    /// Waits until everything is synced.
    fn end(self) -> Result<(), StoreError> {
        drop(self.files);
        let mut all = Ok(());
        for thread in self.threads {
            let ended = thread.join();
            all = all.and(ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    }
}

impl Drafts {
    /// Of every file of a draft: no handle can hold one, since it goes by another name later.
    pub(super) const REVISION: Revision = Revision(0);

    fn lock(&self) -> MutexGuard<'_, Option<Syncing>> {
        self.syncing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn create(&self, name: &Name, path: &Path) -> Result<DraftFile<'_>, StoreError> {
        let file =
            open_new(path).map_err(|source| StoreError::from_io(name.to_string(), source))?;
        Ok(DraftFile {
            drafts: self,
            name: name.to_string(),
            path: path.to_owned(),
            file: Some(file),
        })
    }

    /// Waits until every finished file is durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let syncing = self.lock().take();
        syncing.map_or(Ok(()), Syncing::end)
    }

    /// Drops what will not be published.
    pub(super) fn forget(&self) {
        self.sync().ok();
    }

    fn hand_over(&self, name: String, file: File) -> Result<(), StoreError> {
        let mut syncing = self.lock();
        if syncing.is_none() {
            *syncing = Syncing::start().ok();
        }
        let Some(running) = syncing.as_ref() else {
            // No thread to be had: slower, and as durable.
            return sync_file(name, &file);
        };
        if running.files.send((name, file)).is_ok() {
            return Ok(());
        }
        // They have ended, so they have failed.
        drop(syncing);
        self.sync()
    }
}

impl DraftFile<'_> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let file = self.file.as_mut().expect("a file is finished only once");
        let written = file.write_all(bytes);
        written.map_err(|source| StoreError::from_io(&self.name, source))
    }

    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        let file = self.file.take().expect("a file is finished only once");
        self.drafts.hand_over(std::mem::take(&mut self.name), file)
    }
}

impl Drop for DraftFile<'_> {
    fn drop(&mut self) {
        if self.file.is_some() {
            std::fs::remove_file(&self.path).ok();
        }
    }
}
