//! What can go wrong where bytes rest.

use std::io;

/// Who holds the exclusive lock, as it says itself; for messages only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    /// Unix seconds.
    pub since: u64,
    pub command: String,
}

/// Names of files carry no secret, so errors may hold them.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is no vault in {0}: the directory does not exist")]
    NoDirectory(String),
    #[error("{0} is not a directory")]
    NotADirectory(String),
    #[error("{path} belongs to another user (uid {uid})")]
    ForeignOwner { path: String, uid: u32 },
    #[error("{0} is not a regular file")]
    NotAFile(String),
    #[error("another process holds the lock")]
    Locked { holder: Option<Holder> },
    #[error("the disk is full: {file} needs {needed} bytes")]
    NoSpace { file: String, needed: u64 },
    #[error("{file} cannot be written: {source}")]
    NotWritable { file: String, source: io::Error },
    #[error("{file} changed under another process's hand")]
    Conflict { file: String },
    #[error("{file} was removed by another process")]
    Vanished { file: String },
    #[error("{file} could not be synced to the disk: {source}")]
    Sync { file: String, source: io::Error },
    #[error("{file}: {source}")]
    Io { file: String, source: io::Error },
    #[error("changes cannot be watched: {source}")]
    Watch {
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Sorts an I/O error by what a caller can do about it.
    pub(super) fn from_io(file: impl Into<String>, source: io::Error) -> Self {
        let file = file.into();
        // A file that could only be opened for reading does not take a write.
        if source.raw_os_error() == Some(rustix::io::Errno::BADF.raw_os_error()) {
            let source = io::Error::from(rustix::io::Errno::ACCESS);
            return StoreError::NotWritable { file, source };
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::NoSpace { file, needed: 0 }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                StoreError::NotWritable { file, source }
            }
            _ => StoreError::Io { file, source },
        }
    }
}
