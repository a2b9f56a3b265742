//! The bytes of a sealed segment: numbers, postings, dictionary, directory, footer.
//!
//! `docs/search-index.md` tells the same, byte by byte. Every read is bounded: a segment that does
//! not hold together is `Damaged`, never a panic.

use crate::recall::RecallError;
use crate::recall::analyse::Language;
use crate::recall::contents::{Contents, SpeakerSums, Sums};
use crate::recall::source::Posting;
use crate::recall::turn::{PASSAGE_WORDS_MAX, Speaker};

pub const MAGIC: [u8; 4] = *b"AGSX";
pub const VERSION: u32 = 1;
pub const FOOTER_BYTES: usize = 72;
pub const BLOCK_TERMS: usize = 64;
/// Longer than any term that analysis makes.
pub const TERM_BYTES_MAX: usize = 256;

/// Counts that fit beside the gap; what is not among them is written out.
const CODES: [(u8, u8, u8); 7] = [
    (1, 0, 0),
    (1, 1, 0),
    (1, 0, 1),
    (1, 1, 1),
    (2, 0, 0),
    (2, 1, 1),
    (2, 2, 2),
];
const WRITTEN_OUT: u64 = 7;

/// Unsigned LEB128.
pub fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A signed number, small ones of both signs short.
pub fn put_signed(out: &mut Vec<u8>, n: i64) {
    put(out, ((n << 1) ^ (n >> 63)) as u64);
}

/// Reads numbers from bytes.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    #[inline]
    pub fn number(&mut self) -> Result<u64, RecallError> {
        let mut n = 0u64;
        for (i, &byte) in self.0.iter().enumerate().take(10) {
            n |= u64::from(byte & 0x7f) << (7 * i as u32).min(63);
            if byte < 0x80 {
                self.0 = &self.0[i + 1..];
                return Ok(n);
            }
        }
        Err(RecallError::Damaged)
    }

    pub fn signed(&mut self) -> Result<i64, RecallError> {
        let n = self.number()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    pub fn take(&mut self, n: usize) -> Result<&'a [u8], RecallError> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(RecallError::Damaged)?;
        self.0 = rest;
        Ok(head)
    }

    pub fn u32(&mut self) -> Result<u32, RecallError> {
        let bytes = self.take(4)?.try_into().map_err(|_| RecallError::Damaged)?;
        Ok(u32::from_be_bytes(bytes))
    }

    pub fn u64(&mut self) -> Result<u64, RecallError> {
        let bytes = self.take(8)?.try_into().map_err(|_| RecallError::Damaged)?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// A number that counts things of at least one byte each in what is left.
    pub fn count(&mut self) -> Result<usize, RecallError> {
        let n = self.number()?;
        let n = usize::try_from(n).map_err(|_| RecallError::Damaged)?;
        if n > self.0.len() {
            Err(RecallError::Damaged)
        } else {
            Ok(n)
        }
    }
}

/// Appends one posting; `before` is the passage of the one before, if there is one.
#[inline]
pub fn put_posting(out: &mut Vec<u8>, before: Option<u32>, posting: Posting) {
    let gap = u64::from(posting.passage - before.unwrap_or(0));
    let counts = (posting.count, posting.first, posting.last);
    match CODES.iter().position(|code| *code == counts) {
        Some(code) => put(out, gap << 3 | code as u64),
        None => {
            put(out, gap << 3 | WRITTEN_OUT);
            out.extend_from_slice(&[posting.count, posting.first, posting.last]);
        }
    }
}

/// Appends the postings of a list to `out`, with `base` added to every passage.
pub fn read_postings(
    bytes: &[u8],
    count: u32,
    passages: u32,
    base: u32,
    out: &mut Vec<Posting>,
) -> Result<(), RecallError> {
    let mut bytes = Bytes(bytes);
    let mut passage = 0u64;
    for n in 0..count {
        let value = bytes.number()?;
        let gap = value >> 3;
        if n > 0 && gap == 0 {
            return Err(RecallError::Damaged);
        }
        passage = passage.saturating_add(gap);
        if passage >= u64::from(passages) {
            return Err(RecallError::Damaged);
        }
        let (count, first, last) = match CODES.get((value & 7) as usize) {
            Some(counts) => *counts,
            None => {
                let counts = bytes.take(3)?;
                (counts[0], counts[1], counts[2])
            }
        };
        if usize::from(count.max(first).max(last)) > PASSAGE_WORDS_MAX {
            return Err(RecallError::Damaged);
        }
        out.push(Posting {
            passage: base + passage as u32,
            count,
            first,
            last,
        });
    }
    if bytes.0.is_empty() {
        Ok(())
    } else {
        Err(RecallError::Damaged)
    }
}

/// Where the parts of a segment begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footer {
    pub passages: u32,
    pub terms: u32,
    pub dictionary: u64,
    pub turns: u64,
    pub directory: u64,
    pub sparse: u64,
    /// Where the footer itself begins.
    pub end: u64,
    pub first_seq: u64,
    pub last_seq: u64,
}

