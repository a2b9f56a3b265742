//! The open log of one epoch: which files there are, and what can be read from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::Entry;
use super::error::{Damage, DamageKind, VaultError};
use super::scan::{Scan, scan};
use crate::seal::{
    Chain, DataKey, Position, Salvage, SealError, Segment, SegmentHead, TAIL_HEAD_BYTES, Tail,
};
use crate::store::{Dir, Name, Part, Revision, Store, StoreError};

/// The active tail, as far as it was read.
pub(super) struct OpenTail {
    pub tail: Tail,
    pub name: Name,
    pub held: Revision,
    /// Every record of it, opened.
    pub entries: BTreeMap<u64, Entry>,
    /// Bytes that were read and count.
    pub end: u64,
    pub at: Position,
    /// Behind `end` there are bytes that do not count.
    pub torn: bool,
    /// Something inside it does not open: it cannot become a segment.
    pub broken: bool,
    /// The last bytes before `end`: a frame's tag and ciphertext, which no other frame shares.
    pub check: [u8; CHECK_BYTES],
}

pub(super) const CHECK_BYTES: usize = 64;

/// Which file holds a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Files {
    segment: bool,
    tail: bool,
}

pub(super) struct OpenLog {
    store: Arc<dyn Store>,
    dir: Dir,
    chain: Chain,
    files: BTreeMap<u64, Files>,
    heads: BTreeMap<u64, Option<SegmentHead>>,
    tail: Option<OpenTail>,
    /// The place behind the last record of the segments, where there is no tail.
    segments_end: Position,
    damage: Vec<Damage>,
    /// The highest tail's head does not open: nothing can be put behind it.
    pub headless: bool,
    /// The segment read last, since the next read is likely behind it.
    last_read: Option<(u64, Vec<Entry>)>,
}

/// How often a listing that went stale under way is taken again.
const TRIES: usize = 16;

impl OpenLog {
    /// Reads names, the last segment's head and the tail. Takes no lock: files that vanish under
    /// way are another process's roll-over, and the listing is taken again.
    pub(super) fn open(store: Arc<dyn Store>, data: &DataKey) -> Result<Self, VaultError> {
        for _ in 0..TRIES {
            match OpenLog::open_once(store.clone(), data) {
                Err(VaultError::Restless) => {}
                other => return other,
            }
        }
        Err(VaultError::Restless)
    }

    fn open_once(store: Arc<dyn Store>, data: &DataKey) -> Result<Self, VaultError> {
        let mut log = OpenLog::empty(store, data);
        let files = &mut log.files;
        for name in log.store.names(log.dir)? {
            match name {
                Name::In(_, Part::Segment(n)) => files.entry(n).or_default().segment = true,
                Name::In(_, Part::Tail(n)) => files.entry(n).or_default().tail = true,
                _ => {}
            }
        }
        log.note_missing_files();
        log.open_end(data)?;
        Ok(log)
    }

    /// A log of which nothing is known.
    pub(super) fn empty(store: Arc<dyn Store>, data: &DataKey) -> Self {
        let chain = data.chain();
        OpenLog {
            store,
            dir: Dir::Live(data.epoch()),
            segments_end: chain.start(),
            chain,
            files: BTreeMap::new(),
            heads: BTreeMap::new(),
            tail: None,
            damage: Vec::new(),
            headless: false,
            last_read: None,
        }
    }

    fn note_missing_files(&mut self) {
        let highest = self.files.keys().next_back().copied().unwrap_or(0);
        // Of every number but the highest there is a segment, if there is a tail or not.
        let there = |number: &u64| {
            let files = self.files.get(number);
            files.is_some_and(|files| files.segment || *number == highest)
        };
        let missing: Vec<u64> = (1..=highest)
            .filter(|number| !there(number))
            .take(1000)
            .collect();
        for number in missing {
            self.damaged(Part::Segment(number), None, DamageKind::Missing);
        }
    }

    /// Opens the last segment's head and the tail behind it, and holds one against the other.
    fn open_end(&mut self, data: &DataKey) -> Result<(), VaultError> {
        let Some((&highest, &found)) = self.files.iter().next_back() else {
            return Ok(());
        };
        let below = if found.tail { highest - 1 } else { highest };
        if self.files.get(&below).is_some_and(|files| files.segment) {
            match self.head(data, below)? {
                Some(head) => self.segments_end = head.after,
                None => self.damaged(Part::Segment(below), None, DamageKind::DoesNotOpen),
            }
        }
        if !found.tail {
            return Ok(());
        }
        let known = below == 0 || self.heads.get(&below).is_some_and(Option::is_some);
        match self.open_tail(data, highest)? {
            Some(tail) => {
                if known && tail.tail.start.before != self.segments_end {
                    self.damaged(Part::Tail(highest), None, DamageKind::DoesNotFollow);
                }
                self.tail = Some(tail);
            }
            None => {
                self.headless = true;
                self.damaged(Part::Tail(highest), None, DamageKind::DoesNotOpen);
            }
        }
        Ok(())
    }

