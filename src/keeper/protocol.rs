//! What is asked of a keeper and what it answers. Mirrors `Log` and `IndexFiles`; no question has a
//! key of the vault for an answer.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::fault::{DamageForm, Fault, RollbackForm};
use super::message::{PAYLOAD_BYTES_MAX, Payload};
use crate::model::{FoldName, Timestamp};
use crate::seal::{Link, Position};
use crate::vault::{Damage, Entry, Rollback, SealedFile, Vault};

/// Raised with any change of what crosses the socket: both sides must be of one version.
pub(super) const VERSION: u32 = 3;
/// A provider's key is far shorter.
const KEY_BYTES_MAX: usize = 64 * 1024;
/// Damage beyond so many places is not told one by one.
const DAMAGE_MAX: usize = 64;
/// A batch of records ends behind the first that goes beyond this.
const BATCH_BYTES: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
#[serde(remote = "FoldName")]
enum FoldForm {
    ConversationBuffer,
    LongTermMemory,
    Conversations,
}

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct At(u64, [u8; 32]);

impl From<Position> for At {
    fn from(at: Position) -> Self {
        At(at.seq, at.link.0)
    }
}

impl From<At> for Position {
    fn from(At(seq, link): At) -> Self {
        Position {
            seq,
            link: Link(link),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileForm {
    name: [u8; 16],
    generation: u64,
    commit: [u8; 32],
}

impl From<SealedFile> for FileForm {
    fn from(file: SealedFile) -> Self {
        FileForm {
            name: file.name,
            generation: file.generation,
            commit: file.commit,
        }
    }
}

impl From<FileForm> for SealedFile {
    fn from(file: FileForm) -> Self {
        SealedFile {
            name: file.name,
            generation: file.generation,
            commit: file.commit,
        }
    }
}

/// `payload` tells what the bytes behind the head are; where it is not said, there are none.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Comes before everything but `Status` and `Lock`. Counts as use.
    Hello {
        version: u32,
        vault: [u8; 16],
        wait_ms: u64,
    },
    Status,
    Lock,
    Condition,
    AcceptRollback {
        now: Timestamp,
    },
    /// Payload: records. Counts as use.
    Append,
    /// Payload: records, to be appended if this is still the end. Counts as use.
    AppendAt {
        expected: At,
    },
    Refresh,
    Read {
        after: u64,
    },
    Record {
        seq: u64,
    },
    Checkpoint {
        #[serde(with = "FoldForm")]
        name: FoldName,
    },
    /// Payload: the state.
    PutCheckpoint {
        #[serde(with = "FoldForm")]
        name: FoldName,
        version: u32,
        at: At,
    },
    Position {
        seq: u64,
    },
    Settle,
    /// Counts as use.
    Keys,
    /// Payload: the key. Counts as use.
    PutKey {
        name: String,
    },
    /// Counts as use.
    RemoveKey {
        name: String,
    },
    /// So many chunks of a file, or as many as there are; none behind its end.
    Chunks {
        file: FileForm,
        first: u64,
        count: u64,
    },
    /// Payload: the file.
    WriteFile,
    RemoveFile {
        name: [u8; 16],
    },
    ListFiles,
    Manifest,
    /// Payload: the manifest.
    ReplaceManifest {
        expected: Option<u64>,
    },
    LockIndex,
    UnlockIndex,
}

impl Request {
    /// How many bytes may come with this request.
    pub(super) fn payload_max(&self) -> usize {
        match self {
            Request::Append
            | Request::AppendAt { .. }
            | Request::PutCheckpoint { .. }
            | Request::WriteFile
            | Request::ReplaceManifest { .. } => PAYLOAD_BYTES_MAX,
            Request::PutKey { .. } => KEY_BYTES_MAX,
            _ => 0,
        }
    }

    /// Whether somebody uses the vault, as opposed to watching it.
    pub(super) fn is_use(&self) -> bool {
        matches!(
            self,
            Request::Hello { .. }
                | Request::AcceptRollback { .. }
                | Request::Append
                | Request::AppendAt { .. }
                | Request::Keys
                | Request::PutKey { .. }
                | Request::RemoveKey { .. }
        )
    }

    /// Whether it may have had an effect although no answer came.
    pub(super) fn changes(&self) -> bool {
        matches!(
            self,
            Request::AcceptRollback { .. }
                | Request::Append
                | Request::AppendAt { .. }
                | Request::PutCheckpoint { .. }
                | Request::PutKey { .. }
                | Request::RemoveKey { .. }
                | Request::WriteFile
                | Request::RemoveFile { .. }
                | Request::ReplaceManifest { .. }
        )
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Fault(Fault),
    Done,
    Status(Status),
    Condition(ConditionForm),
    /// The place behind what was appended or is there.
    End(At),
    Position(Option<At>),
    /// Payload: records with their places.
    Entries,
    /// Payload: what was asked for, if it is there.
    Bytes {
        found: bool,
    },
    File(FileForm),
    /// Payload: names of 16 bytes.
    Files,
    /// Payload: the manifest, if there is one.
    Manifest {
        generation: Option<u64>,
    },
    Replaced {
        generation: Option<u64>,
    },
    Locked {
        taken: bool,
    },
    Removed {
        was: bool,
    },
}

/// Every answer names the epoch that is open.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub epoch: [u8; 16],
    pub reply: Reply,
}

/// What a keeper tells about itself to anyone of this user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub pid: u32,
    pub clients: usize,
    /// Without use it locks itself after so long,
    pub idle_left_ms: u64,
    /// and in any case after so long.
    pub limit_left_ms: u64,
    /// The keys are kept from being swapped out.
    pub keys_locked: bool,
}

/// What a person must know of an open vault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    pub damage: Vec<Damage>,
    pub rollback: Option<Rollback>,
}

