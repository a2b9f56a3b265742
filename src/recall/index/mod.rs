//! The index: a fold of the log, sealed in segments, with the newest records in memory.

mod embedding;
mod manifest;
mod state;
#[cfg(test)]
mod tests;
mod vectors;

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::Range;

use zeroize::Zeroize;

pub use embedding::{Making, Progress};
pub use manifest::VERSION;
use manifest::{Manifest, Named};
pub use state::State;
pub use vectors::{Unread, Vectors};

use super::RecallError;
use super::cache::ChunkCache;
use super::contents::Contents;
use super::meaning::Meaning;
use super::segment::{Opened, Said, SealedSegment, VolatileSegment, merge, seal_volatile};
use super::shelf::{Shelf, ShelfError};
use super::source::{Posting, Source};
use super::turn::{Speaker, Turn};
use crate::model::{Record, Role};

/// So many new messages are worth a file.
pub const FLUSH_MESSAGES: u64 = 512;
/// While building, so many are held before a file is written.
pub const BUILD_MESSAGES: u64 = 32_768;
const BUILD_BYTES: usize = 24 << 20;
/// A message of many passages counts as what it is.
const BUILD_PASSAGES: u32 = 65_536;
/// A file gets no larger by merging: it is written in one piece.
const SEGMENT_PASSAGES_MAX: u32 = 1 << 18;
/// So many neighbours of a size become one.
const MERGED_AT_ONCE: usize = 4;
/// Opened chunks that stay at hand: 16 MiB.
pub const CACHE_CHUNKS: usize = 256;
const PASSAGES_MAX: u32 = u32::MAX / 2;

/// How much a flush may do besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// Up to some ten thousand passages: between two turns.
    Small,
    /// Whatever is due: at idle, and while building.
    All,
}

/// The sealed index and its overlay.
pub struct Index {
    shelf: Box<dyn Shelf>,
    cache: ChunkCache,
    segments: Vec<(u32, SealedSegment)>,
    overlay: VolatileSegment,
    overlay_base: u32,
    contents: Contents,
    names: Vec<String>,
    state: State,
    seq: u64,
    /// Of the manifest, which lies behind by what the overlay holds.
    sealed_at: (u64, [u8; 32]),
    generation: Option<u64>,
    vectors: Option<Vectors>,
    /// A file of vectors did not open: they are as if there were none.
    vectors_broken: Cell<bool>,
}

impl Index {
    /// Opens the index as the manifest has it; an empty one if there is none, or one of another
    /// version. The records after [`Index::seq`] are to be applied.
    pub fn open(shelf: Box<dyn Shelf>, cache_chunks: usize) -> Result<Index, RecallError> {
        let mut index = Index::empty(shelf, cache_chunks);
        let Some(sealed) = index.shelf.manifest()? else {
            return Ok(index);
        };
        index.generation = Some(sealed.generation);
        let Some(manifest) = Manifest::from_bytes(&sealed.bytes)? else {
            return Ok(index);
        };
        for named in manifest.segments {
            let from = Opened {
                shelf: &*index.shelf,
                cache: &index.cache,
            };
            let (segment, contents) = SealedSegment::open(from, named.file)?;
            let fits = index.contents.passages.checked_add(contents.passages);
            if contents.passages != named.passages || fits.is_none_or(|n| n > PASSAGES_MAX) {
                return Err(RecallError::Damaged);
            }
            index.segments.push((index.contents.passages, segment));
            index.contents.append(&contents);
        }
        index.overlay_base = index.contents.passages;
        index.names = manifest.names;
        index.state = manifest.state;
        index.seq = manifest.seq;
        index.sealed_at = (manifest.seq, manifest.link);
        index.vectors = manifest.vectors;
        Ok(index)
    }

    /// An index of nothing; its first flush replaces whatever manifest there is now.
    pub fn rebuild(shelf: Box<dyn Shelf>, cache_chunks: usize) -> Result<Index, RecallError> {
        let mut index = Index::empty(shelf, cache_chunks);
        index.generation = index.shelf.manifest()?.map(|sealed| sealed.generation);
        Ok(index)
    }

    fn empty(shelf: Box<dyn Shelf>, cache_chunks: usize) -> Index {
        Index {
            shelf,
            cache: ChunkCache::new(cache_chunks),
            segments: Vec::new(),
            overlay: VolatileSegment::default(),
            overlay_base: 0,
            contents: Contents::default(),
            names: Vec::new(),
            state: State::default(),
            seq: 0,
            sealed_at: (0, [0; 32]),
            generation: None,
            vectors: None,
            vectors_broken: Cell::new(false),
        }
    }

    /// The last record that was applied.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The last record that is sealed, and its link as it was given: to be compared with the log.
    pub fn sealed_at(&self) -> (u64, [u8; 32]) {
        self.sealed_at
    }

    /// Messages that are only in memory.
    pub fn overlay_messages(&self) -> u64 {
        self.overlay.messages()
    }

    /// Whether enough is in memory for a file of its own.
    pub fn wants_flush(&self) -> bool {
        self.overlay.messages() >= FLUSH_MESSAGES
    }

