//! From text to terms: Unicode words, stop words, stems, and what the words hint at.
//!
//! Pure: text in, terms out. The same analysis reads messages and questions, so a word is found by
//! any of its forms in the same language.

mod found;
mod language;
mod related;
mod stops;
mod words;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use zeroize::Zeroize;

pub use found::{Phrase, terms_of};
pub use language::Language;
use language::{Guess, Script};
pub use stops::{ADVISES, ASKS_TIME, FIRST_PERSON, NUMBER, SECOND_PERSON, TIME};
use words::Words;

/// Further words of one message are not indexed: nobody asks for a word in the middle of a dump.
pub const WORDS_MAX: usize = 20_000;

/// A term of a [`Vocabulary`].
pub type TermId = u32;

/// What one message says, as far as ranking is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysed {
    /// Content words in order.
    pub words: Vec<TermId>,
    /// `FIRST_PERSON`, `TIME`, `NUMBER`.
    pub cues: u8,
    /// Ends in a question mark.
    pub asks: bool,
    pub language: Option<Language>,
}

/// Terms by number, and a cache from words as they are written to their terms; wiped on drop.
#[derive(Default)]
pub struct Vocabulary {
    by_word: HashMap<Box<str>, u32>,
    words: Vec<Known>,
    other_stems: HashMap<(u32, Language), TermId>,
    by_term: HashMap<Box<str>, TermId>,
    terms: Vec<Box<str>>,
    bytes: usize,
    scratch: String,
    seen: Vec<u32>,
}

/// A word as it is written.
struct Known {
    word: Box<str>,
    stop_in: u32,
    cues: u8,
    script: Script,
    foreign_letter: bool,
    /// The term in the language first asked for; others are in `other_stems`.
    stem: Option<(Language, TermId)>,
}

impl Vocabulary {
    /// How many terms there are.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The bytes that words and terms take, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn term(&self, id: TermId) -> &str {
        &self.terms[id as usize]
    }

    pub fn find(&self, term: &str) -> Option<TermId> {
        self.by_term.get(term).copied()
    }

    /// Reads one message into `out`, whose buffers are used again.
    pub fn read(&mut self, text: &str, out: &mut Analysed) {
        out.words.clear();
        out.cues = 0;
        out.asks = ends_in_question(text);
        let mut guess = Guess::default();
        let mut seen = std::mem::take(&mut self.seen);
        seen.clear();
        for word in Words::of(text).take(WORDS_MAX) {
            let number = self.word(&text[word.at.clone()], word.script);
            let known = &self.words[number as usize];
            guess.word(known.stop_in, known.script, known.foreign_letter);
            out.cues |= known.cues;
            seen.push(number);
        }
        let language = guess.language();
        for &number in &seen {
            let known = &self.words[number as usize];
            if known.stop_in & language.bit() == 0 {
                let term = match known.stem {
                    Some((in_language, term)) if in_language == language => term,
                    _ => self.stem(number, language),
                };
                out.words.push(term);
            }
        }
        out.language = (!seen.is_empty()).then_some(language);
        self.seen = seen;
    }

    fn word(&mut self, written: &str, script: Script) -> u32 {
        words::normalise(written, &mut self.scratch);
        if let Some(&number) = self.by_word.get(self.scratch.as_str()) {
            return number;
        }
        let number = u32::try_from(self.words.len()).expect("flushed long before");
        let word: Box<str> = self.scratch.as_str().into();
        self.bytes += 2 * word.len() + 96;
        let known = Hints::of(&word);
        self.words.push(Known {
            word: word.clone(),
            stop_in: known.stop_in,
            cues: known.cues,
            script,
            foreign_letter: word.chars().any(language::is_foreign_letter),
            stem: None,
        });
        self.by_word.insert(word, number);
        number
    }

    fn stem(&mut self, number: u32, language: Language) -> TermId {
        if let Some(&term) = self.other_stems.get(&(number, language)) {
            return term;
        }
        let known = &self.words[number as usize];
        let stem = stem(&known.word, known.script, language);
        let term = match self.by_term.get(&*stem) {
            Some(&term) => term,
            None => {
                let term = u32::try_from(self.terms.len()).expect("flushed long before");
                self.bytes += 2 * stem.len() + 64;
                self.terms.push(stem.as_ref().into());
                self.by_term.insert(stem.as_ref().into(), term);
                term
            }
        };
        let known = &mut self.words[number as usize];
        if known.stem.is_none() {
            known.stem = Some((language, term));
        } else {
            self.bytes += 24;
            self.other_stems.insert((number, language), term);
        }
        term
    }
}