    fn open_tail(&mut self, data: &DataKey, number: u64) -> Result<Option<OpenTail>, VaultError> {
        let name = Name::In(self.dir, Part::Tail(number));
        let Some(held) = self.store.revision(&name)? else {
            return Err(VaultError::Restless);
        };
        let Some(bytes) = self.store.read(&name)? else {
            return Err(VaultError::Restless);
        };
        let (tail, from, broken) = match Tail::read(data, number, &bytes) {
            Ok(tail) => (tail, TAIL_HEAD_BYTES, false),
            // The frames have what a damaged start lacks, as long as its salt is whole.
            Err(_) => match Tail::rescue(data, number, &bytes) {
                Some((tail, from)) => (tail, from, true),
                None => return Ok(None),
            },
        };
        if broken {
            self.damaged(Part::Tail(number), None, DamageKind::DoesNotOpen);
        }
        let at = tail.start.before;
        let read = scan(&tail, &self.chain, &bytes, from, at);
        let mut open = OpenTail {
            tail,
            name,
            held,
            entries: BTreeMap::new(),
            end: TAIL_HEAD_BYTES as u64,
            at,
            torn: false,
            broken,
            check: [0; CHECK_BYTES],
        };
        self.take_scan(&mut open, read, &bytes, 0);
        Ok(Some(open))
    }

    /// Adds what a scan of `bytes` found; `base` is where in the file they begin.
    fn take_scan(&mut self, open: &mut OpenTail, read: Scan, bytes: &[u8], base: u64) {
        open.check
            .copy_from_slice(&bytes[read.end - CHECK_BYTES..read.end]);
        open.entries.extend(read.entries);
        open.end = base + read.end as u64;
        open.at = read.at;
        open.torn = read.torn;
        for gap in read.gaps {
            open.broken = true;
            let lost: BTreeSet<u64> = (gap.after_seq + 1..gap.next_seq)
                .filter(|seq| !open.entries.contains_key(seq))
                .collect();
            self.damage.push(Damage {
                file: open.name.to_string(),
                first_seq: lost.first().copied(),
                last_seq: lost.last().copied(),
                what: DamageKind::DoesNotOpen,
            });
        }
    }

    /// Takes in what was appended to the tail since it was read. False if the tail is not the
    /// active one any more, or if a process whose sync failed has cut it behind what it had let us
    /// see; then it may have grown again to any size, so the bytes are compared.
    pub(super) fn read_on(&mut self) -> Result<bool, VaultError> {
        let Some(mut open) = self.tail.take() else {
            return Ok(false);
        };
        let base = open.end - CHECK_BYTES as u64;
        let store = &self.store;
        let Some(bytes) = store.read_held(&open.name, open.held, base, usize::MAX)? else {
            return Ok(false);
        };
        if bytes.get(..CHECK_BYTES) != Some(open.check.as_slice()) {
            return Ok(false);
        }
        if bytes.len() > CHECK_BYTES || open.torn {
            let read = scan(&open.tail, &self.chain, &bytes, CHECK_BYTES, open.at);
            self.take_scan(&mut open, read, &bytes, base);
        }
        self.tail = Some(open);
        Ok(true)
    }

    /// Whether the active tail is beside a segment of its number: an interrupted roll-over.
    pub(super) fn is_rolling(&self) -> Result<bool, StoreError> {
        let Some(open) = &self.tail else {
            return Ok(false);
        };
        let segment = Name::In(self.dir, Part::Segment(open.tail.number));
        Ok(self.store.size(&segment)?.is_some())
    }

    pub(super) fn tail(&self) -> Option<&OpenTail> {
        self.tail.as_ref()
    }

    pub(super) fn tail_mut(&mut self) -> Option<&mut OpenTail> {
        self.tail.as_mut()
    }

