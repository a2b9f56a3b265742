//! Reads a text as words: what two texts are compared by.
//!
//! Words are found by the Unicode rules, so any language will do. What is known of single words
//! (fillers, negations, verbs that mean the same) is a help where the language is known and makes
//! nothing equal where it is not.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::vocabulary::{
    FILLERS, GROUPS, NEGATION_PARTS, NEGATIONS, SMALL, SUBJECT_PARTS, SUBJECTS,
};

/// One word of a text.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// Normalised (NFKC), in lower case.
    pub(super) folded: String,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Has a capital letter, as proper names do.
    pub(super) capital: bool,
    /// Begins a sentence, where a capital says nothing.
    pub(super) first: bool,
    /// Followed by `'s`.
    pub(super) possessive: bool,
}

/// A text, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) words: Vec<Word>,
    pub(super) negations: usize,
}

impl Word {
    pub(super) fn has_digit(&self) -> bool {
        self.folded.chars().any(char::is_numeric)
    }

    /// A capital where grammar asks for none.
    pub(super) fn is_proper(&self) -> bool {
        self.capital && !self.first && self.folded != "i"
    }

    pub(super) fn is_filler(&self) -> bool {
        FILLERS.contains(&self.folded.as_str())
    }

    /// Says something of its own, so that a sentence that has it may be where a note came from.
    pub(super) fn is_content(&self) -> bool {
        let lone_letter = self.folded.len() == 1
            && self.folded.chars().all(char::is_alphabetic)
            && !self.is_proper();
        !self.is_filler()
            && !lone_letter
            && !SMALL.contains(&self.folded.as_str())
            && !is_subject(&self.folded)
            && !NEGATIONS.contains(&self.folded.as_str())
    }

    /// The meaning that several words share, if the word is one of them.
    pub(super) fn group(&self) -> Option<usize> {
        group_of(&self.folded)
    }

    /// The same word: equal, of one meaning, or differing by a plain English ending. A proper name
    /// is only ever equal.
    pub(super) fn is_same(&self, other: &Word) -> bool {
        if self.folded == other.folded {
            return true;
        }
        if self.is_proper() || other.is_proper() || self.has_digit() || other.has_digit() {
            return false;
        }
        let group = self.group();
        (group.is_some() && group == other.group()) || stem(&self.folded) == stem(&other.folded)
    }

    /// Likely the same word in another form, in any language that writes its endings last.
    pub(super) fn is_akin(&self, other: &Word) -> bool {
        if self.is_same(other) {
            return true;
        }
        if self.has_digit() || other.has_digit() {
            return false;
        }
        let shared = self
            .folded
            .chars()
            .zip(other.folded.chars())
            .take_while(|(a, b)| a == b)
            .count();
        let shorter = self
            .folded
            .chars()
            .count()
            .min(other.folded.chars().count());
        shared >= 4.max(shorter.saturating_sub(2))
    }
}

fn is_subject(folded: &str) -> bool {
    SUBJECTS.iter().any(|subject| {
        folded == *subject || (subject.chars().count() > 4 && folded.starts_with(subject))
    })
}

/// A note without the words for the person it is about, in scripts without blanks.
pub(super) fn without_subject(text: &str) -> String {
    let mut text = text.to_owned();
    for part in SUBJECT_PARTS {
        if text.contains(part) {
            text = text.replace(part, " ");
        }
    }
    text
}

fn group_of(folded: &str) -> Option<usize> {
    GROUPS.iter().position(|group| group.contains(&folded))
}

/// Without a plain English ending. Not a stemmer: `martina` is not `martin`.
fn stem(folded: &str) -> &str {
    let long_enough = |stem: &&str| stem.len() >= 3 && stem.is_ascii();
    for ending in ["ing", "es", "ed", "s"] {
        if let Some(stem) = folded.strip_suffix(ending).filter(long_enough) {
            return stem.strip_suffix('e').filter(long_enough).unwrap_or(stem);
        }
    }
    folded
        .strip_suffix('e')
        .filter(long_enough)
        .unwrap_or(folded)
}

impl Reading {
    pub(super) fn of(text: &str) -> Reading {
        let mut reading = Reading::default();
        let mut sentence_starts = true;
        for (start, segment) in text.split_word_bound_indices() {
            if !segment.chars().any(is_wordy) {
                reading.attach(start, segment);
                sentence_starts |= segment.contains(['.', '!', '?', '\n', '。', '！', '？', ':']);
                continue;
            }
            reading.push(start, segment, sentence_starts);
            sentence_starts = false;
        }
        let by_word = reading
            .words
            .iter()
            .filter(|word| NEGATIONS.contains(&word.folded.as_str()))
            // "no longer" and "not … anymore" deny once.
            .filter(|word| !matches!(word.folded.as_str(), "longer" | "anymore"))
            .count();
        let by_part: usize = if text.is_ascii() {
            0
        } else {
            let parts = NEGATION_PARTS.iter();
            parts.map(|part| text.matches(part).count()).sum()
        };
        reading.negations = by_word + by_part;
        reading
    }

