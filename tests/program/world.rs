//! A home of its own for each test, and the program run in it.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub const PASSPHRASE: &str = "correct horse battery staple";
/// Longer than anything here takes: a test that hangs fails.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// The lightest key derivation that the format allows.
pub const LIGHT: [&str; 6] = [
    "--kdf-memory",
    "19",
    "--kdf-passes",
    "2",
    "--kdf-lanes",
    "1",
];

/// Home, state, configuration and temporary directory of one test.
pub struct Home {
    dir: TempDir,
    program: PathBuf,
    user: Option<u32>,
}

/// How a process ended, and what it said.
pub struct Out {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Home {
    /// Without a vault.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("agent-").tempdir().unwrap();
        let home = Home {
            dir,
            program: env!("CARGO_BIN_EXE_agent").into(),
            user: None,
        };
        fs::create_dir(home.path("tmp")).unwrap();
        home.secret_file("passphrase", PASSPHRASE);
        home
    }

    /// With an empty vault.
    pub fn with_vault() -> Self {
        let home = Home::new();
        home.agent(["init"]).args(LIGHT).run().expect_code(0);
        home
    }

    /// Of a user whom permissions hold back: root may do anything, so tests that root runs give
    /// the home to somebody else.
    pub fn of_a_plain_user() -> Self {
        const NOBODY: u32 = 65_534;
        let mut home = Home::new();
        if rustix::process::geteuid().is_root() {
            // Where the program was built may be out of a plain user's reach.
            home.takes_the_program_alone();
            home.user = Some(NOBODY);
            for path in [
                home.root().to_owned(),
                home.path("tmp"),
                home.path("passphrase"),
            ] {
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        home.agent(["init"]).args(LIGHT).run().expect_code(0);
        home
    }

    /// Runs a copy of the program from now on, with nothing beside it.
    pub fn takes_the_program_alone(&mut self) {
        let copy = self.path("agent-program");
        // Copied here, it would be open for writing in whatever another test starts meanwhile.
        let copied = Command::new("cp").arg(&self.program).arg(&copy).status();
        assert!(copied.unwrap().success());
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        self.program = copy;
    }

    /// With chats that are not looked through at their end, so that a scripted server is asked only
    /// what the test says.
    pub fn learns_nothing_at_the_end(&self) {
        let set = self.agent(["config", "set", "memory.extract", "never"]);
        set.run().expect_code(0);
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.path("data/agent/default")
    }

    /// A file that only its owner can read.
    pub fn secret_file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The program, with the passphrase at hand.
    pub fn agent<I>(&self, args: I) -> Run
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.bare(args)
            .env("AGENT_PASSPHRASE", PASSPHRASE)
            .without_terminal()
    }

    /// The program without a passphrase, on whatever terminal the caller gives it.
    pub fn bare<I>(&self, args: I) -> Run
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut command = Command::new(&self.program);
        command.args(args);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        self.furnish(&mut command);
        Run {
            command,
            stdin: Vec::new(),
        }
    }

    /// A shell script that is given the program and its arguments as `"$@"`.
    pub fn shell(&self, script: &str, args: &[&str]) -> Run {
        self.bare_shell(script, args)
            .env("AGENT_PASSPHRASE", PASSPHRASE)
            .without_terminal()
    }

