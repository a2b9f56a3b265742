//! The commands of a chat, and the line they are typed in.

use std::fs;

use serde_json::Value;

use super::server::{Say, Server, anthropic, anthropic_start};
use super::terminal::Terminal;
use super::world::{Home, PASSPHRASE, files_below};

const PROMPT: &str = "› ";

fn chat(home: &Home, server: &Server, args: &[&str]) -> Terminal {
    chat_with(home, server, args, &[])
}

fn chat_with(home: &Home, server: &Server, args: &[&str], env: &[(&str, &str)]) -> Terminal {
    home.learns_nothing_at_the_end();
    let mut run = home
        .bare(["chat"])
        .args(args)
        .env("AGENT_PASSPHRASE", PASSPHRASE);
    for (name, value) in env {
        run = run.env(name, value);
    }
    let mut terminal = Terminal::start(server.anthropic(run));
    terminal.wait_for(PROMPT);
    terminal
}

/// Types a line, waits for what it brings, and for the next prompt.
fn say(terminal: &mut Terminal, line: &str, brings: &str) {
    terminal.type_line(line);
    terminal.wait_for(brings);
    terminal.wait_for(PROMPT);
}

fn leave(mut terminal: Terminal) {
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));
}

fn answers(texts: &[&str]) -> Server {
    Server::new(texts.iter().map(|text| anthropic(&[text])).collect())
}

