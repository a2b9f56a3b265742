//! The ranker: which messages answer a question.

mod counted;
mod likeness;
mod lists;
mod passages;
mod question;
mod reader;
mod scale;
#[cfg(test)]
mod tests;

use std::collections::BinaryHeap;

pub use counted::Counted;
pub use likeness::rank_by_meaning;
pub use passages::ALL_SCORED_MAX;
pub use question::{DateWord, Question, TERMS_MAX, Term};

use super::RecallError;
use super::contents::Contents;
use super::source::Source;
use super::turn::Turn;
use lists::{conversation_scores, list};
use passages::candidates;
use reader::Reader;
use scale::Scale;

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
    pub meaning: f64,
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
            meaning: 1.0,
        }
    }
}

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
    /// How far it stands out by its meaning; 0 where there are no vectors.
    pub meaning: f64,
    /// It holds a word of the question itself, or is by the person or of the day named there.
    pub own: bool,
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
    let lists = list(source, question, weights)?;
    let counting = question.counting();
    let conversations = conversation_scores(contents, &lists, weights, counting);
    let mut reader = Reader::new(source);
    let mut candidates = candidates(contents, &mut reader, &lists, weights)?;
    drop(lists);
    if question.counted.is_some() {
        candidates.retain(|c| counting.has(contents, reader.run_of(c.passage)));
    }
    let scale = Scale::of(contents, &candidates, &conversations, counting);
    let besides_max = scale.besides_words_max(question, weights);
    let mut best: BinaryHeap<Worst> = BinaryHeap::with_capacity(k.min(candidates.len()) + 1);
    for candidate in &candidates {
        let words = scale.words.of(f64::from(candidate.words));
        let full = best.len() == k;
        // Most candidates are too weak whatever else speaks for them.
        if full
            && best
                .peek()
                .is_some_and(|worst| worst.0.score >= words + besides_max)
        {
            continue;
        }
        let run = reader.run_of(candidate.passage);
        let turn = reader.turn(candidate.passage)?;
        let at = (run, turn);
        let score = scale.score(contents, candidate, at, &conversations, question, weights);
        if full && best.peek().is_some_and(|worst| worst.0.score >= score) {
            continue;
        }
        let scored = Scored {
            passage: candidate.passage,
            run,
            seq: contents.seq(run, turn),
            turn,
            score,
            words,
            coverage: f64::from(candidate.coverage),
            meaning: 0.0,
            own: candidate.own,
        };
        if !allow(contents, &scored) {
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
