//! Mends: a log with damage inside, and a header.

use std::sync::Arc;

use super::epochs::newest_rekeyed;
use super::error::{Rollback, VaultError};
use super::log::OpenLog;
use super::open::read_header;
use super::rewrite::{Plan, Reading, Rewritten, Why};
use super::witness::WitnessState;
use super::{Secret, Vault};
use crate::model::{FoldName, Timestamp};
use crate::seal::{EpochId, Header, SealError, VaultKey};
use crate::store::{Dir, Exclusive, Expected, Name, Part, Purpose, Store, Wait};

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    pub rewritten: Rewritten,
    /// The providers' keys did not open and are gone.
    pub provider_keys_lost: bool,
}

impl Vault {
    /// Writes everything that opens into a new epoch, with a `lost` record for each that does not,
    /// so that numbers stay. The old epoch is kept in the quarantine of the state directory.
    ///
    /// A log that ends before what this machine remembers is repaired only where the bytes are
    /// there and do not open; one that is older is for `accept_rollback`.
    pub fn repair(
        &mut self,
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Repaired, VaultError> {
        let store = self.store.clone();
        let lock = store.exclusive(Purpose::Repair, self.wait)?;
        self.reread()?;
        self.repairable()?;
        store.sweep(&lock, self.header.epoch)?;
        let until = self.remembered_seq()?;
        let keys = self.provider_keys();
        let provider_keys_lost = matches!(keys, Err(VaultError::Sealed { .. }));
        let header = self.next_header()?;
        let rewritten = self.rewrite(
            &lock,
            Plan {
                why: Why::Repair,
                now,
                key: self.key.again(),
                header,
                reading: Reading::Salvage { until },
                filter: None,
                ready: &mut |_| Ok(()),
                progress,
            },
        )?;
        Ok(Repaired {
            rewritten,
            provider_keys_lost,
        })
    }

    fn repairable(&self) -> Result<(), VaultError> {
        match &self.rollback {
            Some(Rollback::LogTruncated { .. }) if self.log.headless || self.log.is_torn() => {
                Ok(())
            }
            Some(rollback) => Err(rollback.clone().into()),
            None => Ok(()),
        }
    }

    /// The furthest record that is known to have been there.
    fn remembered_seq(&self) -> Result<u64, VaultError> {
        let witness = WitnessState::read(self.store.as_ref(), &self.key)?;
        let of_this = witness.newest().filter(|w| w.epoch == self.header.epoch);
        let mut seq = of_this.map_or(0, |w| w.at.seq).max(self.durable.seq);
        for name in FoldName::ALL {
            let head = super::assess::checkpoint_head(self.store.as_ref(), &self.data, name)?;
            seq = seq.max(head.map_or(0, |head| head.at.seq));
        }
        Ok(seq)
    }
}

/// Where a header was put back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoredHeader {
    pub epoch: EpochId,
    pub generation: u64,
}

/// An epoch whose copy of the header opens.
struct Candidate {
    header: Header,
    key: VaultKey,
    end_seq: u64,
    /// The epoch it was written from, and the number of the record that says so.
    previous: Option<(EpochId, u64)>,
}

/// Puts back a header that is missing or damaged, from a copy whose MAC holds under the secret
/// given. None if there is a header that opens with it already.
pub fn restore_header(
    store: &Arc<dyn Store>,
    wait: Wait,
    secret: &Secret<'_>,
) -> Result<Option<RestoredHeader>, VaultError> {
    if let Ok(Some((header, _))) = read_header(store.as_ref())
        && secret.unlock(&header).is_ok()
    {
        return Ok(None);
    }
    // Argon2 runs before the lock is taken.
    let mut candidates = candidates(store, secret)?;
    let lock = store.exclusive(Purpose::Slots, wait)?;
    narrow(store.as_ref(), &mut candidates)?;
    candidates.iter_mut().try_for_each(|c| c.look(store))?;
    let chosen = choose(&candidates).ok_or(VaultError::WrongPassphrase)?;
    put_back(store.as_ref(), &lock, chosen).map(Some)
}

