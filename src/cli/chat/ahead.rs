//! What is typed while nobody reads it: it waits, unseen, for the next prompt, as it was typed.
//!
//! In its usual mode the terminal would write it into the middle of a reply, make another key of
//! Enter, and throw it away at Ctrl-C.

use std::fs::{File, OpenOptions};

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use super::super::output::whisper;
use super::super::shell::Shell;

/// Where the line editor reads plain lines, and so needs the terminal in its usual mode.
const READS_LINES: [&str; 3] = ["dumb", "cons25", "emacs"];

/// The terminal of a chat between two prompts; in its own mode again when dropped.
pub(super) struct Waiting {
    tty: File,
    usual: Termios,
    waiting: Termios,
}

impl Waiting {
    /// None where there is no terminal that could be told so.
    pub(super) fn begin(shell: &Shell) -> Option<Self> {
        let term = shell.environment.term.as_deref();
        if term.is_some_and(|term| READS_LINES.contains(&term)) {
            return None;
        }
        let tty = OpenOptions::new().read(true).write(true).open("/dev/tty");
        let tty = tty.ok()?;
        let usual = tcgetattr(&tty).ok()?;
        let mut waiting = usual.clone();
        waiting.input_modes -= InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR;
        waiting.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        // Ctrl-C is a signal as ever, and takes nothing with it.
        waiting.local_modes |= LocalModes::ISIG | LocalModes::NOFLSH;
        waiting.special_codes[SpecialCodeIndex::VMIN] = 1;
        waiting.special_codes[SpecialCodeIndex::VTIME] = 0;
        let begun = Waiting {
            tty,
            usual,
            waiting,
        };
        begun.again();
        Some(begun)
    }

    /// Once more, after whatever had the terminal meanwhile. What was typed stays.
    pub(super) fn again(&self) {
        tcsetattr(&self.tty, OptionalActions::Drain, &self.waiting).ok();
    }

    /// The usual mode, for a program that gets the terminal.
    pub(super) fn pause(&self) {
        tcsetattr(&self.tty, OptionalActions::Drain, &self.usual).ok();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pause();
    }
}

/// While it lives, the terminal marks what is pasted, so that it stays one message.
pub(super) struct Pasting;

impl Pasting {
    pub(super) fn begin() -> Self {
        whisper("\x1b[?2004h");
        Pasting
    }
}

impl Drop for Pasting {
    fn drop(&mut self) {
        whisper("\x1b[?2004l");
    }
}
