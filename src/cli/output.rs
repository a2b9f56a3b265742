//! stdout and stderr: the one place that writes to them.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::failure::Failure;

/// Whether a character may reach a terminal from a model, a file or a server: no controls but line
/// feed and tab, and nothing that turns the direction of what follows.
fn is_harmless(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        _ => !c.is_control(),
    }
}

/// Untrusted text without what could act on a terminal.
pub(super) fn harmless(text: &str) -> String {
    text.chars().filter(|c| is_harmless(*c)).collect()
}

/// Untrusted text on one line.
pub(super) fn one_line(text: &str) -> String {
    harmless(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn outcome(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::BrokenPipe),
        Err(source) => Err(Failure::Output(source)),
    }
}

/// Writes to stdout at once.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    outcome(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes one line to stdout; on a terminal, broken between words. What has to stay as it is goes
/// through [`print()`].
pub(super) fn print_line(text: &str) -> Result<(), Failure> {
    let text = match stdout_is_terminal() {
        true => wrapped(text, terminal_columns()),
        false => text.to_owned(),
    };
    let mut out = io::stdout().lock();
    outcome(
        out.write_all(text.as_bytes())
            .and_then(|()| out.write_all(b"\n")),
    )
}

/// JSON text whose strings hold nothing that could act on a terminal: JSON itself demands escapes
/// only below U+0020.
fn inert_json(json: &str) -> String {
    let mut inert = String::with_capacity(json.len());
    for c in json.chars() {
        match is_harmless(c) {
            true => inert.push(c),
            // None of these lies beyond the first plane.
            false => inert.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    inert
}

/// Writes one line of JSON to stdout at once.
pub(super) fn print_json_line(json: &[u8]) -> Result<(), Failure> {
    let line = inert_json(&String::from_utf8_lossy(json));
    let mut out = io::stdout().lock();
    outcome(
        out.write_all(line.as_bytes())
            .and_then(|()| out.write_all(b"\n"))
            .and_then(|()| out.flush()),
    )
}

/// Writes one JSON document to stdout.
pub(super) fn print_json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_vec(value).map_err(|error| Failure::Output(error.into()))?;
    print_json_line(&text)
}

/// Breaks lines between words, where a terminal would break them within one. What is set in
/// columns, two blanks apart, goes on below its last column if that leaves it room.
pub(super) fn wrapped(text: &str, columns: usize) -> String {
    let lines = text.split('\n').map(|line| wrapped_line(line, columns));
    lines.collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, columns: usize) -> String {
    let indent = " ".repeat(hang(line, columns));
    let mut out = String::with_capacity(line.len() + 8);
    let mut column = 0;
    for piece in line.split_inclusive(' ') {
        let wide = width(piece.trim_end_matches(' '));
        let end = out.trim_end_matches(' ').len();
        // What begins a line keeps its blanks.
        let begins = end == 0 || out[..end].ends_with('\n');
        if wide > 0 && column + wide > columns && !begins {
            out.truncate(end);
            out.push('\n');
            out.push_str(&indent);
            column = indent.len();
        }
        out.push_str(piece);
        column += width(piece);
    }
    out
}

/// How far the second line of one that is broken is set in: to the last column of its first half.
fn hang(line: &str, columns: usize) -> usize {
    let (mut found, mut at) = (None, 0);
    while let Some(run) = line[at..].find("  ") {
        let rest = line[at + run..].trim_start_matches(' ');
        at = line.len() - rest.len();
        let column = width(&line[..at]);
        found = match column <= columns / 2 && !rest.is_empty() {
            true => Some(column),
            false => found.max(Some(4)),
        };
    }
    found.unwrap_or(0)
}

/// Columns that a text takes, its colours apart.
fn width(text: &str) -> usize {
    let mut parts = text.split("\x1b[");
    let plain = parts.next().map_or(0, UnicodeWidthStr::width);
    let behind = parts.filter_map(|part| part.split_once('m'));
    plain + behind.map(|(_, rest)| rest.width()).sum::<usize>()
}

/// A line for stderr as it stands on the screen.
pub(super) fn laid_out(text: &str) -> String {
    let line = harmless(text);
    match stderr_is_terminal() {
        true => wrapped(&line, stderr_columns()),
        false => line,
    }
}

/// Writes one line to stderr; there is nobody to tell if that fails.
pub(super) fn complain(text: &str) {
    let mut line = laid_out(text);
    line.push('\n');
    io::stderr().lock().write_all(line.as_bytes()).ok();
}

/// Writes to stderr as it stands, without a line feed.
pub(super) fn whisper(text: &str) {
    let mut out = io::stderr().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .ok();
}

pub(super) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

pub(super) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

pub(super) fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

fn stderr_columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.map_or(80, |size| usize::from(size.ws_col).max(20))
}

