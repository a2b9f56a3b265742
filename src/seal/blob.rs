//! Sealed files: a 136-byte head, then chunks of 64 KiB that open one by one.

use chacha20poly1305::ChaCha20Poly1305;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::SealError;
use super::keys::{
    DataKey, EpochId, Random, VaultId, cipher, key_and_commit, open_detached, seal_detached,
};
use super::plaintext::Plaintext;
use super::sealed::Sealed;

pub const HEAD_BYTES: usize = 136;
pub const CHUNK_BYTES: usize = 65_536;
pub const TAG_BYTES: usize = 16;
const MAGIC: &[u8; 4] = b"AGSB";
/// The part of the head that the key derivation binds: everything before salt and commit.
const BOUND_BYTES: usize = 72;

/// What a sealed file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum BlobKind {
    ConversationBuffer = 1,
    LongTermMemory = 2,
    Tail = 3,
    Segment = 4,
    IndexFile = 5,
    ProviderKeys = 6,
    Conversations = 7,
    IndexManifest = 8,
}

impl BlobKind {
    const ALL: [BlobKind; 8] = [
        BlobKind::ConversationBuffer,
        BlobKind::LongTermMemory,
        BlobKind::Tail,
        BlobKind::Segment,
        BlobKind::IndexFile,
        BlobKind::ProviderKeys,
        BlobKind::Conversations,
        BlobKind::IndexManifest,
    ];
}

/// The 16 bytes that tie a file to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub [u8; 16]);

impl ObjectId {
    /// Of a tail or a segment.
    pub fn numbered(number: u64) -> Self {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        ObjectId(id)
    }

    /// Of a file of which an epoch has one.
    pub fn only(kind: BlobKind) -> Self {
        ObjectId([kind as u8; 16])
    }

    /// The number of a tail or a segment.
    pub fn number(self) -> Option<u64> {
        let (zero, number) = self.0.split_first_chunk::<8>()?;
        (*zero == [0; 8]).then_some(u64::from_be_bytes(*number.first_chunk()?))
    }
}

/// What a reader expects under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobId {
    pub kind: BlobKind,
    pub object: ObjectId,
}

impl BlobId {
    pub fn only(kind: BlobKind) -> Self {
        BlobId {
            kind,
            object: ObjectId::only(kind),
        }
    }

    pub fn numbered(kind: BlobKind, number: u64) -> Self {
        BlobId {
            kind,
            object: ObjectId::numbered(number),
        }
    }
}

/// What the head of a sealed file says in clear; untrusted until the file opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearHead {
    /// None for a kind that this version does not know.
    pub kind: Option<BlobKind>,
    pub vault: VaultId,
    pub epoch: EpochId,
    pub object: ObjectId,
}

impl ClearHead {
    /// Reads the head of a file of any name; none if it is no sealed file.
    pub fn read(head: &[u8]) -> Option<Self> {
        let head = head
            .first_chunk::<HEAD_BYTES>()
            .filter(|head| head.starts_with(MAGIC))?;
        let id_at = |at: usize| {
            *head[at..]
                .first_chunk()
                .expect("the head is 136 bytes long")
        };
        Some(ClearHead {
            kind: BlobKind::ALL
                .into_iter()
                .find(|kind| *kind as u8 == head[5]),
            vault: VaultId(id_at(8)),
            epoch: EpochId(id_at(24)),
            object: ObjectId(id_at(40)),
        })
    }
}

/// The head of one sealed file, and the key it opens with.
pub struct Blob {
    head: [u8; HEAD_BYTES],
    pub(super) key: Zeroizing<[u8; 32]>,
    cipher: ChaCha20Poly1305,
}

fn head_bytes(id: BlobId, vault: VaultId, epoch: EpochId, generation: u64, len: u64) -> [u8; 72] {
    let mut head = [0; BOUND_BYTES];
    head[..4].copy_from_slice(MAGIC);
    (head[4], head[5]) = (1, id.kind as u8);
    head[8..24].copy_from_slice(&vault.0);
    head[24..40].copy_from_slice(&epoch.0);
    head[40..56].copy_from_slice(&id.object.0);
    head[56..64].copy_from_slice(&generation.to_be_bytes());
    head[64..72].copy_from_slice(&len.to_be_bytes());
    head
}

