//! The terminal session that the README shows, as a picture made from the program itself.
//!
//! `scripts/record` writes `docs/session.svg` again.

use std::fmt::Write;
use std::fs;

use vt100::{Cell, Color, Screen};

use super::terminal::Terminal;
use super::world::{Home, PASSPHRASE};

const PICTURE: &str = "docs/session.svg";
const PROMPT: &str = "› ";
const SIZE: (u16, u16) = (34, 84);
/// Of one character, in pixels.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
const MARGIN: f64 = 14.0;
const INK: &str = "#d8dee9";
const PAPER: &str = "#1e222a";
const COLOURS: [&str; 8] = [
    "#4c566a", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9",
];

fn colour(color: Color) -> String {
    match color {
        Color::Idx(n) => COLOURS[usize::from(n % 8)].to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Default => INK.to_owned(),
    }
}

/// How a cell's text is drawn.
fn style(cell: &Cell) -> String {
    let mut style = format!("fill=\"{}\"", colour(cell.fgcolor()));
    if cell.bold() {
        style += " font-weight=\"bold\"";
    }
    if cell.italic() {
        style += " font-style=\"italic\"";
    }
    if cell.dim() {
        style += " opacity=\"0.6\"";
    }
    style
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Runs of a row that look the same: where each begins, its columns, its style and its text.
fn runs(screen: &Screen, row: u16) -> Vec<(u16, u16, String, String)> {
    let mut runs: Vec<(u16, u16, String, String)> = Vec::new();
    for column in 0..screen.size().1.get() {
        let Some(cell) = screen.cell(row, column) else {
            continue;
        };
        let (style, text) = (style(cell), cell.contents());
        let text = if text.is_empty() { " " } else { text };
        match runs.last_mut() {
            Some((_, columns, before, shown)) if *before == style => {
                *columns += 1;
                shown.push_str(text);
            }
            _ => runs.push((column, 1, style, text.to_owned())),
        }
    }
    runs.retain(|(.., text)| !text.trim().is_empty());
    runs
}

fn picture(screen: &Screen, home: &str) -> String {
    let (rows, columns) = screen.size();
    let width = f64::from(columns.get()) * WIDTH + 2.0 * MARGIN;
    let height = f64::from(rows.get()) * HEIGHT + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" font-size=\"14\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, monospace\">\n\
         <title>A first session with agent</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{PAPER}\"/>\n"
    );
    for row in 0..rows.get() {
        let y = MARGIN + f64::from(row + 1) * HEIGHT - 4.0;
        for (column, wide, style, text) in runs(screen, row) {
            let shown = text.trim_end().replace(home, "~");
            let wide = usize::from(wide) - (text.chars().count() - shown.chars().count());
            let x = MARGIN + f64::from(column) * WIDTH;
            let length = wide as f64 * WIDTH;
            writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" \
                 lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" {style}>{}</text>",
                escaped(&shown)
            )
            .unwrap();
        }
    }
    svg + "</svg>\n"
}

#[test]
fn the_session_that_the_readme_shows_can_be_had() {
    let home = Home::new();
    let mut terminal = Terminal::start_sized(home.bare(Vec::<&str>::new()), SIZE);
    terminal.wait_for("[Y/n]");
    terminal.press("y");
    for asks in ["New passphrase: ", "Once more: "] {
        terminal.wait_for(asks);
        terminal.type_line(PASSPHRASE);
    }
    terminal.wait_for("for now: ");
    terminal.press("n");
    let talk = [
        (
            "remember that my sister lives in Lisbon",
            "(remembered: my sister",
        ),
        (
            "remember that I prefer trains to planes",
            "(remembered: I prefer",
        ),
        ("where does my sister live?", "Here is what I have"),
        ("/memory", "trains"),
    ];
    for (line, brings) in talk {
        terminal.wait_for(PROMPT);
        terminal.type_line(line);
        terminal.wait_for(brings);
    }
    terminal.wait_for(PROMPT);
    let screen = terminal.wait_until(|screen| screen.trim_end().ends_with('›'));
    assert!(screen.contains("my sister lives in Lisbon"), "{screen}");
    let drawn = picture(&terminal.cells(), home.root().to_str().unwrap());
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(drawn.contains("Lisbon"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PICTURE, &drawn).unwrap();
    }
    // Dates and ids are not the same twice, but what was said is.
    let there = fs::read_to_string(PICTURE).unwrap();
    assert!(there.contains("where does my sister live?") && there.ends_with("</svg>\n"));
    let readme = fs::read_to_string("README.md").unwrap();
    assert!(readme.contains(PICTURE), "the README shows it");
}
