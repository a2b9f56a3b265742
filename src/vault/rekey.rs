//! A new vault key: new secrets for every slot, and everything sealed again.

use super::error::VaultError;
use super::rewrite::{Plan, Reading, Rewritten, Why};
use super::{Secret, Vault};
use crate::model::Timestamp;
use crate::seal::{Header, NewSlot, SealError, Slot, SlotId, SlotKind, VaultKey};

/// What becomes of one key slot in a rekey. The new vault key is wrapped anew for each slot, so
/// each needs its secret, or goes.
pub enum SlotChange<'a> {
    /// The secret that opens the slot now, to open its successor.
    Again(SlotId, NewSlot<'a>),
    /// Another secret for its successor.
    Instead(SlotId, NewSlot<'a>),
    /// The slot goes.
    Drop(SlotId),
    /// A slot more, with its label.
    Add(&'a str, NewSlot<'a>),
}

impl<'a> SlotChange<'a> {
    fn slot(&self) -> Option<SlotId> {
        match self {
            SlotChange::Again(id, _) | SlotChange::Instead(id, _) | SlotChange::Drop(id) => {
                Some(*id)
            }
            SlotChange::Add(..) => None,
        }
    }

    fn secret(&self) -> Option<&NewSlot<'a>> {
        match self {
            SlotChange::Again(_, secret)
            | SlotChange::Instead(_, secret)
            | SlotChange::Add(_, secret) => Some(secret),
            SlotChange::Drop(_) => None,
        }
    }
}

impl Vault {
    /// The slot that this vault was opened by, if it was opened by a secret.
    pub fn opened_by(&self) -> Option<SlotId> {
        self.opened_by
    }

    /// The passphrase slot that a new passphrase takes the place of: the one that was opened by,
    /// else the only one there is.
    pub fn passphrase_slot(&self) -> Option<SlotId> {
        let mut slots = self
            .header
            .slots
            .iter()
            .filter(|slot| matches!(slot.kind(), SlotKind::Passphrase(_)))
            .map(Slot::id);
        let opened = slots.clone().find(|id| Some(*id) == self.opened_by);
        let only = slots.next().filter(|_| slots.next().is_none());
        opened.or(only)
    }

    /// Draws a new vault key and seals everything again. Every slot must be among `changes`, or
    /// nothing is written. On success the old passphrase opens old copies of the vault and nothing
    /// here; this handle goes on with the new key.
    pub fn rekey(
        &mut self,
        changes: &[SlotChange<'_>],
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Rewritten, VaultError> {
        // Argon2 runs before the lock is taken: others go on meanwhile.
        self.refresh_log()?;
        self.writable()?;
        let before = self.header.slots.clone();
        check_changes(&self.header, changes)?;
        let key = VaultKey::draw(self.header.vault)?;
        let slots = make_slots(&self.header, changes, &key)?;
        let made: Vec<SlotId> = slots.iter().map(Slot::id).collect();
        // What the header's bounds refuse is refused before anything is written.
        let mut trial = self.next_header()?;
        trial.slots.clone_from(&slots);
        Header::parse(trial.seal(&key)?.bytes())?;

        let store = self.store.clone();
        let lock = store.exclusive(Why::Rekey.purpose(), self.wait)?;
        self.come_to_the_end(&lock)?;
        self.undamaged()?;
        if self.header.slots != before {
            return Err(VaultError::SlotsChanged);
        }
        let mut header = self.next_header()?;
        header.slots = slots;
        let secrets: Vec<&NewSlot<'_>> = changes.iter().filter_map(SlotChange::secret).collect();
        let done = self.rewrite(
            &lock,
            Plan {
                why: Why::Rekey,
                now,
                key,
                header,
                filter: None,
                reading: Reading::Whole,
                ready: &mut |header| {
                    for (id, secret) in made.iter().zip(&secrets) {
                        header.unlock_slot(*id, secret)?;
                    }
                    Ok(())
                },
                progress,
            },
        )?;
        // The successor of the slot that this handle was opened by.
        let place = changes
            .iter()
            .filter(|change| change.secret().is_some())
            .position(|change| change.slot().is_some() && change.slot() == self.opened_by);
        self.opened_by = place.map(|place| made[place]);
        Ok(done)
    }

    /// Finds the slot that a secret opens.
    pub fn slot_of(&self, secret: &Secret<'_>) -> Result<SlotId, VaultError> {
        Ok(secret.unlock(&self.header)?.1)
    }

    /// Stops where the vault is older than this machine remembers.
    pub(super) fn writable(&self) -> Result<(), VaultError> {
        match &self.rollback {
            Some(rollback) => Err(rollback.clone().into()),
            None => Ok(()),
        }
    }

    /// Stops where something does not open: only a repair goes on over that.
    pub(super) fn undamaged(&self) -> Result<(), VaultError> {
        match self.log.damage().first() {
            Some(damage) => Err(VaultError::Damaged(damage.clone())),
            None => Ok(()),
        }
    }
}

/// Every slot must be there once, and what is said to be its secret must open it.
fn check_changes(header: &Header, changes: &[SlotChange<'_>]) -> Result<(), VaultError> {
    let mut left: Vec<&Slot> = header.slots.iter().collect();
    for id in changes.iter().filter_map(SlotChange::slot) {
        let place = left.iter().position(|slot| slot.id() == id);
        let place = place.ok_or(SealError::NoSuchSlot)?;
        left.remove(place);
    }
    if let Some(slot) = left.first() {
        return Err(VaultError::SlotNotGiven {
            slot: slot.id(),
            label: slot.label(),
        });
    }
    for change in changes {
        if let SlotChange::Again(id, secret) = change {
            header.unlock_slot(*id, secret).map_err(|e| match e {
                SealError::WrongPassphrase => VaultError::NotOfSlot { slot: *id },
                other => other.into(),
            })?;
        }
    }
    Ok(())
}

fn make_slots(
    header: &Header,
    changes: &[SlotChange<'_>],
    key: &VaultKey,
) -> Result<Vec<Slot>, VaultError> {
    let label_of = |id: SlotId| {
        let slot = header.slots.iter().find(|slot| slot.id() == id);
        slot.map(Slot::label).unwrap_or_default()
    };
    let mut slots = Vec::new();
    for change in changes {
        let slot = match change {
            SlotChange::Again(id, secret) | SlotChange::Instead(id, secret) => {
                Slot::make(secret, &label_of(*id), key)?
            }
            SlotChange::Add(label, secret) => Slot::make(secret, label, key)?,
            SlotChange::Drop(_) => continue,
        };
        slots.push(slot);
    }
    if slots.is_empty() {
        return Err(SealError::LastSlot.into());
    }
    Ok(slots)
}
