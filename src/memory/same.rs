//! Whether two texts say the same, without a model.
//!
//! Errs towards "different": two notes too many cost a line, one note too few costs a fact.
//! Numbers, dates, negations and proper names are never taken for one another.

use super::words::{Reading, Word};

/// Of an older note's words, how many a shorter new one must have to add nothing.
const COVER_MIN: f64 = 0.8;

/// Whether `new` says nothing that `old` does not say.
pub(super) fn adds_nothing(new: &Reading, old: &Reading) -> bool {
    if new.negations != old.negations || new.numbers() != old.numbers() {
        return false;
    }
    let ours: Vec<&Word> = new.meaning().collect();
    let theirs: Vec<&Word> = old.meaning().collect();
    if ours.is_empty() || ours.len() > theirs.len() {
        return false;
    }
    if ours.len() == theirs.len() {
        return ours.iter().zip(&theirs).all(|(a, b)| a.is_same(b));
    }
    if (ours.len() as f64) < theirs.len() as f64 * COVER_MIN {
        return false;
    }
    // In order, and what only the older one says must be plain words.
    let mut rest = ours.into_iter().peekable();
    for word in theirs {
        if rest.peek().is_some_and(|next| next.is_same(word)) {
            rest.next();
        } else if word.capital || is_caseless(word) {
            return false;
        }
    }
    rest.peek().is_none()
}

/// Whether all that `new` says stands in up to three known notes together: what a model writes when
/// it sums up the notes it was shown.
pub(super) fn is_covered(new: &Reading, known: &[&Reading]) -> bool {
    let mut open: Vec<&Word> = new.content().collect();
    if open.is_empty() {
        return false;
    }
    for _ in 0..3 {
        let left_by = |reading: &Reading| {
            open.iter()
                .filter(|word| !reading.words.iter().any(|other| other.is_same(word)))
                .count()
        };
        let best = known
            .iter()
            .filter(|reading| (reading.negations > 0) == (new.negations > 0))
            .min_by_key(|reading| left_by(reading));
        let Some(best) = best else {
            return false;
        };
        open.retain(|word| !best.words.iter().any(|other| other.is_same(word)));
        if open.is_empty() {
            return true;
        }
    }
    false
}

/// Whether the two differ only in that one denies what the other says.
pub(super) fn denies(new: &Reading, old: &Reading) -> bool {
    let (our_words, our_denials) = without_denial(new);
    let (their_words, their_denials) = without_denial(old);
    our_denials % 2 != their_denials % 2
        && new.numbers() == old.numbers()
        && !our_words.is_empty()
        && our_words.len() == their_words.len()
        && our_words
            .iter()
            .zip(&their_words)
            .all(|(a, b)| a.is_same(b) || (is_liking(a) && is_liking(b)))
}

/// The words of a text but those that deny, and how many times it denies.
fn without_denial(reading: &Reading) -> (Vec<&Word>, usize) {
    const DENIALS: [&str; 9] = [
        "not", "no", "never", "longer", "anymore", "any", "more", "stopped", "quit",
    ];
    let words: Vec<&Word> = reading
        .meaning()
        .filter(|word| !DENIALS.contains(&word.folded.as_str()))
        .collect();
    let dislikes = words
        .iter()
        .filter(|word| {
            matches!(
                word.folded.as_str(),
                "dislike" | "dislikes" | "hate" | "hates"
            )
        })
        .count();
    (words, reading.negations + dislikes)
}

fn is_liking(word: &Word) -> bool {
    const LIKINGS: [&str; 10] = [
        "like", "likes", "love", "loves", "enjoy", "enjoys", "dislike", "dislikes", "hate", "hates",
    ];
    LIKINGS.contains(&word.folded.as_str())
}

/// In a script without capitals any word may be a name.
fn is_caseless(word: &Word) -> bool {
    word.folded
        .chars()
        .any(|c| c.is_alphabetic() && !c.is_lowercase() && !c.is_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::words::read;

    fn nothing_new(new: &str, old: &str) -> bool {
        adds_nothing(&read(new), &read(old))
    }

    #[test]
    fn the_same_in_other_words_adds_nothing() {
        for (new, old) in [
            ("User lives in Oslo.", "The user lives in Oslo"),
            ("I live in Oslo", "User resides in Oslo"),
            ("the user's name is Ana", "User is named Ana"),
            (
                "Likes hiking in the mountains",
                "User loves hiking in mountains",
            ),
            ("ユーザーは東京に住んでいる", "ユーザーは東京に住んでいる。"),
            (
                "Пользователь живёт в Москве",
                "пользователь живёт в Москве!",
            ),
            (
                "Works on the billing service with Rust",
                "Works on the new billing service with Rust",
            ),
        ] {
            assert!(nothing_new(new, old), "{new} / {old}");
        }
    }

    #[test]
    fn what_matters_never_merges() {
        for (new, old) in [
            ("has 2 cats", "has 3 cats"),
            ("meets Bob on 2026-11-02", "meets Bob on 2026-11-03"),
            ("eats fish", "does not eat fish"),
            ("lives in Oslo", "works in Oslo"),
            ("lives in Oslo", "lives in Bergen"),
            (
                "walks around lake oslo every sunday morning alone",
                "walks around lake bergen every sunday morning alone",
            ),
            ("brother is called Martin", "brother is called Martina"),
            ("prefers tea over coffee", "prefers coffee over tea"),
            ("likes C", "likes C++"),
            ("likes 🍎", "likes 🍌"),
            ("moved to Oslo", "moved from Oslo"),
            ("has a dog", "has a dog allergy"),
            ("she likes tea", "he likes tea"),
            ("is vegetarian", "was vegetarian"),
            ("田中さんと働く", "田村さんと働く"),
            ("Ana's sister is Eva", "Eva's sister is Ana"),
            ("temperature is 5 degrees", "temperature is -5 degrees"),
            (
                "met Bob and his son in the old café",
                "met Bob and his son Max in the old café",
            ),
        ] {
            assert!(!nothing_new(new, old), "{new} / {old}");
            assert!(!nothing_new(old, new), "{old} / {new}");
        }
    }

    #[test]
    fn more_than_was_known_is_something_new() {
        assert!(!nothing_new("has a dog called Rex", "has a dog"));
        assert!(!nothing_new("", ""));
    }

    #[test]
    fn a_summary_of_known_notes_is_covered() {
        let known = [
            read("User's name is Ana"),
            read("User lives in Oslo"),
            read("User is vegetarian"),
        ];
        let known: Vec<&Reading> = known.iter().collect();
        let covered = |text: &str| is_covered(&read(text), &known);
        assert!(covered("User is Ana, a vegetarian who lives in Oslo"));
        assert!(!covered("User is Ana and lives in Bergen"));
        assert!(!covered("User does not live in Oslo"));
        assert!(!covered("the user"));
    }

    #[test]
    fn a_denial_is_seen() {
        for (new, old) in [
            ("User does not like fish", "User likes fish"),
            ("No longer drinks coffee", "User drinks coffee"),
            ("User dislikes cilantro", "likes cilantro"),
            ("I don't use Vim anymore", "uses Vim"),
        ] {
            assert!(denies(&read(new), &read(old)), "{new} / {old}");
            assert!(denies(&read(old), &read(new)), "{old} / {new}");
        }
        assert!(!denies(&read("does not like fish"), &read("likes meat")));
        assert!(!denies(&read("hates fish"), &read("does not like fish")));
    }
}
