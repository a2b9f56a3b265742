//! The vault key, the data key of an epoch, and what is derived from them (HKDF-SHA-256, RFC 5869).

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::SealError;
use super::page::KeyPage;

/// Names a vault for life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VaultId(pub [u8; 16]);

/// Names one epoch of a vault's log; each has a data key of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EpochId(pub [u8; 16]);

fn hex(bytes: &[u8], f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! shown_as_hex {
    ($($id:ident),*) => {$(
        impl std::fmt::Display for $id {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                hex(&self.0, f)
            }
        }
        impl std::fmt::Debug for $id {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                hex(&self.0, f)
            }
        }
        impl $id {
            /// Reads 32 lower-case hex digits.
            pub fn from_hex(text: &str) -> Option<Self> {
                let bytes = text.as_bytes();
                if bytes.len() != 32 || bytes.iter().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    return None;
                }
                let mut id = [0; 16];
                for (i, byte) in id.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
                }
                Some($id(id))
            }
        }
    )*};
}
shown_as_hex!(VaultId, EpochId);

/// Random bytes from the operating system, fresh at every use.
pub struct Random;

impl Random {
    pub fn bytes<const N: usize>() -> Result<[u8; N], SealError> {
        let mut out = [0; N];
        getrandom::fill(&mut out).map_err(|_| SealError::NoRandom)?;
        Ok(out)
    }
}

/// `HKDF(salt, ikm, info, N)`.
pub(super) fn hkdf<const N: usize>(salt: &[u8], ikm: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    Hkdf::<Sha256>::new(Some(salt), ikm)
        .expand_multi_info(info, out.as_mut_slice())
        .expect("N is at most 64, far below 255 hash lengths");
    out
}

/// The first `N` of 64 derived bytes and the rest: a key and its commitment.
pub(super) fn key_and_commit(
    salt: &[u8],
    ikm: &[u8],
    info: &[&[u8]],
) -> (Zeroizing<[u8; 32]>, [u8; 32]) {
    let both: Zeroizing<[u8; 64]> = hkdf(salt, ikm, info);
    let mut key = Zeroizing::new([0; 32]);
    let mut commit = [0; 32];
    key.copy_from_slice(&both[..32]);
    commit.copy_from_slice(&both[32..]);
    (key, commit)
}

/// HMAC-SHA-256 with the key already taken in.
pub(super) fn keyed_mac(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}

pub(super) fn cipher(key: &[u8; 32]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(key.into())
}

/// Seals in place; the tag comes back.
pub(super) fn seal_detached(
    cipher: &ChaCha20Poly1305,
    nonce: &[u8; 12],
    aad: &[u8],
    buffer: &mut [u8],
) -> [u8; 16] {
    cipher
        .encrypt_inout_detached(nonce.into(), aad, buffer.into())
        .expect("a chunk is far below the cipher's limit of 256 GiB")
        .into()
}

/// Opens in place; on a wrong tag the buffer holds no plaintext.
pub(super) fn open_detached(
    cipher: &ChaCha20Poly1305,
    nonce: &[u8; 12],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; 16],
) -> Result<(), ()> {
    cipher
        .decrypt_inout_detached(nonce.into(), aad, buffer.into(), tag.into())
        .map_err(|_| ())
}

/// The random key that the passphrase wraps. Held on a locked page, wiped on drop.
pub struct VaultKey {
    pub(super) page: KeyPage,
    pub(super) vault: VaultId,
}

impl VaultKey {
    pub(super) fn take(bytes: &mut [u8; 32], vault: VaultId) -> Self {
        VaultKey {
            page: KeyPage::take(bytes),
            vault,
        }
    }

    /// The same key on another locked page, for a second handle on the vault.
    pub(crate) fn again(&self) -> Self {
        VaultKey::take(&mut self.bytes().clone(), self.vault)
    }

    /// Wipes the key now. What is derived from it afterwards opens nothing.
    pub(crate) fn wipe(&mut self) {
        self.page = KeyPage::take(&mut [0; 32]);
    }

    /// Draws a new key.
    pub fn draw(vault: VaultId) -> Result<Self, SealError> {
        Ok(VaultKey::take(&mut Random::bytes()?, vault))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        self.page.bytes()
    }

    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The key of everything that is sealed in `epoch`.
    pub fn data_key(&self, epoch: EpochId) -> DataKey {
        let mut key: Zeroizing<[u8; 32]> = hkdf(&epoch.0, self.bytes(), &[b"agent-vault/v1/data"]);
        let mut link_key: Zeroizing<[u8; 32]> =
            hkdf(&epoch.0, key.as_slice(), &[b"agent-vault/v1/link"]);
        DataKey {
            page: KeyPage::take(&mut key),
            link: KeyPage::take(&mut link_key),
            vault: self.vault,
            epoch,
        }
    }

    pub(super) fn header_mac(&self) -> Hmac<Sha256> {
        let key: Zeroizing<[u8; 32]> =
            hkdf(&self.vault.0, self.bytes(), &[b"agent-vault/v1/header-mac"]);
        keyed_mac(&key)
    }

    pub(super) fn witness_mac(&self) -> Hmac<Sha256> {
        let key: Zeroizing<[u8; 32]> =
            hkdf(&self.vault.0, self.bytes(), &[b"agent-vault/v1/witness"]);
        keyed_mac(&key)
    }
}

/// The key of one epoch. Held on a locked page, wiped on drop.
pub struct DataKey {
    page: KeyPage,
    link: KeyPage,
    pub(super) vault: VaultId,
    pub(super) epoch: EpochId,
}

impl DataKey {
    /// Wipes the key now. It opens nothing afterwards.
    pub(crate) fn wipe(&mut self) {
        self.page = KeyPage::take(&mut [0; 32]);
        self.link = KeyPage::take(&mut [0; 32]);
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        self.page.bytes()
    }

    pub(super) fn link_mac(&self) -> Hmac<Sha256> {
        keyed_mac(self.link.bytes())
    }

    pub fn vault(&self) -> VaultId {
        self.vault
    }

    pub fn epoch(&self) -> EpochId {
        self.epoch
    }
}

/// Finishes a MAC into its 32 bytes.
pub(super) fn mac_bytes(mac: Hmac<Sha256>) -> [u8; 32] {
    mac.finalize().into_bytes().into()
}
