//! What memory and history bring back for a line.

use crate::memory::Audience;
use crate::model::{Record, Role, Timestamp, comes_up};
use crate::provider::{Note, NoteKind, Offline, Provider, is_local_host};
use crate::recall::index::{CACHE_CHUNKS, Index, Merging};
use crate::recall::search::{FLOOR_COVERAGE, FLOOR_MEANING};
use crate::recall::{
    Among, Filter, Query, RecallError, Scope, ShelfError, sealed_shelf::SealedShelf,
};

use crate::vault::{EpochId, Log, VaultError};

use super::compose::Recalled;
use super::error::ChatError;
use super::find::item_at;
use super::meaning::Understanding;
use super::session::Session;

/// Moments that are brought back at the most, and items of memory,
const NOTES_MAX: usize = 6;
/// from among so many moments,
const MOMENTS_MAX: usize = 2 * NOTES_MAX;
/// of so many characters each.
const NOTE_CHARS_MAX: usize = 500;

/// What is looked for, and for whom.
pub(super) struct Asked<'a> {
    pub(super) text: &'a str,
    /// The first moment that counts, and the first that counts no more.
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) audience: Audience,
    pub(super) now: Timestamp,
}

/// The index and where it is in the log.
pub struct Recall {
    index: Index,
    epoch: EpochId,
    pub(super) understanding: Understanding,
}

/// Whether an index that says so is to be opened or built again.
fn is_past(error: &RecallError) -> bool {
    use ShelfError::{Damaged, Missing};
    matches!(
        error,
        RecallError::Damaged | RecallError::Shelf(Damaged | Missing)
    )
}

fn shelf_of(log: &dyn Log) -> Option<Box<SealedShelf>> {
    Some(Box::new(SealedShelf::new(log.index()?)))
}

impl Recall {
    /// Opens the sealed index, or starts it anew where it is missing, damaged or of another log.
    /// None where nothing is kept.
    pub fn open(log: &mut dyn Log) -> Result<Option<Self>, ChatError> {
        Recall::open_telling(log, &mut |_| {})
    }