#[test]
fn help_shows_every_command_and_one_alone() {
    let home = Home::with_vault();
    let server = answers(&[]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("/help");
    for name in [
        "/help",
        "/model",
        "/system",
        "/memory",
        "/remember",
        "/forget",
        "/undo",
        "/why",
        "/search",
        "/new",
        "/continue",
        "/fork",
        "/title",
        "/incognito",
        "/attach",
        "/cost",
        "/export",
        "/edit",
        "/clear",
        "/quit",
    ] {
        terminal.wait_for(name);
    }
    terminal.wait_for(PROMPT);
    say(
        &mut terminal,
        "/help fork",
        "begins with this one's messages",
    );
    say(&mut terminal, "/forget", "the command /forget needs ID");
    leave(terminal);
}

#[test]
fn a_change_of_memory_is_taken_back_and_then_the_one_before() {
    let home = Home::with_vault();
    let server = answers(&[]);
    let mut terminal = chat(&home, &server, &[]);
    say(&mut terminal, "/undo", "nothing was changed in memory");
    say(
        &mut terminal,
        "/remember the sky is blue",
        "remembered: the sky is blue",
    );
    say(
        &mut terminal,
        "/remember grass is green",
        "remembered: grass is green",
    );
    say(&mut terminal, "/memory SKY", "the sky is blue");
    say(
        &mut terminal,
        "/memory purple",
        "Nothing that is remembered holds these words.",
    );
    say(&mut terminal, "/undo", "taken back: grass is green");
    assert_eq!(home.remembered(), ["the sky is blue"]);
    say(&mut terminal, "/undo", "taken back: the sky is blue");
    say(&mut terminal, "/undo", "nothing was changed in memory");
    leave(terminal);
    assert!(home.remembered().is_empty());
}

#[test]
fn a_search_in_the_chat_finds_and_opens_a_hit() {
    let home = Home::with_vault();
    let server = answers(&["Lisbon is lovely.", "Noted."]);
    let mut terminal = chat(&home, &server, &[]);
    say(
        &mut terminal,
        "my sister lives in Lisbon",
        "Lisbon is lovely.",
    );
    say(&mut terminal, "/new", "A new conversation.");
    say(&mut terminal, "something else", "Noted.");
    say(
        &mut terminal,
        "/search lisbon --role user",
        "my sister lives in Lisbon",
    );
    say(&mut terminal, "/show 1", "▸ you");
    assert!(
        terminal.screen().contains("Lisbon is lovely."),
        "{}",
        terminal.screen()
    );
    say(&mut terminal, "/show 9", "the last search has no hit");
    say(&mut terminal, "/search zebra", "Nothing was found.");
    say(
        &mut terminal,
        "/continue sister",
        "Continuing the conversation of",
    );
    leave(terminal);
}

#[test]
fn a_fork_goes_its_own_way_under_its_own_title() {
    let home = Home::with_vault();
    let server = answers(&["one", "two", "three"]);
    let mut terminal = chat(&home, &server, &[]);
    say(&mut terminal, "/fork", "nothing has been said");
    say(&mut terminal, "first line", "one");
    say(&mut terminal, "/title The trunk", "titled");
    say(&mut terminal, "/fork", "begins with the messages");
    say(&mut terminal, "second line", "two");
    say(&mut terminal, "/title A branch", "titled");
    say(&mut terminal, "/continue", "The trunk");
    say(&mut terminal, "/continue trunk", "Continuing");
    say(&mut terminal, "third line", "three");
    leave(terminal);
    let said: Vec<Vec<String>> = server
        .asked()
        .iter()
        .map(|asked| asked.messages().into_iter().map(|(_, text)| text).collect())
        .collect();
    assert_eq!(said[1], ["first line", "one", "second line"]);
    assert_eq!(said[2], ["first line", "one", "third line"]);
    let list = home.json(["history", "list"]);
    let titles: Vec<&str> = list.as_array().unwrap().iter().map(title).collect();
    assert_eq!(titles, ["The trunk", "A branch"]);
}

fn title(row: &Value) -> &str {
    row["title"].as_str().unwrap()
}

#[test]
fn a_while_incognito_leaves_nothing_in_the_vault() {
    let home = Home::with_vault();
    let server = answers(&["one", "two", "three"]);
    let mut terminal = chat(&home, &server, &[]);
    say(&mut terminal, "/remember I like tea", "remembered");
    say(&mut terminal, "said openly", "one");
    say(&mut terminal, "/incognito", "nothing from here on is kept");
    say(&mut terminal, "said in secret", "two");
    say(&mut terminal, "/incognito", "Back in the vault");
    say(&mut terminal, "said openly again", "three");
    leave(terminal);
    let asked = server.asked();
    assert_eq!(asked[1].messages().len(), 1);
    assert!(!asked[1].system().contains("I like tea"));
    assert_eq!(asked[2].messages().len(), 3);
    let found = home.json(["search", "secret"]);
    assert_eq!(found, Value::Array(Vec::new()));
}

#[test]
fn a_system_prompt_and_the_usual_one_again() {
    let home = Home::with_vault();
    let server = answers(&["one", "two"]);
    let mut terminal = chat(&home, &server, &[]);
    say(&mut terminal, "/system", "The usual system prompt");
    say(
        &mut terminal,
        "/system Speak like a pirate.",
        "from here on",
    );
    say(&mut terminal, "hello", "one");
    say(&mut terminal, "/system", "Speak like a pirate.");
    say(
        &mut terminal,
        "/system off",
        "The usual system prompt from here on",
    );
    say(&mut terminal, "hello", "two");
    leave(terminal);
    let asked = server.asked();
    assert!(asked[0].system().contains("pirate") && !asked[1].system().contains("pirate"));
}

#[test]
fn a_text_and_a_picture_go_with_the_next_message_and_stay_in_the_conversation() {
    let home = Home::with_vault();
    fs::write(home.path("notes.txt"), "three apples\n").unwrap();
    fs::write(home.path("dot.png"), b"\x89PNG\r\n\x1a\n123").unwrap();
    fs::write(home.path("paper.pdf"), b"%PDF-1.7").unwrap();
    let server = answers(&["seen", "still seen"]);
    let mut terminal = chat(&home, &server, &[]);
    say(
        &mut terminal,
        "/attach notes.txt",
        "notes.txt goes with your next message",
    );
    say(&mut terminal, "/attach dot.png", "dot.png goes with");
    say(&mut terminal, "/attach paper.pdf", "cannot be attached");
    say(&mut terminal, "/attach nowhere", "cannot be opened");
    say(&mut terminal, "what is this?", "seen");
    say(&mut terminal, "and now?", "still seen");
    leave(terminal);
    for asked in server.asked() {
        let content = &asked.body["messages"][0]["content"];
        assert_eq!(content[0]["source"]["data"], "iVBORw0KGgoxMjM=");
        assert_eq!(content[0]["source"]["media_type"], "image/png");
        let text = content[1]["text"].as_str().unwrap();
        assert!(
            text.contains("[file notes.txt]\nthree apples\n[end of file]"),
            "{text}"
        );
    }
    home.agent(["verify"]).run().expect_code(0);
}

#[test]
fn a_message_is_written_in_the_editor_and_never_lies_on_a_disk() {
    let home = Home::with_vault();
    let server = answers(&["read"]);
    // The editor tells where its file lies, and leaves a copy beside it.
    let script = home.path("editor.sh");
    let body = "#!/bin/sh\necho \"$1\" > \"$HOME/where\"\nstat -f -c %T \"$1\" > \"$HOME/kind\"\n\
                cp \"$1\" \"$1~\"\nenv > \"$HOME/seen\"\nprintf 'written in\\nthe editor\\n' >> \"$1\"\n";
    fs::write(&script, body).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let editor = script.to_str().unwrap().to_owned();
    let mut terminal = chat_with(&home, &server, &[], &[("EDITOR", &editor)]);
    say(&mut terminal, "!edit begun: ", "read");
    leave(terminal);
    assert_eq!(
        server.asked()[0].messages()[0].1,
        "begun:written in\nthe editor"
    );
    let place = fs::read_to_string(home.path("where")).unwrap();
    let dir = std::path::Path::new(place.trim()).parent().unwrap();
    assert!(!dir.exists(), "{place}");
    assert_eq!(fs::read_to_string(home.path("kind")).unwrap(), "tmpfs\n");
    let seen = fs::read_to_string(home.path("seen")).unwrap();
    assert!(!seen.contains(PASSPHRASE) && !seen.contains("sk-ant-test"));
    for file in files_below(home.root()) {
        let holds = fs::read(&file).unwrap();
        let holds = String::from_utf8_lossy(&holds).into_owned();
        assert!(
            file == script || !holds.contains("the editor"),
            "{}",
            file.display()
        );
    }
}

#[test]
fn an_editor_that_fails_sends_nothing() {
    let home = Home::with_vault();
    let server = answers(&[]);
    let mut terminal = chat_with(&home, &server, &[], &[("EDITOR", "false")]);
    say(
        &mut terminal,
        "/edit",
        "the editor false cannot be run, or failed",
    );
    leave(terminal);
    assert!(server.asked().is_empty());
}

#[test]
fn a_conversation_is_written_out_for_its_owner_over_nothing() {
    let home = Home::with_vault();
    let server = answers(&["# not a *title*"]);
    let mut terminal = chat(&home, &server, &[]);
    say(&mut terminal, "/export out.md", "nothing has been said");
    say(&mut terminal, "hello there", "tokens in");
    say(&mut terminal, "/export out.md", "in clear");
    say(&mut terminal, "/export out.md", "nothing is overwritten");
    leave(terminal);
    let text = fs::read_to_string(home.path("out.md")).unwrap();
    assert!(
        text.contains("hello there") && text.contains("# not a *title*"),
        "{text}"
    );
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(home.path("out.md"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_a_conversation_cost_is_told() {
    let home = Home::with_vault();
    fs::create_dir_all(home.path("config/agent")).unwrap();
    let prices = "[models.\"anthropic/priced\"]\ninput = 1000\noutput = 10000\n";
    fs::write(home.path("config/agent/prices.toml"), prices).unwrap();
    let server = answers(&["one"]);
    let mut terminal = chat(&home, &server, &["-m", "anthropic/priced"]);
    terminal.type_line("hello");
    // 11 tokens in and 7 out, as the server counts them.
    terminal.wait_for("11 tokens in, 7 out · $0.081");
    terminal.wait_for(PROMPT);
    say(
        &mut terminal,
        "/cost",
        "This month: 2 messages, 11 tokens in, 7 out, $0.081",
    );
    leave(terminal);
}

#[test]
fn a_large_request_and_a_spent_month_are_asked_about() {
    let home = Home::with_vault();
    for (key, value) in [("large_request_tokens", "50"), ("monthly_limit", "0")] {
        home.agent(["config", "set", key, value])
            .run()
            .expect_code(0);
    }
    let server = answers(&["one"]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line(&"many words ".repeat(60));
    terminal.wait_for("This request has about");
    terminal.wait_for("Send it? [y/N]");
    terminal.press("n");
    terminal.wait_for("not sent; what you said is kept");
    terminal.wait_for(PROMPT);
    assert!(server.asked().is_empty());
    terminal.type_line("go on");
    terminal.wait_for("Send it? [y/N]");
    terminal.press("y");
    terminal.wait_for("This month has cost $0.00 so far; the limit is $0.00.");
    terminal.wait_for("Send it? [y/N]");
    terminal.press("y");
    terminal.wait_for("one");
    terminal.wait_for(PROMPT);
    leave(terminal);
}

#[test]
fn a_line_goes_on_after_a_backslash_alt_enter_and_between_quotes() {
    let home = Home::with_vault();
    let server = answers(&["one", "two", "three"]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.press("first\\\rsecond");
    say(&mut terminal, "", "one");
    terminal.press("first\u{1b}\rsecond\nthird");
    say(&mut terminal, "", "two");
    terminal.press("\"\"\"\rfirst\rsecond\r");
    say(&mut terminal, "\"\"\"", "three");
    leave(terminal);
    let asked = server.asked();
    let last = |n: usize| asked[n].messages().pop().unwrap().1;
    assert_eq!(last(0), "first\nsecond");
    assert_eq!(last(1), "first\nsecond\nthird");
    assert_eq!(last(2), "first\nsecond");
}

#[test]
fn what_was_typed_is_found_again_out_of_the_vault_and_names_are_completed() {
    let home = Home::with_vault();
    let server = answers(&["one", "two"]);
    let mut terminal = chat(&home, &server, &[]);
    say(&mut terminal, "the walrus sings", "one");
    leave(terminal);
    let mut terminal = chat(&home, &server, &["--new"]);
    terminal.press("\u{12}walr");
    terminal.wait_for("the walrus sings");
    say(&mut terminal, "", "two");
    say(&mut terminal, "/remember a walrus has tusks", "remembered");
    terminal.press("/incog\t");
    terminal.wait_for("/incognito");
    terminal.press("\u{15}/forget \t");
    terminal.press("\t");
    say(&mut terminal, "", "forgotten");
    leave(terminal);
    assert_eq!(server.asked()[1].messages()[0].1, "the walrus sings");
    assert!(home.remembered().is_empty());
}

#[test]
fn replies_are_drawn_as_markdown_unless_they_are_not_to_be() {
    let home = Home::with_vault();
    let reply = "## Fruit\n\n- an **apple**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
    let server = answers(&[reply, reply, reply]);
    let mut terminal = chat(&home, &server, &["--color", "always"]);
    say(&mut terminal, "draw", "tokens in");
    let screen = terminal.screen();
    assert!(
        screen.contains("1 │ 2") && screen.contains("• an apple") && !screen.contains("**"),
        "{screen}"
    );
    assert!(terminal.sent().contains("\u{1b}[1mapple\u{1b}[0m"));
    leave(terminal);
    for option in ["--no-markdown", "--plain"] {
        let mut terminal = chat(&home, &server, &[option]);
        say(&mut terminal, "do not draw", "| 1 | 2 |");
        assert!(terminal.screen().contains("- an **apple**"));
        leave(terminal);
    }
}

#[test]
fn something_turns_while_nothing_comes_but_not_for_a_screen_reader() {
    let home = Home::with_vault();
    let hang = || Say::Hang(Vec::new());
    let late = Say::Hang(anthropic_start(&["so it goes"]));
    let server = Server::new(vec![hang(), late]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("hello");
    terminal.wait_for("⣾");
    terminal.press("\u{3}");
    terminal.wait_for(PROMPT);
    assert!(!terminal.screen().contains('⣾'), "{}", terminal.screen());
    leave(terminal);
    let mut terminal = chat(&home, &server, &["--plain"]);
    terminal.type_line("hello");
    terminal.wait_for("so it goes");
    terminal.press("\u{3}");
    terminal.wait_for(PROMPT);
    assert!(!terminal.sent().contains("⣾"));
    leave(terminal);
}

#[test]
fn narrow_and_wide_terminals_are_filled_and_a_resize_is_noticed() {
    let home = Home::with_vault();
    let words = "word ".repeat(60);
    let server = answers(&[&words, &words]);
    let run = home.bare(["chat"]).env("AGENT_PASSPHRASE", PASSPHRASE);
    let mut terminal = Terminal::start_sized(server.anthropic(run), (50, 40));
    terminal.wait_for(PROMPT);
    terminal.type_line("many");
    terminal.wait_for("word");
    terminal.wait_for(PROMPT);
    let longest = |screen: &str| {
        let lines = screen.lines().filter(|line| line.starts_with("word"));
        lines.map(|line| line.trim_end().len()).max().unwrap()
    };
    assert_eq!(longest(&terminal.screen()), 39);
    terminal.resize((50, 200));
    terminal.type_line("many more");
    terminal
        .wait_until(|screen| screen.matches(PROMPT.trim()).count() >= 3 && longest(screen) == 99);
    leave(terminal);
}

#[test]
fn a_summary_stands_for_what_is_compacted_and_the_words_can_still_be_found() {
    let home = Home::with_vault();
    let set = home.agent(["config", "set", "window_messages", "8"]);
    set.run().expect_code(0);
    let summary = "The person's cat is called Mirabelle.";
    let script = ["One.", "Two.", "Three.", summary, "Four."].map(|text| anthropic(&[text]));
    let server = Server::new(script.into());
    let mut terminal = chat(&home, &server, &[]);
    say(&mut terminal, "/compact", "there is nothing to summarise");
    say(&mut terminal, "my cat is called Mirabelle", "One.");
    say(&mut terminal, "it is grey", "Two.");
    say(&mut terminal, "and old", "Three.");
    let done = "a summary stands for 2 earlier messages now; all stay searchable";
    say(&mut terminal, "/compact", done);
    say(&mut terminal, "/compact", "there is nothing to summarise");
    say(&mut terminal, "what is it called?", "Four.");
    leave(terminal);
    let asked = server.asked();
    assert_eq!(asked.len(), 5);
    let shown = asked[3].messages()[0].1.clone();
    assert!(
        shown.contains("my cat is called Mirabelle") && !shown.contains("it is grey"),
        "{shown}"
    );
    assert!(asked[4].system().contains("Summary of the earlier part"));
    assert!(asked[4].system().contains("cat is called Mirabelle."));
    let sent: Vec<String> = asked[4]
        .messages()
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(
        sent,
        [
            "it is grey",
            "Two.",
            "and old",
            "Three.",
            "what is it called?"
        ]
    );
    let hits = home.json(["search", "Mirabelle", "--in", "messages"]);
    assert_eq!(hits[0]["text"], "my cat is called Mirabelle");
    let id = home.json(["history", "list"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        home.json(["history", "show", &id])
            .as_array()
            .unwrap()
            .len(),
        8
    );
}
