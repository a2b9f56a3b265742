//! Search by meaning in a vault: what a model of meaning may be shown, and when.

use crate::memory::detect_secrets;
use crate::model::Text;
use crate::provider::is_local_host;
use crate::recall::ShelfError::{Conflict, Missing};
use crate::recall::index::{Making, Progress, Unread};
use crate::recall::meaning::{EmbedError, Embedder};
use crate::recall::{Index, Merging, Query, RecallError};
use crate::vault::Log;

use super::error::ChatError;
use super::find::words_of;
use super::recall::Recall;
use super::session::Session;

/// Makes a model ready, which takes its time: done when it is first needed.
pub type Load = Box<dyn FnOnce() -> Result<Box<dyn Embedder>, EmbedError>>;

/// A model of meaning, if there is one. One that failed is let go of, since every line would wait
/// for it.
#[derive(Default)]
pub(super) struct Understanding {
    load: Option<Load>,
    embedder: Option<Box<dyn Embedder>>,
    fault: Option<EmbedError>,
}

impl Understanding {
    fn embedder(&mut self) -> Result<Option<&dyn Embedder>, EmbedError> {
        if let Some(load) = self.load.take() {
            self.embedder = Some(load()?);
        }
        Ok(self.embedder.as_deref())
    }

    /// Has a query asked by its meaning too, if that can be. `is_local`: it is not to leave this
    /// machine.
    pub(super) fn of(&mut self, query: &mut Query, is_local: bool) {
        let asked = self.embedder().and_then(|embedder| match embedder {
            Some(embedder) if may_see(embedder, &query.words, is_local) => {
                query.understand(embedder)
            }
            _ => Ok(()),
        });
        if let Err(fault) = asked {
            self.embedder = None;
            self.fault = Some(fault);
        }
    }
}

fn may_see(embedder: &dyn Embedder, text: &str, is_local: bool) -> bool {
    !leaves(embedder) || (!is_local && detect_secrets(text).is_empty())
}

/// Whether what a model is shown goes to another machine.
fn leaves(embedder: &dyn Embedder) -> bool {
    embedder.host().is_some_and(|host| !is_local_host(host))
}

impl Recall {
    /// Asks by meaning too from here on. Whoever hands in the model has the person's consent for
    /// its host.
    pub fn understand_with(&mut self, load: Load) {
        self.understanding = Understanding {
            load: Some(load),
            ..Understanding::default()
        };
    }

    /// Why questions are asked by their words alone, if a model failed since this was asked last.
    pub fn take_fault(&mut self) -> Option<EmbedError> {
        self.understanding.fault.take()
    }

    /// Makes vectors of what the model has not been shown, until `go_on` says no. None without a
    /// model. What is private, or looks like a secret, is shown to none on another machine.
    pub fn embed(
        &mut self,
        log: &mut dyn Log,
        go_on: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Option<Progress>, ChatError> {
        self.catch_up(log)?;
        self.understanding.embedder()?;
        let Some(embedder) = self.understanding.embedder.take() else {
            return Ok(None);
        };
        let mut made = embed(self.index_mut(), embedder.as_ref(), log, go_on);
        if let Err(ChatError::Recall(RecallError::Shelf(Conflict | Missing))) = made {
            // Another process has written: what it has is opened, and gone on with.
            self.replace(Recall::open(log)?);
            made = embed(self.index_mut(), embedder.as_ref(), log, go_on);
        }
        self.understanding.embedder = Some(embedder);
        made.map(Some)
    }
}

fn embed(
    index: &mut Index,
    embedder: &dyn Embedder,
    log: &mut dyn Log,
    go_on: &mut dyn FnMut(Progress) -> bool,
) -> Result<Progress, ChatError> {
    let Some(at) = log.position(index.seq())? else {
        return Ok(index.progress(embedder.model()));
    };
    let state = index.state().clone();
    let leaves = leaves(embedder);
    let mut text = |passage: &Unread| -> Result<Option<Text>, ChatError> {
        let private = passage.is_memory || state.is_local(&passage.conversation);
        if state.is_deleted(&passage.conversation) || (leaves && private) {
            return Ok(None);
        }
        let text = log.record(passage.seq)?.and_then(words_of);
        Ok(text.filter(|text| may_see(embedder, text, false)))
    };
    index.embed(Making {
        embedder,
        link: at.link.0,
        text: &mut text,
        go_on,
    })
}

impl Session {
    /// Asks by meaning too from here on.
    pub fn understand_with(&mut self, load: Load) {
        if let Some(recall) = &mut self.recall {
            recall.understand_with(load);
        }
    }

    /// Brings the index to the end of the log, and to the disk where that is worth a file.
    pub fn settle_index(&mut self, merging: Merging) -> Result<(), ChatError> {
        if let Some(recall) = &mut self.recall {
            recall.catch_up(self.log.as_mut())?;
            recall.settle(self.log.as_mut(), merging)?;
        }
        Ok(())
    }

    /// How many passages the index has.
    pub fn passages(&self) -> u32 {
        let recall = self.recall.as_ref();
        recall.map_or(0, |recall| recall.index().passages())
    }

    /// Why nothing is asked by its meaning any more, once.
    pub fn take_fault_of_meaning(&mut self) -> Option<EmbedError> {
        self.recall.as_mut()?.take_fault()
    }

    /// Makes vectors of what is new, until `go_on` says no.
    pub fn embed(
        &mut self,
        go_on: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Option<Progress>, ChatError> {
        match &mut self.recall {
            Some(recall) => recall.embed(self.log.as_mut(), go_on),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
#[path = "meaning_tests.rs"]
mod tests;
