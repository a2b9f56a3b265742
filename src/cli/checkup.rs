//! What `agent doctor` finds out about the model: a wrong key, a server that is not there, a model
//! that nobody serves. Nothing of the vault is sent.

use super::failure::Failure;
use super::settings::sealed_keys;
use super::shell::Shell;
use super::talk;
use crate::chat::ChatError;
use crate::config::distance;
use crate::provider::{Chosen, DEFAULT_MODEL, ModelInfo, ProviderError};

/// What is wrong with the model that would answer, and what to do; nothing if it would.
pub(super) fn model(shell: &Shell) -> Result<Vec<(String, String)>, Failure> {
    let keys = sealed_keys(shell)?;
    let chosen = match talk::choose(shell, None, &keys) {
        Ok(chosen) => chosen,
        Err(Failure::Chat(ChatError::Provider(error))) => return Ok(vec![of(&error)]),
        Err(other) => return Err(other),
    };
    if chosen.provider.host().is_none() {
        return Ok(Vec::new());
    }
    let listed = talk::runtime()?.block_on(chosen.provider.models());
    Ok(match listed {
        Ok(models) => unknown(&chosen, &models).into_iter().collect(),
        Err(error) => vec![of(&error)],
    })
}

fn of(error: &ProviderError) -> (String, String) {
    let advice = match error {
        ProviderError::Auth { .. } => {
            "agent keys set NAME seals another key; a variable that is set counts before it"
        }
        ProviderError::NoKey { .. } => {
            "set the provider's variable, or seal a key with agent keys set NAME; a sealed one is \
             seen where the passphrase is given (--passphrase-file and others)"
        }
        ProviderError::Connect { .. } | ProviderError::Timeout { .. } => {
            "start the server, or see its address: agent config list"
        }
        ProviderError::UnknownProvider { .. } => "agent config set model names another",
        _ => "agent models asks it again",
    };
    (error.to_string(), advice.to_owned())
}

/// Whether the server lists the model; one that lists nothing is believed.
fn unknown(chosen: &Chosen, models: &[ModelInfo]) -> Option<(String, String)> {
    let wanted = chosen.model.as_str();
    // Ollama takes a name without its tag for the latest.
    let is =
        |model: &ModelInfo| model.id == wanted || model.id.strip_suffix(":latest") == Some(wanted);
    if wanted == DEFAULT_MODEL || models.is_empty() || models.iter().any(is) {
        return None;
    }
    let name = chosen.provider.name();
    let short = |id: &str| id.chars().take(128).collect::<String>();
    let near = models
        .iter()
        .min_by_key(|model| distance(&short(&model.id), &short(wanted)));
    let near = near.map_or_else(String::new, |model| {
        format!("; the nearest is {name}/{}", model.id)
    });
    Some((
        format!("{name} does not list the model {wanted}"),
        format!("agent models {name} shows what there is{near}"),
    ))
}
