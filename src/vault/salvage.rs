//! Reads a damaged log in order: every record that opens, and a word for each that does not.

use std::collections::BTreeMap;

use super::entry::Entry;
use super::error::VaultError;
use super::log::OpenLog;
use crate::seal::{DataKey, TAIL_HEAD_BYTES, Tail};
use crate::store::{Name, Part, Store};

/// A record, or the file that held it.
pub(super) enum Found<'a> {
    Record(&'a [u8]),
    Lost(&'a str),
}

/// Hands over every number from 1 to the log's end, or to `until` where more was there once. Holds
/// one file of the log at a time.
pub(super) fn read_salvaged(
    store: &dyn Store,
    log: &mut OpenLog,
    data: &DataKey,
    until: u64,
    each: &mut dyn FnMut(u64, Found<'_>) -> Result<(), VaultError>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), VaultError> {
    let mut seq = 0;
    // The last file that holds less than it should.
    let mut bad = None;
    let mut expected = 1;
    for number in log.numbers().collect::<Vec<u64>>() {
        if number > expected {
            let missing = Name::In(log.dir(), Part::Segment(expected));
            bad.get_or_insert_with(|| missing.to_string());
        }
        expected = number.saturating_add(1);
        let (part, entries) = file_entries(store, log, data, number)?;
        let name = Name::In(log.dir(), part);
        let file = name.to_string();
        if entries.is_empty() && !is_new_tail(log, number) {
            bad.get_or_insert_with(|| file.clone());
        }
        for entry in entries.values() {
            if entry.seq <= seq {
                continue;
            }
            if entry.seq > seq + 1 {
                let held = bad.as_deref().unwrap_or(&file);
                for lost in seq + 1..entry.seq {
                    each(lost, Found::Lost(held))?;
                }
            }
            bad = None;
            seq = entry.seq;
            each(seq, Found::Record(entry.line()))?;
        }
        if log.damage().iter().any(|damage| damage.file == file) {
            bad.get_or_insert(file);
        }
        progress(store.size(&name)?.unwrap_or(0));
    }
    let until = until.max(log.end().seq);
    let last = Part::Tail(log.highest().0.max(1));
    let file = bad.unwrap_or_else(|| Name::In(log.dir(), last).to_string());
    for lost in seq + 1..=until {
        each(lost, Found::Lost(&file))?;
    }
    Ok(())
}

/// Whether this is the active tail, with nothing in it yet and nothing wrong with it.
fn is_new_tail(log: &OpenLog, number: u64) -> bool {
    log.tail()
        .is_some_and(|open| open.tail.number == number && !open.broken)
}

/// What opens of the file, or the two files, of one number.
fn file_entries(
    store: &dyn Store,
    log: &mut OpenLog,
    data: &DataKey,
    number: u64,
) -> Result<(Part, BTreeMap<u64, Entry>), VaultError> {
    let (segment, tail) = log.files_of(number);
    let mut entries = BTreeMap::new();
    if tail {
        let (found, whole) = tail_entries(store, log, data, number)?;
        entries = found;
        if whole || !segment {
            return Ok((Part::Tail(number), entries));
        }
    }
    if segment {
        for entry in log.segment_entries(data, number)? {
            entries.entry(entry.seq).or_insert_with(|| entry.clone());
        }
    }
    Ok((Part::Segment(number), entries))
}

/// The records of a tail, and whether nothing of it is damaged.
fn tail_entries(
    store: &dyn Store,
    log: &OpenLog,
    data: &DataKey,
    number: u64,
) -> Result<(BTreeMap<u64, Entry>, bool), VaultError> {
    if let Some(open) = log.tail().filter(|open| open.tail.number == number) {
        return Ok((open.entries.clone(), !open.broken && !open.torn));
    }
    let name = Name::In(log.dir(), Part::Tail(number));
    let bytes = store.read(&name)?.unwrap_or_default();
    let (tail, from, whole) = match Tail::read(data, number, &bytes) {
        Ok(tail) => (tail, TAIL_HEAD_BYTES, true),
        Err(_) => match Tail::rescue(data, number, &bytes) {
            Some((tail, from)) => (tail, from, false),
            None => return Ok((BTreeMap::new(), false)),
        },
    };
    let before = tail.start.before;
    let read = super::scan::scan(&tail, log.chain(), &bytes, from, before);
    let whole = whole && !read.torn && read.gaps.is_empty();
    Ok((read.entries, whole))
}
