//! Where the passphrase comes from: at most one source, never an argument's value, never stdin.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::args::{Global, NewSecret};
use super::failure::Failure;
use super::secret_input::ask_hidden;
use crate::config::{CHILD_MUST_NOT_SEE, ConfigError, Environment};
use crate::seal::Passphrase;

/// A passphrase of more bytes is not one.
const BYTES_MAX: u64 = 64 * 1024;

/// Reads the passphrase from wherever the options say, else the environment, else the terminal.
pub(super) fn find(global: &Global, environment: &Environment) -> Result<Passphrase, Failure> {
    if let Some(passphrase) = given(global, environment)? {
        return Ok(passphrase);
    }
    let typed = ask_hidden("Passphrase: ")?;
    Ok(Passphrase::new(typed).map_err(crate::vault::VaultError::Seal)?)
}

/// Whether a source other than the terminal is named.
pub(super) fn is_given(global: &Global, environment: &Environment) -> Result<bool, Failure> {
    let named = global.passphrase_file.is_some()
        || global.passphrase_fd.is_some()
        || global.passphrase_command.is_some();
    Ok(named || environment.passphrase()?.is_some())
}

/// The passphrase, if a source other than the terminal is named.
pub(super) fn given(
    global: &Global,
    environment: &Environment,
) -> Result<Option<Passphrase>, Failure> {
    let named = Named {
        file: global.passphrase_file.as_deref(),
        fd: global.passphrase_fd,
        command: global.passphrase_command.as_deref(),
    };
    named.read(|| environment.passphrase())
}

/// The new passphrase of `rekey` and `passwd`, if a source other than the terminal is named.
pub(super) fn given_new(
    secret: &NewSecret,
    environment: &Environment,
) -> Result<Option<Passphrase>, Failure> {
    let named = Named {
        file: secret.new_passphrase_file.as_deref(),
        fd: secret.new_passphrase_fd,
        command: secret.new_passphrase_command.as_deref(),
    };
    named.read(|| environment.new_passphrase())
}

/// The sources that options name; at most one is set.
struct Named<'a> {
    file: Option<&'a Path>,
    fd: Option<i32>,
    command: Option<&'a str>,
}

impl Named<'_> {
    fn read(
        &self,
        variable: impl FnOnce() -> Result<Option<Zeroizing<String>>, ConfigError>,
    ) -> Result<Option<Passphrase>, Failure> {
        let bytes = if let Some(path) = self.file {
            from_file(path)?
        } else if let Some(fd) = self.fd {
            from_descriptor(fd)?
        } else if let Some(command) = self.command {
            from_command(command)?
        } else if let Some(mut text) = variable()? {
            Zeroizing::new(std::mem::take(&mut *text).into_bytes())
        } else {
            return Ok(None);
        };
        Ok(Some(
            Passphrase::from_bytes(bytes).map_err(crate::vault::VaultError::Seal)?,
        ))
    }
}

fn read_all(
    source: impl Read,
    fail: impl Fn(std::io::Error) -> Failure,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    source
        .take(BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(bytes)
}

fn from_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let fail = |source| Failure::PassphraseFile {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(fail)?;
    let found = file.metadata().map_err(fail)?;
    // A descriptor or a pipe of this very process has no mode that means anything.
    if found.is_file() && found.mode() & 0o077 != 0 {
        return Err(Failure::PassphraseFileOpen {
            path: path.to_owned(),
            mode: found.mode() & 0o777,
        });
    }
    if found.is_dir() {
        return Err(fail(std::io::ErrorKind::IsADirectory.into()));
    }
    read_all(file, fail)
}

fn from_descriptor(fd: i32) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let fail = |source| Failure::PassphraseDescriptor { fd, source };
    if fd < 0 {
        return Err(fail(std::io::ErrorKind::InvalidInput.into()));
    }
    let file = File::open(format!("/dev/fd/{fd}")).map_err(fail)?;
    read_all(file, fail)
}

fn from_command(command: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut child = Command::new("/bin/sh");
    child
        .arg("-c")
        .arg(command)
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped());
    for name in CHILD_MUST_NOT_SEE {
        child.env_remove(name);
    }
    let mut child = child.spawn().map_err(Failure::PassphraseCommand)?;
    let stdout = child.stdout.take().expect("stdout was piped");
    let bytes = read_all(stdout, Failure::PassphraseCommand)?;
    let status = child.wait().map_err(Failure::PassphraseCommand)?;
    if !status.success() {
        return Err(Failure::PassphraseCommandFailed {
            code: status.code(),
        });
    }
    Ok(bytes)
}
