//! Writes the whole log into a new epoch: what rekey, purge, retention and repair are made of.
//!
//! Order: the new epoch as a draft; its name; open it again from the disk and compare; the new
//! header, whose rename is the commit; the witness; the old epoch goes. Everything happens under
//! one exclusive lock. Before the commit the old epoch is untouched; after it the new one is whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::across::read_across;
use super::assess::members_end;
use super::error::VaultError;
use super::log::OpenLog;
use super::roll::{TAIL_BYTES_MAX, TAIL_RECORDS_MAX};
use super::salvage::{Found, read_salvaged};
use super::source::{Each, Links, read_whole};
use super::witness::WitnessState;
use super::{Vault, part_of};
use crate::model::{FoldName, Lost, Record, Rekeyed, Timestamp};
use crate::seal::{
    Chain, DataKey, EpochId, Header, Position, Random, Sealed, SegmentWriter, Tail, TailStart,
    VaultKey,
};
use crate::store::{Dir, Exclusive, Expected, Name, Part, Purpose, Store};

/// Why an epoch is written anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    Rekey,
    Purge,
    Retention,
    Repair,
}

impl Why {
    /// As the `rekeyed` record has it.
    pub fn word(self) -> &'static str {
        match self {
            Why::Rekey => "rekey",
            Why::Purge => "purge",
            Why::Retention => "retention",
            Why::Repair => "repair",
        }
    }

    pub(super) fn purpose(self) -> Purpose {
        match self {
            Why::Rekey => Purpose::Rekey,
            Why::Purge | Why::Retention => Purpose::Purge,
            Why::Repair => Purpose::Repair,
        }
    }
}

/// What becomes of one record in a rewrite. Its number stays in any case.
pub enum Verdict {
    Keep,
    /// A `purged` record takes its place.
    Purge,
    /// Another line takes its place.
    Replace(Zeroizing<Vec<u8>>),
}

/// Asked what becomes of a record.
type Filter<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Verdict;

/// What a rewrite did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    pub epoch: EpochId,
    pub previous_epoch: EpochId,
    /// Records of the new epoch, with the `rekeyed` one at its end.
    pub records: u64,
    pub purged: u64,
    pub replaced: u64,
    /// Records that could not be read: first, last, and the file that held them.
    pub lost: Vec<LostRecords>,
    /// Whether the previous epoch is gone (in a repair: set aside). If not, the next writer does
    /// it; until then its content is still there.
    pub previous_removed: bool,
}

/// A run of records that a repair could not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRecords {
    pub first_seq: u64,
    pub last_seq: u64,
    /// Below the state directory, before the repair.
    pub file: String,
}

/// What a rewrite is to do.
pub(super) struct Plan<'a> {
    pub why: Why,
    pub now: Timestamp,
    /// The vault key from now on.
    pub key: VaultKey,
    /// Of the new epoch.
    pub header: Header,
    /// Asked about each record; none keeps them all.
    pub filter: Option<Filter<'a>>,
    pub reading: Reading,
    /// The last that happens before the commit; is shown the new header as it was read back.
    pub ready: &'a mut dyn FnMut(&Header) -> Result<(), VaultError>,
    /// Told how many bytes of how many are done.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

/// What a rewrite does about records that do not open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Stops at the first.
    Whole,
    /// Puts `lost` in their place; so many records are known to have been there.
    Salvage { until: u64 },
}

/// What was written into the draft.
struct Written {
    end: Position,
    amount: Amount,
    purged: u64,
    replaced: u64,
    lost: Vec<LostRecords>,
}

impl Vault {
    /// The header of a new epoch: the same slots, one generation on.
    pub(super) fn next_header(&self) -> Result<Header, VaultError> {
        let mut header = self.header.clone();
        header.epoch = EpochId(Random::bytes()?);
        header.generation += 1;
        Ok(header)
    }

