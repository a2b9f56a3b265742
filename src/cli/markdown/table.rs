//! Tables: held back until they are complete, then drawn with columns as wide as they need and the
//! terminal allows. Where not even narrow columns fit, each row becomes a short list.

use super::flow::{Flow, Margin, char_width, width};
use super::inline;
use super::style::{Span, Style};

/// Bytes of a table that are held back; a longer one goes on with the widths it has by then.
const BYTES_MAX: usize = 64 * 1024;
const COLUMNS_MAX: usize = 24;
/// The narrowest that a column may get.
const WIDTH_MIN: usize = 6;
const GAP: &str = " │ ";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Centre,
    Right,
}

pub(super) struct Table {
    margin: Margin,
    /// The first line as it stands, until the second shows that it is a header.
    source: String,
    header: Vec<Vec<Span>>,
    /// Unset until the line under the header has come.
    aligns: Option<Vec<Align>>,
    rows: Vec<Vec<Vec<Span>>>,
    bytes: usize,
    widths: Option<Vec<usize>>,
}

/// What a line turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Took {
    Row,
    /// The line before was no header: it is text, and so is this one.
    NoTable,
}

impl Table {
    pub(super) fn new(margin: Margin, header: &str) -> Self {
        Table {
            margin,
            source: header.to_owned(),
            header: cells(header),
            aligns: None,
            rows: Vec::new(),
            bytes: 0,
            widths: None,
        }
    }

    pub(super) fn line(&mut self, line: &str, flow: &mut Flow) -> Took {
        if self.aligns.is_none() {
            self.aligns = aligns(line, self.header.len());
            return match self.aligns {
                Some(_) => Took::Row,
                None => Took::NoTable,
            };
        }
        let mut row = cells(line);
        row.resize_with(self.header.len(), Vec::new);
        self.bytes += line.len();
        self.rows.push(row);
        if self.bytes > BYTES_MAX {
            self.draw(flow);
            self.bytes = 0;
        }
        Took::Row
    }

    /// The only line, where no table came of it.
    pub(super) fn not_a_table(&mut self) -> Option<String> {
        self.aligns
            .is_none()
            .then(|| std::mem::take(&mut self.source))
    }

    /// Draws what is held back.
    pub(super) fn draw(&mut self, flow: &mut Flow) {
        let room = flow.columns().saturating_sub(self.margin.width());
        let rows = std::mem::take(&mut self.rows);
        let begins = self.widths.is_none();
        let widths = match &self.widths {
            Some(widths) => widths.clone(),
            None => self.fitting(&rows, room),
        };
        self.widths = Some(widths.clone());
        if widths.is_empty() {
            return rows.iter().for_each(|row| self.draw_list(row, flow));
        }
        if begins {
            let header = bold(&self.header);
            self.draw_row(&header, &widths, flow);
            let line: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            self.draw_line(&[Span::new(line.join("─┼─"), Style::FAINT)], flow);
        }
        for row in &rows {
            self.draw_row(row, &widths, flow);
        }
    }

    /// Widths that fit; none where the columns are too many.
    fn fitting(&self, rows: &[Vec<Vec<Span>>], room: usize) -> Vec<usize> {
        let count = self.header.len();
        let room = room.saturating_sub(GAP.chars().count() * count.saturating_sub(1));
        let mut widths: Vec<usize> = (0..count)
            .map(|n| {
                let cells = rows.iter().map(|row| &row[n]).chain([&self.header[n]]);
                cells.map(|cell| cell_width(cell)).max().unwrap_or(0).max(1)
            })
            .collect();
        while widths.iter().sum::<usize>() > room {
            let widest = (0..count).max_by_key(|n| widths[*n]).unwrap_or(0);
            if widths[widest] <= WIDTH_MIN {
                return Vec::new();
            }
            widths[widest] -= 1;
        }
        widths
    }

    fn draw_row(&self, row: &[Vec<Span>], widths: &[usize], flow: &mut Flow) {
        let cells: Vec<Vec<Vec<Span>>> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| broken(cell, *width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1).max(1);
        let aligns = self.aligns.as_deref().unwrap_or_default();
        for n in 0..height {
            let mut line = Vec::new();
            for (column, cell) in cells.iter().enumerate() {
                if column > 0 {
                    line.push(Span::new(GAP, Style::FAINT));
                }
                let part = cell.get(n).cloned().unwrap_or_default();
                let free = widths[column].saturating_sub(cell_width(&part));
                let before = match aligns.get(column) {
                    Some(Align::Right) => free,
                    Some(Align::Centre) => free / 2,
                    _ => 0,
                };
                line.push(Span::new(" ".repeat(before), Style::default()));
                line.extend(part);
                if column + 1 < cells.len() {
                    line.push(Span::new(" ".repeat(free - before), Style::default()));
                }
            }
            self.draw_line(&line, flow);
        }
    }

