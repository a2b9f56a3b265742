//! What makes a program people live in: the first minutes, roles, profiles, numbers, pages.

use std::fs;

use super::server::{Say, Server, anthropic, status};
use super::terminal::Terminal;
use super::world::{Home, LIGHT, PASSPHRASE, files_below};

const PROMPT: &str = "› ";

#[test]
fn the_first_minutes_make_up_a_passphrase_seal_a_key_and_answer() {
    let home = Home::new();
    let server = Server::new(vec![anthropic(&["Welcome."])]);
    // Nothing is configured but where Anthropic's server is: the key is asked for.
    let url = format!("http://127.0.0.1:{}", server.port);
    let run = home
        .bare(Vec::<&str>::new())
        .env("ANTHROPIC_BASE_URL", &url);
    let mut terminal = Terminal::start(run);
    terminal.wait_for("Make one now? [Y/n]");
    terminal.press("\r");
    terminal.wait_for("if it is lost");
    terminal.wait_for("New passphrase: ");
    terminal.press("\r");
    terminal.wait_for("Make one up for you? [Y/n]");
    terminal.press("\r");
    terminal.wait_for("Write it down now");
    let screen = terminal.screen();
    let drawn = screen
        .lines()
        .rev()
        .find(|line| line.starts_with("    "))
        .unwrap();
    let drawn = drawn.trim().to_owned();
    assert_eq!(drawn.split(' ').count(), 4, "{screen}");
    terminal.wait_for("Type it back");
    terminal.type_line("not it");
    terminal.wait_for("That is not it.");
    terminal.wait_for("Type it back");
    terminal.type_line(&drawn);
    terminal.wait_for("Who shall answer?");
    terminal.press("a");
    terminal.wait_for("API key for anthropic");
    terminal.type_line("ключ");
    terminal.wait_for("visible ASCII");
    terminal.wait_for("API key for anthropic");
    terminal.type_line("sk-ant-first");
    terminal.wait_for("Sealed the key for anthropic.");
    terminal.wait_for("with the key sealed in the vault");
    terminal.wait_for(PROMPT);
    terminal.type_line("hello");
    terminal.wait_for("Welcome.");
    terminal.wait_for(PROMPT);
    terminal.press("\u{4}");
    assert!(!terminal.sent().contains("sk-ant-first"));
    assert_eq!(terminal.end().code(), Some(0));
    assert!(server.asked()[0].head.contains("sk-ant-first"));
    for file in files_below(home.root()) {
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("sk-ant-first") && !text.contains(&drawn));
    }
}

#[test]
fn ctrl_c_and_a_closed_terminal_in_the_first_minutes_leave_a_vault_that_opens() {
    let home = Home::new();
    let start = |home: &Home| {
        let mut terminal = Terminal::start(home.bare(["chat"]).env("AGENT_PASSPHRASE", PASSPHRASE));
        terminal.wait_for("Make one now? [Y/n]");
        terminal
    };
    start(&home).hang_up();
    assert!(!home.path("data").exists());
    let mut terminal = start(&home);
    terminal.press("y");
    terminal.wait_for("no model for now: ");
    terminal.press("\u{3}");
    assert_eq!(terminal.end().code(), Some(130));
    let run = home.bare(["chat"]).env("AGENT_PASSPHRASE", PASSPHRASE);
    let mut terminal = Terminal::start(run);
    terminal.wait_for("Talking to offline");
    terminal.wait_for(PROMPT);
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_role_is_kept_sealed_and_talked_under() {
    let home = Home::with_vault();
    let add = home.agent(["roles", "add", "pirate", "Speak", "like a pirate."]);
    add.run().expect_code(0);
    let piped = home
        .agent(["roles", "add", "short"])
        .input("In one line.\n");
    piped.run().expect_code(0);
    for name in ["", "two words", "-x"] {
        let out = home.agent(["roles", "add", "--", name, "x"]).run();
        out.expect_code(1).expect_stderr("a role's name");
    }
    home.agent(["roles", "add", "empty"]).run().expect_code(1);
    let roles = home.json(["roles", "list"]);
    assert_eq!(roles[0]["name"], "pirate");
    assert_eq!(roles[1]["prompt"], "In one line.");
    let shown = home.agent(["roles", "show", "short"]).run();
    assert_eq!(shown.expect_code(0).text(), "In one line.\n");
    let server = Server::new(vec![anthropic(&["Arr."]), anthropic(&["Yes."])]);
    let ask = server.anthropic(home.agent(["ask", "-r", "pirate", "hello"]));
    ask.run().expect_code(0);
    assert!(server.asked()[0].system().contains("Speak like a pirate."));
    let wrong = home.agent(["ask", "-r", "nobody", "hello"]).run();
    wrong
        .expect_code(1)
        .expect_stderr("no role is called nobody");
    home.agent(["roles", "edit", "short"])
        .input("In two.")
        .run()
        .expect_code(0);
    home.agent(["roles", "remove", "pirate"])
        .run()
        .expect_code(0);
    let roles = home.json(["roles", "list"]);
    assert_eq!(roles.as_array().unwrap().len(), 1);
    assert_eq!(roles[0]["prompt"], "In two.");
    // In the chat, by name; and sealed on the disk.
    let run = home.bare(["chat"]).env("AGENT_PASSPHRASE", PASSPHRASE);
    let mut terminal = Terminal::start(server.anthropic(run));
    terminal.wait_for(PROMPT);
    terminal.type_line("/role");
    terminal.wait_for("In two.");
    terminal.wait_for(PROMPT);
    terminal.type_line("/role short");
    terminal.wait_for("Talking as short.");
    terminal.wait_for(PROMPT);
    terminal.type_line("hello");
    terminal.wait_for("Yes.");
    terminal.wait_for(PROMPT);
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(server.asked()[1].system().contains("In two."));
    for file in files_below(&home.state_dir()) {
        let bytes = fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("pirate"));
    }
    // It outlives a new key, and goes with an export.
    let rekey = home.agent(["rekey"]).args(LIGHT);
    rekey
        .env("AGENT_NEW_PASSPHRASE", PASSPHRASE)
        .run()
        .expect_code(0);
    let out = home.agent(["export", "--force"]).run();
    assert!(out.expect_code(0).text().contains("In two."));
    home.agent(["roles", "show", "short"]).run().expect_code(0);
}

