//! `agent profile …`: vaults beside each other, each with a passphrase of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::args::ProfileAction;
use super::failure::Failure;
use super::init;
use super::output::{print_json, print_line};
use super::secret_input::{ask_line, has_terminal};
use super::shell::Shell;
use crate::config::Profile;
use crate::store::{FileStore, Purpose, Store};
use crate::vault::{Finding, structure};

/// The file without which nothing is a vault.
const HEADER: &str = "vault.header";

#[derive(Serialize)]
struct Row {
    name: String,
    path: String,
    current: bool,
}

pub(super) fn run(shell: Shell, action: ProfileAction) -> Result<ExitCode, Failure> {
    match action {
        ProfileAction::List => list(&shell),
        ProfileAction::Create { name, init } => {
            let mut shell = shell;
            shell.paths.state_dir = place(&shell, &name)?;
            init::run(shell, &init)
        }
        ProfileAction::Remove { name, yes } => remove(&shell, &name, yes),
    }
}

/// Where the vault of a profile lies.
fn place(shell: &Shell, name: &str) -> Result<PathBuf, Failure> {
    let profile: Profile = name.parse()?;
    Ok(shell.paths.profiles_dir.join(profile.to_string()))
}

/// The profiles there are, by name.
fn rows(shell: &Shell) -> Vec<Row> {
    let entries = fs::read_dir(&shell.paths.profiles_dir);
    let entries = entries.into_iter().flatten().flatten();
    let mut rows: Vec<Row> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.parse::<Profile>().ok()?;
            let path = entry.path();
            path.join(HEADER).is_file().then(|| Row {
                current: path == shell.paths.state_dir,
                path: path.display().to_string(),
                name,
            })
        })
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

/// Their names.
pub(super) fn names(shell: &Shell) -> impl Iterator<Item = String> {
    rows(shell).into_iter().map(|row| row.name)
}

fn list(shell: &Shell) -> Result<ExitCode, Failure> {
    let rows = rows(shell);
    if shell.global.json {
        print_json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        shell.note("No profiles yet. `agent init` makes the first vault.");
    }
    for row in rows {
        let mark = if row.current { "*" } else { " " };
        print_line(&format!("{mark} {:<16} {}", row.name, row.path))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes a vault with everything in it, after its name was typed.
fn remove(shell: &Shell, name: &str, yes: bool) -> Result<ExitCode, Failure> {
    let dir = place(shell, name)?;
    let store = FileStore::open(&dir, &shell.paths.witness_dir)?;
    let found = structure(&store)?;
    let strange = |finding: &Finding| matches!(finding, Finding::Stranger(_));
    if found.findings.iter().any(strange) {
        return Err(Failure::NotOnlyAVault(dir));
    }
    if !yes {
        if !has_terminal() {
            return Err(Failure::NotSure);
        }
        shell.note(&format!(
            "Everything in {} will be gone: its conversations, its memory, its keys. No \
             passphrase brings it back.",
            dir.display()
        ));
        if ask_line(&format!("Type {name} to remove it: "))?.as_str() != name {
            return Err(Failure::NotSure);
        }
    }
    // Nobody writes while it goes.
    let held = store.exclusive(Purpose::Purge, shell.wait())?;
    wipe(&dir).map_err(|source| Failure::ExportFile { path: dir, source })?;
    drop(held);
    let line = format!(
        "Removed the profile {name}. Backups, and old blocks of the disk, are out of reach."
    );
    shell.done(&line, &json!({ "name": name, "removed": true }))?;
    Ok(ExitCode::SUCCESS)
}

/// The header first: without it, what is left opens with no passphrase.
fn wipe(dir: &Path) -> std::io::Result<()> {
    fs::remove_file(dir.join(HEADER))?;
    fs::remove_dir_all(dir)
}
