//! For tests of the rooms above: vaults in RAM, whose disks can fail and be damaged.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{LockedVault, NewVault, Vault, VaultError};
use crate::seal::{KdfParams, Passphrase};
use crate::store::Wait;
pub(crate) use crate::store::failing::{FailingStore, Fault};
pub(crate) use crate::store::{Dir, Name, Part, Store, VolatileStore};

pub(crate) fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("only for tests".to_owned())).unwrap()
}

/// A vault in an empty store.
pub(crate) fn new_vault(store: VolatileStore) -> Vault {
    let new = NewVault {
        passphrase: &passphrase(),
        kdf: KdfParams::LEAST,
        recovery: None,
        created: 0,
    };
    Vault::init(Arc::new(store), Wait::seconds(1), &new).unwrap()
}

/// A vault that [`new_vault`] made.
pub(crate) fn open_vault(store: Arc<dyn Store>) -> Result<Vault, VaultError> {
    LockedVault::open(store, Wait::seconds(1))?.unlock(&passphrase())
}
