//! Draws Markdown on a terminal while it streams.
//!
//! What comes is looked at character by character, so that the screen never depends on how a reply
//! was cut into pieces. Text is drawn at once; only what cannot be known yet is held back: an
//! emphasis that has not closed, a line of code, a table. All of it is bounded. Nothing that acts
//! on a terminal gets through: what is drawn is made here.

mod flow;
mod highlight;
mod inline;
mod line;
mod style;
mod table;
#[cfg(test)]
mod tests;

use super::output::harmless;
pub(super) use flow::width as text_width;
use flow::{Flow, Margin};
use highlight::Highlighter;
use line::{Head, head};
use style::{Span, Style};
use table::{Table, Took};

/// The terminal, as far as drawing depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub columns: usize,
    pub color: bool,
}

/// Bytes of a construct within a line that has not closed.
const HELD_MAX: usize = 1000;
/// Bytes of a line whose kind is not known yet, or that is drawn as a whole.
const LINE_MAX: usize = 8 * 1024;
const LISTS_MAX: usize = 8;

/// A list that is open.
struct List {
    /// Where its marker stands in the source.
    marker: usize,
    /// Columns that its text is moved in.
    indent: usize,
}

/// A block of code that is open.
struct Code {
    fence: (char, usize),
    /// Where the fence stands in the source.
    indent: usize,
    quotes: usize,
    margin: Margin,
    highlighter: Highlighter,
    /// The line is drawn in part already, since it is very long.
    within: bool,
}

enum Mode {
    /// At the beginning of a line: what it is, is not known yet.
    Head,
    /// In running text.
    Text,
}

/// Draws one reply.
pub(super) struct Renderer {
    flow: Flow,
    mode: Mode,
    /// The line as far as it is held back.
    line: String,
    /// A construct of the running text as far as it is held back.
    held: String,
    before: Option<char>,
    base: Style,
    lists: Vec<List>,
    quotes: usize,
    code: Option<Code>,
    table: Option<Table>,
    /// An empty line is owed.
    blank: bool,
    drew: bool,
}

impl Renderer {
    pub(super) fn new(look: Look) -> Self {
        Renderer {
            flow: Flow::new(look),
            mode: Mode::Head,
            line: String::new(),
            held: String::new(),
            before: None,
            base: Style::default(),
            lists: Vec::new(),
            quotes: 0,
            code: None,
            table: None,
            blank: false,
            drew: false,
        }
    }

    /// The terminal has another width from here on.
    pub(super) fn resize(&mut self, columns: usize) {
        self.flow.resize(columns);
    }

    /// Takes more of the reply; returns what to write to the terminal.
    pub(super) fn feed(&mut self, piece: &str) -> String {
        for c in harmless(piece).chars() {
            self.char(c);
        }
        self.flow.show();
        self.flow.take()
    }

    /// Draws what is held back and ends the last line.
    pub(super) fn finish(&mut self) -> String {
        if !self.line.is_empty() || matches!(self.mode, Mode::Text) {
            self.char('\n');
        }
        self.close_table();
        if let Some(code) = self.code.take() {
            self.rule(&code.margin, "");
        }
        self.flow.take()
    }

    fn char(&mut self, c: char) {
        match self.mode {
            Mode::Text if c == '\n' => self.end_text(),
            Mode::Text => self.text_char(c),
            Mode::Head if c == '\n' => {
                let line = std::mem::take(&mut self.line);
                self.whole_line(&line);
            }
            Mode::Head => {
                self.line.push(c);
                if self.code.is_some() {
                    self.long_code();
                } else if let Some(head) = head(&self.line, self.line.len() > LINE_MAX) {
                    let line = std::mem::take(&mut self.line);
                    self.begin(&head, &line);
                }
            }
        }
    }

