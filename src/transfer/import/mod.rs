//! Records out of plaintext: an export of this program, and what others keep.

mod intake;
mod jsonl;
mod known;
mod lines;

use std::io::{Read, Seek, SeekFrom};

use serde::Serialize;

use crate::model::Timestamp;
use crate::vault::Vault;

use super::error::TransferError;
use super::progress::OnProgress;

/// What an import reads from.
pub trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// Whose form the content has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    Jsonl,
}

#[derive(Clone, Copy, Debug)]
pub struct ImportOptions {
    /// None looks at the content.
    pub origin: Option<Origin>,
    /// Imported memories are active at once. Without it they wait for a person. An export of this
    /// program comes back as it was in any case.
    pub trust: bool,
    /// Of an export that was cut or changed, takes what can be read.
    pub salvage: bool,
    pub now: Timestamp,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub origin: Option<Origin>,
    /// Records appended, of every type.
    pub records: u64,
    pub conversations: u64,
    pub messages: u64,
    pub memories: u64,
    /// Entries that the vault had already.
    pub skipped: u64,
    /// Entries that have no counterpart here: tool calls, drafts that were replaced, empty ones.
    pub left_out: u64,
    /// Entries that could not be read; the first thousand are named.
    pub bad: Vec<Bad>,
    pub bad_count: u64,
}

/// An entry that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// The file inside an archive or a directory, where there is more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Of an entry in a list, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// Where the entry begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    pub fault: Fault,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("is not JSON")]
    NotJson,
    #[error("is not a record")]
    NotRecord,
    #[error("lacks what such an entry has")]
    Incomplete,
    #[error("is longer than a record may be")]
    TooLong,
    #[error("is nested too deeply")]
    TooDeep,
    #[error("belongs to the vault that it came from")]
    NotTransferable,
    #[error("is cut off by the end of the file")]
    CutOff,
    #[error("is not what was exported: the hash differs")]
    Changed,
}

/// Bad entries that are named one by one.
const BAD_MAX: usize = 1000;

impl Imported {
    fn note_bad(&mut self, bad: Bad) {
        self.bad_count += 1;
        if self.bad.len() < BAD_MAX {
            self.bad.push(bad);
        }
    }
}

impl Bad {
    fn at_line(line: u64, fault: Fault) -> Self {
        Bad {
            file: None,
            line: Some(line),
            entry: None,
            byte: None,
            fault,
        }
    }
}

/// Appends what `source` holds and the vault does not. The source is read from its beginning.
pub fn import(
    vault: &mut Vault,
    source: &mut dyn Source,
    options: &ImportOptions,
    mut report: OnProgress<'_>,
) -> Result<Imported, TransferError> {
    let bytes = source.seek(SeekFrom::End(0)).map_err(TransferError::Read)?;
    rewind(source)?;
    jsonl::read(vault, source, bytes, options, &mut report)
}

fn rewind(source: &mut dyn Source) -> Result<(), TransferError> {
    source
        .seek(SeekFrom::Start(0))
        .map_err(TransferError::Read)?;
    Ok(())
}
