//! Makes a new vault in an empty directory.

use std::sync::Arc;

use super::Vault;
use super::error::VaultError;
use super::open::{has_records, read_header};
use crate::seal::{
    EpochId, Header, KdfParams, NewSlot, Passphrase, Random, RecoveryCode, Slot, Tail, TailStart,
    VaultId, VaultKey,
};
use crate::store::{Dir, Expected, Name, Part, Purpose, Store, Wait};

/// What a new vault is to have.
pub struct NewVault<'a> {
    pub passphrase: &'a Passphrase,
    pub kdf: KdfParams,
    pub recovery: Option<&'a RecoveryCode>,
    /// Unix seconds.
    pub created: u64,
}

impl Vault {
    /// Makes a vault where there is none. The rename of `vault.header` is the commit: before it
    /// the directory counts as empty, and the next `init` clears what this one left.
    pub fn init(
        store: Arc<dyn Store>,
        wait: Wait,
        new: &NewVault<'_>,
    ) -> Result<Vault, VaultError> {
        new.kdf.check(0)?;
        let vault = VaultId(Random::bytes()?);
        let epoch = EpochId(Random::bytes()?);
        let key = VaultKey::draw(vault)?;
        let lock = store.exclusive(Purpose::Init, wait)?;
        clear_interrupted(store.as_ref(), &lock)?;
        let passphrase = NewSlot::Passphrase(new.passphrase, new.kdf);
        let mut slots = vec![Slot::make(&passphrase, "passphrase", &key)?];
        if let Some(code) = new.recovery {
            slots.push(Slot::make(
                &NewSlot::RecoveryCode(code),
                "recovery code",
                &key,
            )?);
        }
        let sealed = Header::new(vault, epoch, new.created, slots).seal(&key)?;
        let data = key.data_key(epoch);
        let draft = Dir::Draft(epoch, Random::bytes()?);
        let before = data.chain().start();
        let (_, tail) = Tail::create(&data, 1, TailStart { before })?;
        store.draft(&lock, draft)?;
        let put =
            |part, bytes| store.replace(&lock, &Name::In(draft, part), Expected::Absent, bytes);
        put(Part::HeaderCopy, &sealed)?;
        put(Part::Tail(1), &tail)?;
        store.publish(&lock, draft)?;
        let held = store.replace(&lock, &Name::Header, Expected::Absent, &sealed)?;
        let (header, _) = read_header(store.as_ref())?.ok_or(VaultError::NoVault)?;
        header.verify(&key)?;
        drop(lock);
        let mut vault = Vault::assemble(store, wait, key, header, held)?;
        vault.note_durable();
        Ok(vault)
    }
}

/// Makes sure that the directory is empty, or holds only what an interrupted `init` left, and
/// removes that.
fn clear_interrupted(store: &dyn Store, lock: &crate::store::Exclusive) -> Result<(), VaultError> {
    if store.revision(&Name::Header)?.is_some() {
        return Err(VaultError::VaultExists);
    }
    if has_records(store)? {
        return Err(VaultError::HeaderMissing);
    }
    if let Some(stranger) = store.strangers()?.into_iter().next() {
        return Err(VaultError::NotEmpty(stranger));
    }
    let epochs = store.epochs()?;
    // A checkpoint or keys without records and header: not what `init` leaves.
    for dir in &epochs {
        let foreign = store
            .list(*dir)?
            .into_iter()
            .find(|found| !matches!(found.name, Name::In(_, Part::HeaderCopy | Part::Tail(1))));
        if let Some(found) = foreign {
            return Err(VaultError::NotEmpty(found.name.to_string()));
        }
    }
    for dir in epochs {
        store.discard(lock, dir)?;
    }
    Ok(())
}
