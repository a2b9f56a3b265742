//! Finds the person's own words that hold up a note.
//!
//! A note becomes active only with a quote: a piece, as it stands, of a message that the person
//! typed. What they pasted into code fences or quoted with `>` is not theirs; a question or a
//! request states nothing; and a sentence that denies what the note says holds nothing up.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::model::{Id, Text, Timestamp};

use super::secrets::detect_secrets;
use super::told::{Note, is_reported, says_so};
use super::words::{Reading, Word, read};

/// Of a note's weight in words, what a quote must share.
const SHARE_MIN: f64 = 0.7;
/// Quarters of a word's weight that a word counts which notes use for many a phrasing.
const WEAK: f64 = 0.25;
const QUOTE_CHARS_MAX: usize = 400;
/// Of all messages together, the latest that are searched.
const SEARCHED_BYTES_MAX: usize = 256 * 1024;

/// A message of the person: only what was typed, no attachments and no tool output.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    pub id: Id,
    pub at: Timestamp,
    pub text: &'a str,
}

/// The words found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quote {
    pub(super) message: Id,
    pub(super) at: Timestamp,
    pub(super) text: Text,
}

/// What the person said, cut into pieces that can be quoted.
pub(super) struct Quotable<'a> {
    pieces: Vec<Piece<'a>>,
}

struct Piece<'a> {
    said: Said<'a>,
    text: &'a str,
    reading: Reading,
}

impl<'a> Quotable<'a> {
    pub(super) fn new(said: &[Said<'a>]) -> Self {
        let mut pieces = Vec::new();
        let mut bytes = 0;
        for message in said.iter().rev() {
            // A huge paste hides nothing that was said before it.
            if bytes + message.text.len() > SEARCHED_BYTES_MAX {
                continue;
            }
            bytes += message.text.len();
            for text in quotable(message.text) {
                if detect_secrets(text).is_empty() {
                    pieces.push(Piece {
                        said: *message,
                        text,
                        reading: read(text),
                    });
                }
            }
        }
        Quotable { pieces }
    }

    /// The piece that holds a note up best: most shared words, then shortest, then latest.
    pub(super) fn find(&self, note: &Note<'_>) -> Option<Quote> {
        let mut best: Option<(f64, &Piece<'_>)> = None;
        for piece in &self.pieces {
            let Some(share) = support(note, &piece.reading, piece.text) else {
                continue;
            };
            let better = best.is_none_or(|(top, known)| {
                share > top || (share == top && piece.text.len() < known.text.len())
            });
            if better {
                best = Some((share, piece));
            }
        }
        best.map(|(_, piece)| Quote {
            message: piece.said.id,
            at: piece.said.at,
            text: piece.text.into(),
        })
    }
}

/// A quote that a model gives, as it stands in a statement of the message: not in a question, not
/// in what was pasted, and not behind a denial that the quote leaves out.
pub(super) fn stated<'a>(message: &'a str, quote: &str) -> Option<&'a str> {
    quotable(message).into_iter().find_map(|piece| {
        let words = verbatim(piece, quote)?;
        let before = piece.find(words).map_or("", |at| &piece[..at]);
        (read(before).negations == 0).then_some(words)
    })
}

/// A quote that a model gives, as it stands in the text: differing in nothing but blanks.
fn verbatim<'a>(message: &'a str, quote: &str) -> Option<&'a str> {
    let quote = quote.trim();
    if quote.is_empty() || quote.chars().count() > QUOTE_CHARS_MAX {
        return None;
    }
    if let Some(at) = message.find(quote) {
        return Some(&message[at..at + quote.len()]);
    }
    let first = quote.split_whitespace().next()?;
    message.match_indices(first).take(64).find_map(|(at, _)| {
        let rest = &message[at..];
        let mut end = 0;
        for word in quote.split_whitespace() {
            let gap = rest[end..].len() - rest[end..].trim_start().len();
            let blank_missing = end > 0 && gap == 0;
            if blank_missing || !rest[end + gap..].starts_with(word) {
                return None;
            }
            end += gap + word.len();
        }
        Some(&rest[..end])
    })
}

