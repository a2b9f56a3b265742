//! A segment in memory: the newest messages, and what a sealed segment is written from.

use jiff::Timestamp;
use zeroize::Zeroize;

use crate::recall::RecallError;
use crate::recall::analyse::{self, Analysed, Language, TermId, Vocabulary};
use crate::recall::contents::{Contents, near, passages_of};
use crate::recall::source::{Posting, Source};
use crate::recall::stretch::Stretch;
use crate::recall::turn::{Speaker, Turn, day_and_second, length_of};

/// Turns that are handed out at once.
const STRETCH_TURNS: u32 = 512;

/// One message to index.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub seq: u64,
    pub conversation: [u8; 16],
    pub speaker: Speaker,
    pub at: Timestamp,
    pub text: &'a str,
}

/// Messages analysed and held in memory, wiped on drop.
#[derive(Default)]
pub struct VolatileSegment {
    vocabulary: Vocabulary,
    /// By term: passage and counts, in order of passages.
    postings: Vec<Vec<Posting>>,
    turns: Vec<Turn>,
    contents: Contents,
    names: Vec<String>,
    analysed: Analysed,
    posting_count: usize,
}

impl VolatileSegment {
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    pub fn messages(&self) -> u64 {
        self.contents.sums.messages
    }

    /// The bytes it takes, roughly.
    pub fn bytes(&self) -> usize {
        self.vocabulary.bytes()
            + self.vocabulary.len() * 64
            + self.posting_count * 2 * size_of::<Posting>()
            + self.turns.len() * 16
    }

    /// The terms in byte order, with their postings.
    pub fn sorted_terms(&self) -> Vec<(&str, &[Posting])> {
        let mut out: Vec<(&str, &[Posting])> = self
            .postings
            .iter()
            .enumerate()
            .map(|(id, postings)| (self.vocabulary.term(id as TermId), postings.as_slice()))
            .collect();
        out.sort_unstable_by_key(|(term, _)| *term);
        out
    }

    pub fn set_names(&mut self, names: &[String]) {
        self.names = names.to_vec();
    }

    /// Appends a message; returns the language that it seems to be in.
    pub fn push(&mut self, said: &Said<'_>) -> Option<Language> {
        let mut analysed = std::mem::take(&mut self.analysed);
        self.vocabulary.read(said.text, &mut analysed);
        let (day, second) = day_and_second(said.at);
        if !self.contents.continues(&said.conversation, day, said.seq) {
            self.contents.begin_run(&said.conversation, day, said.seq);
        }
        let mut flags = 0;
        for (cue, flag) in [
            (analyse::FIRST_PERSON, Turn::FIRST_PERSON),
            (analyse::TIME, Turn::TIME),
            (analyse::NUMBER, Turn::NUMBER),
        ] {
            if analysed.cues & cue != 0 {
                flags |= flag;
            }
        }
        if analysed.asks {
            flags |= Turn::ASKS;
        }
        let words = analysed.words.len();
        let from = self.turns.len();
        for range in passages_of(words) {
            let continued = if range.start > 0 { Turn::CONTINUES } else { 0 };
            let speaker = said.speaker;
            let length = length_of(words);
            self.index_passage(&analysed.words[range.clone()]);
            let turn = Turn::new(
                second,
                said.seq,
                speaker,
                range.len(),
                length,
                flags | continued,
            );
            self.turns.push(turn);
        }
        self.contents.passages = self.turns.len() as u32;
        self.contents
            .sums
            .add_message(&self.turns[from..], analysed.language);
        self.contents.grow(words as u64, 1);
        let language = analysed.language;
        self.analysed = analysed;
        language
    }

    fn index_passage(&mut self, words: &[TermId]) {
        let passage = self.turns.len() as u32;
        self.postings.resize_with(self.vocabulary.len(), Vec::new);
        for (at, &term) in words.iter().enumerate() {
            let (first, last) = near(at, words.len());
            let list = &mut self.postings[term as usize];
            match list.last_mut() {
                Some(posting) if posting.passage == passage => {
                    posting.count += 1;
                    posting.first += u8::from(first);
                    posting.last += u8::from(last);
                }
                _ => {
                    let (first, last) = (u8::from(first), u8::from(last));
                    list.push(Posting {
                        passage,
                        count: 1,
                        first,
                        last,
                    });
                    self.posting_count += 1;
                }
            }
        }
    }
}

impl Source for VolatileSegment {
    fn postings(&self, term: &str, out: &mut Vec<Posting>) -> Result<(), RecallError> {
        if let Some(id) = self.vocabulary.find(term) {
            out.extend_from_slice(self.postings.get(id as usize).map_or(&[], Vec::as_slice));
        }
        Ok(())
    }

    fn frequency(&self, term: &str) -> Result<u32, RecallError> {
        let known = self
            .vocabulary
            .find(term)
            .and_then(|id| self.postings.get(id as usize));
        Ok(known.map_or(0, |list| list.len() as u32))
    }

    fn stretch(&self, passage: u32) -> Result<Stretch, RecallError> {
        let start = passage / STRETCH_TURNS * STRETCH_TURNS;
        let end = (start + STRETCH_TURNS).min(self.turns.len() as u32);
        let turns = self.turns.get(start as usize..end as usize);
        Ok(Stretch::of(turns.ok_or(RecallError::Damaged)?, start))
    }

    fn contents(&self) -> &Contents {
        &self.contents
    }

    fn names(&self) -> &[String] {
        &self.names
    }
}

impl Drop for VolatileSegment {
    fn drop(&mut self) {
        self.analysed.words.zeroize();
        self.names.zeroize();
    }
}
