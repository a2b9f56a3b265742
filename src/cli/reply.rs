//! Shows a reply while it comes: something that turns while nothing has come, the text as it is
//! drawn, and a line about it behind.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::failure::Failure;
use super::markdown::{Look, Renderer};
use super::output::{
    harmless, print, print_json, stderr_is_terminal, stdout_is_terminal, terminal_columns, whisper,
};
use super::shell::Shell;
use crate::chat::{Answer, Told};
use crate::config::Tokens;
use crate::model::Usage;
use crate::provider::Notice;

/// Where a reply goes as it comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Display {
    Streamed {
        /// Drawn as Markdown, if the terminal can.
        markdown: bool,
    },
    /// JSON lines, each a piece of it.
    Lines,
    /// Printed by the caller when it is complete.
    Held,
}

/// A line of `--stream-json` while an answer comes.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Text {
        text: &'a str,
    },
    Retrying {
        attempt: u32,
        after_ms: u64,
        status: Option<u16>,
    },
    /// The server was asked for its model.
    Model {
        model: &'a str,
    },
}

impl Display {
    pub(super) fn of(shell: &Shell, no_markdown: bool) -> Self {
        Display::Streamed {
            markdown: shell.config.markdown && !no_markdown,
        }
    }
}

/// How long a reply took.
#[derive(Clone, Copy, Default)]
pub(super) struct Timing {
    pub first: Option<Duration>,
    pub whole: Duration,
}

/// Draws Markdown where stdout is a terminal that can show it.
pub(super) fn renderer(shell: &Shell, wanted: bool) -> Option<Renderer> {
    let draws = wanted && stdout_is_terminal() && !shell.is_plain();
    draws.then(|| {
        Renderer::new(Look {
            columns: terminal_columns(),
            color: shell.colors(true),
        })
    })
}

/// One reply on the terminal.
pub(super) struct Stage<'a> {
    shell: &'a Shell,
    display: Display,
    renderer: Option<Renderer>,
    spinner: Option<Spinner>,
    asked: Instant,
    first: Option<Duration>,
    /// What was written last ends a line.
    line_ended: bool,
    lost: Option<Failure>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(shell: &'a Shell, display: Display, waits: bool) -> Self {
        let markdown = matches!(display, Display::Streamed { markdown: true });
        let spins = waits && shell.shows_progress();
        Stage {
            shell,
            display,
            renderer: renderer(shell, markdown),
            spinner: spins.then(Spinner::start),
            asked: Instant::now(),
            first: None,
            line_ended: true,
            lost: None,
        }
    }

    pub(super) fn tell(&mut self, told: Told) {
        if matches!(told, Told::Text(_)) {
            self.first.get_or_insert_with(|| self.asked.elapsed());
        }
        match self.display {
            Display::Lines => self.line(&told),
            _ => self.say(told),
        }
    }

    fn line(&mut self, told: &Told) {
        let line = match told {
            Told::Text(text) => Line::Text { text },
            Told::Notice(Notice::Retrying {
                attempt,
                after_ms,
                status,
            }) => Line::Retrying {
                attempt: *attempt,
                after_ms: *after_ms,
                status: *status,
            },
            Told::Notice(Notice::Model(model)) => Line::Model { model },
        };
        if self.lost.is_none() {
            self.lost = print_json(&line).err();
        }
    }

    fn say(&mut self, told: Told) {
        match told {
            Told::Text(piece) if self.display != Display::Held => self.text(&piece),
            Told::Text(_) => {}
            Told::Notice(Notice::Retrying {
                attempt,
                after_ms,
                status,
            }) => {
                let why = status.map_or("no connection".to_owned(), |s| format!("status {s}"));
                self.notice(&format!(
                    "({why}; trying again, {attempt}, in {after_ms} ms)"
                ));
            }
            Told::Notice(Notice::Model(name)) if self.shell.global.verbose => {
                self.notice(&format!("(model: {name})"));
            }
            Told::Notice(Notice::Model(_)) => {}
        }
    }

    fn text(&mut self, piece: &str) {
        let drawn = match &mut self.renderer {
            Some(renderer) => {
                renderer.resize(terminal_columns());
                renderer.feed(piece)
            }
            None => harmless(piece),
        };
        self.write(&drawn);
    }

    fn write(&mut self, drawn: &str) {
        if !drawn.is_empty() && self.lost.is_none() {
            self.spinner = None;
            self.line_ended = drawn.ends_with('\n');
            self.lost = print(drawn).err();
        }
    }

    /// A line between, with the spinner out of its way.
    fn notice(&mut self, line: &str) {
        let spins = self.spinner.take().is_some();
        self.shell.note(line);
        self.spinner = spins.then(Spinner::start);
    }

    /// Draws the rest and ends the line.
    pub(super) fn end(mut self) -> Result<Timing, Failure> {
        if let Some(mut renderer) = self.renderer.take() {
            let rest = renderer.finish();
            self.write(&rest);
        }
        self.spinner = None;
        if !self.line_ended {
            self.write("\n");
        }
        match self.lost {
            Some(failure) => Err(failure),
            None => Ok(Timing {
                first: self.first,
                whole: self.asked.elapsed(),
            }),
        }
    }
}

