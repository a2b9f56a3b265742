//! Reads a log on a thread of its own while another seals it again: two cores, twice the pace.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::error::VaultError;
use super::source::Each;
use crate::seal::{Plaintext, Position};
use crate::store::StoreError;

/// Records are handed over in runs of about this size;
const BATCH_BYTES: usize = 128 << 10;
/// and no more is read while this much waits. A record larger than that is alone under way, which
/// is what keeps memory constant.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// A run of records.
struct Batch {
    first_seq: u64,
    text: Plaintext,
    /// Where each record ends in `text`.
    ends: Vec<usize>,
    /// Bytes of the source that were read for it.
    read_bytes: u64,
}

/// The reading side: gathers records, and waits where too many are under way.
struct Feeder {
    batch: Batch,
    batches: Sender<Batch>,
    taken: Receiver<usize>,
    waiting_bytes: usize,
}

/// The taking side has stopped; what it stopped for is its own to tell.
fn stopped<T>(_: T) -> VaultError {
    VaultError::Restless
}

impl Batch {
    fn starting_at(first_seq: u64) -> Self {
        Batch {
            first_seq,
            text: Plaintext::with_capacity(BATCH_BYTES),
            ends: Vec::new(),
            read_bytes: 0,
        }
    }
}

impl Feeder {
    fn push(&mut self, seq: u64, record: &[u8]) -> Result<(), VaultError> {
        let full = self.batch.text.len() + record.len() > BATCH_BYTES;
        if full && !self.batch.ends.is_empty() {
            self.flush(seq)?;
        }
        if self.batch.ends.is_empty() {
            self.batch.first_seq = seq;
        }
        self.batch.text.push(record);
        self.batch.ends.push(self.batch.text.len());
        Ok(())
    }

    fn flush(&mut self, next_seq: u64) -> Result<(), VaultError> {
        let batch = std::mem::replace(&mut self.batch, Batch::starting_at(next_seq));
        self.waiting_bytes += batch.text.len();
        self.batches.send(batch).map_err(stopped)?;
        while self.waiting_bytes > WAITING_BYTES_MAX {
            self.waiting_bytes -= self.taken.recv().map_err(stopped)?;
        }
        Ok(())
    }
}

/// Runs `read` on its own thread and hands the records it finds to `take` on this one, in order.
pub(super) fn read_across(
    read: impl FnOnce(Each<'_>, &mut dyn FnMut(u64)) -> Result<Position, VaultError> + Send,
    take: Each<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Position, VaultError> {
    let (batches, taken_from) = channel::<Batch>();
    let (tell_taken, taken) = channel::<usize>();
    let feed = move || {
        let feeder = std::cell::RefCell::new(Feeder {
            batch: Batch::starting_at(1),
            batches,
            taken,
            waiting_bytes: 0,
        });
        let end = read(
            &mut |seq, record| feeder.borrow_mut().push(seq, record),
            &mut |bytes| feeder.borrow_mut().batch.read_bytes += bytes,
        )?;
        feeder.into_inner().flush(0)?;
        Ok(end)
    };
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn_scoped(scope, feed)
            .map_err(|source| {
                let file = "a thread".to_owned();
                StoreError::Io { file, source }
            })?;
        let mut took = Ok(());
        // Dropped before the reader is waited for: then it stops at the next batch.
        let (taken_from, tell_taken) = (taken_from, tell_taken);
        for batch in &taken_from {
            took = take_batch(&batch, take);
            if took.is_err() {
                break;
            }
            progress(batch.read_bytes);
            tell_taken.send(batch.text.len()).ok();
        }
        drop((taken_from, tell_taken));
        let end = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        took?;
        end
    })
}

fn take_batch(batch: &Batch, take: Each<'_>) -> Result<(), VaultError> {
    let mut from = 0;
    for (seq, end) in (batch.first_seq..).zip(&batch.ends) {
        take(seq, &batch.text[from..*end])?;
        from = *end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Link;

    fn end(seq: u64) -> Position {
        Position {
            seq,
            link: Link([0; 32]),
        }
    }

    fn line(seq: u64) -> Vec<u8> {
        let len = [0, 1, 300, 3 << 20, BATCH_BYTES, 70_000][seq as usize % 6];
        vec![seq as u8; len]
    }

    #[test]
    fn every_record_arrives_once_in_order_whatever_its_size() {
        let (mut next, mut read) = (1, 0);
        let done = read_across(
            |each, progress| {
                for seq in 1..=300 {
                    each(seq, &line(seq))?;
                    progress(7);
                }
                Ok(end(300))
            },
            &mut |seq, record| {
                assert!(seq == next && record == line(seq));
                next += 1;
                Ok(())
            },
            &mut |bytes| read += bytes,
        );
        assert_eq!((done.unwrap().seq, next, read), (300, 301, 2100));
    }

    #[test]
    fn either_side_stops_the_other_and_its_own_reason_is_told() {
        let stop = |at: u64| {
            let reason = move |seq| {
                if seq == at {
                    Err(VaultError::NoVault)
                } else {
                    Ok(())
                }
            };
            read_across(
                |each, _| {
                    for seq in 1..=1000 {
                        each(seq, &line(seq))?;
                    }
                    Ok(end(1000))
                },
                &mut |seq, _| reason(seq),
                &mut |_| {},
            )
        };
        for at in [1, 2, 500, 1000] {
            assert!(matches!(stop(at), Err(VaultError::NoVault)), "{at}");
        }
        let mut count = 0;
        let broken = read_across(
            |each, _| {
                each(1, b"one")?;
                Err(VaultError::HeaderMissing)
            },
            &mut |_, _| {
                count += 1;
                Ok(())
            },
            &mut |_| {},
        );
        assert!(matches!(broken, Err(VaultError::HeaderMissing)));
        assert!(count <= 1);
    }
}
