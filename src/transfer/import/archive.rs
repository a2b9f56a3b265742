//! A zip archive as a service sends it: of its files only `conversations*.json` are looked at, by
//! the last part of their name, and nothing is unpacked anywhere.

use std::io::Read;

use super::super::error::TransferError;
use super::Source;

pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// Files that an archive may name. Its directory is read whole.
const FILES_MAX: usize = 100_000;
/// What is unpacked of all of them at the most; an honest archive stays far below.
const UNPACKED_BYTES_MAX: u64 = 16 << 30;

pub(super) struct Archive<'a> {
    zip: zip::ZipArchive<&'a mut dyn Source>,
    wanted: Vec<usize>,
    left: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn open(source: &'a mut dyn Source) -> Result<Self, TransferError> {
        let zip = zip::ZipArchive::new(source).map_err(damaged)?;
        if zip.len() > FILES_MAX {
            return Err(TransferError::Archive(None));
        }
        let mut wanted: Vec<(String, usize)> = (0..zip.len())
            .filter_map(|n| {
                let name = zip.name_for_index(n)?.ok()?;
                let last = name.rsplit(['/', '\\']).next()?;
                let is_wanted = last.starts_with("conversations")
                    && (last.ends_with(".json") || last.ends_with(".jsonl"));
                is_wanted.then(|| (last.to_owned(), n))
            })
            .collect();
        wanted.sort();
        if wanted.is_empty() {
            return Err(TransferError::UnknownFormat);
        }
        Ok(Archive {
            zip,
            wanted: wanted.into_iter().map(|(_, n)| n).collect(),
            left: UNPACKED_BYTES_MAX,
        })
    }

    pub(super) fn files(&self) -> usize {
        self.wanted.len()
    }

    /// One of the wanted files: its name without its path, and what it holds.
    pub(super) fn file(&mut self, n: usize) -> Result<(String, impl Read + '_), TransferError> {
        let file = self.zip.by_index(self.wanted[n]).map_err(damaged)?;
        let name = file.name().map_err(damaged)?.into_owned();
        let name = name.rsplit(['/', '\\']).next().unwrap_or("");
        let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        let left = &mut self.left;
        Ok((name, Bounded { file, left }))
    }
}

fn damaged(error: zip::result::ZipError) -> TransferError {
    match error {
        zip::result::ZipError::Io(error) => TransferError::Read(error),
        other => TransferError::Archive(Some(other)),
    }
}

/// Ends in an error where more comes out than an honest archive holds.
struct Bounded<'a, R> {
    file: R,
    left: &'a mut u64,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(out)?;
        *self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or(std::io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}
