//! The sum of standard scores that a message is ranked by.

use super::Weights;
use super::counted::Counting;
use super::passages::Candidate;
use super::question::Question;
use crate::recall::contents::Contents;
use crate::recall::turn::{Speaker, Turn, words_of};

/// A mean and a deviation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    mean: f64,
    /// One over the deviation; 0 where all are alike.
    scale: f64,
}

impl Spread {
    pub(super) fn new(count: f64, sum: f64, squares: f64) -> Spread {
        let mean = sum / count.max(1.0);
        let variance = (squares / count.max(1.0) - mean * mean).max(0.0);
        let deviation = variance.sqrt();
        let scale = match deviation > 1e-9 {
            true => 1.0 / deviation,
            false => 0.0,
        };
        Spread { mean, scale }
    }

    /// How many deviations above the mean; 0 where all are alike.
    pub(super) fn of(self, value: f64) -> f64 {
        (value - self.mean) * self.scale
    }
}

pub(super) struct Scale {
    pub(super) words: Spread,
    conversations: Spread,
    lengths: Vec<Spread>,
    /// The best score of a conversation.
    best_conversation: f64,
}

impl Scale {
    pub(super) fn of(
        contents: &Contents,
        candidates: &[Candidate],
        conversations: &[f64],
        counting: Counting<'_>,
    ) -> Scale {
        let messages = counting.messages(contents) as f64;
        let (mut sum, mut squares) = (0.0, 0.0);
        for candidate in candidates {
            let score = f64::from(candidate.words);
            sum += score;
            squares += score * score;
        }
        let words = Spread::new(messages, sum, squares);
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut best_conversation = 0.0;
        // Most conversations hold no word of the question, and are not looked at.
        let scored = counting.each(contents, conversations);
        for (conversation, &score) in scored.filter(|(_, score)| **score > 0.0) {
            best_conversation = f64::max(best_conversation, score);
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
            best_conversation,
        }
    }

    /// What a message's score has at most besides that of its words, whoever says it.
    pub(super) fn besides_words_max(&self, question: &Question, w: &Weights) -> f64 {
        const ROUNDING: f64 = 1e-6;
        let longest = f64::from(Turn::LENGTH_MAX);
        let lengths = self.lengths.iter().map(|spread| spread.of(longest));
        let mut most = w.conversation * self.conversations.of(self.best_conversation)
            + w.length * lengths.fold(0.0, f64::max)
            + w.first_person
            + w.person.max(w.user)
            + ROUNDING;
        if question.asks_time {
            most += w.time;
        }
        if question.asks_number {
            most += w.number;
        }
        most
    }

    /// The score of a message whose first passage is `turn` of `run`.
    pub(super) fn score(
        &self,
        contents: &Contents,
        candidate: &Candidate,
        (run, turn): (u32, Turn),
        conversations: &[f64],
        question: &Question,
        w: &Weights,
    ) -> f64 {
        let speaker = turn.speaker();
        let conversation = contents.runs[run as usize].conversation;
        let mut score = self.words.of(f64::from(candidate.words))
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
