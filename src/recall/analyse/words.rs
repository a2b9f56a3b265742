//! Takes text apart into words, and brings a word into the form that is compared.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use super::language::{Script, script_of};

/// Longer words are cut: they are encoded data, not something a person will ask for.
const WORD_BYTES_MAX: usize = 48;

/// A word of a text: where it stands, and in which script it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) at: Range<usize>,
    pub(super) script: Script,
}

/// The words of a text in order. Scripts without spaces come as overlapping pairs of characters.
pub(super) struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Words { text, at: 0 }
    }

    /// An ASCII word from `start`; `None` if a character beyond ASCII belongs to it.
    fn ascii(&mut self, start: usize) -> Option<Word> {
        let bytes = self.text.as_bytes();
        let mut end = start;
        while end < bytes.len() && bytes[end].is_ascii_alphanumeric() {
            end += 1;
        }
        if bytes.get(end).is_some_and(|b| !b.is_ascii()) {
            return None;
        }
        let mut next = end;
        if bytes.get(end) == Some(&b'\'') {
            (end, next) = self.apostrophe(start, end, 1);
        }
        self.at = next;
        Some(Word {
            at: start..end,
            script: Script::Latin,
        })
    }

    /// Where a word ends that an apostrophe of `len` bytes follows, and where to go on. What is
    /// appended in English (`'s`, `'ll`) is left out; `n't` stays with its word; all else parts
    /// two words.
    fn apostrophe(&self, start: usize, end: usize, len: usize) -> (usize, usize) {
        let rest = &self.text[end + len..];
        let tail_len = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric())
            .take(3)
            .count();
        match &rest[..tail_len] {
            "t" | "T"
                if matches!(self.text.as_bytes()[end - 1], b'n' | b'N') && end > start + 1 =>
            {
                (end + len + 1, end + len + 1)
            }
            "s" | "S" | "d" | "D" | "m" | "M" | "re" | "RE" | "ve" | "VE" | "ll" | "LL" => {
                (end, end + len + tail_len)
            }
            _ => (end, end + len),
        }
    }

    fn unicode(&mut self, start: usize) -> Word {
        let mut end = start;
        let mut script = None;
        let mut chars = self.text[start..].char_indices();
        for (offset, c) in chars.by_ref() {
            if c.is_alphanumeric() || is_joined(c) {
                let of = script_of(c);
                let unspaced = of == Script::Unspaced;
                match script {
                    None => script = Some(of),
                    Some(Script::Unspaced) if !unspaced => break,
                    Some(known) if unspaced && known != Script::Unspaced => break,
                    // Digits are Latin here, and may begin a word of any script.
                    Some(Script::Latin) => script = Some(of),
                    Some(_) => {}
                }
                end = start + offset + c.len_utf8();
            } else {
                break;
            }
        }
        let script = script.unwrap_or(Script::Other);
        if script == Script::Unspaced {
            return self.pair(start, end);
        }
        let mut next = end;
        for mark in ["'", "\u{2019}"] {
            if self.text[end..].starts_with(mark) {
                (end, next) = self.apostrophe(start, end, mark.len());
                break;
            }
        }
        self.at = next;
        Word {
            at: start..end,
            script,
        }
    }

    /// The pair of characters at `start` of a run that ends at `run_end`.
    fn pair(&mut self, start: usize, run_end: usize) -> Word {
        let mut ends = self.text[start..run_end]
            .char_indices()
            .map(|(i, c)| start + i + c.len_utf8());
        let first = ends.next().unwrap_or(run_end);
        let second = ends.next();
        let third = ends.next();
        self.at = match (second, third) {
            (Some(_), Some(_)) => first,
            (Some(second), None) => second,
            (None, _) => first,
        };
        Word {
            at: start..second.unwrap_or(first),
            script: Script::Unspaced,
        }
    }
}

