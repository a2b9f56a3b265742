//! The ranker: which messages answer a question.

mod question;
mod reader;

use std::collections::BinaryHeap;

pub use question::{DateWord, Question, TERMS_MAX, Term};
use reader::{Reader, Span};

use super::RecallError;
use super::contents::{Contents, NONE, WHOLE};
use super::source::{Posting, Source};
use super::turn::{Speaker, Turn, words_of};

/// The numbers of the sum.
#[derive(Clone, Debug)]
pub struct Weights {
    pub k1: f64,
    pub b: f64,
    pub conversation_k1: f64,
    pub conversation_b: f64,
    pub conversation: f64,
    pub length: f64,
    pub first_person: f64,
    pub question: f64,
    pub fade_words: f64,
    pub person: f64,
    pub user: f64,
    pub time: f64,
    pub number: f64,
    pub narrower: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Weights {
            k1: 1.6,
            b: 0.9,
            conversation_k1: 0.9,
            conversation_b: 0.4,
            conversation: 0.35,
            length: 0.2,
            first_person: 0.9,
            question: 0.65,
            fade_words: 30.0,
            person: 3.0,
            user: 2.5,
            time: 2.3,
            number: 1.4,
            narrower: 0.3,
        }
    }
}

/// Up to here every message is scored; above, only those that share a word with the question.
pub const ALL_SCORED_MAX: u64 = 20_000;
const BLOCK: u32 = 1 << 15;

/// A message, and how well it answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    pub passage: u32,
    pub run: u32,
    pub seq: u64,
    pub turn: Turn,
    pub score: f64,
    /// The standard score of its words alone.
    pub words: f64,
    /// The part of the question's weight that it, or its neighbours, share.
    pub coverage: f64,
}

struct Listed {
    idf: f64,
    conversation_idf: f64,
    date: Option<DateWord>,
    speakers: u64,
    postings: Vec<Posting>,
    narrower: Vec<Posting>,
}

#[derive(Clone, Copy)]
struct Candidate {
    span: Span,
    turn: Turn,
    words: f64,
    coverage: f32,
}

/// The best `k` messages that `allow` lets through, best first.
pub fn rank(
    source: &dyn Source,
    question: &Question,
    weights: &Weights,
    k: usize,
    allow: &mut dyn FnMut(&Contents, &Scored) -> bool,
) -> Result<Vec<Scored>, RecallError> {
    let contents = source.contents();
    if contents.passages == 0 || k == 0 {
        return Ok(Vec::new());
    }
    let mut lists = list(source, question, weights)?;
    let conversations = conversation_scores(contents, &mut lists, weights);
    let candidates = candidates(source, &lists, weights)?;
    let scale = Scale::of(contents, &candidates, &conversations);
    let mut best: BinaryHeap<Worst> = BinaryHeap::with_capacity(k + 1);
    for candidate in &candidates {
        let score = scale.score(contents, candidate, &conversations, question, weights);
        let scored = Scored {
            passage: candidate.span.first,
            run: candidate.span.run,
            seq: contents.seq(candidate.span.run, candidate.turn),
            turn: candidate.turn,
            score,
            words: scale.words.of(candidate.words),
            coverage: f64::from(candidate.coverage),
        };
        let worse = best.len() == k && best.peek().is_some_and(|worst| worst.0.score >= score);
        if worse || candidate.turn.has(Turn::PURGED) || !allow(contents, &scored) {
            continue;
        }
        best.push(Worst(scored));
        if best.len() > k {
            best.pop();
        }
    }
    Ok(best
        .into_sorted_vec()
        .into_iter()
        .map(|worst| worst.0)
        .collect())
}

/// Orders the worst first; of equal ones the later is the worse.
struct Worst(Scored);

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other
            .0
            .score
            .total_cmp(&self.0.score)
            .then(self.0.passage.cmp(&other.0.passage))
    }
}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Worst {}