    /// The same; `tell` hears, again and again, up to which record of the log it has come.
    pub fn open_telling(
        log: &mut dyn Log,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Option<Self>, ChatError> {
        let Some(shelf) = shelf_of(log) else {
            return Ok(None);
        };
        match Index::open(shelf, CACHE_CHUNKS) {
            Ok(index) if stands(&index, log)? => Recall::forward(index, log, tell),
            Ok(_) => Recall::rebuild(log, tell),
            Err(error) if is_past(&error) => Recall::rebuild(log, tell),
            Err(other) => Err(other.into()),
        }
    }

    fn rebuild(log: &mut dyn Log, tell: &mut dyn FnMut(u64)) -> Result<Option<Self>, ChatError> {
        let Some(shelf) = shelf_of(log) else {
            return Ok(None);
        };
        Recall::forward(Index::rebuild(shelf, CACHE_CHUNKS)?, log, tell)
    }

    /// Brings what was opened to the end of the log. Files that prove damaged under way are passed
    /// over by building anew, once.
    fn forward(
        index: Index,
        log: &mut dyn Log,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Option<Self>, ChatError> {
        let epoch = log.epoch();
        let rebuilt = index.seq() == 0;
        let mut recall = Recall {
            index,
            epoch,
            understanding: Understanding::default(),
        };
        match recall.read_on(log, tell) {
            Ok(()) => Ok(Some(recall)),
            Err(ChatError::Recall(error)) if is_past(&error) && !rebuilt => {
                Recall::rebuild(log, tell)
            }
            Err(other) => Err(other),
        }
    }

    /// Applies what was appended since, writing files only where memory would not hold it. After
    /// the vault was rewritten, begins with the index of the new epoch.
    pub fn catch_up(&mut self, log: &mut dyn Log) -> Result<(), ChatError> {
        if log.epoch() != self.epoch {
            self.replace(Recall::open(log)?);
        }
        match self.read_on(log, &mut |_| {}) {
            Err(ChatError::Recall(error)) if is_past(&error) => {
                self.replace(Recall::rebuild(log, &mut |_| {})?);
                Ok(())
            }
            other => other,
        }
    }

    pub(super) fn replace(&mut self, by: Option<Recall>) {
        if let Some(mut recall) = by {
            std::mem::swap(&mut recall.understanding, &mut self.understanding);
            *self = recall;
        }
    }

    /// Asks the index; if its files prove damaged, or another process has merged them meanwhile,
    /// once more after opening or building it again.
    pub fn ask<T>(
        &mut self,
        log: &mut dyn Log,
        question: &mut dyn FnMut(&Index, &mut dyn Log) -> Result<T, ChatError>,
    ) -> Result<T, ChatError> {
        let error = match question(&self.index, log) {
            Err(ChatError::Recall(error)) if is_past(&error) => error,
            other => return other,
        };
        let again = match error {
            RecallError::Shelf(ShelfError::Missing) => Recall::open(log)?,
            _ => Recall::rebuild(log, &mut |_| {})?,
        };
        self.replace(again);
        match question(&self.index, log) {
            // Opened, and damaged where opening does not look.
            Err(ChatError::Recall(error)) if is_past(&error) => {
                self.replace(Recall::rebuild(log, &mut |_| {})?);
                question(&self.index, log)
            }
            other => other,
        }
    }

    fn read_on(&mut self, log: &mut dyn Log, tell: &mut dyn FnMut(u64)) -> Result<(), ChatError> {
        loop {
            tell(self.index.seq());
            let batch = log.read(self.index.seq())?;
            let Some(last) = batch.last().map(|entry| entry.position()) else {
                return Ok(());
            };
            for entry in &batch {
                let record = entry.record().unwrap_or(Record::Unknown);
                self.index.apply(entry.seq, &record);
            }
            if self.index.is_full() {
                self.flush(last.link.0, Merging::All)?;
            }
        }
    }

    /// Seals what is in memory, if it is worth a file.
    pub fn settle(&mut self, log: &mut dyn Log, merging: Merging) -> Result<(), ChatError> {
        if !self.index.wants_flush() {
            return Ok(());
        }
        let Some(at) = log.position(self.index.seq())? else {
            return Ok(());
        };
        self.flush(at.link.0, merging)
    }

    /// Another process that flushed first is no fault: ours stays in memory.
    fn flush(&mut self, link: [u8; 32], merging: Merging) -> Result<(), ChatError> {
        match self.index.flush(link, merging) {
            Ok(_) | Err(RecallError::Shelf(ShelfError::Conflict | ShelfError::Missing)) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    pub fn index(&self) -> &Index {
        &self.index
    }

    pub(super) fn index_mut(&mut self) -> &mut Index {
        &mut self.index
    }

    /// A query that is asked by its meaning too, where there is a model for that. `is_local`: it is
    /// not to leave this machine.
    pub fn understood(&mut self, mut query: Query, is_local: bool) -> Query {
        if self.index.vectors().is_some() {
            self.understanding.of(&mut query, is_local);
        }
        query
    }
}

/// Whether what is sealed in the index is of this log, and not ahead of it.
fn stands(index: &Index, log: &mut dyn Log) -> Result<bool, VaultError> {
    let vectors = index.vectors().map_or((0, [0; 32]), |vectors| vectors.at);
    for (seq, link) in [index.sealed_at(), vectors] {
        if seq > 0 && log.position(seq)?.is_none_or(|at| at.link.0 != link) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Session {
    /// What bears on the line that was said last: items of memory that are not in the prompt
    /// anyway, and moments of other times.
    pub fn recall(
        &mut self,
        provider: &dyn Provider,
        now: Timestamp,
    ) -> Result<Recalled, ChatError> {
        let audience = match provider.host() {
            Some(host) if !is_local_host(host) => Audience::Remote,
            _ => Audience::ThisMachine,
        };
        let Some(mut recall) = self.recall.take() else {
            return Ok(Recalled::default());
        };
        let offline = provider.name() == Offline::NAME;
        let recalled = self.recall_with(&mut recall, audience, offline, now);
        self.recall = Some(recall);
        recalled
    }

    fn recall_with(
        &mut self,
        recall: &mut Recall,
        audience: Audience,
        offline: bool,
        now: Timestamp,
    ) -> Result<Recalled, ChatError> {
        recall.catch_up(self.log.as_mut())?;
        let window = self.buffer.fold.window(self.conversation()).cloned();
        let kept = self.window_messages(window.as_ref())?;
        let Some(line) = kept.iter().rev().find(|kept| kept.role == Role::User) else {
            return Ok(Recalled::default());
        };
        let Some(text) = line.text.clone() else {
            return Ok(Recalled::default());
        };
        // A model reads its window; `offline` has nothing but the notes.
        let at_hand: Vec<u64> = match offline {
            true => vec![line.seq],
            false => kept.iter().map(|kept| kept.seq).collect(),
        };
        let asked = Asked {
            text: &text,
            since: None,
            until: None,
            audience,
            now,
        };
        let notes = self.notes_on(recall, &asked, &at_hand)?;
        Ok(Recalled { notes })
    }

    /// What memory and history have on something, but for what a model has in its window.
    pub(super) fn look_up(&mut self, asked: &Asked<'_>) -> Result<Vec<Note>, ChatError> {
        let Some(mut recall) = self.recall.take() else {
            return Ok(Vec::new());
        };
        let window = self.buffer.fold.window(self.conversation()).cloned();
        let found = recall.catch_up(self.log.as_mut()).and_then(|()| {
            let kept = self.window_messages(window.as_ref())?;
            let at_hand: Vec<u64> = kept.iter().map(|kept| kept.seq).collect();
            self.notes_on(&mut recall, asked, &at_hand)
        });
        self.recall = Some(recall);
        found
    }

    fn notes_on(
        &mut self,
        recall: &mut Recall,
        asked: &Asked<'_>,
        at_hand: &[u64],
    ) -> Result<Vec<Note>, ChatError> {
        let filter = Filter {
            scope: Scope::Messages,
            since: asked.since,
            until: asked.until,
            may_leave: asked.audience == Audience::Remote,
            conversations: Among::But(self.hidden()),
            ..Filter::default()
        };
        let mut at_hand = |seq| at_hand.contains(&seq);
        let query = recall.understood(Query::plain(asked.text), self.is_local());
        let moments = recall.ask(self.log.as_mut(), &mut |index, _| {
            Ok(index.recall(&query, &filter, MOMENTS_MAX, &mut at_hand)?)
        })?;
        let mut notes = match self.settings.use_memory {
            true => self.memory_notes(recall, asked, &query, filter)?,
            false => Vec::new(),
        };
        let mut said = Vec::new();
        for hit in moments {
            if said.len() < NOTES_MAX {
                said.extend(self.moment(hit.seq, asked)?);
            }
        }
        notes.extend(said);
        Ok(notes)
    }

    /// Items that answer the line. `offline` has no other way to them; a model has the standing
    /// section already, so for it only those that found no room there count.
    fn memory_notes(
        &mut self,
        recall: &mut Recall,
        asked: &Asked<'_>,
        query: &Query,
        filter: Filter,
    ) -> Result<Vec<Note>, ChatError> {
        let (memory, here) = (&self.memory.fold, self.project());
        let filter = Filter {
            scope: Scope::Memory,
            standing: memory.standing_words(asked.now, |item| item.comes_up_in(here)),
            ..filter
        };
        let mut hits = recall.ask(self.log.as_mut(), &mut |index, _| {
            let mut closed = |_| Ok::<_, ChatError>(None);
            index.search(query, &filter, NOTES_MAX, &mut closed)
        })?;
        // Items are few, so that how far one stands out says little; how much of the line it has
        // says as much as of a message.
        hits.retain(|hit| hit.coverage >= FLOOR_COVERAGE || hit.meaning >= FLOOR_MEANING);
        let mut notes = Vec::new();
        for hit in hits {
            let memory = &self.memory.fold;
            let Some(stored) = item_at(self.log.as_mut(), memory, hit.seq, asked.now)? else {
                continue;
            };
            if asked.audience == Audience::ThisMachine || stored.may_leave() {
                notes.push(Note {
                    kind: NoteKind::Memory,
                    text: stored.item.text.clone(),
                    at: stored.last_said(),
                    speaker: "memory".to_owned(),
                });
            }
        }
        Ok(notes)
    }

    /// A message of another time, cut to a note's length. None where it would tell nothing: the
    /// same line said before, and what `offline` answered, which is made of such notes. Nor of a
    /// conversation that does not come up here, or that the index knows of before the buffer does.
    fn moment(&mut self, seq: u64, asked: &Asked<'_>) -> Result<Option<Note>, ChatError> {
        let Some(Record::Message(message)) = self.log.record(seq)? else {
            return Ok(None);
        };
        let of = self.buffer.fold.project_of(message.conversation);
        if seq > self.buffer.at().seq || !comes_up(of, self.project()) {
            return Ok(None);
        }
        let plain = message.plain();
        let by_offline = message
            .model
            .as_deref()
            .is_some_and(|m| m.split('/').next() == Some(Offline::NAME));
        if by_offline || plain.trim() == asked.text.trim() {
            return Ok(None);
        }
        let speaker = match message.role {
            Role::User => "you",
            _ => "assistant",
        };
        let text: String = plain.chars().take(NOTE_CHARS_MAX).collect();
        Ok(Some(Note {
            kind: NoteKind::History,
            text: text.into(),
            at: message.at,
            speaker: speaker.to_owned(),
        }))
    }
}

#[cfg(test)]
#[path = "recall_tests.rs"]
mod tests;
