//! One record by its number, opening no more of the log than it takes.

use zeroize::Zeroizing;

use super::Vault;
use super::error::VaultError;
use super::log::OpenLog;
use crate::seal::{DataKey, Segment};

impl OpenLog {
    /// The line of a record; none if there is none that can be read.
    pub(super) fn line(
        &mut self,
        data: &DataKey,
        seq: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let Some(before) = seq.checked_sub(1) else {
            return Ok(None);
        };
        if let Some((number, file)) = self.segment_with(data, before)?
            && let Ok(Some(line)) = Segment::record(data, number, &file, seq)
        {
            return Ok(Some(line));
        }
        // In the tail, or in a segment of which not everything opens.
        let batch = self.read(data, before)?;
        let entry = batch.first().filter(|entry| entry.seq == seq);
        Ok(entry.map(|entry| Zeroizing::new(entry.line().to_vec())))
    }
}

impl Vault {
    /// The line of a record; none if there is none that can be read.
    pub(crate) fn line(&mut self, seq: u64) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.alive()?;
        match self.log.line(&self.data, seq) {
            Err(VaultError::Restless) => {
                self.reread()?;
                self.log.line(&self.data, seq)
            }
            other => other,
        }
    }
}