fn inverse_frequency(all: f64, with: f64) -> f64 {
    (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
}

/// Fetches the postings of every term; the rarest terms if there are too many.
fn list(
    source: &dyn Source,
    question: &Question,
    weights: &Weights,
) -> Result<Vec<Listed>, RecallError> {
    let contents = source.contents();
    let mut out = Vec::new();
    for term in &question.terms {
        let mut postings = Vec::new();
        for alternative in &term.terms {
            source.postings(alternative, &mut postings)?;
        }
        if term.terms.len() > 1 {
            merge_alternatives(&mut postings);
        }
        let mut narrower = Vec::new();
        if weights.narrower > 0.0 {
            for other in &term.narrower {
                source.postings(other, &mut narrower)?;
            }
            merge_alternatives(&mut narrower);
        }
        let mut with = postings.len() as f64;
        if with == 0.0 && weights.narrower > 0.0 {
            with = narrower.len() as f64;
        }
        if let Some(date) = term.date {
            let runs = contents.runs.iter().enumerate();
            with += runs
                .filter(|(_, run)| date.matches(run.day))
                .map(|(n, _)| contents.range(n as u32).len() as f64)
                .sum::<f64>();
        }
        for speaker in 0..Speaker::COUNT {
            if term.speakers & (1 << speaker) != 0 {
                with += contents.sums.speakers[speaker].passages as f64;
            }
        }
        if with > 0.0 {
            let all = f64::from(contents.passages);
            out.push(Listed {
                idf: inverse_frequency(all, with.min(all)),
                conversation_idf: 0.0,
                date: term.date,
                speakers: term.speakers,
                postings,
                narrower,
            });
        }
    }
    if out.len() > TERMS_MAX {
        out.sort_by(|a, b| b.idf.total_cmp(&a.idf));
        out.truncate(TERMS_MAX);
    }
    Ok(out)
}

fn merge_alternatives(postings: &mut Vec<Posting>) {
    postings.sort_by_key(|posting| posting.passage);
    postings.dedup_by(|next, kept| {
        let same = next.passage == kept.passage;
        if same {
            kept.count = kept.count.saturating_add(next.count);
            kept.first = kept.first.saturating_add(next.first);
            kept.last = kept.last.saturating_add(next.last);
        }
        same
    });
}

/// BM25 of every conversation.
fn conversation_scores(contents: &Contents, lists: &mut [Listed], weights: &Weights) -> Vec<f64> {
    let count = contents.conversations.len();
    let mut scores = vec![0.0; count];
    let mut counts = vec![0u32; count];
    let mut touched = Vec::new();
    let average = (contents.sums.words as f64 / count.max(1) as f64).max(1.0);
    for list in lists.iter_mut() {
        let mut run = 0;
        for posting in &list.postings {
            if contents
                .runs
                .get(run + 1)
                .is_some_and(|next| next.start <= posting.passage)
            {
                run += 1;
                if contents
                    .runs
                    .get(run + 1)
                    .is_some_and(|next| next.start <= posting.passage)
                {
                    run = contents.run_of(posting.passage) as usize;
                }
            }
            let conversation = contents.runs[run].conversation;
            if counts[conversation as usize] == 0 {
                touched.push(conversation);
            }
            counts[conversation as usize] += u32::from(posting.count);
        }
        list.conversation_idf = inverse_frequency(count as f64, touched.len() as f64);
        for conversation in touched.drain(..) {
            let tf = f64::from(std::mem::take(&mut counts[conversation as usize]));
            let words = contents.conversations[conversation as usize].words as f64;
            let (k1, b) = (weights.conversation_k1, weights.conversation_b);
            let norm = k1 * (1.0 - b + b * words / average);
            scores[conversation as usize] += list.conversation_idf * tf * (k1 + 1.0) / (tf + norm);
        }
    }
    scores
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
    let span = reader.span(posting.passage, run)?;
    if posting.first > 0 && span.first == posting.passage {
        for (target, weight) in reader.lends_back(span)? {
            if let Some(target) = target {
                (target.first..target.end).for_each(|p| to(p, weight * u32::from(posting.first)));
            }
        }
    }
    if posting.last > 0 && span.end == posting.passage + 1 {
        for (target, weight) in reader.lends_on(span)? {
            if let Some(target) = target {
                (target.first..target.end).for_each(|p| to(p, weight * u32::from(posting.last)));
            }
        }
    }
    Ok(())
}

/// One block of passages: for each term what it counts in each, in twentieths.
struct Block {
    start: u32,
    counts: Vec<u16>,
    touched: Vec<u64>,
}

impl Block {
    fn add(&mut self, term: usize, passage: u32, amount: u32) {
        let at = (passage - self.start) as usize;
        let count = &mut self.counts[term * BLOCK as usize + at];
        *count = count.saturating_add(amount as u16);
        self.touched[at / 64] |= 1 << (at % 64);
    }

    fn take(&mut self, term: usize, passage: u32) -> u16 {
        let at = (passage - self.start) as usize;
        std::mem::take(&mut self.counts[term * BLOCK as usize + at])
    }
}

fn candidates(
    source: &dyn Source,
    lists: &[Listed],
    weights: &Weights,
) -> Result<Vec<Candidate>, RecallError> {
    let contents = source.contents();
    let mut reader = Reader::new(source);
    // What crosses into another block is found first, since that block may lie before.
    let mut far: Vec<(u32, u8, u32)> = Vec::new();
    for (term, list) in lists.iter().enumerate() {
        for &posting in &list.postings {
            let run = reader.run_of(posting.passage);
            if !stays_in_block(contents, run) {
                lend(&mut reader, posting, run, |target, amount| {
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
    let mut out = Vec::new();
    let mut block = Block {
        start: 0,
        counts: vec![0; lists.len() * BLOCK as usize],
        touched: vec![0; BLOCK as usize / 64],
    };
    let mut at: Vec<usize> = vec![0; lists.len()];
    let mut nat: Vec<usize> = vec![0; lists.len()];
    let na = (20.0 * weights.narrower) as u32;
    let mut far_at = 0;
    for number in 0..=(contents.passages - 1) / BLOCK {
        block.start = number * BLOCK;
        let end = (block.start + BLOCK).min(contents.passages);
        let mut any = score_all;
        for (term, list) in lists.iter().enumerate() {
            while let Some(&posting) = list.narrower.get(nat[term]).filter(|p| p.passage < end) {
                nat[term] += 1;
                any = true;
                block.add(term, posting.passage, na * u32::from(posting.count));
            }
            while let Some(&posting) = list.postings.get(at[term]).filter(|p| p.passage < end) {
                at[term] += 1;
                any = true;
                block.add(term, posting.passage, WHOLE * u32::from(posting.count));
                let run = reader.run_of(posting.passage);
                lend(&mut reader, posting, run, |target, amount| {
                    if target / BLOCK == number {
                        block.add(term, target, amount);
                    }
                })?;
            }
        }
        while let Some(&(target, term, amount)) = far.get(far_at).filter(|f| f.0 < end) {
            far_at += 1;
            any = true;
            block.add(usize::from(term), target, amount);
        }
        if any {
            let all = score_all.then_some(end);
            score_block(&mut reader, &mut block, &scorer, all, &mut out)?;
        }
    }
    Ok(out)
}

fn score_block(
    reader: &mut Reader<'_>,
    block: &mut Block,
    scorer: &Scorer<'_>,
    all_to: Option<u32>,
    out: &mut Vec<Candidate>,
) -> Result<(), RecallError> {
    if let Some(end) = all_to {
        for at in 0..(end - block.start) as usize {
            block.touched[at / 64] |= 1 << (at % 64);
        }
    }
    let mut borrowed = 0;
    for word in 0..block.touched.len() {
        let mut bits = std::mem::take(&mut block.touched[word]);
        while bits != 0 {
            let passage = block.start + word as u32 * 64 + bits.trailing_zeros();
            bits &= bits - 1;
            let known = out
                .last()
                .is_some_and(|c| passage < c.span.end && passage >= c.span.first);
            if !known {
                let run = reader.run_of(passage);
                let span = reader.span(passage, run)?;
                let turn = reader.turn(span.first)?;
                out.push(Candidate {
                    span,
                    turn,
                    words: 0.0,
                    coverage: 0.0,
                });
            }
            let candidate = out.last_mut().expect("pushed above");
            if !known || passage == block.start {
                borrowed = reader.borrowed(candidate.span)?;
            }
            let turn = reader.turn(passage)?;
            let (words, coverage) =
                scorer.score(block, passage, candidate.span.run, turn, borrowed);
            if words > candidate.words {
                candidate.words = words;
                candidate.coverage = coverage as f32;
            }
        }
    }
    Ok(())
}

struct Scorer<'a> {
    contents: &'a Contents,
    lists: &'a [Listed],
    weights: &'a Weights,
    /// Mean words of a passage's bag.
    average: f64,
    idf_sum: f64,
}

impl<'a> Scorer<'a> {
    fn new(contents: &'a Contents, lists: &'a [Listed], weights: &'a Weights) -> Self {
        let sums = &contents.sums;
        let passages = f64::from(contents.passages);
        let own = sums.words as f64 + sums.lent as f64 / f64::from(WHOLE);
        let average = own / passages + EXTRA_WORDS;
        let idf_sum = lists.iter().map(|l| l.idf).sum::<f64>().max(1e-9);
        Scorer {
            contents,
            lists,
            weights,
            average,
            idf_sum,
        }
    }

    /// BM25 of one passage, and the part of the question that it covers.
    fn score(
        &self,
        block: &mut Block,
        passage: u32,
        run: u32,
        turn: Turn,
        borrowed: u32,
    ) -> (f64, f64) {
        let words = f64::from(turn.words()) + f64::from(borrowed) / f64::from(WHOLE) + EXTRA_WORDS;
        let w = self.weights;
        let norm = w.k1 * (1.0 - w.b + w.b * words / self.average);
        let (mut sum, mut covered) = (0.0, 0.0);
        for (term, list) in self.lists.iter().enumerate() {
            let mut tf = f64::from(block.take(term, passage)) / f64::from(WHOLE);
            if list.speakers & (1 << turn.speaker().0) != 0 {
                tf += 1.0;
            }
            if let Some(date) = list.date {
                if date.matches(self.contents.runs[run as usize].day) {
                    tf += 1.0;
                }
            }
            if tf > 0.0 {
                sum += list.idf * tf * (w.k1 + 1.0) / (tf + norm);
                covered += list.idf * tf.min(1.0);
            }
        }
        (sum, covered / self.idf_sum)
    }
}

/// The words of a message's speaker and date.
const EXTRA_WORDS: f64 = 4.0;

/// A mean and a deviation.
#[derive(Clone, Copy, Debug)]
struct Spread {
    mean: f64,
    deviation: f64,
}

impl Spread {
    fn new(count: f64, sum: f64, squares: f64) -> Spread {
        let mean = sum / count.max(1.0);
        let variance = (squares / count.max(1.0) - mean * mean).max(0.0);
        Spread {
            mean,
            deviation: variance.sqrt(),
        }
    }

    /// How many deviations above the mean; 0 where all are alike.
    fn of(self, value: f64) -> f64 {
        if self.deviation > 1e-9 {
            (value - self.mean) / self.deviation
        } else {
            0.0
        }
    }
}

struct Scale {
    words: Spread,
    conversations: Spread,
    lengths: Vec<Spread>,
}

impl Scale {
    fn of(contents: &Contents, candidates: &[Candidate], conversations: &[f64]) -> Scale {
        let messages = contents.sums.messages as f64;
        let (mut sum, mut squares) = (0.0, 0.0);
        for candidate in candidates {
            sum += candidate.words;
            squares += candidate.words * candidate.words;
        }
        let words = Spread::new(messages, sum, squares);
        let (mut sum, mut squares) = (0.0, 0.0);
        for (conversation, score) in contents.conversations.iter().zip(conversations) {
            let messages = f64::from(conversation.messages);
            sum += score * messages;
            squares += score * score * messages;
        }
        let lengths = contents
            .sums
            .speakers
            .iter()
            .map(|s| Spread::new(s.messages as f64, s.length as f64, s.length_squared as f64))
            .collect();
        Scale {
            words,
            conversations: Spread::new(messages, sum, squares),
            lengths,
        }
    }

    fn score(
        &self,
        contents: &Contents,
        candidate: &Candidate,
        conversations: &[f64],
        question: &Question,
        w: &Weights,
    ) -> f64 {
        let turn = candidate.turn;
        let speaker = turn.speaker();
        let conversation = contents.runs[candidate.span.run as usize].conversation;
        let mut score = self.words.of(candidate.words)
            + w.conversation * self.conversations.of(conversations[conversation as usize])
            + w.length * self.lengths[usize::from(speaker.0)].of(f64::from(turn.length()));
        if turn.has(Turn::FIRST_PERSON) {
            score += w.first_person;
        }
        if turn.has(Turn::ASKS) {
            score -= w.question * (1.0 - words_of(turn.length()) / w.fade_words).max(0.0);
        }
        let by_whom = match question.person() {
            Some(person) => (speaker == person).then_some(w.person),
            None if question.asks_assistant => (speaker == Speaker::ASSISTANT).then_some(w.user),
            None => (speaker != Speaker::ASSISTANT).then_some(w.user),
        };
        score += by_whom.unwrap_or(0.0);
        if question.asks_time && turn.has(Turn::TIME) {
            score += w.time;
        }
        if question.asks_number && turn.has(Turn::NUMBER) {
            score += w.number;
        }
        score
    }
}
