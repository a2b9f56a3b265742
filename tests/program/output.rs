//! What goes to stdout and what to stderr, the shapes of JSON, and text that must not act.

use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use super::server::{Say, Server, anthropic, status};
use super::world::{Home, fields};

/// Escape, the C1 form of it, bell, backspace, carriage return, delete, and turned direction.
const HOSTILE: &str = "a\u{1b}[31mb\u{9b}2Jc\u{7}d\u{8}e\rf\u{7f}g\u{202e}h\u{2066}i";
const TAMED: &str = "a[31mb2Jcdefghi";

#[track_caller]
fn is_tame(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    let acts = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    assert!(!text.contains(acts), "{text:?}");
}

#[test]
fn stdout_carries_the_answer_and_nothing_else() {
    let home = Home::with_vault();
    let learns = r#"Hello.<memory_update>{"key_facts":["the sky is blue"],"user_preferences":[],"past_outcomes":[]}</memory_update>"#;
    let server = Server::new(vec![anthropic(&[learns]), anthropic(&["Hello again."])]);
    let out = server
        .anthropic(home.agent(["ask", "-v", "the sky is blue"]))
        .run();
    out.expect_code(0);
    assert_eq!(out.text(), "Hello.\n");
    out.expect_stderr("the sky is blue");
    let quiet = server.anthropic(home.agent(["ask", "-q", "hello"])).run();
    quiet.expect_code(0);
    assert_eq!(
        (quiet.text().as_str(), quiet.stderr.as_str()),
        ("Hello again.\n", "")
    );
    let offline = home.agent(["ask", "hello"]).run();
    assert!(offline.expect_code(0).text().starts_with("Hello."));
    offline.expect_stderr("offline");
}

#[test]
fn a_piped_chat_prints_answers_only() {
    let home = Home::with_vault();
    home.learns_nothing_at_the_end();
    let server = Server::new(vec![anthropic(&["one"]), anthropic(&["two\n"])]);
    let chat = server.anthropic(home.agent(["chat"]));
    let out = chat
        .input("first\r\n\n/memory\n/nonsense\nsecond\n/quit\nthird\n")
        .run();
    out.expect_code(0).expect_stderr("Talking to");
    assert_eq!(out.text(), "one\ntwo\n");
    assert_eq!(server.asked().len(), 2);
    assert_eq!(server.asked()[0].messages()[0].1, "first");
}

#[test]
fn standard_input_is_put_behind_the_prompt() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["x"]), anthropic(&["y"])]);
    let run = server.anthropic(home.agent(["ask", "sum", "this", "up:"]));
    run.input("line one\nline two\n").run().expect_code(0);
    let run = server.anthropic(home.agent(["ask"]));
    run.input("only this\n").run().expect_code(0);
    let said = |at: usize| server.asked()[at].messages()[0].1.clone();
    assert_eq!(said(0).trim_end(), "sum this up:\nline one\nline two");
    assert_eq!(said(1).trim_end(), "only this");
}

#[test]
fn json_of_init_and_status() {
    let home = Home::new();
    let run = home.agent(["init", "--json"]).args(super::world::LIGHT);
    let made = run.run().expect_code(0).json();
    let names = ["kdf_lanes", "kdf_memory_mib", "kdf_passes", "path", "vault"];
    assert_eq!(fields(&made), names);
    assert_eq!(
        (&made["kdf_memory_mib"], &made["kdf_passes"]),
        (&19.into(), &2.into())
    );
    let status = home.json(["status"]);
    assert_eq!(status["vault"], made["vault"]);
    for name in [
        "path",
        "epoch",
        "generation",
        "created",
        "slots",
        "total_bytes",
        "findings",
    ] {
        assert!(status.get(name).is_some(), "{name}: {status}");
    }
    assert_eq!(status["slots"][0]["kind"], "passphrase");
    let verified = home.json(["verify"]);
    assert_eq!(
        fields(&verified),
        ["bytes", "findings", "records", "segments", "whole"]
    );
    assert_eq!(verified["whole"], true);
}

/// The fields of an answer, in order.
pub const ANSWER: [&str; 7] = [
    "conversation",
    "memory",
    "message",
    "model",
    "stop",
    "text",
    "usage",
];

