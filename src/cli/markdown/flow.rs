//! Words on lines of the terminal: where they break, how they look.
//!
//! A word is drawn as it comes. One that turns out too long for the rest of its line is taken back
//! and drawn on the next, so that the screen does not depend on how the text was cut into pieces.
//! The last column stays empty: what a terminal does there differs.

use unicode_width::UnicodeWidthChar;

use super::Look;
use super::style::{Span, Style};

/// Running text is not read across more columns than this.
const TEXT_COLUMNS_MAX: usize = 100;
const COLUMNS_MIN: usize = 8;
/// What a margin leaves to the text, on a screen however narrow.
const TEXT_COLUMNS_MIN: usize = 4;

/// What stands at the beginning of a line.
#[derive(Clone, Default)]
pub(super) struct Margin(pub Vec<Span>);

impl Margin {
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|span| width(&span.text)).sum()
    }

    /// As much of it as fits.
    fn within(self, columns: usize) -> Margin {
        let mut left = columns;
        let mut fits = |c: char| {
            let fit = left.checked_sub(char_width(c));
            left = fit.unwrap_or(0);
            fit.is_some()
        };
        let mut cut = |span: Span| Span {
            text: span.text.chars().take_while(|c| fits(*c)).collect(),
            ..span
        };
        Margin(self.0.into_iter().map(&mut cut).collect())
    }

    pub(super) fn with(&self, text: &str, style: Style) -> Margin {
        let mut spans = self.0.clone();
        spans.push(Span::new(text, style));
        Margin(spans)
    }
}

/// Columns that a text takes.
pub(in super::super) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

pub(super) fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

pub(super) struct Flow {
    look: Look,
    out: String,
    column: usize,
    /// Where the text of the line begins.
    left: usize,
    rest: Margin,
    word: Vec<(char, Style)>,
    word_width: usize,
    /// Characters of the word that are drawn, and the column before it.
    drawn: usize,
    before: usize,
    space: bool,
}

impl Flow {
    pub(super) fn new(look: Look) -> Self {
        Flow {
            look,
            out: String::new(),
            column: 0,
            left: 0,
            rest: Margin::default(),
            word: Vec::new(),
            word_width: 0,
            drawn: 0,
            before: 0,
            space: false,
        }
    }

    pub(super) fn resize(&mut self, columns: usize) {
        self.look.columns = columns;
    }

    pub(super) fn look(&self) -> Look {
        self.look
    }

    /// Columns that may be used.
    pub(super) fn columns(&self) -> usize {
        self.look.columns.saturating_sub(1).max(COLUMNS_MIN)
    }

    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Begins a line with `first`; where it is broken, lines go on behind `rest`.
    pub(super) fn begin(&mut self, first: &Margin, rest: Margin) {
        let room = self.columns().min(TEXT_COLUMNS_MAX) - TEXT_COLUMNS_MIN;
        self.margin(&first.clone().within(room));
        self.rest = rest.within(room);
    }

    fn margin(&mut self, margin: &Margin) {
        for span in &margin.0 {
            self.paint(&span.text, span.style);
        }
        self.column = margin.width();
        self.left = self.column;
        self.space = false;
    }

    /// Text that breaks between words.
    pub(super) fn text(&mut self, span: &Span) {
        let marked = span.style.code && !self.look.color;
        if marked {
            self.char('`', span.style);
        }
        for c in span.text.chars() {
            self.char(c, span.style);
        }
        if marked {
            self.char('`', span.style);
        }
    }

    fn limit(&self) -> usize {
        let room = self.rest.width() + TEXT_COLUMNS_MIN;
        self.columns().min(TEXT_COLUMNS_MAX).max(room)
    }

    fn char(&mut self, c: char, style: Style) {
        match c {
            '\n' => self.break_line(),
            c if c.is_whitespace() && c != '\u{a0}' => {
                self.end_word();
                self.space = true;
            }
            c => {
                let wide = char_width(c);
                // Longer than a line: broken where the line ends.
                if self.word_width + wide > self.limit() - self.rest.width() {
                    self.end_word();
                }
                self.word.push((c, style));
                self.word_width += wide;
            }
        }
    }

    /// Puts the word on the screen as far as it came.
    pub(super) fn show(&mut self) {
        if self.word.len() == self.drawn {
            return;
        }
        let space = usize::from(self.space && self.column > self.left);
        if self.drawn == 0 {
            self.before = self.column;
            if self.column > self.left && self.column + space + self.word_width > self.limit() {
                self.next_line();
            } else if space > 0 {
                self.out.push(' ');
                self.column += 1;
            }
        } else if self.before > self.left && self.column_of_word() + self.word_width > self.limit()
        {
            let back = self.column - self.before;
            self.out.push_str(&format!("\x1b[{back}D\x1b[K"));
            self.next_line();
            self.drawn = 0;
        }
        self.draw_rest();
    }

    fn column_of_word(&self) -> usize {
        let drawn: usize = self.word[..self.drawn]
            .iter()
            .map(|(c, _)| char_width(*c))
            .sum();
        self.column - drawn
    }

    fn next_line(&mut self) {
        self.out.push('\n');
        let rest = std::mem::take(&mut self.rest);
        self.margin(&rest);
        self.rest = rest;
        self.before = self.column;
    }

    fn draw_rest(&mut self) {
        let mut run = String::new();
        let mut look = None;
        let todo: Vec<(char, Style)> = self.word[self.drawn..].to_vec();
        for (c, style) in todo {
            if look.is_some_and(|look| look != style) {
                self.paint(&run, look.unwrap_or_default());
                run.clear();
            }
            look = Some(style);
            run.push(c);
            self.column += char_width(c);
        }
        self.paint(&run, look.unwrap_or_default());
        self.drawn = self.word.len();
    }

    fn end_word(&mut self) {
        if !self.word.is_empty() {
            self.show();
            self.word.clear();
            self.word_width = 0;
            self.drawn = 0;
            self.space = false;
        }
    }

    fn break_line(&mut self) {
        self.end_word();
        self.next_line();
    }

    /// Ends the line.
    pub(super) fn end(&mut self) {
        self.end_word();
        self.out.push('\n');
        self.column = 0;
        self.left = 0;
        self.space = false;
        self.rest = Margin::default();
    }

    /// Text as it stands, which the terminal breaks where it must.
    pub(super) fn verbatim(&mut self, span: &Span) {
        self.paint(&span.text, span.style);
        self.column += width(&span.text);
    }

    fn paint(&mut self, text: &str, style: Style) {
        let sgr = if self.look.color {
            style.sgr()
        } else {
            String::new()
        };
        match (text.is_empty(), sgr.is_empty()) {
            (true, _) => {}
            (false, true) => self.out.push_str(text),
            (false, false) => {
                self.out.push_str(&format!("\x1b[{sgr}m{text}\x1b[0m"));
            }
        }
    }
}
