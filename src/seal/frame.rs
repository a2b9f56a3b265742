//! The log's links and the frames of its active tail.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::blob::{Blob, BlobId, BlobKind, HEAD_BYTES, TAG_BYTES};
use super::error::SealError;
use super::keys::{
    DataKey, EpochId, Random, VaultId, cipher, hkdf, mac_bytes, open_detached, seal_detached,
};
use super::sealed::{Sealed, SealedFrames};

/// Where the frames of a tail begin.
pub const TAIL_HEAD_BYTES: usize = HEAD_BYTES + START_BYTES + TAG_BYTES;
/// The longest record: a frame's ciphertext and tag are at most 16 MiB.
pub const RECORD_BYTES_MAX: usize = (16 << 20) - TAG_BYTES;
const START_BYTES: usize = 40;
const FRAME_HEAD_BYTES: usize = 80;
/// How far from the chain's end a frame may claim to be when bytes are searched for frames: behind
/// it too, so that a frame that was put there twice is found.
const SEQ_FAR_MAX: u64 = 4096;

/// A keyed hash over every record so far: equal links mean equal logs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link(pub [u8; 32]);

impl Link {
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn from_hex(text: &str) -> Option<Self> {
        let (EpochId(high), EpochId(low)) = (
            EpochId::from_hex(text.get(..32)?)?,
            EpochId::from_hex(text.get(32..)?)?,
        );
        let mut link = [0; 32];
        link[..16].copy_from_slice(&high);
        link[16..].copy_from_slice(&low);
        Some(Link(link))
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_hex()[..16])
    }
}

/// A place in the log: behind record `seq`, with the link there. Seq 0 is before the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    pub seq: u64,
    pub link: Link,
}

/// Makes links; holds the link key taken in.
#[derive(Clone)]
pub struct Chain {
    mac: Hmac<Sha256>,
    vault: VaultId,
    epoch: EpochId,
}

impl DataKey {
    pub fn chain(&self) -> Chain {
        Chain {
            mac: self.link_mac(),
            vault: self.vault,
            epoch: self.epoch,
        }
    }
}

impl Chain {
    /// The place before record 1.
    pub fn start(&self) -> Position {
        let mut mac = self.mac.clone();
        mac.update(&self.vault.0);
        mac.update(&self.epoch.0);
        Position {
            seq: 0,
            link: Link(mac_bytes(mac)),
        }
    }

    /// The place behind `record`, which follows `at`.
    pub fn next(&self, at: Position, record: &[u8]) -> Position {
        let seq = at.seq + 1;
        let mut mac = self.mac.clone();
        mac.update(&at.link.0);
        mac.update(&seq.to_be_bytes());
        mac.update(record);
        Position {
            seq,
            link: Link(mac_bytes(mac)),
        }
    }
}

/// Refuses what cannot be a record.
pub(super) fn check_record(record: &[u8]) -> Result<(), SealError> {
    if record.len() > RECORD_BYTES_MAX {
        return Err(SealError::RecordLength {
            len: record.len(),
            max: RECORD_BYTES_MAX,
        });
    }
    if record.contains(&b'\n') {
        return Err(SealError::RecordLineFeed);
    }
    Ok(())
}

/// What a tail's first chunk holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TailStart {
    /// The place behind the last record of the segment before it.
    pub before: Position,
}

/// An opened tail: the key of its frames, and where they start.
pub struct Tail {
    pub number: u64,
    pub start: TailStart,
    key: Zeroizing<[u8; 32]>,
}

/// The clear part of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHead {
    clen: u32,
    /// The frame's place in its append.
    pub index: u16,
    /// How many of that append follow it.
    pub left: u16,
    pub seq: u64,
    salt: [u8; 32],
    pub link_before: Link,
}

impl FrameHead {
    /// Reads a head where the bytes can be one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head = bytes.first_chunk::<FRAME_HEAD_BYTES>()?;
        let clen = u32::from_be_bytes(*head.first_chunk()?);
        let whole = TAG_BYTES..=RECORD_BYTES_MAX + TAG_BYTES;
        whole.contains(&(clen as usize)).then_some(FrameHead {
            clen,
            index: u16::from_be_bytes([head[4], head[5]]),
            left: u16::from_be_bytes([head[6], head[7]]),
            seq: u64::from_be_bytes(*head[8..].first_chunk()?),
            salt: *head[16..].first_chunk()?,
            link_before: Link(*head[48..].first_chunk()?),
        })
    }

    /// Bytes of the whole frame.
    pub fn frame_bytes(&self) -> usize {
        FRAME_HEAD_BYTES + self.clen as usize
    }

    /// Whether a search for frames near `seq` should try to open this.
    pub fn is_plausible_near(&self, seq: u64, bytes_left: usize) -> bool {
        self.frame_bytes() <= bytes_left && self.seq.abs_diff(seq) <= SEQ_FAR_MAX
    }

    fn to_bytes(self) -> [u8; FRAME_HEAD_BYTES] {
        let mut head = [0; FRAME_HEAD_BYTES];
        head[..4].copy_from_slice(&self.clen.to_be_bytes());
        head[4..6].copy_from_slice(&self.index.to_be_bytes());
        head[6..8].copy_from_slice(&self.left.to_be_bytes());
        head[8..16].copy_from_slice(&self.seq.to_be_bytes());
        head[16..48].copy_from_slice(&self.salt);
        head[48..].copy_from_slice(&self.link_before.0);
        head
    }
}

