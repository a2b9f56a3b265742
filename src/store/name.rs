//! The names of the format, and nothing else: a `Name` always lies inside the state directory.

use std::path::PathBuf;

use crate::seal::{BlobId, BlobKind, EpochId, ObjectId};

/// An epoch's directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dir {
    Live(EpochId),
    /// Being written; the second part is random.
    Draft(EpochId, [u8; 8]),
}

impl Dir {
    pub fn epoch(self) -> EpochId {
        match self {
            Dir::Live(epoch) | Dir::Draft(epoch, _) => epoch,
        }
    }

    /// The directory's name in the state directory.
    pub fn file_name(self) -> String {
        match self {
            Dir::Live(epoch) => format!("epoch-{epoch}"),
            Dir::Draft(epoch, token) => format!(".epoch-{epoch}.{}.tmp", hex(&token)),
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        if let Some(epoch) = name.strip_prefix("epoch-") {
            return EpochId::from_hex(epoch).map(Dir::Live);
        }
        let (epoch, token) = name
            .strip_prefix(".epoch-")?
            .strip_suffix(".tmp")?
            .split_once('.')?;
        Some(Dir::Draft(EpochId::from_hex(epoch)?, unhex(token)?))
    }
}

/// A file of an epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    HeaderCopy,
    ConversationBuffer,
    LongTermMemory,
    Conversations,
    ProviderKeys,
    Segment(u64),
    Tail(u64),
    IndexManifest,
    IndexFile([u8; 16]),
}

/// A file of a vault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Name {
    Header,
    In(Dir, Part),
}

pub(super) const SESSION_LOG: &str = "session_log";
pub(super) const SEARCH_INDEX: &str = "search_index";
pub(super) const QUARANTINE: &str = "quarantine";
pub(super) const HEADER: &str = "vault.header";
pub(super) const LOCK: &str = "lock";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * N || !text.bytes().all(lower) {
        return None;
    }
    let mut out = [0; N];
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(out)
}

/// Eight decimal digits or more, without superfluous zeros, from 1.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number > 0 && format!("{number:08}") == text).then_some(number)
}

impl Part {
    /// The directory below the epoch, where there is one, and the file's name.
    pub(super) fn place(self) -> (Option<&'static str>, String) {
        match self {
            Part::HeaderCopy => (None, HEADER.into()),
            Part::ConversationBuffer => (None, "conversation_buffer.sealed".into()),
            Part::LongTermMemory => (None, "long_term_memory.sealed".into()),
            Part::Conversations => (None, "conversations.sealed".into()),
            Part::ProviderKeys => (None, "provider_keys.sealed".into()),
            Part::Segment(number) => (Some(SESSION_LOG), format!("{number:08}.segment")),
            Part::Tail(number) => (Some(SESSION_LOG), format!("{number:08}.tail")),
            Part::IndexManifest => (Some(SEARCH_INDEX), "manifest.sealed".into()),
            Part::IndexFile(id) => (Some(SEARCH_INDEX), format!("{}.sealed", hex(&id))),
        }
    }

    pub(super) fn parse(folder: Option<&str>, name: &str) -> Option<Self> {
        match folder {
            None => match name {
                HEADER => Some(Part::HeaderCopy),
                "conversation_buffer.sealed" => Some(Part::ConversationBuffer),
                "long_term_memory.sealed" => Some(Part::LongTermMemory),
                "conversations.sealed" => Some(Part::Conversations),
                "provider_keys.sealed" => Some(Part::ProviderKeys),
                _ => None,
            },
            Some(SESSION_LOG) => {
                let (stem, kind) = name.split_once('.')?;
                match kind {
                    "segment" => number(stem).map(Part::Segment),
                    "tail" => number(stem).map(Part::Tail),
                    _ => None,
                }
            }
            Some(SEARCH_INDEX) if name == "manifest.sealed" => Some(Part::IndexManifest),
            Some(SEARCH_INDEX) => unhex(name.strip_suffix(".sealed")?).map(Part::IndexFile),
            Some(_) => None,
        }
    }

    /// What a reader must find in the head of the file; none for the header copy.
    pub fn blob_id(self) -> Option<BlobId> {
        let kind = match self {
            Part::HeaderCopy => return None,
            Part::Segment(n) => return Some(BlobId::numbered(BlobKind::Segment, n)),
            Part::Tail(n) => return Some(BlobId::numbered(BlobKind::Tail, n)),
            Part::IndexFile(id) => {
                return Some(BlobId {
                    kind: BlobKind::IndexFile,
                    object: ObjectId(id),
                });
            }
            Part::ConversationBuffer => BlobKind::ConversationBuffer,
            Part::LongTermMemory => BlobKind::LongTermMemory,
            Part::Conversations => BlobKind::Conversations,
            Part::ProviderKeys => BlobKind::ProviderKeys,
            Part::IndexManifest => BlobKind::IndexManifest,
        };
        Some(BlobId::only(kind))
    }

    /// Whether the file can be made again from the log, so that its name need not be synced.
    pub(super) fn is_rebuildable(self) -> bool {
        matches!(
            self,
            Part::ConversationBuffer
                | Part::LongTermMemory
                | Part::Conversations
                | Part::IndexManifest
                | Part::IndexFile(_)
        )
    }
}

impl Name {
    /// The path below the state directory.
    pub fn path(&self) -> PathBuf {
        match self {
            Name::Header => PathBuf::from(HEADER),
            Name::In(dir, part) => {
                let mut path = PathBuf::from(dir.file_name());
                let (folder, name) = part.place();
                path.extend(folder);
                path.push(name);
                path
            }
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path().display().fmt(f)
    }
}

/// `.<name>.<16 hex>.tmp`: what an interrupted replacement leaves.
pub(super) fn is_temporary(name: &str) -> bool {
    let Some((stem, token)) = name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(".tmp"))
        .and_then(|rest| rest.rsplit_once('.'))
    else {
        return false;
    };
    !stem.is_empty() && unhex::<8>(token).is_some()
}

pub(super) fn temporary(name: &str, token: [u8; 8]) -> String {
    format!(".{name}.{}.tmp", hex(&token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_its_neighbours_are_not() {
        let parts = [
            Part::HeaderCopy,
            Part::ConversationBuffer,
            Part::LongTermMemory,
            Part::Conversations,
            Part::ProviderKeys,
            Part::Segment(1),
            Part::Segment(123_456_789),
            Part::Tail(2),
            Part::IndexManifest,
            Part::IndexFile([0xab; 16]),
        ];
        for part in parts {
            let (folder, name) = part.place();
            assert_eq!(Part::parse(folder, &name), Some(part));
            assert_eq!(
                Part::parse(folder, &format!("{name} (conflicted copy)")),
                None
            );
        }
        for wrong in [
            "1.tail",
            "000000001.tail",
            "00000000.tail",
            "+0000001.tail",
            "00000001.tmp",
        ] {
            assert_eq!(Part::parse(Some(SESSION_LOG), wrong), None, "{wrong}");
        }
        for dir in [
            Dir::Live(EpochId([7; 16])),
            Dir::Draft(EpochId([7; 16]), [1; 8]),
        ] {
            assert_eq!(Dir::parse(&dir.file_name()), Some(dir));
        }
        assert_eq!(Dir::parse("epoch-07"), None);
    }

    #[test]
    fn temporary_files_are_told_from_others() {
        assert!(is_temporary(&temporary("vault.header", [3; 8])));
        for other in [
            "vault.header",
            ".x.tmp",
            "..0000000000000000.tmp",
            "a.0000000000000000.tmp",
        ] {
            assert!(!is_temporary(other), "{other}");
        }
    }
}
