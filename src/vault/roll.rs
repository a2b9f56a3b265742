//! From a full tail to a segment and a new tail.
//!
//! Order: write the segment; open it again from the disk and compare; write the next tail; remove
//! the old one. A crash in between leaves a tail beside a segment of its number, which the next
//! appender brings to its end.

use zeroize::Zeroizing;

use super::Vault;
use super::error::VaultError;
use super::log::sealed_error;
use crate::seal::{Position, Segment, SegmentHead, SegmentWriter, Tail, TailStart};
use crate::store::{Exclusive, Expected, Name, Part};

/// A tail is sealed whole when it has reached this size,
pub(super) const TAIL_BYTES_MAX: usize = 1 << 20;
/// or this number of records.
pub(super) const TAIL_RECORDS_MAX: usize = 4096;

impl Vault {
    fn file(&self, part: Part) -> Name {
        Name::In(self.log.dir(), part)
    }

    /// Seals the active tail as a segment and starts the next one.
    pub(super) fn roll_over(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        let Some(open) = self.log.tail() else {
            return self.start_tail(lock);
        };
        if open.entries.is_empty() {
            return Ok(());
        }
        let (number, end) = (open.tail.number, open.at);
        let mut writer = SegmentWriter::new(open.tail.start.before);
        for entry in open.entries.values() {
            writer.push(self.log.chain(), entry.line())?;
        }
        debug_assert_eq!(writer.at(), end);
        // What stands there, if anything, is a segment that did not come out equal to the tail.
        self.write_segment(lock, number, writer, Expected::Anything)?;
        self.follow_segment(lock, number, end)
    }

    /// Writes a segment and reads it back.
    fn write_segment(
        &mut self,
        lock: &Exclusive,
        number: u64,
        writer: SegmentWriter,
        expected: Expected,
    ) -> Result<SegmentHead, VaultError> {
        let name = self.file(Part::Segment(number));
        let (sealed, head) = writer.seal(&self.data, number)?;
        self.store.replace(lock, &name, expected, &sealed)?;
        if self.open_segment(number)? == Some(head) {
            Ok(head)
        } else {
            Err(VaultError::ReadBack {
                file: name.to_string(),
            })
        }
    }

    /// The head of a segment that opens whole, with links that hold.
    fn open_segment(&self, number: u64) -> Result<Option<SegmentHead>, VaultError> {
        let name = self.file(Part::Segment(number));
        let Some(file) = self.store.read(&name)? else {
            return Ok(None);
        };
        let segment = Segment::open(&self.data, number, &file).ok();
        Ok(segment
            .filter(|s| s.verify(self.log.chain()).is_ok())
            .map(|s| s.head))
    }

    /// Starts the tail behind segment `number`, then removes the tail of that number.
    fn follow_segment(
        &mut self,
        lock: &Exclusive,
        number: u64,
        end: Position,
    ) -> Result<(), VaultError> {
        let next = self.file(Part::Tail(number + 1));
        let (_, sealed) = Tail::create(&self.data, number + 1, TailStart { before: end })?;
        self.store.replace(lock, &next, Expected::Absent, &sealed)?;
        self.store.remove(lock, &self.file(Part::Tail(number)))?;
        self.log.reopen(&self.data)
    }

    /// Brings a roll-over to its end that was cut short after its segment was written.
    pub(super) fn finish_roll(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        let Some(open) = self.log.tail() else {
            return Ok(());
        };
        let (number, end, torn) = (open.tail.number, open.at, open.torn);
        let broken = open.broken || open.entries.is_empty();
        match self.open_segment(number)? {
            Some(head) if head.after == end && !torn => self.follow_segment(lock, number, end),
            // The tail stands, and is sealed again over what does not match it.
            _ if !broken && !torn => self.roll_over(lock),
            _ => {
                let name = self.file(Part::Segment(number));
                Err(sealed_error(&name, crate::seal::SealError::SegmentLinks))
            }
        }
    }

    /// Makes the tail behind the last segment, where there is none.
    pub(super) fn start_tail(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        let (highest, _) = self.log.highest();
        let end = self.log.end();
        let name = self.file(Part::Tail(highest + 1));
        let (_, sealed) = Tail::create(&self.data, highest + 1, TailStart { before: end })?;
        self.store.replace(lock, &name, Expected::Absent, &sealed)?;
        self.log.reopen(&self.data)
    }

    /// Writes an append that is larger than a tail as a segment of its own: whole or not at all.
    pub(super) fn append_segment(
        &mut self,
        lock: &Exclusive,
        lines: &[Zeroizing<Vec<u8>>],
    ) -> Result<(), VaultError> {
        let open = self.log.tail().expect("the end of the log has a tail");
        if open.broken {
            // A damaged tail cannot be sealed: the records go behind it, however many they are.
            return self.append_in_parts(lock, lines);
        }
        let number = if open.entries.is_empty() {
            let number = open.tail.number;
            // An empty tail would stand beside a segment that does not end where it ends.
            self.store.remove(lock, &self.file(Part::Tail(number)))?;
            number
        } else {
            self.roll_over(lock)?;
            let number = self.log.tail().map_or(1, |open| open.tail.number);
            self.store.remove(lock, &self.file(Part::Tail(number)))?;
            number
        };
        let mut writer = SegmentWriter::new(self.log.end());
        for line in lines {
            writer.push(self.log.chain(), line)?;
        }
        let end = writer.at();
        let written = self.write_segment(lock, number, writer, Expected::Absent);
        if written.is_err() {
            self.log.reopen(&self.data)?;
            written?;
        }
        // The records are durable: a tail that cannot be made now is made by the next appender.
        let name = self.file(Part::Tail(number + 1));
        let (_, sealed) = Tail::create(&self.data, number + 1, TailStart { before: end })?;
        self.store
            .replace(lock, &name, Expected::Absent, &sealed)
            .ok();
        self.log.reopen(&self.data)
    }

    fn append_in_parts(
        &mut self,
        lock: &Exclusive,
        lines: &[Zeroizing<Vec<u8>>],
    ) -> Result<(), VaultError> {
        // One append of the format holds at most 65,536 frames.
        let chain = self.log.chain().clone();
        let store = self.store.clone();
        let open = self.log.tail().expect("the end of the log has a tail");
        if lines.len() > usize::from(u16::MAX) {
            let (len, max) = (lines.len(), usize::from(u16::MAX));
            return Err(VaultError::RecordTooLong { len, max });
        }
        let (frames, _) = open.tail.seal(&chain, open.at, lines)?;
        store.append(lock, &open.name, open.held, open.end, &frames)?;
        self.log.reopen(&self.data)
    }

    /// Removes tails below the newest file whose segment opens whole and ends where they end.
    pub(super) fn remove_old_tails(&mut self, lock: &Exclusive) -> Result<(), VaultError> {
        for number in self.log.old_tails() {
            let name = self.file(Part::Tail(number));
            let Some(head) = self.open_segment(number)? else {
                continue;
            };
            let Some(bytes) = self.store.read(&name)? else {
                continue;
            };
            let Ok(tail) = Tail::read(&self.data, number, &bytes) else {
                continue;
            };
            let start = crate::seal::TAIL_HEAD_BYTES;
            let before = tail.start.before;
            let read = super::scan::scan(&tail, self.log.chain(), &bytes, start, before);
            if read.at == head.after && !read.torn {
                self.store.remove(lock, &name)?;
            }
        }
        Ok(())
    }
}