/// Whether a piece of text, quoted for a note, holds it up.
pub(super) fn holds(note: &Note<'_>, quote: &str) -> bool {
    let states = quotable(quote).iter().any(|piece| *piece == quote.trim());
    states && detect_secrets(quote).is_empty() && support(note, &read(quote), quote).is_some()
}

/// How much of a note a sentence shares, if enough: every number and every proper name, at least
/// one word of its own, most of the rest, and no denial more or less.
fn support(about: &Note<'_>, sentence: &Reading, text: &str) -> Option<f64> {
    let (note, own_names) = (about.reading, about.own_names);
    if (note.negations > 0) != (sentence.negations > 0) {
        return None;
    }
    let (mut whole, mut shared, mut strong) = (0.0, 0.0, false);
    for word in note.content() {
        let there = is_there(word, sentence);
        // Of themselves people say "I".
        if !there && own_names.contains(&word.folded) {
            continue;
        }
        let weak = word.group().is_some();
        let weight = if weak { WEAK } else { 1.0 };
        if !there && (word.has_digit() || word.is_proper()) {
            return None;
        }
        whole += weight;
        if there {
            shared += weight;
            strong |= !weak;
        }
    }
    let share = shared / whole;
    let shares = strong && share >= SHARE_MIN;
    (shares && says_so(about, sentence, text)).then_some(share)
}

fn is_there(word: &Word, sentence: &Reading) -> bool {
    sentence.words.iter().any(|other| {
        if word.is_proper() {
            word.folded == other.folded
        } else {
            word.is_akin(other)
        }
    })
}

/// The statements of a message: sentences, two sentences in a row, and the parts of sentences;
/// nothing pasted and no questions.
fn quotable(message: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut fence: Option<&str> = None;
    let mut before: Option<(usize, usize)> = None;
    let mut announced = false;
    let quotations = quotations(message);
    let mut at = 0;
    for line in message.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let bare = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| bare.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        if announced && bare.is_empty() {
            announced = false;
        }
        let others = announced || bare.starts_with('>') || has_speaker(bare);
        announced |= announces(bare);
        if fence.is_some() || mark.is_some() || others {
            before = None;
            continue;
        }
        for (offset, sentence) in line.split_sentence_bound_indices() {
            let from = start + offset + (sentence.len() - sentence.trim_start().len());
            let to = start + offset + sentence.trim_end().len();
            let quoted = quotations.iter().any(|of| of.start < to && from < of.end);
            if from >= to || quoted {
                before = None;
                continue;
            }
            let asks = asks(&message[from..to]);
            if !asks {
                push(&mut pieces, &message[from..to]);
                if let Some((earlier, _)) = before {
                    push(&mut pieces, &message[earlier..to]);
                }
            }
            if !is_reported(&read(&message[from..to])) {
                pieces.extend(parts(&message[from..to]));
            }
            before = (!asks).then_some((from, to));
        }
    }
    pieces
}

/// Words in quotation marks, if they are more than a name or a title.
fn quotations(message: &str) -> Vec<Range<usize>> {
    const WORDS_MIN: usize = 4;
    let mut found = Vec::new();
    let mut open: Option<(usize, char)> = None;
    for (at, c) in message.char_indices() {
        match (open, c) {
            // Straight marks also stand for inches: what does not close on its line opens nothing.
            (Some((_, '"')), '\n') => open = None,
            (Some((start, end)), c) if c == end => {
                open = None;
                if message[start..at].split_whitespace().count() >= WORDS_MIN {
                    found.push(start..at);
                }
            }
            (None, '"') => open = Some((at, '"')),
            (None, '“') => open = Some((at, '”')),
            (None, '„') => open = Some((at, '“')),
            (None, '«') => open = Some((at, '»')),
            (None, '「') => open = Some((at, '」')),
            _ => {}
        }
    }
    found
}

