//! The file store: one directory, no server.
//!
//! A file that is replaced is written to a temporary file beside it, synced, and renamed; any
//! error removes the temporary file and leaves the old one. A tail is appended to by one write and
//! one sync. Nothing is ever written through a symbolic link.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::disk::{
    check_space, make_dir, open_existing, open_lock, read_up_to, sync_dir, sync_dir_if_readable,
    write_whole,
};
use super::draft::Drafts;
use super::error::StoreError;
use super::held::Held;
use super::lock::{self, LockFile};
use super::name::{
    Dir, HEADER, LOCK, Name, Part, QUARANTINE, SEARCH_INDEX, SESSION_LOG, is_temporary,
};
use super::watch::{Watching, watch};
use super::witness_file::WitnessFile;
use super::{Claim, Exclusive, Expected, Found, Purpose, Revision, Shared, Store, Wait};
use crate::seal::{EpochId, Random, Sealed, SealedFrames, VaultId};

/// How much of a file is copied at once.
const COPY_BYTES: u64 = 1 << 20;

/// A vault's directory, and the directory of this machine's witnesses.
pub struct FileStore {
    root: PathBuf,
    lock: LockFile,
    witness: WitnessFile,
    held: Held,
    drafts: Drafts,
    /// A directory that was open to other users when it was found, and is not any more.
    tightened: Option<u32>,
}

/// An empty file that is locked as long as it is claimed, and removed with the claim. Whoever
/// opens it in that very moment locks a file without a name: two windows then share a name, which
/// costs nothing but the order of what they say.
struct Claimed {
    path: PathBuf,
    _held: Exclusive,
}