/// What turns while nothing has come.
struct Spinner {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A reply that comes at once is not worth a spinner.
const QUIET: Duration = Duration::from_millis(250);
const TURN: Duration = Duration::from_millis(120);
const SHAPES: [char; 8] = ['⣾', '⣽', '⣻', '⢿', '⡿', '⣟', '⣯', '⣷'];

impl Spinner {
    fn start() -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let began = Instant::now();
            let mut wait = QUIET;
            let mut turns = 0;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let shape = SHAPES[turns % SHAPES.len()];
                let seconds = began.elapsed().as_secs();
                let since = match seconds {
                    0..3 => String::new(),
                    seconds => format!(" {seconds} s; Ctrl-C stops"),
                };
                whisper(&format!("\r{shape}{since}\x1b[K"));
                turns += 1;
                wait = TURN;
            }
            if turns > 0 {
                whisper("\r\x1b[K");
            }
        });
        Spinner {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Spinner {
    /// Takes it from the screen before anything else is written.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Tokens as the table of prices counts them.
pub(super) fn tokens(usage: Usage) -> Tokens {
    Tokens {
        input: usage.input,
        output: usage.output,
        cache_read: usage.cache_read,
        cache_write: usage.cache_write,
    }
}

/// Money, with as many digits as say something.
pub(super) fn dollars(amount: f64) -> String {
    match amount {
        a if a >= 0.995 || a == 0.0 => format!("${a:.2}"),
        a if a >= 0.01 => format!("${a:.3}"),
        a => format!("${a:.5}"),
    }
}

/// A count that can be read at a glance.
pub(super) fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// What a reply took and cost, in one line; none where there is nothing to say.
pub(super) fn summary(answer: &Answer, timing: Timing, cost: Option<f64>) -> Option<String> {
    let message = answer.message.as_ref()?;
    let usage = message.usage?;
    let mut parts = vec![message.model.clone().unwrap_or_default()];
    if let Some(first) = timing.first {
        parts.push(format!(
            "{:.1} s to the first word, {:.1} s in all",
            first.as_secs_f64(),
            timing.whole.as_secs_f64()
        ));
    }
    let prompt = usage.input + usage.cache_read + usage.cache_write;
    parts.push(format!(
        "{} tokens in, {} out",
        count(prompt),
        count(usage.output)
    ));
    parts.extend(cost.map(dollars));
    Some(parts.join(" · "))
}

/// Writes the line about a reply on stderr, where a person sees it.
pub(super) fn say_summary(shell: &Shell, answer: &Answer, timing: Timing) {
    if !stderr_is_terminal() || shell.global.quiet {
        return;
    }
    let cost = answer.message.as_ref().and_then(|message| {
        let prices = shell.prices().ok()?;
        prices.cost(message.model.as_deref()?, tokens(message.usage?))
    });
    if let Some(line) = summary(answer, timing, cost) {
        let line = super::output::one_line(&line);
        match shell.colors(true) {
            true => whisper(&format!("\x1b[2m{line}\x1b[0m\n")),
            false => whisper(&format!("{line}\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_money_can_be_read_at_a_glance() {
        assert_eq!(count(9_999), "9999");
        assert_eq!(count(12_345), "12.3k");
        assert_eq!(count(1_234_567), "1.2M");
        assert_eq!(dollars(0.0), "$0.00");
        assert_eq!(dollars(0.000_123), "$0.00012");
        assert_eq!(dollars(0.0123), "$0.012");
        assert_eq!(dollars(12.0), "$12.00");
    }
}
