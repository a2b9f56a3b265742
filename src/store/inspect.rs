//! A look at the directory itself, for `doctor`: modes, strangers, copies that sync tools made.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::copies::LogCopy;
use super::error::Holder;
use super::file::FileStore;
use super::lock;

/// Something about the directory that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// Others may read or write it.
    Loose { file: PathBuf, mode: u32 },
    /// A sync tool could not decide between two versions of a file. A copy of a file of the log may
    /// hold records that the log does not.
    SyncConflict { file: PathBuf, of_log: bool },
    /// What an interrupted writer left; the next writer removes it.
    Temporary(PathBuf),
    /// Someone holds the exclusive lock now.
    LockHeld(Option<Holder>),
}

/// Directories below the state directory that are looked through.
const DEPTH_MAX: usize = 4;

/// Whether a name is one that a sync tool gives to the loser of a conflict.
pub fn is_sync_conflict(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.contains(".sync-conflict-")
        || lower.contains("conflicted copy")
        || lower.contains("(conflict")
}

impl FileStore {
    /// Looks at every file's mode and name.
    pub fn oddities(&self) -> Vec<Oddity> {
        let mut found = Vec::new();
        look(self.root(), self.root(), DEPTH_MAX, &mut found);
        if let Some(holder) = lock::held_now(self.root()) {
            found.push(Oddity::LockHeld(holder));
        }
        found
    }
}

fn look(root: &Path, dir: &Path, depth: usize, found: &mut Vec<Oddity>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let short = path.strip_prefix(root).unwrap_or(&path).to_owned();
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(data) = fs::symlink_metadata(&path) else {
            continue;
        };
        let mode = data.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 && !data.is_symlink() {
            found.push(Oddity::Loose {
                file: short.clone(),
                mode,
            });
        }
        if is_sync_conflict(&name) {
            let of_log = matches!(LogCopy::recognise(&path), Ok(Some(_)));
            found.push(Oddity::SyncConflict {
                file: short,
                of_log,
            });
        } else if super::name::is_temporary(&name) {
            found.push(Oddity::Temporary(short));
        }
        if data.is_dir() && depth > 0 {
            look(root, &path, depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_the_usual_sync_tools_are_recognised() {
        for name in [
            "vault.sync-conflict-20261122-101112-ABCDEF.header",
            "vault (conflicted copy 2026-11-22).header",
            "00000001 (Clara's conflicted copy).tail",
        ] {
            assert!(is_sync_conflict(name), "{name}");
        }
        assert!(!is_sync_conflict("vault.header"));
    }
}