impl Blob {
    /// A head for `len` bytes of plaintext, with fresh salt.
    pub(super) fn draw(
        key: &DataKey,
        id: BlobId,
        generation: u64,
        len: u64,
    ) -> Result<Self, SealError> {
        Ok(Blob::with_salt(key, id, generation, len, Random::bytes()?))
    }

    pub(super) fn with_salt(
        key: &DataKey,
        id: BlobId,
        generation: u64,
        len: u64,
        salt: [u8; 32],
    ) -> Self {
        let bound = head_bytes(id, key.vault, key.epoch, generation, len);
        let (blob_key, commit) =
            key_and_commit(&salt, key.bytes(), &[b"agent-vault/v1/blob\0", &bound]);
        let mut head = [0; HEAD_BYTES];
        head[..BOUND_BYTES].copy_from_slice(&bound);
        head[72..104].copy_from_slice(&salt);
        head[104..].copy_from_slice(&commit);
        let cipher = cipher(&blob_key);
        Blob {
            head,
            key: blob_key,
            cipher,
        }
    }

    /// Reads a head and derives its key, once every field agrees with what the name says.
    ///
    /// `file_bytes` is the size of the whole file, held against the length in the head (for a tail,
    /// which grows behind its first chunk, as a lower bound).
    pub fn read(
        key: &DataKey,
        id: BlobId,
        head: &[u8],
        file_bytes: u64,
    ) -> Result<Self, SealError> {
        let Some(head) = head.first_chunk::<HEAD_BYTES>() else {
            return Err(SealError::NotABlob);
        };
        if !head.starts_with(MAGIC) {
            return Err(SealError::NotABlob);
        }
        if head[4] != 1 {
            return Err(SealError::BlobFormat(head[4]));
        }
        let flags = u16::from_be_bytes([head[6], head[7]]);
        if flags != 0 {
            return Err(SealError::BlobFlags { flags });
        }
        if head[5] != id.kind as u8 {
            return Err(SealError::BlobKind {
                expected: id.kind,
                found: head[5],
            });
        }
        if head[8..24] != key.vault.0 {
            return Err(SealError::BlobVault);
        }
        if head[24..40] != key.epoch.0 {
            return Err(SealError::BlobEpoch);
        }
        if head[40..56] != id.object.0 {
            return Err(SealError::BlobObject);
        }
        let u64_at = |at: usize| {
            u64::from_be_bytes(
                *head[at..]
                    .first_chunk()
                    .expect("the head is 136 bytes long"),
            )
        };
        let (generation, len) = (u64_at(56), u64_at(64));
        let expected = sealed_bytes(len).ok_or(SealError::BlobLength {
            expected: u64::MAX,
            actual: file_bytes,
        })?;
        let fits = match id.kind {
            BlobKind::Tail => len == 40 && file_bytes >= expected,
            _ => file_bytes == expected,
        };
        if !fits {
            return Err(SealError::BlobLength {
                expected,
                actual: file_bytes,
            });
        }
        let salt = *head[72..]
            .first_chunk()
            .expect("the head is 136 bytes long");
        let blob = Blob::with_salt(key, id, generation, len, salt);
        if !bool::from(blob.head[104..].ct_eq(&head[104..])) {
            return Err(SealError::BlobKey);
        }
        Ok(blob)
    }

    /// Makes the most of a damaged file that was sealed once, in its first generation: where its
    /// head does not hold, all but the salt is known from its name and size.
    pub(super) fn rescue(key: &DataKey, id: BlobId, file: &[u8]) -> Result<Self, SealError> {
        let read = |bytes| Blob::read(key, id, file, bytes);
        read(file.len() as u64).or_else(|source| match source {
            // The head holds and the file is cut, or longer than it was.
            SealError::BlobLength { expected, .. } if read(expected).is_ok() => read(expected),
            _ => {
                let body = (file.len() as u64).checked_sub(HEAD_BYTES as u64);
                let chunks = body.map(|body| body.div_ceil((CHUNK_BYTES + TAG_BYTES) as u64));
                let len = body
                    .zip(chunks)
                    .and_then(|(body, chunks)| body.checked_sub(chunks.max(1) * TAG_BYTES as u64));
                let len = len.ok_or(SealError::NotABlob)?;
                let salt = *file[72..].first_chunk().ok_or(SealError::NotABlob)?;
                Ok(Blob::with_salt(key, id, 1, len, salt))
            }
        })
    }

    pub fn generation(&self) -> u64 {
        u64::from_be_bytes(
            *self.head[56..]
                .first_chunk()
                .expect("the head is 136 bytes long"),
        )
    }

