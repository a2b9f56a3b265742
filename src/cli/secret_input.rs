//! Asks for secrets and yes or no on the terminal itself, never on standard input.
//!
//! Characters are read one by one without echo, into memory that is wiped; the terminal is put
//! back as it was on every way out, Ctrl-C included, since Ctrl-C arrives as a character.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcgetwinsize, tcsetattr,
};
use unicode_width::UnicodeWidthStr;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::output::wrapped;

/// The longest secret that can be typed.
const BYTES_MAX: usize = 4096;

/// The terminal of the process, in its own mode again when dropped.
struct Tty {
    file: File,
    before: Termios,
}

impl Tty {
    fn open(echo: bool) -> Result<Self, Failure> {
        let tty = OpenOptions::new().read(true).write(true).open("/dev/tty");
        let file = tty.map_err(|_| Failure::NoTerminal)?;
        let before = tcgetattr(&file).map_err(|_| Failure::NoTerminal)?;
        let mut raw = before.clone();
        raw.local_modes -= LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        raw.local_modes.set(LocalModes::ECHO, echo);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&file, OptionalActions::Drain, &raw).map_err(|_| Failure::NoTerminal)?;
        Ok(Tty { file, before })
    }

    fn say(&mut self, text: &str) {
        self.file.write_all(text.as_bytes()).ok();
    }

    /// Words for the person, broken where the terminal's width asks for it.
    fn tell(&mut self, text: &str) {
        let size = tcgetwinsize(&self.file);
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        self.say(&laid_out(text, columns));
    }
}

/// Broken into lines between words, and first of all between choices, which two blanks set apart.
fn laid_out(text: &str, columns: usize) -> String {
    if columns == 0 || text.width() < columns {
        return text.to_owned();
    }
    let mut lines: Vec<String> = Vec::new();
    for choice in text.split("  [") {
        match lines.last_mut() {
            None => lines.push(choice.to_owned()),
            Some(line) if line.width() + 3 + choice.width() < columns => {
                line.push_str("  [");
                line.push_str(choice);
            }
            Some(_) => lines.push(format!("[{choice}")),
        }
    }
    wrapped(&lines.join("\n"), columns)
}

impl Drop for Tty {
    fn drop(&mut self) {
        tcsetattr(&self.file, OptionalActions::Drain, &self.before).ok();
    }
}

/// Whether there is a terminal to ask on.
pub(super) fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Asks for a line that is not shown.
pub(super) fn ask_hidden(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    ask(prompt, false)
}

/// Asks for a line that is shown as it is typed.
pub(super) fn ask_line(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    ask(prompt, true)
}

/// Shows a secret on the terminal itself, wherever the output goes.
pub(super) fn show_secret(text: &str) -> Result<(), Failure> {
    let mut tty = Tty::open(false)?;
    tty.tell(text);
    Ok(())
}

fn ask(prompt: &str, shown: bool) -> Result<Zeroizing<String>, Failure> {
    let mut tty = Tty::open(shown)?;
    tty.tell(prompt);
    let mut line = Zeroizing::new(Vec::with_capacity(BYTES_MAX));
    let mut byte = Zeroizing::new([0_u8; 1]);
    loop {
        let got = tty
            .file
            .read(byte.as_mut_slice())
            .map_err(|_| Failure::NoTerminal)?;
        match byte[0] {
            // The terminal was closed, or Ctrl-D on an empty line.
            _ if got == 0 => return Err(Failure::Interrupted),
            0x04 if line.is_empty() => return Err(Failure::Interrupted),
            0x03 => {
                tty.say("\n");
                return Err(Failure::Interrupted);
            }
            b'\r' | b'\n' | 0x04 => break,
            0x08 | 0x7f => {
                if shown && !line.is_empty() {
                    tty.say("\x08 \x08");
                }
                drop_last_char(&mut line);
            }
            0x15 => line.clear(),
            other if line.len() < BYTES_MAX => line.push(other),
            _ => {}
        }
    }
    tty.say("\n");
    let bytes = std::mem::take(&mut *line);
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            zeroize::Zeroize::zeroize(&mut error.into_bytes());
            Err(crate::vault::VaultError::Seal(crate::seal::SealError::PassphraseEncoding).into())
        }
    }
}

fn drop_last_char(line: &mut Vec<u8>) {
    while let Some(last) = line.pop() {
        if last & 0xc0 != 0x80 {
            return;
        }
    }
}

/// Asks for one key of `keys`; Enter means `default`.
pub(super) fn ask_key(prompt: &str, keys: &str, default: char) -> Result<char, Failure> {
    ask_key_on(&mut Tty::open(false)?, prompt, keys, default)
}

/// Asks for a yes; Enter means no. What was typed before the question is no answer to it.
pub(super) fn is_sure(question: &str) -> Result<bool, Failure> {
    let mut tty = Tty::open(false)?;
    tcflush(&tty.file, QueueSelector::IFlush).ok();
    let prompt = format!("{question} [y/N] ");
    Ok(ask_key_on(&mut tty, &prompt, "yn", 'n')? == 'y')
}

fn ask_key_on(tty: &mut Tty, prompt: &str, keys: &str, default: char) -> Result<char, Failure> {
    tty.tell(prompt);
    let mut byte = [0_u8; 1];
    loop {
        let got = tty.file.read(&mut byte).map_err(|_| Failure::NoTerminal)?;
        let key = match char::from(byte[0]).to_ascii_lowercase() {
            _ if got == 0 => return Err(Failure::Interrupted),
            '\u{3}' | '\u{4}' => {
                tty.say("\n");
                return Err(Failure::Interrupted);
            }
            '\r' | '\n' => default,
            key => key,
        };
        if keys.contains(key) {
            tty.say(&format!("{key}\n"));
            return Ok(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_breaks_between_choices_and_then_between_words() {
        let prompt = "[a] Claude  [o] OpenAI  [l] on this machine: ";
        assert_eq!(laid_out(prompt, 80), prompt);
        let two = "[a] Claude  [o] OpenAI\n[l] on this machine: ";
        assert_eq!(laid_out(prompt, 24), two);
        let narrow = "[a] Claude\n[o] OpenAI\n[l] on this\nmachine: ";
        assert_eq!(laid_out(prompt, 12), narrow);
        assert_eq!(
            laid_out("Send to example.org? ", 16),
            "Send to\nexample.org? "
        );
    }
}
