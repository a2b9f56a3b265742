//! A log in RAM that is never sealed and never kept: incognito. It begins empty, or stands on a log
//! that it reads and never writes to.

use zeroize::Zeroizing;

use super::error::VaultError;
use super::{Entry, IndexFiles, IndexManifest, Log, SealedFile};
use crate::model::{FoldName, Record};
use crate::seal::{EpochId, Link, Position};

/// Records for the length of one process. Its links are counters: there is nobody to deceive.
#[derive(Default)]
pub struct ScratchLog {
    base: Option<Base>,
    entries: Vec<Entry>,
}

/// What a scratch log stands on.
struct Base {
    /// Its methods that write are called nowhere in this file.
    log: Box<dyn Log>,
    /// Its end, as far as it was taken in.
    end: Position,
    epoch: EpochId,
    /// How often records of ours got other numbers, since the log below had grown.
    moves: u64,
}

impl ScratchLog {
    /// On top of what another log holds; nothing of this one goes there.
    pub fn over(mut log: Box<dyn Log>) -> Result<Self, VaultError> {
        let end = log.refresh()?;
        let epoch = log.epoch();
        let base = Base {
            log,
            end,
            epoch,
            moves: 0,
        };
        Ok(ScratchLog {
            base: Some(base),
            entries: Vec::new(),
        })
    }

    /// The number of the last record that is not ours.
    fn base_seq(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.end.seq)
    }

    /// The place behind so many records of ours.
    fn place(&self, count: u64) -> Position {
        match &self.base {
            Some(base) if count == 0 => base.end,
            _ => self.own_place(count),
        }
    }

    fn own_place(&self, count: u64) -> Position {
        let seq = self.base_seq() + count;
        let moves = self.base.as_ref().map_or(0, |base| base.moves);
        let mut link = [0; 32];
        link[..8].copy_from_slice(&seq.to_be_bytes());
        link[8..16].copy_from_slice(&moves.to_be_bytes());
        Position {
            seq,
            link: Link(link),
        }
    }

    /// Puts our records behind those that came in below.
    fn renumber(&mut self) {
        let places: Vec<Position> = (1..=self.entries.len() as u64)
            .map(|count| self.own_place(count))
            .collect();
        for (entry, at) in self.entries.iter_mut().zip(places) {
            (entry.seq, entry.link) = (at.seq, at.link);
        }
    }
}

impl Log for ScratchLog {
    fn append(&mut self, records: &[Record]) -> Result<Position, VaultError> {
        for record in records {
            let at = self.own_place(self.entries.len() as u64 + 1);
            self.entries.push(Entry::new(at, record.to_line()));
        }
        Ok(self.place(self.entries.len() as u64))
    }

    fn append_at(
        &mut self,
        expected: Position,
        records: &[Record],
    ) -> Result<Option<Position>, VaultError> {
        match expected == self.place(self.entries.len() as u64) {
            true => self.append(records).map(Some),
            false => Ok(None),
        }
    }

    fn refresh(&mut self) -> Result<Position, VaultError> {
        if let Some(base) = &mut self.base {
            let end = base.log.refresh()?;
            let moved = end != base.end;
            (base.end, base.epoch) = (end, base.log.epoch());
            if moved && !self.entries.is_empty() {
                base.moves += 1;
                self.renumber();
            }
        }
        Ok(self.place(self.entries.len() as u64))
    }

    fn read(&mut self, after: u64) -> Result<Vec<Entry>, VaultError> {
        let base_seq = self.base_seq();
        if let Some(base) = self.base.as_mut().filter(|_| after < base_seq) {
            let mut below = base.log.read(after)?;
            // What came in since the last look counts from the next one on.
            below.retain(|entry| entry.seq <= base_seq);
            if !below.is_empty() {
                return Ok(below);
            }
        }
        let known = after.saturating_sub(base_seq) as usize;
        Ok(self.entries.iter().skip(known).cloned().collect())
    }

    fn checkpoint(&mut self, name: FoldName) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        match &mut self.base {
            Some(base) => base.log.checkpoint(name),
            None => Ok(None),
        }
    }

    fn put_checkpoint(
        &mut self,
        _name: FoldName,
        _version: u32,
        _at: Position,
        _json: Zeroizing<Vec<u8>>,
    ) -> Result<(), VaultError> {
        Ok(())
    }

    fn position(&mut self, seq: u64) -> Result<Option<Position>, VaultError> {
        let base_seq = self.base_seq();
        match &mut self.base {
            Some(base) if seq == base_seq => Ok(Some(base.end)),
            Some(base) if seq < base_seq => base.log.position(seq),
            _ => {
                let count = seq - base_seq;
                Ok((count <= self.entries.len() as u64).then(|| self.place(count)))
            }
        }
    }

    fn index(&self) -> Option<Box<dyn IndexFiles>> {
        let files = self.base.as_ref()?.log.index()?;
        Some(Box::new(ReadIndex(files)))
    }

    fn settle(&mut self) -> Result<(), VaultError> {
        Ok(())
    }

    /// Another one whenever records got other numbers, so that everything that knows some by
    /// number starts again.
    fn epoch(&self) -> EpochId {
        let Some(base) = &self.base else {
            return EpochId([0; 16]);
        };
        let mut epoch = base.epoch.0;
        for (byte, of) in epoch.iter_mut().zip(base.moves.to_be_bytes()) {
            *byte ^= of;
        }
        EpochId(epoch)
    }
}

/// The files of an index, without the ways to change them.
struct ReadIndex(Box<dyn IndexFiles>);

impl IndexFiles for ReadIndex {
    fn chunk(
        &self,
        file: &SealedFile,
        index: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.0.chunk(file, index)
    }

    fn write(&self, _bytes: &[u8]) -> Result<SealedFile, VaultError> {
        Err(VaultError::IndexNotLocked)
    }

    fn remove(&self, _name: [u8; 16]) -> Result<(), VaultError> {
        Err(VaultError::IndexNotLocked)
    }

    fn list(&self) -> Result<Vec<[u8; 16]>, VaultError> {
        self.0.list()
    }

    fn manifest(&self) -> Result<Option<IndexManifest>, VaultError> {
        self.0.manifest()
    }

    fn replace_manifest(
        &self,
        _expected: Option<u64>,
        _bytes: &[u8],
    ) -> Result<Option<u64>, VaultError> {
        Err(VaultError::IndexNotLocked)
    }

    /// Never: what is looked for is found in RAM, and nobody else is kept waiting.
    fn lock(&self) -> Result<bool, VaultError> {
        Ok(false)
    }

    fn unlock(&self) {}
}
