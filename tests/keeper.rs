//! The keeper as a person meets it: the whole program, its processes and its socket.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use expectrl::{Eof, Expect, Session};
use serde_json::Value;

/// A home with a vault in it, and a runtime directory. No keeper outlives it.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = dir.path().join("run");
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        let home = Home { dir };
        let passphrase = home.passphrase_file();
        let mut file = fs::File::options();
        let mut file = file.write(true).create_new(true).open(&passphrase).unwrap();
        std::io::Write::write_all(&mut file, b"right\n").unwrap();
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
        let kdf = [
            "--kdf-memory",
            "19",
            "--kdf-passes",
            "2",
            "--kdf-lanes",
            "1",
        ];
        let mut init = home.with_passphrase("init");
        assert!(init.args(kdf).output().unwrap().status.success());
        home
    }

    fn passphrase_file(&self) -> PathBuf {
        self.dir.path().join("passphrase")
    }

    /// The program with nothing to ask a passphrase on but a terminal, if the test has one.
    fn agent(&self) -> Command {
        let mut agent = Command::new(env!("CARGO_BIN_EXE_agent"));
        agent
            .env_clear()
            .env("HOME", self.dir.path())
            .env("XDG_RUNTIME_DIR", self.dir.path().join("run"))
            .stdin(Stdio::null());
        agent
    }

    fn with_passphrase(&self, command: &str) -> Command {
        let mut agent = self.agent();
        agent
            .arg("--passphrase-file")
            .arg(self.passphrase_file())
            .arg(command);
        agent
    }

    fn run(&self, args: &[&str]) -> Output {
        self.agent().args(args).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn unlock(&self, args: &[&str]) {
        let output = self.with_passphrase("unlock").args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn keeper(&self) -> Option<Value> {
        let status = self.json(&["status", "--json"]);
        status
            .get("keeper")
            .filter(|keeper| !keeper.is_null())
            .cloned()
    }

    fn pid(&self) -> u64 {
        self.keeper().expect("a keeper")["pid"].as_u64().unwrap()
    }

    fn socket(&self) -> Option<PathBuf> {
        let found = fs::read_dir(self.dir.path().join("run/agent")).ok()?;
        found
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|e| e == "sock"))
    }

    fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// What every item says, sorted.
    fn texts(&self) -> Vec<String> {
        let output = self
            .with_passphrase("memory")
            .args(["list", "--all", "--json"])
            .output();
        let items: Vec<Value> = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        let text = |item: &Value| item["text"].as_str().unwrap().to_owned();
        let mut texts: Vec<String> = items.iter().map(text).collect();
        texts.sort();
        texts
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.run(&["lock"]);
    }
}

/// Waits until the keeper lets a connection go and takes no other.
fn until_it_ends(socket: &Path) {
    while let Ok(mut stream) = UnixStream::connect(socket) {
        stream.read_to_end(&mut Vec::new()).ok();
    }
}

