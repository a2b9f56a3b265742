//! The text of a PDF, read in a process of its own.
//!
//! A PDF is a program in disguise, and what reads it is other people's code: where that loops,
//! overflows its stack or asks for all memory, a child ends, and nothing that was typed is lost.
//! The child is `agent-pdf`, which lies beside this program; it has no environment, few means, and
//! no way to anything but its two pipes.

use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::model::Text;

const PROGRAM: &str = "agent-pdf";
/// Longer than the child has of the processor: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(40);

const MISSING: &str =
    "PDFs are read by the program agent-pdf, which is to lie beside this one: install both";
const UNREADABLE: &str = "no text can be read from this PDF: damaged, locked, or beyond bounds";

/// The text of a PDF, or why there is none. What comes is at most `text_bytes_max` long.
pub(super) fn text(pdf: Vec<u8>, text_bytes_max: usize) -> Result<Text, &'static str> {
    let own = std::env::current_exe().map_err(|_| MISSING)?;
    let mut child = Command::new(own.with_file_name(PROGRAM))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => MISSING,
            _ => UNREADABLE,
        })?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (mut input, output) = pipes.expect("both were asked for");
    thread::spawn(move || {
        // A child that gives up early leaves the rest.
        input.write_all(&pdf).ok();
    });
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output
            .take(text_bytes_max as u64 + 1)
            .read_to_end(&mut bytes);
        sender.send(read.map(|_| bytes)).ok();
    });
    let came = receiver.recv_timeout(PATIENCE);
    if !matches!(&came, Ok(Ok(bytes)) if bytes.len() <= text_bytes_max) {
        child.kill().ok();
    }
    let ended = child.wait().is_ok_and(|status| status.success());
    let Ok(Ok(bytes)) = came else {
        return Err(UNREADABLE);
    };
    if bytes.len() > text_bytes_max {
        return Err("its text is longer than 8 MiB");
    }
    match String::from_utf8(bytes) {
        Ok(text) if ended && text.trim().is_empty() => {
            Err("there is no text in this PDF; pages that were scanned are pictures")
        }
        Ok(text) if ended => Ok(Text::new(text)),
        _ => Err(UNREADABLE),
    }
}