/// Marks that belong to the word they stand in.
fn is_joined(c: char) -> bool {
    (c as u32) >= 0x300 && (is_combining_mark(c) || matches!(c, '\u{200c}' | '\u{200d}'))
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let bytes = self.text.as_bytes();
        loop {
            let b = *bytes.get(self.at)?;
            if b.is_ascii_alphanumeric() {
                let start = self.at;
                return Some(self.ascii(start).unwrap_or_else(|| self.unicode(start)));
            }
            if b.is_ascii() {
                self.at += 1;
                continue;
            }
            let c = self.text[self.at..].chars().next().expect("not at the end");
            if c.is_alphanumeric() {
                return Some(self.unicode(self.at));
            }
            self.at += c.len_utf8();
        }
    }
}

/// Writes the lowercase, compatibility-composed form of a word into `out`.
pub(super) fn normalise(word: &str, out: &mut String) {
    out.clear();
    if word.is_ascii() {
        let cut = &word[..word.len().min(WORD_BYTES_MAX)];
        out.extend(cut.bytes().map(|b| char::from(b.to_ascii_lowercase())));
        return;
    }
    let push = |c: char, out: &mut String| {
        if out.len() + c.len_utf8() <= WORD_BYTES_MAX {
            out.push(if c == '\u{2019}' { '\'' } else { c });
        }
    };
    if is_nfkc_quick(word.chars()) == IsNormalized::Yes {
        word.chars()
            .flat_map(char::to_lowercase)
            .for_each(|c| push(c, out));
    } else {
        word.nfkc()
            .flat_map(char::to_lowercase)
            .nfc()
            .for_each(|c| push(c, out));
    }
}

/// The stem without accents, for scripts whose people often leave them out.
pub(super) fn fold_accents(stem: &str, script: Script) -> Option<String> {
    if stem.is_ascii() || !matches!(script, Script::Latin | Script::Greek | Script::Arabic) {
        return None;
    }
    let folded = stem.nfd().filter(|c| !is_combining_mark(*c));
    Some(
        folded
            .flat_map(|c| match c {
                'ß' => ['s', 's'],
                'ø' => ['o', '\0'],
                'æ' => ['a', 'e'],
                'œ' => ['o', 'e'],
                'ł' => ['l', '\0'],
                'đ' => ['d', '\0'],
                'ı' => ['i', '\0'],
                'ς' => ['σ', '\0'],
                c => [c, '\0'],
            })
            .filter(|c| *c != '\0')
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut scratch = String::new();
        Words::of(text)
            .map(|word| {
                normalise(&text[word.at], &mut scratch);
                scratch.clone()
            })
            .collect()
    }

    #[test]
    fn words_part_at_what_is_no_letter_or_digit() {
        assert_eq!(
            words("Hello, World! a_b x-1 3.5"),
            ["hello", "world", "a", "b", "x", "1", "3", "5"]
        );
    }

    #[test]
    fn what_english_appends_is_left_out_and_negations_stay() {
        assert_eq!(
            words("Anna's dog won't we'll I’m"),
            ["anna", "dog", "won't", "we", "i"]
        );
        assert_eq!(
            words("l'amour d’été rock'n'roll"),
            ["l", "amour", "d", "été", "rock", "n", "roll"]
        );
    }

    #[test]
    fn composed_and_decomposed_forms_are_one_word() {
        assert_eq!(words("Straße CAFÉ"), words("Straße cafe\u{301}"));
        assert_eq!(words("ｆｕｌｌ"), ["full"]);
    }

    #[test]
    fn scripts_without_spaces_come_in_pairs() {
        assert_eq!(words("東京都 a猫"), ["東京", "京都", "a", "猫"]);
        assert_eq!(words("猫"), ["猫"]);
        assert_eq!(words("GPT4は速い"), ["gpt4", "は速", "速い"]);
    }

    #[test]
    fn an_endless_word_is_cut_at_a_character() {
        let long = "é".repeat(500);
        let word = words(&long).remove(0);
        assert!(word.len() <= WORD_BYTES_MAX && word.chars().all(|c| c == 'é'));
    }
}
