//! Projects: what is learnt in one work tree of git never comes up in another, or outside of any.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::server::{Asked, Server, anthropic, tool_call};
use super::world::{Home, LIGHT, Out, PASSPHRASE, Run, files_below};

/// What stands before a line that is typed in a chat.
const PROMPT: &str = "› ";
/// What stands for all that is said in the first project, and in the second.
const FIRST: &str = "Zanzibar";
const SECOND: &str = "Quillon";

/// A home with projects switched on, two repositories in it, and one more work tree of the first.
fn yard() -> Home {
    let home = Home::with_vault();
    let set = ["config", "set", "memory.by_project", "true"];
    home.agent(set).run().expect_code(0);
    for name in ["client-a", "client-b"] {
        fs::create_dir_all(home.path(name).join("papers/old")).unwrap();
        fs::create_dir_all(home.path(name).join(".git/worktrees/side")).unwrap();
        fs::write(home.path(name).join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    }
    fs::create_dir(home.path("side")).unwrap();
    let admin = home.path("client-a/.git/worktrees/side");
    fs::write(
        home.path("side/.git"),
        format!("gitdir: {}\n", admin.display()),
    )
    .unwrap();
    let back = format!("{}\n", home.path("side/.git").display());
    fs::write(admin.join("gitdir"), back).unwrap();
    home
}

fn there(mut run: Run, dir: impl AsRef<Path>) -> Run {
    run.command.current_dir(dir);
    run
}

fn ask(home: &Home, server: &Server, dir: &Path, args: &[&str]) -> Out {
    let run = server.anthropic(home.agent(["ask", "-m", "anthropic/scripted"]));
    let out = there(run.args(args), dir).run();
    out.expect_code(0);
    out
}

fn chat(home: &Home, server: &Server, dir: &Path, lines: &str) -> Out {
    let run = server.anthropic(home.agent(["chat", "-m", "anthropic/scripted"]));
    let out = there(run, dir).input(lines).run();
    out.expect_code(0);
    out
}

fn offline(home: &Home, dir: &Path, question: &str) -> String {
    let run = home.agent(["ask", "-m", "offline", question]);
    there(run, dir).run().expect_code(0).text()
}

fn learnt(text: &str) -> String {
    let update = json!({"key_facts": [text], "user_preferences": [], "past_outcomes": []});
    format!("Noted.\n<memory_update>{update}</memory_update>")
}

/// What a pass over a chat finds in its first message.
fn found(text: &str, quote: &str) -> String {
    let operation = json!({"op": "add", "kind": "fact", "text": text, "quote": quote,
        "message": "m1", "id": ""});
    json!({"operations": [operation]}).to_string()
}

/// Every way that there is to learn, used in a project.
fn teach(home: &Home, dir: &Path, marker: &str) {
    let remembered = json!({"key_facts": [format!("the {marker} hearing is in room nine")]});
    let talk = vec![
        anthropic(&[&learnt(&format!("my client is called {marker}"))]),
        tool_call("anthropic", "One moment.", "remember", &remembered),
        anthropic(&["Fine."]),
        anthropic(&["I see."]),
    ];
    let quote = format!("I keep the {marker} file in the red box");
    let passes = vec![anthropic(&[&found(&quote[2..], &quote)])];
    let server = Server::with_passes(talk, passes);
    let told = format!("my client is called {marker}");
    ask(home, &server, dir, &[&told]);
    let hearing = format!("the {marker} hearing is in room nine");
    ask(home, &server, dir, &[&hearing]);
    let given = format!("/remember the {marker} judge is strict\n{quote}\n");
    let out = chat(home, &server, dir, &given);
    out.expect_stderr("what is learnt here comes up here alone");
    out.expect_stderr(&format!("remembered: keep the {marker} file"));
}

/// What is asked wherever the words of a project might come up.
const QUESTIONS: [&str; 2] = [
    "what is my client called, and where is the file?",
    "in which room is the hearing, and who is the judge?",
];

fn bodies(server: &Server) -> Vec<Asked> {
    let mut all = server.asked();
    all.extend(server.passes());
    all
}

/// Asks in every way from a place where none of `hidden` may come up.
fn pry(home: &Home, dir: &Path, hidden: &[&str]) {
    let query = json!({"query": "client file box hearing judge room called"});
    let talk = vec![
        anthropic(&["I do not know."]),
        tool_call("anthropic", "", "recall", &query),
        anthropic(&["Nothing."]),
        anthropic(&["No idea."]),
        anthropic(&["Still none."]),
        anthropic(&["Nor now."]),
    ];
    let server = Server::new(talk);
    ask(home, &server, dir, &[QUESTIONS[0]]);
    ask(home, &server, dir, &["-c", QUESTIONS[1]]);
    ask(home, &server, dir, &["-n", "--with-memory", QUESTIONS[0]]);
    let lines = format!("/new\n{}\n/memory\n/why\n", QUESTIONS[0]);
    let talked = chat(home, &server, dir, &lines);
    ask(home, &server, dir, &["-c", QUESTIONS[1]]);
    let dry = ask(home, &server, dir, &["--dry-run", QUESTIONS[0]]);
    let extract = server.anthropic(home.agent(["memory", "extract"]));
    there(extract, dir).run().expect_code(0);
    let asked = bodies(&server);
    assert!(asked.len() >= 7, "{} requests", asked.len());
    let mut seen: Vec<String> = asked.iter().map(|asked| asked.body.to_string()).collect();
    seen.extend([talked.text(), talked.stderr.clone(), dry.text()]);
    seen.extend(QUESTIONS.map(|question| offline(home, dir, question)));
    for text in &seen {
        for hidden in hidden {
            assert!(
                !text.contains(hidden),
                "{hidden} in {}: {text}",
                dir.display()
            );
        }
    }
    // What is of no project comes up everywhere, and paths in no request.
    assert!(asked[0].system().contains("likes green tea"));
    for asked in &asked {
        let body = asked.body.to_string();
        assert!(
            !body.contains("client-") && !body.contains("/agent-"),
            "{body}"
        );
    }
}

#[test]
fn what_is_learnt_in_one_project_never_comes_up_in_another_or_outside() {
    let home = yard();
    let (a, b) = (home.path("client-a"), home.path("client-b"));
    let server = Server::new(vec![anthropic(&[&learnt("likes green tea")])]);
    ask(&home, &server, home.root(), &["I like green tea"]);
    teach(&home, &a, FIRST);
    let of_first = home.remembered().len();
    assert_eq!(of_first, 5, "{:?}", home.remembered());
    pry(&home, &b, &[FIRST]);
    pry(&home, home.root(), &[FIRST]);
    teach(&home, &b.join("papers"), SECOND);
    pry(&home, &a, &[SECOND]);
    pry(&home, home.root(), &[FIRST, SECOND]);
    assert_eq!(home.remembered().len(), 9);

    // Where it is at home it is all there, from any place in it.
    for dir in [a.clone(), a.join("papers/old"), home.path("side")] {
        let server = Server::new(vec![anthropic(&["Zanzibar it is."])]);
        ask(&home, &server, &dir, &[QUESTIONS[0]]);
        let system = server.asked()[0].system();
        for known in ["my client is called", "hearing", "red box", "judge"] {
            assert!(
                system.contains(known),
                "{known} in {}: {system}",
                dir.display()
            );
        }
        assert!(system.contains(FIRST) && !system.contains(SECOND));
        assert!(offline(&home, &dir, QUESTIONS[0]).contains(FIRST));
    }

    // Tidied, each request holds words of one project, and one change takes all of it back.
    let none = json!({"operations": []}).to_string();
    let tidy = Server::with_passes(vec![], vec![anthropic(&[&none]), anthropic(&[&none])]);
    let run = tidy.anthropic(home.agent(["memory", "consolidate", "-m", "anthropic/scripted"]));
    there(run, &b).run().expect_code(0);
    let asked: Vec<String> = tidy.passes().iter().map(|p| p.body.to_string()).collect();
    assert_eq!(asked.len(), 2);
    for body in &asked {
        assert!(body.contains(FIRST) != body.contains(SECOND), "{body}");
        assert!(!body.contains("green tea"));
    }
}

#[test]
fn what_is_owed_is_of_its_conversation_whoever_looks_through_it() {
    let home = yard();
    let server = Server::new(vec![anthropic(&["I see."])]);
    let run = server.anthropic(home.agent(["chat", "-m", "anthropic/scripted"]));
    let mut running = there(run, home.path("client-a")).start_open();
    running.say("I live in Zanzibar\n");
    running.stdout.wait_for("I see.");
    running.kill();
    let answers = vec![anthropic(&[&found(
        "lives in Zanzibar",
        "I live in Zanzibar",
    )])];
    let later = Server::with_passes(vec![], answers);
    let run = later.anthropic(home.agent(["memory", "extract"]));
    there(run, home.path("client-b")).run().expect_code(0);
    let items = home.json(["memory", "list"]);
    let root = items[0]["project"].as_str().unwrap();
    assert_eq!(
        Path::new(root),
        fs::canonicalize(home.path("client-a")).unwrap()
    );
    pry_after_tea(&home, "client-b");
}

/// The same questions, where something of no project is known first.
fn pry_after_tea(home: &Home, name: &str) {
    let add = ["memory", "add", "likes green tea", "--general"];
    home.agent(add).run().expect_code(0);
    pry(home, &home.path(name), &[FIRST]);
}

#[test]
fn a_conversation_goes_on_in_its_own_project_and_says_so() {
    let home = yard();
    let (a, b) = (home.path("client-a"), home.path("client-b"));
    teach(&home, &a, FIRST);
    let rows = home.json(["history", "list"]);
    let last = rows[0]["id"].as_str().unwrap().to_owned();
    // The last conversation is the last of the project.
    let server = Server::new(vec![
        anthropic(&["One."]),
        anthropic(&["Two."]),
        anthropic(&["Three."]),
    ]);
    let out = chat(&home, &server, &b, "hello\n");
    assert!(!out.stderr.contains("Continuing"), "{}", out.stderr);
    let named = ask(&home, &server, &b, &["--cid", &last, "and now?"]);
    named.expect_stderr("of the project client-a and goes on in it");
    assert!(server.asked()[1].body.to_string().contains(FIRST));
    let lines = format!("/continue {last}\nwhat now?\n/new\n");
    let turned = chat(&home, &server, &b, &lines);
    turned.expect_stderr("of the project client-a and goes on in it");
    turned.expect_stderr("Project client-b");
    assert!(server.asked()[2].body.to_string().contains(FIRST));
    let nothing = there(home.agent(["ask", "-c", "hello"]), home.root()).run();
    nothing.expect_code(1);
}

#[test]
fn a_person_sees_everything_and_one_project_on_demand() {
    let home = yard();
    let (a, b) = (home.path("client-a"), home.path("client-b"));
    let run = |dir: &PathBuf, args: &[&str]| {
        let out = there(home.agent(args), dir).run();
        out.expect_code(0);
        format!("{}{}", out.text(), out.stderr)
    };
    run(&a, &["memory", "add", "the Zanzibar claim is late"]);
    run(&b, &["memory", "add", "the Quillon claim is early"]);
    run(&b, &["memory", "add", "likes green tea", "--general"]);
    let root = home.root().to_owned();
    run(
        &root,
        &[
            "memory",
            "add",
            "the Zanzibar fee is paid",
            "--project=client-a",
        ],
    );
    run(&a, &["ask", "-m", "offline", "is the claim late?"]);
    let all = run(&b, &["memory", "list"]);
    assert!(all.contains("Zanzibar claim is late  [client-a]"), "{all}");
    assert!(all.contains("Quillon claim is early  [client-b]"));
    assert!(all.lines().any(|line| line.ends_with("likes green tea")));
    for (dir, filter) in [
        (&a, "--project"),
        (&b, "--project=client-a"),
        (&b, "--project=../side"),
    ] {
        let listed = run(dir, &["memory", "list", filter]);
        assert_eq!(listed.lines().count(), 2, "{filter}: {listed}");
        assert!(listed.contains("late") && listed.contains("paid"));
        let hits = run(dir, &["search", "claim", filter]);
        assert!(
            hits.contains("Zanzibar") && hits.contains("is the claim late?"),
            "{hits}"
        );
        assert!(!hits.contains("Quillon") && hits.contains("[client-a]"));
        assert_eq!(run(dir, &["history", "list", filter]).lines().count(), 1);
    }
    assert!(run(&a, &["search", "claim"]).contains("Quillon"));
    let none = run(&b, &["history", "list", "--project"]);
    assert!(none.contains("No conversations of this project yet."));
    let unknown = home.agent(["memory", "list", "--project=client-z"]).run();
    unknown.expect_code(2).expect_stderr("client-z");

    // An item moves, and what was moved is undone like any change.
    let items = home.json(["memory", "list", "--project=client-a"]);
    let id = items[1]["id"].as_str().unwrap();
    run(&a, &["memory", "edit", id, "--general"]);
    assert!(offline(&home, &b, "is the fee paid?").contains("Zanzibar fee"));
    run(&a, &["memory", "undo"]);
    assert!(!offline(&home, &b, "is the fee paid?").contains("Zanzibar fee"));
    run(
        &b,
        &["memory", "edit", id, "the Zanzibar fee is due", "--project"],
    );
    assert!(offline(&home, &b, "is the fee due?").contains("Zanzibar fee is due"));
    assert!(!offline(&home, &a, "is the fee due or paid?").contains("fee is due"));

    // Out of an export and into another vault, all of it is where it was.
    let export = home.path("all.jsonl");
    let file = export.to_str().unwrap();
    run(&root, &["export", "-o", file]);
    let other = ["--state-dir".into(), home.path("other")];
    let init = home.agent(["init"]).args(LIGHT).args(&other).run();
    init.expect_code(0);
    home.agent(["import", file])
        .args(&other)
        .run()
        .expect_code(0);
    let listed = |args: &[PathBuf]| {
        let list = home.agent(["memory", "list", "--json"]).args(args);
        list.run().expect_code(0).json()
    };
    assert_eq!(listed(&other), listed(&[]));
    let asked = there(
        home.agent(["ask", "-m", "offline", "is the claim late?"]),
        &b,
    );
    let answer = asked.args(&other).run();
    assert!(!answer.expect_code(0).text().contains("Zanzibar claim"));
    for format in ["json", "markdown", "html"] {
        let to = home.path(format);
        run(
            &root,
            &["export", "--format", format, "-o", to.to_str().unwrap()],
        );
        let text = fs::read_to_string(&to).unwrap();
        assert!(
            text.contains("client-a") && text.contains("client-b"),
            "{format}"
        );
    }

    // Sealed, nobody reads whose clients these are.
    for path in files_below(&home.path("data")) {
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("client-"), "{}", path.display());
    }
}

