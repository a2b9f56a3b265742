//! What this machine remembers of a vault, outside of it: 120 bytes in a place of 4096.

use hmac::Mac;
use subtle::ConstantTimeEq;

use super::frame::{Link, Position};
use super::keys::{EpochId, VaultId, VaultKey, mac_bytes};
use super::sealed::Sealed;

pub const WITNESS_PLACE_BYTES: usize = 4096;
const MAGIC: &[u8; 8] = b"AGWITNS1";
const COVERED_BYTES: usize = 88;

/// The furthest place of a log that was seen durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Witness {
    pub epoch: EpochId,
    /// Of the header.
    pub generation: u64,
    pub at: Position,
}

impl Witness {
    /// One place of the witness file.
    pub fn seal(&self, key: &VaultKey) -> Sealed {
        let mut place = Vec::with_capacity(WITNESS_PLACE_BYTES);
        place.extend_from_slice(MAGIC);
        place.extend_from_slice(&key.vault.0);
        place.extend_from_slice(&self.epoch.0);
        place.extend_from_slice(&self.generation.to_be_bytes());
        place.extend_from_slice(&self.at.seq.to_be_bytes());
        place.extend_from_slice(&self.at.link.0);
        let mut mac = key.witness_mac();
        mac.update(&place);
        place.extend_from_slice(&mac_bytes(mac));
        place.resize(WITNESS_PLACE_BYTES, 0);
        Sealed(place)
    }

    /// Reads one place, if it is whole and of this vault.
    pub fn open(key: &VaultKey, place: &[u8]) -> Option<Self> {
        let covered = place.get(..COVERED_BYTES)?;
        let said = place.get(COVERED_BYTES..COVERED_BYTES + 32)?;
        let mut mac = key.witness_mac();
        mac.update(covered);
        let VaultId(vault) = key.vault;
        let holds: bool = mac_bytes(mac).ct_eq(said).into();
        if !holds || !covered.starts_with(MAGIC) || covered[8..24] != vault {
            return None;
        }
        let u64_at = |at: usize| Some(u64::from_be_bytes(*covered[at..].first_chunk()?));
        Some(Witness {
            epoch: EpochId(*covered[24..].first_chunk()?),
            generation: u64_at(40)?,
            at: Position {
                seq: u64_at(48)?,
                link: Link(*covered[56..].first_chunk()?),
            },
        })
    }

    /// Whether this place counts before `other`: the higher generation, then the higher seq.
    pub fn is_newer_than(&self, other: &Witness) -> bool {
        (self.generation, self.at.seq) > (other.generation, other.at.seq)
    }
}