/// An opened frame.
pub struct Frame {
    pub head: FrameHead,
    pub record: Zeroizing<Vec<u8>>,
}

impl Tail {
    /// A new, empty tail and its file.
    pub fn create(
        key: &DataKey,
        number: u64,
        start: TailStart,
    ) -> Result<(Self, Sealed), SealError> {
        let id = BlobId::numbered(BlobKind::Tail, number);
        Ok(Tail::create_from(
            &Blob::draw(key, id, 1, START_BYTES as u64)?,
            number,
            start,
        ))
    }

    pub(super) fn create_from(blob: &Blob, number: u64, start: TailStart) -> (Self, Sealed) {
        let mut text = (start.before.seq + 1).to_be_bytes().to_vec();
        text.extend_from_slice(&start.before.link.0);
        let file = super::blob::seal_parts(blob, &text);
        (
            Tail {
                number,
                start,
                key: blob.key.clone(),
            },
            file,
        )
    }

    /// Opens the first 192 bytes of a tail's file.
    pub fn read(key: &DataKey, number: u64, file: &[u8]) -> Result<Self, SealError> {
        let id = BlobId::numbered(BlobKind::Tail, number);
        let blob = Blob::read(key, id, file, file.len() as u64)?;
        let mut chunk = file[HEAD_BYTES..TAIL_HEAD_BYTES].to_vec();
        let text = blob.open_chunk(0, &mut chunk)?;
        let wrong = SealError::Chunk { index: 0 };
        let first_seq = u64::from_be_bytes(*text.first_chunk().ok_or(wrong)?);
        let link = Link(*text[8..].first_chunk().ok_or(wrong)?);
        let seq = first_seq.checked_sub(1).ok_or(wrong)?;
        let start = TailStart {
            before: Position { seq, link },
        };
        Ok(Tail {
            number,
            start,
            key: blob.key.clone(),
        })
    }

    /// Finds the frames of a tail whose first 192 bytes are damaged, as long as their salt is
    /// whole: all else in them is known. Returns where the first frame that opens stands.
    pub fn rescue(key: &DataKey, number: u64, file: &[u8]) -> Option<(Self, usize)> {
        let id = BlobId::numbered(BlobKind::Tail, number);
        let salt = *file.get(72..)?.first_chunk()?;
        let mut tail = Tail {
            number,
            start: TailStart {
                before: key.chain().start(),
            },
            key: Blob::with_salt(key, id, 1, START_BYTES as u64, salt).key,
        };
        let (from, head) = (TAIL_HEAD_BYTES..file.len()).find_map(|at| {
            let head = FrameHead::parse(&file[at..])?;
            let fits = head.frame_bytes() <= file.len() - at && head.seq > 0;
            (fits && tail.open(&file[at..]).is_ok()).then_some((at, head))
        })?;
        tail.start.before = Position {
            seq: head.seq - 1,
            link: head.link_before,
        };
        Some((tail, from))
    }

    /// Seals the records of one append on top of `at`.
    pub fn seal(
        &self,
        chain: &Chain,
        at: Position,
        records: &[Zeroizing<Vec<u8>>],
    ) -> Result<(SealedFrames, Position), SealError> {
        self.seal_with(chain, at, records, |_| Random::bytes())
    }

    pub(super) fn seal_with(
        &self,
        chain: &Chain,
        mut at: Position,
        records: &[Zeroizing<Vec<u8>>],
        salt: impl Fn(u64) -> Result<[u8; 32], SealError>,
    ) -> Result<(SealedFrames, Position), SealError> {
        let total = records
            .iter()
            .map(|r| r.len() + FRAME_HEAD_BYTES + TAG_BYTES)
            .sum();
        let mut out = Vec::with_capacity(total);
        for (index, record) in records.iter().enumerate() {
            check_record(record)?;
            let seq = at.seq + 1;
            let head = FrameHead {
                clen: (record.len() + TAG_BYTES) as u32,
                index: index as u16,
                left: (records.len() - 1 - index) as u16,
                seq,
                salt: salt(seq)?,
                link_before: at.link,
            };
            let clear = head.to_bytes();
            out.extend_from_slice(&clear);
            let start = out.len();
            out.extend_from_slice(record);
            let key = self.frame_key(&head);
            let tag = seal_detached(&cipher(&key), &[0; 12], &clear, &mut out[start..]);
            out.extend_from_slice(&tag);
            at = chain.next(at, record);
        }
        Ok((SealedFrames(out), at))
    }

    fn frame_key(&self, head: &FrameHead) -> Zeroizing<[u8; 32]> {
        hkdf(&head.salt, self.key.as_slice(), &[b"agent-vault/v1/frame"])
    }

    /// Opens the frame that `bytes` begin with. Whether it follows what was read before it is the
    /// caller's to see from `link_before` and `seq`.
    pub fn open(&self, bytes: &[u8]) -> Result<Frame, SealError> {
        let head = FrameHead::parse(bytes).ok_or(SealError::Frame)?;
        let body = bytes
            .get(FRAME_HEAD_BYTES..head.frame_bytes())
            .ok_or(SealError::Frame)?;
        let mut record = Zeroizing::new(body.to_vec());
        let (text, tag) = record
            .split_last_chunk_mut::<TAG_BYTES>()
            .ok_or(SealError::Frame)?;
        let key = self.frame_key(&head);
        let clear = head.to_bytes();
        open_detached(&cipher(&key), &[0; 12], &clear, text, tag).map_err(|()| SealError::Frame)?;
        let len = text.len();
        record.truncate(len);
        Ok(Frame { head, record })
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
