//! What ranking reads: plain arrays and the sealed index look the same through it.

use std::ops::Range;

use super::RecallError;
use super::contents::Contents;
use super::meaning::Meaning;
use super::stretch::{Stretch, gather};
use super::turn::Turn;

/// A term in one passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    pub passage: u32,
    /// How often it stands there, at most 60.
    pub count: u8,
    /// How often among the first 20 words.
    pub first: u8,
    /// How often among the last 20 words.
    pub last: u8,
}

/// What ranking asks of an index: the postings of a term, the turns around a passage, and the
/// directory, which is always at hand.
pub trait Source {
    /// Appends the postings of a term, in order of passages.
    fn postings(&self, term: &str, out: &mut Vec<Posting>) -> Result<(), RecallError>;

    /// How many postings a term has.
    fn frequency(&self, term: &str) -> Result<u32, RecallError>;

    /// The turns around a passage, as they lie.
    fn stretch(&self, passage: u32) -> Result<Stretch, RecallError>;

    /// Replaces `out` by the turns of a range of passages.
    fn columns(&self, range: Range<u32>, out: &mut Vec<Turn>) -> Result<(), RecallError> {
        out.clear();
        gather(range, out, &|passage| self.stretch(passage))
    }

    fn contents(&self) -> &Contents;

    /// How many passages, from the first on, `model` has been shown.
    fn rows_of(&self, _model: &str) -> u32 {
        0
    }

    /// Calls `each` with the cosine to every passage of a range that has a vector. False if there
    /// are none that this question could be compared with.
    fn likeness(
        &self,
        _meaning: &Meaning,
        _range: Range<u32>,
        _each: &mut dyn FnMut(u32, f32),
    ) -> Result<bool, RecallError> {
        Ok(false)
    }

    /// Names of speakers, from [`super::turn::Speaker::NAMED`] on.
    fn names(&self) -> &[String];
}
