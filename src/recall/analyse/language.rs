//! Which language a message is in, by its script and its most frequent words.
//!
//! Cheap on purpose: one look at each word, no model. A wrong guess costs little, since a question
//! is stemmed in every language that the index holds.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};

use super::stops;

/// A language that has stop words here; `Plain` stands for all that have no stemmer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Language {
    English,
    German,
    French,
    Spanish,
    Italian,
    Portuguese,
    Dutch,
    Swedish,
    Danish,
    Norwegian,
    Finnish,
    Hungarian,
    Romanian,
    Turkish,
    Russian,
    Greek,
    Arabic,
    Tamil,
    Plain,
}

impl Language {
    pub const COUNT: usize = 19;

    pub const ALL: [Language; Language::COUNT] = [
        Language::English,
        Language::German,
        Language::French,
        Language::Spanish,
        Language::Italian,
        Language::Portuguese,
        Language::Dutch,
        Language::Swedish,
        Language::Danish,
        Language::Norwegian,
        Language::Finnish,
        Language::Hungarian,
        Language::Romanian,
        Language::Turkish,
        Language::Russian,
        Language::Greek,
        Language::Arabic,
        Language::Tamil,
        Language::Plain,
    ];

    pub fn bit(self) -> u32 {
        1 << self as u8
    }

    fn algorithm(self) -> Option<Algorithm> {
        Some(match self {
            Language::English => Algorithm::English,
            Language::German => Algorithm::German,
            Language::French => Algorithm::French,
            Language::Spanish => Algorithm::Spanish,
            Language::Italian => Algorithm::Italian,
            Language::Portuguese => Algorithm::Portuguese,
            Language::Dutch => Algorithm::Dutch,
            Language::Swedish => Algorithm::Swedish,
            Language::Danish => Algorithm::Danish,
            Language::Norwegian => Algorithm::Norwegian,
            Language::Finnish => Algorithm::Finnish,
            Language::Hungarian => Algorithm::Hungarian,
            Language::Romanian => Algorithm::Romanian,
            Language::Turkish => Algorithm::Turkish,
            Language::Russian => Algorithm::Russian,
            Language::Greek => Algorithm::Greek,
            Language::Arabic => Algorithm::Arabic,
            Language::Tamil => Algorithm::Tamil,
            Language::Plain => return None,
        })
    }

    /// The script that the language's words are written in.
    pub(super) fn script(self) -> Script {
        match self {
            Language::Russian => Script::Cyrillic,
            Language::Greek => Script::Greek,
            Language::Arabic => Script::Arabic,
            Language::Tamil => Script::Tamil,
            _ => Script::Latin,
        }
    }

    /// The stem of a lowercase word; a word of another script stays as it is.
    pub(super) fn stem<'a>(self, word: &'a str, script: Script) -> Cow<'a, str> {
        if script != self.script() || word.starts_with(|c: char| c.is_ascii_digit()) {
            return Cow::Borrowed(word);
        }
        if self == Language::English {
            let lemma = stops::lemma(word).unwrap_or(word);
            return STEMMERS[0]
                .as_ref()
                .map_or(Cow::Borrowed(lemma), |s| s.stem(lemma));
        }
        match &STEMMERS[self as usize] {
            Some(stemmer) => stemmer.stem(word),
            None => Cow::Borrowed(word),
        }
    }
}

static STEMMERS: LazyLock<Vec<Option<Stemmer>>> = LazyLock::new(|| {
    Language::ALL
        .iter()
        .map(|l| l.algorithm().map(Stemmer::create))
        .collect()
});

/// What a word is written in, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Latin,
    Cyrillic,
    Greek,
    Arabic,
    Tamil,
    /// Written without spaces: taken apart into pairs of characters.
    Unspaced,
    Other,
}

