//! The lock file: `flock` on a permanent file, and one line in it that says who holds it.
//!
//! Each acquisition opens the file anew: flock belongs to the open handle, so threads of one
//! process exclude each other as processes do. The file is never renamed or removed. On Rust 1.89
//! and later std has methods of the same names, so fs2's are called in full, here only.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
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

pub(super) fn exclusive(dir: &Path, purpose: Purpose, wait: Wait) -> Result<Exclusive, StoreError> {
    let file = acquire(dir, Kind::Exclusive, wait)?;
    // For messages only: a full disk must not stand in the way of a lock.
    file.write_all_at(&line(purpose), 0).ok();
    Ok(Exclusive {
        _held: Box::new(Held { file, purpose }),
    })
}

/// Unlocks when the file is closed.
struct Held {
    file: File,
    purpose: Purpose,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Whoever finds this line later must not wait without limit for a rewrite that is over.
        if Purpose::is_rewrite(self.purpose.word()) {
            self.file.write_all_at(&[b' '; LINE_BYTES - 1], 0).ok();
        }
    }
}

pub(super) fn shared(dir: &Path, wait: Wait) -> Result<Shared, StoreError> {
    Ok(Shared {
        _held: Box::new(acquire(dir, Kind::Shared, wait)?),
    })
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

fn acquire(dir: &Path, kind: Kind, wait: Wait) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let file = super::disk::open_lock(&path)?;
    let started = Instant::now();
    let mut pause = Duration::from_micros(200);
    let mut told = false;
    loop {
        let outcome = match kind {
            Kind::Shared => fs2::FileExt::try_lock_shared(&file),
            Kind::Exclusive => fs2::FileExt::try_lock_exclusive(&file),
        };
        match outcome {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(StoreError::from_io(LOCK, source)),
        }
        let holder = holder(&path);
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