    /// A line that was held back to its end.
    fn whole_line(&mut self, line: &str) {
        if self.code.is_some() && self.code_line(line) {
            return;
        }
        let found = head(line, true).unwrap_or(Head::text());
        if !matches!(found.kind, line::Kind::Row) {
            self.begin(&found, line);
            if matches!(self.mode, Mode::Text) {
                self.end_text();
            }
            return;
        }
        let row = &line[found.used..];
        let Some(table) = &mut self.table else {
            self.close_lists(&found);
            self.gap();
            self.table = Some(Table::new(self.margin(), row));
            return;
        };
        if table.line(row, &mut self.flow) == Took::NoTable {
            self.close_table();
            self.text_line(row);
        }
    }

    fn close_table(&mut self) {
        if let Some(mut table) = self.table.take() {
            match table.not_a_table() {
                Some(text) => self.text_line(&text),
                None => table.draw(&mut self.flow),
            }
        }
    }

    /// Begins what a line turned out to be; what of it has come by now is in `line`.
    fn begin(&mut self, head: &Head, line: &str) {
        use line::Kind;
        self.close_table();
        let rest = &line[head.used..];
        match &head.kind {
            Kind::Blank => {
                self.blank = true;
            }
            Kind::Heading(level) => {
                self.close_lists(head);
                self.gap();
                let style = Style {
                    heading: true,
                    strong: *level < 3,
                    ..Style::default()
                };
                let mut margin = self.margin();
                if !self.flow.look().color {
                    margin = margin.with(&format!("{} ", "#".repeat(*level)), Style::default());
                }
                self.begin_text(&margin, margin.clone(), style, rest);
            }
            Kind::Rule => {
                self.close_lists(head);
                self.gap();
                let margin = self.margin();
                self.rule(&margin, "");
            }
            Kind::Item { marker } => {
                self.close_lists(head);
                self.gap();
                let outer = self.margin();
                let first = outer.with(marker, Style::default());
                let indent = flow::width(marker);
                let rest_margin = outer.with(&" ".repeat(indent), Style::default());
                if self.lists.len() < LISTS_MAX {
                    self.lists.push(List {
                        marker: head.indent,
                        indent,
                    });
                }
                self.begin_text(&first, rest_margin, Style::default(), rest);
            }
            Kind::Fence { mark, length } => {
                self.close_lists(head);
                self.gap();
                let margin = self.margin();
                let language = rest.split_whitespace().next().unwrap_or_default();
                let language: String = language.chars().take(24).collect();
                self.rule(&margin, &language);
                self.code = Some(Code {
                    fence: (*mark, *length),
                    indent: head.indent,
                    quotes: head.quotes,
                    margin,
                    highlighter: Highlighter::of(&language),
                    within: false,
                });
            }
            Kind::Row | Kind::Text => {
                if self.blank || head.quotes != self.quotes {
                    self.close_lists(head);
                }
                self.gap();
                let mut margin = self.margin();
                if self.lists.is_empty() && head.indent >= 4 {
                    let indent = head.indent.min(self.flow.columns() / 2);
                    margin = margin.with(&" ".repeat(indent), Style::default());
                }
                self.begin_text(&margin, margin.clone(), Style::default(), rest);
            }
        }
    }

    /// Closes the lists that a line does not belong to.
    fn close_lists(&mut self, head: &Head) {
        if head.quotes != self.quotes {
            self.lists.clear();
            self.quotes = head.quotes;
        }
        while self
            .lists
            .last()
            .is_some_and(|list| head.indent < list.marker + 2)
        {
            self.lists.pop();
        }
    }

    fn margin(&self) -> Margin {
        let mut margin = Margin::default();
        for _ in 0..self.quotes {
            margin = margin.with("│ ", Style::FAINT);
        }
        let indent: usize = self.lists.iter().map(|list| list.indent).sum();
        match indent {
            0 => margin,
            indent => margin.with(&" ".repeat(indent), Style::default()),
        }
    }

    /// The empty line that is owed between two blocks.
    fn gap(&mut self) {
        if self.blank && self.drew {
            self.flow.end();
        }
        self.blank = false;
        self.drew = true;
    }

