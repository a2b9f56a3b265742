//! The way out and the way in, as a person takes it: files, exit codes, and other processes.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::terminal::Terminal;
use super::world::{Home, PASSPHRASE, copy_dir};

/// A session log of the article's code.
fn session_log(messages: usize) -> String {
    let line = |n: usize| {
        let role = ["user", "assistant"][n % 2];
        let (minute, second) = (n / 60 % 60, n % 60);
        let words = "some words that were said ".repeat(n % 8);
        format!(
            "{{\"timestamp\":\"2026-01-01T10:{minute:02}:{second:02}\",\"session_id\":\"s{}\",\
             \"role\":\"{role}\",\"content\":\"message {n} {words}\"}}\n",
            n / 40
        )
    };
    (0..messages).map(line).collect()
}

/// A vault with a conversation, something remembered, and something forgotten.
fn told() -> Home {
    let home = Home::with_vault();
    let log = home.secret_file("session_log.jsonl", session_log(6));
    home.agent(["import"]).arg(log).run().expect_code(0);
    for text in ["has a cat called Mia", "once had a dog"] {
        home.agent(["memory", "add", text]).run().expect_code(0);
    }
    let items = home.json(["memory", "list"]);
    let dog = items.as_array().unwrap().iter().find(|item| {
        let text = item["text"].as_str().unwrap();
        text.contains("dog")
    });
    let id = dog.unwrap()["id"].as_str().unwrap().to_owned();
    home.agent(["memory", "forget", &id]).run().expect_code(0);
    home
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// All but the first line and the hash over it.
fn body(export: &str) -> Vec<&str> {
    let lines: Vec<&str> = export.lines().collect();
    lines[1..lines.len() - 1].to_vec()
}

#[test]
fn an_export_is_private_says_what_it_is_and_overwrites_nothing() {
    let home = told();
    for (format, file) in [
        ("jsonl", "a.jsonl"),
        ("json", "a.json"),
        ("markdown", "a.md"),
        ("html", "a.html"),
    ] {
        let export = || {
            let run = home.agent(["export", "--format", format, "-o"]);
            run.arg(home.path(file)).run()
        };
        let out = export();
        out.expect_code(0).expect_stderr("plaintext");
        assert_eq!(out.stderr.matches("plaintext").count(), 1);
        assert_eq!(mode(&home.path(file)), 0o600);
        let before = fs::read_to_string(home.path(file)).unwrap();
        assert!(before.contains("called Mia") && !before.contains("a dog"));
        export()
            .expect_code(1)
            .expect_stderr("nothing is overwritten");
        assert_eq!(fs::read_to_string(home.path(file)).unwrap(), before);
    }
    let all = home.agent(["export", "--all"]).run();
    assert!(all.expect_code(0).text().contains("once had a dog"));
    let left: Vec<_> = fs::read_dir(home.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_str().unwrap().ends_with(".part"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_export_to_a_terminal_has_to_be_wished_for() {
    let home = told();
    let run = |args: &[&str]| {
        let run = home.bare(["export"]).args(args);
        let mut terminal = Terminal::start(run.env("AGENT_PASSPHRASE", PASSPHRASE));
        terminal.wait_for(if args.is_empty() {
            "--force"
        } else {
            "called Mia"
        });
        terminal.end()
    };
    assert_eq!(run(&[]).code(), Some(2));
    assert!(run(&["--force"]).success());
}

#[test]
fn an_export_comes_back_whole_into_another_vault_and_only_once() {
    let home = told();
    let file = home.path("export.jsonl");
    home.agent(["export", "-o"]).arg(&file).run().expect_code(0);
    let other = Home::with_vault();
    for _ in 0..2 {
        other.agent(["import"]).arg(&file).run().expect_code(0);
    }
    let out = other.agent(["export"]).run();
    let (first, again) = (fs::read_to_string(&file).unwrap(), out.text());
    assert_eq!(body(&first), body(&again));
    assert_ne!(first, again);
    // A file that was cut is refused whole, and taken as far as it goes only if that is wished.
    let cut = home.secret_file("cut.jsonl", &first[..first.len() * 2 / 3]);
    let third = Home::with_vault();
    let refused = third.agent(["import"]).arg(&cut).run();
    refused.expect_code(1).expect_stderr("--salvage");
    assert!(!third.agent(["export"]).run().text().contains("message 0"));
    third
        .agent(["import", "--salvage"])
        .arg(&cut)
        .run()
        .expect_code(1);
    assert!(third.agent(["export"]).run().text().contains("message 0"));
}

#[test]
fn what_cannot_be_read_is_named_with_its_place_and_the_rest_comes_in() {
    let home = Home::with_vault();
    let mut log = session_log(4);
    log.insert_str(0, "{\"timestamp\":\"2026-01-01T09:00:00\",\"role\":\"us\n");
    let file = home.secret_file("session_log.jsonl", log);
    let out = home.agent(["import"]).arg(&file).run();
    out.expect_code(1)
        .expect_stderr("session_log.jsonl, line 1:");
    assert!(out.text().contains("4 messages"), "{}", out.text());
    let strange = home.secret_file("strange", "nothing of the kind");
    let out = home.agent(["import"]).arg(&strange).run();
    out.expect_code(1).expect_stderr("--from");
}

#[test]
fn two_imports_at_once_do_not_take_in_the_same_twice() {
    use agent::store::{FileStore, Store};
    let home = Home::with_vault();
    let log = home.secret_file("session_log.jsonl", session_log(4));
    let header = fs::read(home.state_dir().join("vault.header")).unwrap();
    let vault: [u8; 16] = header[16..32].try_into().unwrap();
    let store = FileStore::open(&home.state_dir(), &home.path("state/agent/witness")).unwrap();
    let other = store.claim(vault).unwrap();
    let import = || home.agent(["import"]).arg(&log).run();
    import().expect_code(11).expect_stderr("another import");
    drop(other);
    assert!(import().expect_code(0).text().contains("4 messages"));
}

#[test]
fn an_export_is_of_one_moment_and_holds_nobody_up() {
    let home = Home::with_vault();
    // More than a pipe holds, and more than one segment.
    let log = home.secret_file("session_log.jsonl", session_log(9000));
    home.agent(["import"]).arg(log).run().expect_code(0);
    let pipe = home.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let export = home.shell("\"$@\" > pipe", &["export"]).start();
    let mut reader = fs::File::open(&pipe).unwrap();
    let mut out = vec![0; 1000];
    reader.read_exact(&mut out).unwrap();
    // The export stands in the midst of its work, since nobody reads on.
    for n in 0..3 {
        let text = format!("added meanwhile {n}");
        let add = home.agent(["memory", "add", &text, "--lock-wait", "1"]);
        add.run().expect_code(0);
    }
    reader.read_to_end(&mut out).unwrap();
    export.end().expect_code(0);
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("added meanwhile"));
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["messages"], 9000);
    let records = body(&text).len() as u64;
    assert_eq!(first["through"].as_u64(), Some(records));
    let file = home.secret_file("export.jsonl", &text);
    let other = Home::with_vault();
    let out = other.agent(["import"]).arg(&file).run();
    assert!(out.expect_code(0).text().contains("9000 messages"));
    assert_eq!(home.remembered().len(), 3);
}

#[test]
fn a_synced_folders_conflict_copies_are_told_of_and_merged() {
    let home = told();
    let other = Home::with_vault();
    fs::remove_dir_all(other.state_dir()).unwrap();
    copy_dir(&home.state_dir(), &other.state_dir());
    home.agent(["memory", "add", "grows roses"])
        .run()
        .expect_code(0);
    for text in ["lives in Ulm", "sails"] {
        other.agent(["memory", "add", text]).run().expect_code(0);
    }
    let tail = home.file_that_ends(".tail");
    let copy = tail.with_file_name("00000001.sync-conflict-20261122-101112-ABCDEF.tail");
    fs::copy(other.file_that_ends(".tail"), &copy).unwrap();
    let header = home.state_dir().join("vault (conflicted copy).header");
    fs::copy(home.state_dir().join("vault.header"), &header).unwrap();
    let advice = home.agent(["doctor"]).run().text();
    assert!(advice.contains("import --from vault"), "{advice}");
    assert_eq!(advice.matches("conflicted copy").count(), 1, "{advice}");
    let out = home
        .agent(["import", "--from", "vault"])
        .arg(home.state_dir())
        .run();
    assert!(
        out.expect_code(0).text().contains("2 memories"),
        "{}",
        out.text()
    );
    // A whole copy of the vault, which adds nothing now; and one file alone.
    for path in [other.state_dir(), copy.clone()] {
        let out = home.agent(["import"]).arg(path).run();
        assert!(
            out.expect_code(0).text().contains(" 0 memories"),
            "{}",
            out.text()
        );
    }
    let mut texts = home.remembered();
    texts.sort();
    assert_eq!(
        texts,
        [
            "grows roses",
            "has a cat called Mia",
            "lives in Ulm",
            "sails"
        ]
    );
    let stranger = Home::with_vault();
    stranger.agent(["memory", "add", "x"]).run().expect_code(0);
    let out = home.agent(["import"]).arg(stranger.state_dir()).run();
    out.expect_code(1).expect_stderr("another vault");
    for file in [copy, header] {
        fs::remove_file(file).unwrap();
    }
    home.agent(["verify"]).run().expect_code(0);
    assert!(!home.agent(["doctor"]).run().text().contains("sync tool"));
}

#[cfg(feature = "age")]
#[test]
fn an_age_file_is_sealed_as_it_is_written_and_comes_back() {
    // A pair made by the stock age-keygen.
    const RECIPIENT: &str = "age1fwf4syy9k20pvgaukzkc93rjx2r0ghlx83j0s80qzy8j3ukacpqshrh3x4";
    const IDENTITY: &str =
        "# a comment\nAGE-SECRET-KEY-1NZLT2VELW9GDZ6LQYYY4XN9DEQHWPM5FUMTXRWAW84TDZYMGLQWS22Z6LV\n";
    let home = told();
    let file = home.path("export.age");
    let out = home
        .agent(["export", "--age", RECIPIENT, "-o"])
        .arg(&file)
        .run();
    out.expect_code(0);
    assert!(!out.stderr.contains("plaintext"));
    let sealed = fs::read(&file).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
    assert!(!sealed.windows(3).any(|part| part == b"Mia"));
    assert_eq!(mode(&file), 0o600);
    let identity = home.secret_file("identity", IDENTITY);
    let other = Home::with_vault();
    let import = || {
        other
            .agent(["import", "--identity"])
            .arg(&identity)
            .arg(&file)
            .run()
    };
    import().expect_code(0);
    assert_eq!(other.remembered(), ["has a cat called Mia"]);
    fs::write(&file, &sealed[..sealed.len() - 30]).unwrap();
    import().expect_code(1);
    let out = home.agent(["export", "--age", "age1nonsense"]).run();
    assert!(out.expect_code(1).stdout.is_empty());
}

#[test]
fn what_was_imported_is_in_the_index_and_a_person_sees_how_far_it_is() {
    let home = Home::with_vault();
    let log = home.secret_file("session_log.jsonl", session_log(10_100));
    let import = home.bare(["import"]).env("AGENT_PASSPHRASE", PASSPHRASE);
    let mut terminal = Terminal::start_sized(import.arg(&log), (24, 40));
    terminal.wait_for("10100");
    terminal.wait_for("\rbuilding the index ");
    terminal.wait_for("100 %\r\u{1b}[K");
    assert!(!terminal.screen().contains("building"));
    assert_eq!(terminal.end().code(), Some(0));

    let said = || {
        let search = home.bare(["search", "message", "-k", "1"]);
        let mut terminal = Terminal::start(search.env("AGENT_PASSPHRASE", PASSPHRASE));
        terminal.wait_for("message ");
        let sent = terminal.sent();
        assert_eq!(terminal.end().code(), Some(0));
        sent
    };
    let lose_the_index = || {
        let mut files = home.files();
        files.retain(|file| file.parent().unwrap().ends_with("search_index"));
        assert!(!files.is_empty());
        files.iter().for_each(|file| fs::remove_file(file).unwrap());
    };
    assert!(!said().contains("building"));
    lose_the_index();
    assert!(said().contains("\rbuilding the index "));
    // Where nobody sees it, nothing is said.
    lose_the_index();
    let out = home.agent(["search", "message", "-k", "1"]).run();
    assert_eq!(out.expect_code(0).stderr, "");
}
