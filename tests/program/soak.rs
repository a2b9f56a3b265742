//! Everything at once: eight writers, a chat, a watcher and one who changes the keys, with and
//! without the keeper, with and without kills. What was promised is there, once, in one order.
//!
//! `SOAK_EACH` is the number of additions of each writer (`scripts/soak` sets it to 100).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::together::{Chance, all_at_once};
use super::world::{Home, LIGHT, PASSPHRASE, Run};

const WRITERS: usize = 8;
/// Wrong passphrase; no passphrase at hand; the vault was rekeyed meanwhile.
const LOCKED_OUT: [i32; 3] = [12, 1, 16];
/// A command that was shut out this often is shut out for good.
const TRIES_MAX: usize = 400;

fn additions() -> usize {
    std::env::var("SOAK_EACH").map_or(3, |each| each.parse().unwrap())
}

/// A home, the passphrase of the moment, and whether a keeper spares giving it.
struct Scene {
    home: Home,
    passphrase: RwLock<String>,
    has_keeper: bool,
    kills: bool,
    over: AtomicBool,
    writing: AtomicUsize,
}

/// How a command ended: it promised, or was killed before it could.
enum End {
    Done,
    Killed,
}

impl Scene {
    fn new(has_keeper: bool, kills: bool) -> Self {
        let scene = Scene {
            home: Home::with_vault(),
            passphrase: RwLock::new(PASSPHRASE.into()),
            has_keeper,
            kills,
            over: AtomicBool::new(false),
            writing: AtomicUsize::new(WRITERS),
        };
        scene.unlock();
        scene
    }

    fn with_passphrase(&self, args: &[&str]) -> Run {
        let passphrase = self.passphrase.read().unwrap().clone();
        self.home.agent(args).env("AGENT_PASSPHRASE", passphrase)
    }

    fn unlock(&self) {
        if self.has_keeper {
            self.with_passphrase(&["unlock"]).run().expect_code(0);
        }
    }

    fn command(&self, args: &[&str]) -> Run {
        let run = self.with_passphrase(args).args(["--lock-wait", "60"]);
        match self.has_keeper {
            true => run.without("AGENT_PASSPHRASE"),
            false => run,
        }
    }

    /// Runs a command, again as long as the keys change under it.
    fn run(&self, args: &[&str], chance: &mut Chance) -> End {
        for _ in 0..TRIES_MAX {
            let running = self.command(args).start();
            if self.kills && chance.below(5) == 0 {
                // The moment of death is what is random here; there is nothing to wait for.
                thread::sleep(Duration::from_millis(chance.below(60)));
                let out = running.kill();
                match out.status.code() {
                    Some(0) => return End::Done,
                    _ => return End::Killed,
                }
            }
            let out = running.end();
            match out.status.code() {
                Some(0) => return End::Done,
                Some(code) if LOCKED_OUT.contains(&code) => {}
                code => panic!("{args:?}: {code:?}: {}", out.stderr),
            }
        }
        panic!("{args:?} was shut out {TRIES_MAX} times");
    }

    /// Adds memories, and gives back those that were promised.
    fn write(&self, writer: usize) -> Vec<String> {
        let mut chance = Chance(writer as u64);
        let mut promised = Vec::new();
        for n in 0..additions() {
            let text = format!("parcel {n} of shelf {writer} is blue");
            if let End::Done = self.run(&["memory", "add", &text], &mut chance) {
                promised.push(text);
            }
        }
        if self.writing.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.over.store(true, Ordering::SeqCst);
        }
        promised
    }

    /// Says one line after another in one conversation, and gives back those that were answered.
    fn chat(&self) -> Vec<String> {
        let mut chance = Chance(77);
        let mut answered = Vec::new();
        for n in 0.. {
            let line = format!("line {n} of the chat");
            if let End::Done = self.run(&["ask", "-s", "soak", &line], &mut chance) {
                answered.push(line);
            }
            if self.over.load(Ordering::SeqCst) {
                break;
            }
        }
        answered
    }

    /// Watches, from one change of the keys to the next, and gives back what each watch saw.
    fn watch(&self) -> Vec<Vec<String>> {
        let mut seen = Vec::new();
        while !self.over.load(Ordering::SeqCst) {
            let mut running = self.command(&["watch", "--since", "0", "--json"]).start();
            // A look now and then whether there is anything left to see.
            while !self.over.load(Ordering::SeqCst) && running.runs() {
                thread::sleep(Duration::from_millis(20));
            }
            let text = running.kill().text();
            let whole = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            seen.push(whole.map(str::to_owned).collect());
        }
        seen
    }

    /// Changes the passphrase and every key, again and again.
    fn rekey(&self) {
        for n in 0.. {
            let new = format!("another {n} altogether");
            let run = self.with_passphrase(&["rekey"]).args(LIGHT);
            run.env("AGENT_NEW_PASSPHRASE", &new).run().expect_code(0);
            *self.passphrase.write().unwrap() = new;
            self.unlock();
            if self.over.load(Ordering::SeqCst) {
                break;
            }
        }
    }

    /// Every record in its order, one line each.
    fn records(&self, name: &str) -> Vec<String> {
        let path: PathBuf = self.home.path(name);
        let out = path.to_str().unwrap();
        self.command(&["export", "--all", "--output", out])
            .run()
            .expect_code(0);
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        lines[1..lines.len() - 1].to_vec()
    }
}

fn soak(has_keeper: bool, kills: bool) {
    let scene = &Scene::new(has_keeper, kills);
    let (promised, answered, seen) = thread::scope(|scope| {
        let chat = scope.spawn(|| scene.chat());
        let watch = scope.spawn(|| scene.watch());
        let rekey = scope.spawn(|| scene.rekey());
        let promised = all_at_once(|writer| scene.write(writer));
        rekey.join().unwrap();
        (promised, chat.join().unwrap(), watch.join().unwrap())
    });
    let records = scene.records("all.jsonl");
    assert!(promised.len() >= WRITERS, "some were left alive");

    let mut texts = BTreeMap::new();
    let mut lines = BTreeSet::new();
    for record in &records {
        let record: Value = serde_json::from_str(record).unwrap();
        for text in strings(&record) {
            if promised.contains(text) && record["type"] == "memory" {
                *texts.entry(text.to_owned()).or_insert(0) += 1;
            }
            lines.insert(text.to_owned());
        }
    }
    for text in &promised {
        assert_eq!(texts.get(text), Some(&1), "{text}");
    }
    for line in &answered {
        assert!(lines.contains(line), "{line}");
    }
    assert!(
        seen.iter().any(|lines| !lines.is_empty()),
        "a watch saw something"
    );
    for seen in seen {
        let mut rest = records.iter();
        for line in &seen {
            assert!(rest.any(|record| record == line), "out of order: {line}");
        }
    }
    scene.with_passphrase(&["verify"]).run().expect_code(0);
    if has_keeper {
        scene.home.agent(["lock"]).run().expect_code(0);
    }
}

/// Every string in a JSON value.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn nothing_is_lost_while_all_write_and_the_keys_change() {
    soak(false, false);
}

#[test]
fn nothing_is_lost_when_some_are_killed_as_well() {
    soak(false, true);
}

#[test]
fn nothing_is_lost_through_the_keeper() {
    soak(true, false);
}

#[test]
fn nothing_is_lost_through_the_keeper_when_some_are_killed() {
    soak(true, true);
}