impl Condition {
    pub fn of(vault: &Vault) -> Self {
        Condition {
            damage: vault.damage().iter().take(DAMAGE_MAX).cloned().collect(),
            rollback: vault.rollback().cloned(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ConditionForm {
    damage: Vec<DamageForm>,
    rollback: Option<RollbackForm>,
}

impl From<Condition> for ConditionForm {
    fn from(condition: Condition) -> Self {
        ConditionForm {
            damage: condition.damage.into_iter().map(Into::into).collect(),
            rollback: condition.rollback.map(Into::into),
        }
    }
}

impl From<ConditionForm> for Condition {
    fn from(form: ConditionForm) -> Self {
        Condition {
            damage: form.damage.into_iter().map(Into::into).collect(),
            rollback: form.rollback.map(Into::into),
        }
    }
}

/// Lines as a payload: `len u32 ‖ line`, each.
pub(super) fn put_lines(lines: &[Zeroizing<Vec<u8>>]) -> Payload {
    let bytes = lines.iter().map(|line| 4 + line.len()).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(bytes));
    for line in lines {
        out.extend_from_slice(&(line.len() as u32).to_be_bytes());
        out.extend_from_slice(line);
    }
    out
}

/// The lines of a payload; none if its lengths do not add up.
pub(super) fn take_lines(mut payload: &[u8]) -> Option<Vec<Zeroizing<Vec<u8>>>> {
    let mut lines = Vec::new();
    while !payload.is_empty() {
        lines.push(Zeroizing::new(take_line(&mut payload)?.to_vec()));
    }
    Some(lines)
}

fn take_line<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u32::from_be_bytes(take(input)?) as usize;
    let (line, rest) = input.split_at_checked(len)?;
    *input = rest;
    Some(line)
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*first)
}

/// Entries as a payload: `seq u64 ‖ link 32 ‖ len u32 ‖ line`, each; as many as make a batch.
pub(super) fn put_entries(entries: &[Entry]) -> Payload {
    let mut bytes = 0;
    let mut count = 0;
    for entry in entries {
        bytes += 44 + entry.line().len();
        count += 1;
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    let mut out = Zeroizing::new(Vec::with_capacity(bytes));
    for entry in &entries[..count] {
        out.extend_from_slice(&entry.seq.to_be_bytes());
        out.extend_from_slice(&entry.link.0);
        out.extend_from_slice(&(entry.line().len() as u32).to_be_bytes());
        out.extend_from_slice(entry.line());
    }
    out
}

/// The entries of a payload; none if they are not whole, or not in order behind `after`.
pub(super) fn take_entries(mut payload: &[u8], mut after: u64) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !payload.is_empty() {
        let seq = u64::from_be_bytes(take(&mut payload)?);
        let link = Link(take(&mut payload)?);
        let line = take_line(&mut payload)?;
        if seq <= after {
            return None;
        }
        after = seq;
        let line = Zeroizing::new(line.to_vec());
        entries.push(Entry::new(Position { seq, link }, line));
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(seq: u64, line: &[u8]) -> Entry {
        let link = Link([seq as u8; 32]);
        Entry::new(Position { seq, link }, Zeroizing::new(line.to_vec()))
    }

    #[test]
    fn entries_out_of_order_are_refused() {
        let payload = put_entries(&[entry(3, b"a"), entry(5, b"b")]);
        assert_eq!(take_entries(&payload, 2).unwrap().len(), 2);
        assert!(take_entries(&payload, 3).is_none());
        let payload = put_entries(&[entry(5, b"a"), entry(5, b"b")]);
        assert!(take_entries(&payload, 2).is_none());
    }

    #[test]
    fn a_batch_ends_behind_the_first_record_that_fills_it() {
        let long = vec![b'x'; BATCH_BYTES];
        let entries = [entry(1, b"a"), entry(2, &long), entry(3, b"c")];
        let back = take_entries(&put_entries(&entries), 0).unwrap();
        assert_eq!(back.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(back[1].line(), long);
    }

    #[test]
    fn watching_is_no_use_and_neither_is_status() {
        for request in [
            Request::Status,
            Request::Refresh,
            Request::Read { after: 0 },
        ] {
            assert!(!request.is_use());
        }
        assert!(Request::Append.is_use());
    }

    proptest! {
        #[test]
        fn lines_come_back(lines in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..50), 0..20)) {
            let lines: Vec<_> = lines.into_iter().map(Zeroizing::new).collect();
            prop_assert_eq!(take_lines(&put_lines(&lines)).unwrap(), lines);
        }

        #[test]
        fn any_payload_is_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(lines) = take_lines(&bytes) {
                prop_assert!(*put_lines(&lines) == bytes);
            }
            if let Some(entries) = take_entries(&bytes, 0) {
                prop_assert!(*put_entries(&entries) == bytes);
            }
        }

        #[test]
        fn a_cut_payload_is_refused(cut in 1usize..48) {
            let whole = put_entries(&[entry(1, b"line")]);
            prop_assume!(cut < whole.len());
            prop_assert!(take_entries(&whole[..whole.len() - cut], 0).is_none());
        }
    }
}
