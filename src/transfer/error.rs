//! What can be true of an export or an import that did not come to its end.

use std::io;

use crate::vault::VaultError;

#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("the source cannot be read")]
    Read(#[source] io::Error),
    #[error("the export cannot be written")]
    Write(#[source] io::Error),
    /// The caller starts again: what was written is of two states of the vault.
    #[error("another process rewrote the vault during the export")]
    Rewritten,
    #[error("stopped before the end")]
    Stopped,
    #[error("the content is of no format that can be imported")]
    UnknownFormat,
    #[error("the content is not {expected}")]
    NotThisFormat { expected: &'static str },
    #[error("the archive cannot be read")]
    Archive(#[source] Option<zip::result::ZipError>),
    #[error("a database is read from its path, not from a stream")]
    NeedsPath,
    #[cfg(feature = "llm")]
    #[error("the database cannot be read")]
    Database(#[source] rusqlite::Error),
    /// The file lacks its last line: what is whole in it was not imported.
    #[error("the export is cut short in line {line}")]
    Cut { line: u64 },
    /// The file is not what was exported: nothing of it was imported.
    #[error("the export was changed after it was made: its SHA-256 is another")]
    Changed,
    #[error("there is no copy of a vault's log")]
    NoCopies,
    #[error("the copies are of another vault")]
    OtherVault,
    /// A purge or a rekey has put a new epoch in its place.
    #[error("the copies are of an earlier epoch of this vault, which was rewritten since")]
    OtherEpoch,
    /// Nothing of any copy was imported.
    #[error("{file} is damaged")]
    CopyDamaged { file: String },
    /// Nothing of any copy was imported.
    #[error("what comes before record {seq} of {file} is in none of the copies")]
    CopyDetached { file: String, seq: u64 },
    #[error("the export is of format {found}; this version reads up to {max}")]
    LaterFormat { found: u32, max: u32 },
}