#[test]
fn json_of_ask() {
    let home = Home::with_vault();
    let learns = r#"Hello.<memory_update>{"key_facts":["the sky is blue"],"user_preferences":[],"past_outcomes":[]}</memory_update>"#;
    let server = Server::new(vec![anthropic(&[learns])]);
    let run = server.anthropic(home.agent(["ask", "--json", "the sky is blue"]));
    let answer = run.run().expect_code(0).json();
    assert_eq!(fields(&answer), ANSWER);
    assert_eq!(answer["text"], "Hello.");
    assert_eq!(answer["memory"][0]["text"], "the sky is blue");
    assert_eq!(answer["stop"], "end");
    assert_eq!(answer["usage"]["input"], 11);
    assert_eq!(answer["usage"]["output"], 7);
    let list = home.json(["history", "list"]);
    assert_eq!(list[0]["id"], answer["conversation"]);
}

#[test]
fn json_of_memory_and_history() {
    let home = Home::with_vault();
    let empty = home.json(["memory", "list"]);
    assert_eq!(empty, Value::Array(Vec::new()));
    let item = home.json([
        "memory",
        "add",
        "the sky is blue",
        "--kind",
        "outcome",
        "--pin",
    ]);
    let names = [
        "created",
        "id",
        "kind",
        "pinned",
        "source",
        "status",
        "supersedes",
        "text",
    ];
    assert_eq!(fields(&item), names);
    assert_eq!(
        (&item["kind"], &item["pinned"]),
        (&"outcome".into(), &true.into())
    );
    assert_eq!(item["status"], "active");
    assert_eq!(item["source"]["class"], "user_command");
    let list = home.json(["memory", "list"]);
    assert_eq!(
        list.as_array().unwrap().as_slice(),
        std::slice::from_ref(&item)
    );
    let shown = home.json(["memory", "show", item["id"].as_str().unwrap()]);
    assert_eq!(shown, item);

    assert_eq!(home.json(["history", "list"]), Value::Array(Vec::new()));
    home.agent(["ask", "hello"]).run().expect_code(0);
    let list = home.json(["history", "list"]);
    assert_eq!(
        fields(&list[0]),
        ["id", "last", "messages", "started", "title"]
    );
    assert_eq!(list[0]["messages"], 2);
    let messages = home.json(["history", "show", list[0]["id"].as_str().unwrap()]);
    assert_eq!(messages[0]["role"], "user");
    assert_eq!(messages[0]["content"][0]["text"], "hello");
    assert_eq!(messages[1]["role"], "assistant");
}

#[test]
fn json_of_config_and_models() {
    let home = Home::with_vault();
    home.agent(["config", "set", "max_tokens", "1234"])
        .run()
        .expect_code(0);
    assert_eq!(home.json(["config", "get", "max_tokens"]), "1234");
    let all = home.json(["config", "list"]);
    assert_eq!(fields(&all[0]), ["about", "key", "value"]);
    home.agent(["config", "unset", "max_tokens"])
        .run()
        .expect_code(0);
    assert_ne!(home.json(["config", "get", "max_tokens"]), "1234");

    let models = r#"{"object":"list","data":[{"id":"tiny"},{"id":"big\u001b[2J\u009b1m"}]}"#;
    let server = Server::new(vec![status("200 OK", models), status("200 OK", models)]);
    let run = home.agent(["models", "openai"]);
    let base = format!("http://127.0.0.1:{}/v1", server.port);
    let out = run.env("OPENAI_BASE_URL", &base).run();
    is_tame(&out.expect_code(0).stdout);
    assert!(out.text().contains("openai/tiny"));
    let run = home.agent(["models", "openai", "--json"]);
    let out = run.env("OPENAI_BASE_URL", &base).run();
    is_tame(&out.expect_code(0).stdout);
    assert_eq!(out.json()[0]["model"], "openai/tiny");
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| asked.line.starts_with("GET /v1/models"))
    );
}

