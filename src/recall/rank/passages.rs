//! Scores passages by their words and those around them, a block of passages at a time.
//!
//! What a word counts is kept in twentieths, as whole numbers, so that sums do not depend on the
//! order in which postings come.

use std::ops::Range;

use super::Weights;
use super::lists::{Listed, runs_asked_for};
use super::reader::{Reader, Span};
use crate::recall::RecallError;
use crate::recall::contents::{Contents, LENDS, NONE, WHOLE, lent_by};
use crate::recall::source::Posting;
use crate::recall::turn::{Speaker, Turn};

/// Up to here every message is scored; above, only those that share a word with the question.
pub const ALL_SCORED_MAX: u64 = 20_000;
const BLOCK: u32 = 1 << 15;
/// The bit of a count that says that the passage itself holds the word.
const OWN: u16 = 1 << 15;
/// No message answers every word of a long line: the rarest of them are enough.
const COVERED_TERMS: usize = 8;

/// A message that is scored: small, since there may be a million of them.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    /// Its first passage.
    pub(super) passage: u32,
    /// BM25 of its best passage.
    pub(super) words: f32,
    pub(super) coverage: f32,
    /// Holds a word of the question itself.
    pub(super) own: bool,
}

/// Whether all that a posting of this run lends stays within one block.
fn stays_in_block(contents: &Contents, run: u32) -> bool {
    let range = contents.range(run);
    let run = &contents.runs[run as usize];
    run.previous == NONE && run.next == NONE && range.start / BLOCK == (range.end - 1) / BLOCK
}

/// Calls `lend` for every passage that borrows from a posting.
fn lend(
    reader: &mut Reader<'_>,
    posting: Posting,
    run: u32,
    mut to: impl FnMut(u32, u32),
) -> Result<(), RecallError> {
    if posting.first == 0 && posting.last == 0 {
        return Ok(());
    }
    let (first, last) = (u32::from(posting.first), u32::from(posting.last));
    if let Some(among) = reader.among(posting.passage, run)? {
        let (p, speaker) = (posting.passage, among.turn.speaker());
        if speaker == Speaker::MEMORY {
            return Ok(());
        }
        for (n, weight) in [(1, LENDS.previous), (2, LENDS.second_previous)] {
            if first > 0 && among.before[n - 1].is_some() {
                to(p - n as u32, first * lent_by(speaker, weight));
            }
        }
        for (n, weight) in [(1, LENDS.next), (2, LENDS.second_next)] {
            if last > 0 && among.behind[n - 1].is_some() {
                to(p + n as u32, last * lent_by(speaker, weight));
            }
        }
        return Ok(());
    }
    let span = reader.span(posting.passage, run)?;
    if first > 0 && span.first == posting.passage {
        for (target, weight) in reader.lends_back(span)? {
            if let Some(target) = target {
                (target.first..target.end).for_each(|p| to(p, weight * first));
            }
        }
    }
    if last > 0 && span.end == posting.passage + 1 {
        for (target, weight) in reader.lends_on(span)? {
            if let Some(target) = target {
                (target.first..target.end).for_each(|p| to(p, weight * last));
            }
        }
    }
    Ok(())
}

/// One block of passages: for each what every term counts in it, in twentieths, side by side.
struct Block {
    start: u32,
    terms: usize,
    counts: Vec<u16>,
    touched: Vec<u64>,
}

impl Block {
    fn new(terms: usize) -> Block {
        Block {
            start: 0,
            terms,
            counts: vec![0; terms * BLOCK as usize],
            touched: vec![0; BLOCK as usize / 64],
        }
    }

    /// Adds what a neighbour lends.
    fn lend(&mut self, term: usize, passage: u32, amount: u32) {
        let at = (passage - self.start) as usize;
        let count = &mut self.counts[at * self.terms + term];
        let sum = u32::from(*count & !OWN) + amount;
        *count = sum.min(u32::from(!OWN)) as u16 | (*count & OWN);
        self.touched[at / 64] |= 1 << (at % 64);
    }

