//! Segments: a run of the log sealed whole, as JSON lines.

use zeroize::Zeroizing;

use super::blob::{Blob, BlobId, BlobKind, CHUNK_BYTES, TAG_BYTES};
use super::error::SealError;
use super::frame::{Chain, Link, Position, check_record};
use super::keys::DataKey;
use super::plaintext::Plaintext;
use super::sealed::Sealed;

/// `first_seq u64 ‖ count u32 ‖ 0 u32 ‖ link_before 32 ‖ link_after 32`.
pub(super) const SEGMENT_HEAD_BYTES: usize = 80;

/// What a segment's first chunk tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHead {
    /// The place before the first record.
    pub before: Position,
    pub count: u32,
    /// The place behind the last record.
    pub after: Position,
}

impl SegmentHead {
    pub(super) fn parse(text: &[u8]) -> Result<Self, SealError> {
        let head = text
            .first_chunk::<SEGMENT_HEAD_BYTES>()
            .ok_or(SealError::SegmentCount)?;
        let u64_at = |at: usize| u64::from_be_bytes(*head[at..].first_chunk().expect("in range"));
        let link_at = |at: usize| Link(*head[at..].first_chunk().expect("in range"));
        let (first_seq, counted) = (u64_at(0), u64_at(8));
        let (count, zero) = ((counted >> 32) as u32, counted as u32);
        let seq = first_seq.checked_sub(1).ok_or(SealError::SegmentCount)?;
        let last = seq
            .checked_add(u64::from(count))
            .ok_or(SealError::SegmentCount)?;
        if zero != 0 || count == 0 {
            return Err(SealError::SegmentCount);
        }
        Ok(SegmentHead {
            before: Position {
                seq,
                link: link_at(16),
            },
            count,
            after: Position {
                seq: last,
                link: link_at(48),
            },
        })
    }

    /// Opens only the first chunk: `start` holds the head and at least that chunk of the file.
    pub fn read(
        key: &DataKey,
        number: u64,
        start: &[u8],
        file_bytes: u64,
    ) -> Result<Self, SealError> {
        let id = BlobId::numbered(BlobKind::Segment, number);
        let blob = Blob::read(key, id, start, file_bytes)?;
        let wrong = SealError::Chunk { index: 0 };
        let (offset, len) = blob.chunk_place(0).ok_or(wrong)?;
        let chunk = start
            .get(offset as usize..offset as usize + len)
            .ok_or(wrong)?;
        let mut chunk = Zeroizing::new(chunk.to_vec());
        SegmentHead::parse(blob.open_chunk(0, &mut chunk)?)
    }

    /// Bytes from a segment file's start that `read` needs.
    pub const START_BYTES: usize = super::blob::HEAD_BYTES + CHUNK_BYTES + TAG_BYTES;
}

/// An opened segment.
pub struct Segment {
    pub head: SegmentHead,
    text: Plaintext,
}

impl Segment {
    /// Opens a whole file; counts its lines, and leaves the links to `verify`.
    pub fn open(key: &DataKey, number: u64, file: &[u8]) -> Result<Self, SealError> {
        let (_, text) = key.open(BlobId::numbered(BlobKind::Segment, number), file)?;
        let head = SegmentHead::parse(&text)?;
        let lines = &text[SEGMENT_HEAD_BYTES..];
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        if count != head.count as usize || lines.last() != Some(&b'\n') {
            return Err(SealError::SegmentCount);
        }
        Ok(Segment { head, text })
    }

    /// One record of a file, opening no chunk behind its end; none if the segment does not hold it.
    pub fn record(
        key: &DataKey,
        number: u64,
        file: &[u8],
        seq: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
        let id = BlobId::numbered(BlobKind::Segment, number);
        let blob = Blob::read(key, id, file, file.len() as u64)?;
        let mut line = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES));
        let mut before = 0;
        for index in 0..blob.chunks() {
            let wrong = SealError::Chunk { index };
            let (offset, len) = blob.chunk_place(index).ok_or(wrong)?;
            let chunk = file.get(offset as usize..offset as usize + len);
            let mut chunk = Zeroizing::new(chunk.ok_or(SealError::Chunk { index })?.to_vec());
            let mut rest = blob.open_chunk(index, &mut chunk)?;
            if index == 0 {
                let head = SegmentHead::parse(rest)?;
                if seq <= head.before.seq || seq > head.after.seq {
                    return Ok(None);
                }
                before = seq - head.before.seq - 1;
                rest = &rest[SEGMENT_HEAD_BYTES..];
            }
            // Counting is several times faster than looking for each line's end.
            let lines = rest.iter().filter(|byte| **byte == b'\n').count() as u64;
            if lines < before {
                before -= lines;
                continue;
            }
            while before > 0
                && let Some(end) = rest.iter().position(|byte| *byte == b'\n')
            {
                rest = &rest[end + 1..];
                before -= 1;
            }
            if before == 0 {
                let end = rest.iter().position(|byte| *byte == b'\n');
                let part = &rest[..end.unwrap_or(rest.len())];
                if line.capacity() - line.len() < part.len() {
                    // Growing by `Vec` would leave the old allocation behind unwiped.
                    let mut grown = Zeroizing::new(Vec::with_capacity(2 * line.len() + part.len()));
                    grown.extend_from_slice(&line);
                    line = grown;
                }
                line.extend_from_slice(part);
                if end.is_some() {
                    return Ok(Some(line));
                }
            }
        }
        Err(SealError::SegmentCount)
    }

    /// The records, in order, without their line feeds.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let lines = &self.text[SEGMENT_HEAD_BYTES..self.text.len() - 1];
        lines.split(|byte| *byte == b'\n')
    }

    /// Recomputes every link.
    pub fn verify(&self, chain: &Chain) -> Result<(), SealError> {
        let end = self
            .records()
            .fold(self.head.before, |at, record| chain.next(at, record));
        if end == self.head.after {
            Ok(())
        } else {
            Err(SealError::SegmentLinks)
        }
    }
}

