//! Reads turns by page, and walks from a message to its neighbours.

use crate::recall::RecallError;
use crate::recall::contents::{Contents, LENDS, NONE, lent_by};
use crate::recall::source::Source;
use crate::recall::turn::{Speaker, Turn};

const PAGE_TURNS: u32 = 64;
const PAGES: usize = 512;

/// The passages of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: u32,
    pub end: u32,
    pub run: u32,
}

struct Page {
    number: u32,
    turns: Vec<Turn>,
}

/// Turns at hand: a few pages of them, wiped with the source's own cache.
pub struct Reader<'a> {
    source: &'a dyn Source,
    contents: &'a Contents,
    pages: Vec<Page>,
    run: u32,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a dyn Source) -> Self {
        let pages = (0..PAGES)
            .map(|_| Page {
                number: NONE,
                turns: Vec::new(),
            })
            .collect();
        Reader {
            source,
            contents: source.contents(),
            pages,
            run: 0,
        }
    }

    #[inline]
    pub fn turn(&mut self, passage: u32) -> Result<Turn, RecallError> {
        let number = passage / PAGE_TURNS;
        let page = &mut self.pages[number as usize % PAGES];
        if page.number != number {
            let start = number * PAGE_TURNS;
            let end = (start + PAGE_TURNS).min(self.contents.passages);
            page.number = NONE;
            self.source.columns(start..end, &mut page.turns)?;
            page.number = number;
        }
        let turn = page.turns.get((passage % PAGE_TURNS) as usize);
        turn.copied().ok_or(RecallError::Damaged)
    }

    /// The run of a passage; quick where passages are asked for in order.
    pub fn run_of(&mut self, passage: u32) -> u32 {
        self.run = self.contents.run_near(self.run, passage);
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
        let run = &self.contents.runs[span.run as usize];
        let (last, run) = if span.first > run.start {
            (span.first - 1, span.run)
        } else if run.previous != NONE {
            (self.contents.range(run.previous).end - 1, run.previous)
        } else {
            return Ok(None);
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
                run => (self.contents.runs[run as usize].start, run),
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

    /// How many words a message borrows from its neighbours, in twentieths.
    pub fn borrowed(&mut self, span: Span) -> Result<u32, RecallError> {
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
