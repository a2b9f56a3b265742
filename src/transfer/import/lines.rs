//! Lines of bounded length out of a source of any length.

use std::io::Read;

use zeroize::Zeroizing;

use super::super::error::TransferError;

const CHUNK_BYTES: usize = 256 * 1024;

/// One line, without its line feed.
pub(super) enum Line<'a> {
    /// `ended` is false for a last line without a line feed.
    Whole {
        bytes: &'a [u8],
        /// From 1.
        number: u64,
        ended: bool,
    },
    /// More bytes than allowed; they were passed over.
    TooLong { number: u64 },
}

impl Line<'_> {
    pub(super) fn number(&self) -> u64 {
        match self {
            Line::Whole { number, .. } | Line::TooLong { number } => *number,
        }
    }
}

pub(super) struct Lines<R> {
    source: R,
    buffer: Zeroizing<Vec<u8>>,
    /// What of the buffer was not yet handed out.
    start: usize,
    /// Up to here there is no line feed.
    seen: usize,
    line_bytes_max: usize,
    /// The number of the line handed out last, from 1.
    pub number: u64,
    /// Bytes handed out, line feeds included.
    pub bytes: u64,
    ended: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R, line_bytes_max: usize) -> Self {
        Lines {
            source,
            buffer: Zeroizing::new(Vec::with_capacity(2 * CHUNK_BYTES)),
            start: 0,
            seen: 0,
            line_bytes_max,
            number: 0,
            bytes: 0,
            ended: false,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, TransferError> {
        let mut too_long = false;
        loop {
            let found = self.buffer[self.seen..].iter().position(|b| *b == b'\n');
            let (end, behind) = match found {
                Some(offset) => (self.seen + offset, self.seen + offset + 1),
                None if self.ended && self.start == self.buffer.len() && !too_long => {
                    return Ok(None);
                }
                None if self.ended => (self.buffer.len(), self.buffer.len()),
                None => {
                    self.seen = self.buffer.len();
                    if self.seen - self.start > self.line_bytes_max {
                        too_long = true;
                        self.bytes += (self.seen - self.start) as u64;
                        self.start = self.seen;
                    }
                    self.fill()?;
                    continue;
                }
            };
            let start = self.start;
            (self.start, self.seen) = (behind, behind);
            self.bytes += (behind - start) as u64;
            self.number += 1;
            if too_long || end - start > self.line_bytes_max {
                return Ok(Some(Line::TooLong {
                    number: self.number,
                }));
            }
            return Ok(Some(Line::Whole {
                bytes: &self.buffer[start..end],
                number: self.number,
                ended: behind > end,
            }));
        }
    }

    fn fill(&mut self) -> Result<(), TransferError> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.seen -= self.start;
            self.start = 0;
        }
        let held = self.buffer.len();
        self.buffer.resize(held + CHUNK_BYTES, 0);
        let read = loop {
            match self.source.read(&mut self.buffer[held..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other.map_err(TransferError::Read)?,
            }
        };
        self.buffer.truncate(held + read);
        self.ended = read == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], max: usize) -> Vec<Option<(Vec<u8>, bool)>> {
        let mut lines = Lines::new(text, max);
        let mut out = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            out.push(match line {
                Line::Whole { bytes, ended, .. } => Some((bytes.to_vec(), ended)),
                Line::TooLong { .. } => None,
            });
        }
        assert_eq!(lines.bytes, text.len() as u64);
        assert_eq!(lines.number, out.len() as u64);
        out
    }

    #[test]
    fn lines_come_one_by_one_and_the_last_may_lack_its_line_feed() {
        let whole = |text: &str, ended| Some((text.as_bytes().to_vec(), ended));
        assert_eq!(all(b"", 9), []);
        assert_eq!(all(b"a", 9), [whole("a", false)]);
        assert_eq!(
            all(b"a\n\nbc\n", 9),
            [whole("a", true), whole("", true), whole("bc", true)]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_in_bounded_memory() {
        let mut text = b"first\n".to_vec();
        text.extend(vec![b'x'; 3_000_000]);
        text.extend(b"\nlast\n");
        let found = all(&text, 1000);
        assert_eq!(found.len(), 3);
        assert!(found[0].is_some() && found[1].is_none() && found[2].is_some());
        assert_eq!(all(&text[..100_000], 1000).len(), 2);
    }
}
