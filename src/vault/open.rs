//! From a directory to an unlocked vault.

use std::sync::Arc;

use super::assess::Remembered;
use super::error::{Rollback, VaultError};
use super::log::OpenLog;
use super::{Log, Vault};
use crate::seal::{Header, Passphrase, RecoveryCode, SealError, SlotId, VaultKey};
use crate::store::{Dir, Name, Part, Revision, Store, Wait};

/// A vault whose header was parsed and bound-checked; nothing is derived and nothing trusted.
pub struct LockedVault {
    store: Arc<dyn Store>,
    header: Header,
    held: Revision,
    wait: Wait,
}

/// What a person has to open a vault with.
pub enum Secret<'a> {
    Passphrase(&'a Passphrase),
    RecoveryCode(&'a RecoveryCode),
    KeyFile(&'a [u8]),
}

impl Secret<'_> {
    pub(super) fn unlock(&self, header: &Header) -> Result<(VaultKey, SlotId), SealError> {
        match self {
            Secret::Passphrase(passphrase) => header.unlock(passphrase),
            Secret::RecoveryCode(code) => header.unlock_code(code),
            Secret::KeyFile(bytes) => header.unlock_file(bytes),
        }
    }
}

/// A header is at most 4096 bytes; one more byte shows that a file is longer.
const HEADER_READ_BYTES: usize = 4097;

pub(super) fn read_header(store: &dyn Store) -> Result<Option<(Header, Revision)>, VaultError> {
    // The revision first: if the file changes in between, the held one is stale, and noticed.
    let Some(held) = store.revision(&Name::Header)? else {
        return Ok(None);
    };
    let Some(bytes) = store.read_at(&Name::Header, 0, HEADER_READ_BYTES)? else {
        return Ok(None);
    };
    match Header::parse(&bytes) {
        Ok(header) => Ok(Some((header, held))),
        Err(source) => Err(damaged_or_later(source)),
    }
}

/// Bounds and later versions are what they are; anything else about the bytes is damage.
fn damaged_or_later(source: SealError) -> VaultError {
    match source {
        SealError::HeaderFlags { .. }
        | SealError::KdfMemory { .. }
        | SealError::KdfPasses { .. }
        | SealError::KdfLanes { .. }
        | SealError::KdfWork { .. }
        | SealError::KdfWorkTotal => VaultError::Seal(source),
        _ => VaultError::HeaderDamaged { source },
    }
}

impl LockedVault {
    /// Reads and checks the header. Writes nothing.
    pub fn open(store: Arc<dyn Store>, wait: Wait) -> Result<Self, VaultError> {
        match read_header(store.as_ref())? {
            Some((header, held)) => Ok(LockedVault {
                store,
                header,
                held,
                wait,
            }),
            None if has_records(store.as_ref())? => Err(VaultError::HeaderMissing),
            None => Err(VaultError::NoVault),
        }
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Derives the key and opens the log. Writes nothing.
    pub fn unlock(self, passphrase: &Passphrase) -> Result<Vault, VaultError> {
        self.unlock_with(&Secret::Passphrase(passphrase))
    }

    pub fn unlock_with(self, secret: &Secret<'_>) -> Result<Vault, VaultError> {
        if matches!(secret, Secret::Passphrase(_)) {
            self.header.check_memory(crate::store::memory_left_kib())?;
        }
        match secret.unlock(&self.header) {
            Ok((key, slot)) => {
                let mut vault = self.open_log(key)?;
                vault.opened_by = Some(slot);
                Ok(vault)
            }
            Err(SealError::HeaderMac) => Err(VaultError::HeaderDamaged {
                source: SealError::HeaderMac,
            }),
            Err(SealError::WrongPassphrase) => Err(self.why_wrong(secret)?),
            Err(other) => Err(other.into()),
        }
    }

    /// Opens with the key already at hand, as the keeper and the tests of speed do.
    pub fn unlock_with_key(self, key: VaultKey) -> Result<Vault, VaultError> {
        self.header
            .verify(&key)
            .map_err(|source| VaultError::HeaderDamaged { source })?;
        self.open_log(key)
    }

    /// A wrong passphrase, or a header whose slots were damaged: the copy tells.
    fn why_wrong(&self, secret: &Secret<'_>) -> Result<VaultError, VaultError> {
        let damaged = VaultError::HeaderDamaged {
            source: SealError::HeaderMac,
        };
        let of_this = (self.header.epoch, self.header.generation);
        for dir in self.store.epochs()? {
            let name = Name::In(dir, Part::HeaderCopy);
            let Some(bytes) = self.store.read(&name)? else {
                continue;
            };
            let Ok(copy) = Header::parse(&bytes) else {
                continue;
            };
            if !matches!(dir, Dir::Live(_)) || bytes == self.header.stored() {
                continue;
            }
            match secret.unlock(&copy) {
                // Its key holds our MAC: our slots are whole, and this secret is not among them.
                Ok((key, _)) if self.header.verify(&key).is_ok() => {}
                Ok(_) if dir.epoch() != self.header.epoch && copy.vault == self.header.vault => {}
                Ok(_) => return Ok(damaged),
                Err(_) if (copy.epoch, copy.generation) == of_this => return Ok(damaged),
                Err(_) => {}
            }
        }
        Ok(VaultError::WrongPassphrase)
    }

    fn open_log(self, key: VaultKey) -> Result<Vault, VaultError> {
        let mut vault = Vault::assemble(self.store, self.wait, key, self.header, self.held)?;
        if vault.is_whole() {
            return Ok(vault);
        }
        // Anything but whole is judged only where nothing moves.
        let store = vault.store.clone();
        let _agree = store.shared(vault.wait)?;
        let (header, held) = read_header(store.as_ref())?.ok_or(VaultError::HeaderMissing)?;
        header.verify(&vault.key).map_err(|_| VaultError::Rekeyed)?;
        vault = Vault::assemble(store.clone(), vault.wait, vault.key, header, held)?;
        Ok(vault)
    }
}

impl Vault {
    /// Reads what is remembered, then the log, and judges.
    pub(super) fn assemble(
        store: Arc<dyn Store>,
        wait: Wait,
        key: VaultKey,
        header: Header,
        header_held: Revision,
    ) -> Result<Vault, VaultError> {
        let data = key.data_key(header.epoch);
        let remembered = Remembered::read(store.as_ref(), &data, &key)?;
        let mut log = OpenLog::open(store.clone(), &data)?;
        let rollback = remembered.judge(&header, &mut log, &data)?;
        let durable = match remembered.witness.newest() {
            Some(witness) if rollback.is_none() && witness.epoch == header.epoch => witness.at,
            _ => data.chain().start(),
        };
        Ok(Vault {
            store,
            wait,
            key,
            header,
            header_held,
            opened_by: None,
            data,
            log,
            witness: remembered.witness,
            durable,
            rollback,
            swept: false,
            mistrust_tail: false,
            rekeyed: false,
        })
    }

    fn is_whole(&self) -> bool {
        self.rollback.is_none() && self.log.damage().is_empty() && !self.log.is_torn()
    }

    /// Reads everything again, where another process has rewritten, rolled over or cut something.
    pub(super) fn reread(&mut self) -> Result<(), VaultError> {
        self.alive()?;
        if self.store.revision(&Name::Header)? != Some(self.header_held) {
            let found = read_header(self.store.as_ref())?;
            let (header, held) = found.ok_or(VaultError::HeaderMissing)?;
            if header.verify(&self.key).is_err() {
                self.forget_keys();
                return Err(VaultError::Rekeyed);
            }
            if header.epoch != self.header.epoch {
                self.data = self.key.data_key(header.epoch);
                self.durable = self.data.chain().start();
                (self.swept, self.mistrust_tail) = (false, false);
            }
            self.header = header;
            self.header_held = held;
        }
        self.log.reopen(&self.data)?;
        // What was seen on the disk must still be there, whatever happened to the files.
        let durable = self.durable;
        if self.rollback.is_none() && self.log.position(&self.data, durable.seq)? != Some(durable) {
            let end = self.log.end().seq;
            let lost = self
                .log
                .damage()
                .iter()
                .any(|damage| damage.covers(durable.seq));
            self.rollback = match end < durable.seq {
                true => Some(Rollback::LogTruncated {
                    end,
                    remembered: durable.seq,
                }),
                false if lost => None,
                false => Some(Rollback::LogForked { seq: durable.seq }),
            };
        }
        Ok(())
    }

    /// Wipes the keys and every record that was opened: they are of no use any more.
    fn forget_keys(&mut self) {
        self.rekeyed = true;
        self.key.wipe();
        self.data.wipe();
        self.log = OpenLog::empty(self.store.clone(), &self.data);
    }

    /// Stops once the keys are wiped.
    pub(super) fn alive(&self) -> Result<(), VaultError> {
        if self.rekeyed {
            return Err(VaultError::Rekeyed);
        }
        Ok(())
    }

    pub(super) fn refresh_unlocked(&mut self) -> Result<(), VaultError> {
        self.alive()?;
        let same_header = self.store.revision(&Name::Header)? == Some(self.header_held);
        if !same_header || !self.log.read_on()? {
            self.reread()?;
        }
        Ok(())
    }

    pub(super) fn refresh_log(&mut self) -> Result<(), VaultError> {
        let known = self.log.damage().len();
        self.refresh_unlocked()?;
        if self.log.is_torn() || self.log.damage().len() > known {
            let store = self.store.clone();
            let _agree = store.shared(self.wait)?;
            self.reread()?;
        }
        Ok(())
    }

    /// Goes on after the warning that the vault is older than this machine remembers: says so in
    /// the log, and starts a new witness.
    pub fn accept_rollback(&mut self, now: crate::model::Timestamp) -> Result<(), VaultError> {
        if self.rollback.take().is_none() {
            return Ok(());
        }
        let witness_seq = self.witness.newest().map_or(0, |witness| witness.at.seq);
        for name in crate::model::FoldName::ALL {
            self.drop_checkpoint(name)?;
        }
        let record = crate::model::Restored {
            at: now,
            witness_seq,
        };
        self.append(&[crate::model::Record::Restored(record)])?;
        let witness = self.witness_now();
        self.witness
            .start_again(self.store.as_ref(), &self.key, witness);
        Ok(())
    }
}

/// Whether any epoch holds a segment, or a tail with frames.
pub(super) fn has_records(store: &dyn Store) -> Result<bool, VaultError> {
    for dir in store.epochs()? {
        for found in store.list(dir)? {
            let counts = match found.name {
                Name::In(_, Part::Segment(_)) => true,
                Name::In(_, Part::Tail(_)) => found.bytes > crate::seal::TAIL_HEAD_BYTES as u64,
                _ => false,
            };
            if counts {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