    /// Bytes of plaintext.
    pub fn len(&self) -> u64 {
        u64::from_be_bytes(
            *self.head[64..]
                .first_chunk()
                .expect("the head is 136 bytes long"),
        )
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names this very sealing: no two share it.
    pub fn commit(&self) -> [u8; 32] {
        *self.head[104..]
            .first_chunk()
            .expect("the head is 136 bytes long")
    }

    pub fn chunks(&self) -> u64 {
        self.len().div_ceil(CHUNK_BYTES as u64).max(1)
    }

    /// Where chunk `index` stands in the file, and how many bytes it has with its tag.
    pub fn chunk_place(&self, index: u64) -> Option<(u64, usize)> {
        if index >= self.chunks() {
            return None;
        }
        let start = index * CHUNK_BYTES as u64;
        let len = (self.len() - start).min(CHUNK_BYTES as u64) as usize;
        let offset = HEAD_BYTES as u64 + index * (CHUNK_BYTES + TAG_BYTES) as u64;
        Some((offset, len + TAG_BYTES))
    }

    fn nonce(&self, index: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&index.to_be_bytes());
        nonce[11] = u8::from(index + 1 == self.chunks());
        nonce
    }

    /// Seals one chunk in place.
    pub(super) fn seal_chunk(&self, index: u64, chunk: &mut [u8]) -> [u8; TAG_BYTES] {
        seal_detached(&self.cipher, &self.nonce(index), &self.head, chunk)
    }

    /// Opens one chunk in place: `bytes` is ciphertext and tag as stored; the plaintext comes back.
    pub fn open_chunk<'a>(&self, index: u64, bytes: &'a mut [u8]) -> Result<&'a [u8], SealError> {
        let wrong = SealError::Chunk { index };
        let (_, len) = self.chunk_place(index).ok_or(wrong)?;
        if bytes.len() != len {
            return Err(wrong);
        }
        let (text, tag) = bytes.split_last_chunk_mut::<TAG_BYTES>().ok_or(wrong)?;
        open_detached(&self.cipher, &self.nonce(index), &self.head, text, tag)
            .map_err(|()| wrong)?;
        Ok(text)
    }
}

/// Size of a file that holds `len` bytes of plaintext; none where that overflows.
pub(super) fn sealed_bytes(len: u64) -> Option<u64> {
    let chunks = len.div_ceil(CHUNK_BYTES as u64).max(1);
    len.checked_add(HEAD_BYTES as u64)?
        .checked_add(chunks.checked_mul(TAG_BYTES as u64)?)
}

impl DataKey {
    /// Seals a whole file.
    pub fn seal(&self, id: BlobId, generation: u64, plaintext: &[u8]) -> Result<Sealed, SealError> {
        Ok(seal_parts(
            &Blob::draw(self, id, generation, plaintext.len() as u64)?,
            plaintext,
        ))
    }

    /// Opens a whole file into memory that is wiped on drop.
    pub fn open(&self, id: BlobId, file: &[u8]) -> Result<(Blob, Plaintext), SealError> {
        let blob = Blob::read(self, id, file, file.len() as u64)?;
        let mut out = Plaintext::with_capacity(blob.len() as usize + TAG_BYTES);
        for index in 0..blob.chunks() {
            let (offset, len) = blob.chunk_place(index).expect("index is below the count");
            let start = out.len();
            out.push(&file[offset as usize..offset as usize + len]);
            blob.open_chunk(index, &mut out[start..])?;
            let end = out.len() - TAG_BYTES;
            out.truncate(end);
        }
        Ok((blob, out))
    }
}

pub(super) fn seal_parts(blob: &Blob, plaintext: &[u8]) -> Sealed {
    let size = sealed_bytes(plaintext.len() as u64).expect("memory is smaller than 2^63 bytes");
    let mut out = Vec::with_capacity(size as usize);
    out.extend_from_slice(&blob.head);
    for index in 0..blob.chunks() {
        let start = index as usize * CHUNK_BYTES;
        let part = &plaintext[start..plaintext.len().min(start + CHUNK_BYTES)];
        let at = out.len();
        out.extend_from_slice(part);
        let tag = blob.seal_chunk(index, &mut out[at..]);
        out.extend_from_slice(&tag);
    }
    Sealed(out)
}

#[cfg(test)]
#[path = "blob_tests.rs"]
mod tests;
