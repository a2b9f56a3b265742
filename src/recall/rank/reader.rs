//! Reads turns where they lie, and walks from a message to its neighbours.

use std::ops::Range;

use crate::recall::RecallError;
use crate::recall::contents::{Contents, LENDS, NONE, lent_by};
use crate::recall::source::Source;
use crate::recall::stretch::Stretch;
use crate::recall::turn::{Speaker, Turn};

/// The stretches last looked at: one, those that neighbours of its first and last turns lie in, and
/// one to come back from.
const STRETCHES: usize = 4;
/// The turns around one that decide about it.
const BEFORE: u32 = 2;
const BEHIND: u32 = 3;

/// The passages of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: u32,
    pub end: u32,
    pub run: u32,
}

/// A passage that is a whole message, between the two messages before and the two behind it.
pub struct Among {
    pub turn: Turn,
    /// Nearest first; none where the conversation begins or ends.
    pub before: [Option<Turn>; 2],
    pub behind: [Option<Turn>; 2],
}

/// Walks over turns, mostly in order.
pub struct Reader<'a> {
    source: &'a dyn Source,
    contents: &'a Contents,
    /// The one used last comes first.
    stretches: [Stretch; STRETCHES],
    run: u32,
    /// The passages of that run.
    range: Range<u32>,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a dyn Source) -> Self {
        Reader {
            source,
            contents: source.contents(),
            stretches: std::array::from_fn(|_| Stretch::empty()),
            run: 0,
            range: 0..0,
        }
    }

    #[inline]
    pub fn turn(&mut self, passage: u32) -> Result<Turn, RecallError> {
        match self.stretches[0].turn(passage) {
            Some(turn) => Ok(turn),
            None => self.turn_elsewhere(passage),
        }
    }

    #[cold]
    fn turn_elsewhere(&mut self, passage: u32) -> Result<Turn, RecallError> {
        let holds = |stretch: &Stretch| stretch.turn(passage).is_some();
        match self.stretches.iter().position(holds) {
            Some(at) => self.stretches[..=at].rotate_right(1),
            None => {
                self.stretches.rotate_right(1);
                self.stretches[0] = self.source.stretch(passage)?;
            }
        }
        self.stretches[0].turn(passage).ok_or(RecallError::Damaged)
    }

    /// A passage with the messages around it, if it and each of them is a whole message, and none
    /// lies in another run. Mostly so, and then nothing has to be walked to.
    #[inline]
    pub fn among(&mut self, passage: u32, run: u32) -> Result<Option<Among>, RecallError> {
        let range = self.run_range(run);
        let of = &self.contents.runs[run as usize];
        let (begins, ends) = (of.previous == NONE, of.next == NONE);
        if (passage < range.start + BEFORE && !begins) || (passage + 2 >= range.end && !ends) {
            return Ok(None);
        }
        let from = range.start.max(passage.saturating_sub(BEFORE));
        // The third behind tells whether the second goes on.
        let to = range.end.min(passage + BEHIND + 1);
        if self.stretches[0].turns(from..to).is_none() {
            self.turn_elsewhere(passage)?;
        }
        let Some(near) = self.stretches[0].turns(from..to) else {
            return Ok(None);
        };
        if near
            .iter()
            .any(|turn| Turn::from_bytes(*turn).has(Turn::CONTINUES))
        {
            return Ok(None);
        }
        let at = (passage - from) as usize;
        let before = |n: usize| at.checked_sub(n).map(|at| Turn::from_bytes(near[at]));
        let behind = |n: usize| near.get(at + n).map(|turn| Turn::from_bytes(*turn));
        Ok(Some(Among {
            turn: Turn::from_bytes(near[at]),
            before: [before(1), before(2)],
            behind: [behind(1), behind(2)],
        }))
    }

    /// The passages of a run; quick for the one that was asked for last.
    #[inline]
    fn run_range(&self, run: u32) -> Range<u32> {
        match run == self.run {
            true if !self.range.is_empty() => self.range.clone(),
            _ => self.contents.range(run),
        }
    }

    /// The run of a passage; quick where passages are asked for in order.
    pub fn run_of(&mut self, passage: u32) -> u32 {
        if !self.range.contains(&passage) {
            self.run = self.contents.run_near(self.run, passage);
            self.range = self.contents.range(self.run);
        }
        self.run
    }

    /// The message that a passage belongs to.
    pub fn span(&mut self, passage: u32, run: u32) -> Result<Span, RecallError> {
        let range = self.contents.range(run);
        let mut first = passage;
        while first > range.start && self.turn(first)?.has(Turn::CONTINUES) {
            first -= 1;
        }
        let mut end = passage + 1;
        while end < range.end && self.turn(end)?.has(Turn::CONTINUES) {
            end += 1;
        }
        Ok(Span { first, end, run })
    }

    /// The message before in the same conversation.
    pub fn previous(&mut self, span: Span) -> Result<Option<Span>, RecallError> {
        let (last, run) = if span.first > self.contents.range(span.run).start {
            (span.first - 1, span.run)
        } else {
            match self.contents.runs[span.run as usize].previous {
                NONE => return Ok(None),
                run => (self.contents.range(run).end - 1, run),
            }
        };
        let range = self.contents.range(run);
        let mut first = last;
        while first > range.start && self.turn(first)?.has(Turn::CONTINUES) {
            first -= 1;
        }
        Ok(Some(Span {
            first,
            end: last + 1,
            run,
        }))
    }

    /// The message after in the same conversation.
    pub fn next(&mut self, span: Span) -> Result<Option<Span>, RecallError> {
        let range = self.contents.range(span.run);
        let (first, run) = if span.end < range.end {
            (span.end, span.run)
        } else {
            match self.contents.runs[span.run as usize].next {
                NONE => return Ok(None),
                run => (self.contents.range(run).start, run),
            }
        };
        let range = self.contents.range(run);
        let mut end = first + 1;
        while end < range.end && self.turn(end)?.has(Turn::CONTINUES) {
            end += 1;
        }
        Ok(Some(Span { first, end, run }))
    }

    /// What the first words of a message are lent to, with the weight.
    pub fn lends_back(&mut self, span: Span) -> Result<[(Option<Span>, u32); 2], RecallError> {
        let speaker = self.turn(span.first)?.speaker();
        if speaker == Speaker::MEMORY {
            return Ok([(None, 0); 2]);
        }
        let one = self.previous(span)?;
        let two = one.map(|one| self.previous(one)).transpose()?.flatten();
        Ok([
            (one, lent_by(speaker, LENDS.previous)),
            (two, lent_by(speaker, LENDS.second_previous)),
        ])
    }

    /// What the last words of a message are lent to, with the weight.
    pub fn lends_on(&mut self, span: Span) -> Result<[(Option<Span>, u32); 2], RecallError> {
        let speaker = self.turn(span.first)?.speaker();
        if speaker == Speaker::MEMORY {
            return Ok([(None, 0); 2]);
        }
        let one = self.next(span)?;
        let two = one.map(|one| self.next(one)).transpose()?.flatten();
        Ok([
            (one, lent_by(speaker, LENDS.next)),
            (two, lent_by(speaker, LENDS.second_next)),
        ])
    }

    /// The message that a passage belongs to, and how many words it borrows from its neighbours, in
    /// twentieths.
    pub fn message(&mut self, passage: u32, run: u32) -> Result<(Span, u32), RecallError> {
        let Some(among) = self.among(passage, run)? else {
            let span = self.span(passage, run)?;
            return Ok((span, self.borrowed(span)?));
        };
        let (first, end) = (passage, passage + 1);
        let lent = |turn: Option<Turn>, weight| {
            turn.map_or(0, |turn| {
                turn.near_words() * lent_by(turn.speaker(), weight)
            })
        };
        let ([before, second_before], [behind, second_behind]) = (among.before, among.behind);
        let borrowed = match among.turn.speaker() {
            Speaker::MEMORY => 0,
            _ => {
                lent(before, LENDS.next)
                    + lent(second_before, LENDS.second_next)
                    + lent(behind, LENDS.previous)
                    + lent(second_behind, LENDS.second_previous)
            }
        };
        Ok((Span { first, end, run }, borrowed))
    }

    fn borrowed(&mut self, span: Span) -> Result<u32, RecallError> {
        if self.turn(span.first)?.speaker() == Speaker::MEMORY {
            return Ok(0);
        }
        let mut sum = 0;
        let mut near = Some(span);
        for weight in [LENDS.next, LENDS.second_next] {
            near = near.map(|span| self.previous(span)).transpose()?.flatten();
            if let Some(span) = near {
                let turn = self.turn(span.end - 1)?;
                sum += turn.near_words() * lent_by(turn.speaker(), weight);
            }
        }
        near = Some(span);
        for weight in [LENDS.previous, LENDS.second_previous] {
            near = near.map(|span| self.next(span)).transpose()?.flatten();
            if let Some(span) = near {
                let turn = self.turn(span.first)?;
                sum += turn.near_words() * lent_by(turn.speaker(), weight);
            }
        }
        Ok(sum)
    }
}
