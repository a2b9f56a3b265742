//! The program in scripts: requests that are only shown, answers as lines, roles with variables.

use serde_json::{Value, json};

use super::output::ANSWER;
use super::server::{Server, anthropic, ollama, openai, status};
use super::world::{Home, Run, fields, snapshot};

const LEARNS: &str = r#"<memory_update>{"key_facts":["the sky is blue"],"user_preferences":[],"past_outcomes":[]}</memory_update>"#;

/// The vault, without what is only held while it is open.
fn vault(home: &Home) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    snapshot(&home.state_dir())
}

#[test]
fn a_dry_run_shows_what_would_be_sent_and_neither_sends_nor_writes() {
    type At = fn(&Server, Run) -> Run;
    let servers: [(At, _, &str, &str); 3] = [
        (
            Server::anthropic,
            anthropic(&["Hi."]),
            "/v1/messages",
            "x-api-key",
        ),
        (
            Server::openai,
            openai(&["Hi."]),
            "/v1/chat/completions",
            "authorization",
        ),
        (Server::ollama, ollama(&["Hi."]), "/api/chat", ""),
    ];
    for (at, says, path, credential) in servers {
        let home = Home::with_vault();
        home.agent(["memory", "add", "the sky is blue"])
            .run()
            .expect_code(0);
        let server = Server::new(vec![says]);
        let picture = home.path("dot.png");
        std::fs::write(&picture, b"\x89PNG\r\n\x1a\n123").unwrap();
        let ask = |more: &[&str]| {
            let run = home.agent(["ask", "what colour?", "--system", "Be \u{9b}brief."]);
            let run = run.env("OPENAI_API_KEY", "sk-openai-test");
            at(&server, run.arg("-a").arg(&picture).args(more))
        };
        let before = vault(&home);
        let shown = ask(&["--dry-run"]).run();
        shown.expect_code(0);
        let told = ask(&["--dry-run", "--json"]).run();
        let told = told.expect_code(0).json();
        assert!(server.asked().is_empty(), "{path}: something was sent");
        assert!(before == vault(&home), "{path}: something was written");

        ask(&[]).run().expect_code(0);
        let sent = server.asked().remove(0);
        assert_eq!(told["body"], sent.body);
        assert_eq!(told["method"], "POST");
        assert_eq!(
            told["url"],
            format!("http://127.0.0.1:{}{path}", server.port)
        );
        for (name, value) in told["headers"].as_object().unwrap() {
            let value = match name == credential {
                true => "-test",
                false => value.as_str().unwrap(),
            };
            let line = |line: &str| line.starts_with(&format!("{name}: ")) && line.contains(value);
            assert!(sent.head.lines().any(line), "{name}: {}", sent.head);
        }
        let names = fields(&told["headers"]);
        assert!(
            credential.is_empty() || names.contains(&credential),
            "{names:?}"
        );

        let text = shown.text();
        let (head, body) = text.split_once("\n\n").unwrap();
        assert!(head.starts_with(&format!("POST http://127.0.0.1:{}{path}\n", server.port)));
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), sent.body);
        assert!(
            !text.contains("-test") && !text.contains('\u{9b}'),
            "{text}"
        );
    }
}

#[test]
fn a_dry_run_goes_on_in_a_conversation_and_leaves_it_as_it_was() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["It is blue."])]);
    let ask = |args: &[&str]| server.anthropic(home.agent(["ask"]).args(args)).run();
    ask(&["what colour is the sky?"]).expect_code(0);
    let dry = ask(&["-c", "and grass?", "--dry-run", "--json"]);
    let messages = dry.expect_code(0).json()["body"]["messages"].clone();
    assert_eq!(messages.as_array().unwrap().len(), 3, "{messages}");
    assert!(messages.to_string().contains("It is blue."));
    assert_eq!(home.json(["history", "list"])[0]["messages"], 2);

    let offline = home
        .agent(["ask", "hello", "-m", "offline", "--dry-run", "--json"])
        .run();
    assert_eq!(offline.expect_code(0).json(), Value::Null);
    offline.expect_stderr("offline sends nothing");
    let wrong = home
        .agent(["ask", "hello", "-m", "nobody/x", "--dry-run"])
        .run();
    wrong.expect_code(20);
}

