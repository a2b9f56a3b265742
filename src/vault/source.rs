//! Reads a whole log in order, in constant memory, and stops at the first thing that is not right.

use super::error::{Damage, DamageKind, VaultError};
use super::log::OpenLog;
use crate::seal::{DataKey, Plaintext, Position, SealError, SegmentStream};
use crate::store::{Name, Part, Store};

/// What is done about the links of a log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// Each is computed again.
    Verify,
    /// The heads of the segments must fit together; that their records are the right ones is for
    /// the caller to see.
    OfHeads,
}

/// Takes each record with its number.
pub(super) type Each<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), VaultError>;

fn damaged(name: &Name, at: Position, what: DamageKind) -> VaultError {
    VaultError::Damaged(Damage {
        file: name.to_string(),
        first_seq: Some(at.seq + 1),
        last_seq: None,
        what,
    })
}

/// Hands over every record of the log. `progress` is told of bytes as they are
/// read. Returns the place behind the last record.
pub(super) fn read_whole(
    store: &dyn Store,
    log: &OpenLog,
    data: &DataKey,
    links: Links,
    each: Each<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Position, VaultError> {
    let mut at = log.chain().start();
    let tail = log.tail();
    for number in log.numbers() {
        if tail.is_some_and(|open| open.tail.number == number) {
            break;
        }
        let name = Name::In(log.dir(), Part::Segment(number));
        let before = at;
        let mut link = |seq: u64, record: &[u8]| {
            if links == Links::Verify {
                at = log.chain().next(at, record);
            }
            each(seq, record)
        };
        let end = stream(store, data, number, &name, before, &mut link, progress)?;
        if links == Links::OfHeads {
            at = end;
        }
        if end != at {
            return Err(damaged(&name, before, DamageKind::DoesNotFollow));
        }
    }
    let Some(open) = tail else { return Ok(at) };
    if open.tail.start.before != at {
        return Err(damaged(&open.name, at, DamageKind::DoesNotFollow));
    }
    for entry in open.entries.values() {
        at = log.chain().next(at, entry.line());
        if entry.position() != at {
            return Err(damaged(&open.name, at, DamageKind::DoesNotFollow));
        }
        each(entry.seq, entry.line())?;
    }
    progress(open.end);
    Ok(at)
}

/// Streams one segment that must start at `before`; returns where it says to end.
fn stream(
    store: &dyn Store,
    data: &DataKey,
    number: u64,
    name: &Name,
    before: Position,
    each: Each<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Position, VaultError> {
    let does_not_open = |_: SealError| damaged(name, before, DamageKind::DoesNotOpen);
    let size = store.size(name)?;
    let start = store.read_at(name, 0, SegmentStream::START_BYTES)?;
    let (Some(size), Some(start)) = (size, start) else {
        return Err(damaged(name, before, DamageKind::Missing));
    };
    let mut part = Plaintext::new(start);
    let mut stream = SegmentStream::open(data, number, &part, size).map_err(does_not_open)?;
    let mut part_at = 0;
    let mut seq = before.seq;
    while let Some((offset, len)) = stream.next_place() {
        let mut from = (offset - part_at) as usize;
        if from + len > part.len() {
            let read = store.read_at(name, offset, len)?;
            part = Plaintext::new(read.unwrap_or_default());
            (part_at, from) = (offset, 0);
        }
        let Some(bytes) = part.get_mut(from..from + len) else {
            return Err(damaged(name, before, DamageKind::DoesNotOpen));
        };
        let fed = stream.feed(bytes, &mut |record: &[u8]| {
            seq += 1;
            each(seq, record).map_err(Stop::Vault)
        });
        match fed {
            Ok(()) => {}
            Err(Stop::Seal(source)) => return Err(does_not_open(source)),
            Err(Stop::Vault(error)) => return Err(error),
        }
        if stream.head().is_some_and(|head| head.before != before) {
            return Err(damaged(name, before, DamageKind::DoesNotFollow));
        }
        progress(len as u64);
    }
    stream
        .finish()
        .map(|head| head.after)
        .map_err(does_not_open)
}

/// Why a stream stopped: the file's fault, or the taker's.
enum Stop {
    Seal(SealError),
    Vault(VaultError),
}

impl From<SealError> for Stop {
    fn from(source: SealError) -> Self {
        Stop::Seal(source)
    }
}
