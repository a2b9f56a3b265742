//! The vectors of an index: rows of bytes, one for each passage, in files of their own.
//!
//! They may lie behind the words, and are never ahead of the log. Lost or damaged ones only cost
//! the work of making them again: the words answer without them.

use std::cell::Cell;
use std::ops::Range;

use zeroize::Zeroizing;

use super::manifest::Named;
use super::{Index, due};
use crate::recall::RecallError;
use crate::recall::meaning::{DIMENSIONS_MAX, MODEL_BYTES_MAX, Meaning, Vector};
use crate::recall::segment::Opened;
use crate::recall::shelf::{FileMark, ShelfError};
use crate::recall::source::Source;
use crate::recall::turn::{Speaker, Turn};

/// A file gets no larger by merging: it is written in one piece.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// Rows that are read at a time.
const READ_ROWS: u32 = 1024;

/// Which files hold rows, of which model, and up to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vectors {
    pub model: String,
    pub dimensions: u32,
    /// The record that the last row belongs to or comes before, and the log's link there.
    pub at: (u64, [u8; 32]),
    /// In order; `passages` counts rows.
    pub files: Vec<Named>,
}

impl Vectors {
    pub fn rows(&self) -> u32 {
        self.files.iter().map(|named| named.passages).sum()
    }

    /// Whether what a manifest says of vectors holds together.
    pub fn is_whole(&self) -> bool {
        let whole = |named: &Named| {
            u64::from(named.passages) * u64::from(self.dimensions) == named.file.size
        };
        let rows = self.files.iter().try_fold(0u32, |sum, named| {
            sum.checked_add(named.passages)
                .filter(|_| named.passages > 0)
        });
        (1..=DIMENSIONS_MAX as u32).contains(&self.dimensions)
            && self.model.len() <= MODEL_BYTES_MAX
            && rows.is_some()
            && self.files.iter().all(whole)
    }

    /// Calls `each` with the rows of a range, in order, as far as there are any.
    fn read(
        &self,
        from: Opened<'_>,
        range: Range<u32>,
        each: &mut dyn FnMut(u32, &[u8]),
    ) -> Result<(), RecallError> {
        let (mut base, width) = (0, self.dimensions as usize);
        for named in &self.files {
            let end = base + named.passages;
            let mut at = range.start.max(base);
            while at < range.end.min(end) {
                let until = (at + READ_ROWS).min(range.end).min(end);
                let bytes = |row: u32| u64::from(row - base) * u64::from(self.dimensions);
                let rows = from.bytes(&named.file, bytes(at)..bytes(until))?;
                for (n, row) in (at..).zip(rows.chunks_exact(width)) {
                    each(n, row);
                }
                at = until;
            }
            base = end;
        }
        Ok(())
    }
}

/// A passage that has no row yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The record, and which passage of it.
    pub seq: u64,
    pub part: usize,
    pub is_memory: bool,
    pub conversation: [u8; 16],
}

impl Index {
    pub fn vectors(&self) -> Option<&Vectors> {
        self.vectors.as_ref().filter(|_| !self.vectors_broken.get())
    }

    /// How many passages there are.
    pub fn passages(&self) -> u32 {
        self.contents.passages
    }

    /// The passages from one on, at most so many.
    pub fn unread(&self, start: u32, most: u32) -> Result<Vec<Unread>, RecallError> {
        let end = self.contents.passages.min(start.saturating_add(most));
        if start >= end {
            return Ok(Vec::new());
        }
        let mut turns = Vec::new();
        let mut first = start;
        loop {
            self.columns(first..end, &mut turns)?;
            match turns.first().ok_or(RecallError::Damaged)? {
                // The first is not the first of its message.
                turn if turn.has(Turn::CONTINUES) && first > 0 => first -= 1,
                _ => break,
            }
        }
        let (mut out, mut part) = (Vec::new(), 0);
        for (passage, turn) in (first..end).zip(&turns) {
            part = if turn.has(Turn::CONTINUES) {
                part + 1
            } else {
                0
            };
            let run = self.contents.run_of(passage);
            let conversation = self.contents.runs[run as usize].conversation;
            if passage >= start {
                out.push(Unread {
                    seq: self.contents.seq(run, *turn),
                    part,
                    is_memory: turn.speaker() == Speaker::MEMORY,
                    conversation: self.contents.conversations[conversation as usize].id,
                });
            }
        }
        Ok(out)
    }

