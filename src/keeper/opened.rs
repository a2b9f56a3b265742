//! An open vault, whoever holds its keys.

use zeroize::Zeroizing;

use super::client::Client;
use super::protocol::Condition;
use crate::model::{FoldName, Record, Timestamp};
use crate::seal::{EpochId, Position};
use crate::vault::{Entry, IndexFiles, Log, ProviderKeys, Vault, VaultError};

/// The vault itself, or the keeper's.
pub enum Opened {
    Vault(Box<Vault>),
    Keeper(Client),
}

impl Opened {
    fn log(&mut self) -> &mut dyn Log {
        match self {
            Opened::Vault(vault) => vault.as_mut(),
            Opened::Keeper(client) => client,
        }
    }

    /// What is damaged, as far as it was met, and whether the vault is read-only.
    pub fn condition(&mut self) -> Result<Condition, VaultError> {
        match self {
            Opened::Vault(vault) => Ok(Condition::of(vault)),
            Opened::Keeper(client) => client.condition().cloned(),
        }
    }

    /// The condition as it was when the vault was opened.
    pub fn first_condition(&self) -> Condition {
        match self {
            Opened::Vault(vault) => Condition::of(vault),
            Opened::Keeper(client) => client.last_condition().clone(),
        }
    }

    pub fn accept_rollback(&mut self, now: Timestamp) -> Result<(), VaultError> {
        match self {
            Opened::Vault(vault) => vault.accept_rollback(now),
            Opened::Keeper(client) => client.accept_rollback(now),
        }
    }

    pub fn provider_keys(&mut self) -> Result<ProviderKeys, VaultError> {
        match self {
            Opened::Vault(vault) => vault.provider_keys(),
            Opened::Keeper(client) => client.provider_keys(),
        }
    }

    pub fn put_provider_key(
        &mut self,
        name: &str,
        key: Zeroizing<String>,
    ) -> Result<(), VaultError> {
        match self {
            Opened::Vault(vault) => vault.change_provider_keys(|keys| keys.put(name, key)),
            Opened::Keeper(client) => client.put_provider_key(name, &key),
        }
    }

    /// Removes a key; false if there was none of this name.
    pub fn remove_provider_key(&mut self, name: &str) -> Result<bool, VaultError> {
        match self {
            Opened::Vault(vault) => {
                let mut was = false;
                vault.change_provider_keys(|keys| was = keys.remove(name))?;
                Ok(was)
            }
            Opened::Keeper(client) => client.remove_provider_key(name),
        }
    }
}

impl Log for Opened {
    fn append(&mut self, records: &[Record]) -> Result<Position, VaultError> {
        self.log().append(records)
    }

    fn append_at(
        &mut self,
        expected: Position,
        records: &[Record],
    ) -> Result<Option<Position>, VaultError> {
        self.log().append_at(expected, records)
    }

    fn refresh(&mut self) -> Result<Position, VaultError> {
        self.log().refresh()
    }

    fn read(&mut self, after: u64) -> Result<Vec<Entry>, VaultError> {
        self.log().read(after)
    }

    fn record(&mut self, seq: u64) -> Result<Option<Record>, VaultError> {
        self.log().record(seq)
    }

    fn checkpoint(&mut self, name: FoldName) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.log().checkpoint(name)
    }

    fn put_checkpoint(
        &mut self,
        name: FoldName,
        version: u32,
        at: Position,
        json: Zeroizing<Vec<u8>>,
    ) -> Result<(), VaultError> {
        self.log().put_checkpoint(name, version, at, json)
    }

    fn position(&mut self, seq: u64) -> Result<Option<Position>, VaultError> {
        self.log().position(seq)
    }

    fn index(&self) -> Option<Box<dyn IndexFiles>> {
        match self {
            Opened::Vault(vault) => vault.index(),
            Opened::Keeper(client) => client.index(),
        }
    }

    fn settle(&mut self) -> Result<(), VaultError> {
        self.log().settle()
    }

    fn epoch(&self) -> EpochId {
        match self {
            Opened::Vault(vault) => vault.epoch(),
            Opened::Keeper(client) => client.epoch(),
        }
    }
}
