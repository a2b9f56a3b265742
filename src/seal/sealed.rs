//! Bytes that may rest in a store.

/// A whole file in its stored form. Made only by the `seal` room, so a store that takes nothing
/// else holds no plaintext.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub(super) Vec<u8>);

impl Sealed {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The frames of one append, in order, one after the other.
pub struct SealedFrames(pub(super) Vec<u8>);

impl SealedFrames {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
