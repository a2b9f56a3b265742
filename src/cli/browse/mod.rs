//! `agent memory browse` and `agent history browse`: lists that are seen and changed on the whole
//! screen, and that follow what other processes do.
//!
//! `state` knows what a key does, `desk` the vault, `draw` the screen; only this file has a
//! terminal.

mod desk;
mod draw;
mod state;
#[cfg(test)]
mod tests;

use std::io::{self, Stdout};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event as Input, KeyEvent, KeyEventKind};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::failure::Failure;
use super::output::{stdin_is_terminal, stdout_is_terminal};
use super::shell::Shell;
use super::watch::POLL;
use desk::Desk;
use state::{State, Wish};

pub(super) use state::What;

/// What wakes a browser.
enum Event {
    Key(KeyEvent),
    /// The terminal has another size.
    Draw,
    /// Something in the vault's directory may have changed.
    Look,
    End,
}

pub(super) fn run(shell: &Shell, what: What) -> Result<ExitCode, Failure> {
    if !stdin_is_terminal() || !stdout_is_terminal() {
        return Err(Failure::NeedsScreen);
    }
    if shell.is_plain() {
        return Err(Failure::NeedsScreen);
    }
    let mut desk = Desk::new(shell.open_to_write()?)?;
    let mut state = State::new(what);
    desk.show(&mut state);
    let (sender, events) = mpsc::channel();
    let look = sender.clone();
    let _watching = shell.store()?.watch(Box::new(move || {
        look.send(Event::Look).ok();
    }));
    let idle = Duration::from_secs(60 * u64::from(shell.config.idle_lock_minutes));
    let mut screen = Screen::open()?;
    read_keys(sender);
    let mut used = Instant::now();
    loop {
        screen.draw(&mut state, shell.colors(true))?;
        let event = match events.recv_timeout(POLL) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => Event::Look,
            Err(RecvTimeoutError::Disconnected) => Event::End,
        };
        match event {
            Event::Key(key) => {
                used = Instant::now();
                match state.key(key) {
                    Wish::Quit => break,
                    wish => {
                        if let Err(failure) = desk.grant(wish, &mut state) {
                            state.notice = failure.to_string();
                        }
                    }
                }
            }
            Event::Draw => {}
            // A fault shows at the next change, not here.
            Event::Look => {
                if desk.refresh().is_ok() {
                    desk.show(&mut state);
                }
            }
            Event::End => break,
        }
        if !idle.is_zero() && used.elapsed() >= idle {
            drop(screen);
            shell.note("Closed after a while without a key.");
            return Ok(ExitCode::SUCCESS);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Keys are read on a thread of their own, which ends with the process.
fn read_keys(sender: Sender<Event>) {
    thread::spawn(move || {
        loop {
            let event = match event::read() {
                Ok(Input::Key(key)) if key.kind != KeyEventKind::Release => Event::Key(key),
                Ok(Input::Resize(..)) => Event::Draw,
                Ok(_) => continue,
                Err(_) => Event::End,
            };
            let ends = matches!(event, Event::End);
            if sender.send(event).is_err() || ends {
                return;
            }
        }
    });
}

/// The whole screen, given back as it was when dropped.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    fn open() -> Result<Self, Failure> {
        let opened = enable_raw_mode()
            .and_then(|()| execute!(io::stdout(), EnterAlternateScreen))
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match opened {
            Ok(terminal) => Ok(Screen { terminal }),
            Err(error) => {
                disable_raw_mode().ok();
                Err(Failure::Output(error))
            }
        }
    }

    fn draw(&mut self, state: &mut State, color: bool) -> Result<(), Failure> {
        let drawn = self.terminal.draw(|frame| draw::draw(frame, state, color));
        drawn.map(drop).map_err(Failure::Output)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        execute!(io::stdout(), LeaveAlternateScreen).ok();
        disable_raw_mode().ok();
        self.terminal.show_cursor().ok();
    }
}
