//! Messages by conversation, out of a log in which they lie as they were said.
//!
//! As many whole conversations as fit a few MiB are read in one go through the log; a conversation
//! that is larger than that is read by itself, message by message, and never held whole.

use crate::model::{Message, Record};
use crate::vault::{Entry, Log};

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::super::walk::Picker;
use super::hidden::Hidden;
use super::survey::{Conversation, Place, Survey};

/// What is held at once. A conversation above it is streamed.
const GROUP_BYTES: u64 = 16 << 20;

/// What a form does with a conversation.
pub(super) trait Pages {
    fn begin(&mut self, conversation: &Conversation) -> Result<(), TransferError>;
    fn message(&mut self, message: &Message) -> Result<(), TransferError>;
    fn end(&mut self) -> Result<(), TransferError>;
}

/// Which conversation comes first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

pub(super) fn each(
    log: &mut dyn Log,
    survey: &mut Survey,
    hidden: &Hidden,
    order: Order,
    pages: &mut dyn Pages,
    report: &mut OnProgress<'_>,
) -> Result<(), TransferError> {
    let shown = shown(survey, hidden, order);
    let mut places = std::mem::take(&mut survey.places);
    let mut rank = vec![u32::MAX; survey.conversations.len()];
    for (n, index) in shown.iter().enumerate() {
        rank[*index as usize] = n as u32;
    }
    places.retain(|place| rank[place.conversation as usize] != u32::MAX);
    places.sort_unstable_by_key(|place| (rank[place.conversation as usize], place.seq));
    let mut meter = Meter::new(Step::Write, places.len() as u64, report);
    let mut reading = Reading {
        picker: Picker::new(log, survey.extent),
        conversations: &survey.conversations,
        pages,
    };
    let mut done = 0;
    while done < places.len() {
        let (end, bytes) = group(&places[done..]);
        let part = &places[done..done + end];
        if bytes > GROUP_BYTES {
            reading.stream(part, done as u64, &mut meter)?;
        } else {
            reading.gather(part)?;
        }
        done += end;
        meter.at(done as u64)?;
    }
    Ok(())
}

fn shown(survey: &Survey, hidden: &Hidden, order: Order) -> Vec<u32> {
    let all = &survey.conversations;
    let mut shown: Vec<u32> = (0..all.len() as u32)
        .filter(|index| {
            let conversation = &all[*index as usize];
            conversation.messages > 0 && !hidden.conversations.contains_key(&conversation.id)
        })
        .collect();
    match order {
        Order::OldestFirst => shown.sort_by_key(|index| all[*index as usize].started),
        Order::NewestFirst => {
            shown.sort_by_key(|index| std::cmp::Reverse(all[*index as usize].last));
        }
    }
    shown
}

/// How many places of whole conversations fit, at least one conversation; and their bytes.
fn group(places: &[Place]) -> (usize, u64) {
    let (mut end, mut bytes) = (0, 0);
    for conversation in places.chunk_by(|a, b| a.conversation == b.conversation) {
        let its: u64 = conversation
            .iter()
            .map(|place| u64::from(place.bytes))
            .sum();
        if end > 0 && bytes + its > GROUP_BYTES {
            break;
        }
        end += conversation.len();
        bytes += its;
    }
    (end, bytes)
}

struct Reading<'a> {
    picker: Picker<'a>,
    conversations: &'a [Conversation],
    pages: &'a mut dyn Pages,
}

impl Reading<'_> {
    /// One conversation, in the order of the log.
    fn stream(
        &mut self,
        places: &[Place],
        done: u64,
        meter: &mut Meter<'_, '_>,
    ) -> Result<(), TransferError> {
        self.begin(places)?;
        for (n, place) in places.iter().enumerate() {
            if let Some(entry) = self.picker.pick(place.seq)? {
                self.message(&entry)?;
            }
            meter.at(done + n as u64)?;
        }
        self.pages.end()
    }

    /// Some conversations at once, so that the log is gone through once for all of them.
    fn gather(&mut self, places: &[Place]) -> Result<(), TransferError> {
        let mut by_seq: Vec<usize> = (0..places.len()).collect();
        by_seq.sort_unstable_by_key(|n| places[*n].seq);
        let mut found: Vec<Option<Entry>> = vec![None; places.len()];
        for n in by_seq {
            found[n] = self.picker.pick(places[n].seq)?;
        }
        let mut start = 0;
        for conversation in places.chunk_by(|a, b| a.conversation == b.conversation) {
            self.begin(conversation)?;
            let end = start + conversation.len();
            for entry in found[start..end].iter().flatten() {
                self.message(entry)?;
            }
            self.pages.end()?;
            start = end;
        }
        Ok(())
    }

    fn begin(&mut self, places: &[Place]) -> Result<(), TransferError> {
        let index = places[0].conversation as usize;
        self.pages.begin(&self.conversations[index])
    }

    fn message(&mut self, entry: &Entry) -> Result<(), TransferError> {
        match entry.record() {
            Ok(Record::Message(message)) => self.pages.message(&message),
            _ => Ok(()),
        }
    }
}
