//! `agent keys …`: providers' API keys, sealed.

use std::io::Read;
use std::process::ExitCode;

use serde_json::json;
use zeroize::Zeroizing;

use super::args::KeysAction;
use super::failure::Failure;
use super::output::{print_json, print_line, stdin_is_terminal};
use super::secret_input::ask_hidden;
use super::shell::Shell;
use crate::config::ApiKey;

/// Longer than any key.
const KEY_BYTES_MAX: u64 = 16 * 1024;

pub(super) fn run(shell: Shell, action: KeysAction) -> Result<ExitCode, Failure> {
    match action {
        KeysAction::Set { name } => {
            let mut vault = shell.open_to_write()?;
            let key = ask(&name)?;
            let key = Zeroizing::new(key.expose().to_owned());
            vault.put_provider_key(&name, key)?;
            let line = format!("Sealed the key for {name}.");
            shell.done(&line, &json!({ "name": name }))?;
        }
        KeysAction::List => {
            let keys = shell.open()?.provider_keys()?;
            let names: Vec<&str> = keys.names().collect();
            if shell.global.json {
                print_json(&names)?;
            } else if names.is_empty() {
                shell.note("No keys are sealed yet. `agent keys set NAME` seals one.");
            } else {
                names.into_iter().try_for_each(print_line)?;
            }
        }
        KeysAction::Remove { name } => {
            let mut vault = shell.open_to_write()?;
            if !vault.remove_provider_key(&name)? {
                return Err(Failure::NoSuchKey(name));
            }
            let line = format!("Removed the key for {name}.");
            shell.done(&line, &json!({ "name": name, "removed": true }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(name: &str) -> Result<ApiKey, Failure> {
    let text = if stdin_is_terminal() {
        ask_hidden(&format!("API key for {name}: "))?
    } else {
        let mut text = Zeroizing::new(String::with_capacity(1024));
        std::io::stdin()
            .lock()
            .take(KEY_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(Failure::Input)?;
        text
    };
    Ok(ApiKey::new(text)?)
}
