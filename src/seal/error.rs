//! What can be wrong with sealed bytes.

use super::blob::BlobKind;

/// Why bytes were not accepted. None of the variants holds a secret or plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the operating system gives no random bytes")]
    NoRandom,

    #[error("the passphrase is empty")]
    EmptyPassphrase,
    #[error("the passphrase is not UTF-8")]
    PassphraseEncoding,
    #[error("the recovery code is not complete or has a typing error")]
    RecoveryCode,

    #[error("not a vault header")]
    NotAHeader,
    #[error("the header is {actual} bytes long and says {said}")]
    HeaderLength { said: usize, actual: usize },
    #[error("the header was written by a later version (flags {flags:#06x})")]
    HeaderFlags { flags: u16 },
    #[error("the header has {0} key slots; 1 to 16 are allowed")]
    SlotCount(u16),
    #[error("key slot {slot} is malformed")]
    SlotMalformed { slot: usize },
    #[error("key slot {slot} asks for {m_kib} KiB of KDF memory; 19456 to 1048576 are allowed")]
    KdfMemory { slot: usize, m_kib: u32 },
    #[error("key slot {slot} asks for {t} KDF passes; 2 to 64 are allowed (1 from 47104 KiB)")]
    KdfPasses { slot: usize, t: u32 },
    #[error("key slot {slot} asks for {p} KDF lanes; 1 to 8 are allowed")]
    KdfLanes { slot: usize, p: u32 },
    #[error("key slot {slot} asks for more KDF work than is allowed (m·t above 2^24)")]
    KdfWork { slot: usize },
    #[error("the key slots together ask for more KDF work than is allowed (m·t above 2^25)")]
    KdfWorkTotal,
    #[error("the KDF needs {needed_kib} KiB of memory and {left_kib} KiB are left")]
    KdfMemoryLeft { needed_kib: u64, left_kib: u64 },
    #[error("the memory for the KDF ({needed_kib} KiB) cannot be had")]
    KdfAllocation { needed_kib: u64 },

    #[error("no key slot opens with what was given")]
    WrongPassphrase,
    #[error("the header is damaged or was changed: its MAC does not hold")]
    HeaderMac,
    #[error("no key slot of that id")]
    NoSuchSlot,
    #[error("the header has no room for another key slot")]
    NoRoomForSlot,
    #[error("the last key slot cannot be removed")]
    LastSlot,
    #[error("a slot label is at most 16 bytes of UTF-8")]
    SlotLabel,

    #[error("not a sealed file")]
    NotABlob,
    #[error("sealed file of format {0}, which this version does not know")]
    BlobFormat(u8),
    #[error("the sealed file was written by a later version (flags {flags:#06x})")]
    BlobFlags { flags: u16 },
    #[error("a sealed file of another kind ({found}) stands under this name")]
    BlobKind { expected: BlobKind, found: u8 },
    #[error("the sealed file belongs to another vault")]
    BlobVault,
    #[error("the sealed file belongs to another epoch")]
    BlobEpoch,
    #[error("another sealed file stands under this name")]
    BlobObject,
    #[error("the sealed file is {actual} bytes long where {expected} are expected")]
    BlobLength { expected: u64, actual: u64 },
    #[error("the sealed file was sealed under another key")]
    BlobKey,
    #[error("chunk {index} of the sealed file does not open")]
    Chunk { index: u64 },

    #[error("the frame does not open")]
    Frame,
    #[error("a record is {len} bytes long; {max} are allowed")]
    RecordLength { len: usize, max: usize },
    #[error("a record holds a line feed")]
    RecordLineFeed,
    #[error("the segment's own count and its lines differ")]
    SegmentCount,
    #[error("the segment's links do not hold")]
    SegmentLinks,
}
