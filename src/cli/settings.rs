//! `agent config`, `agent models`, `agent man`: no vault is opened where none is needed.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use serde::Serialize;
use serde_json::json;

use super::args::{Cli, ConfigAction, ModelsArgs};
use super::editor;
use super::failure::Failure;
use super::output::{complain, one_line, print, print_json, print_line};
use super::shell::Shell;
use super::talk;
use crate::config::{self, KEYS};
use crate::provider::{ModelInfo, ProviderError};
use crate::store::FileStore;
use crate::vault::{LockedVault, ProviderKeys};

#[derive(Serialize)]
struct Setting {
    key: String,
    value: Option<String>,
    about: String,
}

pub(super) fn config(shell: &Shell, action: ConfigAction) -> Result<ExitCode, Failure> {
    let path = &shell.paths.config_file;
    match action {
        ConfigAction::Path if shell.global.json => print_json(&json!({ "path": path }))?,
        ConfigAction::Path => print(&format!("{}\n", path.display()))?,
        ConfigAction::List => list(shell)?,
        ConfigAction::Get { key } => {
            let value = shell.config.value(&key)?;
            if shell.global.json {
                print_json(&value)?;
            } else {
                value
                    .iter()
                    .try_for_each(|value| print(&format!("{value}\n")))?;
            }
        }
        ConfigAction::Set { key, value } => {
            config::set(path, &key, &value)?;
            let line = format!("{key} = {value}");
            shell.done(&line, &json!({ "key": key, "value": value }))?;
        }
        ConfigAction::Unset { key } => {
            config::unset(path, &key)?;
            let value = config::load(path)?.value(&key)?;
            let line = format!("{key} is what it is by default again");
            shell.done(&line, &json!({ "key": key, "value": value }))?;
        }
        ConfigAction::Edit => edit(shell)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(shell: &Shell) -> Result<(), Failure> {
    let settings = KEYS.iter().map(|key| {
        let value = shell.config.value(key.name).unwrap_or_default();
        Setting {
            key: key.name.to_owned(),
            value,
            about: key.about.to_owned(),
        }
    });
    if shell.global.json {
        return print_json(&settings.collect::<Vec<_>>());
    }
    for setting in settings {
        let value = setting.value.unwrap_or_else(|| "-".to_owned());
        print_line(&format!(
            "{:<36} {value:<12} {}",
            setting.key, setting.about
        ))?;
    }
    Ok(())
}

fn edit(shell: &Shell) -> Result<(), Failure> {
    editor::open(shell, &shell.paths.config_file, None)?;
    config::load(&shell.paths.config_file)?;
    Ok(())
}

#[derive(Serialize)]
struct ModelRow {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_tokens: Option<u64>,
}

pub(super) fn models(shell: &Shell, args: &ModelsArgs) -> Result<ExitCode, Failure> {
    let keys = sealed_keys(shell)?;
    let mut names: Vec<String> = match &args.provider {
        Some(name) => vec![name.clone()],
        None => {
            let usual = ["anthropic", "openai", "ollama"].map(str::to_owned);
            usual
                .into_iter()
                .chain(shell.config.providers.keys().cloned())
                .collect()
        }
    };
    names.sort();
    names.dedup();
    let runtime = talk::runtime()?;
    let mut rows = Vec::new();
    let mut failed = None;
    for name in names {
        let listed = talk::choose(shell, Some(&name), &keys)
            .and_then(|chosen| Ok(runtime.block_on(chosen.provider.models())?));
        match listed {
            Ok(models) => rows.extend(models.into_iter().map(|model| row(&name, model))),
            Err(failure) if args.provider.is_some() => return Err(failure),
            // Not set up: nothing to say about it, unless the person asked.
            Err(failure) => {
                if shell.global.verbose || !is_unconfigured(&failure) {
                    complain(&format!("{name}: {failure}"));
                }
                failed = Some(failure);
            }
        }
    }
    if args.provider.is_none() {
        rows.push(ModelRow {
            model: "offline".into(),
            name: Some("no model: memory and history only".into()),
            context_tokens: None,
        });
    }
    drop(failed);
    if shell.global.json {
        print_json(&rows)?;
    } else {
        for row in rows {
            let name = row
                .name
                .map_or_else(String::new, |name| format!("  {}", one_line(&name)));
            print_line(&format!("{}{name}", one_line(&row.model)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(provider: &str, model: ModelInfo) -> ModelRow {
    ModelRow {
        model: if provider == model.id {
            model.id
        } else {
            format!("{provider}/{}", model.id)
        },
        name: model.name,
        context_tokens: model.context_tokens,
    }
}

fn is_unconfigured(failure: &Failure) -> bool {
    use crate::chat::ChatError::Provider;
    matches!(
        failure,
        Failure::Chat(Provider(
            ProviderError::NoKey { .. }
                | ProviderError::NoBaseUrl { .. }
                | ProviderError::Connect { .. }
        ))
    )
}

/// Keys that are sealed, if the vault can be opened without asking.
pub(super) fn sealed_keys(shell: &Shell) -> Result<ProviderKeys, Failure> {
    let Some(passphrase) = super::passphrase::given(&shell.global, &shell.environment)? else {
        return Ok(ProviderKeys::default());
    };
    let Ok(store) = FileStore::open(&shell.paths.state_dir, &shell.paths.witness_dir) else {
        return Ok(ProviderKeys::default());
    };
    let vault = LockedVault::open(std::sync::Arc::new(store), shell.wait())?.unlock(&passphrase)?;
    Ok(vault.provider_keys()?)
}

/// The manual page of the whole, or a page for each command in a directory.
pub(super) fn man(shell: &Shell, dir: Option<&Path>) -> Result<ExitCode, Failure> {
    let mut command = Cli::command();
    command.build();
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(Failure::Output)?;
        print(&String::from_utf8_lossy(&page))?;
        return Ok(ExitCode::SUCCESS);
    };
    let written = clap_mangen::generate_to(command, dir);
    written.map_err(|source| Failure::ExportFile {
        path: dir.to_owned(),
        source,
    })?;
    shell.note(&format!("written to {}", dir.display()));
    Ok(ExitCode::SUCCESS)
}
