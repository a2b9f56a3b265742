//! Joins adjacent segments into one: ids stay in order, so a merge is a concatenation.

use zeroize::{Zeroize, Zeroizing};

use super::sealed::{Opened, SealedSegment, TermPlace};
use super::write::SegmentWriter;
use crate::recall::RecallError;
use crate::recall::contents::Contents;
use crate::recall::stretch::gather;

/// Walks the terms of one segment in order.
struct Cursor<'a> {
    segment: &'a SealedSegment,
    base: u32,
    next_block: usize,
    /// The block's terms that are still to come, the next one last.
    terms: Vec<(Zeroizing<Vec<u8>>, TermPlace)>,
}

impl Cursor<'_> {
    fn fill(&mut self, from: Opened<'_>) -> Result<(), RecallError> {
        if self.terms.is_empty() && self.next_block < self.segment.block_count() {
            self.segment.block(from, self.next_block, |term, place| {
                self.terms.push((Zeroizing::new(term.to_vec()), place));
                true
            })?;
            self.terms.reverse();
            self.next_block += 1;
        }
        Ok(())
    }

    fn term(&self) -> Option<&[u8]> {
        self.terms.last().map(|(term, _)| term.as_slice())
    }
}

/// The bytes of one segment with all that these hold, in their order.
pub fn merge(
    from: Opened<'_>,
    segments: &[(&SealedSegment, &Contents)],
) -> Result<Zeroizing<Vec<u8>>, RecallError> {
    let mut contents = Contents::default();
    let mut turns = Vec::new();
    let mut cursors = Vec::new();
    for (segment, of) in segments {
        let base = contents.passages;
        cursors.push(Cursor {
            segment,
            base,
            next_block: 0,
            terms: Vec::new(),
        });
        contents.append(of);
        let all = 0..segment.footer.passages;
        gather(all, &mut turns, &|passage| segment.stretch(from, passage))?;
    }
    let mut writer = SegmentWriter::default();
    let mut postings = Vec::new();
    let mut least: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::new());
    loop {
        for cursor in &mut cursors {
            cursor.fill(from)?;
        }
        let Some(term) = cursors.iter().filter_map(Cursor::term).min() else {
            break;
        };
        least.clear();
        least.extend_from_slice(term);
        postings.clear();
        for cursor in &mut cursors {
            if cursor.term() == Some(&least) {
                let (_, place) = cursor.terms.pop().expect("term() has just shown it");
                cursor
                    .segment
                    .read_list(from, &place, cursor.base, &mut postings)?;
            }
        }
        if !postings.is_empty() {
            let term = std::str::from_utf8(&least).map_err(|_| RecallError::Damaged)?;
            writer.term(term, &postings);
        }
    }
    least.zeroize();
    Ok(writer.finish(&turns, &contents))
}