impl Footer {
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&self.passages.to_be_bytes());
        out.extend_from_slice(&self.terms.to_be_bytes());
        for n in [
            self.dictionary,
            self.turns,
            self.directory,
            self.sparse,
            self.end,
            self.first_seq,
            self.last_seq,
        ] {
            out.extend_from_slice(&n.to_be_bytes());
        }
    }

    /// Reads the footer of a segment of `size` bytes.
    pub fn read(bytes: &[u8], size: u64) -> Result<Footer, RecallError> {
        let mut bytes = Bytes(bytes);
        if bytes.take(4)? != MAGIC || bytes.u32()? != VERSION {
            return Err(RecallError::Damaged);
        }
        let footer = Footer {
            passages: bytes.u32()?,
            terms: bytes.u32()?,
            dictionary: bytes.u64()?,
            turns: bytes.u64()?,
            directory: bytes.u64()?,
            sparse: bytes.u64()?,
            end: bytes.u64()?,
            first_seq: bytes.u64()?,
            last_seq: bytes.u64()?,
        };
        let whole = footer.dictionary <= footer.turns
            && footer.turns.checked_add(8 * u64::from(footer.passages)) == Some(footer.directory)
            && footer.directory <= footer.sparse
            && footer.sparse <= footer.end
            && footer.end.checked_add(FOOTER_BYTES as u64) == Some(size)
            && footer.first_seq <= footer.last_seq;
        if whole {
            Ok(footer)
        } else {
            Err(RecallError::Damaged)
        }
    }
}

/// Appends conversations, runs and sums.
pub fn put_directory(out: &mut Vec<u8>, contents: &Contents) {
    put(out, contents.conversations.len() as u64);
    for conversation in &contents.conversations {
        out.extend_from_slice(&conversation.id);
        put(out, conversation.words);
        put(out, u64::from(conversation.messages));
    }
    put(out, contents.runs.len() as u64);
    let (mut start, mut day, mut seq) = (0, 0, 0);
    for (n, run) in (0..).zip(&contents.runs) {
        let begins = contents.range(n).start;
        put(out, u64::from(begins - start));
        put(out, u64::from(run.conversation));
        put_signed(out, i64::from(run.day) - i64::from(day));
        put_signed(out, run.seq.wrapping_sub(seq) as i64);
        (start, day, seq) = (begins, run.day, run.seq);
    }
    put_sums(out, &contents.sums);
}

fn put_sums(out: &mut Vec<u8>, sums: &Sums) {
    put(out, sums.messages);
    put(out, sums.words);
    put(out, sums.lent);
    for (n, speaker) in sums.speakers.iter().enumerate() {
        if speaker.messages > 0 {
            put(out, n as u64 + 1);
            put(out, speaker.messages);
            put(out, speaker.passages);
            put(out, speaker.length);
            put(out, speaker.length_squared);
        }
    }
    put(out, 0);
    sums.languages.iter().for_each(|n| put(out, *n));
}

fn read_sums(bytes: &mut Bytes<'_>) -> Result<Sums, RecallError> {
    let mut sums = Sums {
        messages: bytes.number()?,
        words: bytes.number()?,
        lent: bytes.number()?,
        ..Sums::default()
    };
    loop {
        let n = bytes.number()?;
        if n == 0 {
            break;
        }
        if n > Speaker::COUNT as u64 {
            return Err(RecallError::Damaged);
        }
        sums.speakers[n as usize - 1] = SpeakerSums {
            messages: bytes.number()?,
            passages: bytes.number()?,
            length: bytes.number()?,
            length_squared: bytes.number()?,
        };
    }
    for n in 0..Language::COUNT {
        sums.languages[n] = bytes.number()?;
    }
    Ok(sums)
}

/// Reads a directory of `passages` passages.
pub fn read_directory(bytes: &[u8], passages: u32) -> Result<Contents, RecallError> {
    let mut bytes = Bytes(bytes);
    let mut known = Vec::new();
    for _ in 0..bytes.count()? {
        let id: [u8; 16] = bytes
            .take(16)?
            .try_into()
            .map_err(|_| RecallError::Damaged)?;
        let words = bytes.number()?;
        let messages = u32::try_from(bytes.number()?).map_err(|_| RecallError::Damaged)?;
        known.push((id, words, messages));
    }
    let mut contents = Contents::default();
    let (mut start, mut day, mut seq) = (0u64, 0i64, 0u64);
    for n in 0..bytes.count()? {
        let gap = bytes.number()?;
        start = start.saturating_add(gap);
        if start >= u64::from(passages) || (gap == 0) != (n == 0) {
            return Err(RecallError::Damaged);
        }
        let conversation = usize::try_from(bytes.number()?).map_err(|_| RecallError::Damaged)?;
        let (id, ..) = known.get(conversation).ok_or(RecallError::Damaged)?;
        day = day.saturating_add(bytes.signed()?);
        seq = seq.wrapping_add(bytes.signed()? as u64);
        contents.passages = start as u32;
        let day = i32::try_from(day).map_err(|_| RecallError::Damaged)?;
        contents.begin_run(id, day, seq);
    }
    if contents.conversations.len() != known.len() || contents.runs.is_empty() != (passages == 0) {
        return Err(RecallError::Damaged);
    }
    for (id, words, messages) in known {
        contents.set_conversation(&id, words, messages);
    }
    contents.passages = passages;
    contents.sums = read_sums(&mut bytes)?;
    if bytes.0.is_empty() {
        Ok(contents)
    } else {
        Err(RecallError::Damaged)
    }
}