    /// Adds what the passage itself holds.
    fn own(&mut self, term: usize, passage: u32, amount: u32) {
        self.lend(term, passage, amount);
        self.counts[(passage - self.start) as usize * self.terms + term] |= OWN;
    }

    /// Has passages scored whatever they say; false if the range is empty.
    fn touch(&mut self, passages: Range<u32>) -> bool {
        for passage in passages.clone() {
            let at = (passage - self.start) as usize;
            self.touched[at / 64] |= 1 << (at % 64);
        }
        !passages.is_empty()
    }

    /// What each term counts in a passage; to be taken out.
    fn counts(&mut self, passage: u32) -> &mut [u16] {
        let at = (passage - self.start) as usize * self.terms;
        &mut self.counts[at..at + self.terms]
    }
}

/// All messages that share a word with the question, in order.
pub(super) fn candidates(
    contents: &Contents,
    reader: &mut Reader<'_>,
    lists: &[Listed],
    weights: &Weights,
) -> Result<Vec<Candidate>, RecallError> {
    // What crosses into another block is found first, since that block may lie before.
    let mut far: Vec<(u32, u8, u32)> = Vec::new();
    for (term, list) in lists.iter().enumerate() {
        for &posting in &list.postings {
            let run = reader.run_of(posting.passage);
            if !stays_in_block(contents, run) {
                lend(reader, posting, run, |target, amount| {
                    if target / BLOCK != posting.passage / BLOCK {
                        far.push((target, term as u8, amount));
                    }
                })?;
            }
        }
    }
    far.sort_unstable();
    let score_all = contents.sums.messages <= ALL_SCORED_MAX;
    let scorer = Scorer::new(contents, lists, weights);
    let mut scan = Scan::default();
    let mut block = Block::new(lists.len());
    let mut at: Vec<usize> = vec![0; lists.len()];
    let mut narrower_at: Vec<usize> = vec![0; lists.len()];
    let narrower = (f64::from(WHOLE) * weights.narrower).round() as u32;
    let days = runs_asked_for(contents, lists);
    let mut far_at = 0;
    for number in 0..=(contents.passages - 1) / BLOCK {
        block.start = number * BLOCK;
        let end = (block.start + BLOCK).min(contents.passages);
        let mut any = score_all;
        for (term, list) in lists.iter().enumerate() {
            let more = &list.narrower[narrower_at[term]..];
            let here = more.partition_point(|posting| posting.passage < end);
            narrower_at[term] += here;
            any |= here > 0;
            for posting in &more[..here] {
                block.own(term, posting.passage, narrower * u32::from(posting.count));
            }
            while let Some(&posting) = list.postings.get(at[term]).filter(|p| p.passage < end) {
                at[term] += 1;
                any = true;
                block.own(term, posting.passage, WHOLE * u32::from(posting.count));
                let run = reader.run_of(posting.passage);
                lend(reader, posting, run, |target, amount| {
                    if target / BLOCK == number {
                        block.lend(term, target, amount);
                    }
                })?;
            }
        }
        for &run in &days {
            let range = contents.range(run);
            any |= block.touch(range.start.max(block.start)..range.end.min(end));
        }
        while let Some(&(target, term, amount)) = far.get(far_at).filter(|f| f.0 < end) {
            far_at += 1;
            any = true;
            block.lend(usize::from(term), target, amount);
        }
        if any {
            if score_all {
                block.touch(block.start..end);
            }
            score_block(reader, &mut block, &scorer, &mut scan)?;
        }
    }
    Ok(scan.out)
}

/// Where a scan stands: the message whose passages come, and what it borrows.
#[derive(Default)]
struct Scan {
    span: Option<Span>,
    borrowed: u32,
    out: Vec<Candidate>,
}