    /// Writes the new epoch and makes it the live one. The log must have been read to its end
    /// under `lock`. On an error nothing has changed, unless the error is that of the commit's own
    /// sync; then the next look at the header tells.
    pub(super) fn rewrite(
        &mut self,
        lock: &Exclusive,
        mut plan: Plan<'_>,
    ) -> Result<Rewritten, VaultError> {
        let sealed = plan.header.seal(&plan.key)?;
        let data = plan.key.data_key(plan.header.epoch);
        let ready = self.prepare(lock, &mut plan, &data, &sealed);
        let (written, header, log) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                self.store.discard(lock, Dir::Live(data.epoch())).ok();
                return Err(error);
            }
        };
        let held = match self.commit(lock, &sealed) {
            Ok(held) => held,
            Err(error) => {
                // Still the old header: the new epoch is nobody's. Else it may be the live one.
                let unchanged = self.store.revision(&Name::Header);
                if unchanged.is_ok_and(|found| found == Some(self.header_held)) {
                    self.store.discard(lock, Dir::Live(data.epoch())).ok();
                }
                return Err(error);
            }
        };
        let previous = self.header.epoch;
        (self.key, self.data, self.log) = (plan.key, data, log);
        (self.header, self.header_held) = (header, held);
        (self.rollback, self.swept, self.mistrust_tail) = (None, false, false);
        if plan.why == Why::Rekey {
            // Nothing that is remembered under the old key counts any more.
            self.witness = WitnessState::default();
        }
        // From here on nothing may fail: the new epoch is in force.
        self.note_durable();
        let removed = match plan.why {
            Why::Repair => self.store.set_aside(lock, previous),
            _ => self.store.discard(lock, Dir::Live(previous)),
        };
        Ok(Rewritten {
            epoch: self.header.epoch,
            previous_epoch: previous,
            records: written.end.seq,
            purged: written.purged,
            replaced: written.replaced,
            lost: written.lost,
            previous_removed: removed.is_ok(),
        })
    }

    fn commit(
        &self,
        lock: &Exclusive,
        sealed: &Sealed,
    ) -> Result<crate::store::Revision, VaultError> {
        let expected = Expected::Unchanged(self.header_held);
        Ok(self.store.replace(lock, &Name::Header, expected, sealed)?)
    }

    /// Everything before the commit: writes the draft, gives it its name, reads it back.
    fn prepare(
        &mut self,
        lock: &Exclusive,
        plan: &mut Plan<'_>,
        data: &DataKey,
        sealed: &Sealed,
    ) -> Result<(Written, Header, OpenLog), VaultError> {
        let store = self.store.clone();
        let header = Header::parse(sealed.bytes())?;
        header.verify(&plan.key)?;
        let log_bytes = self.log_bytes()?;
        store.ensure_space(log_bytes)?;
        let draft = Dir::Draft(data.epoch(), Random::bytes()?);
        store.draft(lock, draft)?;
        let written = self.write_draft(lock, plan, data, draft, sealed, log_bytes);
        let written = match written.and_then(|written| {
            store.publish(lock, draft)?;
            Ok(written)
        }) {
            Ok(written) => written,
            Err(error) => {
                store.discard(lock, draft).ok();
                return Err(error);
            }
        };
        let log = compare(&store, data, &written, &mut |done| {
            let done = log_bytes.saturating_add(done).min(2 * log_bytes);
            (plan.progress)(done, 2 * log_bytes);
        })?;
        let copy = Name::In(Dir::Live(data.epoch()), Part::HeaderCopy);
        let header = match store.read_at(&copy, 0, 4097)? {
            Some(bytes) if bytes == sealed.bytes() => header,
            _ => {
                let file = copy.to_string();
                return Err(VaultError::ReadBack { file });
            }
        };
        (plan.ready)(&header)?;
        (plan.progress)(2 * log_bytes, 2 * log_bytes);
        Ok((written, header, log))
    }

    /// Bytes of the live log's files.
    fn log_bytes(&self) -> Result<u64, VaultError> {
        let files = self.store.list(self.log.dir())?;
        Ok(files.iter().map(|found| found.bytes).sum())
    }

    fn write_draft(
        &mut self,
        lock: &Exclusive,
        plan: &mut Plan<'_>,
        data: &DataKey,
        draft: Dir,
        sealed: &Sealed,
        log_bytes: u64,
    ) -> Result<Written, VaultError> {
        let store = self.store.clone();
        let mut new = NewLog::start(store.as_ref(), lock, data, draft);
        let checkpoints = self.good_checkpoints()?;
        for (_, at) in &checkpoints {
            new.marks.insert(at.seq, None);
        }
        let mut done = 0;
        let (filter, progress) = (&mut plan.filter, &mut plan.progress);
        let progress = &mut |bytes| {
            done += bytes;
            progress(done.min(log_bytes), 2 * log_bytes);
        };
        let (from, old) = (store.as_ref(), &self.data);
        match (plan.reading, filter) {
            (Reading::Salvage { until }, _) => {
                let each = &mut |seq, found: Found<'_>| match found {
                    Found::Record(line) => new.write(line),
                    Found::Lost(file) => new.lose(seq, file),
                };
                read_salvaged(from, &mut self.log, old, until, each, progress)?;
            }
            (Reading::Whole, Some(filter)) => {
                let log = &self.log;
                read_across(
                    |each, progress| read_whole(from, log, old, Links::Verify, each, progress),
                    &mut |seq, line| new.take(line, filter(seq, line)),
                    progress,
                )?;
            }
            (Reading::Whole, None) => {
                // What is meant to be written is what the reading side reads.
                let (log, mut amount) = (&self.log, Amount::default());
                let keep = |each: Each<'_>, progress: &mut dyn FnMut(u64)| {
                    let counted = &mut |seq, line: &[u8]| {
                        amount.add(line);
                        each(seq, line)
                    };
                    read_whole(from, log, old, Links::Verify, counted, progress)
                };
                read_across(keep, &mut |_, line| new.push(line), progress)?;
                new.amount = amount;
            }
        }
        let rekeyed = Record::Rekeyed(Rekeyed {
            at: plan.now,
            previous_epoch: self.header.epoch.to_string(),
            why: plan.why.word().to_owned(),
        });
        let (marks, written) = new.finish(&rekeyed)?;
        self.copy_checkpoints(lock, data, draft, &checkpoints, &marks)?;
        match self.copy_provider_keys(lock, data, draft) {
            Err(VaultError::Sealed { .. }) if plan.reading != Reading::Whole => {}
            other => other?,
        }
        let copy = Name::In(draft, Part::HeaderCopy);
        store.replace(lock, &copy, Expected::Absent, sealed)?;
        Ok(written)
    }

    /// The checkpoints that stand on this log.
    fn good_checkpoints(&mut self) -> Result<Vec<(FoldName, Position)>, VaultError> {
        let mut good = Vec::new();
        for name in FoldName::ALL {
            let head = super::assess::checkpoint_head(self.store.as_ref(), &self.data, name)?;
            let Some(head) = head else { continue };
            if self.log.position(&self.data, head.at.seq)? == Some(head.at) {
                good.push((name, head.at));
            }
        }
        Ok(good)
    }

    /// Seals checkpoints again, with the link that their record has in the new epoch. One with a
    /// record before it that was changed has no mark, and is made again from the log.
    fn copy_checkpoints(
        &self,
        lock: &Exclusive,
        data: &DataKey,
        draft: Dir,
        checkpoints: &[(FoldName, Position)],
        marks: &BTreeMap<u64, Option<Position>>,
    ) -> Result<(), VaultError> {
        for (name, at) in checkpoints {
            let Some(Some(place)) = marks.get(&at.seq) else {
                continue;
            };
            let Some(json) = self.read_checkpoint(*name)? else {
                continue;
            };
            let (Some(end), Some((version, _))) =
                (members_end(&json), super::assess::parse_members(&json))
            else {
                continue;
            };
            let (seq, link) = (place.seq, place.link.to_hex());
            let members = format!("{{\"v\":{version},\"seq\":{seq},\"link\":\"{link}\"");
            let rest = &json[end..];
            let mut moved = Zeroizing::new(Vec::with_capacity(members.len() + rest.len()));
            moved.extend_from_slice(members.as_bytes());
            moved.extend_from_slice(rest);
            let part = part_of(*name);
            let id = part.blob_id().expect("checkpoints are blobs");
            let sealed = data.seal(id, 1, &moved)?;
            let file = Name::In(draft, part);
            self.store.replace(lock, &file, Expected::Absent, &sealed)?;
        }
        Ok(())
    }
}

