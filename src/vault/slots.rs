//! The ways in: one header rewritten, the vault key unchanged.
//!
//! Each change is the header with a generation more, then its copy in the epoch. A copied old
//! header still opens with the old secrets; only a rekey ends that.

use super::error::VaultError;
use super::witness::WitnessState;
use super::{Secret, Vault};
use crate::seal::{Header, KdfParams, NewSlot, Passphrase, SealError, Slot, SlotId, Witness};
use crate::store::{Expected, Name, Purpose};

impl Vault {
    /// Puts a new passphrase in the place of slot `replaced`. Returns the new slot.
    pub fn passwd(
        &mut self,
        replaced: SlotId,
        passphrase: &Passphrase,
        kdf: KdfParams,
    ) -> Result<SlotId, VaultError> {
        self.refresh_log()?;
        let label = place_of(&self.header.slots, replaced)?.1.label();
        let secret = NewSlot::Passphrase(passphrase, kdf);
        let slot = self.make_slot(&label, &secret)?;
        let id = slot.id();
        let copied = self.change_slots(|slots| {
            let (place, _) = place_of(slots, replaced)?;
            slots[place] = slot;
            Ok(())
        })?;
        if self.opened_by == Some(replaced) {
            self.opened_by = Some(id);
        }
        copied?;
        Ok(id)
    }

    /// Adds a way in. The label is stored in clear.
    pub fn add_slot(&mut self, label: &str, secret: &NewSlot<'_>) -> Result<SlotId, VaultError> {
        self.refresh_log()?;
        let slot = self.make_slot(label, secret)?;
        let id = slot.id();
        let copied = self.change_slots(|slots| {
            slots.push(slot);
            Ok(())
        })?;
        copied?;
        Ok(id)
    }

    /// Removes a way in, once `proof` has opened another one.
    pub fn remove_slot(&mut self, removed: SlotId, proof: &Secret<'_>) -> Result<(), VaultError> {
        self.refresh_log()?;
        let (place, _) = place_of(&self.header.slots, removed)?;
        let mut rest = self.header.clone();
        rest.slots.remove(place);
        if rest.slots.is_empty() {
            return Err(SealError::LastSlot.into());
        }
        // The header as it will be must open: that is the proof.
        let rest = Header::parse(rest.seal(&self.key)?.bytes())?;
        let (_, proven) = proof.unlock(&rest).map_err(|error| match error {
            SealError::WrongPassphrase => VaultError::NoOtherSlot,
            other => other.into(),
        })?;
        let copied = self.change_slots(|slots| {
            place_of(slots, proven).map_err(|_| VaultError::SlotsChanged)?;
            let (place, _) = place_of(slots, removed)?;
            slots.remove(place);
            Ok(())
        })?;
        if self.opened_by == Some(removed) {
            self.opened_by = Some(proven);
        }
        copied
    }

    /// A slot for the vault key of now, opened once to see that it can be. Runs the KDF.
    fn make_slot(&self, label: &str, secret: &NewSlot<'_>) -> Result<Slot, VaultError> {
        let slot = Slot::make(secret, label, &self.key)?;
        let mut trial = self.header.clone();
        trial.slots = vec![slot.clone()];
        let trial = Header::parse(trial.seal(&self.key)?.bytes())?;
        trial.unlock_slot(slot.id(), secret)?;
        Ok(slot)
    }

    /// Changes the slots under the lock, on top of what others changed. The renaming of the header
    /// is the commit; what comes back in the result is whether its copy could be written.
    fn change_slots(
        &mut self,
        change: impl FnOnce(&mut Vec<Slot>) -> Result<(), VaultError>,
    ) -> Result<Result<(), VaultError>, VaultError> {
        self.writable()?;
        let store = self.store.clone();
        let lock = store.exclusive(Purpose::Slots, self.wait)?;
        self.refresh_unlocked()?;
        self.writable()?;
        let mut header = self.header.clone();
        change(&mut header.slots)?;
        header.generation += 1;
        let sealed = header.seal(&self.key)?;
        // Bounds that the slots break together are found here, before anything is written.
        let header = Header::parse(sealed.bytes())?;
        header.verify(&self.key)?;
        let expected = Expected::Unchanged(self.header_held);
        self.header_held = store.replace(&lock, &Name::Header, expected, &sealed)?;
        self.header = header;
        self.note_generation();
        let copied = self.mend_header_copy(&lock);
        // The next writer mends the copy; who copied the old one keeps the old secrets.
        self.swept &= copied.is_ok();
        Ok(copied.map_err(|source| VaultError::HeaderCopyBehind {
            source: Box::new(source),
        }))
    }

    /// Remembers the header's generation with the furthest place that is known to be durable.
    fn note_generation(&mut self) {
        let epoch = self.header.epoch;
        if let Ok(read) = WitnessState::read(self.store.as_ref(), &self.key) {
            self.witness = read;
        }
        let newest = self.witness.newest().filter(|w| w.epoch == epoch);
        let at = newest
            .map(|witness| witness.at)
            .filter(|at| at.seq > self.durable.seq)
            .unwrap_or(self.durable);
        let witness = Witness {
            epoch,
            generation: self.header.generation,
            at,
        };
        self.witness.note(self.store.as_ref(), &self.key, witness);
    }
}

fn place_of(slots: &[Slot], id: SlotId) -> Result<(usize, &Slot), VaultError> {
    let mut places = slots.iter().enumerate();
    let found = places.find(|(_, slot)| slot.id() == id);
    found.ok_or_else(|| SealError::NoSuchSlot.into())
}
