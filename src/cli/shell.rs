//! What every command starts from: options, environment, settings, and the way to the vault.

use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::args::{Color, Global};
use super::failure::Failure;
use super::output::{complain, print_json, stderr_is_terminal};
use super::passphrase;
use super::secret_input::ask_hidden;
use crate::config::{self, ApiKey, Config, Environment, Paths, Prices};
use crate::keeper::{Client, Condition, Handover, KeeperError, Opened, Place};
use crate::model::Timestamp;
use crate::seal::{Header, RecoveryCode, Slot, SlotKind, VaultId, keys_are_locked};
use crate::store::{FileStore, Holder, Store, Wait};
use crate::vault::{LockedVault, ProviderKeys, Vault, VaultError};

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
        let mut shell = Shell::without_settings(global)?;
        shell.config = config::load(&shell.paths.config_file)?;
        Ok(shell)
    }

    /// For the commands that mend a settings file: a broken one must not stand in their way.
    pub(super) fn whatever_the_settings(global: Global) -> Result<Self, Failure> {
        let mut shell = Shell::without_settings(global)?;
        shell.config = config::load(&shell.paths.config_file).unwrap_or_default();
        Ok(shell)
    }

    fn without_settings(global: Global) -> Result<Self, Failure> {
        let environment = Environment::read()?;
        let paths = Paths::new(
            &environment,
            global.state_dir.as_deref(),
            global.profile.as_deref(),
        )?;
        Ok(Shell {
            global,
            environment,
            paths,
            config: Config::default(),
        })
    }

    /// One line for the person, unless they asked for quiet.
    pub(super) fn note(&self, text: &str) {
        if !self.global.quiet {
            complain(text);
        }
    }

    /// What was done: as JSON where that is wanted, else in one line.
    pub(super) fn done(&self, line: &str, json: &Value) -> Result<(), Failure> {
        if self.global.json {
            return print_json(json);
        }
        self.note(line);
        Ok(())
    }

    /// Whether only text may be written: for screen readers, and terminals that can do no more.
    pub(super) fn is_plain(&self) -> bool {
        let dumb = self.environment.term.as_deref() == Some("dumb");
        self.global.plain || self.environment.plain || dumb
    }

    /// Whether a stream is written to in colours.
    pub(super) fn colors(&self, is_terminal: bool) -> bool {
        match self.global.color {
            _ if self.is_plain() => false,
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !self.environment.no_color,
        }
    }

    /// The table of prices, with the person's own beside the settings.
    pub(super) fn prices(&self) -> Result<Prices, Failure> {
        let file = self.paths.config_file.with_file_name("prices.toml");
        Ok(Prices::load(&file)?)
    }

    /// Whether long work shows how far it is.
    pub(super) fn shows_progress(&self) -> bool {
        stderr_is_terminal() && !self.is_plain() && !self.global.quiet && !self.global.json
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

    /// Unlocks the vault in this process, for what needs its keys.
    pub(super) fn unlock(&self) -> Result<Vault, Failure> {
        let mut vault = self.unlock_locked(LockedVault::open(self.store()?, self.wait())?)?;
        if self.say_about(&Condition::of(&vault)) {
            vault.accept_rollback(now())?;
        }
        Ok(vault)
    }

    /// Unlocks by the secret itself, to change what a keeper cannot; a vault that was rolled back
    /// is refused.
    pub(super) fn unlock_to_write(&self) -> Result<Vault, Failure> {
        let vault = self.unlock()?;
        match vault.rollback() {
            Some(rollback) => Err(VaultError::from(rollback.clone()).into()),
            None => Ok(vault),
        }
    }

    /// Unlocks what was read with what the options, the environment or the terminal give.
    fn unlock_locked(&self, locked: LockedVault) -> Result<Vault, Failure> {
        let header = locked.header().clone();
        let opened = locked.unlock_with(&self.handover()?.secret());
        let vault = opened.map_err(|error| self.not_opened(error, &header))?;
        self.say_unlocked_keys();
        Ok(vault)
    }

    /// Why a vault did not open, with the other way in if there is one.
    pub(super) fn not_opened(&self, error: VaultError, header: &Header) -> Failure {
        let mut kinds = header.slots.iter().map(Slot::kind);
        let has_code = kinds.any(|kind| kind == SlotKind::RecoveryCode);
        match error {
            VaultError::WrongPassphrase if has_code && !self.global.recovery_code => {
                Failure::HasRecoveryCode(error)
            }
            other => other.into(),
        }
    }

    /// What to unlock with.
    pub(super) fn handover(&self) -> Result<Handover, Failure> {
        if self.global.recovery_code {
            let text: Zeroizing<String> = ask_hidden("Recovery code: ")?;
            return Ok(Handover::RecoveryCode(RecoveryCode::parse(&text)?));
        }
        let passphrase = passphrase::find(&self.global, &self.environment)?;
        Ok(Handover::Passphrase(passphrase))
    }

    fn say_unlocked_keys(&self) {
        if !keys_are_locked() {
            self.note(
                "warning: the keys could not be locked in memory and may be swapped out \
                 (see `ulimit -l`)",
            );
        }
    }

    /// Says what a person must know about a vault before it is used. Returns whether a roll-back
    /// is to be accepted.
    pub(super) fn say_about(&self, condition: &Condition) -> bool {
        say_damage(condition);
        let accepted = condition
            .rollback
            .as_ref()
            .filter(|_| self.global.accept_rollback);
        if let Some(rollback) = accepted {
            complain(&format!("warning: {rollback}; going on, as you said"));
        }
        accepted.is_some()
    }

    /// Opens the vault: through the keeper, if one holds it and no other way in was named; else
    /// with the passphrase.
    pub(super) fn open(&self) -> Result<Opened, Failure> {
        let mut opened = self.reach()?;
        if self.say_about(&opened.first_condition()) {
            opened.accept_rollback(now())?;
        }
        Ok(opened)
    }

    /// Opens for a command that writes nothing at all, not even that a roll-back was accepted.
    pub(super) fn open_to_look(&self) -> Result<Opened, Failure> {
        let opened = self.reach()?;
        let condition = opened.first_condition();
        say_damage(&condition);
        match condition.rollback {
            Some(rollback) => Err(VaultError::from(rollback).into()),
            None => Ok(opened),
        }
    }

    fn reach(&self) -> Result<Opened, Failure> {
        let locked = LockedVault::open(self.store()?, self.wait())?;
        Ok(match self.keeper(&locked)? {
            Some(client) => Opened::Keeper(client),
            None => Opened::Vault(Box::new(self.unlock_locked(locked)?)),
        })
    }

    /// The keeper, where one answers and may be asked. One that cannot be used is told of, and the
    /// passphrase serves.
    fn keeper(&self, locked: &LockedVault) -> Result<Option<Client>, Failure> {
        let named =
            self.global.recovery_code || passphrase::is_given(&self.global, &self.environment)?;
        if named {
            return Ok(None);
        }
        let vault = locked.header().vault;
        match Client::open(&self.keeper_place(vault), vault, self.wait()) {
            Ok(found) => Ok(found),
            Err(KeeperError::Vault(error)) => Err(error.into()),
            Err(error) => {
                self.note(&Failure::from(error).as_warning());
                Ok(None)
            }
        }
    }

    /// Where the keeper of a vault in this directory listens.
    pub(super) fn keeper_place(&self, vault: VaultId) -> Place {
        let runtime_dir = self.environment.runtime_dir.as_deref();
        Place::find(runtime_dir, vault, &self.paths.state_dir)
    }

    /// Opens for a command that changes something: a vault that was rolled back is refused before
    /// anything is asked or done.
    pub(super) fn open_to_write(&self) -> Result<Opened, Failure> {
        let opened = self.open()?;
        match opened.first_condition().rollback {
            Some(rollback) => Err(VaultError::from(rollback).into()),
            None => Ok(opened),
        }
    }

    /// What a command that has shown what is there ends with: the warning stands even so.
    pub(super) fn verdict(&self, opened: &mut Opened) -> Result<std::process::ExitCode, Failure> {
        let condition = opened.condition()?;
        match (condition.rollback, condition.damage.into_iter().next()) {
            (Some(rollback), _) => Err(VaultError::from(rollback).into()),
            (None, Some(damage)) => Err(VaultError::Damaged(damage).into()),
            (None, None) => Ok(std::process::ExitCode::SUCCESS),
        }
    }
}

fn say_damage(condition: &Condition) {
    for damage in &condition.damage {
        complain(&format!(
            "warning: damaged: {damage}; everything else is readable"
        ));
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
