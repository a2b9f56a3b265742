//! The vault as plaintext, as of one record, in several forms.

mod article;
mod hidden;
mod html;
mod items;
mod json;
mod jsonl;
mod markdown;
mod pages;
mod survey;
mod timeline;

use std::io::{BufWriter, Write};

use serde::Serialize;

use crate::model::Timestamp;
use crate::vault::Log;

use super::error::TransferError;
use super::progress::OnProgress;
pub use article::{ArticleSinks, export_article};
use hidden::Hidden;
use pages::Order;
use survey::{Places, Survey};

/// The forms that are one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Every record as it lies in the log: the form that `import` takes back whole.
    Jsonl,
    /// One document with conversations, messages and memory.
    Json,
    /// One file to read.
    Markdown,
    /// One page for a browser, that loads nothing.
    Html,
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
        Format::Json | Format::Markdown | Format::Html => Places::Wanted,
    };
    let mut survey = Survey::take(log, places, &mut report)?;
    let hidden = survey.hidden_unless(options.all);
    let mut exported = Exported::of(&survey, &hidden);
    let mut out = Counted::new(sink);
    match format {
        Format::Jsonl => jsonl::write(
            log,
            &survey,
            hidden,
            &exported,
            options,
            &mut out,
            &mut report,
        )?,
        Format::Json => {
            let mut json = json::Json::begin(&mut out, &survey, &hidden, &exported, options)?;
            let order = Order::OldestFirst;
            pages::each(log, &mut survey, &hidden, order, &mut json, &mut report)?;
            json.finish()?;
        }
        Format::Markdown => {
            let mut text =
                markdown::Markdown::begin(&mut out, &survey, &hidden, &exported, options)?;
            let order = Order::OldestFirst;
            pages::each(log, &mut survey, &hidden, order, &mut text, &mut report)?;
        }
        Format::Html => {
            let mut html = html::Html::begin(&mut out, &survey, &hidden, &exported, options)?;
            let order = Order::NewestFirst;
            pages::each(log, &mut survey, &hidden, order, &mut html, &mut report)?;
            html.finish()?;
        }
    }
    exported.bytes = out.finish()?;
    Ok(exported)
}

impl Exported {
    fn of(survey: &Survey, hidden: &Hidden) -> Self {
        let (conversations, messages, memories) = survey.counts(hidden);
        Exported {
            through: survey.extent.through,
            conversations,
            messages,
            memories,
            bytes: 0,
            missing: survey.missing.clone(),
        }
    }
}

/// Gathers small writes, and counts what is written.
struct Counted<'a> {
    sink: BufWriter<&'a mut dyn Write>,
    bytes: u64,
}

impl<'a> Counted<'a> {
    fn new(sink: &'a mut dyn Write) -> Self {
        Counted {
            sink: BufWriter::with_capacity(64 * 1024, sink),
            bytes: 0,
        }
    }

    fn finish(mut self) -> Result<u64, TransferError> {
        self.sink.flush().map_err(TransferError::Write)?;
        Ok(self.bytes)
    }
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
