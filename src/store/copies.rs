//! Copies of a vault's files under names that are not theirs: what sync tools leave of a conflict,
//! and whole copies of the directory. They are told by their own heads, never by their names, and
//! nothing here ever opens one in place of the real file.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::disk::open_existing;
use super::error::StoreError;
use super::name::{Dir, Part, QUARANTINE};
use crate::seal::{BlobKind, ClearHead, EpochId, HEAD_BYTES, VaultId};

/// Directories below the one that is named which are looked through.
const DEPTH_MAX: usize = 4;
/// Files that are looked at; a vault of ten million records has fewer.
const FILES_MAX: usize = 100_000;
/// What a file of the log has at the most is far below: a tail or a segment of one large append.
const COPY_BYTES_MAX: u64 = 64 << 20;

/// A copy of a tail or a segment, as its head says; untrusted until it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCopy {
    pub path: PathBuf,
    pub vault: VaultId,
    pub epoch: EpochId,
    /// `Tail` or `Segment`, with its number.
    pub part: Part,
    pub bytes: u64,
}

impl LogCopy {
    /// Recognises one file; none if it is no file of a log.
    pub fn recognise(path: &Path) -> Result<Option<Self>, StoreError> {
        let fail = |source| StoreError::from_io(path.display().to_string(), source);
        let Some(file) = open_existing(path, false).map_err(fail)? else {
            return Ok(None);
        };
        let mut head = [0; HEAD_BYTES];
        match file.read_exact_at(&mut head, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other.map_err(fail)?,
        }
        let bytes = file.metadata().map_err(fail)?.len();
        Ok(ClearHead::read(&head).and_then(|head| {
            let number = head.object.number()?;
            let part = match head.kind? {
                BlobKind::Tail => Part::Tail(number),
                BlobKind::Segment => Part::Segment(number),
                _ => return None,
            };
            Some(LogCopy {
                path: path.to_owned(),
                vault: head.vault,
                epoch: head.epoch,
                part,
                bytes,
            })
        }))
    }

    /// Reads the whole file, unless it is longer than a file of a log can be.
    pub fn read(&self) -> Result<Vec<u8>, StoreError> {
        self.read_start(usize::MAX)
    }

    /// Reads at most `len` bytes of its start.
    pub fn read_start(&self, len: usize) -> Result<Vec<u8>, StoreError> {
        let shown = || self.path.display().to_string();
        let fail = |source| StoreError::from_io(shown(), source);
        let file = open_existing(&self.path, false).map_err(fail)?;
        let file = file.ok_or_else(|| StoreError::Vanished { file: shown() })?;
        let mut out = Vec::new();
        let wanted = (COPY_BYTES_MAX + 1).min(len as u64);
        io::Read::read_to_end(&mut io::Read::take(file, wanted), &mut out).map_err(fail)?;
        if out.len() as u64 > COPY_BYTES_MAX {
            return Err(fail(io::ErrorKind::FileTooLarge.into()));
        }
        Ok(out)
    }
}

/// Finds the copies of logs at or below `path`, in the order of their names. The files of the vault
/// in `state_dir` itself are none.
pub fn log_copies(path: &Path, state_dir: &Path) -> Result<Vec<LogCopy>, StoreError> {
    let fail = |source| StoreError::from_io(path.display().to_string(), source);
    // A link that a person names is followed; those below it are not.
    let path = fs::canonicalize(path).map_err(fail)?;
    let own = fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
    let mut found = Vec::new();
    if fs::metadata(&path).map_err(fail)?.is_dir() {
        let mut left = FILES_MAX;
        look(&path, &own, DEPTH_MAX, &mut left, &mut found)?;
    } else {
        found.extend(LogCopy::recognise(&path)?);
    }
    found.sort_by(|one, two| one.path.cmp(&two.path));
    Ok(found)
}

fn look(
    dir: &Path,
    own: &Path,
    depth: usize,
    left: &mut usize,
    found: &mut Vec<LogCopy>,
) -> Result<(), StoreError> {
    let fail = |source| StoreError::from_io(dir.display().to_string(), source);
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let kind = entry.file_type().map_err(fail)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        *left = left.saturating_sub(1);
        if *left == 0 {
            return Err(fail(io::ErrorKind::FileTooLarge.into()));
        }
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() && depth > 0 && name != QUARANTINE {
            look(&path, own, depth - 1, left, found)?;
        } else if kind.is_file() && !is_own(&path, own) {
            found.extend(LogCopy::recognise(&path)?);
        }
    }
    Ok(())
}

/// Whether it is a file of the vault in `own`, at its proper name.
fn is_own(path: &Path, own: &Path) -> bool {
    let Ok(below) = path.strip_prefix(own) else {
        return false;
    };
    let parts: Vec<&str> = below.iter().filter_map(|part| part.to_str()).collect();
    match parts.as_slice() {
        [dir, folder, file] => {
            Dir::parse(dir).is_some() && Part::parse(Some(folder), file).is_some()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{Tail, TailStart, VaultKey};

    fn tail_file(number: u64) -> (Vec<u8>, VaultId, EpochId) {
        let (vault, epoch) = (VaultId([1; 16]), EpochId([2; 16]));
        let data = VaultKey::draw(vault).unwrap().data_key(epoch);
        let start = TailStart {
            before: data.chain().start(),
        };
        let (_, sealed) = Tail::create(&data, number, start).unwrap();
        (sealed.bytes().to_vec(), vault, epoch)
    }

    #[expect(clippy::disallowed_methods, reason = "a sync tool writes as it likes")]
    fn put(path: &Path, bytes: &[u8]) {
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn copies_are_told_by_their_heads_and_the_vaults_own_files_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let (file, vault, epoch) = tail_file(7);
        let log = dir
            .path()
            .join(Dir::Live(epoch).file_name())
            .join("session_log");
        fs::create_dir_all(&log).unwrap();
        fs::create_dir(dir.path().join(QUARANTINE)).unwrap();
        for name in [
            "00000007.tail",
            "00000007.sync-conflict-20261122-101112-ABCDEF.tail",
            "holiday.jpg",
            ".00000007.tail.0123456789abcdef.tmp",
        ] {
            put(&log.join(name), &file);
        }
        put(&dir.path().join(QUARANTINE).join("x.tail"), &file);
        put(&log.join("short (conflicted copy).tail"), &file[..100]);
        put(&log.join("notes.txt"), &[b'x'; 500]);
        std::os::unix::fs::symlink(log.join("holiday.jpg"), log.join("link.tail")).unwrap();
        let found = log_copies(dir.path(), dir.path()).unwrap();
        let names: Vec<_> = found.iter().map(|c| c.path.file_name().unwrap()).collect();
        let expected = [
            "00000007.sync-conflict-20261122-101112-ABCDEF.tail",
            "holiday.jpg",
        ];
        assert_eq!(names, expected);
        assert!(found.iter().all(|copy| copy.vault == vault
            && copy.epoch == epoch
            && copy.part == Part::Tail(7)
            && copy.bytes == file.len() as u64));
        // Seen from another vault, the one at its proper name is a copy too.
        assert_eq!(log_copies(dir.path(), &log).unwrap().len(), 3);
        let one = log_copies(&log.join("holiday.jpg"), dir.path()).unwrap();
        assert_eq!(one[0].read().unwrap(), file);
        assert!(log_copies(&log.join("nothing"), dir.path()).is_err());
    }
}
