//! What a shell completes: words of the command line, and live values.
//!
//! A shell's script calls the program again with what was typed. What lies in the vault comes from
//! the keeper that holds it unlocked, and from nobody else: where none does, nothing is asked for,
//! nothing is said, and only the command line's own words are offered.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;

use super::args::{Cli, Global};
use super::failure::Failure;
use super::output::{one_line, print};
use super::profile;
use super::shell::Shell;
use super::talk;
use crate::chat::{Buffer, Conversations};
use crate::config::KEYS;
use crate::keeper::Client;
use crate::memory::{Filter, Memory};
use crate::store::{FileStore, Wait};
use crate::vault::{LockedVault, View};

/// Set by the scripts: which shell asks.
const VARIABLE: &str = "AGENT_COMPLETE";
/// Whoever pressed Tab waits; a keeper that is busy for longer is left alone.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of what a value stands for, so much is shown.
const MEANING_CHARS_MAX: usize = 60;
/// Values that are offered at a time.
const OFFERED_MAX: usize = 200;

/// A value with what it stands for.
type Offer = (String, String);

/// Answers a shell, if it was one that called.
pub(super) fn answered() -> Option<ExitCode> {
    let here = std::env::current_dir().ok();
    let nothing_typed = std::env::args_os()
        .next_back()
        .is_some_and(|word| word.is_empty());
    let asked = CompleteEnv::with_factory(|| live(Cli::command(), "", nothing_typed))
        .var(VARIABLE)
        .try_complete(std::env::args_os(), here.as_deref());
    match asked {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        // Words on the terminal would stand in the middle of what is being typed.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// `agent completions SHELL`: the script that makes a shell ask.
pub(super) fn script(kind: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let shells = Shells::builtins();
    let shell = shells.completer(&kind.to_string());
    let shell = shell.expect("a script can be written for every shell that has a name");
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "agent", "agent", "agent", &mut script)
        .map_err(Failure::Output)?;
    print(&mended(kind, &String::from_utf8_lossy(&script)))?;
    Ok(ExitCode::SUCCESS)
}

/// The script, so that a name with a blank in it is understood and given as the shell writes it.
fn mended(kind: clap_complete::Shell, script: &str) -> String {
    use clap_complete::Shell;
    match kind {
        Shell::Bash => format!("{script}{}", include_str!("complete.bash")),
        Shell::Zsh => {
            let script = script.replace("\"${words[@]}\"", "\"${(@Q)words}\"");
            format!("{script}{}", include_str!("complete.zsh"))
        }
        Shell::Fish => script.replace(
            "(commandline --current-token)",
            "(commandline --current-token | string unescape; or commandline --current-token)",
        ),
        _ => script.to_owned(),
    }
}

/// The command line with the values that its arguments may have just now.
fn live(command: Command, path: &str, names_only: bool) -> Command {
    let command = command
        .disable_help_flag(names_only)
        .disable_version_flag(names_only);
    let command = command.mut_args(|arg| {
        // Before anything of a word is there, values come first; options where there are none.
        let hidden = names_only && !arg.is_positional();
        let arg = match hidden {
            true => arg.hide(true),
            false => arg,
        };
        match offers(path, &arg) {
            Some(offers) => arg.add(ArgValueCandidates::new(move || candidates(offers))),
            None => arg,
        }
    });
    command.mut_subcommands(|below| {
        let path = format!("{path} {}", below.get_name());
        live(below, path.trim_start(), names_only)
    })
}

type Offers = fn(&Shell) -> Vec<Offer>;

/// What completes an argument of a command.
fn offers(path: &str, arg: &Arg) -> Option<Offers> {
    // One of a few words is completed by itself.
    if !arg.get_possible_values().is_empty() {
        return None;
    }
    let offers: Offers = match (path, arg.get_id().as_str()) {
        (_, "profile") | ("profile remove", "name") => profiles,
        (_, "cid" | "cids" | "conversation") => conversations,
        (_, "model") => talk::model_names,
        ("chat" | "ask", "session") => names,
        ("chat" | "ask", "role") | ("roles show" | "roles edit" | "roles remove", "name") => roles,
        ("purge", "memory") => items,
        (path, "id" | "ids") if path.starts_with("memory ") => items,
        ("models", "provider") | ("keys set" | "keys remove", "name") => providers,
        ("config get" | "config set" | "config unset", "key") => settings,
        _ => return None,
    };
    Some(offers)
}

/// What is offered, as far as it comes in time.
fn candidates(offers: Offers) -> Vec<CompletionCandidate> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let found = Shell::new(asked_for()).map(|shell| offers(&shell));
        sender.send(found.unwrap_or_default()).ok();
    });
    let found = receiver.recv_timeout(PATIENCE).unwrap_or_default();
    found
        .into_iter()
        .filter(|(value, _)| needs_no_quotes(value))
        .take(OFFERED_MAX)
        .map(|(value, meaning)| {
            let meaning: String = one_line(&meaning).chars().take(MEANING_CHARS_MAX).collect();
            let help = (!meaning.is_empty()).then(|| meaning.into());
            CompletionCandidate::new(value).help(help)
        })
        .collect()
}

/// Whether a value stands for itself on any shell's command line: what others wrote must not act
/// there.
fn needs_no_quotes(value: &str) -> bool {
    (1..=128).contains(&value.len())
        && !value.starts_with('-')
        && value
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.,:@%+/".contains(c))
}

