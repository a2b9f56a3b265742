//! Errors across the socket: what the keeper met, as the client is to see it.
//!
//! A client's error must be the one it would have met on a vault of its own, with its exit code and
//! its hint. An I/O error keeps its number only.

use std::io;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::seal::{BlobKind, SealError};
use crate::store::{Holder, StoreError};
use crate::vault::{Damage, DamageKind, RemoteError, Rollback, VaultError};

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Fault {
    /// The keeper is locking itself.
    Locked,
    Busy,
    OtherVersion,
    Misunderstood,
    /// An error that no operation across the socket is expected to meet.
    Failed,
    NoVault,
    HeaderMissing,
    HeaderDamaged(#[serde(with = "SealForm")] SealError),
    WrongPassphrase,
    Rekeyed,
    Rollback(RollbackForm),
    Damaged(DamageForm),
    ReadBack(String),
    RecordTooLong(usize, usize),
    Restless,
    Sealed(String, #[serde(with = "SealForm")] SealError),
    Seal(#[serde(with = "SealForm")] SealError),
    Store(StoreForm),
    IndexNotLocked,
    FoldState,
}

impl From<VaultError> for Fault {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NoVault => Fault::NoVault,
            VaultError::HeaderMissing => Fault::HeaderMissing,
            VaultError::HeaderDamaged { source } => Fault::HeaderDamaged(source),
            VaultError::WrongPassphrase => Fault::WrongPassphrase,
            VaultError::Rekeyed => Fault::Rekeyed,
            VaultError::Rollback(rollback) => Fault::Rollback(rollback.into()),
            VaultError::Damaged(damage) => Fault::Damaged(damage.into()),
            VaultError::ReadBack { file } => Fault::ReadBack(file),
            VaultError::RecordTooLong { len, max } => Fault::RecordTooLong(len, max),
            VaultError::Restless => Fault::Restless,
            VaultError::Sealed { file, source } => Fault::Sealed(file, source),
            VaultError::Seal(source) => Fault::Seal(source),
            VaultError::Store(source) => source.into(),
            VaultError::IndexNotLocked => Fault::IndexNotLocked,
            VaultError::FoldState(_) => Fault::FoldState,
            VaultError::Remote(RemoteError::Locked) => Fault::Locked,
            _ => Fault::Failed,
        }
    }
}

impl From<Fault> for VaultError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Locked => RemoteError::Locked.into(),
            Fault::Busy | Fault::OtherVersion | Fault::Misunderstood => {
                RemoteError::Misunderstood.into()
            }
            Fault::Failed => RemoteError::Failed.into(),
            Fault::NoVault => VaultError::NoVault,
            Fault::HeaderMissing => VaultError::HeaderMissing,
            Fault::HeaderDamaged(source) => VaultError::HeaderDamaged { source },
            Fault::WrongPassphrase => VaultError::WrongPassphrase,
            Fault::Rekeyed => VaultError::Rekeyed,
            Fault::Rollback(rollback) => VaultError::Rollback(rollback.into()),
            Fault::Damaged(damage) => VaultError::Damaged(damage.into()),
            Fault::ReadBack(file) => VaultError::ReadBack { file },
            Fault::RecordTooLong(len, max) => VaultError::RecordTooLong { len, max },
            Fault::Restless => VaultError::Restless,
            Fault::Sealed(file, source) => VaultError::Sealed { file, source },
            Fault::Seal(source) => VaultError::Seal(source),
            Fault::Store(form) => VaultError::Store(form.into()),
            Fault::IndexNotLocked => VaultError::IndexNotLocked,
            Fault::FoldState => VaultError::FoldState(serde_json::Error::custom("not said")),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum RollbackForm {
    LogTruncated(u64, u64),
    LogForked(u64),
    RolledBack(u64, u64),
}

impl From<Rollback> for RollbackForm {
    fn from(rollback: Rollback) -> Self {
        match rollback {
            Rollback::LogTruncated { end, remembered } => {
                RollbackForm::LogTruncated(end, remembered)
            }
            Rollback::LogForked { seq } => RollbackForm::LogForked(seq),
            Rollback::RolledBack { found, remembered } => {
                RollbackForm::RolledBack(found, remembered)
            }
        }
    }
}

impl From<RollbackForm> for Rollback {
    fn from(form: RollbackForm) -> Self {
        match form {
            RollbackForm::LogTruncated(end, remembered) => {
                Rollback::LogTruncated { end, remembered }
            }
            RollbackForm::LogForked(seq) => Rollback::LogForked { seq },
            RollbackForm::RolledBack(found, remembered) => {
                Rollback::RolledBack { found, remembered }
            }
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(remote = "DamageKind")]
enum DamageKindForm {
    Missing,
    DoesNotOpen,
    DoesNotFollow,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DamageForm {
    file: String,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    #[serde(with = "DamageKindForm")]
    what: DamageKind,
}

impl From<Damage> for DamageForm {
    fn from(damage: Damage) -> Self {
        DamageForm {
            file: damage.file,
            first_seq: damage.first_seq,
            last_seq: damage.last_seq,
            what: damage.what,
        }
    }
}

impl From<DamageForm> for Damage {
    fn from(form: DamageForm) -> Self {
        Damage {
            file: form.file,
            first_seq: form.first_seq,
            last_seq: form.last_seq,
            what: form.what,
        }
    }
}

/// File and number of an I/O error; none where it has no number.
type Io = (String, Option<i32>);

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum StoreForm {
    NoDirectory(String),
    NotADirectory(String),
    ForeignOwner(String, u32),
    NotAFile(String),
    Locked(Option<(u32, u64, String)>),
    NoSpace(String, u64),
    NotWritable(Io),
    Conflict(String),
    Sync(Io),
    Io(Io),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let number = |source: io::Error| source.raw_os_error();
        Fault::Store(match error {
            StoreError::NoDirectory(path) => StoreForm::NoDirectory(path),
            StoreError::NotADirectory(path) => StoreForm::NotADirectory(path),
            StoreError::ForeignOwner { path, uid } => StoreForm::ForeignOwner(path, uid),
            StoreError::NotAFile(path) => StoreForm::NotAFile(path),
            StoreError::Locked { holder } => {
                StoreForm::Locked(holder.map(|holder| (holder.pid, holder.since, holder.command)))
            }
            StoreError::NoSpace { file, needed } => StoreForm::NoSpace(file, needed),
            StoreError::NotWritable { file, source } => {
                StoreForm::NotWritable((file, number(source)))
            }
            StoreError::Conflict { file } => StoreForm::Conflict(file),
            StoreError::Sync { file, source } => StoreForm::Sync((file, number(source))),
            StoreError::Io { file, source } => StoreForm::Io((file, number(source))),
            _ => return Fault::Failed,
        })
    }
}

impl From<StoreForm> for StoreError {
    fn from(form: StoreForm) -> Self {
        let source = |number: Option<i32>| match number {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::ErrorKind::Other.into(),
        };
        match form {
            StoreForm::NoDirectory(path) => StoreError::NoDirectory(path),
            StoreForm::NotADirectory(path) => StoreError::NotADirectory(path),
            StoreForm::ForeignOwner(path, uid) => StoreError::ForeignOwner { path, uid },
            StoreForm::NotAFile(path) => StoreError::NotAFile(path),
            StoreForm::Locked(holder) => StoreError::Locked {
                holder: holder.map(|(pid, since, command)| Holder {
                    pid,
                    since,
                    command,
                }),
            },
            StoreForm::NoSpace(file, needed) => StoreError::NoSpace { file, needed },
            StoreForm::NotWritable((file, number)) => StoreError::NotWritable {
                file,
                source: source(number),
            },
            StoreForm::Conflict(file) => StoreError::Conflict { file },
            StoreForm::Sync((file, number)) => StoreError::Sync {
                file,
                source: source(number),
            },
            StoreForm::Io((file, number)) => StoreError::Io {
                file,
                source: source(number),
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "BlobKind")]
enum BlobKindForm {
    ConversationBuffer,
    LongTermMemory,
    Tail,
    Segment,
    IndexFile,
    ProviderKeys,
    Conversations,
    IndexManifest,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SealError")]
enum SealForm {
    NoRandom,
    EmptyPassphrase,
    PassphraseEncoding,
    RecoveryCode,
    NotAHeader,
    HeaderLength {
        said: usize,
        actual: usize,
    },
    HeaderFlags {
        flags: u16,
    },
    SlotCount(u16),
    SlotMalformed {
        slot: usize,
    },
    KdfMemory {
        slot: usize,
        m_kib: u32,
    },
    KdfPasses {
        slot: usize,
        t: u32,
    },
    KdfLanes {
        slot: usize,
        p: u32,
    },
    KdfWork {
        slot: usize,
    },
    KdfWorkTotal,
    KdfMemoryLeft {
        needed_kib: u64,
        left_kib: u64,
    },
    KdfAllocation {
        needed_kib: u64,
    },
    WrongPassphrase,
    HeaderMac,
    NoSuchSlot,
    NoRoomForSlot,
    LastSlot,
    SlotLabel,
    NotABlob,
    BlobFormat(u8),
    BlobFlags {
        flags: u16,
    },
    BlobKind {
        #[serde(with = "BlobKindForm")]
        expected: BlobKind,
        found: u8,
    },
    BlobVault,
    BlobEpoch,
    BlobObject,
    BlobLength {
        expected: u64,
        actual: u64,
    },
    BlobKey,
    Chunk {
        index: u64,
    },
    Frame,
    RecordLength {
        len: usize,
        max: usize,
    },
    RecordLineFeed,
    SegmentCount,
    SegmentLinks,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn across(error: VaultError) -> VaultError {
        let json = serde_json::to_vec(&Fault::from(error)).unwrap();
        serde_json::from_slice::<Fault>(&json).unwrap().into()
    }

    #[test]
    fn an_error_says_the_same_on_the_other_side() {
        let damage = Damage {
            file: "epoch/x".into(),
            first_seq: Some(3),
            last_seq: None,
            what: DamageKind::DoesNotFollow,
        };
        let holder = Holder {
            pid: 7,
            since: 8,
            command: "rekey".into(),
        };
        let full = || io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let errors = || {
            [
                VaultError::NoVault,
                VaultError::HeaderMissing,
                VaultError::WrongPassphrase,
                VaultError::Rekeyed,
                VaultError::Restless,
                VaultError::IndexNotLocked,
                VaultError::HeaderDamaged {
                    source: SealError::HeaderMac,
                },
                VaultError::Rollback(Rollback::LogTruncated {
                    end: 1,
                    remembered: 2,
                }),
                VaultError::Rollback(Rollback::LogForked { seq: 9 }),
                VaultError::Rollback(Rollback::RolledBack {
                    found: 1,
                    remembered: 2,
                }),
                VaultError::Damaged(damage.clone()),
                VaultError::ReadBack { file: "f".into() },
                VaultError::RecordTooLong { len: 9, max: 8 },
                VaultError::Sealed {
                    file: "f".into(),
                    source: SealError::Chunk { index: 4 },
                },
                VaultError::Seal(SealError::KdfMemoryLeft {
                    needed_kib: 5,
                    left_kib: 4,
                }),
                VaultError::Seal(SealError::BlobKind {
                    expected: BlobKind::Tail,
                    found: 9,
                }),
                VaultError::Store(StoreError::Locked {
                    holder: Some(holder.clone()),
                }),
                VaultError::Store(StoreError::Locked { holder: None }),
                VaultError::Store(StoreError::NoSpace {
                    file: "f".into(),
                    needed: 5,
                }),
                VaultError::Store(StoreError::Sync {
                    file: "f".into(),
                    source: full(),
                }),
                VaultError::Store(StoreError::NotWritable {
                    file: "f".into(),
                    source: full(),
                }),
                VaultError::Store(StoreError::NoDirectory("d".into())),
                VaultError::Remote(RemoteError::Locked),
            ]
        };
        for (here, there) in errors().into_iter().zip(errors().map(across)) {
            assert_eq!(here.to_string(), there.to_string());
            assert_eq!(format!("{here:?}"), format!("{there:?}"));
        }
    }
}