    fn draw_line(&self, line: &[Span], flow: &mut Flow) {
        flow.begin(&self.margin, Margin::default());
        line.iter().for_each(|span| flow.verbatim(span));
        flow.end();
    }

    fn draw_list(&self, row: &[Vec<Span>], flow: &mut Flow) {
        let rest = self.margin.with("  ", Style::default());
        let headers = bold(&self.header);
        for (n, cell) in row.iter().enumerate() {
            let mark = if n == 0 { "• " } else { "  " };
            let first = self.margin.with(mark, Style::default());
            flow.begin(&first, rest.clone());
            headers[n].iter().for_each(|span| flow.text(span));
            flow.text(&Span::new(": ", Style::default()));
            cell.iter().for_each(|span| flow.text(span));
            flow.end();
        }
    }
}

fn bold(row: &[Vec<Span>]) -> Vec<Vec<Span>> {
    let mut row = row.to_vec();
    for span in row.iter_mut().flatten() {
        span.style.strong = true;
    }
    row
}

fn cell_width(cell: &[Span]) -> usize {
    cell.iter().map(|span| width(&span.text)).sum()
}

/// The cells of a line, cut at the bars that are not escaped.
fn split(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in line.chars() {
        match c {
            '|' if !escaped => cells.push(String::new()),
            _ => {
                let cell = cells.last_mut().expect("there is one from the start");
                if c == '|' {
                    cell.pop();
                }
                cell.push(c);
            }
        }
        escaped = c == '\\' && !escaped;
    }
    if cells.last().is_some_and(|cell| cell.trim().is_empty()) && cells.len() > 1 {
        cells.pop();
    }
    cells.truncate(COLUMNS_MAX);
    cells
}

fn cells(line: &str) -> Vec<Vec<Span>> {
    let texts = split(line).into_iter();
    texts
        .map(|text| {
            let mut spans = inline::spans(text.trim(), Style::default());
            for span in &mut spans {
                span.text = span.text.replace('\n', " ");
            }
            spans
        })
        .collect()
}

fn aligns(line: &str, count: usize) -> Option<Vec<Align>> {
    let cells = split(line);
    let aligns: Option<Vec<Align>> = cells
        .iter()
        .map(|cell| {
            let cell = cell.trim();
            let dashes = cell.trim_matches(':');
            let (left, right) = (cell.starts_with(':'), cell.ends_with(':'));
            let sound = !dashes.is_empty() && dashes.bytes().all(|b| b == b'-');
            sound.then_some(match (left, right) {
                (true, true) => Align::Centre,
                (false, true) => Align::Right,
                _ => Align::Left,
            })
        })
        .collect();
    aligns.filter(|aligns| aligns.len() == count)
}

/// A cell on lines of at most `room` columns, cut at blanks where there are any.
fn broken(cell: &[Span], room: usize) -> Vec<Vec<Span>> {
    let chars: Vec<(char, Style)> = cell
        .iter()
        .flat_map(|span| span.text.chars().map(|c| (c, span.style)))
        .collect();
    let mut lines = Vec::new();
    let mut rest = &chars[..];
    while !rest.is_empty() {
        let mut used = 0;
        let fits = rest
            .iter()
            .take_while(|(c, _)| {
                used += char_width(*c);
                used <= room
            })
            .count()
            .max(1);
        let cut = match rest.get(fits) {
            None => fits,
            Some((' ', _)) => fits,
            Some(_) => {
                let blank = rest[..fits].iter().rposition(|(c, _)| *c == ' ');
                blank.map_or(fits, |blank| blank + 1)
            }
        };
        lines.push(gathered(&rest[..cut]));
        rest = &rest[cut..];
        while let [(' ', _), behind @ ..] = rest {
            rest = behind;
        }
    }
    lines
}

fn gathered(chars: &[(char, Style)]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (c, style) in chars {
        match spans.last_mut() {
            Some(last) if last.style == *style => last.text.push(*c),
            _ => spans.push(Span::new(*c, *style)),
        }
    }
    if let Some(last) = spans.last_mut() {
        last.text.truncate(last.text.trim_end().len());
    }
    spans
}
