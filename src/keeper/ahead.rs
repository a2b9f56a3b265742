//! Reading on in an index file: whoever asks for chunk after chunk gets several at once, and the
//! next ones are opened while the last are worked on.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::message::Payload;
use super::protocol::FileForm;
use crate::seal::CHUNK_BYTES;
use crate::vault::{IndexFiles, SealedFile, VaultError, VaultIndex};

/// Chunks that cross the socket at once, at the most.
pub(super) const CHUNKS_MAX: u64 = 16;

/// The keeper's side. Holds one answer at the most before it is asked for; wiped if something else
/// is.
#[derive(Default)]
pub(super) struct Opened {
    last: Option<(FileForm, u64, u64)>,
    next: Option<(FileForm, u64, Payload)>,
}

impl Opened {
    /// `count` chunks from `first` on, or as many as there are.
    pub(super) fn chunks(
        &mut self,
        index: &VaultIndex,
        file: FileForm,
        first: u64,
        count: u64,
    ) -> Result<Option<Payload>, VaultError> {
        self.last = Some((file, first, count));
        match self.next.take() {
            Some((of, at, chunks)) if of == file && at == first => Ok(Some(chunks)),
            _ => open(index, file, first, count),
        }
    }

    /// Called once the answer is on its way. Who asked for several reads on.
    pub(super) fn go_on(&mut self, index: &VaultIndex) {
        let Some((file, first, count)) = self.last.take().filter(|(_, _, count)| *count > 1) else {
            return;
        };
        // What is wrong with them is told when they are asked for.
        let chunks = open(index, file, first + count, CHUNKS_MAX).ok().flatten();
        self.next = chunks.map(|chunks| (file, first + count, chunks));
    }
}

fn open(
    index: &VaultIndex,
    file: FileForm,
    first: u64,
    count: u64,
) -> Result<Option<Payload>, VaultError> {
    let count = count.min(CHUNKS_MAX);
    let mut all = Zeroizing::new(Vec::with_capacity(count as usize * CHUNK_BYTES));
    for n in first..first.saturating_add(count) {
        match index.chunk(&file.into(), n) {
            Ok(Some(chunk)) => all.extend_from_slice(&chunk),
            // Those before it are good, and it may never be asked for.
            _ if n > first => break,
            nothing => return nothing,
        }
    }
    Ok(Some(all))
}

/// The client's side.
#[derive(Default)]
pub(super) struct Ahead {
    last: Option<(SealedFile, u64)>,
    asked: u64,
    got: VecDeque<Zeroizing<Vec<u8>>>,
}

impl Ahead {
    /// A chunk that is here already, or how many are to be asked for from it on: more each time.
    pub(super) fn take(&mut self, file: &SealedFile, n: u64) -> Result<Zeroizing<Vec<u8>>, u64> {
        let before = self.last.replace((*file, n));
        let follows = n
            .checked_sub(1)
            .is_some_and(|prior| before == Some((*file, prior)));
        if !follows {
            self.got.clear();
            self.asked = 0;
        }
        self.got.pop_front().ok_or_else(|| {
            self.asked = (2 * self.asked).clamp(1, CHUNKS_MAX);
            self.asked
        })
    }

    /// The first of what came; the others stay for later.
    pub(super) fn put(&mut self, all: Payload) -> Option<Zeroizing<Vec<u8>>> {
        if all.len() <= CHUNK_BYTES {
            return Some(all);
        }
        let chunks = all.chunks(CHUNK_BYTES);
        self.got = chunks.map(|chunk| Zeroizing::new(chunk.to_vec())).collect();
        self.got.pop_front()
    }
}
