//! `vault.header`: the key slots, and the name of the live epoch. Untrusted until its MAC holds.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::code::RecoveryCode;
use super::error::SealError;
use super::kdf::KdfParams;
use super::keys::{
    EpochId, Random, VaultId, VaultKey, cipher, key_and_commit, mac_bytes, open_detached,
    seal_detached,
};
use super::passphrase::Passphrase;
use super::sealed::Sealed;

const MAGIC: &[u8; 8] = b"AGVAULT1";
const FIXED_BYTES: usize = 64;
const SLOT_BYTES: usize = 160;
const MAC_BYTES: usize = 32;
const LENGTH_MAX: usize = 4096;
/// The part of a slot that its context binds: everything before commit and wrapped key.
const SLOT_BOUND: usize = 80;

/// Names a slot; fresh at each making.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotId(pub [u8; 16]);

impl std::fmt::Display for SlotId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What opens a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotKind {
    Passphrase(KdfParams),
    RecoveryCode,
    KeyFile,
    /// Written by a later version: skipped and kept.
    Unknown(u8),
}

/// One way in: 160 bytes, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Slot {
    raw: [u8; SLOT_BYTES],
    kind: SlotKind,
}

/// What a new slot is made of.
pub enum NewSlot<'a> {
    Passphrase(&'a Passphrase, KdfParams),
    RecoveryCode(&'a RecoveryCode),
    /// At least 20 random bytes of a file.
    KeyFile(&'a [u8]),
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N]
        .try_into()
        .expect("the length was checked before")
}

impl Slot {
    fn parse(raw: [u8; SLOT_BYTES], place: usize) -> Result<Self, SealError> {
        let malformed = Err(SealError::SlotMalformed { slot: place });
        let params = KdfParams {
            m_kib: u32::from_be_bytes(array(&raw, 4)),
            t: u32::from_be_bytes(array(&raw, 8)),
            p: u32::from_be_bytes(array(&raw, 12)),
        };
        let kind = match raw[0] {
            1 => SlotKind::Passphrase(params),
            2 => SlotKind::RecoveryCode,
            3 => SlotKind::KeyFile,
            other => SlotKind::Unknown(other),
        };
        match kind {
            SlotKind::Passphrase(params) => {
                if raw[1] != 1 {
                    return malformed;
                }
                params.check(place)?;
            }
            SlotKind::RecoveryCode | SlotKind::KeyFile => {
                if raw[1] != 2 || raw[4..16] != [0; 12] {
                    return malformed;
                }
            }
            SlotKind::Unknown(_) => return Ok(Slot { raw, kind }),
        }
        if raw[2..4] != [0; 2] {
            return malformed;
        }
        Ok(Slot { raw, kind })
    }

    /// Wraps `key` under a new secret, with fresh salt and id.
    pub fn make(secret: &NewSlot<'_>, label: &str, key: &VaultKey) -> Result<Self, SealError> {
        Slot::make_with(secret, label, key, Random::bytes()?, Random::bytes()?)
    }

    pub(super) fn make_with(
        secret: &NewSlot<'_>,
        label: &str,
        key: &VaultKey,
        salt: [u8; 32],
        slot_id: [u8; 16],
    ) -> Result<Self, SealError> {
        if label.len() > 16 || label.contains('\0') {
            return Err(SealError::SlotLabel);
        }
        let mut raw = [0; SLOT_BYTES];
        let (kind, ikm) = match secret {
            NewSlot::Passphrase(passphrase, params) => {
                params.check(0)?;
                (raw[0], raw[1]) = (1, 1);
                raw[4..8].copy_from_slice(&params.m_kib.to_be_bytes());
                raw[8..12].copy_from_slice(&params.t.to_be_bytes());
                raw[12..16].copy_from_slice(&params.p.to_be_bytes());
                let ikm = Zeroizing::new(params.derive(passphrase, &salt)?.to_vec());
                (SlotKind::Passphrase(*params), ikm)
            }
            NewSlot::RecoveryCode(code) => {
                (raw[0], raw[1]) = (2, 2);
                (
                    SlotKind::RecoveryCode,
                    Zeroizing::new(code.bytes().to_vec()),
                )
            }
            NewSlot::KeyFile(bytes) => {
                if bytes.len() < 20 {
                    return Err(SealError::RecoveryCode);
                }
                (raw[0], raw[1]) = (3, 2);
                (SlotKind::KeyFile, Zeroizing::new(bytes.to_vec()))
            }
        };
        raw[16..48].copy_from_slice(&salt);
        raw[48..64].copy_from_slice(&slot_id);
        raw[64..64 + label.len()].copy_from_slice(label.as_bytes());
        let mut slot = Slot { raw, kind };
        let (kek, commit) = slot.key_and_commit(key.vault, &ikm);
        let mut wrapped = Zeroizing::new(*key.bytes());
        let aad = slot.context(key.vault);
        let tag = seal_detached(&cipher(&kek), &[0; 12], &aad, wrapped.as_mut_slice());
        slot.raw[80..112].copy_from_slice(&commit);
        slot.raw[112..144].copy_from_slice(wrapped.as_slice());
        slot.raw[144..160].copy_from_slice(&tag);
        Ok(slot)
    }

    fn context(&self, vault: VaultId) -> Vec<u8> {
        let mut context = b"agent-vault/v1/slot\0AGVAULT1".to_vec();
        context.extend_from_slice(&vault.0);
        context.extend_from_slice(&self.raw[..SLOT_BOUND]);
        context
    }

    fn key_and_commit(&self, vault: VaultId, ikm: &[u8]) -> (Zeroizing<[u8; 32]>, [u8; 32]) {
        key_and_commit(&vault.0, ikm, &[&self.context(vault)])
    }

    /// The vault key, if `ikm` is this slot's.
    fn unwrap_with(&self, vault: VaultId, ikm: &[u8]) -> Option<VaultKey> {
        let (kek, commit) = self.key_and_commit(vault, ikm);
        if !bool::from(commit.ct_eq(&array::<32>(&self.raw, 80))) {
            return None;
        }
        let mut key: Zeroizing<[u8; 32]> = Zeroizing::new(array(&self.raw, 112));
        let aad = self.context(vault);
        let tag = array(&self.raw, 144);
        open_detached(&cipher(&kek), &[0; 12], &aad, key.as_mut_slice(), &tag).ok()?;
        Some(VaultKey::take(&mut key, vault))
    }

    pub fn id(&self) -> SlotId {
        SlotId(array(&self.raw, 48))
    }

    pub fn kind(&self) -> SlotKind {
        self.kind
    }

    /// The label, in clear; what is not UTF-8 is replaced.
    pub fn label(&self) -> String {
        let label = &self.raw[64..80];
        let end = label.iter().position(|b| *b == 0).unwrap_or(label.len());
        String::from_utf8_lossy(&label[..end]).into_owned()
    }

    fn salt(&self) -> [u8; 32] {
        array(&self.raw, 16)
    }
}

/// A parsed header. Everything in it is bound-checked; nothing in it is trusted before `verify`.
#[derive(Clone)]
pub struct Header {
    minor: u16,
    pub vault: VaultId,
    pub epoch: EpochId,
    /// +1 at each rewrite of the file.
    pub generation: u64,
    /// Unix seconds.
    pub created: u64,
    pub slots: Vec<Slot>,
    /// What a later minor version adds before the MAC; carried on.
    extra: Vec<u8>,
    mac: [u8; MAC_BYTES],
    stored: Vec<u8>,
}

impl Header {
    /// A header that has not been sealed yet.
    pub fn new(vault: VaultId, epoch: EpochId, created: u64, slots: Vec<Slot>) -> Self {
        Header {
            minor: 0,
            vault,
            epoch,
            generation: 1,
            created,
            slots,
            extra: Vec::new(),
            mac: [0; MAC_BYTES],
            stored: Vec::new(),
        }
    }

    /// Checks magic, sizes, zero fields and KDF bounds; derives nothing.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() < FIXED_BYTES + SLOT_BYTES + MAC_BYTES || !bytes.starts_with(MAGIC) {
            return Err(SealError::NotAHeader);
        }
        let u16_at = |at| u16::from_be_bytes(array(bytes, at));
        let u64_at = |at| u64::from_be_bytes(array(bytes, at));
        let (minor, said, count, flags) =
            (u16_at(8), usize::from(u16_at(10)), u16_at(12), u16_at(14));
        let actual = bytes.len();
        if said != actual || actual > LENGTH_MAX {
            return Err(SealError::HeaderLength { said, actual });
        }
        if flags != 0 {
            return Err(SealError::HeaderFlags { flags });
        }
        if !(1..=16).contains(&count) {
            return Err(SealError::SlotCount(count));
        }
        let slots_end = FIXED_BYTES + usize::from(count) * SLOT_BYTES;
        let least = slots_end + MAC_BYTES;
        if actual < least || (minor == 0 && actual != least) {
            return Err(SealError::HeaderLength {
                said: least,
                actual,
            });
        }
        let slots = (0..usize::from(count))
            .map(|place| Slot::parse(array(bytes, FIXED_BYTES + place * SLOT_BYTES), place))
            .collect::<Result<Vec<_>, _>>()?;
        let header = Header {
            minor,
            vault: VaultId(array(bytes, 16)),
            epoch: EpochId(array(bytes, 32)),
            generation: u64_at(48),
            created: u64_at(56),
            slots,
            extra: bytes[slots_end..actual - MAC_BYTES].to_vec(),
            mac: array(bytes, actual - MAC_BYTES),
            stored: bytes.to_vec(),
        };
        if header.kdf_all().map(|kdf| kdf.work()).sum::<u64>() > KdfParams::WORK_TOTAL_MAX {
            return Err(SealError::KdfWorkTotal);
        }
        Ok(header)
    }

    /// The epoch that a damaged header seems to name.
    pub fn epoch_of(bytes: &[u8]) -> Option<EpochId> {
        bytes.get(32..)?.first_chunk().copied().map(EpochId)
    }

    /// The KDF numbers of the passphrase slots.
    pub fn kdf_all(&self) -> impl Iterator<Item = KdfParams> {
        self.slots.iter().filter_map(|slot| match slot.kind {
            SlotKind::Passphrase(params) => Some(params),
            _ => None,
        })
    }

    /// Refuses KDF memory beyond what this machine has left.
    pub fn check_memory(&self, left_kib: Option<u64>) -> Result<(), SealError> {
        let needed_kib = self
            .kdf_all()
            .map(|kdf| u64::from(kdf.m_kib))
            .max()
            .unwrap_or(0);
        match left_kib {
            Some(left_kib) if needed_kib > left_kib => Err(SealError::KdfMemoryLeft {
                needed_kib,
                left_kib,
            }),
            _ => Ok(()),
        }
    }

    /// The bytes as they were read.
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// Tries the passphrase at every passphrase slot, then holds the MAC.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<(VaultKey, SlotId), SealError> {
        self.unlock_with(|slot| match slot.kind {
            SlotKind::Passphrase(params) => params
                .derive(passphrase, &slot.salt())
                .map(|ikm| Some(Zeroizing::new(ikm.to_vec()))),
            _ => Ok(None),
        })
    }

    /// Tries a recovery code.
    pub fn unlock_code(&self, code: &RecoveryCode) -> Result<(VaultKey, SlotId), SealError> {
        self.unlock_with(|slot| {
            let ours = slot.kind == SlotKind::RecoveryCode;
            Ok(ours.then(|| Zeroizing::new(code.bytes().to_vec())))
        })
    }

    /// Tries the bytes of a key file.
    pub fn unlock_file(&self, bytes: &[u8]) -> Result<(VaultKey, SlotId), SealError> {
        self.unlock_with(|slot| {
            let ours = slot.kind == SlotKind::KeyFile;
            Ok(ours.then(|| Zeroizing::new(bytes.to_vec())))
        })
    }

    /// Opens one slot with the secret that it was made of.
    pub fn unlock_slot(&self, id: SlotId, secret: &NewSlot<'_>) -> Result<VaultKey, SealError> {
        let slot = self.slots.iter().find(|slot| slot.id() == id);
        let slot = slot.ok_or(SealError::NoSuchSlot)?;
        let ikm = match (secret, slot.kind) {
            (NewSlot::Passphrase(passphrase, _), SlotKind::Passphrase(params)) => {
                Zeroizing::new(params.derive(passphrase, &slot.salt())?.to_vec())
            }
            (NewSlot::RecoveryCode(code), SlotKind::RecoveryCode) => {
                Zeroizing::new(code.bytes().to_vec())
            }
            (NewSlot::KeyFile(bytes), SlotKind::KeyFile) => Zeroizing::new(bytes.to_vec()),
            _ => return Err(SealError::WrongPassphrase),
        };
        let key = slot.unwrap_with(self.vault, &ikm);
        let key = key.ok_or(SealError::WrongPassphrase)?;
        self.verify(&key)?;
        Ok(key)
    }

    fn unlock_with(
        &self,
        ikm: impl Fn(&Slot) -> Result<Option<Zeroizing<Vec<u8>>>, SealError>,
    ) -> Result<(VaultKey, SlotId), SealError> {
        for slot in &self.slots {
            let Some(ikm) = ikm(slot)? else { continue };
            if let Some(key) = slot.unwrap_with(self.vault, &ikm) {
                self.verify(&key)?;
                return Ok((key, slot.id()));
            }
        }
        Err(SealError::WrongPassphrase)
    }

    /// Holds the MAC of the bytes as read.
    pub fn verify(&self, key: &VaultKey) -> Result<(), SealError> {
        let covered = &self.stored[..self.stored.len() - MAC_BYTES];
        let mut mac = key.header_mac();
        hmac::Mac::update(&mut mac, covered);
        let holds: bool = mac_bytes(mac).ct_eq(&self.mac).into();
        if holds && key.vault == self.vault {
            Ok(())
        } else {
            Err(SealError::HeaderMac)
        }
    }

    /// The file of this header under `key`.
    pub fn seal(&self, key: &VaultKey) -> Result<Sealed, SealError> {
        if self.slots.is_empty() || self.slots.len() > 16 {
            return Err(SealError::NoRoomForSlot);
        }
        let length = FIXED_BYTES + self.slots.len() * SLOT_BYTES + self.extra.len() + MAC_BYTES;
        if length > LENGTH_MAX {
            return Err(SealError::NoRoomForSlot);
        }
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.minor.to_be_bytes());
        out.extend_from_slice(&(length as u16).to_be_bytes());
        out.extend_from_slice(&(self.slots.len() as u16).to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.vault.0);
        out.extend_from_slice(&self.epoch.0);
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.created.to_be_bytes());
        for slot in &self.slots {
            out.extend_from_slice(&slot.raw);
        }
        out.extend_from_slice(&self.extra);
        let mut mac = key.header_mac();
        hmac::Mac::update(&mut mac, &out);
        out.extend_from_slice(&mac_bytes(mac));
        Ok(Sealed(out))
    }
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
