//! A log as it would be: what is appended stays in RAM, on top of one that is only read.

use zeroize::Zeroizing;

use super::error::VaultError;
use super::{Entry, IndexFiles, IndexManifest, Log, SealedFile};
use crate::model::{FoldName, Record};
use crate::seal::{EpochId, Link, Position};

/// A log for a dry run. What others append meanwhile does not show.
pub struct DryLog {
    base: Box<dyn Log>,
    end: Position,
    own: Vec<Entry>,
}

impl DryLog {
    /// Stands on what `base` holds now.
    pub fn over(mut base: Box<dyn Log>) -> Result<Self, VaultError> {
        let end = base.refresh()?;
        Ok(DryLog {
            base,
            end,
            own: Vec::new(),
        })
    }

    /// Behind so many records of its own; their links are counters, since there is nobody to
    /// deceive.
    fn place(&self, own: u64) -> Position {
        let mut link = self.end.link.0;
        if own > 0 {
            link = [0; 32];
            link[..8].copy_from_slice(&own.to_be_bytes());
        }
        Position {
            seq: self.end.seq + own,
            link: Link(link),
        }
    }
}

impl Log for DryLog {
    fn append(&mut self, records: &[Record]) -> Result<Position, VaultError> {
        for record in records {
            let at = self.place(self.own.len() as u64 + 1);
            self.own.push(Entry::new(at, record.to_line()));
        }
        self.refresh()
    }

    fn append_at(
        &mut self,
        expected: Position,
        records: &[Record],
    ) -> Result<Option<Position>, VaultError> {
        match expected == self.refresh()? {
            true => self.append(records).map(Some),
            false => Ok(None),
        }
    }

    fn refresh(&mut self) -> Result<Position, VaultError> {
        Ok(self.place(self.own.len() as u64))
    }

    fn read(&mut self, after: u64) -> Result<Vec<Entry>, VaultError> {
        if after < self.end.seq {
            let mut batch = self.base.read(after)?;
            batch.retain(|entry| entry.seq <= self.end.seq);
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
        let behind = after.saturating_sub(self.end.seq);
        Ok(self.own.iter().skip(behind as usize).cloned().collect())
    }

    fn checkpoint(&mut self, name: FoldName) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.base.checkpoint(name)
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
        match seq.checked_sub(self.end.seq) {
            None => self.base.position(seq),
            Some(own) => Ok((own <= self.own.len() as u64).then(|| self.place(own))),
        }
    }

    fn index(&self) -> Option<Box<dyn IndexFiles>> {
        let files = self.base.index()?;
        Some(Box::new(ReadOnly(files)))
    }

    fn settle(&mut self) -> Result<(), VaultError> {
        Ok(())
    }

    fn epoch(&self) -> EpochId {
        self.base.epoch()
    }
}

/// Index files whose writers' lock another always holds.
struct ReadOnly(Box<dyn IndexFiles>);

impl IndexFiles for ReadOnly {
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
        Ok(None)
    }

    fn lock(&self) -> Result<bool, VaultError> {
        Ok(false)
    }

    fn unlock(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::ScratchLog;

    #[test]
    fn what_is_appended_follows_what_is_there_and_the_base_stays_as_it_is() {
        let mut base = ScratchLog::default();
        let below = base.append(&[Record::Purged, Record::Unknown]).unwrap();
        let mut log = DryLog::over(Box::new(base)).unwrap();
        assert_eq!(log.refresh().unwrap(), below);
        assert!(log.append_at(below, &[Record::Purged]).unwrap().is_some());
        assert!(log.append_at(below, &[Record::Purged]).unwrap().is_none());
        let (mut seqs, mut at) = (Vec::new(), 0);
        while let Some(last) = log.read(at).unwrap().last() {
            seqs.extend(log.read(at).unwrap().iter().map(|entry| entry.seq));
            at = last.seq;
        }
        assert_eq!(seqs, [1, 2, 3]);
        assert_eq!(log.position(2).unwrap(), Some(below));
        assert_eq!(log.position(3).unwrap(), Some(log.refresh().unwrap()));
        assert_eq!(log.position(4).unwrap(), None);
        assert_eq!(log.base.refresh().unwrap(), below);
    }
}
