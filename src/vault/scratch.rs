//! A log in RAM that is never sealed and never kept: incognito.

use zeroize::Zeroizing;

use super::error::VaultError;
use super::{Entry, Log};
use crate::model::{FoldName, Record};
use crate::seal::{EpochId, Link, Position};

/// Records for the length of one process. Its links are counters: there is nobody to deceive.
#[derive(Default)]
pub struct ScratchLog {
    entries: Vec<Entry>,
}

impl ScratchLog {
    fn place(seq: u64) -> Position {
        let mut link = [0; 32];
        link[..8].copy_from_slice(&seq.to_be_bytes());
        Position {
            seq,
            link: Link(link),
        }
    }
}

impl Log for ScratchLog {
    fn append(&mut self, records: &[Record]) -> Result<Position, VaultError> {
        for record in records {
            let at = ScratchLog::place(self.entries.len() as u64 + 1);
            self.entries.push(Entry::new(at, record.to_line()));
        }
        self.refresh()
    }

    fn append_at(
        &mut self,
        expected: Position,
        records: &[Record],
    ) -> Result<Option<Position>, VaultError> {
        match expected == ScratchLog::place(self.entries.len() as u64) {
            true => self.append(records).map(Some),
            false => Ok(None),
        }
    }

    fn refresh(&mut self) -> Result<Position, VaultError> {
        Ok(ScratchLog::place(self.entries.len() as u64))
    }

    fn read(&mut self, after: u64) -> Result<Vec<Entry>, VaultError> {
        Ok(self.entries.iter().skip(after as usize).cloned().collect())
    }

    fn checkpoint(&mut self, _name: FoldName) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        Ok(None)
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
        Ok((seq <= self.entries.len() as u64).then(|| ScratchLog::place(seq)))
    }

    fn settle(&mut self) -> Result<(), VaultError> {
        Ok(())
    }

    fn epoch(&self) -> EpochId {
        EpochId([0; 16])
    }
}
