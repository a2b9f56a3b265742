//! `agent search` as a process with the keeper unlocked, beside ripgrep over the text in clear.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::history::texts;
use crate::process::{AGENT, PASSPHRASE, peak_kib, run};

/// The program, at home in a directory with a vault.
pub struct Program {
    dir: PathBuf,
}

impl Program {
    pub fn at(dir: &Path) -> Program {
        let dir = dir.to_owned();
        std::fs::create_dir_all(dir.join("run")).unwrap();
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(dir.join("run"), closed).unwrap();
        Program { dir }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(AGENT);
        command
            .env("HOME", &self.dir)
            .env("XDG_RUNTIME_DIR", self.dir.join("run"))
            .env("XDG_STATE_HOME", self.dir.join("witness"))
            .env("AGENT_STATE_DIR", self.dir.join("vault"));
        command
    }

    pub fn unlock(&self) {
        run(self
            .command()
            .arg("unlock")
            .env("AGENT_PASSPHRASE", PASSPHRASE));
    }

    pub fn lock(&self) {
        run(self.command().arg("lock"));
    }

    pub fn search(&self, words: &str) -> Duration {
        run(self.command().args(["search", words]))
    }

    /// The most memory of a search that unlocks by itself, in MiB. The derivation of these vaults
    /// takes 19 of them, before.
    pub fn search_peak_mib(&self, words: &str) -> f64 {
        let mut command = self.command();
        command.env("AGENT_PASSPHRASE", PASSPHRASE);
        peak_kib(command.args(["search", words])) as f64 / 1024.0
    }

    pub fn export_bytes(&self) -> u64 {
        let path = self.dir.join("export.jsonl");
        let mut command = self.command();
        command.env("AGENT_PASSPHRASE", PASSPHRASE);
        run(command
            .args(["export", "--format", "jsonl", "-o"])
            .arg(&path));
        let bytes = path.metadata().unwrap().len();
        std::fs::remove_file(path).unwrap();
        bytes
    }
}

/// Only the texts, one a line: the least that ripgrep can be given.
pub struct Plain {
    path: PathBuf,
}

impl Plain {
    /// None where ripgrep is not installed.
    pub fn write(dir: &Path, count: u64) -> Option<Plain> {
        Command::new("rg").arg("--version").output().ok()?;
        let path = dir.join("texts");
        let mut out = BufWriter::new(File::create_new(&path).unwrap());
        for text in texts(count) {
            writeln!(out, "{}", text.as_str().replace('\n', " ")).unwrap();
        }
        out.flush().unwrap();
        Some(Plain { path })
    }

    /// Counts the lines with any of the words, whatever their case.
    pub fn grep(&self, words: &str) -> Duration {
        let any = words.replace(' ', "|");
        run(Command::new("rg").args(["-i", "-c", &any]).arg(&self.path))
    }
}
