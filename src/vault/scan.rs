//! Reads the frames of a tail: what follows, what is damaged, what was torn.

use std::collections::BTreeMap;

use super::entry::Entry;
use crate::seal::{Chain, Frame, FrameHead, Position, Tail};

/// Bytes of a tail that hold no frame that counts, with frames that do behind them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gap {
    /// The records before and behind it that could be read.
    pub after_seq: u64,
    pub next_seq: u64,
}

/// What was found from one place of a tail on.
pub(super) struct Scan {
    pub entries: BTreeMap<u64, Entry>,
    /// Behind the last complete append.
    pub end: usize,
    pub at: Position,
    pub gaps: Vec<Gap>,
    /// Bytes behind `end` that belong to no complete append, and no whole append behind them.
    pub torn: bool,
}

/// Scans `bytes` from `from` on, where the chain stands at `at`.
pub(super) fn scan(tail: &Tail, chain: &Chain, bytes: &[u8], from: usize, at: Position) -> Scan {
    let mut scan = Scan {
        entries: BTreeMap::new(),
        end: from,
        at,
        gaps: Vec::new(),
        torn: false,
    };
    let mut place = Place { offset: from, at };
    let mut pending: Vec<(Entry, FrameHead)> = Vec::new();
    while place.offset < bytes.len() {
        let here = &bytes[place.offset..];
        match tail.open(here) {
            Ok(frame) if follows(&frame.head, place.at, pending.last().map(|(_, head)| head)) => {
                let (head, left) = (frame.head, frame.head.left);
                place.at = chain.next(place.at, &frame.record);
                place.offset += head.frame_bytes();
                pending.push((Entry::new(place.at, frame.record), head));
                if left == 0 {
                    scan.commit(&mut pending, place);
                }
            }
            _ if !whole_append_behind(tail, bytes, place) => break,
            _ => {
                // Damage, not a torn write: what can be read of the cut append counts.
                scan.commit_cut(&mut pending, place);
                if !scan.resume(tail, chain, bytes, &mut place, &mut pending) {
                    break;
                }
            }
        }
    }
    scan.torn = scan.end < bytes.len();
    scan
}

#[derive(Clone, Copy)]
struct Place {
    offset: usize,
    at: Position,
}

/// Whether a frame is the next of the chain, and of its append.
fn follows(head: &FrameHead, at: Position, before: Option<&FrameHead>) -> bool {
    let place = match before {
        None => head.index == 0,
        Some(before) => head.index == before.index + 1 && head.left + 1 == before.left,
    };
    place && head.seq == at.seq + 1 && head.link_before == at.link
}

/// Every frame that opens at or behind `place`, wherever it stands.
fn frames_behind<'a>(
    tail: &'a Tail,
    bytes: &'a [u8],
    place: Place,
) -> impl Iterator<Item = (usize, Frame)> + 'a {
    (place.offset..bytes.len()).filter_map(move |offset| {
        let here = &bytes[offset..];
        let head = FrameHead::parse(here)?;
        let plausible = head.is_plausible_near(place.at.seq, here.len());
        if !plausible {
            return None;
        }
        tail.open(here).ok().map(|frame| (offset, frame))
    })
}

/// Whether the first frame of an append opens at or behind a break of the chain.
fn whole_append_behind(tail: &Tail, bytes: &[u8], place: Place) -> bool {
    frames_behind(tail, bytes, place).any(|(_, frame)| frame.head.index == 0)
}

impl Scan {
    fn commit(&mut self, pending: &mut Vec<(Entry, FrameHead)>, place: Place) {
        self.entries
            .extend(pending.drain(..).map(|(entry, _)| (entry.seq, entry)));
        self.end = place.offset;
        self.at = place.at;
    }

    fn commit_cut(&mut self, pending: &mut Vec<(Entry, FrameHead)>, place: Place) {
        if !pending.is_empty() {
            self.commit(pending, place);
        }
    }

    /// Goes on at the next frame that opens; false if there is none.
    fn resume(
        &mut self,
        tail: &Tail,
        chain: &Chain,
        bytes: &[u8],
        place: &mut Place,
        pending: &mut Vec<(Entry, FrameHead)>,
    ) -> bool {
        let Some((offset, frame)) = frames_behind(tail, bytes, *place).next() else {
            return false;
        };
        let (head, before) = (frame.head, place.at);
        let own = Position {
            seq: head.seq - 1,
            link: head.link_before,
        };
        let behind = chain.next(own, &frame.record);
        let entry = Entry::new(behind, frame.record);
        place.offset = offset + head.frame_bytes();
        if head.seq <= before.seq {
            // Put there twice, or out of order: its record counts if it was missed so far.
            self.entries.entry(head.seq).or_insert(entry);
            self.gaps.push(Gap {
                after_seq: before.seq,
                next_seq: before.seq + 1,
            });
            self.end = place.offset;
            return true;
        }
        self.gaps.push(Gap {
            after_seq: before.seq,
            next_seq: head.seq,
        });
        place.at = behind;
        pending.push((entry, head));
        if head.left == 0 {
            self.commit(pending, *place);
        }
        true
    }
}
