//! What lies on the disk and what others can see of a running process.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::server::{Server, anthropic};
use super::world::{Home, LIGHT, PASSPHRASE, files_below};

/// Words that are said to the program and must not lie anywhere.
const CANARIES: [&str; 7] = [
    "zugzwangcanaryprompt",
    "zugzwangcanarymemory",
    "zugzwangcanaryreply",
    "zugzwangcanarytitle",
    "zugzwangcanarykey",
    "zugzwangcanarypiped",
    PASSPHRASE,
];

/// The letters of base64 that stand for the middle of `text` at each of the three alignments.
fn base64_cores(text: &str) -> Vec<String> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..3)
        .map(|skip| {
            let bytes = &text.as_bytes()[skip..];
            let whole = bytes.chunks_exact(3).flat_map(|chunk| {
                let bits =
                    u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
                [18, 12, 6, 0].map(|shift| LETTERS[(bits >> shift & 63) as usize] as char)
            });
            whole.collect()
        })
        .collect()
}

fn needles() -> Vec<Vec<u8>> {
    let forms = CANARIES.iter().flat_map(|canary| {
        let hex: String = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
        let wide: Vec<u8> = canary.bytes().flat_map(|byte| [byte, 0]).collect();
        let mut forms = vec![
            canary.as_bytes().to_vec(),
            hex.to_uppercase().into_bytes(),
            hex.into_bytes(),
            wide,
        ];
        forms.extend(base64_cores(canary).into_iter().map(String::into_bytes));
        forms
    });
    forms.collect()
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let mut at = text.iter().enumerate().filter(|(_, byte)| **byte == first);
    at.any(|(at, _)| text[at..].starts_with(needle))
}

fn leaks(home: &Home) -> Vec<String> {
    let needles = needles();
    let mut found = Vec::new();
    for path in home.files() {
        // Where the test itself keeps it.
        if path == home.path("passphrase") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for needle in &needles {
            let named = contains(path.as_os_str().as_bytes(), needle);
            if named || contains(&bytes, needle) {
                found.push(format!("{} in {path:?}", String::from_utf8_lossy(needle)));
            }
        }
    }
    found
}

#[test]
fn base64_is_recognised() {
    // "zugzwang" as any program would write it, at each alignment.
    for written in ["enVnendhbmc=", "eHp1Z3p3YW5n", "eHh6dWd6d2FuZw=="] {
        let cores = base64_cores("zugzwang");
        assert!(
            cores.iter().any(|core| written.contains(core.as_str())),
            "{written}: {cores:?}"
        );
    }
}

#[test]
fn nothing_that_was_said_lies_anywhere_in_clear() {
    let home = Home::with_vault();
    let learns = r#"zugzwangcanaryreply <memory_update>{"key_facts":["zugzwangcanaryprompt"],"user_preferences":[],"past_outcomes":[]}</memory_update>"#;
    let server = Server::new(vec![
        anthropic(&[learns]),
        anthropic(&["zugzwangcanaryreply"]),
    ]);
    let run = home.agent(["ask", "zugzwangcanaryprompt"]);
    server.anthropic(run).run().expect_code(0);
    let chat = server.anthropic(home.agent(["chat"]));
    let chat = chat
        .input("zugzwangcanarypiped\n/remember zugzwangcanarymemory\n")
        .run();
    chat.expect_code(0);
    home.agent(["memory", "add", "zugzwangcanarymemory"])
        .run()
        .expect_code(0);
    let list = home.json(["history", "list"]);
    let id = list[0]["id"].as_str().unwrap();
    home.agent(["history", "rename", id, "zugzwangcanarytitle"])
        .run()
        .expect_code(0);
    let keys = home.agent(["keys", "set", "anthropic"]);
    keys.input("sk-zugzwangcanarykey").run().expect_code(0);
    for args in [
        &["history", "show", id][..],
        &["memory", "list"],
        &["verify"],
        &["keys", "list"],
    ] {
        home.agent(args).run().expect_code(0);
    }
    let refused = home.agent(["memory", "add", "zugzwangcanarymemory"]);
    refused
        .env("AGENT_PASSPHRASE", "zugzwangcanarykey")
        .run()
        .expect_code(12);
    // The program has it, so that this is no search for what was never there.
    assert!(
        home.json(["history", "show", id])
            .to_string()
            .contains("zugzwangcanary")
    );
    assert_eq!(leaks(&home), Vec::<String>::new());

    fs::write(home.path("tmp/forgotten"), "…7a7567 zugzwangcanaryprompt").unwrap();
    assert_eq!(leaks(&home).len(), 1, "a leak is found");
}