/// Columns of the terminal that stdout, or else stderr, is; 80 where nobody knows.
pub(super) fn terminal_columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let size = size.or_else(|_| rustix::termios::tcgetwinsize(io::stderr()));
    match size {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => 80,
    }
}

/// A line on stderr that counts up while something takes long.
pub(super) struct Meter {
    what: &'static str,
    shown: bool,
    last: u64,
}

impl Meter {
    pub(super) fn new(what: &'static str, shown: bool) -> Self {
        Meter {
            what,
            shown,
            last: u64::MAX,
        }
    }

    pub(super) fn show(&mut self, done: u64, total: u64) {
        let percent = (done.saturating_mul(100) / total.max(1)).min(100);
        if self.shown && percent != self.last {
            self.last = percent;
            whisper(&format!("\r{}", self.line(percent, stderr_columns())));
        }
    }

    /// Never longer than the terminal is wide: what wraps cannot be taken away.
    fn line(&self, percent: u64, columns: usize) -> String {
        let width = columns.saturating_sub(self.what.width() + 8).min(20);
        if width == 0 {
            return format!("{percent:>3} %");
        }
        let filled = percent as usize * width / 100;
        let (bar, rest) = ("█".repeat(filled), "░".repeat(width - filled));
        format!("{} {bar}{rest} {percent:>3} %", self.what)
    }

    /// Takes the line away.
    pub(super) fn end(&mut self) {
        if self.shown && self.last != u64::MAX {
            whisper("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_taken_out() {
        let hostile = "a\x1b[31mred\x1b]0;title\x07\u{9b}2J\r\u{8}\u{7f}\u{202e}txt\tb\nc";
        assert_eq!(harmless(hostile), "a[31mred]0;title2Jtxt\tb\nc");
        assert_eq!(harmless("Zürich 🙂 日本語"), "Zürich 🙂 日本語");
        assert_eq!(one_line(" a\n b\x1b\tc "), "a b c");
    }

    #[test]
    fn a_line_breaks_between_words_and_columns_stay() {
        assert_eq!(wrapped("one two three", 8), "one two\nthree");
        assert_eq!(wrapped("one two", 7), "one two");
        assert_eq!(wrapped("a\nbb cc", 4), "a\nbb\ncc");
        assert_eq!(
            wrapped("  /x        does it so", 17),
            "  /x        does\n    it so"
        );
        assert_eq!(wrapped("  /x  does it so", 12), "  /x  does\n      it so");
        assert_eq!(
            wrapped("01ab  tea  [pinned]", 14),
            "01ab  tea\n      [pinned]"
        );
        assert_eq!(wrapped("verylongword", 4), "verylongword");
        assert_eq!(wrapped("日本 語", 4), "日本\n語");
        assert_eq!(wrapped("", 4), "");
        assert_eq!(
            wrapped("ab  verylongword c", 8),
            "ab\n    verylongword\n    c"
        );
        let bold = "\x1b[1mone\x1b[0m two";
        assert_eq!(wrapped(bold, 7), bold);
    }

    #[test]
    fn a_meter_stays_on_its_line() {
        let meter = Meter::new("building the index", true);
        assert_eq!(meter.line(50, 80).width(), 18 + 1 + 20 + 6);
        assert_eq!(
            meter.line(50, 40),
            "building the index ███████░░░░░░░  50 %"
        );
        assert_eq!(meter.line(100, 20), "100 %");
    }

    #[test]
    fn json_with_escapes_is_the_same_json() {
        let text = "a\u{1b}[0m\u{9b}2J\u{7f}\u{202e}b 🙂";
        let inert = inert_json(&serde_json::to_string(text).unwrap());
        assert_eq!(inert, r#""a\u001b[0m\u009b2J\u007f\u202eb 🙂""#);
        assert_eq!(serde_json::from_str::<String>(&inert).unwrap(), text);
    }
}
