//! Where the socket lies: a directory of the user alone, checked at every use.
//!
//! Beside the socket lies a lock file that a keeper holds for life (`flock`). Whoever has that lock
//! knows that no keeper lives, and may remove the socket of a dead one; and whoever gets it after
//! waiting knows that the keeper's process, and its memory, are gone.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use sha2::{Digest, Sha256};

use super::error::KeeperError;
use super::peer;
use crate::seal::VaultId;

/// `sun_path` holds 104 bytes with its end on the narrowest system.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// Socket and lock of the keeper of one vault in one directory.
#[derive(Clone, Debug)]
pub struct Place {
    dir: PathBuf,
    socket: PathBuf,
    lock: PathBuf,
}

/// Held by a keeper for life, and by whoever makes sure that there is none.
pub(super) struct Hold {
    _file: File,
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

impl Place {
    /// The place for a vault: below `runtime_dir` (`$XDG_RUNTIME_DIR`) if that is the user's own
    /// and short enough for a socket, else `/tmp/agent-<uid>`. Makes nothing.
    pub fn find(runtime_dir: Option<&Path>, vault: VaultId, state_dir: &Path) -> Self {
        let own = runtime_dir.filter(|dir| {
            dir.is_absolute()
                && fs::metadata(dir)
                    .is_ok_and(|found| found.uid() == uid() && found.mode() & 0o022 == 0)
        });
        let state_dir = fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        let name = socket_name(vault, &state_dir);
        own.map(|dir| Place::of(dir.join("agent"), &name))
            .filter(|place| place.socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX)
            .unwrap_or_else(|| Place::of(PathBuf::from(format!("/tmp/agent-{}", uid())), &name))
    }

    fn of(dir: PathBuf, name: &str) -> Self {
        Place {
            socket: dir.join(format!("{name}.sock")),
            lock: dir.join(format!("{name}.lock")),
            dir,
        }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the directory is there; an error if it is not the user's alone.
    pub(super) fn is_there(&self) -> Result<bool, KeeperError> {
        let found = match fs::symlink_metadata(&self.dir) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(self.unusable(source)),
        };
        let alone = found.is_dir() && found.uid() == uid() && found.mode() & 0o077 == 0;
        match alone {
            true => Ok(true),
            false => Err(KeeperError::UnsafeDirectory(self.dir.clone())),
        }
    }

    fn unusable(&self, source: io::Error) -> KeeperError {
        KeeperError::Directory {
            path: self.dir.clone(),
            source,
        }
    }

    /// Makes the directory if it is not there, and checks it.
    pub fn prepare(&self) -> Result<(), KeeperError> {
        if self.socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err(KeeperError::PathTooLong(self.socket.clone()));
        }
        match DirBuilder::new().mode(0o700).create(&self.dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(self.unusable(error));
            }
            _ => {}
        }
        self.is_there().map(|_| ())
    }

    /// A connection to the keeper, whose user was checked; none if none listens.
    pub(super) fn connect(&self) -> Result<Option<UnixStream>, KeeperError> {
        if !self.is_there()? {
            return Ok(None);
        }
        match fs::symlink_metadata(&self.socket) {
            Ok(found) if found.file_type().is_socket() && found.uid() == uid() => {}
            Ok(_) => return Err(KeeperError::UnsafeSocket(self.socket.clone())),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.unusable(source)),
        }
        match UnixStream::connect(&self.socket) {
            Ok(stream) if peer::is_ours(&stream) => Ok(Some(stream)),
            Ok(_) => Err(KeeperError::ForeignPeer),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(source) => Err(KeeperError::Silent { source }),
        }
    }

    /// Takes the lock that says that no other keeper lives; none if that takes longer than
    /// `patience`. A directory that is not there holds no keeper: see `prepare`.
    pub(super) fn hold(&self, patience: Duration) -> Result<Option<Hold>, KeeperError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = rustix::fs::open(&self.lock, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(opened.map_err(|error| self.unusable(error.into()))?);
        let started = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Hold { _file: file })),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(self.unusable(error.into())),
            }
            if started.elapsed() >= patience {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Listens; a socket that lies there is a dead keeper's, since the lock is held.
    pub(super) fn listen(&self, hold: &Hold) -> Result<UnixListener, KeeperError> {
        self.clear(hold)?;
        let fail = |source| self.unusable(source);
        let listener = UnixListener::bind(&self.socket).map_err(fail)?;
        fs::set_permissions(&self.socket, fs::Permissions::from_mode(0o600)).map_err(fail)?;
        Ok(listener)
    }

    /// Removes the socket, if one is there.
    pub(super) fn clear(&self, _hold: &Hold) -> Result<(), KeeperError> {
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.unusable(error)),
            _ => Ok(()),
        }
    }
}

