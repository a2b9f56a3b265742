//! Holds `docs/cli.md` to the program, from whose command line it is made.
//!
//! `UPDATE_DOCS=1 cargo test --test cli_page` writes it again.

use std::fmt::Write;
use std::fs;

use clap::{Arg, Command};

const PAGE: &str = "docs/cli.md";

const HEAD: &str = "\
# The command line

Made from the program; a test compares it. `UPDATE_DOCS=1 cargo test --test cli_page` makes it again.

stdout carries the answer and nothing else; notices and questions go to stderr and the terminal. The passphrase is taken from
`--passphrase-file`, `--passphrase-fd` or `--passphrase-command`, else from `AGENT_PASSPHRASE`, else it is asked for on the terminal; it is
never the value of an argument. Exit codes and what they mean are in [architecture.md](architecture.md#errors-and-exit-codes), models
and how they are named in [providers.md](providers.md).
";

fn shown(arg: &Arg) -> String {
    let values: Vec<String> = match arg.get_value_names() {
        Some(names) if arg.get_action().takes_values() => {
            names.iter().map(ToString::to_string).collect()
        }
        _ => Vec::new(),
    };
    let value = values.join(" ");
    if arg.is_positional() {
        let value = if value.is_empty() {
            arg.get_id().as_str().to_uppercase()
        } else {
            value
        };
        let more = arg
            .get_num_args()
            .is_some_and(|range| range.max_values() > 1);
        let text = format!("{value}{}", if more { "…" } else { "" });
        return if arg.is_required_set() {
            text
        } else {
            format!("[{text}]")
        };
    }
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let names = names.join(", ");
    if value.is_empty() {
        names
    } else if arg.is_require_equals_set() {
        format!("{names}[={value}]")
    } else {
        format!("{names} {value}")
    }
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<String> = match arg.get_action().takes_values() {
        true => arg
            .get_possible_values()
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect(),
        false => Vec::new(),
    };
    let mut notes = Vec::new();
    if !possible.is_empty() {
        notes.push(format!("one of `{}`", possible.join("`, `")));
    }
    let defaults = arg.get_default_values();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        let defaults: Vec<_> = defaults
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        notes.push(format!("default `{}`", defaults.join(" ")));
    }
    if !notes.is_empty() {
        let notes = notes.join("; ");
        text = if text.is_empty() {
            notes
        } else {
            format!("{text} ({notes})")
        };
    }
    text.replace('|', "\\|")
}

fn table<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    let rows: Vec<String> = args
        .filter(|arg| !arg.is_hide_set() && !meaning(arg).is_empty())
        .map(|arg| format!("| `{}` | {} |", shown(arg), meaning(arg)))
        .collect();
    if !rows.is_empty() {
        write!(page, "\n| | |\n|---|---|\n{}\n", rows.join("\n")).expect("a string takes all");
    }
}

fn own(command: &Command) -> impl Iterator<Item = &Arg> {
    let args = command.get_arguments();
    args.filter(|arg| !arg.is_global_set() && arg.get_id() != "help" && arg.get_id() != "version")
}

fn describe(page: &mut String, path: &str, command: &Command, level: usize) {
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let positionals: Vec<String> = own(command)
        .filter(|arg| arg.is_positional() && !arg.is_hide_set())
        .map(shown)
        .collect();
    let options = if own(command).any(|arg| !arg.is_positional()) {
        " [OPTIONS]"
    } else {
        ""
    };
    let usage = [vec![format!("{path}{options}")], positionals]
        .concat()
        .join(" ");
    let hashes = "#".repeat(level);
    write!(page, "\n{hashes} `{path}`\n\n{about}.\n").expect("a string takes all");
    let mut below = command
        .get_subcommands()
        .filter(|below| below.get_name() != "help" && !below.is_hide_set())
        .peekable();
    if below.peek().is_none() {
        write!(page, "\n`{usage}`\n").expect("a string takes all");
    }
    table(page, own(command));
    for below in below {
        describe(
            page,
            &format!("{path} {}", below.get_name()),
            below,
            level + 1,
        );
    }
}

fn page() -> String {
    let mut command = agent::cli::command();
    command.build();
    let mut page = HEAD.to_owned();
    page.push_str("\n## For every command\n");
    table(
        &mut page,
        command.get_arguments().filter(|arg| arg.is_global_set()),
    );
    page.push_str("\n`--help` explains a command, `--version` names the program's version.\n");
    let about = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    writeln!(page, "{about}").expect("a string takes all");
    for below in command.get_subcommands() {
        if below.get_name() != "help" && !below.is_hide_set() {
            describe(&mut page, &format!("agent {}", below.get_name()), below, 2);
        }
    }
    page
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a page of the repository, on demand"
)]
fn the_page_is_what_the_program_says() {
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PAGE, &page).expect("the page can be written");
    }
    let there = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        there == page,
        "{PAGE} is not what the program says; UPDATE_DOCS=1 cargo test --test cli_page writes it"
    );
}