    /// Seals rows behind those that `model` has, `link` being the log's at [`Index::seq`]; false if
    /// another process holds the lock. Rows of another model are let go of.
    pub fn keep_vectors(
        &mut self,
        model: &str,
        rows: &[Option<Vector>],
        link: [u8; 32],
    ) -> Result<bool, RecallError> {
        let own = self.vectors().filter(|vectors| vectors.model == model);
        let some = rows.iter().flatten().next().map(Vector::dimensions);
        let mut vectors = match (own, some) {
            (Some(own), Some(some)) if own.dimensions as usize != some => {
                // Another model under the same name: all rows are to be made again.
                return self.replace_vectors(None);
            }
            (Some(own), _) => own.clone(),
            // How wide rows are is not known before one of them says something.
            (None, None) => return Ok(true),
            (None, Some(some)) => Vectors {
                model: model.to_owned(),
                dimensions: some as u32,
                at: (0, [0; 32]),
                files: Vec::new(),
            },
        };
        let width = vectors.dimensions as usize;
        let mut bytes = Zeroizing::new(Vec::with_capacity(rows.len() * width));
        for row in rows {
            match row.as_ref().filter(|row| row.dimensions() == width) {
                Some(row) => bytes.extend(row.bytes()),
                None => bytes.extend(std::iter::repeat_n(0, width)),
            }
        }
        vectors.at = (self.seq, link);
        self.replace_vectors(Some((vectors, bytes, rows.len() as u32)))
    }

    fn replace_vectors(
        &mut self,
        new: Option<(Vectors, Zeroizing<Vec<u8>>, u32)>,
    ) -> Result<bool, RecallError> {
        let Some(_lock) = self.shelf.try_lock()? else {
            return Ok(false);
        };
        if !self.is_current()? {
            return Err(ShelfError::Conflict.into());
        }
        self.remove_unnamed()?;
        let mut vectors = None;
        if let Some((mut of, bytes, rows)) = new {
            if rows > 0 {
                let file = self.shelf.write(&bytes)?;
                of.files.push(Named {
                    file,
                    passages: rows,
                });
            }
            while let Some(range) = due(&of.files, FILE_BYTES_MAX, |named| named.file.size) {
                let merged = self.merge_rows(&of.files[range.clone()])?;
                of.files.splice(range, [merged]);
            }
            vectors = Some(of);
        }
        let manifest = self.manifest(self.named().collect(), self.sealed_at, vectors.as_ref());
        let bytes = manifest.to_bytes();
        self.generation = Some(self.shelf.replace_manifest(self.generation, &bytes)?);
        self.vectors = vectors;
        self.vectors_broken = Cell::new(false);
        Ok(true)
    }

    fn merge_rows(&self, files: &[Named]) -> Result<Named, RecallError> {
        let from = self.opened();
        let mut bytes = Zeroizing::new(Vec::new());
        for named in files {
            bytes.extend_from_slice(&from.bytes(&named.file, 0..named.file.size)?);
        }
        Ok(Named {
            file: self.shelf.write(&bytes)?,
            passages: files.iter().map(|named| named.passages).sum(),
        })
    }

    /// Calls `each` with the cosine of every row of a range that says something. False if there are
    /// no rows to be read that this question could be compared with.
    pub(super) fn compare(
        &self,
        meaning: &Meaning,
        range: Range<u32>,
        each: &mut dyn FnMut(u32, f32),
    ) -> Result<bool, RecallError> {
        let of_this = |vectors: &&Vectors| {
            vectors.model == meaning.model
                && vectors.dimensions as usize == meaning.vector.dimensions()
        };
        let Some(vectors) = self.vectors().filter(of_this) else {
            return Ok(false);
        };
        let read = vectors.read(self.opened(), range, &mut |n, row| {
            if let Some(cosine) = meaning.vector.to_row(row) {
                each(n, cosine);
            }
        });
        match read {
            Ok(()) => Ok(true),
            Err(RecallError::Damaged | RecallError::Shelf(ShelfError::Damaged)) => {
                self.vectors_broken.set(true);
                Ok(false)
            }
            Err(other) => Err(other),
        }
    }

    /// The names of the files that hold vectors.
    pub(super) fn vector_files(&self) -> impl Iterator<Item = &FileMark> {
        let files = self.vectors.iter().flat_map(|vectors| &vectors.files);
        files.map(|named| &named.file)
    }
}
