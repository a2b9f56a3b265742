//! Reads turns by page, and walks from a message to its neighbours.

use std::ops::Range;

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
    /// The passages of that run.
    range: Range<u32>,
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
            range: 0..0,
        }
    }

    #[inline]
    fn page(&mut self, passage: u32) -> Result<&[Turn], RecallError> {
        let number = passage / PAGE_TURNS;
        let page = &mut self.pages[number as usize % PAGES];
        if page.number != number {
            let start = number * PAGE_TURNS;
            let end = (start + PAGE_TURNS).min(self.contents.passages);
            page.number = NONE;
            self.source.columns(start..end, &mut page.turns)?;
            page.number = number;
        }
        Ok(&page.turns)
    }

    #[inline]
    pub fn turn(&mut self, passage: u32) -> Result<Turn, RecallError> {
        let turn = self.page(passage)?.get((passage % PAGE_TURNS) as usize);
        turn.copied().ok_or(RecallError::Damaged)
    }

    /// A passage between the two before and the two behind it, if each is a whole message of this
    /// run and all lie on one page. Most do, and then nothing has to be walked to.
    #[inline]
    pub fn among(&mut self, passage: u32, run: u32) -> Result<Option<[Turn; 5]>, RecallError> {
        let range = self.contents.range(run);
        let at = (passage % PAGE_TURNS) as usize;
        if at < 2 || passage < range.start + 2 || passage + 2 >= range.end {
            return Ok(None);
        }
        // The sixth tells whether the fifth goes on.
        let near = self.page(passage)?[at - 2..].first_chunk::<6>();
        let whole = near.filter(|six| six.iter().all(|turn| !turn.has(Turn::CONTINUES)));
        Ok(whole.and_then(|six| six.first_chunk()).copied())
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

    /// The message that a passage belongs to, and how many words it borrows from its neighbours, in
    /// twentieths.
    pub fn message(&mut self, passage: u32, run: u32) -> Result<(Span, u32), RecallError> {
        let Some([second_before, before, this, after, second_after]) = self.among(passage, run)?
        else {
            let span = self.span(passage, run)?;
            return Ok((span, self.borrowed(span)?));
        };
        let (first, end) = (passage, passage + 1);
        let lent = |turn: Turn, weight| turn.near_words() * lent_by(turn.speaker(), weight);
        let borrowed = match this.speaker() {
            Speaker::MEMORY => 0,
            _ => {
                lent(before, LENDS.next)
                    + lent(second_before, LENDS.second_next)
                    + lent(after, LENDS.previous)
                    + lent(second_after, LENDS.second_previous)
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
