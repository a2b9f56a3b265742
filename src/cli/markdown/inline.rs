//! Emphasis, code, links and escapes within a line.
//!
//! Works on the beginning of a text whose end may not have come yet: a construct is recognised
//! when it closes, and until then nothing is said about it. What never closes is plain text.

use super::style::{Span, Style};

/// Constructs within constructs.
const DEPTH_MAX: usize = 6;

/// Characters that may begin a construct.
pub(super) fn is_special(c: char) -> bool {
    matches!(c, '\\' | '`' | '*' | '_' | '~' | '[' | '!' | '<' | '&')
}

/// Whether the construct that is held may be decided now that `c` has come: looking at every
/// character of a long one would take too long.
pub(super) fn may_decide(held: &str, c: char) -> bool {
    if held.len() <= 4 || held.starts_with(['\\', '!', '<', '&']) {
        return true;
    }
    // What closes a run of delimiters, or leaves brackets alone, is the character behind it.
    let before = held.chars().rev().nth(1);
    matches!(c, ')' | ']' | '`') || matches!(before, Some('*' | '_' | '~' | '`' | ']'))
}

/// What the text begins with: its length in bytes and how it looks. None while that depends on
/// what is still to come. `before` is the character before the text.
pub(super) fn unit(
    text: &str,
    before: Option<char>,
    ended: bool,
    style: Style,
) -> Option<(usize, Vec<Span>)> {
    Scan { ended, depth: 0 }.unit(text, before, style)
}

/// A whole text.
pub(super) fn spans(text: &str, style: Style) -> Vec<Span> {
    let scan = Scan {
        ended: true,
        depth: 0,
    };
    scan.all(text, style)
}

#[derive(Clone, Copy)]
struct Scan {
    ended: bool,
    depth: usize,
}

type Unit = Option<(usize, Vec<Span>)>;

fn literal(text: &str, style: Style) -> Unit {
    Some((text.len(), vec![Span::new(text, style)]))
}

impl Scan {
    fn all(self, text: &str, style: Style) -> Vec<Span> {
        let mut out: Vec<Span> = Vec::new();
        let mut at = 0;
        let mut before = None;
        while let Some(c) = text[at..].chars().next() {
            let (length, spans) = match is_special(c) && self.depth < DEPTH_MAX {
                true => self.unit(&text[at..], before, style),
                false => None,
            }
            .unwrap_or_else(|| (c.len_utf8(), vec![Span::new(c, style)]));
            for span in spans {
                match out.last_mut() {
                    Some(last) if last.style == span.style => last.text.push_str(&span.text),
                    _ => out.push(span),
                }
            }
            before = text[..at + length].chars().next_back();
            at += length;
        }
        out
    }

    fn inside(self, text: &str, style: Style) -> Vec<Span> {
        let scan = Scan {
            ended: true,
            depth: self.depth + 1,
        };
        scan.all(text, style)
    }

    fn unit(self, text: &str, before: Option<char>, style: Style) -> Unit {
        let first = text.chars().next()?;
        match first {
            '\\' => self.escape(text, style),
            '`' => self.code(text, style),
            '*' | '_' | '~' => self.emphasis(text, first, before, style),
            '[' => self.link(text, 0, style),
            '!' => match text[1..].chars().next() {
                Some('[') => self.link(text, 1, style),
                None if !self.ended => None,
                _ => literal("!", style),
            },
            '<' => self.angle(text, style),
            '&' => self.entity(text, style),
            _ => literal(&text[..first.len_utf8()], style),
        }
    }

    fn escape(self, text: &str, style: Style) -> Unit {
        match text[1..].chars().next() {
            Some(c) if c.is_ascii_punctuation() => Some((2, vec![Span::new(c, style)])),
            None if !self.ended => None,
            _ => literal("\\", style),
        }
    }

    fn code(self, text: &str, style: Style) -> Unit {
        let run = run_of(text, '`');
        let mut at = run;
        while let Some(found) = text[at..].find('`') {
            let (start, length) = (at + found, run_of(&text[at + found..], '`'));
            at = start + length;
            // The run may still grow.
            if at == text.len() && !self.ended {
                return None;
            }
            if length == run {
                let inner = &text[run..start];
                let bare = inner.strip_prefix(' ').and_then(|i| i.strip_suffix(' '));
                let bare = bare.filter(|bare| !bare.trim().is_empty()).unwrap_or(inner);
                let style = Style {
                    code: true,
                    ..style
                };
                return Some((at, vec![Span::new(bare, style)]));
            }
        }
        self.or_literal(&text[..run], style)
    }

    fn or_literal(self, text: &str, style: Style) -> Unit {
        match self.ended {
            true => literal(text, style),
            false => None,
        }
    }

