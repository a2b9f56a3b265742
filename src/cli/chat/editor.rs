//! The line that is being typed. Its history lives in memory, offered from the vault; no file.

use std::io;

use rustyline::config::{BellStyle, Builder};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Editor as Rustyline, ExternalPrinter};

use super::super::failure::Failure;
use super::super::shell::Shell;
use crate::model::Text;

/// What came of a prompt.
pub(super) enum Line {
    Typed(String),
    Interrupted,
    End,
    Failed(io::Error),
}

pub(super) struct Editor {
    inner: Rustyline<(), MemHistory>,
}

/// Lines of history that are offered.
const HISTORY_MAX: usize = 1000;

impl Editor {
    pub(super) fn new(_shell: &Shell) -> Result<Self, Failure> {
        let config = Builder::new()
            .max_history_size(HISTORY_MAX)
            .and_then(|builder| builder.history_ignore_dups(true))
            .map_err(|error| Failure::Input(io::Error::other(error)))?
            .history_ignore_space(true)
            .auto_add_history(true)
            .bracketed_paste(true)
            .bell_style(BellStyle::None)
            .build();
        let history = MemHistory::with_config(&config);
        let inner = Rustyline::with_history(config, history)
            .map_err(|error| Failure::Input(io::Error::other(error)))?;
        Ok(Editor { inner })
    }

    /// Offers what was typed before.
    pub(super) fn remember(&mut self, lines: Vec<Text>) {
        for line in lines {
            if !line.contains('\n') {
                self.inner.add_history_entry(line.as_str()).ok();
            }
        }
    }

    /// Forgets what was typed.
    pub(super) fn forget(&mut self) {
        self.inner.clear_history().ok();
    }

    /// Prints above the prompt while it is shown.
    pub(super) fn printer(&mut self) -> Option<Box<dyn FnMut(String) + Send>> {
        let mut printer = self.inner.create_external_printer().ok()?;
        Some(Box::new(move |line| {
            printer.print(line).ok();
        }))
    }

    pub(super) fn read(&mut self) -> Line {
        match self.inner.readline("› ") {
            Ok(line) => Line::Typed(line),
            Err(ReadlineError::Interrupted) => Line::Interrupted,
            Err(ReadlineError::Eof) => Line::End,
            Err(ReadlineError::Io(error)) => Line::Failed(error),
            Err(error) => Line::Failed(io::Error::other(error)),
        }
    }
}
