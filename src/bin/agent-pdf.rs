//! `agent-pdf`: the text of the PDF on standard input, on standard output.
//!
//! A PDF is a program in disguise, and what reads it is other people's code. So that code is not
//! linked into `agent`: it is started beside it, with no environment, and gives up most of its
//! means before it looks at the first byte. The exit code tells success, and no word is said.

use std::io::{Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

const MEMORY_BYTES_MAX: u64 = 1 << 30;
const CPU_SECONDS_MAX: u64 = 20;

fn main() -> ExitCode {
    limit(Resource::As, MEMORY_BYTES_MAX);
    limit(Resource::Cpu, CPU_SECONDS_MAX);
    limit(Resource::Core, 0);
    limit(Resource::Fsize, 0);
    match text() {
        Some(text) if std::io::stdout().write_all(text.as_bytes()).is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn text() -> Option<String> {
    let mut pdf = Vec::new();
    std::io::stdin().lock().read_to_end(&mut pdf).ok()?;
    let text = pdf_extract::extract_text_from_mem(&pdf).ok()?;
    Some(without_gaps(&text))
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
