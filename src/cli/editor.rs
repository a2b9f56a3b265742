//! The person's editor: on the settings file, or on text that must not lie on a disk.
//!
//! Such text lies in a directory of the person alone on a file system in memory, where what an
//! editor puts beside it (swap files, copies) stays in memory as well. Where there is no such file
//! system, nothing is edited.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use zeroize::Zeroizing;

use super::failure::Failure;
use super::shell::Shell;
use super::talk;
use crate::config::CHILD_MUST_NOT_SEE;
use crate::model::{Id, Text};

/// The longest text that is taken back from an editor.
const TEXT_BYTES_MAX: u64 = 8 << 20;

/// Opens a file in the person's editor and waits for its end.
pub(super) fn open(shell: &Shell, file: &Path, temporary: Option<&Path>) -> Result<(), Failure> {
    let editor = shell.environment.editor.clone();
    let editor = editor.unwrap_or_else(|| "vi".into());
    let shown = editor.to_string_lossy().into_owned();
    // A command line, quotes and all: as git and crontab take it.
    let mut script = editor;
    if temporary.is_some() && keeps_registers(&shown) {
        // Its own memory of what was copied and searched for lies on the disk.
        script.push(" -i NONE");
    }
    script.push(" \"$1\"");
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).arg("sh").arg(file);
    if let Some(dir) = temporary {
        command.env("TMPDIR", dir);
    }
    for name in CHILD_MUST_NOT_SEE
        .iter()
        .copied()
        .chain(shell.config.key_variables())
    {
        command.env_remove(name);
    }
    // Ctrl-C in the editor is the editor's: once asked for, the signal does not end this process.
    let runtime = talk::runtime()?;
    let asked = runtime.block_on(async {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
    });
    let ended = command.status();
    drop(asked);
    match ended {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Failure::Editor(shown)),
    }
}

fn keeps_registers(editor: &str) -> bool {
    let program = editor.split_whitespace().next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    ["vim", "nvim", "gvim"].contains(&name)
}

/// Lets the person edit a text that is never on a disk. `name` tells the editor what it is.
pub(super) fn edit_text(shell: &Shell, text: &str, name: &str) -> Result<Text, Failure> {
    let runtime_dir = shell.environment.runtime_dir.as_deref();
    let places = runtime_dir.into_iter().chain([Path::new("/dev/shm")]);
    let place = places
        .filter(|place| is_in_memory(place))
        .find_map(|place| Scratch::make(place).ok());
    let scratch = place.ok_or(Failure::NoScratch)?;
    let file = scratch.0.join(name);
    write_new(&file, text.as_bytes()).map_err(Failure::Scratch)?;
    open(shell, &file, Some(&scratch.0))?;
    let mut bytes = Zeroizing::new(Vec::new());
    fs::File::open(&file)
        .and_then(|file| file.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(Failure::Scratch)?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(Failure::TextTooLong);
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| Failure::InputEncoding {
        at: error.valid_up_to(),
    })?;
    Ok(Text::from(text.trim_end()))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

/// Whether a directory is of a file system that lies in memory.
#[cfg(target_os = "linux")]
fn is_in_memory(dir: &Path) -> bool {
    /// `TMPFS_MAGIC` and `RAMFS_MAGIC` of `linux/magic.h`.
    const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
    rustix::fs::statfs(dir).is_ok_and(|found| {
        #[allow(
            clippy::unnecessary_cast,
            clippy::cast_sign_loss,
            reason = "the type differs by platform"
        )]
        let kind = found.f_type as u64;
        IN_MEMORY.contains(&kind)
    })
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_dir: &Path) -> bool {
    false
}

/// A directory of this process alone, wiped and removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn make(place: &Path) -> io::Result<Self> {
        let dir = place.join(format!("agent-edit-{}", Id::fresh()));
        // Not there before: nobody else can have made it.
        DirBuilder::new().mode(0o700).create(&dir)?;
        Ok(Scratch(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let length = fs::symlink_metadata(&path).map_or(0, |found| found.len());
            if let Ok(mut file) = OpenOptions::new().write(true).open(&path) {
                let zeros = vec![0; usize::try_from(length).unwrap_or(0).min(16 << 20)];
                file.write_all(&zeros).ok();
            }
        }
        fs::remove_dir_all(&self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_is_the_owners_alone_and_goes_with_its_content() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let scratch = Scratch::make(place.path()).unwrap();
        let dir = scratch.0.clone();
        let mode = fs::metadata(&dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        write_new(&dir.join("message.md"), b"words").unwrap();
        assert!(write_new(&dir.join("message.md"), b"again").is_err());
        fs::create_dir(dir.join("left by the editor")).unwrap();
        drop(scratch);
        assert!(!dir.exists());
    }

    #[test]
    fn only_vim_and_its_kin_are_told_to_keep_nothing() {
        assert!(keeps_registers("vim") && keeps_registers("/usr/bin/nvim -f"));
        assert!(!keeps_registers("nano") && !keeps_registers("vi") && !keeps_registers(""));
    }
}