/// The options that say which vault is meant, as they stand on the line that is being typed.
fn asked_for() -> Global {
    let words: Vec<String> = std::env::args_os()
        .skip_while(|word| word != "--")
        .filter_map(|word| word.into_string().ok())
        .collect();
    let value = |option: &str| {
        let found = words.iter().enumerate().find_map(|(at, word)| {
            let rest = word.strip_prefix(option)?;
            match rest.strip_prefix('=') {
                Some(value) => Some(value.to_owned()),
                None if rest.is_empty() => words.get(at + 1).cloned(),
                None => None,
            }
        });
        // It may be what is being typed.
        found.filter(|value| !value.is_empty())
    };
    Global {
        state_dir: value("--state-dir").map(Into::into),
        profile: value("--profile"),
        quiet: true,
        ..Global::default()
    }
}

/// The keeper that holds the vault unlocked, if there is one.
fn keeper(shell: &Shell) -> Option<Client> {
    let wait = || Wait {
        limit: PATIENCE,
        on_rewrite: |_| {},
    };
    let store = FileStore::open(&shell.paths.state_dir, &shell.paths.witness_dir).ok()?;
    let locked = LockedVault::open(Arc::new(store), wait()).ok()?;
    let vault = locked.header().vault;
    Client::open(&shell.keeper_place(vault), vault, wait()).ok()?
}

fn conversations(shell: &Shell) -> Vec<Offer> {
    all_conversations(shell, |all| {
        let newest = all.newest_first().into_iter();
        newest
            .map(|(id, found)| (all.short_id(id), found.title().to_owned()))
            .collect()
    })
}

/// Conversations that were given a name.
fn names(shell: &Shell) -> Vec<Offer> {
    all_conversations(shell, |all| {
        let newest = all.newest_first().into_iter();
        newest
            .filter_map(|(_, found)| Some((found.name.as_ref()?.to_string(), String::new())))
            .collect()
    })
}

fn all_conversations(shell: &Shell, offers: fn(&Conversations) -> Vec<Offer>) -> Vec<Offer> {
    let view = keeper(shell).and_then(|mut vault| {
        let all = Conversations::default();
        View::load(&mut vault, all).ok()
    });
    view.map_or_else(Vec::new, |view| offers(&view.fold))
}

fn roles(shell: &Shell) -> Vec<Offer> {
    let view = keeper(shell).and_then(|mut vault| View::load(&mut vault, Buffer::default()).ok());
    let Some(view) = view else { return Vec::new() };
    let roles = view.fold.roles();
    roles
        .map(|(name, prompt)| (name.to_string(), prompt.to_string()))
        .collect()
}

fn items(shell: &Shell) -> Vec<Offer> {
    let view = keeper(shell).and_then(|mut vault| View::load(&mut vault, Memory::new()).ok());
    let Some(view) = view else { return Vec::new() };
    let filter = Filter {
        every: true,
        ..Filter::default()
    };
    let items = view.fold.items(filter);
    items
        .map(|stored| {
            (
                view.fold.short_id(stored.item.id),
                stored.item.text.to_string(),
            )
        })
        .collect()
}

fn profiles(shell: &Shell) -> Vec<Offer> {
    talk::bare(profile::names(shell))
}

fn providers(shell: &Shell) -> Vec<Offer> {
    let usual = ["anthropic", "openai", "ollama"].map(str::to_owned);
    talk::bare(
        usual
            .into_iter()
            .chain(shell.config.providers.keys().cloned()),
    )
}

fn settings(_: &Shell) -> Vec<Offer> {
    KEYS.iter()
        .map(|key| (key.name.to_owned(), key.about.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_a_command_line_is_not_offered() {
        for sound in ["work", "2026-11", "openai/gpt-5", "Zürich", "a:b@c%d+e,f"] {
            assert!(needs_no_quotes(sound), "{sound}");
        }
        for unsound in [
            "",
            "-x",
            "two words",
            "$(id)",
            "a;b",
            "a\nb",
            "*",
            "~x",
            "`id`",
            "a'b",
        ] {
            assert!(!needs_no_quotes(unsound), "{unsound}");
        }
    }

    #[test]
    fn every_argument_that_names_something_is_completed() {
        let command = Cli::command();
        let has = |path: &[&str], id: &str| {
            let below = path.iter().fold(&command, |command, name| {
                command.find_subcommand(name).expect("a command")
            });
            let arg = below.get_arguments().find(|arg| arg.get_id() == id);
            offers(&path.join(" "), arg.expect("an argument")).is_some()
        };
        for (path, id) in [
            (&[][..], "profile"),
            (&["ask"], "model"),
            (&["ask"], "session"),
            (&["chat"], "role"),
            (&["chat"], "cid"),
            (&["memory", "forget"], "ids"),
            (&["memory", "edit"], "id"),
            (&["memory", "extract"], "cid"),
            (&["memory", "extract"], "model"),
            (&["history", "show"], "cid"),
            (&["history", "delete"], "cids"),
            (&["purge"], "memory"),
            (&["purge"], "conversation"),
            (&["roles", "edit"], "name"),
            (&["profile", "remove"], "name"),
            (&["config", "set"], "key"),
            (&["keys", "remove"], "name"),
            (&["models"], "provider"),
        ] {
            assert!(has(path, id), "{path:?} {id}");
        }
        assert!(!has(&["search"], "role") && !has(&["roles", "add"], "name"));
    }
}
