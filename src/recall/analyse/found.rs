//! Looks for terms and phrases in an opened text.

use std::ops::Range;

use super::language::{Guess, Script};
use super::words::{Words, normalise};
use super::{Hints, WORDS_MAX, language, stem};

/// The content words of a text, where they stand, with their terms.
pub fn terms_of(text: &str) -> Vec<(Range<usize>, String)> {
    let mut guess = Guess::default();
    let mut scratch = String::new();
    let mut words = Vec::new();
    for word in Words::of(text).take(WORDS_MAX) {
        normalise(&text[word.at.clone()], &mut scratch);
        let hints = Hints::of(&scratch);
        let foreign = scratch.chars().any(language::is_foreign_letter);
        guess.word(hints.stop_in, word.script, foreign);
        words.push((word, scratch.clone(), hints.stop_in));
    }
    let language = guess.language();
    words
        .into_iter()
        .filter(|(_, _, stop_in)| stop_in & language.bit() == 0)
        .map(|(word, written, _)| {
            let term = stem(&written, word.script, language).into_owned();
            (word.at, term)
        })
        .collect()
}

/// Words that stand side by side, as they are written but for case and form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    words: Vec<String>,
    /// The last of its words is half a pair of characters, which a text has only at an end.
    open: bool,
}

impl Phrase {
    /// `None` if the text has no words.
    pub fn of(text: &str) -> Option<Phrase> {
        let mut words = Vec::new();
        let mut scratch = String::new();
        let mut last = None;
        for word in Words::of(text).take(WORDS_MAX) {
            normalise(&text[word.at.clone()], &mut scratch);
            last = Some(word.script);
            words.push(scratch.clone());
        }
        let single = words.last().is_some_and(|word| word.chars().count() == 1);
        let open = last == Some(Script::Unspaced) && single;
        (!words.is_empty()).then_some(Phrase { words, open })
    }

    /// Where the phrase stands in a text.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut scratch = String::new();
        let mut written = Vec::new();
        for word in Words::of(text).take(WORDS_MAX) {
            normalise(&text[word.at.clone()], &mut scratch);
            written.push((word.at, scratch.clone()));
        }
        let alike = |wanted: usize, found: &str| {
            let is_open = self.open && wanted + 1 == self.words.len();
            found == self.words[wanted] || (is_open && found.contains(&self.words[wanted]))
        };
        written
            .windows(self.words.len())
            .filter(|window| {
                window
                    .iter()
                    .enumerate()
                    .all(|(n, (_, word))| alike(n, word))
            })
            .map(|window| {
                let first = &window[0].0;
                let last = &window[window.len() - 1].0;
                first.start..last.end
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_found_whatever_case_and_form_it_has() {
        let phrase = Phrase::of("the Red café").unwrap();
        let found = phrase.find("At THE red, Cafe\u{301}!");
        assert_eq!((found.len(), found[0].clone()), (1, 3..18));
        assert!(phrase.find("the café red").is_empty());
        assert_eq!(Phrase::of("..."), None);
    }

    #[test]
    fn a_phrase_of_a_script_without_spaces_is_found_within_a_run() {
        assert_eq!(Phrase::of("京都").unwrap().find("東京都に行く").len(), 1);
        assert_eq!(Phrase::of("猫").unwrap().find("黒猫がいる").len(), 2);
        assert!(Phrase::of("京人").unwrap().find("東京都の人").is_empty());
    }

    #[test]
    fn terms_are_told_with_their_places() {
        let text = "We adopted two dogs.";
        let found = terms_of(text);
        let written: Vec<&str> = found.iter().map(|(at, _)| &text[at.clone()]).collect();
        assert_eq!(written, ["adopted", "two", "dogs"]);
        assert_eq!(found[2].1, "dog");
    }
}