pub(super) fn script_of(c: char) -> Script {
    match c as u32 {
        0x00..=0x24f | 0x1e00..=0x1eff => Script::Latin,
        0x370..=0x3ff | 0x1f00..=0x1fff => Script::Greek,
        0x400..=0x52f => Script::Cyrillic,
        0x600..=0x6ff | 0x750..=0x77f => Script::Arabic,
        0xb80..=0xbff => Script::Tamil,
        // Thai, Lao, Myanmar, Khmer; Hangul; kana; Han and its extensions; compatibility forms.
        0xe00..=0xeff | 0x1000..=0x109f | 0x1780..=0x17ff => Script::Unspaced,
        0x1100..=0x11ff | 0xac00..=0xd7af => Script::Unspaced,
        0x3005..=0x3007 | 0x3040..=0x30ff | 0x31f0..=0x31ff | 0xff66..=0xff9f => Script::Unspaced,
        0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff => Script::Unspaced,
        0x20000..=0x3ffff => Script::Unspaced,
        _ => Script::Other,
    }
}

/// What is known of a frequent word: the languages where it is a stop word, and what it hints at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) stop_in: u32,
    pub(super) cues: u8,
}

pub(super) fn known(word: &str) -> Known {
    KNOWN.get(word).copied().unwrap_or_default()
}

static KNOWN: LazyLock<HashMap<&'static str, Known>> = LazyLock::new(|| {
    let mut out: HashMap<&'static str, Known> = HashMap::new();
    for (language, words) in stops::STOP_WORDS {
        for word in words.split_ascii_whitespace() {
            out.entry(word).or_default().stop_in |= language.bit();
        }
    }
    for (cue, words) in stops::CUE_WORDS {
        for word in words.split_ascii_whitespace() {
            out.entry(word).or_default().cues |= cue;
        }
    }
    out
});

/// Counts a message's stop words by language.
#[derive(Clone, Debug, Default)]
pub(super) struct Guess {
    counts: [u16; Language::COUNT],
    scripts: [u16; 5],
    foreign_letter: bool,
}

impl Guess {
    pub(super) fn word(&mut self, stop_in: u32, script: Script, foreign_letter: bool) {
        let mut rest = stop_in;
        while rest != 0 {
            let n = rest.trailing_zeros() as usize;
            self.counts[n] = self.counts[n].saturating_add(1);
            rest &= rest - 1;
        }
        if (script as usize) < self.scripts.len() {
            let n = script as usize;
            self.scripts[n] = self.scripts[n].saturating_add(1);
        }
        self.foreign_letter |= foreign_letter;
    }

    /// The most likely language. English where nothing speaks for another.
    pub(super) fn language(&self) -> Language {
        let most = (0..self.scripts.len())
            .rev()
            .max_by_key(|&n| self.scripts[n])
            .expect("there are five scripts");
        if self.scripts[most] == 0 {
            return Language::Plain;
        }
        let by_script = match most {
            1 => Language::Russian,
            2 => Language::Greek,
            3 => Language::Arabic,
            4 => Language::Tamil,
            _ => return self.latin(),
        };
        if self.foreign_letter {
            Language::Plain
        } else {
            by_script
        }
    }

    fn latin(&self) -> Language {
        let mut best = Language::English;
        for language in Language::ALL {
            if self.counts[language as usize] > self.counts[best as usize] {
                best = language;
            }
        }
        best
    }
}

/// Letters that Russian, Arabic and their stemmers do not have, but their neighbours do.
pub(super) fn is_foreign_letter(c: char) -> bool {
    matches!(
        c,
        'і' | 'ї'
            | 'є'
            | 'ґ'
            | 'ў'
            | 'ј'
            | 'љ'
            | 'њ'
            | 'ћ'
            | 'ђ'
            | 'џ'
            | 'ѓ'
            | 'ќ'
            | 'ѕ'
            | 'پ'
            | 'چ'
            | 'ژ'
            | 'گ'
            | 'ٹ'
            | 'ڈ'
            | 'ڑ'
            | 'ے'
            | 'ۆ'
            | 'ێ'
    )
}