/// "Assistant: …", as in a pasted talk.
fn has_speaker(line: &str) -> bool {
    const SPEAKERS: [&str; 10] = [
        "user",
        "human",
        "person",
        "assistant",
        "ai",
        "bot",
        "system",
        "chatgpt",
        "claude",
        "tool",
    ];
    let line = line.trim_start_matches(['*', '#', '[', '-', ' ']);
    line.split_once([':', '：']).is_some_and(|(who, _)| {
        let who = who.trim_end_matches(['*', ']', ' ']).to_lowercase();
        SPEAKERS.contains(&&*who)
    })
}

/// "Bob wrote:": what follows up to the next empty line is not the person's.
fn announces(line: &str) -> bool {
    line.trim_end().ends_with([':', '：']) && is_reported(&read(line))
}

fn push<'a>(pieces: &mut Vec<&'a str>, piece: &'a str) {
    if piece.chars().count() <= QUOTE_CHARS_MAX {
        pieces.push(piece);
    }
}

/// The parts of a sentence between commas and the like; of a question, not the asking one.
fn parts(sentence: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let marks = [',', ';', '，', '、', '；', '–', '—', '(', ')'];
    let all: Vec<&str> = sentence.split(marks).map(str::trim).collect();
    if all.len() > 1 {
        for part in all {
            if !part.is_empty() && !asks(part) {
                push(&mut found, part);
            }
        }
    }
    found
}

