//! Why there is no keeper to talk to.

use std::io;
use std::path::PathBuf;

use crate::vault::VaultError;

#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    #[error("{} is not a directory of yours alone", .0.display())]
    UnsafeDirectory(PathBuf),
    #[error("{} is not a socket of yours", .0.display())]
    UnsafeSocket(PathBuf),
    #[error("the keeper's directory {} cannot be used: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("the path {} is too long for a socket", .0.display())]
    PathTooLong(PathBuf),
    #[error("another user answers on the keeper's socket")]
    ForeignPeer,
    #[error("the keeper serves {max} clients already")]
    Busy { max: usize },
    #[error("the keeper is of another version of this program")]
    OtherVersion,
    #[error("the keeper does not answer: {source}")]
    Silent { source: io::Error },
    #[error("the keeper's answer is not understood")]
    Misunderstood,
    #[error("the keeper could not be started: {source}")]
    NotStarted { source: io::Error },
    #[error("the keeper (process {pid}) does not end")]
    NotStopped { pid: u32 },
    #[error("another keeper of this vault is being started or stopped")]
    Contended,
    #[error(transparent)]
    Vault(#[from] VaultError),
}
