//! The line that is being typed. Its history lives in memory, offered from the vault; no file.
//!
//! The editor has a thread of its own, so that the thread that owns the session can take in and
//! tell what other processes do while a person types.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::config::{Behavior, BellStyle, Builder};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{
    Cmd, CompletionType, Config, Editor as Rustyline, EventHandler, ExternalPrinter, KeyCode,
    KeyEvent, Modifiers,
};

use super::super::failure::Failure;
use super::Event;
use super::words::{Typing, Words, message};
use crate::model::Text;

/// What came of a prompt.
pub(super) enum Line {
    Typed(String),
    Interrupted,
    End,
    Failed(io::Error),
}

enum Order {
    Prompt,
    Remember(Vec<Text>),
    Forget,
}

/// Prints a line above the prompt.
type Print = Box<dyn FnMut(String) + Send>;

pub(super) struct Editor {
    orders: Sender<Order>,
    print: Arc<Mutex<Option<Print>>>,
}

/// Lines of history that are offered.
const HISTORY_MAX: usize = 1000;

type Inner = Rustyline<Typing, MemHistory>;

fn make(words: Arc<Mutex<Words>>) -> rustyline::Result<Inner> {
    let config: Config = Builder::new()
        .max_history_size(HISTORY_MAX)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .auto_add_history(true)
        .bracketed_paste(true)
        .bell_style(BellStyle::None)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        // The prompt is for the terminal, also where stdout goes to a file.
        .behavior(Behavior::PreferTerm)
        .build();
    let history = MemHistory::with_config(&config);
    let mut inner = Rustyline::with_history(config, history)?;
    inner.set_helper(Some(Typing(words)));
    let alt_enter = KeyEvent(KeyCode::Enter, Modifiers::ALT);
    for key in [alt_enter, KeyEvent::ctrl('J')] {
        inner.bind_sequence(key, EventHandler::Simple(Cmd::Newline));
    }
    Ok(inner)
}

impl Editor {
    /// Starts the thread; what is typed is sent to `events`.
    pub(super) fn start(events: Sender<Event>, words: Arc<Mutex<Words>>) -> Result<Self, Failure> {
        let inner = make(words.clone());
        let mut inner = inner.map_err(|error| Failure::Input(io::Error::other(error)))?;
        let print = Arc::new(Mutex::new(printer(&mut inner)));
        let shared = print.clone();
        let (orders, taken) = mpsc::channel();
        std::thread::spawn(move || {
            for order in taken {
                match order {
                    Order::Prompt => {
                        if events.send(Event::Line(read(&mut inner))).is_err() {
                            return;
                        }
                    }
                    Order::Remember(lines) => remember(&mut inner, &lines),
                    Order::Forget => {
                        inner.clear_history().ok();
                        // With it goes what was typed ahead and not read yet.
                        if let Ok(fresh) = make(words.clone()) {
                            inner = fresh;
                            let print = printer(&mut inner);
                            *shared.lock().unwrap_or_else(PoisonError::into_inner) = print;
                        }
                    }
                }
            }
        });
        Ok(Editor { orders, print })
    }

    /// Shows the prompt; the line comes as an event.
    pub(super) fn prompt(&self) {
        self.orders.send(Order::Prompt).ok();
    }

    /// Offers what was typed before.
    pub(super) fn remember(&self, lines: Vec<Text>) {
        self.orders.send(Order::Remember(lines)).ok();
    }

    /// Forgets what was typed, and what was typed ahead: with a passphrase asked for in between,
    /// that may be the passphrase.
    pub(super) fn forget(&self) {
        self.orders.send(Order::Forget).ok();
    }

    /// Prints a line above the prompt while it is shown.
    pub(super) fn print_above(&mut self, line: &str) {
        let mut print = self.print.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(print) = print.as_mut() {
            print(format!("{line}\n"));
        }
    }
}

fn printer(inner: &mut Inner) -> Option<Print> {
    let mut printer = inner.create_external_printer().ok()?;
    Some(Box::new(move |line| {
        printer.print(line).ok();
    }))
}

fn remember(inner: &mut Inner, lines: &[Text]) {
    for line in lines {
        inner.add_history_entry(line.as_str()).ok();
    }
}

fn read(inner: &mut Inner) -> Line {
    match inner.readline("› ") {
        Ok(line) => Line::Typed(message(&line)),
        Err(ReadlineError::Interrupted) => Line::Interrupted,
        Err(ReadlineError::Eof) => Line::End,
        Err(ReadlineError::Io(error)) => Line::Failed(error),
        Err(error) => Line::Failed(io::Error::other(error)),
    }
}
