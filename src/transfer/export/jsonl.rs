//! `jsonl`: a first line that says what this is, every record byte for byte, and a last line with
//! the SHA-256 of everything before it, so that a cut or changed file is noticed.

use std::io::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::vault::Log;

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::super::walk;
use super::hidden::{Fate, Hidden};
use super::survey::Survey;
use super::{ExportOptions, Exported};

#[derive(Serialize)]
struct FirstLine<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    format: u32,
    at: crate::model::Timestamp,
    program: &'static str,
    all: bool,
    #[serde(flatten)]
    counts: Counts<'a>,
}

#[derive(Serialize)]
struct Counts<'a> {
    through: u64,
    conversations: u64,
    messages: u64,
    memories: u64,
    missing: &'a [(u64, u64)],
}

#[derive(Serialize)]
struct LastLine {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    records: u64,
    sha256: String,
}

/// Written through a buffer that is hashed whole, which costs less than line by line.
struct Hashed<'a> {
    sink: &'a mut dyn Write,
    hash: Sha256,
    buffer: zeroize::Zeroizing<Vec<u8>>,
}

const BUFFER_BYTES: usize = 256 * 1024;

impl<'a> Hashed<'a> {
    fn new(sink: &'a mut dyn Write) -> Self {
        Hashed {
            sink,
            hash: Sha256::new(),
            buffer: zeroize::Zeroizing::new(Vec::with_capacity(BUFFER_BYTES)),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), TransferError> {
        if self.buffer.len() + line.len() + 1 > BUFFER_BYTES {
            self.drain()?;
        }
        if line.len() + 1 > BUFFER_BYTES {
            self.hash.update(line);
            self.sink.write_all(line).map_err(TransferError::Write)?;
        } else {
            self.buffer.extend_from_slice(line);
        }
        self.buffer.push(b'\n');
        Ok(())
    }

    fn drain(&mut self) -> Result<(), TransferError> {
        self.hash.update(&*self.buffer);
        let written = self.sink.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(TransferError::Write)
    }
}

pub(super) fn write(
    log: &mut dyn Log,
    survey: &Survey,
    mut hidden: Hidden,
    exported: &Exported,
    options: &ExportOptions,
    sink: &mut dyn Write,
    report: &mut OnProgress<'_>,
) -> Result<(), TransferError> {
    let mut out = Hashed::new(sink);
    out.line(&to_json(&FirstLine {
        v: 1,
        kind: "export",
        format: crate::transfer::FORMAT,
        at: options.now,
        program: concat!("agent ", env!("CARGO_PKG_VERSION")),
        all: options.all,
        counts: Counts {
            through: exported.through,
            conversations: exported.conversations,
            messages: exported.messages,
            memories: exported.memories,
            missing: &exported.missing,
        },
    }))?;
    let mut meter = Meter::new(Step::Write, exported.through, report);
    let mut records = 0;
    walk::each(log, survey.extent, |entry| {
        records += 1;
        match hidden.judge(entry.line()) {
            Fate::AsItIs => out.line(entry.line())?,
            Fate::Instead(line) => out.line(&line)?,
            Fate::LeftOut => records -= 1,
        }
        meter.at(entry.seq)
    })?;
    out.drain()?;
    let hash = out.hash.clone().finalize();
    let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    out.line(&to_json(&LastLine {
        v: 1,
        kind: "end",
        records,
        sha256,
    }))?;
    out.drain()
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("holds only strings, numbers and lists of them")
}
