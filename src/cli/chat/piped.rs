//! A chat whose lines come from a pipe or a file, one turn a line.
//!
//! The lines are read on a thread of their own, so that Ctrl-C counts between two turns as well:
//! once the program has asked for that signal, the system does not end it any more.

use std::io::{self, BufRead, Read};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use super::super::failure::Failure;
use super::super::lines::INPUT_BYTES_MAX;
use super::super::talk;
use super::Chatting;

enum Came {
    /// Without its line feed, and where in the input it began.
    Line(Vec<u8>, usize),
    End(io::Result<()>),
    /// Nothing but a reason to look whether Ctrl-C was pressed.
    Interrupt,
}

impl Chatting {
    pub(super) fn on_a_pipe(&mut self) -> Result<ExitCode, Failure> {
        let (sender, came) = mpsc::sync_channel(1);
        let interrupted = tell_of_interrupts(sender.clone())?;
        thread::spawn(move || read_lines(&sender));
        for came in came {
            // Lines that were read ahead are not said any more.
            if interrupted.load(Ordering::Relaxed) {
                return Ok(ExitCode::from(130));
            }
            let (bytes, begins) = match came {
                Came::Line(bytes, begins) => (bytes, begins),
                Came::End(outcome) => {
                    outcome.map_err(Failure::Input)?;
                    break;
                }
                Came::Interrupt => continue,
            };
            if bytes.len() > INPUT_BYTES_MAX {
                return Err(Failure::InputTooLong {
                    max: INPUT_BYTES_MAX,
                });
            }
            let line = String::from_utf8(bytes).map_err(|e| Failure::InputEncoding {
                at: begins + e.utf8_error().valid_up_to(),
            })?;
            if !self.line(line.trim_end_matches('\r'))? {
                break;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn read_lines(sender: &SyncSender<Came>) {
    let mut input = io::stdin().lock();
    let mut begins = 0;
    loop {
        let mut line = Vec::new();
        let mut bounded = input.by_ref().take(INPUT_BYTES_MAX as u64 + 2);
        let came = match bounded.read_until(b'\n', &mut line) {
            Ok(0) => Came::End(Ok(())),
            Ok(length) => {
                line.pop_if(|last| *last == b'\n');
                let came = Came::Line(line, begins);
                begins += length;
                came
            }
            Err(error) => Came::End(Err(error)),
        };
        let ends = matches!(came, Came::End(_));
        if sender.send(came).is_err() || ends {
            return;
        }
    }
}

fn tell_of_interrupts(sender: SyncSender<Came>) -> Result<Arc<AtomicBool>, Failure> {
    let runtime = talk::runtime()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    thread::spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            flag.store(true, Ordering::Relaxed);
            sender.send(Came::Interrupt).ok();
        }
    });
    Ok(interrupted)
}
