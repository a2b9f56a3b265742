//! Reads a segment piece by piece, however large it is.

use std::io::BufRead;

use super::blob::{Blob, BlobId, BlobKind, CHUNK_BYTES, HEAD_BYTES, TAG_BYTES};
use super::error::SealError;
use super::frame::{RECORD_BYTES_MAX, check_record};
use super::keys::DataKey;
use super::plaintext::Plaintext;
use super::segment::{SEGMENT_HEAD_BYTES, SegmentHead};

/// Chunks that are asked for at once: with the head, all of a segment of the usual size.
const CHUNKS_AT_ONCE: u64 = 18;

/// A segment that is being opened in order. Its records are handed over as they are opened, each
/// authentic by itself; that none is missing is known once `finish` says so.
pub struct SegmentStream {
    blob: Blob,
    next: u64,
    head: Option<SegmentHead>,
    /// The start of a record that goes on in the next chunk.
    cut: Plaintext,
    records: u64,
}

impl SegmentStream {
    /// Bytes to read from the start of the file, for `open` and the first `feed`.
    pub const START_BYTES: usize = HEAD_BYTES + CHUNKS_AT_ONCE as usize * (CHUNK_BYTES + TAG_BYTES);

    /// Reads the head of a file of `file_bytes`.
    pub fn open(
        key: &DataKey,
        number: u64,
        start: &[u8],
        file_bytes: u64,
    ) -> Result<Self, SealError> {
        let id = BlobId::numbered(BlobKind::Segment, number);
        Ok(SegmentStream {
            blob: Blob::read(key, id, start, file_bytes)?,
            next: 0,
            head: None,
            cut: Plaintext::default(),
            records: 0,
        })
    }

    /// The place of the bytes that `feed` takes next; none at the end.
    pub fn next_place(&self) -> Option<(u64, usize)> {
        let (offset, _) = self.blob.chunk_place(self.next)?;
        let last = (self.next + CHUNKS_AT_ONCE).min(self.blob.chunks()) - 1;
        let (end, len) = self.blob.chunk_place(last)?;
        Some((offset, (end - offset) as usize + len))
    }

    /// Opens the chunks of `bytes` in place and hands over every record that ends in them.
    pub fn feed<E: From<SealError>>(
        &mut self,
        bytes: &mut [u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for chunk in bytes.chunks_mut(CHUNK_BYTES + TAG_BYTES) {
            let text = self.blob.open_chunk(self.next, chunk)?;
            let mut lines = text;
            if self.next == 0 {
                self.head = Some(SegmentHead::parse(text)?);
                lines = &text[SEGMENT_HEAD_BYTES..];
            }
            self.next += 1;
            while let Some((line, rest)) = split_line(lines) {
                self.records += 1;
                if self.cut.is_empty() {
                    each(line)?;
                } else {
                    self.cut.push(line);
                    check_record(&self.cut)?;
                    each(&self.cut)?;
                    // Its room goes too: the next one may be small, and this was perhaps not.
                    self.cut = Plaintext::default();
                }
                lines = rest;
            }
            self.cut.push(lines);
            if self.cut.len() > RECORD_BYTES_MAX {
                return Err(SealError::SegmentCount.into());
            }
        }
        Ok(())
    }

    /// What the first chunk tells, once that was fed.
    pub fn head(&self) -> Option<SegmentHead> {
        self.head
    }

    /// Makes sure that everything was read and counts as the head says.
    pub fn finish(self) -> Result<SegmentHead, SealError> {
        match self.head {
            Some(head)
                if self.next == self.blob.chunks()
                    && self.cut.is_empty()
                    && self.records == u64::from(head.count) =>
            {
                Ok(head)
            }
            _ => Err(SealError::SegmentCount),
        }
    }
}

/// The first line, and what is behind its line feed.
fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    // Reads by words, as searching byte by byte does not.
    let len = { text }.skip_until(b'\n').unwrap_or(0);
    let line = text.get(..len)?.strip_suffix(b"\n")?;
    Some((line, &text[len..]))
}

#[cfg(test)]
mod tests {
    use super::super::keys::{EpochId, VaultId, VaultKey};
    use super::super::segment::SegmentWriter;
    use super::*;

    fn read(key: &DataKey, file: &[u8]) -> Result<(Vec<Vec<u8>>, SegmentHead), SealError> {
        let len = file.len().min(SegmentStream::START_BYTES);
        let mut stream = SegmentStream::open(key, 1, &file[..len], file.len() as u64)?;
        let mut records = Vec::new();
        while let Some((offset, len)) = stream.next_place() {
            let mut part = file[offset as usize..][..len].to_vec();
            stream.feed(&mut part, &mut |record: &[u8]| {
                records.push(record.to_vec());
                Ok::<(), SealError>(())
            })?;
        }
        Ok((records, stream.finish()?))
    }

    #[test]
    fn records_of_any_length_come_out_as_they_went_in() {
        let key = VaultKey::draw(VaultId([1; 16])).unwrap();
        let key = key.data_key(EpochId([2; 16]));
        let lengths = [0, 1, 65_455, 65_456, 65_535, 65_536, 200_000, 2_000_000, 7];
        let chain = key.chain();
        let mut writer = SegmentWriter::new(chain.start());
        let records: Vec<Vec<u8>> = lengths.iter().map(|len| vec![b'x'; *len]).collect();
        for record in &records {
            writer.push(&chain, record).unwrap();
        }
        let (file, head) = writer.seal(&key, 1).unwrap();
        assert!(file.bytes().len() > SegmentStream::START_BYTES);
        let (found, found_head) = read(&key, file.bytes()).unwrap();
        assert!(found == records && found_head == head);
        for at in [0, 100, 140, 70_000, file.bytes().len() - 1] {
            let mut damaged = file.bytes().to_vec();
            damaged[at] ^= 1;
            assert!(read(&key, &damaged).is_err(), "byte {at}");
        }
    }
}