fn score_block(
    reader: &mut Reader<'_>,
    block: &mut Block,
    scorer: &Scorer<'_>,
    scan: &mut Scan,
) -> Result<(), RecallError> {
    for word in 0..block.touched.len() {
        let mut bits = std::mem::take(&mut block.touched[word]);
        while bits != 0 {
            let passage = block.start + word as u32 * 64 + bits.trailing_zeros();
            bits &= bits - 1;
            let span = match scan.span {
                Some(span) if passage < span.end && passage >= span.first => span,
                _ => {
                    let run = reader.run_of(passage);
                    let (span, borrowed) = reader.message(passage, run)?;
                    (scan.span, scan.borrowed) = (Some(span), borrowed);
                    scan.out.push(Candidate {
                        passage: span.first,
                        words: 0.0,
                        coverage: 0.0,
                        own: false,
                    });
                    span
                }
            };
            let turn = reader.turn(passage)?;
            let score = scorer.score(block, passage, span.run, turn, scan.borrowed);
            let candidate = scan.out.last_mut().expect("pushed with its span");
            candidate.own |= score.own;
            if score.words as f32 > candidate.words {
                candidate.words = score.words as f32;
                candidate.coverage = score.coverage as f32;
            }
        }
    }
    Ok(())
}

/// BM25 of one passage, the part of the question that it covers, and whether by words of its own.
struct PassageScore {
    words: f64,
    coverage: f64,
    own: bool,
}

struct Scorer<'a> {
    lists: &'a [Listed],
    weights: &'a Weights,
    /// What the length of a bag, in twentieths, weighs against a count in twentieths.
    norm_base: f64,
    norm_each: f64,
    /// What a whole count of a term with an idf of one covers, for each twentieth.
    covers_each: f64,
    /// Some term is a name or a word of a date, which counts without standing in the words.
    beyond_words: bool,
}

impl<'a> Scorer<'a> {
    fn new(contents: &Contents, lists: &'a [Listed], weights: &'a Weights) -> Self {
        let sums = &contents.sums;
        let passages = f64::from(contents.passages);
        let whole = f64::from(WHOLE);
        let own = sums.words as f64 + sums.lent as f64 / whole;
        let average = own / passages + f64::from(EXTRA_WORDS);
        let mut idfs: Vec<f64> = lists.iter().map(|list| list.idf).collect();
        idfs.sort_by(|a, b| b.total_cmp(a));
        let idf_sum = idfs.iter().take(COVERED_TERMS).sum::<f64>().max(1e-9);
        Scorer {
            lists,
            weights,
            norm_base: whole * weights.k1 * (1.0 - weights.b),
            norm_each: weights.k1 * weights.b / average,
            covers_each: 1.0 / (whole * idf_sum),
            beyond_words: lists
                .iter()
                .any(|list| list.speakers != 0 || !list.runs.is_empty()),
        }
    }

    fn score(
        &self,
        block: &mut Block,
        passage: u32,
        run: u32,
        turn: Turn,
        borrowed: u32,
    ) -> PassageScore {
        // All in twentieths, so that there is one division for each term.
        let length = WHOLE * (turn.words() + EXTRA_WORDS) + borrowed;
        let norm = self.norm_base + self.norm_each * f64::from(length);
        let (mut sum, mut covered, mut own) = (0.0, 0.0, false);
        for (list, count) in self.lists.iter().zip(block.counts(passage)) {
            let count = std::mem::take(count);
            if count == 0 && !self.beyond_words {
                continue;
            }
            let mut times = u32::from(count & !OWN);
            own |= count & OWN != 0;
            if list.speakers & (1 << turn.speaker().0) != 0 {
                times += WHOLE;
                own = true;
            }
            if list.runs.get(run as usize) == Some(&true) {
                times += WHOLE;
                own = true;
            }
            if times > 0 {
                let tf = f64::from(times);
                sum += list.idf * tf / (tf + norm);
                covered += list.idf * f64::from(times.min(WHOLE));
            }
        }
        PassageScore {
            words: sum * (self.weights.k1 + 1.0),
            coverage: (covered * self.covers_each).min(1.0),
            own,
        }
    }
}

/// The words of a message's speaker and date.
const EXTRA_WORDS: u32 = 4;
