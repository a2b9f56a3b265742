//! The shell for people: arguments, terminal, exit codes, and where a passphrase comes from.
//!
//! Knows no rule of memory, chat or vault; it asks them. stdout carries the answer and nothing
//! else; everything said about it goes to stderr.

mod args;
mod ask;
mod chat;
mod consent;
mod failure;
mod guard;
mod history;
mod init;
mod keeper;
mod keys;
mod lines;
mod memory;
mod output;
mod passphrase;
mod secret_input;
mod settings;
mod shell;
mod status;
mod talk;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command};
use failure::Failure;
use shell::Shell;

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    guard::harden();
    let matches = match Cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    let outcome = Shell::new(cli.global).and_then(|shell| dispatch(shell, cli.command));
    match outcome {
        Ok(code) => code,
        Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(json);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Help and version go to stdout with success; anything else is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    error.print().ok();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn dispatch(shell: Shell, command: Option<Command>) -> Result<ExitCode, Failure> {
    match command {
        None => chat::run(shell, args::ChatArgs::default()),
        Some(Command::Chat(args)) => chat::run(shell, args),
        Some(Command::Ask(args)) => ask::run(shell, args),
        Some(Command::Init(args)) => init::run(shell, &args),
        Some(Command::Memory { action }) => memory::run(shell, action),
        Some(Command::History { action }) => history::run(shell, action),
        Some(Command::Watch(args)) => watch::run(shell, &args),
        Some(Command::Unlock(args)) => keeper::unlock(&shell, &args),
        Some(Command::Lock) => keeper::lock(&shell),
        Some(Command::KeeperServe(args)) => keeper::serve(&shell, &args),
        Some(Command::Status) => status::status(&shell),
        Some(Command::Verify(args)) => status::verify(shell, &args),
        Some(Command::Models(args)) => settings::models(&shell, &args),
        Some(Command::Config { action }) => settings::config(&shell, action),
        Some(Command::Keys { action }) => keys::run(shell, action),
        Some(Command::Completions { shell: kind }) => settings::completions(kind),
    }
}
