//! What can be true of a vault that is not as it should be.

use crate::model::RecordError;
use crate::seal::{SealError, SlotId};
use crate::store::StoreError;

/// A place that does not open, while everything around it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Below the state directory.
    pub file: String,
    /// The first record that cannot be read, where that is known.
    pub first_seq: Option<u64>,
    /// The last one.
    pub last_seq: Option<u64>,
    pub what: DamageKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    Missing,
    DoesNotOpen,
    /// It opens, but does not follow what is before it.
    DoesNotFollow,
}

impl Damage {
    /// Whether record `seq` may be among what is lost.
    pub fn covers(&self, seq: u64) -> bool {
        self.first_seq.is_none_or(|first| first <= seq)
            && self.last_seq.is_none_or(|last| seq <= last)
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.what {
            DamageKind::Missing => write!(f, "{} is missing", self.file)?,
            DamageKind::DoesNotOpen => write!(f, "{} does not open", self.file)?,
            DamageKind::DoesNotFollow => {
                write!(f, "{} does not follow what is before it", self.file)?;
            }
        }
        match (self.first_seq, self.last_seq) {
            (Some(first), Some(last)) if first < last => write!(f, " (records {first} to {last})"),
            (Some(first), _) => write!(f, " (record {first})"),
            _ => Ok(()),
        }
    }
}

/// The vault is older than, or differs from, what this machine or its own checkpoints remember.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rollback {
    #[error("the log ends at record {end}, and record {remembered} was there before")]
    LogTruncated { end: u64, remembered: u64 },
    #[error("record {seq} is not the one that was there before")]
    LogForked { seq: u64 },
    #[error("the header is of generation {found}, and generation {remembered} was there before")]
    RolledBack { found: u64, remembered: u64 },
}

/// What can go wrong on the way to a vault that another process holds open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    #[error("the keeper has locked the vault")]
    Locked,
    #[error("the keeper has gone without an answer; what it was to write may or may not be there")]
    Unanswered,
    #[error("the keeper does not understand this program, or this program not the keeper")]
    Misunderstood,
    #[error("the keeper takes at most {max} bytes at once, and these are {len}")]
    TooLong { len: usize, max: usize },
    #[error("the keeper could not do it")]
    Failed,
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("there is no vault in this directory")]
    NoVault,
    #[error("this directory holds a vault")]
    VaultExists,
    #[error("this directory holds something else: {0}")]
    NotEmpty(String),
    #[error("the vault's header is missing; its records are there")]
    HeaderMissing,
    #[error("the vault's header is damaged")]
    HeaderDamaged { source: SealError },
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    #[error("another process has changed the vault's keys")]
    Rekeyed,
    #[error(transparent)]
    Rollback(#[from] Rollback),
    #[error("{0}")]
    Damaged(Damage),
    #[error("{file} does not hold what was just written to it")]
    ReadBack { file: String },
    #[error("the secret of key slot {label} was not given")]
    SlotNotGiven { slot: SlotId, label: String },
    #[error("what was given does not open key slot {slot}")]
    NotOfSlot { slot: SlotId },
    #[error("what was given opens no other key slot")]
    NoOtherSlot,
    #[error("another process has changed the key slots")]
    SlotsChanged,
    #[error("the key slots are changed, and the header's copy is not: {source}")]
    HeaderCopyBehind { source: Box<VaultError> },
    #[error("the live epoch cannot be removed")]
    LiveEpoch,
    #[error("a line that is to take a record's place is not a record")]
    NotARecord { source: RecordError },
    #[error("a record of {len} bytes is too long; {max} are allowed")]
    RecordTooLong { len: usize, max: usize },
    #[error("the vault changed again and again while it was being read")]
    Restless,
    #[error("{file} does not open")]
    Sealed { file: String, source: SealError },
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("the search index is not locked for writing")]
    IndexNotLocked,
    #[error("a fold's state is not what its version says")]
    FoldState(#[source] serde_json::Error),
}
