//! What an index holds besides terms and turns: runs, conversations, speakers, and sums.
//!
//! A run is a stretch of passages of one conversation, of one day, whose seqs lie within 65,536.
//! Runs of one conversation are linked, so that its messages have neighbours wherever they lie.

use std::collections::HashMap;
use std::ops::Range;

use super::analyse::Language;
use super::turn::{NEAR_WORDS, Speaker, Turn};

pub const NONE: u32 = u32::MAX;
/// What a neighbour lends, in twentieths: the first words to those before, the last to those after.
pub const LENDS: Lends = Lends {
    next: 12,
    previous: 8,
    second_next: 6,
    second_previous: 2,
};
/// One word of the message itself.
pub const WHOLE: u32 = 20;

/// How much a word counts in the messages around its own.
pub struct Lends {
    pub next: u32,
    pub previous: u32,
    pub second_next: u32,
    pub second_previous: u32,
}

/// An assistant's words count half in its neighbours.
pub fn lent_by(speaker: Speaker, weight: u32) -> u32 {
    if speaker == Speaker::ASSISTANT {
        weight / 2
    } else {
        weight
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub conversation: u32,
    /// Days since 1970-01-01 (UTC).
    pub day: i32,
    /// The seq of its first passage.
    pub seq: u64,
    /// The run of the same conversation before and after, or [`NONE`].
    pub previous: u32,
    pub next: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: [u8; 16],
    pub words: u64,
    pub messages: u32,
    last_run: u32,
}

/// Sums over the messages of one speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpeakerSums {
    pub messages: u64,
    pub passages: u64,
    /// Of [`Turn::length`], and of its square.
    pub length: u64,
    pub length_squared: u64,
}

/// Sums over all messages, in whole numbers, so that they do not depend on how segments are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    pub messages: u64,
    pub words: u64,
    /// What messages lend to neighbours, in twentieths.
    pub lent: u64,
    pub speakers: [SpeakerSums; Speaker::COUNT],
    /// Messages by language.
    pub languages: [u64; Language::COUNT],
}

impl Default for Sums {
    fn default() -> Self {
        Sums {
            messages: 0,
            words: 0,
            lent: 0,
            speakers: [SpeakerSums::default(); Speaker::COUNT],
            languages: [0; Language::COUNT],
        }
    }
}

impl Sums {
    pub fn add(&mut self, other: &Sums) {
        self.messages += other.messages;
        self.words += other.words;
        self.lent += other.lent;
        for (sum, more) in self.speakers.iter_mut().zip(&other.speakers) {
            sum.messages += more.messages;
            sum.passages += more.passages;
            sum.length += more.length;
            sum.length_squared += more.length_squared;
        }
        for (sum, more) in self.languages.iter_mut().zip(&other.languages) {
            *sum += more;
        }
    }

    /// Adds the passages of one message.
    pub fn add_message(&mut self, passages: &[Turn], language: Option<Language>) {
        let (Some(first), Some(last)) = (passages.first(), passages.last()) else {
            return;
        };
        let speaker = first.speaker();
        self.messages += 1;
        self.words += passages.iter().map(|p| u64::from(p.words())).sum::<u64>();
        self.lent += u64::from(
            last.near_words() * lent_by(speaker, LENDS.next)
                + last.near_words() * lent_by(speaker, LENDS.second_next)
                + first.near_words() * lent_by(speaker, LENDS.previous)
                + first.near_words() * lent_by(speaker, LENDS.second_previous),
        );
        let sums = &mut self.speakers[usize::from(speaker.0)];
        let length = u64::from(first.length());
        sums.messages += 1;
        sums.passages += passages.len() as u64;
        sums.length += length;
        sums.length_squared += length * length;
        if let Some(language) = language {
            self.languages[language as usize] += 1;
        }
    }

    /// All languages that any message is in, as bits.
    pub fn all_languages(&self) -> u32 {
        let held = Language::ALL
            .iter()
            .filter(|&&l| self.languages[l as usize] > 0);
        held.fold(0, |bits, l| bits | l.bit())
    }

    /// The languages that a noticeable part of the messages is in, as bits.
    pub fn languages(&self) -> u32 {
        Language::ALL
            .iter()
            .filter(|&&l| self.languages[l as usize] > self.messages / 200)
            .fold(0, |bits, l| bits | l.bit())
    }
}

/// The directory of an index, over all its segments.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    pub passages: u32,
    pub runs: Vec<Run>,
    /// The first passage of each run: what is asked for most often lies close together.
    starts: Vec<u32>,
    pub conversations: Vec<Conversation>,
    pub sums: Sums,
    by_id: HashMap<[u8; 16], u32>,
}

