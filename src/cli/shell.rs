//! What every command starts from: options, environment, settings, and the way to the vault.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::args::Global;
use super::failure::Failure;
use super::output::{complain, stderr_is_terminal};
use super::passphrase;
use super::secret_input::ask_hidden;
use crate::config::{self, ApiKey, Config, Environment, Paths};
use crate::model::Timestamp;
use crate::seal::{RecoveryCode, keys_are_locked};
use crate::store::{FileStore, Holder, Store, Wait};
use crate::vault::{LockedVault, ProviderKeys, Secret, Vault, VaultError};

pub(super) struct Shell {
    pub global: Global,
    pub environment: Environment,
    pub paths: Paths,
    pub config: Config,
}

/// The one place where the time is taken.
#[expect(
    clippy::disallowed_methods,
    reason = "the shell takes the time and passes it down"
)]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

impl Shell {
    pub(super) fn new(global: Global) -> Result<Self, Failure> {
        let environment = Environment::read()?;
        let paths = Paths::new(
            &environment,
            global.state_dir.as_deref(),
            global.profile.as_deref(),
        )?;
        let config = config::load(&paths.config_file)?;
        Ok(Shell {
            global,
            environment,
            paths,
            config,
        })
    }

    /// One line for the person, unless they asked for quiet.
    pub(super) fn note(&self, text: &str) {
        if !self.global.quiet {
            complain(text);
        }
    }

    /// Whether long work shows how far it is.
    pub(super) fn shows_progress(&self) -> bool {
        stderr_is_terminal() && !self.global.quiet && !self.global.json
    }

    pub(super) fn wait(&self) -> Wait {
        let seconds = self
            .global
            .lock_wait
            .unwrap_or(u64::from(self.config.lock_wait_seconds));
        Wait {
            limit: std::time::Duration::from_secs(seconds),
            on_rewrite: say_rewriting,
        }
    }

    pub(super) fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        let store = FileStore::open(&self.paths.state_dir, &self.paths.witness_dir)?;
        self.say_tightened(&store);
        Ok(Arc::new(store))
    }

    pub(super) fn say_tightened(&self, store: &FileStore) {
        if let Some(mode) = store.tightened() {
            self.note(&format!(
                "note: {} was open to others (mode {mode:03o}) and now is yours alone",
                store.root().display()
            ));
        }
    }

    /// Reads the header, asks for the passphrase and unlocks.
    pub(super) fn unlock(&self) -> Result<Vault, Failure> {
        let locked = LockedVault::open(self.store()?, self.wait())?;
        let mut vault = if self.global.recovery_code {
            let text: Zeroizing<String> = ask_hidden("Recovery code: ")?;
            let code = RecoveryCode::parse(&text)?;
            locked.unlock_with(&Secret::RecoveryCode(&code))?
        } else {
            let passphrase = passphrase::find(&self.global, &self.environment)?;
            locked.unlock(&passphrase)?
        };
        self.say_about(&mut vault)?;
        Ok(vault)
    }

    /// What a person must know about a vault before it is used.
    fn say_about(&self, vault: &mut Vault) -> Result<(), Failure> {
        if !keys_are_locked() && !self.global.quiet {
            complain(
                "warning: the keys could not be locked in memory and may be swapped out \
                 (see `ulimit -l`)",
            );
        }
        for damage in vault.damage() {
            complain(&format!(
                "warning: damaged: {damage}; everything else is readable"
            ));
        }
        if let Some(rollback) = vault.rollback() {
            if !self.global.accept_rollback {
                return Ok(());
            }
            complain(&format!("warning: {rollback}; going on, as you said"));
            vault.accept_rollback(now())?;
        }
        Ok(())
    }

    /// Unlocks for a command that changes something: a vault that was rolled back is refused
    /// before anything is asked or done.
    pub(super) fn unlock_to_write(&self) -> Result<Vault, Failure> {
        let vault = self.unlock()?;
        match vault.rollback() {
            Some(rollback) => Err(VaultError::from(rollback.clone()).into()),
            None => Ok(vault),
        }
    }

    /// What a command that has shown what is there ends with: the warning stands even so.
    pub(super) fn verdict(&self, vault: &Vault) -> Result<std::process::ExitCode, Failure> {
        match (vault.rollback(), vault.damage().first()) {
            (Some(rollback), _) => Err(VaultError::from(rollback.clone()).into()),
            (None, Some(damage)) => Err(VaultError::Damaged(damage.clone()).into()),
            (None, None) => Ok(std::process::ExitCode::SUCCESS),
        }
    }
}

fn say_rewriting(holder: &Holder) {
    complain(&format!(
        "waiting for process {}, which is rewriting the vault ({}) …",
        holder.pid, holder.command
    ));
}

/// Finds a provider's sealed key by its name.
pub(super) fn sealed_key(keys: &ProviderKeys, name: &str) -> Option<ApiKey> {
    let key = keys.find(name)?;
    ApiKey::new(Zeroizing::new(key.as_str().to_owned())).ok()
}
