//! Folds of the log and their sealed states.

use zeroize::Zeroizing;

use super::assess::{checkpoint_head, parse_members};
use super::error::VaultError;
use super::{Log, Vault, part_of};
use crate::model::{Applied, Fold, FoldName, Record};
use crate::seal::{EpochId, Position};
use crate::store::{Dir, Expected, Name, Purpose};

/// A checkpoint is written when its fold is this many records ahead of it,
const BEHIND_RECORDS_MAX: u64 = 256;
/// or this many bytes of records.
const BEHIND_BYTES_MAX: u64 = 256 * 1024;

/// A fold, and how far it is.
pub struct View<F> {
    pub fold: F,
    at: Position,
    epoch: EpochId,
    /// Where the last checkpoint stands, and how much was applied since.
    saved_seq: u64,
    unsaved_bytes: u64,
    /// Met something a later version writes, or lacks damaged records: never saved.
    partial: bool,
    /// The checkpoint was missing or damaged and the log was not empty.
    rebuilt: bool,
}

impl<F: Fold> View<F> {
    /// Takes over the fold's checkpoint, if it is of this version and on this log, and applies
    /// every record behind it.
    pub fn load(log: &mut dyn Log, fold: F) -> Result<Self, VaultError> {
        let start = log
            .position(0)?
            .expect("the start of a log is always known");
        let mut view = View {
            fold,
            at: start,
            epoch: log.epoch(),
            saved_seq: 0,
            unsaved_bytes: 0,
            partial: false,
            rebuilt: false,
        };
        view.start_again(log)?;
        let from = view.at.seq;
        view.catch_up(log)?;
        view.rebuilt = from == 0 && view.at.seq > BEHIND_RECORDS_MAX;
        Ok(view)
    }

    /// Back to the checkpoint, or to the start of the log.
    fn start_again(&mut self, log: &mut dyn Log) -> Result<(), VaultError> {
        self.epoch = log.epoch();
        self.at = log
            .position(0)?
            .expect("the start of a log is always known");
        (self.saved_seq, self.unsaved_bytes, self.partial) = (0, 0, false);
        if !self.take_checkpoint(log)? {
            self.fold.reset();
        }
        Ok(())
    }

    fn take_checkpoint(&mut self, log: &mut dyn Log) -> Result<bool, VaultError> {
        let Some(json) = log.checkpoint(self.fold.name())? else {
            return Ok(false);
        };
        let Some((version, at)) = parse_members(&json) else {
            return Ok(false);
        };
        if version != self.fold.version() || log.position(at.seq)? != Some(at) {
            return Ok(false);
        }
        if self.fold.load(&json).is_err() {
            return Ok(false);
        }
        self.at = at;
        self.saved_seq = at.seq;
        Ok(true)
    }

    /// Applies what was appended since. Returns the records that came in; none where the fold had
    /// to start again, since nothing tells then which of them are new.
    pub fn catch_up(&mut self, log: &mut dyn Log) -> Result<Vec<(u64, Record)>, VaultError> {
        // Another process rewrote the vault: what was purged must leave this fold too. Or a record
        // that was seen and never became durable is gone: so is its effect.
        let again = log.epoch() != self.epoch || log.position(self.at.seq)? != Some(self.at);
        if again {
            self.start_again(log)?;
        }
        let mut news = Vec::new();
        loop {
            let batch = log.read(self.at.seq)?;
            if batch.is_empty() {
                return Ok(news);
            }
            for entry in batch {
                // A number that is passed over was damaged: the state lacks it, and is not saved.
                self.partial |= entry.seq != self.at.seq + 1;
                let record = match entry.record() {
                    Ok(record) => record,
                    Err(_) => Record::Unknown,
                };
                if self.fold.apply(entry.seq, &record) == Applied::Unknown {
                    self.partial = true;
                }
                self.at = entry.position();
                self.unsaved_bytes += entry.line().len() as u64;
                if !again {
                    news.push((entry.seq, record));
                }
            }
        }
    }

