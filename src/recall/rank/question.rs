//! What a question asks for: its terms, the person it names, and the kind of answer it wants.

use super::counted::{Counted, Counting};
use crate::recall::analyse::{self, Asked};
use crate::recall::source::Source;
use crate::recall::turn::{Speaker, date_of};

/// A word that the date of a message may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateWord {
    Year(i16),
    Month(i8),
    Day(i8),
}

impl DateWord {
    pub fn matches(self, day: i32) -> bool {
        date_of(day).is_some_and(|date| match self {
            DateWord::Year(year) => date.year() == year,
            DateWord::Month(month) => date.month() == month,
            DateWord::Day(of_month) => date.day() == of_month,
        })
    }
}

/// One content word of a question.
#[derive(Clone, Debug)]
pub struct Term {
    /// What it may have become in the index.
    pub terms: Vec<String>,
    pub narrower: Vec<String>,
    pub date: Option<DateWord>,
    /// Speakers whose name it is.
    pub speakers: u64,
}

/// A question taken apart.
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub terms: Vec<Term>,
    /// Speakers with a name in the question.
    pub named: u64,
    pub asks_time: bool,
    pub asks_number: bool,
    /// Asks what the assistant said.
    pub asks_assistant: bool,
    /// What is asked about, if that is not everything.
    pub counted: Option<Counted>,
}

/// Terms beyond these are left out, the most frequent first.
pub const TERMS_MAX: usize = 24;
/// Words of a long line beyond these are not even looked up.
const LOOKED_UP_MAX: usize = 256;

const MONTHS: [&str; 12] = [
    "january jan januar janvier enero gennaio janeiro januari января",
    "february feb februar février febrero febbraio fevereiro februari февраля",
    "march mar märz mars marzo março maart марта",
    "april apr avril abril aprile апреля",
    "may mai mayo maggio maio mei мая",
    "june jun juni juin junio giugno junho июня",
    "july jul juli juillet julio luglio julho июля",
    "august aug août agosto augustus августа",
    "september sep sept septembre septiembre settembre setembro сентября",
    "october oct oktober octobre octubre ottobre outubro октября",
    "november nov novembre noviembre novembro ноября",
    "december dec dezember décembre diciembre dicembre dezembro декабря",
];

fn date_word(asked: &Asked, written: &str, first: bool) -> Option<DateWord> {
    let word = asked.word.as_str();
    if let Ok(number) = word.parse::<i16>() {
        return match number {
            1..=31 => Some(DateWord::Day(number as i8)),
            1970..=2099 => Some(DateWord::Year(number)),
            _ => None,
        };
    }
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    if matches!(&word[digits.len()..], "st" | "nd" | "rd" | "th")
        && let Ok(day @ 1..=31) = digits.parse::<i8>()
    {
        return Some(DateWord::Day(day));
    }
    // "may", "mar" and their like are names of months only where they are written as names.
    let named = written.starts_with(char::is_uppercase) && !first;
    let month = MONTHS
        .iter()
        .position(|names| names.split(' ').any(|name| name == word))?;
    (named || word.len() > 5).then_some(DateWord::Month(month as i8 + 1))
}

impl Question {
    pub(super) fn counting(&self) -> Counting<'_> {
        Counting(self.counted.as_ref())
    }

    /// How many messages are asked about.
    pub fn messages(&self, source: &dyn Source) -> u64 {
        self.counting().messages(source.contents())
    }

    /// Takes a question apart with regard to what `source` holds.
    pub fn of(text: &str, source: &dyn Source) -> Question {
        let asked = analyse::question(text, source.contents().sums.languages());
        let mut out = Question::default();
        let mut cues = 0;
        for (n, word) in asked.iter().enumerate() {
            cues |= word.cues;
            let date = date_word(word, &text[word.at.clone()], n == 0);
            if word.terms.is_empty() && date.is_none() {
                continue;
            }
            let speakers = speakers_named(&word.word, source);
            out.named |= speakers;
            let new = Term {
                terms: word.terms.clone(),
                narrower: word.narrower.clone(),
                date,
                speakers,
            };
            let room = out.terms.len() < LOOKED_UP_MAX;
            if room
                && !out
                    .terms
                    .iter()
                    .any(|t| t.terms == new.terms && t.date == new.date)
            {
                out.terms.push(new);
            }
        }
        let has = |word: &str| asked.iter().any(|a| a.word == word);
        let pair = |first: &str, second: &[&str]| {
            asked
                .windows(2)
                .any(|two| two[0].word == first && second.contains(&two[1].word.as_str()))
        };
        out.asks_time = cues & analyse::ASKS_TIME != 0
            || pair("how", &["long", "often", "recently"])
            || pair("what", &["year", "month", "day", "date", "time"])
            || pair("which", &["year", "month", "day", "date"]);
        out.asks_number = pair("how", &["many", "much", "old", "long", "often"])
            || [
                "combien",
                "cuántos",
                "cuántas",
                "cuánto",
                "wieviel",
                "wieviele",
                "сколько",
                "quanti",
                "quantos",
                "hoeveel",
            ]
            .into_iter()
            .any(has)
            || pair("wie", &["viele", "viel", "alt", "lange", "oft"]);
        out.asks_assistant = cues & analyse::SECOND_PERSON != 0 && cues & analyse::ADVISES != 0;
        out
    }

    /// The one person named, if it is one.
    pub fn person(&self) -> Option<Speaker> {
        (self.named.count_ones() == 1).then(|| Speaker(self.named.trailing_zeros() as u8))
    }
}

fn speakers_named(word: &str, source: &dyn Source) -> u64 {
    let mut out = 0;
    for (n, name) in source.names().iter().enumerate() {
        if name
            .split_whitespace()
            .any(|part| part.to_lowercase() == word)
        {
            out |= 1 << (usize::from(Speaker::NAMED) + n);
        }
    }
    out
}
