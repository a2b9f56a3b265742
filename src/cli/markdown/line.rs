//! What a line is, by its beginning.

/// What a line turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Blank,
    Heading(usize),
    Rule,
    /// An item of a list, with its marker as it is drawn.
    Item {
        marker: String,
    },
    Fence {
        mark: char,
        length: usize,
    },
    /// A row of a table; perhaps.
    Row,
    Text,
}

/// The beginning of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub kind: Kind,
    /// Quotes that the line lies in.
    pub quotes: usize,
    /// Columns before it.
    pub indent: usize,
    /// Bytes that say what it is, and are not drawn.
    pub used: usize,
}

const QUOTES_MAX: usize = 6;

impl Head {
    pub(super) fn text() -> Self {
        Head {
            kind: Kind::Text,
            quotes: 0,
            indent: 0,
            used: 0,
        }
    }
}

/// What a line is that begins so; None while that depends on what is still to come. A line that is
/// long enough, or complete, is something in any case.
pub(super) fn head(line: &str, ended: bool) -> Option<Head> {
    let mut used = 0;
    let mut quotes = 0;
    let mut indent;
    loop {
        let spaces = line[used..]
            .chars()
            .take_while(|c| matches!(c, ' ' | '\t'))
            .count();
        let tabs = line[used..used + spaces].matches('\t').count();
        indent = spaces + 3 * tabs;
        used += spaces;
        if !line[used..].starts_with('>') || quotes == QUOTES_MAX {
            break;
        }
        quotes += 1;
        used += 1;
        match line[used..].chars().next() {
            Some(' ') => used += 1,
            None if !ended => return None,
            _ => {}
        }
    }
    let (kind, more) = kind(&line[used..], ended)?;
    Some(Head {
        kind,
        quotes,
        indent,
        used: used + more,
    })
}

/// The kind, and how many bytes say so.
fn kind(rest: &str, ended: bool) -> Option<(Kind, usize)> {
    let undecided = || ended.then_some((Kind::Text, 0));
    let Some(first) = rest.chars().next() else {
        return ended.then_some((Kind::Blank, 0));
    };
    match first {
        '#' => {
            let level = run_of(rest, '#');
            match rest[level..].chars().next() {
                _ if level > 6 => Some((Kind::Text, 0)),
                Some(' ') => Some((Kind::Heading(level), level + 1)),
                Some(_) => Some((Kind::Text, 0)),
                None if ended => Some((Kind::Heading(level), level)),
                None => None,
            }
        }
        '`' | '~' => {
            let length = run_of(rest, first);
            let info = &rest[length..];
            if info.is_empty() && !ended && length < 64 {
                None
            } else if length < 3 || first == '`' && info.contains('`') {
                Some((Kind::Text, 0))
            } else {
                let fence = Kind::Fence {
                    mark: first,
                    length,
                };
                ended.then_some((fence, length))
            }
        }
        '|' => ended.then_some((Kind::Row, 0)),
        '-' | '*' | '+' | '_' => dashes(rest, first, ended),
        '0'..='9' => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let mut behind = rest[digits..].chars();
            match (behind.next(), behind.next()) {
                _ if digits > 9 => Some((Kind::Text, 0)),
                (None, _) => undecided(),
                (Some('.' | ')'), None) => undecided(),
                (Some('.' | ')'), Some(' ')) => {
                    let marker = rest[..digits + 2].to_owned();
                    Some((Kind::Item { marker }, digits + 2))
                }
                _ => Some((Kind::Text, 0)),
            }
        }
        _ => Some((Kind::Text, 0)),
    }
}

/// A rule, an item or text, of what begins with one of `-*+_`.
fn dashes(rest: &str, mark: char, ended: bool) -> Option<(Kind, usize)> {
    let item = || {
        let marker = "• ".to_owned();
        Some((Kind::Item { marker }, 2))
    };
    let marks = rest.chars().filter(|c| *c == mark).count();
    let only = mark != '+' && rest.chars().all(|c| c == mark || c == ' ');
    let is_item = rest[1..].starts_with(' ') && mark != '_';
    if only && !ended && rest.len() < 80 {
        return None;
    }
    match ended {
        true if only && marks >= 3 => Some((Kind::Rule, rest.len())),
        _ if is_item => item(),
        true if rest.len() == 1 && mark != '_' => Some((
            Kind::Item {
                marker: "• ".to_owned(),
            },
            1,
        )),
        _ if rest.len() == 1 && !ended => None,
        _ => Some((Kind::Text, 0)),
    }
}

fn run_of(text: &str, mark: char) -> usize {
    text.chars().take_while(|c| *c == mark).count()
}
