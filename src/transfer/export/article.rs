//! `article`: the three plaintext files of the article, for its own code to run on.
//!
//! `conversation_buffer.json` is a list of the last 20 messages, `long_term_memory.json` an object
//! of three lists of strings, `session_log.jsonl` one message a line. Its code knows no statuses,
//! so that only what counts as true goes out unless everything is asked for.

use std::collections::VecDeque;
use std::io::Write;

use serde::Serialize;

use crate::model::{Id, Record, Role, Status, Timestamp};
use crate::vault::Log;

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::super::walk;
use super::hidden::{Fate, Hidden};
use super::json::{Spoken, keep_last};
use super::survey::{Places, Survey};
use super::{Counted, ExportOptions, Exported, items};

/// Where the three files go.
pub struct ArticleSinks<'a> {
    pub conversation_buffer: &'a mut dyn Write,
    pub long_term_memory: &'a mut dyn Write,
    pub session_log: &'a mut dyn Write,
}

#[derive(Serialize)]
struct LogLine<'a> {
    timestamp: Timestamp,
    /// By which the message is known again where it came from.
    id: Id,
    session_id: Id,
    role: Role,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

/// Writes the article's three files as of one record.
pub fn export_article(
    log: &mut dyn Log,
    options: &ExportOptions,
    sinks: ArticleSinks<'_>,
    mut report: OnProgress<'_>,
) -> Result<Exported, TransferError> {
    let survey = Survey::take(log, Places::Unwanted, &mut report)?;
    let mut hidden = survey.hidden_unless(options.all);
    let mut exported = Exported::of(&survey, &hidden);
    let latest = survey.latest(&hidden);
    exported.bytes += write_memory(&survey, &hidden, options, sinks.long_term_memory)?;
    let mut out = Counted::new(sinks.session_log);
    let mut buffer = VecDeque::new();
    let mut meter = Meter::new(Step::Write, survey.extent.through, &mut report);
    walk::each(log, survey.extent, |entry| {
        meter.at(entry.seq)?;
        if !matches!(hidden.judge(entry.line()), Fate::AsItIs) {
            return Ok(());
        }
        let Ok(Record::Message(message)) = entry.record() else {
            return Ok(());
        };
        let content = message.plain();
        let line = LogLine {
            timestamp: message.at,
            id: message.id,
            session_id: message.conversation,
            role: message.role,
            content: &content,
            model: message.model.as_deref(),
        };
        write_json(&mut out, &line)?;
        if Some(message.conversation) == latest {
            keep_last(&mut buffer, message.role, content);
        }
        Ok(())
    })?;
    exported.bytes += out.finish()?;
    exported.bytes += write_buffer(&buffer, sinks.conversation_buffer)?;
    Ok(exported)
}

fn write_buffer(buffer: &VecDeque<Spoken>, sink: &mut dyn Write) -> Result<u64, TransferError> {
    let mut out = Counted::new(sink);
    write_json(&mut out, buffer)?;
    out.finish()
}

fn write_memory(
    survey: &Survey,
    hidden: &Hidden,
    options: &ExportOptions,
    sink: &mut dyn Write,
) -> Result<u64, TransferError> {
    let mut lists = serde_json::Map::new();
    for (kind, name, _) in items::LISTS {
        let listed = items::of_kind(&survey.memory, kind, hidden, options.all);
        let texts = listed
            .into_iter()
            .filter(|stored| options.all || stored.item.status == Status::Active)
            .map(|stored| serde_json::Value::from(stored.item.text.as_str()));
        lists.insert(name.to_owned(), texts.collect());
    }
    let mut out = Counted::new(sink);
    write_json(&mut out, &lists)?;
    out.finish()
}

fn write_json(out: &mut Counted<'_>, value: &impl Serialize) -> Result<(), TransferError> {
    serde_json::to_writer(&mut *out, value).map_err(|error| TransferError::Write(error.into()))?;
    out.write_all(b"\n").map_err(TransferError::Write)
}
