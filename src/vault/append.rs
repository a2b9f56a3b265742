//! The one way anything gets into the log.

use zeroize::Zeroizing;

use super::error::VaultError;
use super::log::CHECK_BYTES;
use super::roll::{TAIL_BYTES_MAX, TAIL_RECORDS_MAX};
use super::{Entry, IndexFiles, Log, Vault};
use crate::model::{FoldName, Record};
use crate::seal::{EpochId, Header, Position, RECORD_BYTES_MAX, Witness};
use crate::store::{Dir, Exclusive, Expected, Name, Part, Purpose, StoreError};

impl Log for Vault {
    fn append(&mut self, records: &[Record]) -> Result<Position, VaultError> {
        let lines: Vec<Zeroizing<Vec<u8>>> = records.iter().map(Record::to_line).collect();
        self.append_lines(&lines)
    }

    fn append_at(
        &mut self,
        expected: Position,
        records: &[Record],
    ) -> Result<Option<Position>, VaultError> {
        let lines: Vec<Zeroizing<Vec<u8>>> = records.iter().map(Record::to_line).collect();
        self.append_lines_at(expected, &lines)
    }

    fn refresh(&mut self) -> Result<Position, VaultError> {
        self.refresh_log()?;
        Ok(self.log.end())
    }

    fn read(&mut self, after: u64) -> Result<Vec<Entry>, VaultError> {
        self.alive()?;
        match self.log.read(&self.data, after) {
            // A segment that vanished: another process has rewritten the vault.
            Err(VaultError::Restless) => {
                self.reread()?;
                self.log.read(&self.data, after)
            }
            other => other,
        }
    }

    fn record(&mut self, seq: u64) -> Result<Option<Record>, VaultError> {
        let line = self.line(seq)?;
        Ok(line.and_then(|line| Record::from_line(&line).ok()))
    }

    fn checkpoint(&mut self, name: FoldName) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.alive()?;
        self.read_checkpoint(name)
    }

    fn put_checkpoint(
        &mut self,
        name: FoldName,
        version: u32,
        at: Position,
        json: Zeroizing<Vec<u8>>,
    ) -> Result<(), VaultError> {
        self.write_checkpoint(name, version, at, &json)
    }

    fn position(&mut self, seq: u64) -> Result<Option<Position>, VaultError> {
        self.alive()?;
        self.log.position(&self.data, seq)
    }

    fn index(&self) -> Option<Box<dyn IndexFiles>> {
        Some(Box::new(self.index_files()))
    }

    fn settle(&mut self) -> Result<(), VaultError> {
        if self.rollback.is_some() || !self.tail_is_full() {
            return Ok(());
        }
        let store = self.store.clone();
        let lock = store.exclusive(Purpose::Append, self.wait)?;
        self.come_to_the_end(&lock)?;
        let broken = self.log.tail().is_some_and(|open| open.broken);
        if self.tail_is_full() && !broken {
            self.roll_over(&lock)
        } else {
            Ok(())
        }
    }

    fn epoch(&self) -> EpochId {
        self.header.epoch
    }
}

impl Vault {
    /// Appends lines that are records already, as an import of an export does.
    pub fn append_lines(&mut self, lines: &[Zeroizing<Vec<u8>>]) -> Result<Position, VaultError> {
        let end = self.append_where(None, lines)?;
        Ok(end.expect("no place was asked for"))
    }

    /// The same, but only if `expected` is still the end of the log.
    pub fn append_lines_at(
        &mut self,
        expected: Position,
        lines: &[Zeroizing<Vec<u8>>],
    ) -> Result<Option<Position>, VaultError> {
        self.append_where(Some(expected), lines)
    }

    fn append_where(
        &mut self,
        expected: Option<Position>,
        lines: &[Zeroizing<Vec<u8>>],
    ) -> Result<Option<Position>, VaultError> {
        if let Some(line) = lines.iter().find(|line| line.len() > RECORD_BYTES_MAX) {
            return Err(VaultError::RecordTooLong {
                len: line.len(),
                max: RECORD_BYTES_MAX,
            });
        }
        if let Some(rollback) = &self.rollback {
            return Err(rollback.clone().into());
        }
        let store = self.store.clone();
        let lock = store.exclusive(Purpose::Append, self.wait)?;
        self.come_to_the_end(&lock)?;
        if expected.is_some_and(|expected| expected != self.log.end()) {
            return Ok(None);
        }
        if lines.is_empty() {
            return Ok(Some(self.log.end()));
        }
        let bytes: usize = lines.iter().map(|line| line.len()).sum();
        if bytes > TAIL_BYTES_MAX || lines.len() > TAIL_RECORDS_MAX {
            self.append_segment(&lock, lines)?;
        } else {
            self.append_frames(&lock, lines)?;
        }
        self.note_durable();
        Ok(Some(self.log.end()))
    }