/// How much was read on one side, and must have come out on the other. That it is the same, byte
/// for byte, the link at its end says.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Amount {
    records: u64,
    bytes: u64,
}

impl Amount {
    fn add(&mut self, line: &[u8]) {
        self.records += 1;
        self.bytes += line.len() as u64;
    }
}

/// The log of the new epoch, as it is written.
struct NewLog<'a> {
    store: &'a dyn Store,
    lock: &'a Exclusive,
    data: &'a DataKey,
    draft: Dir,
    chain: Chain,
    writer: SegmentWriter,
    number: u64,
    amount: Amount,
    /// The places that checkpoints ask for, once they are passed with nothing changed before.
    marks: BTreeMap<u64, Option<Position>>,
    changed: bool,
    purged: u64,
    replaced: u64,
    lost: Vec<LostRecords>,
}

impl<'a> NewLog<'a> {
    fn start(store: &'a dyn Store, lock: &'a Exclusive, data: &'a DataKey, draft: Dir) -> Self {
        let chain = data.chain();
        NewLog {
            store,
            lock,
            data,
            draft,
            writer: SegmentWriter::new(chain.start()),
            chain,
            number: 1,
            amount: Amount::default(),
            marks: BTreeMap::new(),
            changed: false,
            purged: 0,
            replaced: 0,
            lost: Vec::new(),
        }
    }

