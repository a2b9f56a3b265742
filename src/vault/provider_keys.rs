//! Providers' API keys: one sealed file, never in the log, an export, a watch or the index.

use std::collections::BTreeMap;

use zeroize::{Zeroize, Zeroizing};

use super::Vault;
use super::error::VaultError;
use super::log::sealed_error;
use crate::seal::DataKey;
use crate::store::{Dir, Exclusive, Expected, Name, Part, Purpose};

/// Names and keys; wiped on drop.
#[derive(Default)]
pub struct ProviderKeys(BTreeMap<String, Zeroizing<String>>);

impl ProviderKeys {
    pub fn find(&self, name: &str) -> Option<&Zeroizing<String>> {
        self.0.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn put(&mut self, name: &str, key: Zeroizing<String>) {
        self.0.insert(name.to_owned(), key);
    }

    pub fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// The keys as one JSON object.
    pub fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let plain: BTreeMap<&str, &str> = self
            .0
            .iter()
            .map(|(name, key)| (name.as_str(), key.as_str()))
            .collect();
        serde_json::to_vec(&plain)
            .map(Zeroizing::new)
            .map_err(VaultError::FoldState)
    }

    pub fn from_json(json: &[u8]) -> Result<Self, VaultError> {
        let mut plain: BTreeMap<String, String> =
            serde_json::from_slice(json).map_err(VaultError::FoldState)?;
        let keys = plain.iter_mut().map(|(name, key)| {
            let taken = Zeroizing::new(key.clone());
            key.zeroize();
            (name.clone(), taken)
        });
        Ok(ProviderKeys(keys.collect()))
    }
}

impl Vault {
    fn keys_file(&self) -> Name {
        Name::In(Dir::Live(self.header.epoch), Part::ProviderKeys)
    }

    /// Opens the keys; an absent file holds none, a damaged one is an error.
    pub fn provider_keys(&self) -> Result<ProviderKeys, VaultError> {
        self.open_keys().map(|(keys, _)| keys)
    }

    fn open_keys(&self) -> Result<(ProviderKeys, u64), VaultError> {
        self.alive()?;
        let name = self.keys_file();
        let Some(file) = self.store.read(&name)? else {
            return Ok((ProviderKeys::default(), 0));
        };
        let id = Part::ProviderKeys.blob_id().expect("the keys are a blob");
        let (blob, json) = self
            .data
            .open(id, &file)
            .map_err(|source| sealed_error(&name, source))?;
        Ok((ProviderKeys::from_json(&json)?, blob.generation()))
    }

    /// Seals the keys again, for another epoch.
    pub(super) fn copy_provider_keys(
        &self,
        lock: &Exclusive,
        data: &DataKey,
        draft: Dir,
    ) -> Result<(), VaultError> {
        let name = self.keys_file();
        let Some(file) = self.store.read(&name)? else {
            return Ok(());
        };
        let id = Part::ProviderKeys.blob_id().expect("the keys are a blob");
        let opened = self.data.open(id, &file);
        let (_, json) = opened.map_err(|source| sealed_error(&name, source))?;
        let sealed = data.seal(id, 1, &json)?;
        let copy = Name::In(draft, Part::ProviderKeys);
        self.store.replace(lock, &copy, Expected::Absent, &sealed)?;
        Ok(())
    }

    /// Changes the keys under the lock, on top of what others changed.
    pub fn change_provider_keys(
        &mut self,
        change: impl FnOnce(&mut ProviderKeys),
    ) -> Result<(), VaultError> {
        if let Some(rollback) = &self.rollback {
            return Err(rollback.clone().into());
        }
        let store = self.store.clone();
        let lock = store.exclusive(Purpose::Slots, self.wait)?;
        self.come_to_the_end(&lock)?;
        let (mut keys, generation) = self.open_keys()?;
        change(&mut keys);
        let id = Part::ProviderKeys.blob_id().expect("the keys are a blob");
        let sealed = self.data.seal(id, generation + 1, &keys.to_json()?)?;
        store.replace(&lock, &self.keys_file(), Expected::Anything, &sealed)?;
        Ok(())
    }
}