    /// The last record that was applied.
    pub fn at(&self) -> Position {
        self.at
    }

    /// Whether the checkpoint had to be made again from the log.
    pub fn was_rebuilt(&self) -> bool {
        self.rebuilt
    }

    /// Whether enough has come in since the last checkpoint to write one.
    pub fn is_behind(&self) -> bool {
        let records = self.at.seq - self.saved_seq;
        records >= BEHIND_RECORDS_MAX || self.unsaved_bytes >= BEHIND_BYTES_MAX
    }

    /// Writes the fold's state, if there is anything new in it. A failure costs nothing but time:
    /// the records are safe, and the next opening replays them.
    pub fn save(&mut self, log: &mut dyn Log) -> Result<(), VaultError> {
        if self.partial || self.at.seq == self.saved_seq {
            return Ok(());
        }
        let state = Zeroizing::new(self.fold.save().map_err(VaultError::FoldState)?);
        let version = self.fold.version();
        let link = self.at.link.to_hex();
        let members = format!(
            "{{\"v\":{version},\"seq\":{},\"link\":\"{link}\"",
            self.at.seq
        );
        let rest = state.strip_prefix(b"{").unwrap_or(&state);
        let mut json = Zeroizing::new(Vec::with_capacity(members.len() + 1 + rest.len()));
        json.extend_from_slice(members.as_bytes());
        if rest != b"}" {
            json.push(b',');
        }
        json.extend_from_slice(rest);
        log.put_checkpoint(self.fold.name(), version, self.at, json)?;
        self.saved_seq = self.at.seq;
        self.unsaved_bytes = 0;
        Ok(())
    }
}

impl Vault {
    pub(super) fn read_checkpoint(
        &self,
        name: FoldName,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let part = part_of(name);
        let file = Name::In(Dir::Live(self.header.epoch), part);
        let id = part.blob_id().expect("checkpoints are blobs");
        let Some(bytes) = self.store.read(&file)? else {
            return Ok(None);
        };
        let opened = self.data.open(id, &bytes).ok();
        Ok(opened.map(|(_, json)| json.into_zeroizing()))
    }

    pub(super) fn write_checkpoint(
        &mut self,
        name: FoldName,
        version: u32,
        at: Position,
        json: &[u8],
    ) -> Result<(), VaultError> {
        if let Some(rollback) = &self.rollback {
            return Err(rollback.clone().into());
        }
        let store = self.store.clone();
        let lock = store.exclusive(Purpose::Checkpoint, self.wait)?;
        let epoch = self.header.epoch;
        self.come_to_the_end(&lock)?;
        // Of a log that was rewritten meanwhile, or of one that it never was.
        if self.header.epoch != epoch || self.log.position(&self.data, at.seq)? != Some(at) {
            return Ok(());
        }
        let there = checkpoint_head(store.as_ref(), &self.data, name)?;
        let newer = there.is_some_and(|there| {
            there.version > version || (there.version == version && there.at.seq >= at.seq)
        });
        if newer {
            return Ok(());
        }
        let generation = there.map_or(0, |there| there.generation) + 1;
        let part = part_of(name);
        let id = part.blob_id().expect("checkpoints are blobs");
        let sealed = self.data.seal(id, generation, json)?;
        let file = Name::In(Dir::Live(epoch), part);
        store.replace(&lock, &file, Expected::Anything, &sealed)?;
        Ok(())
    }

    /// Removes a checkpoint, to be made again from the log.
    pub(super) fn drop_checkpoint(&mut self, name: FoldName) -> Result<(), VaultError> {
        self.alive()?;
        let store = self.store.clone();
        let lock = store.exclusive(Purpose::Checkpoint, self.wait)?;
        store.remove(
            &lock,
            &Name::In(Dir::Live(self.header.epoch), part_of(name)),
        )?;
        Ok(())
    }
}
