//! The search index's files across the socket.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use super::ahead::Ahead;
use super::client::{Connection, held};
use super::message::Payload;
use super::protocol::{Reply, Request};
use crate::vault::{IndexFiles, IndexManifest, SealedFile, VaultError};

/// Index files that another process seals and opens. The lock is held by the connection.
pub struct RemoteIndex {
    line: Arc<Mutex<Connection>>,
    ahead: RefCell<Ahead>,
}

impl RemoteIndex {
    pub(super) fn new(line: Arc<Mutex<Connection>>) -> Self {
        RemoteIndex {
            line,
            ahead: RefCell::default(),
        }
    }

    fn ask(&self, request: &Request, payload: &[u8]) -> Result<(Reply, Payload), VaultError> {
        held(&self.line).ask(request, payload)
    }

    fn misunderstood(&self) -> VaultError {
        held(&self.line).misunderstood()
    }
}

impl IndexFiles for RemoteIndex {
    fn chunk(
        &self,
        file: &SealedFile,
        index: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let mut ahead = self.ahead.borrow_mut();
        let count = match ahead.take(file, index) {
            Ok(chunk) => return Ok(Some(chunk)),
            Err(count) => count,
        };
        let file = (*file).into();
        let request = Request::Chunks {
            file,
            first: index,
            count,
        };
        match self.ask(&request, &[])? {
            (Reply::Bytes { found: true }, chunks) => Ok(ahead.put(chunks)),
            (Reply::Bytes { found: false }, _) => Ok(None),
            _ => Err(self.misunderstood()),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<SealedFile, VaultError> {
        match self.ask(&Request::WriteFile, bytes)? {
            (Reply::File(file), _) => Ok(file.into()),
            _ => Err(self.misunderstood()),
        }
    }

    fn remove(&self, name: [u8; 16]) -> Result<(), VaultError> {
        match self.ask(&Request::RemoveFile { name }, &[])? {
            (Reply::Done, _) => Ok(()),
            _ => Err(self.misunderstood()),
        }
    }

    fn list(&self) -> Result<Vec<[u8; 16]>, VaultError> {
        match self.ask(&Request::ListFiles, &[])? {
            (Reply::Files, names) => {
                let (names, rest) = names.as_chunks();
                match rest.is_empty() {
                    true => Ok(names.to_vec()),
                    false => Err(self.misunderstood()),
                }
            }
            _ => Err(self.misunderstood()),
        }
    }

    fn manifest(&self) -> Result<Option<IndexManifest>, VaultError> {
        match self.ask(&Request::Manifest, &[])? {
            (Reply::Manifest { generation }, bytes) => Ok(generation.zip(Some(bytes))),
            _ => Err(self.misunderstood()),
        }
    }

    fn replace_manifest(
        &self,
        expected: Option<u64>,
        bytes: &[u8],
    ) -> Result<Option<u64>, VaultError> {
        match self.ask(&Request::ReplaceManifest { expected }, bytes)? {
            (Reply::Replaced { generation }, _) => Ok(generation),
            _ => Err(self.misunderstood()),
        }
    }

    fn lock(&self) -> Result<bool, VaultError> {
        match self.ask(&Request::LockIndex, &[])? {
            (Reply::Locked { taken }, _) => Ok(taken),
            _ => Err(self.misunderstood()),
        }
    }

    fn unlock(&self) {
        // A keeper that has gone holds no lock any more.
        self.ask(&Request::UnlockIndex, &[]).ok();
    }
}