/// Whether a process still runs: one that only waits to be collected does not.
fn runs(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

#[test]
fn unlocked_nothing_asks_and_locked_everything_does() {
    let home = Home::new();
    assert!(home.keeper().is_none() && home.socket().is_none());
    home.unlock(&[]);
    let socket = home.socket().unwrap();
    let found = fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.mode() & 0o777, 0o600);
    let dir = fs::symlink_metadata(socket.parent().unwrap()).unwrap();
    assert_eq!(dir.mode() & 0o777, 0o700);

    let item = home.json(&["memory", "add", "tea is served at four", "--json"]);
    assert_eq!(item["text"], "tea is served at four");
    assert_eq!(
        home.json(&["memory", "list", "--json"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let answer = home.run(&["ask", "-m", "offline", "when is tea served?"]);
    assert!(answer.status.success(), "{answer:?}");
    assert!(String::from_utf8_lossy(&answer.stdout).contains("four"));
    assert_eq!(
        home.json(&["history", "list", "--json"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        home.json(&["keys", "list", "--json"]),
        Value::Array(Vec::new())
    );

    let pid = home.pid();
    assert!(runs(pid));
    assert!(home.run(&["lock"]).status.success());
    assert!(!runs(pid), "no orphan");
    assert!(home.socket().is_none() && home.keeper().is_none());
    // Locking what is locked is no fault.
    assert!(home.run(&["lock"]).status.success());

    let mut list = home.agent();
    list.args(["memory", "list"]);
    let mut terminal = Session::spawn(list).unwrap();
    terminal.expect("Passphrase: ").unwrap();
    terminal.send_line("right").unwrap();
    terminal.expect("tea is served at four").unwrap();
    terminal.expect(Eof).unwrap();
}

#[test]
fn a_passphrase_that_is_given_counts_before_the_keeper() {
    let home = Home::new();
    home.unlock(&[]);
    let mut list = home.agent();
    list.args(["memory", "list"])
        .env("AGENT_PASSPHRASE", "wrong");
    assert_eq!(list.output().unwrap().status.code(), Some(12));
    assert!(home.run(&["memory", "list"]).status.success());
}

#[test]
fn a_wrong_passphrase_starts_nothing_and_ends_nothing() {
    let home = Home::new();
    let wrong = || {
        let mut unlock = home.agent();
        unlock
            .args(["unlock", "--for", "10m"])
            .env("AGENT_PASSPHRASE", "wrong");
        unlock.output().unwrap().status.code()
    };
    assert_eq!(wrong(), Some(12));
    assert!(home.keeper().is_none() && home.socket().is_none());
    home.unlock(&[]);
    let pid = home.pid();
    assert_eq!(wrong(), Some(12));
    assert_eq!(home.pid(), pid);
}

#[test]
fn unlocking_again_keeps_the_keeper_unless_a_time_is_named() {
    let home = Home::new();
    home.unlock(&[]);
    let first = home.pid();
    assert!(home.run(&["unlock"]).status.success(), "asks nothing");
    assert_eq!(home.pid(), first);
    home.unlock(&["--for", "5m"]);
    let second = home.pid();
    assert_ne!(first, second);
    assert!(!runs(first));
    assert!(home.keeper().unwrap()["idle_left_ms"].as_u64().unwrap() <= 300_000);
    for bad in ["9h", "0s", "soon"] {
        let output = home.with_passphrase("unlock").args(["--for", bad]).output();
        assert_eq!(output.unwrap().status.code(), Some(2), "{bad}");
    }
    assert_eq!(home.pid(), second);
}

#[test]
fn it_locks_itself_when_idle_and_on_signals() {
    let home = Home::new();
    home.unlock(&["--for", "300ms"]);
    // On a busy machine it may have gone already.
    home.socket()
        .iter()
        .for_each(|socket| until_it_ends(socket));
    home.run(&["lock"]);
    assert!(home.keeper().is_none() && home.socket().is_none());
    for signal in ["-TERM", "-HUP", "-INT"] {
        home.unlock(&[]);
        let (pid, socket) = (home.pid(), home.socket().unwrap());
        home.signal(signal);
        until_it_ends(&socket);
        home.run(&["lock"]);
        assert!(!runs(pid) && home.socket().is_none(), "{signal}");
    }
}

#[test]
fn a_keeper_that_does_not_answer_is_ended_all_the_same() {
    let home = Home::new();
    home.unlock(&[]);
    let pid = home.pid();
    home.signal("-STOP");
    assert!(home.run(&["lock"]).status.success());
    assert!(!runs(pid) && home.socket().is_none());
}

#[test]
fn a_dead_keepers_socket_is_in_nobodys_way() {
    let home = Home::new();
    home.unlock(&[]);
    let socket = home.socket().unwrap();
    home.signal("-KILL");
    until_it_ends(&socket);
    assert!(socket.exists() && home.keeper().is_none());
    let list = home.with_passphrase("memory").arg("list").output().unwrap();
    assert!(list.status.success());
    home.unlock(&[]);
    assert!(home.run(&["memory", "list"]).status.success());
    home.signal("-KILL");
    until_it_ends(&socket);
    home.run(&["lock"]);
    assert!(home.socket().is_none());
}

/// Adds items one after another; returns those that were promised.
fn write(home: &Home, writer: usize, count: usize, through_keeper: bool) -> Vec<String> {
    let texts = (0..count).map(|n| format!("shelf {writer} holds box {n}"));
    let added = |text: &String| match through_keeper {
        true => add_without_terminal(home, text),
        false => {
            let mut add = home.with_passphrase("memory");
            add.args(["add", text]).output().unwrap().status.success()
        }
    };
    texts.filter(added).collect()
}

#[test]
fn eight_writers_through_the_keeper_and_two_beside_it_lose_nothing() {
    let home = Home::new();
    home.unlock(&[]);
    let promised = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for writer in 0..10 {
            let (home, promised) = (&home, &promised);
            scope.spawn(move || {
                let through_keeper = writer < 8;
                let done = write(
                    home,
                    writer,
                    if through_keeper { 10 } else { 4 },
                    through_keeper,
                );
                promised.lock().unwrap().extend(done);
            });
        }
    });
    let mut promised = promised.into_inner().unwrap();
    promised.sort();
    assert_eq!(promised.len(), 88);
    assert_eq!(home.texts(), promised);
    let verify = home.with_passphrase("verify").output().unwrap();
    assert!(verify.status.success(), "{verify:?}");
}

#[test]
fn a_keeper_that_is_killed_amid_writes_has_lost_nothing_it_promised() {
    let home = Home::new();
    home.unlock(&[]);
    let pid = home.pid().to_string();
    let promised = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (home, promised) = (&home, &promised);
            scope.spawn(move || {
                for n in 0..40 {
                    let text = format!("shelf {writer} holds box {n}");
                    if !add_without_terminal(home, &text) {
                        break;
                    }
                    promised.lock().unwrap().push(text);
                }
            });
        }
        while promised.lock().unwrap().len() < 12 {
            std::thread::yield_now();
        }
        Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    });
    let promised: BTreeSet<String> = promised.into_inner().unwrap().into_iter().collect();
    assert!((12..160).contains(&promised.len()));
    let there = home.texts();
    let distinct: BTreeSet<String> = there.iter().cloned().collect();
    assert_eq!(distinct.len(), there.len(), "none twice");
    assert!(promised.is_subset(&distinct));
    home.unlock(&[]);
    assert!(add_without_terminal(&home, "the shelves are full"));
    let verify = home.with_passphrase("verify").output().unwrap();
    assert!(verify.status.success(), "{verify:?}");
}

/// Adds an item in a session of its own, so that there is no terminal to ask on.
fn add_without_terminal(home: &Home, text: &str) -> bool {
    let mut add = home.agent();
    add.args(["memory", "add", text]);
    let mut session = Command::new("setsid");
    session
        .arg("--wait")
        .arg(add.get_program())
        .args(add.get_args());
    session.env_clear().stdin(Stdio::null());
    for (name, value) in add.get_envs() {
        value.map(|value| session.env(name, value));
    }
    session.output().unwrap().status.success()
}