/// Tells apart vaults, and copies of one vault in several directories.
fn socket_name(vault: VaultId, state_dir: &Path) -> String {
    let mut hash = Sha256::new();
    hash.update(vault.0);
    hash.update(state_dir.as_os_str().as_bytes());
    let digest = hash.finalize();
    digest[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const VAULT: VaultId = VaultId([7; 16]);

    fn runtime() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        dir
    }

    fn place(dir: &Path) -> Place {
        Place::find(Some(dir), VAULT, Path::new("/"))
    }

    #[test]
    fn another_vault_and_another_directory_have_another_socket() {
        let one = socket_name(VAULT, Path::new("/a"));
        assert_ne!(one, socket_name(VaultId([8; 16]), Path::new("/a")));
        assert_ne!(one, socket_name(VAULT, Path::new("/b")));
        assert_eq!(one.len(), 24);
    }

    #[test]
    fn a_runtime_directory_that_others_may_write_is_not_used() {
        let dir = runtime();
        assert!(place(dir.path()).socket.starts_with(dir.path()));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let elsewhere = Path::new("/tmp").join(format!("agent-{}", uid()));
        assert!(place(dir.path()).socket.starts_with(&elsewhere));
        let none = Place::find(None, VAULT, Path::new("/"));
        assert!(none.socket.starts_with(&elsewhere));
        let relative = Place::find(Some(Path::new("run")), VAULT, Path::new("/"));
        assert!(relative.socket.starts_with(&elsewhere));
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_not_used() {
        let dir = runtime();
        let deep = dir.path().join("x".repeat(80));
        fs::create_dir(&deep).unwrap();
        assert!(!place(&deep).socket.starts_with(&deep));
    }

    #[test]
    fn a_directory_that_is_open_or_a_link_is_refused() {
        let dir = runtime();
        let place = place(dir.path());
        assert!(place.connect().unwrap().is_none());
        place.prepare().unwrap();
        assert!(place.connect().unwrap().is_none());
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o750)).unwrap();
        let unsafe_directory = |outcome: Result<(), KeeperError>| {
            assert!(matches!(outcome, Err(KeeperError::UnsafeDirectory(_))));
        };
        unsafe_directory(place.prepare());
        unsafe_directory(place.connect().map(|_| ()));
        fs::remove_dir(&place.dir).unwrap();
        let real = dir.path().join("real");
        DirBuilder::new().mode(0o700).create(&real).unwrap();
        symlink(&real, &place.dir).unwrap();
        unsafe_directory(place.prepare());
        unsafe_directory(place.connect().map(|_| ()));
    }

    #[test]
    fn a_file_in_the_place_of_the_socket_is_not_talked_to() {
        let dir = runtime();
        let place = place(dir.path());
        place.prepare().unwrap();
        symlink("/nowhere", &place.socket).unwrap();
        let outcome = place.connect().map(|_| ());
        assert!(matches!(outcome, Err(KeeperError::UnsafeSocket(_))));
    }

    #[test]
    fn a_dead_socket_is_nobody_and_is_replaced() {
        let dir = runtime();
        let place = place(dir.path());
        place.prepare().unwrap();
        let hold = place.hold(Duration::ZERO).unwrap().unwrap();
        drop(place.listen(&hold).unwrap());
        assert!(place.socket.exists() && place.connect().unwrap().is_none());
        let _listener = place.listen(&hold).unwrap();
        let found = fs::symlink_metadata(&place.socket).unwrap();
        assert_eq!(found.mode() & 0o777, 0o600);
        assert!(place.connect().unwrap().is_some());
        place.clear(&hold).unwrap();
        place.clear(&hold).unwrap();
        assert!(!place.socket.exists());
    }

    #[test]
    fn only_one_holds_the_place() {
        let dir = runtime();
        let place = place(dir.path());
        place.prepare().unwrap();
        let hold = place.hold(Duration::ZERO).unwrap();
        assert!(hold.is_some());
        assert!(place.hold(Duration::ZERO).unwrap().is_none());
        drop(hold);
        assert!(place.hold(Duration::ZERO).unwrap().is_some());
    }
}