#[test]
fn nothing_lies_in_clear_after_a_process_was_killed() {
    let home = Home::with_vault();
    let server = Server::new(vec![super::server::Say::Hang(
        super::server::anthropic_start(&["zugzwangcanaryreply"]),
    )]);
    let run = home.agent(["ask", "zugzwangcanaryprompt"]);
    let mut running = server.anthropic(run).start();
    running.stdout.wait_for("zugzwangcanaryreply");
    running.kill();
    assert_eq!(leaks(&home), Vec::<String>::new());
}

#[test]
fn errors_hold_no_words_and_no_secrets() {
    let home = Home::with_vault();
    let server = Server::new(Vec::new());
    let run = server.anthropic(home.agent(["ask", "zugzwangcanaryprompt", "--json", "-v"]));
    let out = run.run();
    out.expect_code(20);
    assert!(!out.stderr.contains("zugzwang"), "{}", out.stderr);
    assert!(!out.stderr.contains("sk-ant-test") && !out.stderr.contains(PASSPHRASE));
}

#[test]
fn everything_is_owner_only_whatever_the_umask() {
    let home = Home::new();
    let with_umask = |args: &[&str]| home.shell("umask 000; exec \"$@\"", args).run();
    let init: Vec<&str> = ["init"].into_iter().chain(LIGHT).collect();
    with_umask(&init).expect_code(0);
    with_umask(&["memory", "add", "one"]).expect_code(0);
    with_umask(&["ask", "remember that the sky is blue"]).expect_code(0);
    with_umask(&["config", "set", "max_tokens", "1000"]).expect_code(0);
    let chat = home.shell("umask 000; exec \"$@\"", &["chat"]);
    chat.input("hello\n").run().expect_code(0);
    let mut seen = 0;
    for dir in ["data/agent", "state/agent", "config/agent"] {
        for file in files_below(&home.path(dir)) {
            seen += 1;
            let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
            assert_eq!(mode(&file), 0o600, "{file:?}");
            assert_eq!(mode(file.parent().unwrap()), 0o700, "{file:?}");
        }
    }
    assert!(seen > 6, "{seen} files");
}

#[test]
fn a_directory_that_others_can_enter_is_closed_to_them() {
    let home = Home::with_vault();
    fs::set_permissions(home.state_dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let out = home.agent(["memory", "list"]).run();
    out.expect_code(0).expect_stderr("now is yours alone");
    assert_eq!(
        fs::metadata(home.state_dir()).unwrap().mode() & 0o777,
        0o700
    );
}

#[test]
fn a_running_chat_leaves_no_core_and_cannot_be_traced() {
    let home = Home::of_a_plain_user();
    let mut running = home.agent(["chat"]).start_open();
    running.stderr.wait_for("Ctrl-D leaves");
    let proc = format!("/proc/{}", running.child.id());
    let limits = fs::read_to_string(format!("{proc}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core"))
        .unwrap();
    let values: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(values, ["0", "0"], "{core}");
    let status = fs::read_to_string(format!("{proc}/status")).unwrap();
    assert!(status.contains("Umask:\t0077"), "{status}");
    // What belongs to a process that is not dumpable belongs to root, whoever runs it.
    assert_eq!(fs::metadata(format!("{proc}/mem")).unwrap().uid(), 0);
    assert_ne!(fs::metadata(running_file(&home)).unwrap().uid(), 0);
    drop(running.child.stdin.take());
    running.end().expect_code(0);
}

fn running_file(home: &Home) -> std::path::PathBuf {
    home.state_dir().join("vault.header")
}