    /// Whether a builder must flush now to stay within its memory.
    pub fn is_full(&self) -> bool {
        self.overlay.messages() >= BUILD_MESSAGES
            || self.overlay.contents().passages >= BUILD_PASSAGES
            || self.overlay.bytes() >= BUILD_BYTES
    }

    /// How many sealed files there are.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// The languages that any message is in, as [`crate::recall::snippet()`] wants them.
    pub fn languages(&self) -> u32 {
        self.contents.sums.all_languages()
    }

    /// Whether no other process has replaced the manifest since.
    pub fn is_current(&self) -> Result<bool, RecallError> {
        Ok(self.shelf.manifest()?.map(|sealed| sealed.generation) == self.generation)
    }

    /// Applies the next record of the log. One that was applied already changes nothing.
    pub fn apply(&mut self, seq: u64, record: &Record) {
        if seq <= self.seq {
            return;
        }
        self.seq = seq;
        match record {
            Record::Message(message) => {
                let speaker = self.speaker(message.role, message.name.as_deref());
                let text = message.plain();
                self.push(&Said {
                    seq,
                    conversation: message.conversation.bytes(),
                    speaker,
                    at: message.at,
                    text: &text,
                });
            }
            Record::Memory(event) => {
                if let Some(text) = event.op.words() {
                    self.push(&Said {
                        seq,
                        conversation: [0; 16],
                        speaker: Speaker::MEMORY,
                        at: event.at,
                        text,
                    });
                }
            }
            Record::Conversation(event) => self.state.apply_conversation(event.id, &event.op),
            _ => {}
        }
    }

    /// The number of a speaker; a name that finds no room speaks as its role.
    fn speaker(&mut self, role: Role, name: Option<&str>) -> Speaker {
        let (Role::User, Some(name)) = (role, name) else {
            return Speaker::of(role);
        };
        let at = match self.names.iter().position(|known| known == name) {
            Some(at) => at,
            None if self.names.len() + usize::from(Speaker::NAMED) < Speaker::COUNT
                && !name.is_empty()
                && name.len() <= 256 =>
            {
                self.names.push(name.to_owned());
                self.names.len() - 1
            }
            None => return Speaker::USER,
        };
        Speaker(Speaker::NAMED + at as u8)
    }

    fn push(&mut self, said: &Said<'_>) {
        if self.contents.passages >= PASSAGES_MAX {
            return;
        }
        let from = self.overlay.contents().passages as usize;
        let runs = self.overlay.contents().runs.len();
        let language = self.overlay.push(said);
        let of = self.overlay.contents();
        if of.runs.len() > runs {
            self.contents
                .begin_run(&said.conversation, of.runs[runs].day, said.seq);
        }
        let turns = &self.overlay.turns()[from..];
        self.contents.passages += turns.len() as u32;
        self.contents.sums.add_message(turns, language);
        self.contents
            .grow(turns.iter().map(|turn| u64::from(turn.words())).sum(), 1);
    }

    /// Seals what is in memory, `link` being the log's at [`Index::seq`]; false if another process
    /// holds the lock. `Conflict` if another has replaced the manifest: open again.
    pub fn flush(&mut self, link: [u8; 32], merging: Merging) -> Result<bool, RecallError> {
        let Some(_lock) = self.shelf.try_lock()? else {
            return Ok(false);
        };
        if !self.is_current()? {
            return Err(ShelfError::Conflict.into());
        }
        self.remove_unnamed()?;
        let passages_max = match merging {
            Merging::Small => 1 << 14,
            Merging::All => SEGMENT_PASSAGES_MAX,
        };
        let passages = |one: &Named| u64::from(one.passages);
        let due_now = |named: &[Named]| due(named, passages_max.into(), passages);
        let mut named: Vec<Named> = self.named().collect();
        if self.overlay.contents().passages > 0 {
            let file = self.shelf.write(&seal_volatile(&self.overlay))?;
            named.push(Named {
                file,
                passages: self.overlay.contents().passages,
            });
        }
        if named.len() == self.segments.len()
            && self.seq == self.sealed_at.0
            && due_now(&named).is_none()
        {
            return Ok(true);
        }
        while let Some(range) = due_now(&named) {
            let merged = self.merge(&named[range.clone()])?;
            named.splice(range, [merged]);
        }
        self.commit(named, link)?;
        Ok(true)
    }

    fn named(&self) -> impl Iterator<Item = Named> {
        self.segments.iter().map(|(_, segment)| Named {
            file: segment.file.clone(),
            passages: segment.footer.passages,
        })
    }

    fn merge(&self, files: &[Named]) -> Result<Named, RecallError> {
        let from = self.opened();
        let mut opened = Vec::new();
        for named in files {
            opened.push(SealedSegment::open(from, named.file.clone())?);
        }
        let parts: Vec<_> = opened.iter().map(|(segment, of)| (segment, of)).collect();
        let file = self.shelf.write(&merge(from, &parts)?)?;
        Ok(Named {
            file,
            passages: files.iter().map(|named| named.passages).sum(),
        })
    }

