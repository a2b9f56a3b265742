//! Writes a segment: terms in byte order with their postings, then turns and directory.

use zeroize::{Zeroize, Zeroizing};

use super::format::{BLOCK_TERMS, Footer, put, put_directory, put_posting};
use super::volatile::VolatileSegment;
use crate::recall::contents::Contents;
use crate::recall::source::Posting;
use crate::recall::turn::Turn;

/// A segment being written; what it holds is wiped on drop.
#[derive(Default)]
pub struct SegmentWriter {
    out: Zeroizing<Vec<u8>>,
    dictionary: Zeroizing<Vec<u8>>,
    sparse: Zeroizing<Vec<u8>>,
    before: String,
    terms: u32,
    dictionary_before: u64,
    postings_before: u64,
}

/// Makes room without leaving an unwiped copy behind.
fn reserve(buffer: &mut Zeroizing<Vec<u8>>, more: usize) {
    if buffer.capacity() - buffer.len() < more {
        let mut grown = Vec::with_capacity((buffer.len() + more).next_power_of_two().max(4096));
        grown.extend_from_slice(buffer);
        buffer.zeroize();
        **buffer = grown;
    }
}

impl SegmentWriter {
    /// Appends a term; terms come in byte order, each once.
    pub fn term(&mut self, term: &str, postings: &[Posting]) {
        debug_assert!(self.terms == 0 || self.before.as_str() < term);
        reserve(&mut self.out, postings.len() * 8);
        reserve(&mut self.dictionary, term.len() + 32);
        let start = self.out.len();
        if (self.terms as usize).is_multiple_of(BLOCK_TERMS) {
            reserve(&mut self.sparse, term.len() + 32);
            put(&mut self.sparse, term.len() as u64);
            self.sparse.extend_from_slice(term.as_bytes());
            put(
                &mut self.sparse,
                self.dictionary.len() as u64 - self.dictionary_before,
            );
            put(&mut self.sparse, start as u64 - self.postings_before);
            self.dictionary_before = self.dictionary.len() as u64;
            self.postings_before = start as u64;
            self.before.zeroize();
        }
        let mut before = None;
        for &posting in postings {
            put_posting(&mut self.out, before, posting);
            before = Some(posting.passage);
        }
        let shared = self
            .before
            .bytes()
            .zip(term.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        put(&mut self.dictionary, shared as u64);
        put(&mut self.dictionary, (term.len() - shared) as u64);
        self.dictionary
            .extend_from_slice(&term.as_bytes()[shared..]);
        put(&mut self.dictionary, postings.len() as u64);
        put(&mut self.dictionary, (self.out.len() - start) as u64);
        self.before.clear();
        self.before.push_str(term);
        self.terms += 1;
    }

    /// The whole segment.
    pub fn finish(mut self, turns: &[Turn], contents: &Contents) -> Zeroizing<Vec<u8>> {
        let mut directory = Zeroizing::new(Vec::new());
        put_directory(&mut directory, contents);
        let more = self.dictionary.len() + 8 * turns.len() + directory.len() + self.sparse.len();
        reserve(&mut self.out, more + super::format::FOOTER_BYTES);
        let mut footer = Footer {
            passages: contents.passages,
            terms: self.terms,
            dictionary: self.out.len() as u64,
            turns: 0,
            directory: 0,
            sparse: 0,
            end: 0,
            first_seq: contents.runs.iter().map(|run| run.seq).min().unwrap_or(0),
            last_seq: contents.last_seq(turns),
        };
        self.out.extend_from_slice(&self.dictionary);
        footer.turns = self.out.len() as u64;
        for turn in turns {
            self.out.extend_from_slice(&turn.to_bytes());
        }
        footer.directory = self.out.len() as u64;
        self.out.extend_from_slice(&directory);
        footer.sparse = self.out.len() as u64;
        self.out.extend_from_slice(&self.sparse);
        footer.end = self.out.len() as u64;
        footer.put(&mut self.out);
        std::mem::take(&mut self.out)
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        self.before.zeroize();
    }
}

/// The bytes of a segment with all that a volatile one holds.
pub fn seal_volatile(segment: &VolatileSegment) -> Zeroizing<Vec<u8>> {
    let mut writer = SegmentWriter::default();
    for (term, postings) in segment.sorted_terms() {
        writer.term(term, postings);
    }
    writer.finish(segment.turns(), segment.contents())
}
