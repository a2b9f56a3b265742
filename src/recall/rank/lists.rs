//! Fetches what the index has of a question's terms, and scores whole conversations.

use super::Weights;
use super::counted::Counting;
use super::passages::ALL_SCORED_MAX;
use super::question::{DateWord, Question, TERMS_MAX, Term};
use crate::recall::RecallError;
use crate::recall::contents::Contents;
use crate::recall::source::{Posting, Source};
use crate::recall::turn::Speaker;

/// One term of a question, as the index has it.
pub(super) struct Listed {
    pub(super) idf: f64,
    /// For a word of a date, which runs are of such a day; else empty.
    pub(super) runs: Vec<bool>,
    pub(super) speakers: u64,
    pub(super) postings: Vec<Posting>,
    /// Of narrower words, which count less.
    pub(super) narrower: Vec<Posting>,
}

fn inverse_frequency(all: f64, with: f64) -> f64 {
    (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
}

/// Fetches the postings of every term; of the rarest terms, if there are too many.
pub(super) fn list(
    source: &dyn Source,
    question: &Question,
    weights: &Weights,
) -> Result<Vec<Listed>, RecallError> {
    rarest(source, &question.terms)?
        .into_iter()
        .map(|term| fetch(source, term, weights, question.counting()))
        .collect()
}

/// The rarest of too many terms, in their order; those that nobody ever said come last.
fn rarest<'a>(source: &dyn Source, terms: &'a [Term]) -> Result<Vec<&'a Term>, RecallError> {
    let mut counted = Vec::new();
    for (n, term) in terms.iter().enumerate() {
        let mut count = 0u64;
        if terms.len() > TERMS_MAX {
            for alternative in &term.terms {
                count += u64::from(source.frequency(alternative)?);
            }
        }
        counted.push((count == 0, count, n));
    }
    if terms.len() > TERMS_MAX {
        counted.sort_unstable();
        counted.truncate(TERMS_MAX);
        counted.sort_unstable_by_key(|(_, _, n)| *n);
    }
    Ok(counted.into_iter().map(|(_, _, n)| &terms[n]).collect())
}

fn fetch(
    source: &dyn Source,
    term: &Term,
    weights: &Weights,
    counting: Counting<'_>,
) -> Result<Listed, RecallError> {
    let contents = source.contents();
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
    counting.thin(contents, &mut postings);
    counting.thin(contents, &mut narrower);
    let mut with = postings.len() as f64;
    if with == 0.0 {
        with = narrower.len() as f64;
    }
    let runs = term
        .date
        .map(|date| runs_of(contents, date, counting))
        .unwrap_or_default();
    with += passages_in(contents, &runs) as f64;
    for speaker in 0..Speaker::COUNT {
        if term.speakers & (1 << speaker) != 0 {
            with += contents.sums.speakers[speaker].passages as f64;
        }
    }
    // A word that nobody ever said stays: it is a part of the question that nothing covers.
    let all = f64::from(counting.passages(contents)).max(1.0);
    let idf = inverse_frequency(all, with.clamp(1.0, all));
    Ok(Listed {
        idf,
        runs,
        speakers: term.speakers,
        postings,
        narrower,
    })
}

/// Which runs are of a day that answers to a word of a date.
fn runs_of(contents: &Contents, date: DateWord, counting: Counting<'_>) -> Vec<bool> {
    let mut known: Option<(i32, bool)> = None;
    let mut of = |day: i32| match known {
        Some((last, matches)) if last == day => matches,
        _ => {
            let matches = date.matches(day);
            known = Some((day, matches));
            matches
        }
    };
    let runs = (0..).zip(&contents.runs);
    runs.map(|(n, run)| of(run.day) && counting.has(contents, n))
        .collect()
}

fn passages_in(contents: &Contents, runs: &[bool]) -> u64 {
    let of = |(n, is): (usize, &bool)| {
        if *is {
            contents.range(n as u32).len() as u64
        } else {
            0
        }
    };
    runs.iter().enumerate().map(of).sum()
}

/// The runs that answer to every word of a date in the question, unless they are too many.
pub(super) fn runs_asked_for(contents: &Contents, lists: &[Listed]) -> Vec<u32> {
    let mut dated = lists.iter().filter(|list| !list.runs.is_empty());
    let Some(first) = dated.next() else {
        return Vec::new();
    };
    let mut all = first.runs.clone();
    for list in dated {
        all.iter_mut()
            .zip(&list.runs)
            .for_each(|(all, is)| *all &= is);
    }
    if passages_in(contents, &all) > ALL_SCORED_MAX {
        return Vec::new();
    }
    (0..all.len() as u32).filter(|n| all[*n as usize]).collect()
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
pub(super) fn conversation_scores(
    contents: &Contents,
    lists: &[Listed],
    weights: &Weights,
    counting: Counting<'_>,
) -> Vec<f64> {
    let (count, words) = counting.conversations(contents);
    let mut scores = vec![0.0; contents.conversations.len()];
    let mut counts = vec![0u32; contents.conversations.len()];
    let mut touched = Vec::new();
    let average = (words as f64 / count.max(1) as f64).max(1.0);
    for list in lists {
        let mut run = 0;
        for posting in &list.postings {
            run = contents.run_near(run, posting.passage);
            let conversation = contents.runs[run as usize].conversation;
            if counts[conversation as usize] == 0 {
                touched.push(conversation);
            }
            counts[conversation as usize] += u32::from(posting.count);
        }
        let idf = inverse_frequency(count as f64, touched.len() as f64);
        for conversation in touched.drain(..) {
            let tf = f64::from(std::mem::take(&mut counts[conversation as usize]));
            let words = contents.conversations[conversation as usize].words as f64;
            let (k1, b) = (weights.conversation_k1, weights.conversation_b);
            let norm = k1 * (1.0 - b + b * words / average);
            scores[conversation as usize] += idf * tf * (k1 + 1.0) / (tf + norm);
        }
    }
    scores
}
