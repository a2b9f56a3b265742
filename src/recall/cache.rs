//! Opened chunks of index files, a bounded number of them; wiped when they leave.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use zeroize::Zeroizing;

use super::RecallError;
use super::shelf::{CHUNK_BYTES, FileMark, Shelf};

pub type Chunk = Rc<Zeroizing<Vec<u8>>>;

/// Mixes file names, which are random, and chunk numbers; a stronger hash would cost more than the
/// copying it leads to.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

type Key = ([u8; 16], u64);

struct Held {
    chunk: Chunk,
    used: u64,
}

/// The chunks last used; the one not used for longest goes first.
pub struct ChunkCache {
    held: RefCell<HashMap<Key, Held, BuildHasherDefault<Mixer>>>,
    clock: std::cell::Cell<u64>,
    chunks_max: usize,
}

impl ChunkCache {
    pub fn new(chunks_max: usize) -> Self {
        ChunkCache {
            held: RefCell::default(),
            clock: std::cell::Cell::new(0),
            chunks_max: chunks_max.max(1),
        }
    }

    pub fn forget(&self, name: &[u8; 16]) {
        self.held.borrow_mut().retain(|(file, _), _| file != name);
    }

    pub fn chunk(&self, shelf: &dyn Shelf, file: &FileMark, n: u64) -> Result<Chunk, RecallError> {
        self.clock.set(self.clock.get() + 1);
        let mut held = self.held.borrow_mut();
        if let Some(known) = held.get_mut(&(file.name, n)) {
            known.used = self.clock.get();
            return Ok(known.chunk.clone());
        }
        let chunk = shelf.read_chunk(file, n)?.ok_or(RecallError::Damaged)?;
        let wanted = (file.size - (n * CHUNK_BYTES as u64).min(file.size)).min(CHUNK_BYTES as u64);
        if chunk.len() as u64 != wanted {
            return Err(RecallError::Damaged);
        }
        if held.len() >= self.chunks_max {
            let oldest = held
                .iter()
                .min_by_key(|(_, held)| held.used)
                .map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                held.remove(&oldest);
            }
        }
        let chunk = Rc::new(chunk);
        held.insert(
            (file.name, n),
            Held {
                chunk: chunk.clone(),
                used: self.clock.get(),
            },
        );
        Ok(chunk)
    }

    /// Calls `take` with the bytes of a range, chunk by chunk.
    pub fn read(
        &self,
        shelf: &dyn Shelf,
        file: &FileMark,
        range: std::ops::Range<u64>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), RecallError> {
        if range.start > range.end || range.end > file.size {
            return Err(RecallError::Damaged);
        }
        let mut at = range.start;
        while at < range.end {
            let n = at / CHUNK_BYTES as u64;
            let chunk = self.chunk(shelf, file, n)?;
            let from = (at - n * CHUNK_BYTES as u64) as usize;
            let to = (range.end - n * CHUNK_BYTES as u64).min(chunk.len() as u64) as usize;
            take(chunk.get(from..to).ok_or(RecallError::Damaged)?);
            at += (to - from) as u64;
        }
        Ok(())
    }
}