#[test]
fn profiles_are_vaults_with_passphrases_of_their_own() {
    let home = Home::with_vault();
    let other = |args: &[&str]| {
        home.agent(args)
            .env("AGENT_PASSPHRASE", "another one entirely")
    };
    other(&["profile", "create", "work"])
        .args(LIGHT)
        .run()
        .expect_code(0);
    other(&["--profile", "work", "memory", "add", "a secret of work"])
        .run()
        .expect_code(0);
    home.agent(["--profile", "work", "memory", "list"])
        .run()
        .expect_code(12);
    assert!(home.remembered().is_empty());
    let list = home.agent(["profile", "list"]).run().expect_code(0).text();
    let names: Vec<&str> = list
        .lines()
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["* default", "  work"].map(|n| n.split("  ").next().unwrap())
    );
    let rows = home.json(["profile", "list"]);
    assert_eq!(
        (&rows[0]["current"], &rows[1]["name"]),
        (&true.into(), &"work".into())
    );
    other(&["profile", "create", "work"])
        .args(LIGHT)
        .run()
        .expect_code(1);
    home.agent(["profile", "create", "../x"])
        .run()
        .expect_code(2);

    home.agent(["profile", "remove", "nobody", "--yes"])
        .run()
        .expect_code(10);
    home.agent(["profile", "remove", "work"])
        .run()
        .expect_code(1);
    let stranger = home.path("data/agent/work/mine.txt");
    fs::write(&stranger, "kept").unwrap();
    let out = home.agent(["profile", "remove", "work", "--yes"]).run();
    out.expect_code(1).expect_stderr("holds more than a vault");
    fs::remove_file(&stranger).unwrap();
    let mut terminal = Terminal::start(home.bare(["profile", "remove", "work"]));
    terminal.wait_for("Type work to remove it: ");
    terminal.type_line("wrok");
    terminal.wait_for("nothing was removed");
    assert_eq!(terminal.end().code(), Some(1));
    let mut terminal = Terminal::start(home.bare(["profile", "remove", "work"]));
    terminal.wait_for("Type work to remove it: ");
    terminal.type_line("worx\u{7f}k");
    terminal.wait_for("Removed the profile work.");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(!home.path("data/agent/work").exists());
    assert!(home.state_dir().exists());
}

