//! Adds how like in meaning messages are to a question, where vectors are at hand.

use super::passages::ALL_SCORED_MAX;
use super::question::Question;
use super::reader::Reader;
use super::scale::Spread;
use super::{Scored, Weights, Worst, rank};
use crate::recall::RecallError;
use crate::recall::contents::Contents;
use crate::recall::meaning::Meaning;
use crate::recall::source::Source;

/// Where not every message is scored, so many of the best by words are compared.
const COMPARED_MAX: usize = 2048;
/// What is usual is then taken from so many stretches of so many rows.
const STRETCHES: u32 = 64;
const STRETCH_ROWS: u32 = 32;

/// The best `k` messages by words and meaning that `allow` lets through and that `bear` on the
/// question; none if there are no vectors to compare with it.
pub fn rank_by_meaning(
    source: &dyn Source,
    (question, meaning): (&Question, &Meaning),
    weights: &Weights,
    k: usize,
    allow: &mut dyn FnMut(&Contents, &Scored) -> bool,
    bear: &dyn Fn(&Scored) -> bool,
) -> Result<Option<Vec<Scored>>, RecallError> {
    let rows = source.rows_of(&meaning.model);
    let all = source.contents().sums.messages <= ALL_SCORED_MAX;
    let Some(likeness) = Likeness::of(source, meaning, rows, all)? else {
        return Ok(None);
    };
    let wide = match all {
        true => usize::MAX,
        false => k.max(COMPARED_MAX),
    };
    let mut found = rank(source, question, weights, wide, allow)?;
    let mut reader = Reader::new(source);
    for scored in &mut found {
        let span = reader.span(scored.passage, scored.run)?;
        let Some(z) = likeness.of_message(source, meaning, span.first..span.end)? else {
            return Ok(None);
        };
        scored.meaning = z;
        scored.score += weights.meaning * z;
    }
    found.retain(bear);
    let mut ordered: Vec<Worst> = found.into_iter().map(Worst).collect();
    ordered.sort_unstable();
    ordered.truncate(k);
    Ok(Some(ordered.into_iter().map(|worst| worst.0).collect()))
}

/// How like rows are to a question, and how like they usually are.
struct Likeness {
    usual: Spread,
    /// All cosines by row, where they are few; those of rows that say nothing are not numbers.
    cosines: Option<Vec<f32>>,
}

impl Likeness {
    /// None if there is nothing to compare.
    fn of(
        source: &dyn Source,
        meaning: &Meaning,
        rows: u32,
        all: bool,
    ) -> Result<Option<Likeness>, RecallError> {
        let mut cosines = vec![f32::NAN; if all { rows as usize } else { 0 }];
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        let mut each = |n: u32, cosine: f32| {
            count += 1.0;
            sum += f64::from(cosine);
            squares += f64::from(cosine) * f64::from(cosine);
            if let Some(place) = cosines.get_mut(n as usize) {
                *place = cosine;
            }
        };
        let compared = if all || rows <= STRETCHES * STRETCH_ROWS {
            source.likeness(meaning, 0..rows, &mut each)?
        } else {
            let mut compared = true;
            for n in 0..STRETCHES {
                let last = u64::from(rows - STRETCH_ROWS);
                let start = (last * u64::from(n) / u64::from(STRETCHES - 1)) as u32;
                compared &= source.likeness(meaning, start..start + STRETCH_ROWS, &mut each)?;
            }
            compared
        };
        let usual = Spread::new(count, sum, squares);
        let cosines = all.then_some(cosines);
        Ok((compared && count > 0.0).then_some(Likeness { usual, cosines }))
    }

    /// The standard score of a message, that of its passage most like the question; 0 where none of
    /// them has a vector. None if its rows do not open.
    fn of_message(
        &self,
        source: &dyn Source,
        meaning: &Meaning,
        passages: std::ops::Range<u32>,
    ) -> Result<Option<f64>, RecallError> {
        let mut best: Option<f32> = None;
        let mut take = |_, cosine: f32| {
            if !cosine.is_nan() && best.is_none_or(|best| cosine > best) {
                best = Some(cosine);
            }
        };
        match &self.cosines {
            Some(cosines) => {
                let start = cosines.len().min(passages.start as usize);
                let end = cosines.len().min(passages.end as usize);
                cosines[start..end]
                    .iter()
                    .for_each(|cosine| take(0, *cosine));
            }
            None if !source.likeness(meaning, passages, &mut take)? => return Ok(None),
            None => {}
        }
        Ok(Some(
            best.map_or(0.0, |best| self.usual.of(f64::from(best))),
        ))
    }
}