impl Drop for Claimed {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

impl FileStore {
    /// Opens a directory that is there and belongs to the caller. One that others can enter is
    /// closed to them, and `tightened` tells what its mode was.
    pub fn open(root: &Path, witness_dir: &Path) -> Result<Self, StoreError> {
        let shown = root.display().to_string();
        let root = match fs::canonicalize(root) {
            Ok(root) => root,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(StoreError::NoDirectory(shown));
            }
            Err(source) => return Err(StoreError::from_io(shown, source)),
        };
        let found = fs::metadata(&root).map_err(|source| StoreError::from_io(&shown, source))?;
        if !found.is_dir() {
            return Err(StoreError::NotADirectory(shown));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(StoreError::ForeignOwner {
                path: shown,
                uid: found.uid(),
            });
        }
        let mode = found.mode() & 0o7777;
        let mut tightened = None;
        if mode & 0o077 != 0 {
            fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).ok();
            tightened = Some(mode);
        }
        Ok(FileStore {
            lock: LockFile::new(&root),
            witness: WitnessFile::new(&root, witness_dir),
            root,
            held: Held::default(),
            drafts: Drafts::default(),
            tightened,
        })
    }

    /// Makes the directory, and its parents, if it is not there; then opens it.
    pub fn create(root: &Path, witness_dir: &Path) -> Result<Self, StoreError> {
        let fail = |source| StoreError::from_io(root.display().to_string(), source);
        if !root.exists() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(root)
                .map_err(fail)?;
            if let Some(parent) = root.parent().filter(|p| !p.as_os_str().is_empty()) {
                sync_dir_if_readable(parent).map_err(fail)?;
            }
        }
        FileStore::open(root, witness_dir)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The mode that the directory had, if others could enter it.
    pub fn tightened(&self) -> Option<u32> {
        self.tightened
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.root.join(name.path())
    }

    /// Makes sure that the directory a part lies in is there, durably.
    fn make_folder(&self, name: &Name) -> Result<(), StoreError> {
        let Name::In(dir, part) = name else {
            return Ok(());
        };
        let (Some(folder), _) = part.place() else {
            return Ok(());
        };
        let parent = self.root.join(dir.file_name());
        let path = parent.join(folder);
        if !path.is_dir() {
            make_dir(&path)?;
            sync_dir(&parent).map_err(|source| StoreError::from_io(folder, source))?;
        }
        Ok(())
    }

    fn sync_failed(&self, name: &Name, source: io::Error) -> StoreError {
        self.held.forget(name);
        StoreError::Sync {
            file: name.to_string(),
            source,
        }
    }

    /// Every entry of a directory with its name as text; none if there is no such directory.
    fn entries(&self, path: &Path) -> Result<Vec<(String, fs::DirEntry)>, StoreError> {
        let fail = |source| StoreError::from_io(path.display().to_string(), source);
        let listing = match fs::read_dir(path) {
            Ok(listing) => listing,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(fail(source)),
        };
        let mut entries = Vec::new();
        for entry in listing {
            let entry = entry.map_err(fail)?;
            entries.push((entry.file_name().to_string_lossy().into_owned(), entry));
        }
        Ok(entries)
    }

    /// Every entry of a directory of the format that has a name of the format.
    fn named(&self, dir: Dir) -> Result<Vec<(Name, fs::DirEntry)>, StoreError> {
        let top = self.root.join(dir.file_name());
        let mut named = Vec::new();
        for folder in [None, Some(SESSION_LOG), Some(SEARCH_INDEX)] {
            let path = folder.map_or_else(|| top.clone(), |folder| top.join(folder));
            for (name, entry) in self.entries(&path)? {
                let part = Part::parse(folder, &name);
                named.extend(part.map(|part| (Name::In(dir, part), entry)));
            }
        }
        Ok(named)
    }

    fn remove_temporary(&self, dir: &Path) -> Result<usize, StoreError> {
        let mut removed = 0;
        for (name, entry) in self.entries(dir)? {
            if is_temporary(&name) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                fs::remove_file(entry.path())
                    .map_err(|source| StoreError::from_io(&name, source))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

impl Store for FileStore {
    fn exclusive(&self, purpose: Purpose, wait: Wait) -> Result<Exclusive, StoreError> {
        self.lock.exclusive(purpose, wait)
    }

    fn shared(&self, wait: Wait) -> Result<Shared, StoreError> {
        self.lock.shared(wait)
    }

    fn index_lock(&self, epoch: EpochId) -> Result<Option<Exclusive>, StoreError> {
        let folder = self
            .root
            .join(Dir::Live(epoch).file_name())
            .join(SEARCH_INDEX);
        make_dir(&folder)?;
        Ok(lock::try_exclusive(open_lock(&folder.join(LOCK))?))
    }

    fn revision(&self, name: &Name) -> Result<Option<Revision>, StoreError> {
        Ok(self
            .held
            .current(name, &self.path(name))?
            .map(|current| current.revision))
    }

    fn size(&self, name: &Name) -> Result<Option<u64>, StoreError> {
        match fs::symlink_metadata(self.path(name)) {
            Ok(found) => Ok(Some(found.len())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::from_io(name.to_string(), source)),
        }
    }

    fn read(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_at(name, 0, usize::MAX)
    }

    fn read_at(&self, name: &Name, at: u64, len: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let fail = |source| StoreError::from_io(name.to_string(), source);
        let Some(file) = open_existing(&self.path(name), false).map_err(fail)? else {
            return Ok(None);
        };
        let size = file.metadata().map_err(fail)?.len();
        read_up_to(&file, at, size.saturating_sub(at).min(len as u64))
            .map(Some)
            .map_err(fail)
    }

    fn read_held(
        &self,
        name: &Name,
        held: Revision,
        at: u64,
        len: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match self.held.current(name, &self.path(name))? {
            Some(now) if now.revision == held => {
                read_up_to(&now.file, at, now.len.saturating_sub(at).min(len as u64))
                    .map(Some)
                    .map_err(|source| StoreError::from_io(name.to_string(), source))
            }
            _ => Ok(None),
        }
    }

    fn replace(
        &self,
        _lock: &Exclusive,
        name: &Name,
        expected: Expected,
        bytes: &Sealed,
    ) -> Result<Revision, StoreError> {
        let path = self.path(name);
        let conflict = || StoreError::Conflict {
            file: name.to_string(),
        };
        match expected {
            Expected::Anything => {}
            Expected::Absent => {
                if self.size(name)?.is_some() {
                    return Err(conflict());
                }
            }
            Expected::Unchanged(held) => {
                self.held.unchanged(name, &path, held)?;
            }
        }
        self.make_folder(name)?;
        if let Name::In(Dir::Draft(..), _) = name {
            // What nobody can see yet needs no temporary name, and no sync of its own.
            check_space(&self.root, &name.to_string(), bytes.bytes().len() as u64)?;
            let mut file = self.drafts.create(name, &path)?;
            file.write(bytes.bytes())?;
            file.finish()?;
            return Ok(Drafts::REVISION);
        }
        let lasts = !matches!(name, Name::In(_, part) if part.is_rebuildable());
        write_whole(&path, bytes.bytes(), lasts)?;
        self.revision(name)?.ok_or_else(conflict)
    }

    fn copy_from(
        &self,
        _lock: &Exclusive,
        name: &Name,
        source: &dyn Store,
        from: &Name,
        bytes: u64,
    ) -> Result<(), StoreError> {
        self.make_folder(name)?;
        check_space(&self.root, &name.to_string(), bytes)?;
        let mut file = self.drafts.create(name, &self.path(name))?;
        let mut at = 0;
        while at < bytes {
            let len = (bytes - at).min(COPY_BYTES);
            let part = source.read_at(from, at, len as usize)?;
            match part {
                Some(part) if part.len() as u64 == len => file.write(&part)?,
                _ => {
                    let file = from.to_string();
                    return Err(StoreError::Vanished { file });
                }
            }
            at += len;
        }
        file.finish()
    }

    fn ensure_space(&self, bytes: u64) -> Result<(), StoreError> {
        check_space(&self.root, "a copy of the log", bytes)
    }

    fn append(
        &self,
        _lock: &Exclusive,
        name: &Name,
        held: Revision,
        at: u64,
        frames: &SealedFrames,
    ) -> Result<(), StoreError> {
        let fail = |source| StoreError::from_io(name.to_string(), source);
        let (file, len) = self.held.linked(name, held)?;
        if len != at {
            return Err(StoreError::Conflict {
                file: name.to_string(),
            });
        }
        let written = (&*file).write_all(frames.bytes()).map_err(fail);
        let done = written.and_then(|()| {
            file.sync_data()
                .map_err(|source| self.sync_failed(name, source))
        });
        if done.is_err() {
            // What cannot be cut either is a torn end, which the next appender quarantines, or
            // whole frames that were never acknowledged.
            file.set_len(at).ok();
        }
        done
    }

    fn sync(&self, _lock: &Exclusive, name: &Name, held: Revision) -> Result<(), StoreError> {
        let file = self.held.unchanged(name, &self.path(name), held)?;
        file.sync_data()
            .map_err(|source| self.sync_failed(name, source))
    }

    fn quarantine_end(
        &self,
        _lock: &Exclusive,
        name: &Name,
        held: Revision,
        at: u64,
    ) -> Result<(), StoreError> {
        let Name::In(dir, part) = name else {
            return Err(StoreError::NotAFile(name.to_string()));
        };
        let file = self.held.unchanged(name, &self.path(name), held)?;
        let end = self.read_at(name, at, usize::MAX)?.unwrap_or_default();
        let epoch_dir = self.root.join(dir.file_name());
        let quarantine = epoch_dir.join(QUARANTINE);
        make_dir(&quarantine)?;
        let fail = |source| StoreError::from_io(name.to_string(), source);
        sync_dir(&epoch_dir).map_err(fail)?;
        let token: [u8; 8] = Random::bytes().map_err(|_| fail(ErrorKind::Other.into()))?;
        let kept = format!("{}.{}.{at}", part.place().1, u64::from_be_bytes(token));
        write_whole(&quarantine.join(kept), &end, true)?;
        file.set_len(at).map_err(fail)?;
        file.sync_all()
            .map_err(|source| self.sync_failed(name, source))
    }

    fn remove(&self, _lock: &Exclusive, name: &Name) -> Result<(), StoreError> {
        let path = self.path(name);
        let fail = |source| StoreError::from_io(name.to_string(), source);
        match fs::remove_file(&path) {
            Ok(()) if matches!(name, Name::In(_, part) if part.is_rebuildable()) => Ok(()),
            // A tail that came back after a power cut would stand beside its segment.
            Ok(()) => sync_dir(path.parent().unwrap_or(&self.root)).map_err(fail),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(fail(source)),
        }
    }

    fn list(&self, dir: Dir) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        for (name, entry) in self.named(dir)? {
            match entry.metadata() {
                Ok(data) if data.is_file() => {
                    let bytes = data.len();
                    found.push(Found { name, bytes });
                }
                // Removed since it was listed, or not a file: not ours.
                _ => {}
            }
        }
        found.sort_by_key(|found| found.name);
        Ok(found)
    }

    fn names(&self, dir: Dir) -> Result<Vec<Name>, StoreError> {
        let mut entries = self.named(dir)?;
        entries.retain(|(_, entry)| entry.file_type().is_ok_and(|kind| kind.is_file()));
        let mut names: Vec<Name> = entries.into_iter().map(|(name, _)| name).collect();
        names.sort();
        Ok(names)
    }

    fn epochs(&self) -> Result<Vec<Dir>, StoreError> {
        let entries = self.entries(&self.root)?;
        let mut dirs: Vec<Dir> = entries
            .iter()
            .filter_map(|(name, _)| Dir::parse(name))
            .collect();
        dirs.sort();
        Ok(dirs)
    }

    fn draft(&self, _lock: &Exclusive, draft: Dir) -> Result<(), StoreError> {
        let path = self.root.join(draft.file_name());
        let fail = |source| StoreError::from_io(draft.file_name(), source);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(fail)?;
        make_dir(&path.join(SESSION_LOG))?;
        sync_dir(&path).map_err(fail)
    }

    fn publish(&self, _lock: &Exclusive, draft: Dir) -> Result<(), StoreError> {
        let from = self.root.join(draft.file_name());
        let to = self.root.join(Dir::Live(draft.epoch()).file_name());
        let fail = |source| StoreError::from_io(draft.file_name(), source);
        self.drafts.sync()?;
        for folder in [Some(SESSION_LOG), Some(SEARCH_INDEX), None] {
            let path = folder.map_or_else(|| from.clone(), |folder| from.join(folder));
            if path.is_dir() {
                sync_dir(&path).map_err(fail)?;
            }
        }
        fs::rename(&from, &to).map_err(fail)?;
        sync_dir(&self.root).map_err(fail)
    }

    fn discard(&self, _lock: &Exclusive, dir: Dir) -> Result<(), StoreError> {
        let name = dir.file_name();
        match dir {
            Dir::Draft(..) => self.drafts.forget(),
            // The header that names another epoch must be on the disk before this one goes.
            Dir::Live(_) => sync_dir(&self.root).map_err(|e| StoreError::from_io(&name, e))?,
        }
        match fs::remove_dir_all(self.root.join(&name)) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            removed => removed.map_err(|e| StoreError::from_io(&name, e))?,
        }
        match dir {
            Dir::Draft(..) => Ok(()),
            // Said to be gone, it must not come back with the power.
            Dir::Live(_) => sync_dir(&self.root).map_err(|e| StoreError::from_io(&name, e)),
        }
    }

    fn set_aside(&self, _lock: &Exclusive, epoch: EpochId) -> Result<(), StoreError> {
        let name = Dir::Live(epoch).file_name();
        let fail = |source| StoreError::from_io(&name, source);
        let aside = self.root.join(QUARANTINE);
        make_dir(&aside)?;
        sync_dir(&self.root).map_err(fail)?;
        let mut to = aside.join(&name);
        if to.symlink_metadata().is_ok() {
            // Put back by hand, and to be set aside again.
            let token: [u8; 8] = Random::bytes().map_err(|_| fail(ErrorKind::Other.into()))?;
            to = aside.join(format!("{name}.{}", u64::from_be_bytes(token)));
        }
        fs::rename(self.root.join(&name), to).map_err(fail)?;
        sync_dir(&aside).map_err(fail)?;
        sync_dir(&self.root).map_err(fail)
    }

    fn aside(&self) -> Result<Vec<String>, StoreError> {
        let entries = self.entries(&self.root.join(QUARANTINE))?;
        let mut names: Vec<String> = entries.into_iter().map(|(name, _)| name).collect();
        names.sort();
        Ok(names)
    }

    fn clear_aside(&self, _lock: &Exclusive) -> Result<(), StoreError> {
        let fail = |source| StoreError::from_io(QUARANTINE, source);
        match fs::remove_dir_all(self.root.join(QUARANTINE)) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| sync_dir(&self.root)).map_err(fail),
        }
    }

    fn sweep(&self, lock: &Exclusive, live: EpochId) -> Result<usize, StoreError> {
        let epoch = self.root.join(Dir::Live(live).file_name());
        let mut removed = 0;
        for dir in [
            &self.root,
            &epoch,
            &epoch.join(SESSION_LOG),
            &epoch.join(QUARANTINE),
        ] {
            removed += self.remove_temporary(dir)?;
        }
        for dir in self.epochs()? {
            if matches!(dir, Dir::Draft(..)) {
                self.discard(lock, dir)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn strangers(&self) -> Result<Vec<String>, StoreError> {
        let ours = |name: &str| {
            matches!(name, LOCK | HEADER | QUARANTINE)
                || Dir::parse(name).is_some()
                || is_temporary(name)
        };
        let entries = self.entries(&self.root)?;
        let mut names: Vec<String> = entries
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| !ours(name))
            .collect();
        names.sort();
        Ok(names)
    }

    fn witness(&self, vault: VaultId) -> Result<Option<Vec<u8>>, StoreError> {
        self.witness.read(vault)
    }

    fn put_witness(&self, vault: VaultId, place: usize, bytes: &Sealed) -> Result<(), StoreError> {
        self.witness.put(vault, place, bytes)
    }

    fn claim(&self, name: [u8; 16]) -> Result<Option<Claim>, StoreError> {
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let dir = self.witness.dir().with_file_name("open");
        let fail = |source| StoreError::from_io(dir.display().to_string(), source);
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(fail)?;
        let path = dir.join(name);
        Ok(lock::try_exclusive(open_lock(&path)?).map(|held| Claim {
            _held: Box::new(Claimed { path, _held: held }),
        }))
    }

    fn watch(&self, wake: Box<dyn Fn() + Send>) -> Result<Watching, StoreError> {
        watch(&self.root, wake)
    }
}
