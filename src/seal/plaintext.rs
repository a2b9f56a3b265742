//! Bytes as they were opened.

use std::ops::{Deref, DerefMut};

use zeroize::{Zeroizing, optimization_barrier};

/// The plaintext of a sealed file, wiped on drop.
///
/// `Zeroizing` writes byte by byte, so that wiping a segment takes a third as long as opening it;
/// here the bytes are filled at once, and the barrier keeps the compiler from leaving that out.
pub struct Plaintext(Vec<u8>);

impl Plaintext {
    /// Room for so many bytes. Growing beyond it would leave copies behind that are not wiped.
    pub(super) fn with_capacity(len: usize) -> Self {
        Plaintext(Vec::with_capacity(len))
    }

    /// Adds bytes for which there is room.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.0.capacity() - self.0.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// The same bytes, without a copy, for those that keep small ones.
    pub fn into_zeroizing(mut self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(std::mem::take(&mut self.0))
    }
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Plaintext {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        self.0.resize(self.0.capacity(), 0);
        self.0.fill(0);
        optimization_barrier(self.0.as_slice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_room_is_kept_and_handed_on() {
        let mut text = Plaintext::with_capacity(8);
        text.extend(b"abcd");
        text.extend(b"efgh");
        text.truncate(6);
        text[0] = b'A';
        assert_eq!(&*text, b"Abcdef");
        assert_eq!(text.into_zeroizing().as_slice(), b"Abcdef");
    }

    #[test]
    #[should_panic(expected = "len")]
    fn what_has_no_room_is_a_fault_of_ours() {
        let mut text = Plaintext::with_capacity(4);
        text.extend(&[0; 64]);
    }
}
