//! The first minutes: a vault, a passphrase, somebody to talk to.

use zeroize::Zeroizing;

use super::args::InitArgs;
use super::failure::Failure;
use super::init;
use super::output::complain;
use super::secret_input::{ask_hidden, ask_key};
use super::shell::Shell;
use super::talk;
use crate::config::{self, ApiKey};
use crate::keeper::Opened;
use crate::provider::Why;
use crate::vault::ProviderKeys;

/// Offers a vault where there is none. `missing` is the failure that stands if it is declined.
pub(super) fn offer_vault(shell: &mut Shell, missing: Failure) -> Result<Opened, Failure> {
    complain(&format!(
        "There is no vault in {} yet.",
        shell.paths.state_dir.display()
    ));
    if ask_key("Make one now? [Y/n] ", "yn", 'y')? == 'n' {
        return Err(missing);
    }
    let (vault, _) = init::make(shell, &InitArgs::default())?;
    complain(
        "Done. From now on, everything said here is sealed with your passphrase. A second way in, \
         on paper: agent slots add-recovery.",
    );
    let mut opened = Opened::Vault(Box::new(vault));
    let nobody = talk::choose(shell, None, &ProviderKeys::default())?;
    if nobody.why == Why::NothingConfigured {
        offer_model(shell, &mut opened)?;
    }
    Ok(opened)
}

/// Asks who shall answer, where nothing says so. Enter leaves it at nobody.
fn offer_model(shell: &mut Shell, vault: &mut Opened) -> Result<(), Failure> {
    complain(
        "Who shall answer? Without a model, agent looks things up in what you told it, and nothing \
         leaves this machine.",
    );
    let prompt = "[a] Claude  [o] OpenAI  [l] Ollama on this machine  [n] no model for now: ";
    let name = match ask_key(prompt, "aoln", 'n')? {
        'a' => "anthropic",
        'o' => "openai",
        'l' => {
            config::set(&shell.paths.config_file, "model", "ollama")?;
            shell.config.model = Some("ollama".to_owned());
            return Ok(());
        }
        _ => {
            complain("agent keys set anthropic (or openai) seals a key later.");
            return Ok(());
        }
    };
    loop {
        let typed = ask_hidden(&format!(
            "API key for {name}, sealed in the vault (Enter: later): "
        ))?;
        if typed.is_empty() {
            complain(&format!("agent keys set {name} seals one later."));
            return Ok(());
        }
        match ApiKey::new(typed) {
            Ok(key) => {
                let key = Zeroizing::new(key.expose().to_owned());
                vault.put_provider_key(name, key)?;
                complain(&format!("Sealed the key for {name}."));
                return Ok(());
            }
            Err(error) => complain(&format!("{error}.")),
        }
    }
}