    /// Under the lock: the live header, the newest tail, read to its end, whole, and on the disk.
    pub(super) fn come_to_the_end(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        let known = self.log.damage().len();
        self.refresh_unlocked()?;
        if self.log.is_torn() || self.log.damage().len() > known {
            // Another process may have cut and grown the tail behind what was read of it: what is
            // torn is judged on the whole file only.
            self.reread()?;
        }
        if let Some(rollback) = &self.rollback {
            return Err(rollback.clone().into());
        }
        if self.log.headless {
            let damage = self.log.damage().last().cloned();
            return Err(VaultError::Damaged(
                damage.expect("a headless log has a damaged tail"),
            ));
        }
        if self.log.is_rolling()? {
            self.finish_roll(lock)?;
        }
        if self.log.tail().is_none() {
            self.start_tail(lock)?;
        }
        self.cut_torn_end(lock)?;
        self.sync_others(lock)?;
        if !self.swept {
            self.tidy(lock)?;
            self.swept = true;
        }
        Ok(())
    }

    /// Moves a torn end to the quarantine: it was never acknowledged.
    fn cut_torn_end(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        let store = self.store.clone();
        let Some(open) = self.log.tail_mut().filter(|open| open.torn) else {
            return Ok(());
        };
        // Nothing that was ever seen durable may lie behind the cut.
        if self.durable.seq > open.at.seq {
            let (end, remembered) = (open.at.seq, self.durable.seq);
            return Err(super::Rollback::LogTruncated { end, remembered }.into());
        }
        store.quarantine_end(lock, &open.name, open.held, open.end)?;
        open.torn = false;
        Ok(())
    }

    /// Syncs what other processes wrote and perhaps did not live to sync: a frame of ours must not
    /// reach the disk before theirs.
    fn sync_others(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        let end = self.log.end();
        if end.seq <= self.durable.seq {
            return Ok(());
        }
        self.witness = super::witness::WitnessState::read(self.store.as_ref(), &self.key)?;
        let covered = self
            .witness
            .newest()
            .is_some_and(|witness| witness.epoch == self.header.epoch && witness.at == end);
        if !covered && let Some(open) = self.log.tail() {
            self.store.sync(lock, &open.name, open.held)?;
        }
        self.durable = end;
        Ok(())
    }

    fn append_frames(
        &mut self,
        lock: &Exclusive,
        lines: &[Zeroizing<Vec<u8>>],
    ) -> Result<(), VaultError> {
        let full = self.tail_is_full();
        let broken = self.log.tail().is_some_and(|open| open.broken);
        if (full || self.mistrust_tail) && !broken {
            self.roll_over(lock)?;
            self.mistrust_tail = false;
        }
        let chain = self.log.chain().clone();
        let store = self.store.clone();
        let open = self.log.tail_mut().expect("the end of the log has a tail");
        let (frames, after) = open.tail.seal(&chain, open.at, lines)?;
        let appended = store.append(lock, &open.name, open.held, open.end, &frames);
        if let Err(error) = appended {
            // The kernel may have dropped the pages of a failed sync: build on a new file.
            self.mistrust_tail |= matches!(error, StoreError::Sync { .. });
            return Err(error.into());
        }
        open.end += frames.bytes().len() as u64;
        open.check
            .copy_from_slice(&frames.bytes()[frames.bytes().len() - CHECK_BYTES..]);
        for line in lines {
            open.at = chain.next(open.at, line);
            let entry = Entry::new(open.at, line.clone());
            open.entries.insert(entry.seq, entry);
        }
        debug_assert_eq!(open.at, after);
        Ok(())
    }

    fn tail_is_full(&self) -> bool {
        self.log.tail().is_none_or(|open| {
            open.end as usize >= TAIL_BYTES_MAX || open.entries.len() >= TAIL_RECORDS_MAX
        })
    }

    pub(super) fn witness_now(&self) -> Witness {
        Witness {
            epoch: self.header.epoch,
            generation: self.header.generation,
            at: self.log.end(),
        }
    }

    /// Remembers that everything up to the end is on the disk.
    pub(super) fn note_durable(&mut self) {
        let witness = self.witness_now();
        self.durable = witness.at;
        self.witness.note(self.store.as_ref(), &self.key, witness);
    }

    /// Removes what interrupted writers left behind, and puts the header's copy right.
    fn tidy(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        self.store.sweep(lock, self.header.epoch)?;
        self.mend_header_copy(lock)?;
        self.remove_old_tails(lock)?;
        self.remove_previous_epoch(lock)
    }

    /// Writes the header's copy again where it is missing, damaged or of a lower generation.
    pub(super) fn mend_header_copy(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        let name = Name::In(Dir::Live(self.header.epoch), Part::HeaderCopy);
        let copy = self.store.read_at(&name, 0, 4097)?.unwrap_or_default();
        if copy == self.header.stored() {
            return Ok(());
        }
        let later = Header::parse(&copy).is_ok_and(|copy| {
            copy.verify(&self.key).is_ok() && copy.generation > self.header.generation
        });
        if later {
            // A newer copy beside an older header is for `verify` to tell, not for us to undo.
            return Ok(());
        }
        // Sealing anew gives the same bytes: the MAC is a function of them.
        let sealed = self.header.seal(&self.key)?;
        self.store
            .replace(lock, &name, Expected::Anything, &sealed)?;
        Ok(())
    }
}