    /// The same without a passphrase, on whatever terminal the caller gives it.
    pub fn bare_shell(&self, script: &str, args: &[&str]) -> Run {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "sh"]);
        command.arg(&self.program).args(args);
        self.furnish(&mut command);
        Run {
            command,
            stdin: Vec::new(),
        }
    }

    /// Gives a command this home and nothing else of the machine's environment.
    pub fn furnish(&self, command: &mut Command) {
        command
            .env_clear()
            .env("HOME", self.root())
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("TMPDIR", self.path("tmp"))
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("TERM", "xterm-256color")
            .current_dir(self.root());
    }

    /// Every file below this home.
    pub fn files(&self) -> Vec<PathBuf> {
        files_below(self.root())
    }

    /// The only file whose name ends so.
    pub fn file_that_ends(&self, end: &str) -> PathBuf {
        let mut found = files_below(&self.state_dir());
        found.retain(|path| path.to_str().unwrap().ends_with(end));
        assert_eq!(found.len(), 1, "{end}: {found:?}");
        found.remove(0)
    }

    /// The program's answer to a command with `--json`.
    pub fn json<I>(&self, args: I) -> Value
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let out = self.agent(args).arg("--json").run();
        out.expect_code(0).json()
    }

    /// The texts of what is remembered.
    pub fn remembered(&self) -> Vec<String> {
        let items = self.json(["memory", "list"]);
        let texts = items.as_array().unwrap().iter();
        texts
            .map(|item| item["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() && !path.is_symlink() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// Everything below a directory, for comparison. Who held the lock last is written into its file,
/// for messages only.
pub fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = files_below(dir).into_iter();
    files
        .filter(|path| !path.ends_with("lock"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Copies a directory as it stands, over what is there.
pub fn copy_dir(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(status.unwrap().success());
}

/// A process that is about to be started.
pub struct Run {
    pub command: Command,
    stdin: Vec<u8>,
}

impl Run {
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// What is piped in.
    pub fn input(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// In a session of its own, so that the terminal of whoever runs the tests is out of reach.
    #[expect(unsafe_code, reason = "only setsid is called between fork and exec")]
    fn without_terminal(mut self) -> Self {
        // SAFETY: setsid is async-signal-safe and allocates nothing.
        unsafe {
            self.command
                .pre_exec(|| Ok(rustix::process::setsid().map(drop)?));
        }
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Out {
        self.start().end()
    }

    /// Starts it and gives it all of its input; what it says is collected as it comes.
    pub fn start(mut self) -> Running {
        let stdin = std::mem::take(&mut self.stdin);
        let mut running = self.start_open();
        let mut pipe = running.child.stdin.take().unwrap();
        thread::spawn(move || {
            // A process may well end without reading what it is given.
            pipe.write_all(&stdin).ok();
        });
        running
    }

    /// Starts it with an input that stays open.
    pub fn start_open(mut self) -> Running {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let stdout = Reading::of(child.stdout.take().unwrap());
        let stderr = Reading::of(child.stderr.take().unwrap());
        Running {
            child,
            stdout,
            stderr,
        }
    }
}

/// A stream that is read on a thread of its own.
pub struct Reading {
    pieces: mpsc::Receiver<Vec<u8>>,
    pub so_far: Vec<u8>,
}

impl Reading {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = mpsc::channel();
        thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                if sender.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Reading {
            pieces,
            so_far: Vec::new(),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.so_far).into_owned()
    }

    /// Waits until these words came.
    pub fn wait_for(&mut self, words: &str) {
        while !self.text().contains(words) {
            match self.pieces.recv_timeout(PATIENCE) {
                Ok(piece) => self.so_far.extend(piece),
                Err(_) => panic!("{words:?} did not come; there is: {}", self.text()),
            }
        }
    }

    fn read_on_to_the_end(&mut self) {
        loop {
            match self.pieces.recv_timeout(PATIENCE) {
                Ok(piece) => self.so_far.extend(piece),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs: {}", self.text()),
            }
        }
    }
}

/// A process that runs.
pub struct Running {
    pub child: Child,
    pub stdout: Reading,
    pub stderr: Reading,
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it has not ended yet.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn say(&mut self, line: &str) {
        let pipe = self.child.stdin.as_mut().unwrap();
        pipe.write_all(line.as_bytes()).unwrap();
        pipe.flush().unwrap();
    }

    /// Waits until it ends by itself.
    pub fn end(mut self) -> Out {
        drop(self.child.stdin.take());
        self.stdout.read_on_to_the_end();
        self.stderr.read_on_to_the_end();
        let status = self.child.wait().unwrap();
        Out {
            status,
            stdout: std::mem::take(&mut self.stdout.so_far),
            stderr: self.stderr.text(),
        }
    }

    /// Waits until it ends although there may be more to come.
    pub fn end_with_input_open(mut self) -> Out {
        let input = self.child.stdin.take();
        let out = self.end();
        drop(input);
        out
    }

    pub fn kill(mut self) -> Out {
        self.child.kill().unwrap();
        self.stdout.read_on_to_the_end();
        self.stderr.read_on_to_the_end();
        let status = self.child.wait().unwrap();
        Out {
            status,
            stdout: std::mem::take(&mut self.stdout.so_far),
            stderr: self.stderr.text(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where a test failed, nothing of it must go on.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Out {
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        // As a shell tells it.
        let signal = self.status.signal().map(|signal| 128 + signal);
        assert_eq!(
            self.status.code().or(signal),
            Some(code),
            "stdout: {}\nstderr: {}",
            String::from_utf8_lossy(&self.stdout)
                .chars()
                .take(2000)
                .collect::<String>(),
            self.stderr
        );
        self
    }

    /// stdout as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.stdout)))
    }

    /// The last line of stderr as JSON: an error as `--json` tells it.
    #[track_caller]
    pub fn error(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {}", self.stderr))
    }

    #[track_caller]
    pub fn expect_stderr(&self, words: &str) -> &Self {
        assert!(self.stderr.contains(words), "{words:?}: {}", self.stderr);
        self
    }
}

/// The names of an object's fields.
pub fn fields(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object
        .as_object()
        .unwrap_or_else(|| panic!("no object: {object}"))
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}