    /// Replaces the manifest, and takes over what it names now. If that fails, all is as before.
    fn commit(&mut self, named: Vec<Named>, link: [u8; 32]) -> Result<(), RecallError> {
        let mut opened = Vec::new();
        for one in &named {
            if !self
                .segments
                .iter()
                .any(|(_, known)| known.file == one.file)
            {
                let from = Opened {
                    shelf: &*self.shelf,
                    cache: &self.cache,
                };
                opened.push((0, SealedSegment::open(from, one.file.clone())?.0));
            }
        }
        let manifest = self.manifest(named, (self.seq, link), self.vectors.as_ref());
        let bytes = manifest.to_bytes();
        self.generation = Some(self.shelf.replace_manifest(self.generation, &bytes)?);
        opened.append(&mut self.segments);
        let mut base = 0;
        for one in &manifest.segments {
            let known = opened
                .iter()
                .position(|(_, segment)| segment.file == one.file);
            let (_, segment) = opened.swap_remove(known.expect("opened above or before"));
            self.segments.push((base, segment));
            base += one.passages;
        }
        for (_, gone) in opened {
            self.cache.forget(&gone.file.name);
        }
        self.overlay = VolatileSegment::default();
        self.overlay_base = base;
        self.sealed_at = (self.seq, link);
        Ok(())
    }

    fn manifest(
        &self,
        segments: Vec<Named>,
        (seq, link): (u64, [u8; 32]),
        vectors: Option<&Vectors>,
    ) -> Manifest {
        Manifest {
            seq,
            link,
            segments,
            names: self.names.clone(),
            state: self.state.clone(),
            vectors: vectors.cloned(),
        }
    }

    fn opened(&self) -> Opened<'_> {
        Opened {
            shelf: &*self.shelf,
            cache: &self.cache,
        }
    }

    /// Removes files that no manifest names: of an interrupted flush, or merged since.
    fn remove_unnamed(&self) -> Result<(), RecallError> {
        let words = self.segments.iter().map(|(_, segment)| &segment.file);
        let named: HashSet<[u8; 16]> = words
            .chain(self.vector_files())
            .map(|file| file.name)
            .collect();
        for name in self.shelf.list()? {
            if !named.contains(&name) {
                self.shelf.remove(&name)?;
            }
        }
        Ok(())
    }
}

/// The next adjacent files to join: the last ones of a size, if there are enough of them and they
/// come to no more than `most` in what `measure` counts.
fn due(files: &[Named], most: u64, measure: impl Fn(&Named) -> u64) -> Option<Range<usize>> {
    let tier = |file: &Named| file.passages.max(1).ilog2() / 2;
    let mut end = files.len();
    while end > 0 {
        let of = tier(&files[end - 1]);
        let before = files[..end].iter().rev();
        let start = end - before.take_while(|one| tier(one) <= of).count();
        let sum: u64 = files[start..end].iter().map(&measure).sum();
        if end - start >= MERGED_AT_ONCE && sum <= most {
            return Some(start..end);
        }
        end = start;
    }
    None
}

impl Source for Index {
    fn postings(&self, term: &str, out: &mut Vec<Posting>) -> Result<(), RecallError> {
        let from = self.opened();
        for (base, segment) in &self.segments {
            segment.postings(from, term, *base, out)?;
        }
        let at = out.len();
        self.overlay.postings(term, out)?;
        out[at..]
            .iter_mut()
            .for_each(|posting| posting.passage += self.overlay_base);
        Ok(())
    }

    fn frequency(&self, term: &str) -> Result<u32, RecallError> {
        let from = self.opened();
        let mut count = self.overlay.frequency(term)?;
        for (_, segment) in &self.segments {
            count = count.saturating_add(segment.find(from, term)?.map_or(0, |place| place.count));
        }
        Ok(count)
    }

    fn columns(&self, range: Range<u32>, out: &mut Vec<Turn>) -> Result<(), RecallError> {
        out.clear();
        let from = self.opened();
        let first = self
            .segments
            .partition_point(|(base, segment)| base + segment.footer.passages <= range.start);
        for (base, segment) in &self.segments[first..] {
            let end = base + segment.footer.passages;
            if *base >= range.end {
                break;
            }
            let part = range.start.max(*base) - base..range.end.min(end) - base;
            segment.columns(from, part, out)?;
        }
        if range.end > self.overlay_base {
            let start = range.start.max(self.overlay_base) - self.overlay_base;
            let end = range.end - self.overlay_base;
            let turns = self.overlay.turns().get(start as usize..end as usize);
            out.extend_from_slice(turns.ok_or(RecallError::Damaged)?);
        }
        Ok(())
    }

    fn contents(&self) -> &Contents {
        &self.contents
    }

    fn rows_of(&self, model: &str) -> u32 {
        let known = self.vectors().filter(|vectors| vectors.model == model);
        known.map_or(0, Vectors::rows)
    }

    fn likeness(
        &self,
        meaning: &Meaning,
        range: Range<u32>,
        each: &mut dyn FnMut(u32, f32),
    ) -> Result<bool, RecallError> {
        self.compare(meaning, range, each)
    }

    fn names(&self) -> &[String] {
        &self.names
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.names.zeroize();
    }
}
