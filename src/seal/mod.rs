//! How bytes are sealed: keys, the header, blobs, the log's frames and links, the witness.
//!
//! The only room with the cipher, the KDF, random bytes and byte offsets. It never touches a file
//! and does not know what a record means. Every byte is told in `docs/format.md`; the numbers in
//! its vectors are reproduced by the tests.

mod blob;
mod code;
mod error;
mod frame;
mod header;
mod kdf;
mod keys;
mod page;
mod passphrase;
mod plaintext;
mod sealed;
mod segment;
mod stream;
mod witness;

pub use blob::{Blob, BlobId, BlobKind, CHUNK_BYTES, ClearHead, HEAD_BYTES, ObjectId, TAG_BYTES};
pub use code::RecoveryCode;
pub use error::SealError;
pub use frame::{
    Chain, Frame, FrameHead, Link, Position, RECORD_BYTES_MAX, TAIL_HEAD_BYTES, Tail, TailStart,
};
pub use header::{Header, NewSlot, Slot, SlotId, SlotKind};
pub use kdf::KdfParams;
pub use keys::{DataKey, EpochId, Random, VaultId, VaultKey};
pub use page::keys_are_locked;
pub use passphrase::Passphrase;
pub use plaintext::Plaintext;
pub use sealed::{Sealed, SealedFrames};
pub use segment::{Salvage, Segment, SegmentHead, SegmentWriter};
pub use stream::SegmentStream;
pub use witness::{WITNESS_PLACE_BYTES, Witness};

#[cfg(test)]
mod vector_tests;