    fn take(&mut self, line: &[u8], verdict: Verdict) -> Result<(), VaultError> {
        match verdict {
            Verdict::Keep => self.write(line),
            Verdict::Purge => {
                self.changed = true;
                self.purged += 1;
                self.write(&Record::Purged.to_line())
            }
            Verdict::Replace(other) => {
                self.changed = true;
                self.replaced += 1;
                self.write(&other)
            }
        }
    }

    fn lose(&mut self, seq: u64, file: &str) -> Result<(), VaultError> {
        self.changed = true;
        match self.lost.last_mut() {
            Some(run) if run.last_seq + 1 == seq && run.file == file => run.last_seq = seq,
            _ => self.lost.push(LostRecords {
                first_seq: seq,
                last_seq: seq,
                file: file.to_owned(),
            }),
        }
        let file = file.to_owned();
        self.write(&Record::Lost(Lost { file }).to_line())
    }

    fn write(&mut self, line: &[u8]) -> Result<(), VaultError> {
        self.amount.add(line);
        self.push(line)
    }

    fn push(&mut self, line: &[u8]) -> Result<(), VaultError> {
        let full = self.writer.bytes() + line.len() >= TAIL_BYTES_MAX
            || self.writer.count() >= TAIL_RECORDS_MAX as u64;
        if full && !self.writer.is_empty() {
            self.seal_segment()?;
        }
        let at = self.writer.push(&self.chain, line)?;
        if !self.changed
            && let Some(mark) = self.marks.get_mut(&at.seq)
        {
            *mark = Some(at);
        }
        Ok(())
    }

    fn seal_segment(&mut self) -> Result<(), VaultError> {
        let full = self.writer.take_full();
        let (sealed, _) = full.seal(self.data, self.number)?;
        self.put(Part::Segment(self.number), &sealed)?;
        self.number += 1;
        Ok(())
    }

    fn put(&self, part: Part, sealed: &Sealed) -> Result<(), VaultError> {
        let name = Name::In(self.draft, part);
        self.store
            .replace(self.lock, &name, Expected::Absent, sealed)?;
        Ok(())
    }

    /// Adds the last record, and the tail that the next append goes to.
    fn finish(
        mut self,
        last: &Record,
    ) -> Result<(BTreeMap<u64, Option<Position>>, Written), VaultError> {
        self.write(&last.to_line())?;
        self.seal_segment()?;
        let end = self.writer.at();
        let (_, tail) = Tail::create(self.data, self.number, TailStart { before: end })?;
        self.put(Part::Tail(self.number), &tail)?;
        let written = Written {
            end,
            amount: self.amount,
            purged: self.purged,
            replaced: self.replaced,
            lost: self.lost,
        };
        Ok((self.marks, written))
    }
}

/// Opens the new epoch from the disk: it must hold what was meant to be written.
fn compare(
    store: &Arc<dyn Store>,
    data: &DataKey,
    written: &Written,
    progress: &mut dyn FnMut(u64),
) -> Result<OpenLog, VaultError> {
    let log = OpenLog::open(store.clone(), data)?;
    let (chain, mut amount, mut done) = (data.chain(), Amount::default(), 0);
    let mut at = chain.start();
    let (from, opened) = (store.as_ref(), &log);
    let end = read_across(
        // The links are made on this side, while the other opens.
        |each, progress| read_whole(from, opened, data, Links::OfHeads, each, progress),
        &mut |_, line| {
            at = chain.next(at, line);
            amount.add(line);
            Ok(())
        },
        &mut |bytes| {
            done += bytes;
            progress(done);
        },
    )?;
    let same = at == written.end && end == at && amount == written.amount;
    if same && log.end() == end && log.damage().is_empty() {
        Ok(log)
    } else {
        let file = log.dir().file_name();
        Err(VaultError::ReadBack { file })
    }
}
