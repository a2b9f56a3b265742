//! An export of this program: every record comes back as it was, those of later versions too.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::model::Record;
use crate::vault::Vault;

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::intake::Intake;
use super::known::{Stock, key_of};
use super::lines::{Line, Lines};
use super::tally::Tally;
use super::{Bad, Fault, ImportOptions, Imported, Origin, Source, rewind};

/// The longest record that the vault takes.
pub(super) const LINE_BYTES_MAX: usize = (16 << 20) - 16;

#[derive(Deserialize)]
struct FirstLine {
    #[serde(rename = "type")]
    kind: String,
    format: u32,
}

#[derive(Deserialize)]
struct LastLine {
    #[serde(rename = "type")]
    kind: String,
    sha256: String,
}

/// What the first reading of a file showed.
struct Checked {
    /// The number of the last line with a record.
    through_line: u64,
    /// What is wrong with the file as a whole, and where.
    fault: Option<(u64, Fault)>,
}

pub(super) fn read(
    vault: &mut Vault,
    source: &mut dyn Source,
    bytes: u64,
    options: &ImportOptions,
    report: &mut OnProgress<'_>,
) -> Result<Imported, TransferError> {
    let checked = check(source, bytes, report)?;
    match checked.fault {
        Some((line, Fault::CutOff)) if !options.salvage => {
            return Err(TransferError::Cut { line });
        }
        Some(_) if !options.salvage => return Err(TransferError::Changed),
        _ => {}
    }
    let stock = Stock::of(vault, report)?;
    rewind(source)?;
    let mut imported = Imported {
        origin: Some(Origin::Jsonl),
        ..Imported::default()
    };
    if let Some((line, fault)) = checked.fault {
        imported.note_bad(Bad::at_line(line, fault));
    }
    let mut meter = Meter::new(Step::Import, bytes, report);
    let mut taking = Taking {
        intake: Intake::new(vault),
        stock,
        tally: Tally::new(imported),
    };
    let mut lines = Lines::new(source, LINE_BYTES_MAX);
    while let Some(line) = lines.next()? {
        let number = line.number();
        if number > 1 && number <= checked.through_line {
            match line {
                Line::Whole { bytes, .. } => taking.line(bytes, number)?,
                Line::TooLong { .. } => taking
                    .tally
                    .imported
                    .note_bad(Bad::at_line(number, Fault::TooLong)),
            }
        }
        meter.at(lines.bytes)?;
    }
    taking.intake.flush()?;
    Ok(taking.tally.finish(taking.intake.records))
}

/// Reads the file once for its hash, before anything of it is believed.
fn check(
    source: &mut dyn Source,
    bytes: u64,
    report: &mut OnProgress<'_>,
) -> Result<Checked, TransferError> {
    let mut meter = Meter::new(Step::Check, bytes, report);
    let mut lines = Lines::new(source, LINE_BYTES_MAX);
    let mut hash = Sha256::new();
    // Of the line read last: the hash of what is before it, and what it says if it is an end.
    let mut last: Option<(Sha256, Option<LastLine>)> = None;
    let (mut too_long, mut ended) = (false, true);
    while let Some(line) = lines.next()? {
        let before = hash.clone();
        match line {
            Line::TooLong { .. } => {
                too_long = true;
                last = None;
            }
            Line::Whole {
                bytes, ended: feed, ..
            } => {
                if last.is_none() && !too_long {
                    check_first(bytes)?;
                }
                ended = feed;
                hash.update(bytes);
                hash.update(b"\n");
                last = Some((before, read_last_line(bytes)));
            }
        }
        meter.at(lines.bytes)?;
    }
    let number = lines.number;
    if number == 0 {
        return Err(NOT_THIS);
    }
    let Some((before, Some(end))) = last else {
        // A last line without its line feed was cut off inside.
        let (through_line, line) = if ended {
            (number, number + 1)
        } else {
            (number - 1, number)
        };
        return Ok(Checked {
            through_line,
            fault: Some((line, Fault::CutOff)),
        });
    };
    let digest = before.finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let same = hex == end.sha256 && !too_long;
    Ok(Checked {
        through_line: number - 1,
        fault: (!same).then_some((number, Fault::Changed)),
    })
}

const NOT_THIS: TransferError = TransferError::NotThisFormat {
    expected: "an export of this program",
};

fn check_first(line: &[u8]) -> Result<(), TransferError> {
    let first = serde_json::from_slice::<FirstLine>(line)
        .ok()
        .filter(|first| first.kind == "export")
        .ok_or(NOT_THIS)?;
    let max = crate::transfer::FORMAT;
    if first.format > max {
        let found = first.format;
        return Err(TransferError::LaterFormat { found, max });
    }
    Ok(())
}

/// Longer than any last line.
const LAST_LINE_BYTES_MAX: usize = 512;

fn read_last_line(line: &[u8]) -> Option<LastLine> {
    if line.len() > LAST_LINE_BYTES_MAX {
        return None;
    }
    let last: LastLine = serde_json::from_slice(line).ok()?;
    (last.kind == "end").then_some(last)
}

struct Taking<'a> {
    intake: Intake<'a>,
    stock: Stock,
    tally: Tally,
}

impl Taking<'_> {
    fn line(&mut self, bytes: &[u8], number: u64) -> Result<(), TransferError> {
        let record = match read_record(bytes) {
            Ok(record) => record,
            Err(fault) => {
                self.tally.imported.note_bad(Bad::at_line(number, fault));
                return Ok(());
            }
        };
        if self.stock.take(&key_of(bytes)) {
            self.tally.imported.skipped += 1;
            return Ok(());
        }
        self.tally.count(&record);
        self.intake.push(Zeroizing::new(bytes.to_vec()))
    }
}

pub(super) fn read_record(bytes: &[u8]) -> Result<Record, Fault> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Fault::NotUtf8);
    }
    match Record::from_line(bytes) {
        // It names an epoch of another vault, and a reader of a shared store would follow it.
        Ok(Record::Moved(_)) => Err(Fault::NotTransferable),
        Ok(record) => Ok(record),
        Err(_) => Err(Fault::NotRecord),
    }
}
