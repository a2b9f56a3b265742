//! The file in which this machine remembers a vault, beside no vault: in the state directory.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;
use sha2::Digest;

use super::disk::{open, open_existing};
use super::error::StoreError;
use crate::seal::{Sealed, VaultId, WITNESS_PLACE_BYTES};

pub(super) struct WitnessFile {
    dir: PathBuf,
    /// Tells vaults in several directories apart: a copied vault has a witness of its own.
    of_root: String,
    /// Held open for the next write: each acknowledged append writes here.
    held: Mutex<Option<(VaultId, File)>>,
}

impl WitnessFile {
    pub(super) fn new(root: &Path, dir: &Path) -> Self {
        let digest = sha2::Sha256::digest(root.as_os_str().as_bytes());
        WitnessFile {
            dir: dir.to_owned(),
            of_root: digest[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            held: Mutex::default(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// `<vault id>-<hash of the directory>`.
    fn path(&self, vault: VaultId) -> PathBuf {
        self.dir.join(format!("{vault}-{}", self.of_root))
    }

    pub(super) fn read(&self, vault: VaultId) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(vault);
        let fail = |source| StoreError::from_io(path.display().to_string(), source);
        let Some(file) = open_existing(&path, false).map_err(fail)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let limit = 2 * WITNESS_PLACE_BYTES as u64;
        io::Read::read_to_end(&mut io::Read::take(file, limit), &mut bytes).map_err(fail)?;
        Ok(Some(bytes))
    }

    pub(super) fn put(
        &self,
        vault: VaultId,
        place: usize,
        bytes: &Sealed,
    ) -> Result<(), StoreError> {
        let path = self.path(vault);
        let fail = |source| StoreError::from_io(path.display().to_string(), source);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &*held {
            Some((of, file)) if *of == vault => file,
            _ => &held.insert((vault, self.open(&path).map_err(fail)?)).1,
        };
        let at = (place % 2 * WITNESS_PLACE_BYTES) as u64;
        file.write_all_at(bytes.bytes(), at).map_err(fail)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        match open(path, OFlags::WRONLY | OFlags::CREATE) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let mut builder = fs::DirBuilder::new();
                builder.recursive(true).mode(0o700).create(&self.dir)?;
                open(path, OFlags::WRONLY | OFlags::CREATE)
            }
            other => other,
        }
    }
}
