//! A sealed copy that opens as a vault, taken while others write.

use std::sync::Arc;

use super::Vault;
use super::error::VaultError;
use super::verify::VerifyReport;
use crate::seal::Random;
use crate::store::{Dir, Exclusive, Expected, Found, Name, Part, Purpose, Store, StoreError};

/// What a backup holds.
#[derive(Clone, Debug)]
pub struct BackedUp {
    /// The last record.
    pub seq: u64,
    pub files: u64,
    pub bytes: u64,
    /// What verifying the copy has to say. What is damaged here is damaged there.
    pub report: VerifyReport,
}

impl Vault {
    /// Copies everything but the search index into `target`, which must be empty, then opens the
    /// copy and verifies it. Others are held up only while names are listed and the tail, the
    /// checkpoints and the keys are copied; segments never change.
    pub fn backup(
        &mut self,
        target: &Arc<dyn Store>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackedUp, VaultError> {
        let lock = target.exclusive(Purpose::Init, self.wait)?;
        clear(target.as_ref(), &lock)?;
        let copied = match self.copy_epoch(target.as_ref(), &lock, progress) {
            // Another process has rewritten the vault under our hands: once more, of the new epoch.
            Err(VaultError::Store(StoreError::Vanished { .. })) => {
                clear(target.as_ref(), &lock)?;
                self.copy_epoch(target.as_ref(), &lock, progress)
            }
            other => other,
        };
        let (files, bytes) = match copied {
            Ok(copied) => copied,
            Err(error) => {
                clear(target.as_ref(), &lock).ok();
                return Err(error);
            }
        };
        drop(lock);
        let (header, held) =
            super::open::read_header(target.as_ref())?.ok_or(VaultError::HeaderMissing)?;
        header.verify(&self.key)?;
        let key = self.key.again();
        let mut copy = Vault::assemble(target.clone(), self.wait, key, header, held)?;
        let report = copy.verify(&mut |_, _| {})?;
        let seq = copy.end().seq;
        Ok(BackedUp {
            seq,
            files,
            bytes,
            report,
        })
    }

    /// Copies the live epoch into a draft of `target` and makes it the live one there.
    fn copy_epoch(
        &mut self,
        target: &dyn Store,
        lock: &Exclusive,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(u64, u64), VaultError> {
        let store = self.store.clone();
        let agree = store.shared(self.wait)?;
        self.reread()?;
        let (live, sealed) = (self.log.dir(), self.header.seal(&self.key)?);
        let files: Vec<Found> = store
            .list(live)?
            .into_iter()
            .filter_map(|found| self.of_copy(found))
            .collect();
        let total: u64 = files.iter().map(|found| found.bytes).sum();
        target.ensure_space(total)?;
        let draft = Dir::Draft(live.epoch(), Random::bytes()?);
        target.draft(lock, draft)?;
        target.replace(
            lock,
            &Name::In(draft, Part::HeaderCopy),
            Expected::Absent,
            &sealed,
        )?;
        let mut done = 0;
        let mut copy = |found: &Found| {
            let Name::In(_, part) = found.name else {
                return Ok(());
            };
            let to = Name::In(draft, part);
            target.copy_from(lock, &to, store.as_ref(), &found.name, found.bytes)?;
            done += found.bytes;
            progress(done, total);
            Ok::<(), VaultError>(())
        };
        let is_segment = |found: &&Found| matches!(found.name, Name::In(_, Part::Segment(_)));
        // What changes, while nobody can change it.
        files
            .iter()
            .filter(|found| !is_segment(found))
            .try_for_each(&mut copy)?;
        drop(agree);
        files.iter().filter(is_segment).try_for_each(&mut copy)?;
        target.publish(lock, draft)?;
        let named = target.replace(lock, &Name::Header, Expected::Absent, &sealed);
        if named.is_err() && target.revision(&Name::Header)?.is_none() {
            target.discard(lock, live)?;
        }
        named?;
        Ok((files.len() as u64, total))
    }

    /// What of a file belongs into a copy: of the active tail, its last complete append and all
    /// before it.
    fn of_copy(&self, found: Found) -> Option<Found> {
        let Name::In(_, part) = found.name else {
            return None;
        };
        match part {
            Part::HeaderCopy | Part::IndexManifest | Part::IndexFile(_) => None,
            Part::Tail(_) => {
                let open = self.log.tail().filter(|open| open.name == found.name);
                let bytes = open.map_or(found.bytes, |open| open.end);
                Some(Found { bytes, ..found })
            }
            _ => Some(found),
        }
    }
}

/// Makes sure that a store is empty, or holds only what an interrupted backup left, and removes
/// that.
fn clear(target: &dyn Store, lock: &Exclusive) -> Result<(), VaultError> {
    if target.revision(&Name::Header)?.is_some() {
        return Err(VaultError::VaultExists);
    }
    if let Some(stranger) = target.strangers()?.into_iter().next() {
        return Err(VaultError::NotEmpty(stranger));
    }
    if let Some(kept) = target.aside()?.into_iter().next() {
        return Err(VaultError::NotEmpty(kept));
    }
    for dir in target.epochs()? {
        match dir {
            Dir::Draft(..) => target.discard(lock, dir)?,
            Dir::Live(_) => return Err(VaultError::NotEmpty(dir.file_name())),
        }
    }
    Ok(())
}
