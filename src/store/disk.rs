//! The few ways in which files and directories are opened, written whole and synced.
//!
//! Nothing is ever opened through a symbolic link, and what is made is for its owner alone.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::error::StoreError;
use super::name::{self, LOCK};
use crate::seal::Random;

/// Room that a write leaves on the disk beyond its own size.
const SPACE_LEFT_BYTES: u64 = 64 * 1024;

pub(super) fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
    Ok(File::from(fd))
}

/// Opens a regular file that is there.
pub(super) fn open_existing(path: &Path, writable: bool) -> io::Result<Option<File>> {
    let both = OFlags::RDWR | OFlags::APPEND;
    // NONBLOCK: a fifo under our name must not hang the open.
    let opened = match open(
        path,
        OFlags::NONBLOCK | if writable { both } else { OFlags::RDONLY },
    ) {
        // What may not be written can still be read.
        Err(e)
            if writable
                && matches!(
                    e.kind(),
                    ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
                ) =>
        {
            open(path, OFlags::NONBLOCK | OFlags::RDONLY)
        }
        other => other,
    };
    match opened {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "not a regular file",
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads so many bytes from `at`; fewer where the file ends before.
pub(super) fn read_up_to(file: &File, at: u64, wanted: u64) -> io::Result<Vec<u8>> {
    let mut out = vec![0; wanted as usize];
    let mut got = 0;
    while got < out.len() {
        match file.read_at(&mut out[got..], at + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.truncate(got);
    Ok(out)
}

/// Opens the lock file, which is made at the first sight of a directory.
pub(super) fn open_lock(path: &Path) -> Result<File, StoreError> {
    let fail = |source| StoreError::from_io(LOCK, source);
    match open(path, OFlags::RDWR) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            open(path, OFlags::RDWR | OFlags::CREATE).map_err(fail)
        }
        // On a read-only disk nobody writes; a shared lock on a handle that reads is enough.
        Err(e)
            if matches!(
                e.kind(),
                ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
            ) =>
        {
            open(path, OFlags::RDONLY).map_err(fail)
        }
        other => other.map_err(fail),
    }
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY)?.sync_all()
}

/// Opens a file that must not be there yet.
pub(super) fn open_new(path: &Path) -> io::Result<File> {
    open(path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)
}

pub(super) fn make_dir(path: &Path) -> Result<(), StoreError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::from_io(path.display().to_string(), source)),
    }
}

pub(super) fn check_space(root: &Path, file: &str, needed: u64) -> Result<(), StoreError> {
    let Ok(space) = rustix::fs::statvfs(root) else {
        return Ok(());
    };
    let left = space.f_bavail.saturating_mul(space.f_frsize);
    if left < needed.saturating_add(SPACE_LEFT_BYTES) {
        return Err(StoreError::NoSpace {
            file: file.to_owned(),
            needed,
        });
    }
    Ok(())
}

/// Writes a synced temporary file beside `path` and renames it there.
pub(super) fn write_whole(path: &Path, bytes: &[u8], name_lasts: bool) -> Result<(), StoreError> {
    let file_name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let fail = |source| StoreError::from_io(&file_name, source);
    let parent = path.parent().unwrap_or(Path::new("."));
    check_space(parent, &file_name, bytes.len() as u64)?;
    let token = Random::bytes().map_err(|_| fail(ErrorKind::Other.into()))?;
    let temporary = parent.join(name::temporary(&file_name, token));
    let mut file = open_new(&temporary).map_err(fail)?;
    let synced = |source| StoreError::Sync {
        file: file_name.clone(),
        source,
    };
    let written = file
        .write_all(bytes)
        .map_err(fail)
        .and_then(|()| file.sync_all().map_err(synced))
        .and_then(|()| fs::rename(&temporary, path).map_err(fail));
    if let Err(error) = written {
        fs::remove_file(&temporary).ok();
        return Err(error);
    }
    if name_lasts {
        sync_dir(parent).map_err(|source| StoreError::Sync {
            file: file_name.clone(),
            source,
        })?;
    }
    Ok(())
}

/// Syncs a directory that is not ours, where it lets itself be opened.
pub(super) fn sync_dir_if_readable(path: &Path) -> io::Result<()> {
    match open(path, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(dir) => dir.sync_all(),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}
