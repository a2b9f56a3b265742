//! The text of a PDF, read in a process of its own.
//!
//! A PDF is a program in disguise, and what reads it is other people's code: where that loops,
//! overflows its stack or asks for all memory, a child ends, and nothing that was typed is lost.
//! The child has no environment, few means, and no way to anything but its two pipes.

use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::output::print;
use crate::model::Text;

/// The longest PDF that the child takes in.
const BYTES_MAX: u64 = 32 << 20;
/// The hidden command that the child is started as.
const NAME: &str = "pdf-text";
const MEMORY_BYTES_MAX: u64 = 1 << 30;
const CPU_SECONDS_MAX: u64 = 20;
/// Longer than the processor's time: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(40);

const UNREADABLE: &str = "no text can be read from this PDF: damaged, locked, or beyond bounds";

/// The text of a PDF, or why there is none. What comes is at most `text_bytes_max` long.
pub(super) fn text(pdf: Vec<u8>, text_bytes_max: usize) -> Result<Text, &'static str> {
    let program = std::env::current_exe().map_err(|_| UNREADABLE)?;
    let mut child = Command::new(program)
        .arg(NAME)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| UNREADABLE)?;
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

/// The child's side: the text of the PDF on standard input, on standard output.
pub(super) fn serve() -> ExitCode {
    limit(Resource::As, MEMORY_BYTES_MAX);
    limit(Resource::Cpu, CPU_SECONDS_MAX);
    limit(Resource::Fsize, 0);
    let mut pdf = Vec::new();
    let input = std::io::stdin().lock();
    let read = input.take(BYTES_MAX).read_to_end(&mut pdf);
    let text = read.ok().and_then(|_| {
        let text = pdf_extract::extract_text_from_mem(&pdf).ok()?;
        Some(without_gaps(&text))
    });
    match text.map(|text| print(&text)) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(_)) | None => ExitCode::FAILURE,
    }
}

/// Where a system knows no such limit, the parent's patience is left.
fn limit(resource: Resource, most: u64) {
    let most = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(resource, most).ok();
}

/// Lines without the blanks at their ends, and no more than one empty line at a time.
fn without_gaps(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = true;
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && empty) {
            out.push_str(line);
            out.push('\n');
        }
        empty = line.is_empty();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_closed_up() {
        assert_eq!(without_gaps("\n\n a  \n\n\n \nb\n\n"), " a\n\nb\n\n");
        assert_eq!(without_gaps(" \n\n"), "");
    }
}