    pub(super) fn dir(&self) -> Dir {
        self.dir
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The place behind the last record.
    pub(super) fn end(&self) -> Position {
        self.tail.as_ref().map_or(self.segments_end, |open| open.at)
    }

    pub(super) fn is_torn(&self) -> bool {
        self.tail.as_ref().is_some_and(|open| open.torn)
    }

    pub(super) fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The highest file number, and whether a tail has it.
    pub(super) fn highest(&self) -> (u64, bool) {
        self.files
            .iter()
            .next_back()
            .map_or((0, false), |(number, files)| (*number, files.tail))
    }

    /// Tails below the highest number: what a roll-over left that was cut short.
    pub(super) fn old_tails(&self) -> Vec<u64> {
        let (highest, _) = self.highest();
        self.files
            .iter()
            .filter(|(n, f)| **n < highest && f.tail)
            .map(|(n, _)| *n)
            .collect()
    }

    /// Whether there is a segment, and whether there is a tail, of a number.
    pub(super) fn files_of(&self, number: u64) -> (bool, bool) {
        let files = self.files.get(&number).copied().unwrap_or_default();
        (files.segment, files.tail)
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.files.keys().copied()
    }

    pub(super) fn damaged(&mut self, part: Part, seqs: Option<(u64, u64)>, what: DamageKind) {
        let damage = Damage {
            file: Name::In(self.dir, part).to_string(),
            first_seq: seqs.map(|(first, _)| first),
            last_seq: seqs.map(|(_, last)| last),
            what,
        };
        if !self.damage.contains(&damage) {
            self.damage.push(damage);
        }
    }

    /// The head of a segment, from its first chunk; none if that does not open.
    pub(super) fn head(
        &mut self,
        data: &DataKey,
        number: u64,
    ) -> Result<Option<SegmentHead>, VaultError> {
        if let Some(head) = self.heads.get(&number) {
            return Ok(*head);
        }
        let name = Name::In(self.dir, Part::Segment(number));
        let Some(size) = self.store.size(&name)? else {
            return Ok(None);
        };
        let start = self.store.read_at(&name, 0, SegmentHead::START_BYTES)?;
        let head = start.and_then(|start| SegmentHead::read(data, number, &start, size).ok());
        self.heads.insert(number, head);
        Ok(head)
    }

    /// The number of the first file that may hold records behind `after`.
    fn file_behind(&mut self, data: &DataKey, after: u64) -> Result<Option<u64>, VaultError> {
        let numbers: Vec<u64> = self
            .files
            .iter()
            .filter(|(_, f)| f.segment)
            .map(|(n, _)| *n)
            .collect();
        let (mut low, mut high) = (0, numbers.len());
        while low < high {
            let middle = low + (high - low) / 2;
            // A head that does not open says nothing: go by the next that does.
            let mut probe = middle;
            let head = loop {
                match self.head(data, numbers[probe])? {
                    Some(head) => break Some(head),
                    None if probe + 1 < high => probe += 1,
                    None => break None,
                }
            };
            match head {
                Some(head) if head.after.seq <= after => low = probe + 1,
                _ => high = middle,
            }
        }
        Ok(numbers.get(low).copied())
    }

    /// The segment with the records behind `after`, as it is sealed; none where they are in the tail.
    pub(super) fn segment_with(
        &mut self,
        data: &DataKey,
        after: u64,
    ) -> Result<Option<(u64, Vec<u8>)>, VaultError> {
        let tail_start = self.tail.as_ref().map(|open| open.tail.start.before.seq);
        if tail_start.is_some_and(|start| after >= start) {
            return Ok(None);
        }
        let Some(number) = self.file_behind(data, after)? else {
            return Ok(None);
        };
        let file = self
            .store
            .read(&Name::In(self.dir, Part::Segment(number)))?;
        Ok(Some((number, file.ok_or(VaultError::Restless)?)))
    }

    /// The next records behind `after`: the rest of one segment, or of the tail.
    pub(super) fn read(&mut self, data: &DataKey, after: u64) -> Result<Vec<Entry>, VaultError> {
        let tail_start = self.tail.as_ref().map(|open| open.tail.start.before.seq);
        if tail_start.is_none_or(|start| after < start) {
            let mut number = self.file_behind(data, after)?;
            while let Some(this) = number {
                let entries = self.segment_entries(data, this)?;
                let from = entries.partition_point(|entry| entry.seq <= after);
                if from < entries.len() {
                    return Ok(entries[from..].to_vec());
                }
                number = self
                    .files
                    .range(this + 1..)
                    .find(|(_, f)| f.segment)
                    .map(|(n, _)| *n);
            }
        }
        let Some(open) = &self.tail else {
            return Ok(Vec::new());
        };
        Ok(open
            .entries
            .range(after + 1..)
            .map(|(_, entry)| entry.clone())
            .collect())
    }

    /// The records of one segment with the links behind them, verified.
    pub(super) fn segment_entries(
        &mut self,
        data: &DataKey,
        number: u64,
    ) -> Result<&[Entry], VaultError> {
        let cached = self
            .last_read
            .as_ref()
            .is_some_and(|(read, _)| *read == number);
        if !cached {
            let name = Name::In(self.dir, Part::Segment(number));
            let Some(file) = self.store.read(&name)? else {
                return Err(VaultError::Restless);
            };
            let entries = match Segment::open(data, number, &file) {
                Ok(segment) if segment.verify(&self.chain).is_ok() => whole(&segment, &self.chain),
                _ => self.salvage(data, number, &file)?,
            };
            self.last_read = Some((number, entries));
        }
        Ok(self
            .last_read
            .as_ref()
            .map_or(&[], |(_, entries)| entries.as_slice()))
    }

    /// What opens of a damaged segment. Numbers count from its head for the first run and from its
    /// end for the last; runs in between are put directly behind one another.
    fn salvage(
        &mut self,
        data: &DataKey,
        number: u64,
        file: &[u8],
    ) -> Result<Vec<Entry>, VaultError> {
        let before = self.place_before(data, number)?;
        let after = self.place_after(data, number)?;
        let salvage = match Salvage::open(data, number, file) {
            Ok(salvage) => salvage,
            Err(_) => Salvage {
                head: None,
                runs: Vec::new(),
                damaged: Vec::new(),
            },
        };
        let first = salvage.head.map(|head| head.before.seq).or(before);
        let last = salvage.head.map(|head| head.after.seq).or(after);
        let (Some(first), Some(last)) = (first, last) else {
            self.damaged(Part::Segment(number), None, DamageKind::DoesNotOpen);
            return Ok(Vec::new());
        };
        let entries = place_runs(salvage, first, last, &self.chain);
        let read: BTreeSet<u64> = entries.iter().map(|entry| entry.seq).collect();
        let lost: Vec<u64> = (first + 1..=last)
            .filter(|seq| !read.contains(seq))
            .collect();
        let range = lost.first().copied().zip(lost.last().copied());
        self.damaged(Part::Segment(number), range, DamageKind::DoesNotOpen);
        Ok(entries)
    }

    fn place_before(&mut self, data: &DataKey, number: u64) -> Result<Option<u64>, VaultError> {
        if number == 1 {
            return Ok(Some(0));
        }
        Ok(self.head(data, number - 1)?.map(|head| head.after.seq))
    }

    fn place_after(&mut self, data: &DataKey, number: u64) -> Result<Option<u64>, VaultError> {
        if let Some(open) = &self.tail
            && open.tail.number == number + 1
        {
            return Ok(Some(open.tail.start.before.seq));
        }
        Ok(self.head(data, number + 1)?.map(|head| head.before.seq))
    }

    /// The place behind record `seq`.
    pub(super) fn position(
        &mut self,
        data: &DataKey,
        seq: u64,
    ) -> Result<Option<Position>, VaultError> {
        if seq == 0 {
            return Ok(Some(self.chain.start()));
        }
        if let Some(open) = &self.tail {
            if open.tail.start.before.seq == seq {
                return Ok(Some(open.tail.start.before));
            }
            if let Some(entry) = open.entries.get(&seq) {
                return Ok(Some(entry.position()));
            }
        }
        if self.segments_end.seq == seq {
            return Ok(Some(self.segments_end));
        }
        if seq > self.end().seq {
            return Ok(None);
        }
        let entries = self.read(data, seq - 1)?;
        Ok(entries
            .first()
            .filter(|entry| entry.seq == seq)
            .map(Entry::position))
    }

    /// After a roll-over or a segment written directly: forget what was listed.
    pub(super) fn reopen(&mut self, data: &DataKey) -> Result<(), VaultError> {
        let fresh = OpenLog::open(self.store.clone(), data)?;
        *self = fresh;
        Ok(())
    }
}

pub(super) fn whole(segment: &Segment, chain: &Chain) -> Vec<Entry> {
    let mut at = segment.head.before;
    segment
        .records()
        .map(|record| {
            at = chain.next(at, record);
            Entry::new(at, zeroize::Zeroizing::new(record.to_vec()))
        })
        .collect()
}

/// Numbers the runs of a damaged segment whose records are `first + 1` to `last`.
///
/// Links are recomputed along each run; where its start is not known they are of no use for
/// comparing, and nothing compares them.
pub(super) fn place_runs(salvage: Salvage, first: u64, last: u64, chain: &Chain) -> Vec<Entry> {
    let total: u64 = salvage.runs.iter().map(|run| run.len() as u64).sum();
    let lost = (last - first).saturating_sub(total);
    let start = salvage
        .head
        .map_or_else(|| chain.start(), |head| head.before);
    let mut at = Position {
        seq: first,
        ..start
    };
    let mut entries = Vec::new();
    for (place, run) in salvage.runs.into_iter().enumerate() {
        // All that was lost is put into the first hole: later runs then end where they did.
        if place == 1 {
            at.seq += lost;
        }
        for line in run {
            at = chain.next(at, &line);
            if at.seq <= last {
                entries.push(Entry::new(at, line));
            }
        }
    }
    entries
}

/// A file that a reader must be able to open, and cannot.
pub(super) fn sealed_error(name: &Name, source: SealError) -> VaultError {
    VaultError::Sealed {
        file: name.to_string(),
        source,
    }
}
