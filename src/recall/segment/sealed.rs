//! Reads a sealed segment, chunk by chunk.

use std::ops::Range;
use std::rc::Rc;

use zeroize::Zeroizing;

use super::format::{
    BLOCK_TERMS, Bytes, FOOTER_BYTES, Footer, TERM_BYTES_MAX, read_directory, read_postings,
};
use crate::recall::RecallError;
use crate::recall::cache::ChunkCache;
use crate::recall::contents::Contents;
use crate::recall::shelf::{CHUNK_BYTES, FileMark, Shelf};
use crate::recall::source::Posting;
use crate::recall::stretch::Stretch;

/// A block of the dictionary: its first term, and where its terms and postings begin.
struct BlockStart {
    /// In `SealedSegment::firsts`.
    term: Range<u32>,
    dictionary: u64,
    postings: u64,
}

/// A term's place in a segment.
#[derive(Clone, Debug)]
pub struct TermPlace {
    pub count: u32,
    /// Bytes in the file.
    pub postings: Range<u64>,
}

/// What of a sealed segment stays in memory: footer and sparse index. Wiped on drop.
pub struct SealedSegment {
    pub file: FileMark,
    pub footer: Footer,
    firsts: Zeroizing<Vec<u8>>,
    blocks: Vec<BlockStart>,
}

/// Where chunks come from.
#[derive(Clone, Copy)]
pub struct Opened<'a> {
    pub shelf: &'a dyn Shelf,
    pub cache: &'a ChunkCache,
}

impl Opened<'_> {
    pub fn bytes(
        &self,
        file: &FileMark,
        range: Range<u64>,
    ) -> Result<Zeroizing<Vec<u8>>, RecallError> {
        if range.start > range.end || range.end > file.size {
            return Err(RecallError::Damaged);
        }
        let mut out = Zeroizing::new(Vec::with_capacity((range.end - range.start) as usize));
        self.cache
            .read(self.shelf, file, range, |part| out.extend_from_slice(part))?;
        Ok(out)
    }
}

impl SealedSegment {
    /// Opens footer, sparse index and directory.
    pub fn open(from: Opened<'_>, file: FileMark) -> Result<(Self, Contents), RecallError> {
        let tail = file
            .size
            .checked_sub(FOOTER_BYTES as u64)
            .ok_or(RecallError::Damaged)?;
        let footer = Footer::read(&from.bytes(&file, tail..file.size)?, file.size)?;
        let directory = from.bytes(&file, footer.directory..footer.sparse)?;
        let contents = read_directory(&directory, footer.passages)?;
        let sparse = from.bytes(&file, footer.sparse..footer.end)?;
        let mut bytes = Bytes(&sparse);
        let mut firsts = Zeroizing::new(Vec::with_capacity(sparse.len()));
        let mut blocks = Vec::new();
        let (mut dictionary, mut postings) = (footer.dictionary, 0u64);
        for _ in 0..(footer.terms as usize).div_ceil(BLOCK_TERMS) {
            let term = {
                let n = bytes.count()?;
                bytes.take(n)?
            };
            dictionary = dictionary.saturating_add(bytes.number()?);
            postings = postings.saturating_add(bytes.number()?);
            if dictionary >= footer.turns || postings > footer.dictionary {
                return Err(RecallError::Damaged);
            }
            let start = firsts.len() as u32;
            firsts.extend_from_slice(term);
            blocks.push(BlockStart {
                term: start..firsts.len() as u32,
                dictionary,
                postings,
            });
        }
        if !bytes.0.is_empty() {
            return Err(RecallError::Damaged);
        }
        Ok((
            SealedSegment {
                file,
                footer,
                firsts,
                blocks,
            },
            contents,
        ))
    }

    fn first_term(&self, block: &BlockStart) -> &[u8] {
        &self.firsts[block.term.start as usize..block.term.end as usize]
    }

    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Calls `each` with the terms of a block until it returns false.
    pub fn block(
        &self,
        from: Opened<'_>,
        n: usize,
        mut each: impl FnMut(&[u8], TermPlace) -> bool,
    ) -> Result<(), RecallError> {
        let block = &self.blocks[n];
        let end = self
            .blocks
            .get(n + 1)
            .map_or(self.footer.turns, |next| next.dictionary);
        let bytes = from.bytes(&self.file, block.dictionary..end)?;
        let mut bytes = Bytes(&bytes);
        let mut term: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(TERM_BYTES_MAX));
        let mut start = block.postings;
        let terms = (self.footer.terms as usize - n * BLOCK_TERMS).min(BLOCK_TERMS);
        for _ in 0..terms {
            let shared = bytes.number()? as usize;
            let more = bytes.count()?;
            if shared > term.len() || shared + more > TERM_BYTES_MAX {
                return Err(RecallError::Damaged);
            }
            term.truncate(shared);
            term.extend_from_slice(bytes.take(more)?);
            let count = u32::try_from(bytes.number()?).map_err(|_| RecallError::Damaged)?;
            let end = start.saturating_add(bytes.number()?);
            if end > self.footer.dictionary || u64::from(count) > end - start {
                return Err(RecallError::Damaged);
            }
            if !each(
                &term,
                TermPlace {
                    count,
                    postings: start..end,
                },
            ) {
                return Ok(());
            }
            start = end;
        }
        Ok(())
    }

    /// Where the postings of a term are.
    pub fn find(&self, from: Opened<'_>, term: &str) -> Result<Option<TermPlace>, RecallError> {
        let after = self
            .blocks
            .partition_point(|b| self.first_term(b) <= term.as_bytes());
        let Some(n) = after.checked_sub(1) else {
            return Ok(None);
        };
        let mut found = None;
        self.block(from, n, |at, place| {
            if at == term.as_bytes() {
                found = Some(place);
            }
            at < term.as_bytes()
        })?;
        Ok(found)
    }

    /// Appends the postings of a term, with `base` added to every passage.
    pub fn postings(
        &self,
        from: Opened<'_>,
        term: &str,
        base: u32,
        out: &mut Vec<Posting>,
    ) -> Result<(), RecallError> {
        match self.find(from, term)? {
            Some(place) => self.read_list(from, &place, base, out),
            None => Ok(()),
        }
    }

    pub fn read_list(
        &self,
        from: Opened<'_>,
        place: &TermPlace,
        base: u32,
        out: &mut Vec<Posting>,
    ) -> Result<(), RecallError> {
        let bytes = from.bytes(&self.file, place.postings.clone())?;
        out.reserve(place.count as usize);
        read_postings(&bytes, place.count, self.footer.passages, base, out)
    }

    /// The turns around one of the segment's own passages.
    pub fn stretch(&self, from: Opened<'_>, passage: u32) -> Result<Stretch, RecallError> {
        if passage >= self.footer.passages {
            return Err(RecallError::Damaged);
        }
        let place = self.footer.turns + 8 * u64::from(passage);
        let chunk = CHUNK_BYTES as u64;
        let (number, at) = (place / chunk, (place % chunk) as usize);
        if at + 8 > CHUNK_BYTES {
            // It begins in one chunk and ends in the next.
            let bytes = from.bytes(&self.file, place..place + 8)?;
            return Ok(Stretch::in_chunk(Rc::new(bytes), 0, passage, passage + 1));
        }
        let opened = from.cache.chunk(from.shelf, &self.file, number)?;
        let before = ((at / 8) as u32).min(passage);
        let at = at - 8 * before as usize;
        let start = passage - before;
        Ok(Stretch::in_chunk(opened, at, start, self.footer.passages))
    }
}
