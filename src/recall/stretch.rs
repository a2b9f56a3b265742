//! Turns as they lie in an opened chunk of an index file: read in place, not copied.

use std::ops::Range;
use std::rc::Rc;

use zeroize::Zeroizing;

use super::RecallError;
use super::cache::Chunk;
use super::turn::Turn;

/// Turns of neighbouring passages, eight bytes each, most significant first.
#[derive(Clone)]
pub struct Stretch {
    passages: Range<u32>,
    chunk: Chunk,
    /// Where the first one begins.
    at: usize,
}

impl Stretch {
    /// Nothing.
    pub fn empty() -> Stretch {
        Stretch {
            passages: 0..0,
            chunk: Rc::default(),
            at: 0,
        }
    }

    /// As many turns as lie whole in a chunk from `at` on, the first of them being of `start`, but
    /// none from `end` on.
    pub fn in_chunk(chunk: Chunk, at: usize, start: u32, end: u32) -> Stretch {
        let whole = (chunk.len().saturating_sub(at) / 8) as u32;
        Stretch {
            passages: start..end.min(start.saturating_add(whole)),
            chunk,
            at,
        }
    }

    /// A copy of turns that lie elsewhere.
    pub fn of(turns: &[Turn], start: u32) -> Stretch {
        let bytes = turns.iter().flat_map(|turn| turn.to_bytes()).collect();
        Stretch {
            passages: start..start + turns.len() as u32,
            chunk: Rc::new(Zeroizing::new(bytes)),
            at: 0,
        }
    }

    /// With every passage so much later.
    pub fn behind(mut self, base: u32) -> Stretch {
        self.passages = self.passages.start + base..self.passages.end + base;
        self
    }

    /// The turns of a range, if it has all of them.
    #[inline]
    pub fn turns(&self, range: Range<u32>) -> Option<&[[u8; 8]]> {
        if range.start < self.passages.start || range.end > self.passages.end {
            return None;
        }
        let at = self.at + 8 * (range.start - self.passages.start) as usize;
        let bytes = self.chunk.get(at..at + 8 * range.len())?;
        Some(bytes.as_chunks::<8>().0)
    }

    #[inline]
    pub fn turn(&self, passage: u32) -> Option<Turn> {
        let turns = self.turns(passage..passage + 1)?;
        turns.first().map(|bytes| Turn::from_bytes(*bytes))
    }
}

/// Appends the turns of a range, given the stretch that holds a passage.
pub fn gather(
    range: Range<u32>,
    out: &mut Vec<Turn>,
    stretch: &dyn Fn(u32) -> Result<Stretch, RecallError>,
) -> Result<(), RecallError> {
    let mut at = range.start;
    while at < range.end {
        let found = stretch(at)?;
        let end = range.end.min(found.passages.end);
        let turns = found.turns(at..end).ok_or(RecallError::Damaged)?;
        out.extend(turns.iter().map(|bytes| Turn::from_bytes(*bytes)));
        if end <= at {
            return Err(RecallError::Damaged);
        }
        at = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(count: u64) -> Vec<Turn> {
        (0..count).map(|n| Turn(n << 31)).collect()
    }

    #[test]
    fn turns_are_read_where_they_lie() {
        let mut bytes = vec![9; 5];
        for turn in turns(4) {
            bytes.extend(turn.to_bytes());
        }
        bytes.extend([9; 7]);
        let chunk = Rc::new(Zeroizing::new(bytes));
        let stretch = Stretch::in_chunk(chunk.clone(), 5, 10, 100);
        let got: Vec<_> = (11..14)
            .filter_map(|passage| stretch.turn(passage))
            .collect();
        assert_eq!(got, turns(4)[1..]);
        assert_eq!(stretch.turns(11..14).unwrap().len(), 3);
        assert!(stretch.turn(9).is_none() && stretch.turn(14).is_none());
        let cut = Stretch::in_chunk(chunk, 5, 10, 12);
        assert!(cut.turn(11).is_some() && cut.turn(12).is_none());
        assert!(Stretch::empty().turn(0).is_none());
    }

    #[test]
    fn a_range_is_gathered_over_stretches() {
        let all = turns(10);
        let of_three = |passage: u32| {
            let start = passage / 3 * 3;
            let end = (start + 3).min(10);
            Ok(Stretch::of(&all[start as usize..end as usize], start))
        };
        let mut out = Vec::new();
        gather(2..9, &mut out, &of_three).unwrap();
        assert_eq!(out, all[2..9]);
        let nothing = |_| Ok(Stretch::empty());
        assert!(gather(0..1, &mut out, &nothing).is_err());
    }
}