#[test]
fn what_acts_on_a_terminal_never_reaches_stdout() {
    let home = Home::with_vault();
    // Split where a terminal would still put it together.
    let (first, second) = HOSTILE.split_at(2);
    let says = || anthropic(&[first, second]);
    let server = Server::new(vec![says(), says(), says()]);
    for (args, shown) in [
        (&["ask", "hello"][..], true),
        (&["ask", "--no-stream", "hello"], true),
        (&["ask", "--json", "hello"], false),
    ] {
        let out = server.anthropic(home.agent(args)).run();
        is_tame(&out.expect_code(0).stdout);
        match shown {
            true => assert_eq!(out.text().trim_end(), TAMED),
            // The characters themselves are kept, as escapes.
            false => assert_eq!(out.json()["text"], HOSTILE),
        }
    }
    let list = home.json(["history", "list"]);
    let id = list[0]["id"].as_str().unwrap();
    for args in [
        &["history", "show", id][..],
        &["history", "show", id, "--json"],
    ] {
        is_tame(&home.agent(args).run().expect_code(0).stdout);
    }
    for (format, words) in [("-q", "b2Jcdefghi"), ("--json", "\\u2066i")] {
        let args = ["watch", "--since", "0", format];
        let mut watching = home.agent(args).start();
        watching.stdout.wait_for(words);
        is_tame(&watching.kill().stdout);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::with_vault();
    let text = "all work and no play makes jack a dull boy\n".repeat(20_000);
    home.agent(["ask"]).input(&text).run().expect_code(0);
    let list = home.json(["history", "list"]);
    let id = list[0]["id"].as_str().unwrap();
    let pieces = vec![text[..40_000].to_owned(); 20];
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let server = Server::new(vec![anthropic(&pieces)]);
    let shown = home.agent(["history", "show", id]);
    let json = home.agent(["history", "show", id, "--json"]);
    let streamed = server.anthropic(home.agent(["ask", "--new", "hello", "-q"]));
    for mut run in [shown, json, streamed] {
        run.command.stdin(Stdio::null());
        run.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = run.command.spawn().unwrap();
        let mut first = [0];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let out = child.wait_with_output().unwrap();
        assert_eq!(out.status.code(), Some(0));
        assert_eq!(String::from_utf8(out.stderr).unwrap(), "");
    }
    // The reply was kept whole although nobody read it.
    let list = home.json(["history", "list"]);
    let newest = list[0]["id"].as_str().unwrap();
    let messages = home.json(["history", "show", newest]);
    let kept = messages[1]["content"][0]["text"].as_str().unwrap();
    assert_eq!(kept.len(), 20 * 40_000);
}

#[test]
fn a_prompt_of_ten_megabytes_is_taken_and_given_back() {
    let home = Home::with_vault();
    let line = "ein Satz mit Umlauten äöü und \"Anführung\"\n";
    let prompt = line.repeat(10_000_000 / line.len() + 1);
    let out = home.agent(["ask"]).input(&prompt).run();
    out.expect_code(0);
    let list = home.json(["history", "list"]);
    let id = list[0]["id"].as_str().unwrap();
    let messages = home.json(["history", "show", id]);
    assert!(messages[0]["content"][0]["text"].as_str() == Some(&prompt));
    let shown = home.agent(["history", "show", id]).run();
    assert!(shown.expect_code(0).text().contains(prompt.trim_end()));
    home.agent(["verify"]).run().expect_code(0);

    let out = home.agent(["ask"]).input("x".repeat((12 << 20) + 1)).run();
    out.expect_code(1)
        .expect_stderr("longer than")
        .expect_stderr("hint:");
    assert_eq!(home.json(["history", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn an_empty_prompt_and_one_that_is_not_text_are_told() {
    let home = Home::with_vault();
    for input in [&b""[..], b" \n\t\n"] {
        let out = home.agent(["ask"]).input(input).run();
        out.expect_code(1).expect_stderr("there is nothing to say");
    }
    let out = home.agent(["ask"]).input(b"caf\xe9 au lait").run();
    out.expect_code(1).expect_stderr("not UTF-8 (byte 3)");
    let out = home.agent(["chat"]).input(b"hello\ncaf\xe9\n").run();
    out.expect_code(1).expect_stderr("not UTF-8 (byte 9)");
    let out = home.agent(["memory", "add", "  "]).run();
    out.expect_code(1).expect_stderr("empty");
    let out = home.agent(["ask", "hello", "-a", "nowhere.txt"]).run();
    out.expect_code(1).expect_stderr("nowhere.txt");
    assert_eq!(home.json(["history", "list"])[0]["messages"], 2);
}

#[test]
fn a_server_that_answers_with_plain_json_is_read_all_the_same() {
    let home = Home::with_vault();
    let body = r#"{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"plain"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let server = Server::new(vec![status("200 OK", body)]);
    let out = server.anthropic(home.agent(["ask", "hello"])).run();
    assert_eq!(out.expect_code(0).text(), "plain\n");
}

#[test]
fn an_overloaded_server_is_asked_again() {
    let home = Home::with_vault();
    let busy = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let retry = Say::Pieces(vec![format!(
        "HTTP/1.1 529 Overloaded\r\nconnection: close\r\nretry-after-ms: 10\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{busy}",
        busy.len()
    )]);
    let server = Server::new(vec![retry, anthropic(&["at last"])]);
    let out = server.anthropic(home.agent(["ask", "hello"])).run();
    assert_eq!(out.expect_code(0).text(), "at last\n");
    out.expect_stderr("trying again");
    assert_eq!(home.json(["history", "list"])[0]["messages"], 2);
}