#[test]
fn a_run_may_be_told_otherwise_than_the_settings() {
    let home = yard();
    let a = home.path("client-a");
    let add = ["memory", "add", "the Zanzibar claim is late"];
    there(home.agent(add), &a).run().expect_code(0);
    let question = "is the claim late?";
    let answer = |args: &[&str], dir: &Path| {
        let run = home.agent(["ask", "-m", "offline", question]).args(args);
        there(run, dir).run().expect_code(0).text()
    };
    assert!(answer(&[], &a).contains(FIRST));
    assert!(!answer(&["--no-project"], &a).contains(FIRST));
    // Switched off, what was learnt in a project stays there.
    let unset = ["config", "unset", "memory.by_project"];
    home.agent(unset).run().expect_code(0);
    assert!(!answer(&[], &a).contains(FIRST));
    assert!(answer(&["--project"], &a).contains(FIRST));
    let nowhere = there(home.agent(["ask", "--project", question]), home.root()).run();
    nowhere.expect_code(2).expect_stderr("no git work tree");
    // A stranger's directory that says it belongs to the project does not.
    let stranger = home.path("unpacked");
    fs::create_dir(&stranger).unwrap();
    fs::copy(home.path("side/.git"), stranger.join(".git")).unwrap();
    assert!(answer(&["--project"], &home.path("side")).contains(FIRST));
    assert!(!answer(&["--project"], &stranger).contains(FIRST));
}

#[test]
fn after_a_lock_a_chat_goes_on_in_its_project() {
    use super::terminal::Terminal;
    let home = yard();
    let run = there(home.bare(["chat", "-m", "offline"]), home.path("client-a"));
    let mut terminal = Terminal::start(run);
    terminal.wait_for("assphrase");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for("Project client-a");
    terminal.wait_for(PROMPT);
    terminal.type_line("/lock");
    terminal.wait_for("Locked. Passphrase:");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for(PROMPT);
    terminal.type_line("/remember the Zanzibar claim is late");
    terminal.wait_for("remembered: the Zanzibar claim is late");
    terminal.wait_for(PROMPT);
    terminal.type_line("is the claim late?");
    terminal.wait_for("the Zanzibar claim is late");
    terminal.wait_for(PROMPT);
    terminal.type_line("/quit");
    assert!(terminal.end().success());
    for listed in [
        home.json(["memory", "list"]),
        home.json(["history", "list"]),
    ] {
        assert!(listed[0]["project"].is_string(), "{listed}");
    }
}