    fn emphasis(self, text: &str, mark: char, before: Option<char>, style: Style) -> Unit {
        let run = run_of(text, mark);
        let Some(next) = text[run..].chars().next() else {
            return self.or_literal(text, style);
        };
        let inside_word = mark == '_' && before.is_some_and(char::is_alphanumeric);
        let odd = match mark {
            '~' => run != 2,
            _ => run > 3,
        };
        if next.is_whitespace() || inside_word || odd {
            return literal(&text[..run], style);
        }
        let Some(close) = self.closing(text, mark, run) else {
            return self.or_literal(&text[..run], style);
        };
        let mut inner = style;
        match (mark, run) {
            ('~', _) => inner.struck = true,
            (_, 1) => inner.emphasis = true,
            (_, 2) => inner.strong = true,
            _ => {
                inner.emphasis = true;
                inner.strong = true;
            }
        }
        Some((close + run, self.inside(&text[run..close], inner)))
    }

    /// Where the run begins that closes the one at the start.
    fn closing(self, text: &str, mark: char, run: usize) -> Option<usize> {
        let mut open: Vec<usize> = Vec::new();
        let mut at = run;
        let mut before = mark;
        while let Some(c) = text[at..].chars().next() {
            if c == '\\' {
                let escaped = text[at + 1..].chars().next();
                at += 1 + escaped.map_or(0, char::len_utf8);
                before = 'x';
                continue;
            }
            if c == '`' {
                let length = run_of(&text[at..], '`');
                let fence = &text[at..at + length];
                let end = text[at + length..].find(fence);
                at += length + end.map_or(0, |end| end + length);
                before = 'x';
                continue;
            }
            if c != mark {
                at += c.len_utf8();
                before = c;
                continue;
            }
            let length = run_of(&text[at..], mark);
            let next = text[at + length..].chars().next();
            if next.is_none() && !self.ended {
                return None;
            }
            let within_word = mark == '_' && next.is_some_and(char::is_alphanumeric);
            let closes = !(before.is_whitespace() || within_word);
            let opens = next.is_some_and(|next| !next.is_whitespace());
            match open.as_slice() {
                [] if closes && length >= run => return Some(at + length - run),
                [inner] if closes && length == inner + run => return Some(at + inner),
                [.., inner] if closes && length == *inner => drop(open.pop()),
                _ if opens && open.len() < DEPTH_MAX => open.push(length),
                _ => {}
            }
            at += length;
            before = mark;
        }
        None
    }

    /// `[text](target)`, or with `!` before it. The target is shown: nothing is hidden behind a
    /// word.
    fn link(self, text: &str, from: usize, style: Style) -> Unit {
        let start = &text[..=from];
        let Some(close) = balanced(&text[from..], '[', ']').map(|end| from + end) else {
            return self.or_literal(start, style);
        };
        match text[close + 1..].chars().next() {
            Some('(') => {}
            None if !self.ended => return None,
            _ => return literal(start, style),
        }
        let Some(end) = balanced(&text[close + 1..], '(', ')').map(|end| close + 1 + end) else {
            return self.or_literal(start, style);
        };
        let label = &text[from + 1..close];
        let target = text[close + 2..end].trim();
        let target = target.split_whitespace().next().unwrap_or_default();
        let target = target.trim_matches(['<', '>']);
        let shown = Style {
            link: true,
            ..style
        };
        let mut spans = self.inside(label, shown);
        if label != target && !target.is_empty() {
            let faint = Style {
                faint: true,
                ..style
            };
            let space = if spans.is_empty() { "" } else { " " };
            spans.push(Span::new(format!("{space}({target})"), faint));
        }
        Some((end + 1, spans))
    }

    fn angle(self, text: &str, style: Style) -> Unit {
        let end = text.find(['>', ' ', '\t']);
        let Some(end) = end else {
            return self.or_literal("<", style);
        };
        let inner = &text[1..end];
        if !text[end..].starts_with('>') {
            return literal("<", style);
        }
        if ["br", "br/"].contains(&inner) {
            return Some((end + 1, vec![Span::new("\n", style)]));
        }
        let address = inner.contains("://") || inner.contains('@');
        match address {
            true => {
                let style = Style {
                    link: true,
                    ..style
                };
                Some((end + 1, vec![Span::new(inner, style)]))
            }
            false => literal("<", style),
        }
    }

    fn entity(self, text: &str, style: Style) -> Unit {
        const KNOWN: [(&str, &str); 6] = [
            ("&amp;", "&"),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&nbsp;", " "),
        ];
        let found = KNOWN.iter().find(|(name, _)| text.starts_with(name));
        if let Some((name, sign)) = found {
            return Some((name.len(), vec![Span::new(*sign, style)]));
        }
        if !self.ended && KNOWN.iter().any(|(name, _)| name.starts_with(text)) {
            return None;
        }
        literal("&", style)
    }
}

/// The length of the run of `mark` that a text begins with.
fn run_of(text: &str, mark: char) -> usize {
    text.chars().take_while(|c| *c == mark).count()
}

/// Where the bracket closes that a text begins with.
fn balanced(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}
