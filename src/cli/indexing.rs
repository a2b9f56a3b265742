//! The search index on a terminal: where much is to be read into it, how far that is.

use super::output::Meter;
use super::shell::Shell;
use crate::chat::{ChatError, Conversations, Recall};
use crate::memory::Memory;
use crate::model::Fold;
use crate::recall::Merging;
use crate::vault::{Log, Vault, View};

/// Fewer records are read faster than a line about it is.
const SHOWN_FROM: u64 = 10_000;

/// Opens the index and brings it to the end of the log.
pub(super) fn open(shell: &Shell, log: &mut dyn Log) -> Result<Option<Recall>, ChatError> {
    let end = log.refresh()?.seq;
    let mut meter = Meter::new("building the index", shell.shows_progress());
    let mut from = None;
    let opened = Recall::open_telling(log, &mut |done| {
        let from = *from.get_or_insert(done);
        let missing = end.saturating_sub(from);
        if missing >= SHOWN_FROM {
            meter.show(done.saturating_sub(from), missing);
        }
    });
    meter.end();
    opened
}

/// Reads what was imported into the index and the checkpoints, so that the next search need not.
/// Without them, that one does.
pub(super) fn after_import(shell: &Shell, vault: &mut Vault) {
    if let Ok(Some(mut recall)) = open(shell, vault) {
        recall.settle(vault, Merging::All).ok();
    }
    keep(vault, Memory::new());
    keep(vault, Conversations::default());
}

fn keep<F: Fold>(vault: &mut Vault, fold: F) {
    if let Ok(mut view) = View::load(vault, fold)
        && view.is_behind()
    {
        view.save(vault).ok();
    }
}
