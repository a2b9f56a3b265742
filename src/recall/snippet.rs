//! The part of a text that shows why it was found.

use std::collections::HashSet;
use std::ops::Range;

use super::analyse::{question, terms_of};
use super::search::Query;

/// A part of a text, with the places of the words that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// Bytes of the text, at character boundaries.
    pub part: Range<usize>,
    /// Bytes of the text, within `part`, in order, none overlapping.
    pub highlights: Vec<Range<usize>>,
}

/// The part of about `width` characters with the most words of the query.
pub fn snippet(text: &str, query: &Query, languages: u32, width: usize) -> Snippet {
    let wanted: HashSet<String> = question(&query.words, languages)
        .into_iter()
        .flat_map(|word| word.terms)
        .collect();
    let mut marks: Vec<(Range<usize>, String)> = terms_of(text)
        .into_iter()
        .filter(|(_, term)| wanted.contains(term))
        .collect();
    for phrase in &query.phrases {
        // A phrase outweighs the words that stand alone.
        marks.extend(
            phrase
                .find(text)
                .into_iter()
                .map(|at| (at, String::from("\""))),
        );
    }
    marks.sort_by_key(|(at, _)| (at.start, std::cmp::Reverse(at.end)));
    let start = best_start(text, &marks, width);
    let part = window(text, start, width);
    let mut highlights: Vec<Range<usize>> = Vec::new();
    for (at, _) in marks {
        if at.start < part.start || at.end > part.end {
            continue;
        }
        match highlights.last_mut() {
            Some(last) if at.start < last.end => last.end = last.end.max(at.end),
            _ => highlights.push(at),
        }
    }
    Snippet { part, highlights }
}

/// The mark from which a window holds the most different terms, then the most marks.
fn best_start(text: &str, marks: &[(Range<usize>, String)], width: usize) -> usize {
    let mut best = (0, 0, 0);
    for (n, (first, _)) in marks.iter().enumerate().take(1000) {
        let within = marks[n..]
            .iter()
            .take(200)
            .take_while(|(at, _)| at.end.saturating_sub(first.start) <= width);
        let (mut count, mut terms) = (0, HashSet::new());
        for (_, term) in within {
            count += 1;
            terms.insert(term.as_str());
        }
        let weight = terms.len() + if terms.contains("\"") { 10 } else { 0 };
        if (weight, count) > (best.0, best.1) {
            best = (weight, count, first.start);
        }
    }
    // Some words before the first mark say what it is about.
    let lead = text.floor_char_boundary(best.2.saturating_sub(width / 4));
    if lead == 0 { 0 } else { lead }
}

/// About `width` characters from `start`, cut at spaces where there are any near.
fn window(text: &str, start: usize, width: usize) -> Range<usize> {
    let mut from = start;
    if from > 0 {
        let near = text[from..]
            .char_indices()
            .take(24)
            .find(|(_, c)| c.is_whitespace());
        from += near.map_or(0, |(i, c)| i + c.len_utf8());
    }
    let end = text[from..]
        .char_indices()
        .nth(width)
        .map_or(text.len(), |(i, _)| from + i);
    if end == text.len() {
        return from..end;
    }
    let back = text[from..end]
        .char_indices()
        .rev()
        .take(24)
        .find(|(_, c)| c.is_whitespace());
    from..back.map_or(end, |(i, _)| from + i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str, query: &str, width: usize) -> (String, Vec<String>) {
        let found = snippet(text, &Query::parse(query), 1, width);
        let part = text[found.part.clone()].to_owned();
        (
            part,
            found
                .highlights
                .iter()
                .map(|at| text[at.clone()].to_owned())
                .collect(),
        )
    }

    #[test]
    fn the_part_holds_the_words_asked_for_in_any_form() {
        let text = format!(
            "{}We bought a house in Lisbon. {}",
            "Nothing here. ".repeat(40),
            "More. ".repeat(40)
        );
        let (part, marks) = show(&text, "buying houses", 60);
        assert!(
            part.contains("bought a house") && part.len() < 100,
            "{part}"
        );
        assert_eq!(marks, ["bought", "house"]);
    }

    #[test]
    fn a_text_without_the_words_begins_at_its_beginning() {
        let (part, marks) = show("One two three four five six", "nothing", 12);
        assert_eq!((part.as_str(), marks.len()), ("One two", 0));
    }

    #[test]
    fn a_phrase_is_marked_as_one() {
        let (_, marks) = show("red wine, the wine of red soil", "\"wine of red\"", 80);
        assert_eq!(marks, ["red", "wine", "wine of red"]);
    }

    #[test]
    fn cuts_fall_between_characters() {
        let text = "日本語の文章がとても長く続いています。".repeat(30);
        let (part, _) = show(&text, "文章", 20);
        assert!(part.chars().count() <= 20 && part.contains("文章"));
    }
}
