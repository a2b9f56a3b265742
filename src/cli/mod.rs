//! The shell for people: arguments, terminal, exit codes, and where a passphrase comes from.
//!
//! Knows no rule of memory, chat or vault; it asks them. stdout carries the answer and nothing
//! else; everything said about it goes to stderr.

mod age_file;
mod args;
mod ask;
mod attach;
mod browse;
mod budget;
mod chart;
mod chat;
mod checkup;
mod compaction;
mod complete;
mod consent;
mod dry_run;
mod editor;
mod failure;
mod first;
mod guard;
mod history;
mod house_args;
mod indexing;
mod init;
mod keeper;
mod keys;
mod lines;
mod markdown;
mod meaning;
mod memory;
mod memory_args;
mod mend;
mod output;
mod passphrase;
mod pdf;
mod plain_file;
mod profile;
mod project;
mod rekey;
mod reply;
mod roles;
mod search;
mod secret_input;
mod settings;
mod shell;
mod stats;
mod stats_page;
mod status;
mod talk;
mod talk_args;
mod transfer;
mod watch;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command, ConfigAction};
use failure::Failure;
use shell::Shell;

/// The command line as clap knows it: for `docs/cli.md`, which a test compares with it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    guard::harden();
    if asks_for_version(std::env::args_os().skip(1)) {
        output::print_line(VERSION).ok();
        return ExitCode::SUCCESS;
    }
    if let Some(code) = complete::answered() {
        return code;
    }
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(error),
    };
    let mut cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage(error),
    };
    if let Some(Command::Ask(ask)) = &cli.command {
        cli.global.json |= ask.stream_json;
    }
    let json = cli.global.json;
    let shell = match &cli.command {
        Some(Command::Config {
            action: ConfigAction::Path | ConfigAction::Edit,
        }) => Shell::whatever_the_settings(cli.global),
        _ => Shell::new(cli.global),
    };
    let outcome = shell.and_then(|shell| dispatch(shell, cli.command));
    match outcome {
        Ok(code) => code,
        Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(json);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// What `--version` prints.
const VERSION: &str = concat!("agent ", env!("CARGO_PKG_VERSION"));

/// Whether nothing but the version is wanted: it is told without building the whole command line,
/// which takes as long as all else that starting costs.
fn asks_for_version(mut arguments: impl Iterator<Item = OsString>) -> bool {
    let first = arguments.next();
    first.is_some_and(|word| word == "--version" || word == "-V") && arguments.next().is_none()
}

/// Help and version go to stdout with success; anything else is a usage error.
fn usage(error: clap::Error) -> ExitCode {
    // What was typed could not be parsed, so it is only looked at.
    let json = std::env::args_os().any(|arg| arg == "--json");
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    if json && error.use_stderr() {
        Failure::Usage(error).report(true);
    } else {
        error.print().ok();
    }
    code
}

fn dispatch(shell: Shell, command: Option<Command>) -> Result<ExitCode, Failure> {
    match command {
        None => chat::run(shell, args::ChatArgs::default()),
        Some(Command::Chat(args)) => chat::run(shell, args),
        Some(Command::Ask(args)) => ask::run(shell, args),
        Some(Command::Init(args)) => init::run(shell, &args),
        Some(Command::Memory { action }) => memory::run(shell, action),
        Some(Command::History { action }) => history::run(shell, action),
        Some(Command::Search(args)) => search::run(&shell, &args),
        Some(Command::Index(args)) => meaning::index(&shell, &args),
        Some(Command::RecallBench) => search::recall_bench(&shell),
        Some(Command::Watch(args)) => watch::run(shell, &args),
        Some(Command::Unlock(args)) => keeper::unlock(&shell, &args),
        Some(Command::Lock) => keeper::lock(&shell),
        Some(Command::KeeperServe(args)) => keeper::serve(&shell, &args),
        Some(Command::Status) => status::status(&shell),
        Some(Command::Verify(args)) => status::verify(shell, &args),
        Some(Command::Repair) => mend::repair(&shell),
        Some(Command::Doctor) => mend::doctor(&shell),
        Some(Command::Rekey(args)) => rekey::rekey(&shell, &args),
        Some(Command::Passwd { secret, kdf }) => rekey::passwd(&shell, &secret, &kdf),
        Some(Command::Slots { action }) => rekey::slots(&shell, action),
        Some(Command::Backup { dir }) => mend::backup(&shell, &dir),
        Some(Command::Purge(args)) => mend::purge(&shell, &args),
        Some(Command::Export(args)) => transfer::run_export(&shell, &args),
        Some(Command::Import(args)) => transfer::run_import(&shell, &args),
        Some(Command::Models(args)) => settings::models(&shell, &args),
        Some(Command::Config { action }) => settings::config(&shell, action),
        Some(Command::Keys { action }) => keys::run(shell, action),
        Some(Command::Stats(args)) => stats::run(&shell, &args),
        Some(Command::Roles { action }) => roles::run(&shell, action),
        Some(Command::Profile { action }) => profile::run(shell, action),
        Some(Command::Man { dir }) => settings::man(&shell, dir.as_deref()),
        Some(Command::Completions { shell: kind }) => complete::script(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_clap_would_say() {
        assert_eq!(command().render_version().trim_end(), VERSION);
        let asks = |words: &[&str]| asks_for_version(words.iter().map(OsString::from));
        assert!(asks(&["--version"]) && asks(&["-V"]));
        assert!(!asks(&[]) && !asks(&["--version", "chat"]) && !asks(&["chat", "--version"]));
    }

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }
}