/// A question, or a request to do something with what is then named.
fn asks(sentence: &str) -> bool {
    const REQUESTS: [&str; 46] = [
        "please",
        "summarise",
        "summarize",
        "write",
        "tell",
        "explain",
        "translate",
        "help",
        "show",
        "give",
        "list",
        "find",
        "make",
        "draft",
        "fix",
        "rewrite",
        "describe",
        "compare",
        "check",
        "read",
        "look",
        "generate",
        "create",
        "suggest",
        "recommend",
        "plan",
        "review",
        "convert",
        "calculate",
        "can",
        "could",
        "would",
        "let's",
        "search",
        "open",
        "print",
        "add",
        "change",
        "proofread",
        "answer",
        "reply",
        "imagine",
        "pretend",
        "define",
        "analyse",
        "analyze",
    ];
    let question = sentence
        .trim_end_matches(|c: char| c.is_whitespace() || "\"')”»!".contains(c))
        .ends_with(['?', '？', '؟', '\u{37e}']);
    let first = sentence
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .find(|word| !word.is_empty())
        .unwrap_or_default()
        .to_lowercase();
    question || REQUESTS.contains(&&*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::test_support::at;

    fn found(note: &str, messages: &[&str]) -> Option<String> {
        let said: Vec<Said<'_>> = messages
            .iter()
            .map(|text| Said {
                id: Id::fresh(),
                at: at(),
                text,
            })
            .collect();
        let quote = Quotable::new(&said).find(&Note {
            text: note,
            reading: &read(note),
            own_names: &["ana".to_owned()],
        })?;
        assert!(
            messages
                .iter()
                .any(|text| text.contains(quote.text.as_str()))
        );
        Some(quote.text.as_str().to_owned())
    }

    #[test]
    fn the_sentence_that_says_it_is_quoted_as_it_stands() {
        for (note, message, quote) in [
            (
                "User lives in Oslo",
                "Hi! I moved, so now I live in Oslo. Nice.",
                "so now I live in Oslo.",
            ),
            ("User's name is Ana", "I'm Ana, can you help me?", "I'm Ana"),
            (
                "User is a nurse at Ullevål",
                "hello. I am a nurse at Ullevål!",
                "I am a nurse at Ullevål!",
            ),
            (
                "User is allergic to peanuts",
                "btw I'm ALLERGIC\n to peanuts",
                "I'm ALLERGIC\n to peanuts",
            ),
            (
                "Ana works at Acme",
                "I've been working at Acme for years",
                "I've been working at Acme for years",
            ),
            (
                "Пользователь живёт в Москве",
                "Я живу давно. Живёт в Москве моя семья.",
                "Живёт в Москве моя семья.",
            ),
            (
                "ユーザーは東京に住んでいる",
                "私は東京に住んでいます。",
                "私は東京に住んでいます。",
            ),
            (
                "User does not eat fish",
                "I don't eat fish",
                "I don't eat fish",
            ),
        ] {
            let got = found(note, &[message]);
            let got = got.unwrap_or_else(|| panic!("nothing holds up {note}"));
            assert!(got.contains(quote) || quote.contains(&got), "{note}: {got}");
        }
    }

    #[test]
    fn words_that_do_not_say_it_hold_nothing_up() {
        for (note, message) in [
            ("User lives in Bergen", "I live in Oslo"),
            ("User lives in Oslo", "Do I live in Oslo?"),
            ("User lives in Oslo", "I do not live in Oslo"),
            ("User lives in Oslo", "> I live in Oslo"),
            ("User lives in Oslo", "look:\n```\nI live in Oslo\n```"),
            ("User has 3 cats", "I have 2 cats"),
            (
                "User wants all mail copied to Bob",
                "summarise this mail for me",
            ),
            ("User likes it", "I like it"),
            ("", "I live in Oslo"),
            ("User is", "I am"),
            ("User's boss is Eve Miller", "my boss is nice"),
            ("User wants money", "please summarise this mail about money"),
            (
                "User trusts the bank with money",
                "this is from my bank, about money",
            ),
        ] {
            assert_eq!(found(note, &[message]), None, "{note}");
        }
    }

    #[test]
    fn a_huge_message_hides_no_other() {
        let huge = "x ".repeat(SEARCHED_BYTES_MAX);
        let messages = ["I live in Oslo", &huge];
        assert!(found("User lives in Oslo", &messages).is_some());
    }

    #[test]
    fn a_secret_is_never_part_of_a_quote() {
        let message = format!("my password is hunt{}, I live in Oslo", "er22");
        assert_eq!(
            found("User lives in Oslo", &[&message]).as_deref(),
            Some("I live in Oslo")
        );
    }

    #[test]
    fn a_given_quote_must_stand_in_the_message() {
        let message = "I live in  Oslo,\nby the sea.";
        assert_eq!(
            verbatim(message, "live in Oslo, by"),
            Some("live in  Oslo,\nby")
        );
        assert_eq!(verbatim(message, "by the sea."), Some("by the sea."));
        for quote in ["", " ", "live in Bergen", "I liveinOslo", "i live in  Oslo"] {
            assert_eq!(verbatim(message, quote), None, "{quote}");
        }
    }

    #[test]
    fn a_quote_that_stands_there_may_still_not_hold() {
        let reading = read("User lives in Oslo");
        let note = Note {
            text: "lives in Oslo",
            reading: &reading,
            own_names: &[],
        };
        assert!(holds(&note, "I live in Oslo"));
        assert!(!holds(&note, "by the sea"));
        assert!(!holds(&note, "live in Oslo?"));
    }

    proptest::proptest! {
        #[test]
        fn every_quotable_piece_stands_in_the_message(message in "\\PC*|[a-c,.?!\n>`~ é]{0,60}") {
            for piece in quotable(&message) {
                proptest::prop_assert!(message.contains(piece));
            }
        }
    }

    #[test]
    fn a_quote_out_of_a_question_a_paste_or_a_denial_is_none() {
        for (message, quote, there) in [
            ("Well, I live in Oslo. And you?", "I live in Oslo", true),
            ("I live in Oslo and don't like rain", "I live in Oslo", true),
            ("did I say that I live in Oslo?", "I live in Oslo", false),
            ("please translate: I live in Oslo", "I live in Oslo", false),
            ("> I live in Oslo", "I live in Oslo", false),
            (
                "```\nI live in Oslo\n```\nwhat is this",
                "I live in Oslo",
                false,
            ),
            ("I never said that I live in Oslo", "I live in Oslo", false),
            (
                "It is not true that I live in Oslo.",
                "I live in Oslo.",
                false,
            ),
        ] {
            assert_eq!(stated(message, quote).is_some(), there, "{message}");
        }
    }
}