impl Drop for Vocabulary {
    fn drop(&mut self) {
        fn wipe(word: Box<str>) {
            String::from(word).zeroize();
        }
        self.by_word.drain().for_each(|(word, _)| wipe(word));
        self.words.drain(..).for_each(|known| wipe(known.word));
        self.by_term.drain().for_each(|(term, _)| wipe(term));
        self.terms.drain(..).for_each(wipe);
        self.scratch.zeroize();
    }
}

/// What is known of a word without regard to where it stands.
struct Hints {
    stop_in: u32,
    cues: u8,
}

impl Hints {
    fn of(word: &str) -> Hints {
        let known = language::known(word);
        let mut stop_in = known.stop_in;
        let mut cues = known.cues & (FIRST_PERSON | TIME | NUMBER);
        if word.len() == 1 && word.as_bytes()[0].is_ascii_alphabetic() {
            stop_in |= (1 << Language::COUNT) - 1;
        }
        if word.bytes().any(|b| b.is_ascii_digit()) {
            cues |= NUMBER;
            if is_year(word) {
                cues |= TIME;
            }
        }
        Hints { stop_in, cues }
    }
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && (word.starts_with("19") || word.starts_with("20"))
}

/// The term that a lowercase word becomes in a message of `language`.
fn stem(word: &str, script: Script, language: Language) -> Cow<'_, str> {
    let stem = match script {
        Script::Cyrillic if language == Language::Plain => Cow::Borrowed(word),
        // A foreign word in a message of another script keeps the stemmer of its own script.
        Script::Cyrillic => Language::Russian.stem(word, script),
        Script::Greek => Language::Greek.stem(word, script),
        Script::Tamil => Language::Tamil.stem(word, script),
        Script::Latin if language.script() != Script::Latin => Language::English.stem(word, script),
        _ => language.stem(word, script),
    };
    let stem = if stem.is_empty() {
        Cow::Borrowed(word)
    } else {
        stem
    };
    match words::fold_accents(&stem, script) {
        Some(folded) if !folded.is_empty() => Cow::Owned(folded),
        _ => stem,
    }
}

fn ends_in_question(text: &str) -> bool {
    text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | ')' | '!' | '”'))
        .ends_with(['?', '？', '؟', '\u{37e}'])
}

/// One word of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Lowercase, as it is written.
    pub word: String,
    pub at: Range<usize>,
    /// What it may have become in the index, one for each language there; empty for a stop word.
    pub terms: Vec<String>,
    /// Terms that may answer it instead.
    pub narrower: Vec<String>,
    pub cues: u8,
}

/// The words of a question, in order; `languages` is what the index holds, as bits.
pub fn question(text: &str, languages: u32) -> Vec<Asked> {
    let mut guess = Guess::default();
    let mut scratch = String::new();
    let mut out = Vec::new();
    for word in Words::of(text).take(WORDS_MAX) {
        words::normalise(&text[word.at.clone()], &mut scratch);
        let hints = Hints::of(&scratch);
        let foreign = scratch.chars().any(language::is_foreign_letter);
        guess.word(hints.stop_in, word.script, foreign);
        out.push((word, scratch.clone(), hints));
    }
    let asked_in = guess.language();
    out.into_iter()
        .map(|(word, written, hints)| {
            let mut terms = Vec::new();
            if hints.stop_in & asked_in.bit() == 0 {
                for language in Language::ALL {
                    if (languages | asked_in.bit()) & language.bit() != 0 {
                        let term = stem(&written, word.script, language).into_owned();
                        if !terms.contains(&term) {
                            terms.push(term);
                        }
                    }
                }
            }
            let narrower = if asked_in == Language::English && !terms.is_empty() {
                narrower_terms(&written, &terms)
            } else {
                Vec::new()
            };
            Asked {
                narrower,
                cues: language::known(&written).cues | hints.cues,
                word: written,
                at: word.at,
                terms,
            }
        })
        .collect()
}

fn narrower_terms(word: &str, terms: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for narrower in related::narrower(word) {
        let term = stem(narrower, Script::Latin, Language::English).into_owned();
        if !terms.contains(&term) && !out.contains(&term) {
            out.push(term);
        }
    }
    out
}
