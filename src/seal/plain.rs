//! Plaintext in passing, wiped when it goes.

use std::ops::{Deref, DerefMut};

/// Bytes that are wiped on drop, like `Zeroizing<Vec<u8>>` and several times as fast: that writes
/// byte by byte, which is what a rewrite of a whole log would spend its time on.
#[derive(Default)]
pub struct Plain(Vec<u8>);

impl Plain {
    pub fn new(bytes: Vec<u8>) -> Self {
        Plain(bytes)
    }

    pub fn with_capacity(len: usize) -> Self {
        Plain(Vec::with_capacity(len))
    }

    /// Makes room for `more`, without leaving an unwiped copy behind.
    pub fn make_room(&mut self, more: usize) {
        let wanted = self.0.len() + more;
        if wanted > self.0.capacity() {
            let mut grown = Plain::with_capacity(wanted.max(2 * self.0.capacity()));
            grown.0.extend_from_slice(&self.0);
            *self = grown;
        }
    }

    /// Adds bytes, without leaving an unwiped copy behind.
    pub fn push(&mut self, more: &[u8]) {
        self.make_room(more.len());
        self.0.extend_from_slice(more);
    }

    /// Wipes the bytes and keeps the room.
    pub fn wipe(&mut self) {
        self.0.clear();
        // Behind its length too: it may have been longer.
        self.0.resize(self.0.capacity(), 0);
        zeroize::optimization_barrier(self.0.as_slice());
        self.0.clear();
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl Deref for Plain {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Plain {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_the_bytes_and_wiping_leaves_none() {
        let mut plain = Plain::default();
        for n in 0..200_u8 {
            plain.push(&[n; 100]);
        }
        assert!(plain.len() == 20_000 && plain[100] == 1 && plain[19_999] == 199);
        plain.wipe();
        assert!(plain.is_empty());
        let room = plain.0.capacity();
        assert!(room >= 20_000);
        plain.0.resize(room, 7);
        plain.wipe();
        plain.0.extend(std::iter::repeat_n(0, 1));
        assert_eq!(plain.0.capacity(), room);
    }
}
