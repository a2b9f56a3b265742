//! Several processes on one vault.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::server::{Server, anthropic};
use super::world::{Home, LIGHT};

const PROCESSES: usize = 8;
const ADDITIONS: usize = 8;

/// Numbers that look random and are the same in every run (SplitMix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Runs `work` for each worker at the same time, and gathers what each acknowledged.
pub fn all_at_once(work: impl Fn(usize) -> Vec<String> + Sync) -> BTreeSet<String> {
    thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..PROCESSES)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        let done = workers.into_iter().flat_map(|w| w.join().unwrap());
        done.collect()
    })
}

#[test]
fn everything_that_eight_processes_add_at_once_is_kept() {
    let home = Home::with_vault();
    let acknowledged = all_at_once(|worker| {
        let texts = (0..ADDITIONS).map(|n| format!("parcel {n} of shelf {worker} is blue"));
        texts
            .inspect(|text| {
                let out = home
                    .agent(["memory", "add", text, "--lock-wait", "60"])
                    .run();
                out.expect_code(0);
            })
            .collect()
    });
    let kept: BTreeSet<String> = home.remembered().into_iter().collect();
    assert_eq!(kept.len(), PROCESSES * ADDITIONS);
    assert_eq!(kept, acknowledged);
    home.agent(["verify"]).run().expect_code(0);
}

#[test]
fn what_was_acknowledged_is_kept_when_processes_are_killed_at_any_moment() {
    let home = Home::with_vault();
    let acknowledged = all_at_once(|worker| {
        let mut chance = Chance(worker as u64);
        let mut acknowledged = Vec::new();
        for n in 0..ADDITIONS {
            let text = format!("parcel {n} of shelf {worker} is blue");
            let run = home.agent(["memory", "add", &text, "--lock-wait", "60"]);
            let running = run.start();
            let is_killed = chance.below(2) == 0;
            let out = match is_killed {
                true => {
                    // The moment of death is what is random here; there is nothing to wait for.
                    thread::sleep(Duration::from_millis(chance.below(500)));
                    running.kill()
                }
                false => running.end(),
            };
            match out.status.code() {
                Some(0) => acknowledged.push(text),
                code => assert!(is_killed, "{code:?}: {}", out.stderr),
            }
        }
        acknowledged
    });
    let kept: BTreeSet<String> = home.remembered().into_iter().collect();
    assert!(acknowledged.is_subset(&kept), "{acknowledged:?}\n{kept:?}");
    assert!(acknowledged.len() >= PROCESSES, "some were left alive");
    let out = home.agent(["verify"]).run();
    out.expect_code(0);
    home.agent(["memory", "add", "after"]).run().expect_code(0);
}

#[test]
fn turns_of_several_processes_stand_each_in_its_conversation() {
    let home = Home::with_vault();
    all_at_once(|worker| {
        for n in 0..2 {
            let name = format!("window {worker}");
            let line = format!("line {n} in window {worker}");
            let run = home.agent(["ask", "-s", &name, &line, "--lock-wait", "60"]);
            run.run().expect_code(0);
        }
        Vec::new()
    });
    let list = home.json(["history", "list"]);
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), PROCESSES);
    for conversation in list {
        assert_eq!(conversation["messages"], 4, "{conversation}");
        let id = conversation["id"].as_str().unwrap();
        let messages = home.json(["history", "show", id]);
        let said = |at: usize| messages[at]["content"][0]["text"].as_str().unwrap();
        let (first, second) = (said(0), said(2));
        assert_eq!(second, first.replace("line 0", "line 1"));
    }
}

#[test]
fn watch_prints_what_others_append_within_two_seconds() {
    let home = Home::with_vault();
    home.agent(["memory", "add", "from before"])
        .run()
        .expect_code(0);
    let mut plain = home.agent(["watch"]).start();
    let mut json = home.agent(["watch", "--json"]).start();
    let mut all = home.agent(["watch", "--since", "0"]).start();
    plain.stderr.wait_for("watching");
    json.stderr.wait_for("watching");
    home.agent(["memory", "add", "the sky is blue"])
        .run()
        .expect_code(0);
    let added = Instant::now();
    plain.stdout.wait_for("remembered: the sky is blue");
    json.stdout.wait_for("the sky is blue");
    assert!(
        added.elapsed() < Duration::from_secs(2),
        "{:?}",
        added.elapsed()
    );
    home.agent(["ask", "is it?"]).run().expect_code(0);
    plain.stdout.wait_for("you: is it?");
    plain.stdout.wait_for("assistant: ");
    json.stdout.wait_for("is it?");
    all.stdout.wait_for("is it?");

    let lines = json.kill().text();
    let whole: Vec<&str> = lines
        .split_inclusive('\n')
        .filter(|l| l.ends_with('\n'))
        .collect();
    assert!(whole.len() >= 2, "{lines}");
    for line in whole {
        let record: Value = serde_json::from_str(line).unwrap();
        assert!(record["type"].is_string(), "{record}");
    }
    let text = plain.kill().text();
    assert!(!text.contains("from before"), "{text}");
    assert!(all.kill().text().contains("remembered: from before"));
}

#[test]
fn a_piped_chat_ends_with_16_when_another_process_has_rekeyed() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["one"])]);
    let mut chat = server.anthropic(home.agent(["chat"])).start_open();
    chat.say("first line\n");
    chat.stdout.wait_for("one\n");
    let rekey = home.agent(["rekey"]).args(LIGHT);
    rekey
        .env("AGENT_NEW_PASSPHRASE", "quite another")
        .run()
        .expect_code(0);
    chat.say("second line\n");
    let out = chat.end();
    out.expect_code(16)
        .expect_stderr("changed the vault's keys");
    assert_eq!(
        server.asked().len(),
        1,
        "nothing goes out under the old key"
    );
}

#[test]
fn a_piped_chat_uses_what_another_process_remembered_meanwhile() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["one"]), anthropic(&["two"])]);
    let mut chat = server.anthropic(home.agent(["chat"])).start_open();
    chat.say("first line\n");
    chat.stdout.wait_for("one\n");
    home.agent(["memory", "add", "the sky is blue"])
        .run()
        .expect_code(0);
    chat.say("second line\n");
    chat.stdout.wait_for("two\n");
    chat.end().expect_code(0);
    let asked = server.asked();
    assert!(!asked[0].system().contains("the sky is blue"));
    assert!(asked[1].system().contains("the sky is blue"));
    // What stands before it is untouched, so that the provider's cache holds.
    assert_eq!(asked[0].body["system"][0], asked[1].body["system"][0]);
}
