//! Appends in batches: each is a segment of its own, whole on the disk before the next begins.

use zeroize::Zeroizing;

use crate::vault::Vault;

use super::super::error::TransferError;

/// A batch is appended when it is larger than this; the vault then writes a segment directly,
/// with one sync.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_RECORDS: usize = 4096;

pub(super) struct Intake<'a> {
    vault: &'a mut Vault,
    lines: Vec<Zeroizing<Vec<u8>>>,
    bytes: usize,
    pub records: u64,
}

impl<'a> Intake<'a> {
    pub(super) fn new(vault: &'a mut Vault) -> Self {
        Intake {
            vault,
            lines: Vec::new(),
            bytes: 0,
            records: 0,
        }
    }

    pub(super) fn vault(&self) -> &Vault {
        self.vault
    }

    pub(super) fn push(&mut self, line: Zeroizing<Vec<u8>>) -> Result<(), TransferError> {
        self.bytes += line.len();
        self.lines.push(line);
        self.records += 1;
        if self.bytes > BATCH_BYTES || self.lines.len() > BATCH_RECORDS {
            self.flush()?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), TransferError> {
        if !self.lines.is_empty() {
            self.vault.append_lines(&self.lines)?;
        }
        self.lines.clear();
        self.bytes = 0;
        Ok(())
    }
}
