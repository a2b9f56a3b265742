//! The vault as plaintext, as of one record, in several forms.

mod jsonl;
mod survey;

use std::io::Write;

use serde::Serialize;

use crate::model::Timestamp;
use crate::vault::Log;

use super::error::TransferError;
use super::progress::OnProgress;
use survey::{Hidden, Places, Survey};

/// The forms that are one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Every record as it lies in the log: the form that `import` takes back whole.
    Jsonl,
}

/// What an export is to hold.
#[derive(Clone, Copy, Debug)]
pub struct ExportOptions {
    /// Also what is hidden: deleted conversations and forgotten items, and in the forms for
    /// reading also superseded, expired and rejected ones.
    pub all: bool,
    pub now: Timestamp,
}

/// What an export holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The last record of the log that it takes in.
    pub through: u64,
    pub conversations: u64,
    pub messages: u64,
    pub memories: u64,
    pub bytes: u64,
    /// First and last number of every run of records that could not be read.
    pub missing: Vec<(u64, u64)>,
}

/// Writes the vault as it is now to `sink`; what others append meanwhile is not in it.
///
/// The log is read twice and held up by nothing. On an error what was written is to be thrown
/// away; on `Rewritten` the export can be started again.
pub fn export(
    log: &mut dyn Log,
    format: Format,
    options: &ExportOptions,
    sink: &mut dyn Write,
    mut report: OnProgress<'_>,
) -> Result<Exported, TransferError> {
    let places = match format {
        Format::Jsonl => Places::Unwanted,
    };
    let survey = Survey::take(log, places, &mut report)?;
    let hidden = if options.all {
        Hidden::default()
    } else {
        survey.hidden()
    };
    let mut sink = Counted { sink, bytes: 0 };
    let (conversations, messages, memories) = survey.counts(&hidden);
    let mut exported = Exported {
        through: survey.extent.through,
        conversations,
        messages,
        memories,
        bytes: 0,
        missing: survey.missing.clone(),
    };
    match format {
        Format::Jsonl => jsonl::write(
            log,
            &survey,
            hidden,
            &exported,
            options,
            &mut sink,
            &mut report,
        )?,
    }
    sink.flush().map_err(TransferError::Write)?;
    exported.bytes = sink.bytes;
    Ok(exported)
}

/// Counts what is written.
struct Counted<'a> {
    sink: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.sink.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.sink.flush()
    }
}
