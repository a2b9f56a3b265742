//! Bytes as they were opened.

use std::ops::{Deref, DerefMut};

use zeroize::{Zeroizing, optimization_barrier};

/// Plaintext in passing, wiped on drop, like `Zeroizing<Vec<u8>>` and several times as fast.
///
/// `Zeroizing` writes byte by byte, so that wiping a segment takes a third as long as opening it;
/// here the bytes are filled at once, and the barrier keeps the compiler from leaving that out.
#[derive(Default)]
pub struct Plaintext(Vec<u8>);

impl Plaintext {
    pub fn new(bytes: Vec<u8>) -> Self {
        Plaintext(bytes)
    }

    pub fn with_capacity(len: usize) -> Self {
        Plaintext(Vec::with_capacity(len))
    }

    /// Makes room for `more`, without leaving an unwiped copy behind.
    pub fn make_room(&mut self, more: usize) {
        let wanted = self.0.len() + more;
        if wanted > self.0.capacity() {
            let mut grown = Plaintext::with_capacity(wanted.max(2 * self.0.capacity()));
            grown.0.extend_from_slice(&self.0);
            *self = grown;
        }
    }

    /// Adds bytes, without leaving an unwiped copy behind.
    pub fn push(&mut self, more: &[u8]) {
        self.make_room(more.len());
        self.0.extend_from_slice(more);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// Wipes the bytes and keeps the room.
    pub fn wipe(&mut self) {
        // Behind its length too: it may have been longer.
        self.0.clear();
        self.0.resize(self.0.capacity(), 0);
        optimization_barrier(self.0.as_slice());
        self.0.clear();
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
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_room_is_kept_and_handed_on() {
        let mut text = Plaintext::with_capacity(8);
        text.push(b"abcd");
        text.push(b"efgh");
        text.truncate(6);
        text[0] = b'A';
        assert_eq!(&*text, b"Abcdef");
        assert_eq!(text.into_zeroizing().as_slice(), b"Abcdef");
    }

    #[test]
    fn growing_keeps_the_bytes_and_wiping_keeps_the_room() {
        let mut text = Plaintext::default();
        for n in 0..200_u8 {
            text.push(&[n; 100]);
        }
        assert!(text.len() == 20_000 && text[100] == 1 && text[19_999] == 199);
        let room = text.0.capacity();
        text.wipe();
        assert!(text.is_empty());
        assert_eq!(text.0.capacity(), room);
    }
}