#[test]
fn an_answer_comes_line_by_line() {
    let home = Home::with_vault();
    let server = Server::new(vec![
        anthropic(&["It is ", "blue\u{1b}[2J.", LEARNS]),
        status(
            "401 Unauthorized",
            r#"{"error":{"type":"authentication_error","message":"no"}}"#,
        ),
    ]);
    let ask = || home.agent(["ask", "the sky is blue, right?", "--stream-json"]);
    let out = server.anthropic(ask()).run();
    let text = out.expect_code(0).text();
    assert!(!text.contains('\u{1b}'));
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = lines
        .iter()
        .map(|line| line["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["text", "text", "memory", "usage", "answer"],
        "{text}"
    );
    let said: String = lines[..2]
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    assert_eq!(said, "It is blue\u{1b}[2J.");
    assert_eq!(lines[2]["item"]["text"], "the sky is blue");
    assert_eq!(lines[3]["usage"], json!({"input": 11, "output": 7}));
    let answer = &lines[4];
    assert_eq!(answer["type"], "answer");
    let besides_type = fields(answer).into_iter().filter(|name| *name != "type");
    assert!(besides_type.eq(ANSWER));
    assert_eq!(answer["text"], said);
    assert_eq!(answer["memory"][0], lines[2]["item"]);

    let refused = server.anthropic(ask()).run();
    assert_eq!(refused.expect_code(20).error()["exit"], 20);
    assert!(refused.stdout.is_empty());
}

#[test]
fn a_role_has_variables_and_may_frame_a_question() {
    let home = Home::with_vault();
    let add = |name: &str, text: &str| {
        home.agent(["roles", "add", name, text])
            .run()
            .expect_code(0);
    };
    add("translator", "Translate into {{language}}, {{tone}}.");
    add(
        "capital",
        "What is the capital of {{input}}? Answer in {{language}}.",
    );
    let server = Server::new(vec![
        anthropic(&["Hallo."]),
        anthropic(&["Paris."]),
        anthropic(&["Rom."]),
    ]);
    let ask = |args: &[&str], input: &str| {
        server
            .anthropic(home.agent(["ask"]).args(args).input(input))
            .run()
    };
    ask(
        &[
            "-r",
            "translator",
            "-p",
            "language=German",
            "-p",
            "tone=a = b",
        ],
        "Hello.",
    )
    .expect_code(0);
    ask(&["-r", "capital", "-p", "language=French", "France"], "").expect_code(0);
    ask(&["-r", "capital", "-p", "language=Italian"], "Italy").expect_code(0);
    let asked = server.asked();
    assert!(asked[0].system().contains("Translate into German, a = b."));
    assert_eq!(asked[0].messages()[0].1, "Hello.");
    assert_eq!(
        asked[1].messages()[0].1,
        "What is the capital of France? Answer in French."
    );
    assert!(asked[1].system().contains("You are a private assistant"));
    assert_eq!(
        asked[2].messages()[0].1,
        "What is the capital of Italy? Answer in Italian."
    );

    let missing = ask(&["-r", "translator", "-p", "language=German"], "Hello.");
    missing
        .expect_code(2)
        .expect_stderr("the role translator needs a value for tone");
    missing.expect_stderr("hint: say what it stands for: -p tone=VALUE");
    let unknown = ask(
        &[
            "-r",
            "capital",
            "-p",
            "langage=French",
            "-p",
            "language=x",
            "France",
        ],
        "",
    );
    unknown
        .expect_code(2)
        .expect_stderr("the role capital has no variable langage");
    ask(&["-p", "a=b", "hello"], "").expect_code(2);
    ask(&["-r", "capital", "-p", "language", "France"], "").expect_code(2);
    assert_eq!(server.asked().len(), 3, "what fails is not sent");
    assert_eq!(
        home.json(["history", "list"]).as_array().unwrap().len(),
        3,
        "nor kept"
    );
}

#[test]
fn every_command_that_does_something_tells_it_as_json() {
    let home = Home::with_vault();
    let path = home.json(["config", "path"]);
    assert!(path["path"].as_str().unwrap().ends_with("config.toml"));
    let set = json!({"key": "max_tokens", "value": "99"});
    assert_eq!(home.json(["config", "set", "max_tokens", "99"]), set);
    let unset = json!({"key": "max_tokens", "value": "4096"});
    assert_eq!(home.json(["config", "unset", "max_tokens"]), unset);
    let role = json!({"name": "short", "prompt": "Answer in one line."});
    assert_eq!(
        home.json(["roles", "add", "short", "Answer in one line."]),
        role
    );
    let edited = home
        .agent(["roles", "edit", "short", "--json"])
        .input("Be brief.")
        .run();
    assert_eq!(edited.expect_code(0).json()["prompt"], "Be brief.");
    let gone = json!({"name": "short", "removed": true});
    assert_eq!(home.json(["roles", "remove", "short"]), gone);
    let sealed = home
        .agent(["keys", "set", "openai", "--json"])
        .input("sk-1")
        .run();
    assert_eq!(sealed.expect_code(0).json(), json!({"name": "openai"}));
    let gone = json!({"name": "openai", "removed": true});
    assert_eq!(home.json(["keys", "remove", "openai"]), gone);
    let mut create = vec!["profile", "create", "work"];
    create.extend(super::world::LIGHT);
    assert!(home.json(create)["vault"].is_string());
    assert_eq!(
        home.json(["profile", "remove", "work", "-y"])["removed"],
        true
    );
}

/// A PDF of one page that shows what `stream` draws, with its parts where they are said to be.
fn pdf(stream: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 5] = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 5 0 R\
          /Resources<</Font<</F 4 0 R>>>>>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        &[
            format!("<</Length {}>>stream\n", stream.len()).as_bytes(),
            stream,
            b"\nendstream",
        ]
        .concat(),
    ];
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", parts.len() + 1);
    for (at, part) in parts.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", bytes.len());
        bytes.extend(format!("{} 0 obj", at + 1).bytes());
        bytes.extend(*part);
        bytes.extend(b"endobj\n");
    }
    let start = bytes.len();
    let size = parts.len() + 1;
    let end = format!("trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n");
    bytes.extend(table.bytes().chain(end.bytes()));
    bytes
}