impl Contents {
    /// The run that holds a passage.
    pub fn run_of(&self, passage: u32) -> u32 {
        debug_assert!(passage < self.passages);
        self.starts.partition_point(|start| *start <= passage) as u32 - 1
    }

    /// The run that holds a passage; quick where it lies a little after `near`.
    pub fn run_near(&self, near: u32, passage: u32) -> u32 {
        let from = near as usize;
        if self.starts[from] > passage {
            return self.run_of(passage);
        }
        let (mut low, mut step) = (from, 1);
        while self
            .starts
            .get(low + step)
            .is_some_and(|start| *start <= passage)
        {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(self.starts.len());
        (low + self.starts[low..high].partition_point(|start| *start <= passage)) as u32 - 1
    }

    pub fn range(&self, run: u32) -> Range<u32> {
        let end = self.starts.get(run as usize + 1);
        self.starts[run as usize]..end.copied().unwrap_or(self.passages)
    }

    pub fn conversation(&self, id: &[u8; 16]) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// The seq of a passage's message.
    pub fn seq(&self, run: u32, turn: Turn) -> u64 {
        let base = self.runs[run as usize].seq;
        base + u64::from(turn.seq_low().wrapping_sub(base as u16))
    }

    /// Whether a message may go on with the last run.
    pub fn continues(&self, id: &[u8; 16], day: i32, seq: u64) -> bool {
        self.runs.last().is_some_and(|run| {
            run.day == day
                && seq >= run.seq
                && seq - run.seq < 0x1_0000
                && self.conversations[run.conversation as usize].id == *id
        })
    }

    /// Begins a run at the end and links it to the one of its conversation before.
    pub fn begin_run(&mut self, id: &[u8; 16], day: i32, seq: u64) {
        let run = self.runs.len() as u32;
        let conversation = match self.by_id.get(id) {
            Some(&known) => known,
            None => {
                let new = self.conversations.len() as u32;
                let empty = Conversation {
                    id: *id,
                    words: 0,
                    messages: 0,
                    last_run: NONE,
                };
                self.conversations.push(empty);
                self.by_id.insert(*id, new);
                new
            }
        };
        let last = &mut self.conversations[conversation as usize].last_run;
        let previous = std::mem::replace(last, run);
        if previous != NONE {
            self.runs[previous as usize].next = run;
        }
        self.starts.push(self.passages);
        self.runs.push(Run {
            conversation,
            day,
            seq,
            previous,
            next: NONE,
        });
    }

    /// Adds messages to the conversation of the last run.
    pub fn grow(&mut self, words: u64, messages: u32) {
        let run = self.runs.last().expect("a run was begun");
        let conversation = &mut self.conversations[run.conversation as usize];
        conversation.words += words;
        conversation.messages += messages;
    }

    /// What a conversation's messages add up to, as it was written down.
    pub fn set_conversation(&mut self, id: &[u8; 16], words: u64, messages: u32) {
        if let Some(&known) = self.by_id.get(id) {
            let conversation = &mut self.conversations[known as usize];
            (conversation.words, conversation.messages) = (words, messages);
        }
    }

    /// The highest seq, given all turns.
    pub fn last_seq(&self, turns: &[Turn]) -> u64 {
        let ends = (0..self.runs.len() as u32).filter_map(|run| {
            let last = turns.get(self.range(run).end as usize - 1)?;
            Some(self.seq(run, *last))
        });
        ends.max().unwrap_or(0)
    }

    /// Appends another directory behind this one.
    pub fn append(&mut self, other: &Contents) {
        let base = self.passages;
        for (run, start) in other.runs.iter().zip(&other.starts) {
            let id = &other.conversations[run.conversation as usize].id;
            self.passages = base + start;
            self.begin_run(id, run.day, run.seq);
        }
        for conversation in &other.conversations {
            let known = self.by_id[&conversation.id] as usize;
            self.conversations[known].words += conversation.words;
            self.conversations[known].messages += conversation.messages;
        }
        self.passages = base + other.passages;
        self.sums.add(&other.sums);
    }
}

/// Cuts a message of `words` content words into passages of nearly equal length.
pub fn passages_of(words: usize) -> impl Iterator<Item = Range<usize>> {
    let count = words.div_ceil(super::turn::PASSAGE_WORDS_MAX).max(1);
    (0..count).map(move |n| n * words / count..(n + 1) * words / count)
}

/// Whether a word at `at` of a passage of `words` is among the first and among the last ones.
pub fn near(at: usize, words: usize) -> (bool, bool) {
    (at < NEAR_WORDS, at + NEAR_WORDS >= words)
}
