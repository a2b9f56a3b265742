//! Opens the chunk of an index file that comes next while a client that reads on works on the last.

use super::message::Payload;
use super::protocol::FileForm;
use crate::vault::{IndexFiles, VaultError, VaultIndex};

/// One chunk at the most is opened before it is asked for; wiped if something else is.
#[derive(Default)]
pub(super) struct ReadAhead {
    /// What was asked for last, if it followed what was asked before.
    reads_on: bool,
    last: Option<(FileForm, u64)>,
    opened: Option<(FileForm, u64, Payload)>,
}

impl ReadAhead {
    pub(super) fn chunk(
        &mut self,
        index: &VaultIndex,
        file: FileForm,
        n: u64,
    ) -> Result<Option<Payload>, VaultError> {
        let before = self.last.replace((file, n));
        self.reads_on = n > 0 && before == Some((file, n - 1));
        match self.opened.take() {
            Some((of, at, chunk)) if of == file && at == n => Ok(Some(chunk)),
            _ => index.chunk(&file.into(), n),
        }
    }

    /// Called once the answer is on its way.
    pub(super) fn go_on(&mut self, index: &VaultIndex) {
        let next = self.last.filter(|_| self.reads_on);
        let Some((file, n)) = next.map(|(file, n)| (file, n + 1)) else {
            return;
        };
        if self.opened.is_none() {
            // What is wrong with it is told when it is asked for.
            let chunk = index.chunk(&file.into(), n).ok().flatten();
            self.opened = chunk.map(|chunk| (file, n, chunk));
            self.reads_on = false;
        }
    }
}
