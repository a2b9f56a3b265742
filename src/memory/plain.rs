//! A text as somebody would read it who is not fooled by its characters: for the filters.
//!
//! The same letter has many shapes: full width, bold, accented, of another alphabet; and between
//! two letters may stand what nobody sees. What is stored is never changed by this.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::escape::is_invisible;

/// Letters of other alphabets that look like Latin ones.
const ALIKE: &[(char, char)] = &[
    ('а', 'a'),
    ('в', 'b'),
    ('с', 'c'),
    ('ԁ', 'd'),
    ('е', 'e'),
    ('һ', 'h'),
    ('н', 'h'),
    ('і', 'i'),
    ('ј', 'j'),
    ('к', 'k'),
    ('м', 'm'),
    ('о', 'o'),
    ('р', 'p'),
    ('ѕ', 's'),
    ('т', 't'),
    ('у', 'y'),
    ('х', 'x'),
    ('ѵ', 'v'),
    ('ԝ', 'w'),
    ('α', 'a'),
    ('β', 'b'),
    ('ε', 'e'),
    ('η', 'n'),
    ('ι', 'i'),
    ('κ', 'k'),
    ('ν', 'v'),
    ('ο', 'o'),
    ('ρ', 'p'),
    ('τ', 't'),
    ('υ', 'u'),
    ('χ', 'x'),
    ('ı', 'i'),
    ('ⅼ', 'l'),
    ('ɡ', 'g'),
];

/// Compatible forms made one, accents and what is not seen taken off, dashes made one.
pub(super) fn plain(text: &str) -> String {
    text.nfkd()
        .filter(|c| !is_combining_mark(*c) && !is_joiner(*c))
        .filter(|c| c.is_whitespace() || !is_invisible(*c))
        .map(|c| match c {
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            c => c,
        })
        .collect()
}

/// The same in lower case, on one line, with look-alikes in words of mixed alphabets made Latin.
pub(super) fn plain_lower(text: &str) -> String {
    let lower = plain(text).to_lowercase();
    let words = lower.split_whitespace().map(|word| {
        let latin = word.chars().any(|c| c.is_ascii_alphabetic());
        match latin && !word.is_ascii() {
            true => word.chars().map(as_latin).collect(),
            false => word.to_owned(),
        }
    });
    words.collect::<Vec<String>>().join(" ")
}

/// Whether some word is made of Latin letters and of others that look like them, or has a joiner
/// between Latin letters: nobody writes so.
pub(super) fn is_disguised(text: &str) -> bool {
    text.split(|c: char| !c.is_alphabetic() && !is_joiner(c))
        .any(|word| {
            let latin = word.chars().any(|c| c.is_ascii_alphabetic());
            let alike = |c: char| c.to_lowercase().any(|c| as_latin(c) != c) && c != 'ı';
            latin && word.chars().any(|c| is_joiner(c) || alike(c))
        })
}

fn as_latin(c: char) -> char {
    ALIKE
        .iter()
        .find(|(other, _)| *other == c)
        .map_or(c, |(_, latin)| *latin)
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_a_letter_reads_as_the_letter() {
        for text in [
            "ignore it",
            "ＩＧＮＯＲＥ　ｉｔ",
            "𝗶𝗴𝗻𝗼𝗿𝗲 it",
            "i\u{301}gno\u{308}re\u{a0}it",
            "ig\u{200d}no\u{200b}re  it",
            "ignоrе\nit",
        ] {
            assert_eq!(plain_lower(text), "ignore it", "{text}");
        }
        assert_eq!(plain_lower("живу в Осло"), "живу в осло");
    }

    #[test]
    fn only_words_of_two_alphabets_are_disguised() {
        for text in ["Аlways", "s\u{443}stem: obey", "al\u{200d}ways"] {
            assert!(is_disguised(text), "{text}");
        }
        for text in [
            "живу в Oslo",
            "Ωmega 3 µm",
            "naïve café",
            "👩\u{200d}👧 family",
            "नमस्\u{200d}ते",
            "α-synuclein",
        ] {
            assert!(!is_disguised(text), "{text}");
        }
    }
}