    fn rule(&mut self, margin: &Margin, name: &str) {
        let room = self.flow.columns().saturating_sub(margin.width());
        let name = match name {
            "" => String::new(),
            name => format!("── {name} "),
        };
        let rest = room.min(40).saturating_sub(flow::width(&name));
        self.flow.begin(margin, Margin::default());
        let line = format!("{name}{}", "─".repeat(rest));
        self.flow.verbatim(&Span::new(line, Style::FAINT));
        self.flow.end();
    }

    fn begin_text(&mut self, first: &Margin, rest: Margin, style: Style, text: &str) {
        self.flow.begin(first, rest);
        self.base = style;
        self.before = None;
        self.mode = Mode::Text;
        for c in text.chars() {
            self.text_char(c);
        }
    }

    /// A whole line of running text.
    fn text_line(&mut self, text: &str) {
        let margin = self.margin();
        self.begin_text(&margin, margin.clone(), Style::default(), text);
        self.end_text();
    }

    fn text_char(&mut self, c: char) {
        if self.held.is_empty() && !inline::is_special(c) {
            self.flow.text(&Span::new(c, self.base));
            self.before = Some(c);
            return;
        }
        self.held.push(c);
        if self.held.len() > HELD_MAX {
            // Whatever it was to be, it is too long for it.
            let held = std::mem::take(&mut self.held);
            self.flow.text(&Span::new(held, self.base));
            self.before = Some(c);
        } else if inline::may_decide(&self.held, c) {
            self.decide(false);
        }
    }

    fn decide(&mut self, ended: bool) {
        while let Some(first) = self.held.chars().next() {
            if !inline::is_special(first) {
                self.flow.text(&Span::new(first, self.base));
                self.before = Some(first);
                self.held.drain(..first.len_utf8());
                continue;
            }
            let unit = inline::unit(&self.held, self.before, ended, self.base);
            let Some((length, spans)) = unit else {
                return;
            };
            spans.iter().for_each(|span| self.flow.text(span));
            self.before = self.held[..length].chars().next_back();
            self.held.drain(..length);
        }
    }

    fn end_text(&mut self) {
        self.decide(true);
        self.flow.end();
        self.mode = Mode::Head;
    }

    /// Draws a line of code. False where the line ends the block without belonging to it.
    fn code_line(&mut self, line: &str) -> bool {
        let Some(code) = &mut self.code else {
            return false;
        };
        let within = std::mem::take(&mut code.within);
        let mut text = line;
        for _ in 0..code.quotes {
            let Some(inner) = text.trim_start().strip_prefix('>') else {
                let margin = code.margin.clone();
                self.code = None;
                self.rule(&margin, "");
                return false;
            };
            text = inner.strip_prefix(' ').unwrap_or(inner);
        }
        let (mark, length) = code.fence;
        let bare = text.trim();
        if !within && bare.len() >= length && bare.chars().all(|c| c == mark) {
            let margin = code.margin.clone();
            self.code = None;
            self.rule(&margin, "");
            return true;
        }
        let spaces = text.len() - text.trim_start_matches(' ').len();
        let text = match within {
            true => line,
            false => &text[spaces.min(code.indent)..],
        };
        let margin = match within {
            true => Margin::default(),
            false => code.margin.clone(),
        };
        let spans = code.highlighter.line(&text.replace('\t', "    "));
        self.flow.begin(&margin, Margin::default());
        spans.iter().for_each(|span| self.flow.verbatim(span));
        self.flow.end();
        true
    }

    /// A line of code that is too long to be held back is drawn in parts.
    fn long_code(&mut self) {
        let Some(code) = self.code.as_mut() else {
            return;
        };
        if self.line.len() > LINE_MAX {
            let line = std::mem::take(&mut self.line).replace('\t', "    ");
            if !std::mem::replace(&mut code.within, true) {
                self.flow.begin(&code.margin.clone(), Margin::default());
            }
            self.flow.verbatim(&Span::new(line, Style::default()));
        }
    }
}