/// The epochs whose copy opens. An error tells why there is none.
fn candidates(store: &Arc<dyn Store>, secret: &Secret<'_>) -> Result<Vec<Candidate>, VaultError> {
    let mut found = Vec::new();
    let mut why = None;
    for dir in store.epochs()? {
        let Dir::Live(epoch) = dir else { continue };
        let name = Name::In(dir, Part::HeaderCopy);
        let Some(bytes) = store.read_at(&name, 0, 4097)? else {
            continue;
        };
        let opened = Header::parse(&bytes).and_then(|header| {
            if matches!(secret, Secret::Passphrase(_)) {
                header.check_memory(crate::store::memory_left_kib())?;
            }
            let (key, _) = secret.unlock(&header)?;
            Ok((header, key))
        });
        match opened {
            Ok((header, key)) if header.epoch == epoch => found.push(Candidate {
                header,
                key,
                end_seq: 0,
                previous: None,
            }),
            Ok(_) => {}
            // A copy that is whole and does not open says more than one that is damaged.
            Err(SealError::WrongPassphrase) => why = Some(SealError::WrongPassphrase),
            Err(source) => why = why.or(Some(source)),
        }
    }
    match (found.is_empty(), why) {
        (false, _) => Ok(found),
        (true, Some(SealError::WrongPassphrase)) => Err(VaultError::WrongPassphrase),
        (true, Some(source)) => Err(VaultError::HeaderDamaged { source }),
        (true, None) => Err(VaultError::HeaderMissing),
    }
}

/// Leaves the copy of the epoch that the header still names, if there is that epoch: an interrupted
/// rewrite may have left others. A header that is whole, and only of another secret, stands.
fn narrow(store: &dyn Store, candidates: &mut Vec<Candidate>) -> Result<(), VaultError> {
    let bytes = store.read_at(&Name::Header, 0, 4097)?.unwrap_or_default();
    if let Ok(header) = Header::parse(&bytes)
        && candidates.iter().any(|c| header.verify(&c.key).is_ok())
    {
        return Err(VaultError::WrongPassphrase);
    }
    let named = Header::epoch_of(&bytes).map(Dir::Live);
    let Some(named) = named.filter(|dir| store.epochs().is_ok_and(|all| all.contains(dir))) else {
        return Ok(());
    };
    let copy = store.read_at(&Name::In(named, Part::HeaderCopy), 0, 4097)?;
    if copy.as_ref() == Some(&bytes) {
        return Err(VaultError::WrongPassphrase);
    }
    candidates.retain(|c| c.header.epoch == named.epoch());
    Ok(())
}

impl Candidate {
    /// Reads how far its log goes, and where it came from.
    fn look(&mut self, store: &Arc<dyn Store>) -> Result<(), VaultError> {
        let data = self.key.data_key(self.header.epoch);
        let mut log = OpenLog::open(store.clone(), &data)?;
        self.end_seq = log.end().seq;
        let newest = newest_rekeyed(&mut log, &data, u64::MAX)?;
        self.previous = newest.map(|(previous, _, seq)| (previous, seq));
        Ok(())
    }
}

/// The epoch that was the live one.
///
/// An epoch that was written from another is live unless the other went on: appends go to the
/// epoch that the header names, so a previous one that has grown was still it.
fn choose(candidates: &[Candidate]) -> Option<&Candidate> {
    let end_of = |epoch| {
        let other = candidates.iter().find(|c| c.header.epoch == epoch);
        other.map(|other| other.end_seq)
    };
    let overtaken = |c: &Candidate| {
        let previous = c
            .previous
            .and_then(|(epoch, seq)| Some((end_of(epoch)?, seq)));
        previous.is_some_and(|(end, seq)| end >= seq)
    };
    let standing = || candidates.iter().filter(|c| !overtaken(c));
    let replaced = |c: &Candidate| {
        standing().any(|other| {
            other
                .previous
                .is_some_and(|(epoch, _)| epoch == c.header.epoch)
        })
    };
    standing()
        .filter(|c| !replaced(c))
        .max_by_key(|c| (c.header.generation, c.end_seq))
}

fn put_back(
    store: &dyn Store,
    lock: &Exclusive,
    chosen: &Candidate,
) -> Result<RestoredHeader, VaultError> {
    // Sealing anew gives the same bytes: the MAC is a function of them.
    let sealed = chosen.header.seal(&chosen.key)?;
    store.replace(lock, &Name::Header, Expected::Anything, &sealed)?;
    Ok(RestoredHeader {
        epoch: chosen.header.epoch,
        generation: chosen.header.generation,
    })
}
