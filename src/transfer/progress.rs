//! How far a long transfer is, and the caller's word whether to go on.

use std::ops::ControlFlow;

use super::error::TransferError;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading the log to find what there is and what is hidden; counted in records.
    Survey,
    /// Writing the export; counted in records.
    Write,
    /// Reading what the vault holds already; counted in records.
    Known,
    /// Holding the source against its own hash; counted in bytes.
    Check,
    /// Reading the source and appending; counted in bytes.
    Import,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub step: Step,
    pub done: u64,
    /// Zero where it is not known.
    pub total: u64,
}

/// Called every few thousand records or MiB; `Break` ends the transfer with `Stopped`.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Counts towards the next report.
pub(super) struct Meter<'a, 'b> {
    step: Step,
    total: u64,
    every: u64,
    next: u64,
    report: &'a mut OnProgress<'b>,
}

impl<'a, 'b> Meter<'a, 'b> {
    pub(super) fn new(step: Step, total: u64, report: &'a mut OnProgress<'b>) -> Self {
        let every = match step {
            Step::Check | Step::Import => 1 << 20,
            _ => 4096,
        };
        Meter {
            step,
            total,
            every,
            next: 0,
            report,
        }
    }

    pub(super) fn at(&mut self, done: u64) -> Result<(), TransferError> {
        if done < self.next && done != self.total {
            return Ok(());
        }
        self.next = done + self.every;
        let progress = Progress {
            step: self.step,
            done,
            total: self.total,
        };
        match (self.report)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(TransferError::Stopped),
        }
    }
}