#[test]
#[cfg(feature = "pdf")]
fn the_text_of_a_pdf_goes_before_the_question() {
    let home = Home::with_vault();
    let path = home.path("letter.pdf");
    let server = Server::new(vec![anthropic(&["Fine."])]);
    let ask = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let ask = home.agent(["ask", "what does it say?", "-a"]).arg(&path);
        server.anthropic(ask).run()
    };
    ask(&pdf(
        b"BT /F 12 Tf 50 700 Td (Dear Clara, all is well.) Tj ET",
    ))
    .expect_code(0);
    let asked = server.asked().remove(0).body["messages"].to_string();
    assert!(
        asked.contains("[file letter.pdf]\\nDear Clara, all is well.\\n[end of file]"),
        "{asked}"
    );
    ask(&pdf(b"0 0 100 100 re f"))
        .expect_code(1)
        .expect_stderr("there is no text in this PDF");
    let deep = pdf(&b"[".repeat(3_000_000));
    let cut = pdf(b"BT ET");
    for hostile in [&b"%PDF-1.4 and nothing else"[..], &cut[..200], &deep] {
        let out = ask(hostile);
        out.expect_code(1)
            .expect_stderr("letter.pdf cannot be attached");
        assert!(
            !out.stderr.contains("fault of the program"),
            "{}",
            out.stderr
        );
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_program_alone_says_what_reads_pdfs() {
    let mut home = Home::with_vault();
    home.takes_the_program_alone();
    let path = home.path("letter.pdf");
    std::fs::write(&path, pdf(b"BT ET")).unwrap();
    let ask = home.agent(["ask", "what does it say?", "-a"]).arg(&path);
    ask.run()
        .expect_code(1)
        .expect_stderr("agent-pdf, which is to lie beside this one");
}
