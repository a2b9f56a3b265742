//! `agent roles …`: system prompts under names, sealed like everything else.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::args::RolesAction;
use super::editor;
use super::failure::Failure;
use super::lines::piped;
use super::output::{harmless, one_line, print, print_json, print_line, stdin_is_terminal};
use super::shell::{Shell, now};
use crate::chat::{Buffer, ChatError};
use crate::keeper::Opened;
use crate::model::{Record, RoleEvent, Text};
use crate::vault::{Log, View};

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    prompt: &'a str,
}

pub(super) fn run(shell: &Shell, action: RolesAction) -> Result<ExitCode, Failure> {
    let reads = matches!(action, RolesAction::List | RolesAction::Show { .. });
    let mut vault = match reads {
        true => shell.open()?,
        false => shell.open_to_write()?,
    };
    let view = View::load(&mut vault, Buffer::default())?;
    let roles = &view.fold;
    match action {
        RolesAction::List => list(shell, roles)?,
        RolesAction::Show { name } => {
            let prompt = find(roles, &name)?;
            if shell.global.json {
                print_json(&Row {
                    name: &name,
                    prompt,
                })?;
            } else {
                print(&(harmless(prompt) + "\n"))?;
            }
        }
        RolesAction::Add { name, prompt } => {
            check(&name)?;
            let prompt = prompt_of(shell, prompt, "")?;
            put(&mut vault, &name, Some(prompt.clone()))?;
            let line = format!("Kept the role {name}; -r {name} talks under it.");
            shell.done(&line, &json!({ "name": name, "prompt": prompt }))?;
        }
        RolesAction::Edit { name } => {
            let before = find(roles, &name)?.clone();
            let prompt = prompt_of(shell, Vec::new(), &before)?;
            put(&mut vault, &name, Some(prompt.clone()))?;
            let line = format!("Changed the role {name}.");
            shell.done(&line, &json!({ "name": name, "prompt": prompt }))?;
        }
        RolesAction::Remove { name } => {
            find(roles, &name)?;
            put(&mut vault, &name, None)?;
            let line = format!("Removed the role {name}.");
            shell.done(&line, &json!({ "name": name, "removed": true }))?;
        }
    }
    match reads {
        true => shell.verdict(&mut vault),
        false => Ok(ExitCode::SUCCESS),
    }
}

fn find<'a>(roles: &'a Buffer, name: &str) -> Result<&'a Text, Failure> {
    let found = roles.role(name);
    Ok(found.ok_or_else(|| ChatError::NoSuchRole(one_line(name)))?)
}

fn check(name: &str) -> Result<(), Failure> {
    let sound = (1..=64).contains(&name.chars().count())
        && !name.starts_with('-')
        && name.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if sound {
        Ok(())
    } else {
        Err(Failure::BadRoleName)
    }
}

/// The words of a prompt: given, piped in, or written in the editor.
fn prompt_of(shell: &Shell, given: Vec<String>, before: &str) -> Result<Text, Failure> {
    let prompt = match given.is_empty() {
        false => Text::new(given.join(" ")),
        true if stdin_is_terminal() => editor::edit_text(shell, before, "role.md")?,
        true => piped()?.unwrap_or_default(),
    };
    match prompt.trim() {
        "" => Err(Failure::EmptyText),
        trimmed => Ok(Text::from(trimmed)),
    }
}

fn put(vault: &mut Opened, name: &str, prompt: Option<Text>) -> Result<(), Failure> {
    let name = Text::from(name);
    let at = now();
    vault.append(&[Record::Role(RoleEvent { at, name, prompt })])?;
    Ok(())
}

fn list(shell: &Shell, roles: &Buffer) -> Result<(), Failure> {
    if shell.global.json {
        let rows = roles.roles().map(|(name, prompt)| Row { name, prompt });
        return print_json(&rows.collect::<Vec<_>>());
    }
    let mut any = false;
    for (name, prompt) in roles.roles() {
        any = true;
        let start: String = one_line(prompt).chars().take(60).collect();
        print_line(&format!("{:<16}  {start}", one_line(name)))?;
    }
    if !any {
        shell.note("No roles yet. `agent roles add NAME` keeps a system prompt under a name.");
    }
    Ok(())
}