    fn push(&mut self, start: usize, segment: &str, first: bool) {
        let lower = segment.to_lowercase().replace('’', "'");
        let whole = |folded: &str| Word {
            folded: if folded.is_ascii() {
                folded.to_owned()
            } else {
                // Whether the dots of ё are written is a matter of taste.
                let folded: String = folded.nfkc().collect();
                folded.to_lowercase().replace('ё', "е")
            },
            start,
            end: start + segment.len(),
            capital: segment.chars().any(char::is_uppercase),
            first,
            possessive: false,
        };
        if let Some(verb) = lower.strip_suffix("n't") {
            let verb = match verb {
                "ca" => "can",
                "wo" => "will",
                "ai" => "is",
                verb => verb,
            };
            self.words.push(whole(verb));
            self.words.push(Word {
                capital: false,
                first: false,
                ..whole("not")
            });
            return;
        }
        if lower == "cannot" {
            self.words.push(whole("can"));
            self.words.push(whole("not"));
            return;
        }
        if let Some(owner) = lower.strip_suffix("'s") {
            self.words.push(Word {
                possessive: true,
                ..whole(owner)
            });
            return;
        }
        let mut parts = lower.split('\'').filter(|part| !part.is_empty()).peekable();
        let mut part_first = first;
        while let Some(part) = parts.next() {
            let follows = self.words.last().is_some_and(|last| last.start == start);
            let part = match part {
                "m" if follows => "am",
                "re" if follows => "are",
                "ve" if follows => "have",
                "ll" if follows => "will",
                // Either had or would.
                "d" if follows => continue,
                part => part,
            };
            // In J'habite the capital is the article's.
            let article = part.len() == 1 && parts.peek().is_some();
            self.words.push(Word {
                first: part_first,
                ..whole(part)
            });
            part_first = part_first && article;
        }
    }

    /// Signs that belong to the word beside them: C++, C#, 5 %, -5, $5.
    fn attach(&mut self, start: usize, segment: &str) {
        if let Some(last) = self.words.last_mut()
            && last.end == start
        {
            let sign = matches!(segment, "+" | "#")
                || (last.has_digit() && matches!(segment, "%" | "°" | "€" | "$" | "£" | "¥"));
            if sign {
                last.folded.push_str(segment);
                last.end += segment.len();
                return;
            }
        }
        if matches!(segment, "-" | "−" | "+" | "$" | "€" | "£" | "¥" | "@" | "#") {
            let sign = Word {
                folded: segment.replace('−', "-"),
                start,
                end: start + segment.len(),
                capital: false,
                first: false,
                possessive: false,
            };
            self.words.push(sign);
        }
    }

    /// Joins the signs that `attach` left alone to the number after them, or drops them.
    fn signs_settled(mut self) -> Reading {
        let mut words: Vec<Word> = Vec::with_capacity(self.words.len());
        for mut word in self.words.drain(..) {
            let sign = words
                .last()
                .is_some_and(|last| last.folded.len() <= 3 && !last.folded.chars().any(is_wordy));
            if sign && let Some(mark) = words.pop() {
                let hangs = words.last().is_some_and(|before| before.end == mark.start);
                if mark.end == word.start && word.has_digit() && !hangs {
                    word.folded.insert_str(0, &mark.folded);
                    word.start = mark.start;
                }
            }
            words.push(word);
        }
        if words
            .last()
            .is_some_and(|last| !last.folded.chars().any(is_wordy))
        {
            words.pop();
        }
        self.words = words;
        self
    }

    /// The words that say what the text means, in order.
    pub(super) fn meaning(&self) -> impl Iterator<Item = &Word> + Clone {
        self.words.iter().filter(|word| !word.is_filler())
    }

    /// The words by which a sentence and a note are matched.
    pub(super) fn content(&self) -> impl Iterator<Item = &Word> + Clone {
        self.words.iter().filter(|word| word.is_content())
    }

    /// The numbers, in order of size.
    pub(super) fn numbers(&self) -> Vec<&str> {
        let mut numbers: Vec<&str> = self
            .words
            .iter()
            .filter(|word| word.has_digit())
            .map(|word| word.folded.as_str())
            .collect();
        numbers.sort_unstable();
        numbers
    }
}

/// Reads a text.
pub(super) fn read(text: &str) -> Reading {
    Reading::of(text).signs_settled()
}

/// Letters, digits, and signs that stand for a word, as emoji do.
fn is_wordy(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        read(text)
            .words
            .into_iter()
            .map(|word| word.folded)
            .collect()
    }

    #[test]
    fn words_keep_the_signs_that_tell_them_apart() {
        assert_eq!(folded("C++, C# and C"), ["c++", "c#", "and", "c"]);
        assert_eq!(folded("-5 °C, 5% or $5"), ["-5", "c", "5%", "or", "$5"]);
        assert_eq!(folded("2026-11-22"), ["2026", "11", "22"]);
        assert_eq!(folded("likes 🍎 - a lot -"), ["likes", "🍎", "a", "lot"]);
    }

    #[test]
    fn contractions_come_apart() {
        assert_eq!(
            folded("I don’t, can't, won't"),
            ["i", "do", "not", "can", "not", "will", "not"]
        );
        assert_eq!(folded("I'm we've she'd"), ["i", "am", "we", "have", "she"]);
        let words = read("The user's dog").words;
        assert!(words[1].possessive && words[1].folded == "user");
        assert_eq!(folded("J'habite à Lyon"), ["j", "habite", "à", "lyon"]);
    }

    #[test]
    fn negations_are_counted_in_many_languages() {
        for text in [
            "does not eat fish",
            "don't",
            "no longer works there",
            "isst kein Fleisch",
            "no come",
            "не ест мясо",
            "肉は食べない",
            "不吃肉",
        ] {
            assert_eq!(read(text).negations, 1, "{text}");
        }
        assert_eq!(read("eats fish").negations, 0);
    }

    #[test]
    fn a_proper_name_has_no_other_form() {
        let same = |a: &str, b: &str| {
            read(&format!("x {a}")).words[1].is_same(&read(&format!("x {b}")).words[1])
        };
        assert!(same("lives", "resides") && same("visit", "visited") && same("use", "using"));
        assert!(!same("Martin", "Martina") && !same("martin", "martina"));
        assert!(!same("James", "Jame") && !same("12", "1"));
    }
}
