//! The lock file: `flock` on a permanent file, and one line in it that says who holds it.
//!
//! flock belongs to the open handle: each acquisition has one of its own, so that threads of one
//! process exclude each other as processes do. One handle stays open for the next. The file is
//! never renamed or removed; should a person do so, the new one is locked. On Rust 1.89
//! and later std has methods of the same names, so fs2's are called in full, here only.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt as _, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Holder, StoreError};
use super::name::LOCK;
use super::{Exclusive, Purpose, Shared, Wait};

/// The information line is padded to one length, so that it is one write without a truncation.
const LINE_BYTES: usize = 64;

enum Kind {
    Shared,
    Exclusive,
}

/// The lock file of a store.
pub(super) struct LockFile {
    path: PathBuf,
    idle: Idle,
}

/// A handle that holds no lock.
type Idle = Arc<Mutex<Option<Handle>>>;

struct Handle {
    file: File,
    device: u64,
    inode: u64,
}

impl LockFile {
    pub(super) fn new(dir: &Path) -> Self {
        LockFile {
            path: dir.join(LOCK),
            idle: Idle::default(),
        }
    }

    pub(super) fn exclusive(&self, purpose: Purpose, wait: Wait) -> Result<Exclusive, StoreError> {
        let held = self.acquire(Kind::Exclusive, Some(purpose), wait)?;
        // For messages only: a full disk must not stand in the way of a lock.
        held.file().write_all_at(&line(purpose), 0).ok();
        Ok(Exclusive {
            _held: Box::new(held),
        })
    }

    pub(super) fn shared(&self, wait: Wait) -> Result<Shared, StoreError> {
        Ok(Shared {
            _held: Box::new(self.acquire(Kind::Shared, None, wait)?),
        })
    }

    /// The idle handle, while the file under the name is still its own; else a new one.
    fn handle(&self) -> Result<Handle, StoreError> {
        let fail = |source| StoreError::from_io(LOCK, source);
        if let Some(handle) = slot(&self.idle).take()
            && std::fs::symlink_metadata(&self.path)
                .is_ok_and(|found| (found.dev(), found.ino()) == (handle.device, handle.inode))
        {
            return Ok(handle);
        }
        let file = super::disk::open_lock(&self.path)?;
        let opened = file.metadata().map_err(fail)?;
        Ok(Handle {
            file,
            device: opened.dev(),
            inode: opened.ino(),
        })
    }
}

fn slot(idle: &Idle) -> MutexGuard<'_, Option<Handle>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unlocks when it is dropped.
struct Held {
    handle: Option<Handle>,
    purpose: Option<Purpose>,
    idle: Idle,
}

impl Held {
    fn file(&self) -> &File {
        &self.handle.as_ref().expect("it is there until drop").file
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else {
            return;
        };
        // Whoever finds this line later must not wait without limit for a rewrite that is over.
        if self
            .purpose
            .is_some_and(|purpose| Purpose::is_rewrite(purpose.word()))
        {
            handle.file.write_all_at(&[b' '; LINE_BYTES - 1], 0).ok();
        }
        // Where unlocking fails, closing the file does it.
        if fs2::FileExt::unlock(&handle.file).is_ok() {
            *slot(&self.idle) = Some(handle);
        }
    }
}

/// Takes the lock of `path` if nobody has it.
pub(super) fn try_exclusive(file: File) -> Option<Exclusive> {
    fs2::FileExt::try_lock_exclusive(&file).ok()?;
    Some(Exclusive {
        _held: Box::new(file),
    })
}

/// Whether somebody holds the exclusive lock now, and who says to.
pub(super) fn held_now(dir: &Path) -> Option<Option<Holder>> {
    let path = dir.join(LOCK);
    let file = File::open(&path).ok()?;
    match fs2::FileExt::try_lock_shared(&file) {
        Ok(()) => None,
        Err(_) => Some(holder(&path)),
    }
}

impl LockFile {
    fn acquire(
        &self,
        kind: Kind,
        purpose: Option<Purpose>,
        wait: Wait,
    ) -> Result<Held, StoreError> {
        let handle = self.handle()?;
        take(&handle.file, &self.path, kind, wait)?;
        Ok(Held {
            handle: Some(handle),
            purpose,
            idle: self.idle.clone(),
        })
    }
}

fn take(file: &File, path: &Path, kind: Kind, wait: Wait) -> Result<(), StoreError> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(200);
    let mut told = false;
    loop {
        let outcome = match kind {
            Kind::Shared => fs2::FileExt::try_lock_shared(file),
            Kind::Exclusive => fs2::FileExt::try_lock_exclusive(file),
        };
        match outcome {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(StoreError::from_io(LOCK, source)),
        }
        let holder = holder(path);
        let rewrite = holder
            .as_ref()
            .is_some_and(|h| Purpose::is_rewrite(&h.command));
        if rewrite && !told && started.elapsed() > Duration::from_millis(500) {
            holder.iter().for_each(|holder| (wait.on_rewrite)(holder));
            told = true;
        }
        if !rewrite && started.elapsed() >= wait.limit {
            return Err(StoreError::Locked { holder });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells people since when; nothing is decided by it"
)]
fn line(purpose: Purpose) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let since = now.map_or(0, |age| age.as_secs());
    let mut line = format!("{} {since} {}", std::process::id(), purpose.word()).into_bytes();
    line.resize(LINE_BYTES - 1, b' ');
    line.push(b'\n');
    line
}

/// Reads who says to hold the lock. Another process may be writing it: anything odd is nobody.
fn holder(path: &Path) -> Option<Holder> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(LINE_BYTES as u64)
        .read_to_string(&mut text)
        .ok()?;
    let mut words = text.split_whitespace();
    Some(Holder {
        pid: words.next()?.parse().ok()?,
        since: words.next()?.parse().ok()?,
        command: words
            .next()?
            .chars()
            .filter(char::is_ascii_lowercase)
            .take(20)
            .collect(),
    })
}