#[test]
fn numbers_are_told_drawn_and_written_as_a_page() {
    let home = Home::with_vault();
    let empty = home.agent(["stats"]).run().expect_code(0).text();
    assert!(
        empty.starts_with("0 messages in 0 conversations"),
        "{empty}"
    );
    fs::create_dir_all(home.path("config/agent")).unwrap();
    let prices = "[models.\"anthropic/priced<b>\"]\ninput = 1000\noutput = 10000\n";
    fs::write(home.path("config/agent/prices.toml"), prices).unwrap();
    let server = Server::new(vec![anthropic(&["one"]), anthropic(&["two"])]);
    for model in ["anthropic/priced<b>", "anthropic/unknown"] {
        let ask =
            server.anthropic(home.agent(["ask", "remember that I like secrets", "-m", model]));
        ask.run().expect_code(0);
    }
    home.agent(["memory", "add", "a cat"]).run().expect_code(0);
    let stats = home.json(["stats"]);
    assert_eq!(stats["total"]["messages"], 4);
    assert_eq!(stats["total"]["input_tokens"], 22);
    assert_eq!(stats["total"]["cost"], 0.081);
    assert_eq!(stats["total"]["unpriced"], 1);
    assert_eq!(stats["models"][0]["name"], "anthropic/priced<b>");
    assert_eq!(
        stats["conversations"][0]["title"],
        "remember that I like secrets"
    );
    assert_eq!(stats["days"].as_array().unwrap().len(), 1);
    let told = home.agent(["stats"]).run().expect_code(0).text();
    assert!(
        told.contains("4 messages in 2 conversations") && told.contains('█'),
        "{told}"
    );
    assert!(
        told.contains("$0.081 and 1 answers without a known price"),
        "{told}"
    );
    let plain = home.agent(["stats", "--plain"]).run().expect_code(0).text();
    assert!(
        !plain.contains('█') && plain.contains("Messages a day"),
        "{plain}"
    );

    home.agent(["stats", "--html", "-o", "page.html"])
        .run()
        .expect_code(0);
    let page = fs::read_to_string(home.path("page.html")).unwrap();
    assert!(
        page.contains("<svg") && page.contains("anthropic/priced&lt;b&gt;"),
        "{page}"
    );
    assert!(
        page.contains("default-src 'none'") && !page.contains("<script"),
        "{page}"
    );
    assert!(!page.contains("secrets"), "no word of a conversation");
    let again = home.agent(["stats", "--html", "-o", "page.html"]).run();
    again.expect_code(1).expect_stderr("nothing is overwritten");
    let mut terminal = Terminal::start(home.bare(["stats"]).env("AGENT_PASSPHRASE", PASSPHRASE));
    terminal.wait_for("(prices of");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn doctor_sees_wrong_keys_unreachable_servers_and_unknown_models() {
    let home = Home::with_vault();
    let doctor = || home.agent(["doctor"]);
    doctor().run().expect_code(0);
    let refused = r#"{"type":"error","error":{"type":"authentication_error","message":"no"}}"#;
    let models = r#"{"data":[{"id":"claude-small","type":"model"}],"has_more":false}"#;
    let server = Server::new(vec![
        status("401 Unauthorized", refused),
        status("200 OK", models),
        status("200 OK", models),
    ]);
    let out = server.anthropic(doctor()).run().expect_code(0).text();
    assert!(out.contains("agent keys set NAME"), "{out}");
    let set = home.agent(["config", "set", "model", "anthropic/claude-smal"]);
    set.run().expect_code(0);
    let out = server.anthropic(doctor()).run().expect_code(0).text();
    assert!(
        out.contains("anthropic does not list the model claude-smal"),
        "{out}"
    );
    assert!(
        out.contains("the nearest is anthropic/claude-small"),
        "{out}"
    );
    let set = home.agent(["config", "set", "model", "anthropic/claude-small"]);
    set.run().expect_code(0);
    let out = server.anthropic(doctor()).run().expect_code(0).text();
    assert!(!out.contains("claude-small"), "{out}");
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let gone = doctor().env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{port}"));
    let out = gone
        .env("ANTHROPIC_API_KEY", "k")
        .run()
        .expect_code(0)
        .text();
    assert!(out.contains("start the server"), "{out}");
    let out = doctor().run().expect_code(0).text();
    assert!(out.contains("seal a key with agent keys set"), "{out}");
}

#[test]
fn manual_pages_and_completions_are_printed_without_a_vault() {
    let home = Home::new();
    let page = home.agent(["man"]).run().expect_code(0).text();
    assert!(page.contains(".TH agent 1"), "{page}");
    fs::create_dir(home.path("pages")).unwrap();
    home.agent(["man", "pages"]).run().expect_code(0);
    assert!(home.path("pages/agent-memory-browse.1").exists());
    for shell in ["bash", "zsh", "fish"] {
        let script = home
            .agent(["completions", shell])
            .run()
            .expect_code(0)
            .text();
        assert!(script.contains("AGENT_COMPLETE"), "{shell}");
    }
}

#[test]
fn colours_follow_the_option_the_variable_and_the_terminal() {
    let home = Home::with_vault();
    let coloured = |args: &[&str], env: &[(&str, &str)]| {
        let server = Server::new(vec![Say::Pieces(match anthropic(&["**bold**"]) {
            Say::Pieces(pieces) | Say::Hang(pieces) | Say::Wait(pieces, ..) => pieces,
        })]);
        let mut run = home
            .bare(["ask", "hello"])
            .args(args)
            .env("AGENT_PASSPHRASE", PASSPHRASE);
        for (name, value) in env {
            run = run.env(name, value);
        }
        let mut terminal = Terminal::start(server.anthropic(run));
        terminal.wait_for("bold");
        let view = terminal.wait_until(|screen| screen.contains("bold"));
        let sent = terminal.sent();
        assert_eq!(terminal.end().code(), Some(0));
        (sent.contains("\u{1b}[1mbold"), view.contains("**"))
    };
    assert_eq!(coloured(&[], &[]), (true, false));
    assert_eq!(coloured(&["--color", "never"], &[]), (false, false));
    assert_eq!(coloured(&[], &[("NO_COLOR", "1")]), (false, false));
    assert_eq!(
        coloured(&["--color", "always"], &[("NO_COLOR", "1")]),
        (true, false)
    );
    assert_eq!(
        coloured(&["--plain", "--color", "always"], &[]),
        (false, true)
    );
    assert_eq!(coloured(&[], &[("AGENT_PLAIN", "1")]), (false, true));
    assert_eq!(coloured(&[], &[("TERM", "dumb")]), (false, true));
    assert_eq!(coloured(&["--no-markdown"], &[]), (false, true));
}
