//! What this machine remembers of the vault: two places, written in turn.

use crate::seal::{VaultKey, WITNESS_PLACE_BYTES, Witness};
use crate::store::{Store, StoreError};

/// Both places as last read or written.
#[derive(Default)]
pub(super) struct WitnessState {
    places: [Option<Witness>; 2],
}

impl WitnessState {
    pub(super) fn read(store: &dyn Store, key: &VaultKey) -> Result<Self, StoreError> {
        let bytes = store.witness(key.vault())?.unwrap_or_default();
        let place = |at: usize| bytes.get(at..).and_then(|place| Witness::open(key, place));
        Ok(WitnessState {
            places: [place(0), place(WITNESS_PLACE_BYTES)],
        })
    }

    pub(super) fn newest(&self) -> Option<&Witness> {
        match (&self.places[0], &self.places[1]) {
            (Some(one), Some(two)) if two.is_newer_than(one) => Some(two),
            (Some(one), _) => Some(one),
            (None, two) => two.as_ref(),
        }
    }

    /// Writes over the older place. A witness that cannot be written is a lost warning, not a lost
    /// record, so nothing stops for it.
    pub(super) fn note(&mut self, store: &dyn Store, key: &VaultKey, witness: Witness) {
        let place = match (&self.places[0], &self.places[1]) {
            (Some(one), Some(two)) => usize::from(one.is_newer_than(two)),
            (Some(_), None) => 1,
            (None, _) => 0,
        };
        if store
            .put_witness(key.vault(), place, &witness.seal(key))
            .is_ok()
        {
            self.places[place] = Some(witness);
        }
    }

    /// Forgets what was remembered, on the owner's word.
    pub(super) fn start_again(&mut self, store: &dyn Store, key: &VaultKey, witness: Witness) {
        for place in 0..2 {
            if store
                .put_witness(key.vault(), place, &witness.seal(key))
                .is_ok()
            {
                self.places[place] = Some(witness);
            }
        }
    }
}
