//! The file of an export: plaintext, for its owner alone, and complete or not there at all.
//!
//! It has no name while it is written, where the file system can do that (`O_TMPFILE`), so that a
//! killed export leaves nothing; it gets its name only if nothing has it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

/// A file on its way.
pub(super) struct PlainFile {
    file: io::BufWriter<File>,
    target: PathBuf,
    /// Where it stands under another name meanwhile, to be removed with it.
    temporary: Option<PathBuf>,
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

impl PlainFile {
    /// Starts a file that will be `target`, which must not be there.
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        if fs::symlink_metadata(target).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let mode = Mode::RUSR | Mode::WUSR;
        let (file, temporary) = match unnamed(parent(target), mode) {
            Ok(file) => (file, None),
            Err(_) => {
                let mut name = std::ffi::OsString::from(".");
                name.push(target.file_name().unwrap_or_default());
                name.push(format!(".{}.part", std::process::id()));
                let path = target.with_file_name(name);
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                (
                    File::from(rustix::fs::open(&path, flags, mode)?),
                    Some(path),
                )
            }
        };
        let file = io::BufWriter::with_capacity(1 << 16, file);
        Ok(PlainFile {
            file,
            target: target.to_owned(),
            temporary,
        })
    }

    /// Makes the content durable and gives it its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        match &self.temporary {
            Some(path) => fs::hard_link(path, &self.target)?,
            None => self.name()?,
        }
        File::open(parent(&self.target))?.sync_all()
    }

    #[cfg(target_os = "linux")]
    fn name(&self) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let own = format!("/proc/self/fd/{}", self.file.get_ref().as_raw_fd());
        Ok(rustix::fs::linkat(
            CWD,
            own,
            CWD,
            &self.target,
            AtFlags::SYMLINK_FOLLOW,
        )?)
    }

    #[cfg(not(target_os = "linux"))]
    fn name(&self) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

#[cfg(target_os = "linux")]
fn unnamed(dir: &Path, mode: Mode) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(dir, flags, mode)?))
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_dir: &Path, _mode: Mode) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

impl Write for PlainFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PlainFile {
    fn drop(&mut self) {
        if let Some(path) = &self.temporary {
            fs::remove_file(path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_complete_and_private_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let mut file = PlainFile::create(&target).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut file = PlainFile::create(&target).unwrap();
        file.write_all(b"whole").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(
            fs::metadata(&target).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let again = PlainFile::create(&target).err().map(|error| error.kind());
        assert_eq!(again, Some(ErrorKind::AlreadyExists));
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let file = PlainFile::create(&target).unwrap();
        fs::hard_link("Cargo.toml", &target)
            .or_else(|_| fs::copy("Cargo.toml", &target).map(|_| ()))
            .unwrap();
        let before = fs::metadata(&target).unwrap().len();
        assert!(file.finish().is_err());
        assert_eq!(fs::metadata(&target).unwrap().len(), before);
    }
}