/// What is left of a damaged segment: runs of whole lines, and how many were lost in between.
pub struct Salvage {
    /// From the first chunk, where that opens.
    pub head: Option<SegmentHead>,
    pub runs: Vec<Vec<Zeroizing<Vec<u8>>>>,
    /// Chunks that do not open.
    pub damaged: Vec<u64>,
}

impl Salvage {
    /// Opens what opens of a damaged file. An error means that not even the head can be read.
    pub fn open(key: &DataKey, number: u64, file: &[u8]) -> Result<Self, SealError> {
        let id = BlobId::numbered(BlobKind::Segment, number);
        let blob = Blob::rescue(key, id, file)?;
        let mut salvage = Salvage {
            head: None,
            runs: Vec::new(),
            damaged: Vec::new(),
        };
        let mut text = Zeroizing::new(Vec::new());
        let mut starts_whole = true;
        for index in 0..blob.chunks() {
            let (offset, len) = blob.chunk_place(index).expect("index is below the count");
            // Of a file that was cut short, the last chunks are not there.
            let chunk = file.get(offset as usize..offset as usize + len);
            let mut chunk = Zeroizing::new(chunk.unwrap_or_default().to_vec());
            match blob.open_chunk(index, &mut chunk) {
                Ok(part) if index == 0 => {
                    salvage.head = SegmentHead::parse(part).ok();
                    text.extend_from_slice(part.get(SEGMENT_HEAD_BYTES..).unwrap_or_default());
                }
                Ok(part) => text.extend_from_slice(part),
                Err(_) => {
                    salvage.keep_run(&text, starts_whole);
                    text = Zeroizing::new(Vec::new());
                    starts_whole = false;
                    salvage.damaged.push(index);
                }
            }
        }
        salvage.keep_run(&text, starts_whole);
        Ok(salvage)
    }

    /// Takes the whole lines of `text`; a line cut at either end is not whole.
    fn keep_run(&mut self, text: &[u8], starts_whole: bool) {
        let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        lines.pop();
        let from = usize::from(!starts_whole).min(lines.len());
        self.runs.push(
            lines[from..]
                .iter()
                .map(|l| Zeroizing::new(l.to_vec()))
                .collect(),
        );
    }
}

/// Builds a segment record by record.
pub struct SegmentWriter {
    before: Position,
    at: Position,
    text: Plaintext,
}

impl SegmentWriter {
    /// Starts behind `before`.
    pub fn new(before: Position) -> Self {
        SegmentWriter {
            before,
            at: before,
            text: Plaintext::new(vec![0; SEGMENT_HEAD_BYTES]),
        }
    }

    pub fn push(&mut self, chain: &Chain, record: &[u8]) -> Result<Position, SealError> {
        check_record(record)?;
        self.text.make_room(record.len() + 1);
        self.text.push(record);
        self.text.push(b"\n");
        self.at = chain.next(self.at, record);
        Ok(self.at)
    }

    /// Starts where this one ends, with as much room, and hands this one over.
    pub fn take_full(&mut self) -> SegmentWriter {
        let mut text = Plaintext::with_capacity(self.text.len());
        text.push(&[0; SEGMENT_HEAD_BYTES]);
        let next = SegmentWriter {
            before: self.at,
            at: self.at,
            text,
        };
        std::mem::replace(self, next)
    }

    pub fn is_empty(&self) -> bool {
        self.at == self.before
    }

    pub fn count(&self) -> u64 {
        self.at.seq - self.before.seq
    }

    /// Bytes of plaintext so far.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    pub fn at(&self) -> Position {
        self.at
    }

    /// Seals what was pushed as segment `number`.
    pub fn seal(self, key: &DataKey, number: u64) -> Result<(Sealed, SegmentHead), SealError> {
        let id = BlobId::numbered(BlobKind::Segment, number);
        let blob = Blob::draw(key, id, 1, self.text.len() as u64)?;
        self.seal_with(&blob)
    }

    pub(super) fn seal_with(mut self, blob: &Blob) -> Result<(Sealed, SegmentHead), SealError> {
        let count = u32::try_from(self.count()).map_err(|_| SealError::SegmentCount)?;
        if count == 0 {
            return Err(SealError::SegmentCount);
        }
        let head = SegmentHead {
            before: self.before,
            count,
            after: self.at,
        };
        self.text[..8].copy_from_slice(&(self.before.seq + 1).to_be_bytes());
        self.text[8..12].copy_from_slice(&count.to_be_bytes());
        self.text[16..48].copy_from_slice(&head.before.link.0);
        self.text[48..80].copy_from_slice(&head.after.link.0);
        Ok((super::blob::seal_parts(blob, &self.text), head))
    }
}

#[cfg(test)]
#[path = "segment_tests.rs"]
mod tests;
