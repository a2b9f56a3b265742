//! Records out of plaintext: an export of this program, and what others keep.

mod archive;
mod article;
mod chatgpt;
mod claude;
mod copies;
mod detect;
mod foreign;
mod intake;
mod jsonl;
mod known;
mod lines;
#[cfg(feature = "llm")]
mod llm;
mod mcp_memory;
mod tally;
mod values;

use std::io::{Read, Seek, SeekFrom};

use serde::Serialize;

use crate::model::Timestamp;
use crate::vault::Vault;

use super::error::TransferError;
use super::progress::{Meter, OnProgress, Step};

pub use article::{ArticleSources, import_article};
pub use copies::import_copies;
pub use detect::{detect, is_age};
#[cfg(feature = "llm")]
pub use llm::import_llm;

/// What an import reads from.
pub trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// Whose form the content has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// An export of this program.
    Jsonl,
    /// One of the article's three plaintext files.
    Article,
    /// The database of the program `llm`.
    Llm,
    Chatgpt,
    Claude,
    /// The graph of the reference memory server of the Model Context Protocol.
    McpMemory,
    /// Copies of this vault's own log.
    Vault,
}

impl Origin {
    pub fn name(self) -> &'static str {
        match self {
            Origin::Jsonl => "jsonl",
            Origin::Article => "article",
            Origin::Llm => "llm",
            Origin::Chatgpt => "chatgpt",
            Origin::Claude => "claude",
            Origin::McpMemory => "mcp-memory",
            Origin::Vault => "vault",
        }
    }
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
    #[error("does not open everywhere")]
    Damaged,
    #[error("follows records that are in none of the copies")]
    Detached,
    #[error("is of an earlier epoch of this vault, which was rewritten since")]
    OtherEpoch,
    #[error("is of another vault")]
    OtherVault,
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
///
/// A database of `llm` is read by `import_llm`, which needs a path; of the article's files `source`
/// is any one, and `import_article` takes them together.
pub fn import(
    vault: &mut Vault,
    source: &mut dyn Source,
    options: &ImportOptions,
    mut report: OnProgress<'_>,
) -> Result<Imported, TransferError> {
    let bytes = source.seek(SeekFrom::End(0)).map_err(TransferError::Read)?;
    let found = match options.origin {
        Some(origin) => detect::Found::Origin(origin),
        None => detect::look(source)?,
    };
    rewind(source)?;
    match found {
        detect::Found::Origin(Origin::Jsonl) => {
            jsonl::read(vault, source, bytes, options, &mut report)
        }
        detect::Found::Origin(Origin::McpMemory) => {
            mcp_memory::read(vault, source, bytes, options, &mut report)
        }
        detect::Found::Origin(Origin::Llm | Origin::Vault) => Err(TransferError::NeedsPath),
        detect::Found::Origin(Origin::Article) => match detect::look(source)? {
            detect::Found::Article(part) => article_part(vault, source, part, options, report),
            _ => Err(TransferError::NotThisFormat {
                expected: "one of the article's files",
            }),
        },
        detect::Found::Article(part) => article_part(vault, source, part, options, report),
        detect::Found::Origin(origin @ (Origin::Chatgpt | Origin::Claude)) => {
            account_export(vault, source, bytes, origin, options, &mut report)
        }
    }
}

fn article_part(
    vault: &mut Vault,
    source: &mut dyn Source,
    part: detect::ArticlePart,
    options: &ImportOptions,
    report: OnProgress<'_>,
) -> Result<Imported, TransferError> {
    let mut sources = ArticleSources::default();
    match part {
        detect::ArticlePart::Buffer => sources.conversation_buffer = Some(source),
        detect::ArticlePart::Memory => sources.long_term_memory = Some(source),
        detect::ArticlePart::Log => sources.session_log = Some(source),
    }
    import_article(vault, sources, options, report)
}

/// The lists of conversations that ChatGPT and Claude send, in an archive or without.
fn account_export(
    vault: &mut Vault,
    source: &mut dyn Source,
    bytes: u64,
    origin: Origin,
    options: &ImportOptions,
    report: &mut OnProgress<'_>,
) -> Result<Imported, TransferError> {
    let zipped = detect::is_archive(source)?;
    rewind(source)?;
    let mut arrivals = foreign::Arrivals::new(vault, origin, options, report)?;
    if zipped {
        let mut archive = archive::Archive::open(source)?;
        for n in 0..archive.files() {
            let (name, file) = archive.file(n)?;
            arrivals.file = Some(name);
            let mut meter = Meter::new(Step::Import, 0, report);
            conversations(file, origin, &mut arrivals, &mut meter)?;
        }
    } else {
        let mut meter = Meter::new(Step::Import, bytes, report);
        conversations(source, origin, &mut arrivals, &mut meter)?;
    }
    arrivals.finish()
}

fn conversations(
    source: impl Read,
    origin: Origin,
    arrivals: &mut foreign::Arrivals<'_>,
    meter: &mut Meter<'_, '_>,
) -> Result<(), TransferError> {
    let mut values = values::Values::new(source);
    while let Some(value) = values.next()? {
        let spot = foreign::Spot {
            line: None,
            entry: Some(value.entry),
            byte: Some(value.at),
        };
        match value.bytes {
            Err(fault) => arrivals.bad(spot, fault),
            Ok(bytes) if origin == Origin::Chatgpt => chatgpt::take(bytes, spot, arrivals)?,
            Ok(bytes) => claude::take(bytes, spot, arrivals)?,
        }
        meter.at(values.bytes)?;
    }
    Ok(())
}

fn rewind(source: &mut dyn Source) -> Result<(), TransferError> {
    source
        .seek(SeekFrom::Start(0))
        .map_err(TransferError::Read)?;
    Ok(())
}
