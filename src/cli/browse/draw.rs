//! Draws a browser's state. Everything that is drawn was made harmless when it was loaded.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, List, ListItem, ListState, Paragraph, Wrap};

use super::super::markdown::text_width;
use super::state::{Reader, State, Typing, What};

/// From so many columns on, the detail stands beside the list.
const SIDE_BY_SIDE: u16 = 90;

/// Looks that work without colours, and colours where there are some.
#[derive(Clone, Copy)]
struct Looks {
    color: bool,
}

impl Looks {
    fn accent(self) -> Style {
        let style = Style::default().add_modifier(Modifier::BOLD);
        if self.color {
            style.fg(Color::Cyan)
        } else {
            style
        }
    }

    fn faint(self) -> Style {
        Style::default().add_modifier(Modifier::DIM)
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, state: &mut State, color: bool) {
    let looks = Looks { color };
    let what_keys_do = packed(state.keys(), frame.area().width);
    let [top, middle, notice, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(what_keys_do.len() as u16),
    ])
    .areas(frame.area());
    frame.render_widget(title(state, looks), top);
    match state.reader.take() {
        Some(mut reader) => {
            draw_reader(frame, &mut reader, middle, looks);
            state.reader = Some(reader);
        }
        None => draw_list(frame, state, middle, looks),
    }
    frame.render_widget(bottom(state, looks, notice.width), notice);
    frame.render_widget(Paragraph::new(what_keys_do).style(looks.faint()), keys);
}

/// As many lines as the keys take, none of them broken within a key's words.
fn packed(keys: &str, columns: u16) -> Vec<Line<'static>> {
    let mut lines: Vec<String> = Vec::new();
    for key in keys.split(" · ") {
        match lines.last_mut() {
            Some(line) if text_width(line) + 3 + text_width(key) <= usize::from(columns) => {
                line.push_str(" · ");
                line.push_str(key);
            }
            _ => lines.push(key.to_owned()),
        }
    }
    lines.into_iter().map(Line::from).collect()
}

fn title(state: &State, looks: Looks) -> Line<'static> {
    if let Some(reader) = &state.reader {
        return Line::styled(reader.title.clone(), looks.accent());
    }
    let name = match state.what {
        What::Memory => "Memory",
        What::History => "Conversations",
    };
    let (shown, all) = (state.shown().len(), state.count());
    let count = match shown == all {
        true => format!("  {all}"),
        false => format!("  {shown} of {all}"),
    };
    let every = if state.every { "  (all)" } else { "" };
    Line::from(vec![
        Span::styled(name, looks.accent()),
        Span::raw(count),
        Span::styled(every, looks.faint()),
    ])
}

/// What is typed, the filter that holds, or a notice.
fn bottom(state: &State, looks: Looks, columns: u16) -> Line<'static> {
    let typed = |head: &str, text: &str| {
        let room = usize::from(columns).saturating_sub(head.len() + 2);
        let end = last_columns(text, room);
        Line::from(vec![
            Span::styled(head.to_owned(), looks.accent()),
            Span::raw(format!("{end}█")),
        ])
    };
    match &state.typing {
        Some(Typing::Filter) => typed("/", &state.filter),
        Some(Typing::Words(_, text)) => typed("> ", text),
        None if !state.notice.is_empty() => Line::raw(state.notice.clone()),
        None if !state.filter.is_empty() => {
            Line::styled(format!("/{}", state.filter), looks.faint())
        }
        None => Line::default(),
    }
}

/// The end of a text that fits so many columns.
fn last_columns(text: &str, room: usize) -> String {
    let mut used = 0;
    let end: Vec<char> = text
        .chars()
        .rev()
        .take_while(|c| {
            used += text_width(c.encode_utf8(&mut [0; 4]));
            used <= room
        })
        .collect();
    end.into_iter().rev().collect()
}

fn draw_list(frame: &mut Frame<'_>, state: &mut State, area: Rect, looks: Looks) {
    let [left, right] = match area.width >= SIDE_BY_SIDE {
        true => Layout::horizontal([Constraint::Percentage(55), Constraint::Percentage(45)]),
        false => Layout::vertical([Constraint::Percentage(60), Constraint::Percentage(40)]),
    }
    .areas(area);
    state.height = usize::from(left.height.max(1));
    let rows = state.shown();
    if rows.is_empty() {
        let words = match (state.count(), state.what) {
            (0, What::Memory) => "Nothing is remembered yet. agent memory add TEXT adds something.",
            (0, What::History) => "No conversations yet. agent chat starts one.",
            _ => "Nothing holds these words. Esc shows all.",
        };
        frame.render_widget(Paragraph::new(words).wrap(Wrap { trim: true }), left);
    }
    let items: Vec<ListItem<'_>> = rows
        .iter()
        .map(|row| {
            ListItem::new(Line::from(vec![
                Span::styled(format!("{} ", row.mark), looks.faint()),
                Span::raw(row.text.clone()),
            ]))
        })
        .collect();
    let list = List::new(items).highlight_style(Style::default().add_modifier(Modifier::REVERSED));
    let mut at = ListState::default().with_selected((!rows.is_empty()).then(|| state.index()));
    frame.render_stateful_widget(list, left, &mut at);
    let borders = match area.width >= SIDE_BY_SIDE {
        true => Borders::LEFT,
        false => Borders::TOP,
    };
    let block = Block::default()
        .borders(borders)
        .border_style(looks.faint());
    let lines: Vec<Line<'_>> = state
        .detail
        .iter()
        .enumerate()
        .map(|(n, line)| match n {
            0 => Line::styled(line.clone(), Style::default().add_modifier(Modifier::BOLD)),
            _ => Line::raw(line.clone()),
        })
        .collect();
    let detail = Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .block(block);
    frame.render_widget(detail, right);
}

fn draw_reader(frame: &mut Frame<'_>, reader: &mut Reader, area: Rect, looks: Looks) {
    let columns = usize::from(area.width).saturating_sub(2).max(8);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut mark = 0;
    for (n, said) in reader.messages.iter().enumerate() {
        let marked = n == reader.mark;
        if marked {
            mark = lines.len();
        }
        let sign = if marked { "▸ " } else { "  " };
        let head = format!("{sign}{}", said.head);
        lines.push(Line::styled(head, looks.accent()));
        for line in said.text.lines() {
            let parts = broken(line, columns);
            lines.extend(parts.into_iter().map(|part| Line::raw(format!("  {part}"))));
        }
        lines.push(Line::default());
    }
    reader.lines = lines.len();
    reader.height = usize::from(area.height);
    let last = reader.lines.saturating_sub(reader.height);
    // A little of what was said before stays in sight.
    let top = reader.top.unwrap_or(mark.saturating_sub(3)).min(last);
    reader.top = Some(top);
    let shown: Vec<Line<'_>> = lines.into_iter().skip(top).take(reader.height).collect();
    frame.render_widget(Paragraph::new(shown), area);
}

/// A line in parts of so many columns, cut at blanks where there are any.
pub(super) fn broken(line: &str, columns: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let wide = text_width(word.trim_end());
        if used > 0 && used + wide > columns {
            parts.push(std::mem::take(&mut part));
            used = 0;
        }
        for c in word.chars() {
            let wide = text_width(c.encode_utf8(&mut [0; 4]));
            if used + wide > columns && c != ' ' {
                parts.push(std::mem::take(&mut part));
                used = 0;
            }
            part.push(c);
            used += wide;
        }
    }
    parts.push(part);
    parts
}
