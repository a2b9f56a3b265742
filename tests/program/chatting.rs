//! `agent chat` on a terminal, as a person has it.

use std::fs::{self, File};

use super::server::{Say, Server, anthropic, anthropic_start};
use super::terminal::Terminal;
use super::world::{Home, PASSPHRASE, files_below};

pub const PROMPT: &str = "› ";

/// A chat with a scripted server, at its first prompt.
pub fn chat(home: &Home, server: &Server, args: &[&str]) -> Terminal {
    home.learns_nothing_at_the_end();
    let run = home
        .bare(["chat"])
        .args(args)
        .env("AGENT_PASSPHRASE", PASSPHRASE);
    let mut terminal = Terminal::start(server.anthropic(run));
    terminal.wait_for(PROMPT);
    terminal
}

pub fn leave(mut terminal: Terminal) {
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));
}

fn messages(home: &Home) -> serde_json::Value {
    let list = home.json(["history", "list"]);
    home.json(["history", "show", list[0]["id"].as_str().unwrap()])
}

#[test]
fn the_first_start_makes_a_vault_and_goes_on_to_the_chat() {
    let home = Home::new();
    let mut terminal = Terminal::start(home.bare(Vec::<&str>::new()));
    terminal.wait_for("Make one now? [Y/n]");
    terminal.press("y");
    terminal.wait_for("New passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for("Strength: ");
    terminal.wait_for("Once more: ");
    terminal.type_line("something else");
    terminal.wait_for("The two differ");
    terminal.wait_for("New passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for("Once more: ");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for("Who shall answer?");
    terminal.press("\r");
    terminal.wait_for("Talking to offline");
    terminal.wait_for(PROMPT);
    terminal.type_line("remember that my cat is called Mirabelle");
    terminal.wait_for("I shall keep that as a fact");
    terminal.wait_for("(remembered: my cat is called Mirabelle)");
    terminal.wait_for(PROMPT);
    terminal.type_line("what is my cat called?");
    terminal.wait_for("Here is what I have about that");
    terminal.wait_for("Mirabelle");
    terminal.wait_for(PROMPT);
    terminal.type_line("/quit");
    let sent = terminal.sent();
    assert!(!sent.contains(PASSPHRASE), "the passphrase is not shown");
    assert_eq!(terminal.end().code(), Some(0));

    // No file but the vault, the witness and what the test put there; nothing typed in any.
    for file in home.files() {
        let below = file.strip_prefix(home.root()).unwrap().to_str().unwrap();
        let ours = ["data/agent/", "state/agent/", "passphrase"];
        assert!(ours.iter().any(|start| below.starts_with(start)), "{below}");
        let text = fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("Mirabelle"));
    }
}

#[test]
fn the_offer_of_a_vault_can_be_declined() {
    let home = Home::new();
    let mut terminal = Terminal::start(home.bare(["chat"]));
    terminal.wait_for("Make one now? [Y/n]");
    terminal.press("n");
    terminal.wait_for("there is no");
    assert_eq!(terminal.end().code(), Some(10));
    assert!(!home.path("data").exists());
}

#[test]
fn a_weak_passphrase_is_warned_about() {
    let home = Home::new();
    let mut terminal = Terminal::start(home.bare(["init"]).args(super::world::LIGHT));
    terminal.wait_for("New passphrase: ");
    terminal.type_line("");
    terminal.wait_for("Make one up for you? [Y/n]");
    terminal.press("n");
    terminal.wait_for("New passphrase: ");
    terminal.type_line("password");
    terminal.wait_for("very weak");
    terminal.wait_for("Use it even so? [y/N]");
    terminal.press("y");
    terminal.wait_for("Once more: ");
    terminal.type_line("password");
    terminal.wait_for("Made a vault");
    assert_eq!(terminal.end().code(), Some(0));
    let list = home.agent(["memory", "list"]);
    list.env("AGENT_PASSPHRASE", "password")
        .run()
        .expect_code(0);
}

#[test]
fn interrupting_a_question_leaves_everything_as_it_was() {
    let home = Home::with_vault();
    let mut terminal = Terminal::start(home.bare(["chat"]));
    terminal.wait_for("Passphrase: ");
    terminal.press("corr\u{3}");
    terminal.wait_for("interrupted");
    assert_eq!(terminal.end().code(), Some(130));

    let new = Home::new();
    let mut terminal = Terminal::start(new.bare(["init"]));
    terminal.wait_for("New passphrase: ");
    terminal.press("\u{3}");
    assert_eq!(terminal.end().code(), Some(130));
    assert!(!new.state_dir().join("vault.header").exists());
}

#[test]
fn the_passphrase_is_asked_on_the_terminal_when_input_is_piped() {
    let home = Home::with_vault();
    let script = "echo remember that the sky is blue | \"$@\"";
    let mut terminal = Terminal::start(home.bare_shell(script, &["ask"]));
    terminal.wait_for("Passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for("I shall keep that as a fact");
    assert!(!terminal.sent().contains(PASSPHRASE));
    assert_eq!(terminal.end().code(), Some(0));
    assert_eq!(home.remembered(), ["the sky is blue"]);
}

#[test]
fn it_greets_answers_and_goes_on_where_it_was() {
    let home = Home::with_vault();
    let replies = ["Hello to you.", "Still here.", "A new one."];
    let server = Server::new(replies.iter().map(|text| anthropic(&[text])).collect());
    let mut terminal = chat(&home, &server, &[]);
    assert!(terminal.screen().contains("Talking to anthropic/"));
    terminal.type_line("good morning");
    terminal.wait_for("Hello to you.");
    terminal.wait_for(PROMPT);
    leave(terminal);

    let mut terminal = chat(&home, &server, &[]);
    let screen = terminal.screen();
    assert!(
        screen.contains("Continuing the conversation of"),
        "{screen}"
    );
    assert!(screen.contains("last: “Hello to you.”"), "{screen}");
    terminal.type_line("are you there?");
    terminal.wait_for("Still here.");
    terminal.wait_for(PROMPT);
    // What was typed before is offered, out of the vault.
    terminal.press("\u{1b}[A\u{1b}[A");
    terminal.wait_for("good morning");
    terminal.press("\u{15}");
    terminal.type_line("/new");
    terminal.wait_for("A new conversation.");
    terminal.wait_for(PROMPT);
    terminal.type_line("again");
    terminal.wait_for("A new one.");
    terminal.wait_for(PROMPT);
    leave(terminal);
    let said: Vec<usize> = server.asked().iter().map(|a| a.messages().len()).collect();
    assert_eq!(said, [1, 3, 1]);
}

#[test]
fn its_commands_do_what_help_says() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["Answered."])]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("/help");
    for command in ["/model", "/memory", "/forget", "/lock", "/quit"] {
        terminal.wait_for(command);
    }
    terminal.wait_for(PROMPT);
    terminal.type_line("/remember the sky is blue");
    terminal.wait_for("remembered: the sky is blue");
    terminal.wait_for(PROMPT);
    terminal.type_line("/memory");
    terminal.wait_for("the sky is blue\r\n");
    terminal.wait_for(PROMPT);
    terminal.type_line("/memroy");
    terminal.wait_for("Did you mean /memory?");
    terminal.wait_for(PROMPT);
    terminal.type_line("/model offline");
    terminal.wait_for("\r\noffline\r\n");
    terminal.wait_for(PROMPT);
    terminal.type_line("/model nobody/nothing");
    terminal.wait_for("no provider is named");
    terminal.wait_for(PROMPT);
    terminal.type_line("/model anthropic/other");
    terminal.wait_for("anthropic/other at 127.0.0.1");
    terminal.wait_for(PROMPT);
    terminal.type_line("what now?");
    terminal.wait_for("Answered.");
    terminal.wait_for(PROMPT);
    terminal.type_line("/why");
    terminal.wait_for("1 message of this conversation");
    terminal.wait_for(PROMPT);
    let id = home.json(["memory", "list"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    terminal.type_line("/forget zzz");
    terminal.wait_for("no item's id begins with zzz");
    terminal.wait_for(PROMPT);
    terminal.type_line(&format!("/forget {id}"));
    terminal.wait_for("forgotten; the bytes stay until purged");
    terminal.wait_for(PROMPT);
    terminal.type_line("/memory");
    terminal.wait_for("Nothing is remembered yet.");
    terminal.wait_for(PROMPT);
    terminal.type_line("/quit");
    assert_eq!(terminal.end().code(), Some(0));
    assert_eq!(server.asked()[0].body["model"], "other");
    assert_eq!(server.asked().len(), 1, "a command is never sent");
    assert!(home.remembered().is_empty());
}

#[test]
fn a_pasted_text_of_several_lines_is_one_message() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["Read."])]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.press("\u{1b}[200~first pasted\rsecond pasted\u{1b}[201~");
    terminal.wait_for("second pasted");
    terminal.press("\r");
    terminal.wait_for("Read.");
    terminal.wait_for(PROMPT);
    leave(terminal);
    assert_eq!(
        server.asked()[0].messages()[0].1,
        "first pasted\nsecond pasted"
    );
}

#[test]
fn a_second_window_has_a_conversation_of_its_own() {
    let home = Home::with_vault();
    let replies = ["one", "two", "three"];
    let server = Server::new(replies.iter().map(|text| anthropic(&[text])).collect());
    let mut first = chat(&home, &server, &[]);
    first.type_line("in the first window");
    first.wait_for("one");
    first.wait_for(PROMPT);
    let mut second = chat(&home, &server, &[]);
    assert!(
        second.screen().contains("open in another window"),
        "{}",
        second.screen()
    );
    second.type_line("in the second window");
    second.wait_for("two");
    second.wait_for(PROMPT);
    // A window that was killed holds nothing any more.
    drop(second);
    drop(first);
    let mut third = chat(&home, &server, &[]);
    assert!(
        third.screen().contains("Continuing the conversation"),
        "{}",
        third.screen()
    );
    third.type_line("in the third window");
    third.wait_for("three");
    third.wait_for(PROMPT);
    leave(third);
    let said: Vec<usize> = server.asked().iter().map(|a| a.messages().len()).collect();
    assert_eq!(said, [1, 1, 3]);
    assert_eq!(server.asked()[2].messages()[0].1, "in the second window");
    let structure = home.agent(["verify", "--structure", "--json"]).run();
    assert_eq!(
        structure.expect_code(0).json()["findings"],
        serde_json::json!([])
    );
}

#[test]
fn a_chat_goes_on_with_the_new_passphrase_when_another_process_has_rekeyed() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["one"]), anthropic(&["two"])]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("first line");
    terminal.wait_for("one");
    terminal.wait_for(PROMPT);
    let rekey = home.agent(["rekey"]).args(super::world::LIGHT);
    rekey
        .env("AGENT_NEW_PASSPHRASE", "quite another")
        .run()
        .expect_code(0);
    terminal.type_line("second line");
    terminal.wait_for("Another process has changed the vault's keys.");
    terminal.wait_for("Passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for("That is not it.");
    terminal.wait_for("Passphrase: ");
    terminal.type_line("quite another");
    terminal.wait_for("two");
    terminal.wait_for(PROMPT);
    leave(terminal);
    let said: Vec<usize> = server.asked().iter().map(|a| a.messages().len()).collect();
    assert_eq!(said, [1, 3]);
    let list = home.agent(["history", "list"]);
    list.run().expect_code(12);
    let list = home.agent(["history", "list", "--json"]);
    let list = list.env("AGENT_PASSPHRASE", "quite another").run();
    assert_eq!(list.expect_code(0).json()[0]["messages"], 4);
}

#[test]
fn incognito_needs_no_vault_and_leaves_no_trace() {
    let home = Home::new();
    let before = home.files();
    let server = Server::new(vec![anthropic(&["one"]), anthropic(&["two"])]);
    let run = home.bare(["chat", "-n"]);
    let mut terminal = Terminal::start(server.anthropic(run));
    terminal.wait_for("Incognito");
    terminal.wait_for(PROMPT);
    terminal.type_line("first line");
    terminal.wait_for("one");
    terminal.wait_for(PROMPT);
    terminal.type_line("second line");
    terminal.wait_for("two");
    terminal.wait_for(PROMPT);
    leave(terminal);
    assert_eq!(
        server.asked()[1].messages().len(),
        3,
        "it is a conversation all the same"
    );
    assert_eq!(home.files(), before);
}

#[test]
fn a_terminal_that_goes_away_ends_the_chat_and_keeps_what_was_said() {
    let home = Home::with_vault();
    let server = Server::new(vec![Say::Hang(Vec::new())]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("keep this line");
    server.wait_for(1);
    terminal.hang_up();
    assert_eq!(messages(&home)[0]["content"][0]["text"], "keep this line");
    home.agent(["verify"]).run().expect_code(0);
}

#[test]
fn ctrl_c_stops_a_reply_and_keeps_it_and_the_chat_goes_on() {
    let home = Home::with_vault();
    let stopped = Say::Hang(anthropic_start(&["Once upon a time"]));
    let server = Server::new(vec![stopped, anthropic(&["The end."])]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("tell me a story");
    terminal.wait_for("Once upon a time");
    terminal.press("\u{3}");
    terminal.wait_for("(stopped; what came is kept)");
    terminal.wait_for(PROMPT);
    terminal.type_line("finish it");
    terminal.wait_for("The end.");
    terminal.wait_for(PROMPT);
    leave(terminal);
    let kept = messages(&home);
    assert_eq!(kept[1]["content"][0]["text"], "Once upon a time");
    assert_eq!(kept[1]["stop"], "interrupted");
    assert_eq!(kept[3]["content"][0]["text"], "The end.");
}

#[test]
fn ctrl_c_twice_at_the_prompt_leaves() {
    let home = Home::with_vault();
    let server = Server::new(Vec::new());
    let mut terminal = chat(&home, &server, &[]);
    terminal.press("half a line\u{3}");
    terminal.wait_for("Ctrl-C again");
    terminal.wait_for(PROMPT);
    terminal.press("\u{3}");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(server.asked().is_empty());
}

#[test]
fn a_server_that_fails_is_not_the_end_of_the_chat() {
    let home = Home::with_vault();
    let server = Server::new(vec![
        super::server::status("400 Bad Request", r#"{"error":{"message":"too odd"}}"#),
        anthropic(&["Better."]),
    ]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("first try");
    terminal.wait_for("refused the request (status 400)");
    terminal.wait_for(PROMPT);
    terminal.type_line("second try");
    terminal.wait_for("Better.");
    terminal.wait_for(PROMPT);
    leave(terminal);
    assert_eq!(messages(&home).as_array().unwrap().len(), 3);
}

#[test]
fn what_another_process_adds_is_told_in_one_line_and_used() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["one"]), anthropic(&["two"])]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("first line");
    terminal.wait_for("one");
    terminal.wait_for(PROMPT);
    terminal.press("half typed");
    terminal.wait_for("half typed");
    home.agent(["memory", "add", "the sky is\nblue"])
        .run()
        .expect_code(0);
    terminal.wait_for("(another process: remembered: the sky is blue)");
    terminal.wait_for("half typed");
    terminal.type_line(" line");
    terminal.wait_for("two");
    terminal.wait_for(PROMPT);
    leave(terminal);
    let asked = server.asked();
    assert!(asked[1].system().contains("the sky is blue"));
    assert_eq!(asked[1].messages()[2].1, "half typed line");
    let other = home.agent(["ask", "what elsewhere is said", "-m", "offline"]);
    other.run().expect_code(0);
}

#[test]
fn a_lock_wipes_the_screen_and_asks_for_the_passphrase_again() {
    let home = Home::with_vault();
    let server = Server::new(vec![
        anthropic(&["a secret reply"]),
        anthropic(&["back again"]),
    ]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("a secret line");
    terminal.wait_for("a secret reply");
    terminal.wait_for(PROMPT);
    terminal.type_line("/lock");
    terminal.wait_for("Locked. Passphrase: ");
    let screen = terminal.screen();
    assert!(!screen.contains("secret"), "{screen}");
    terminal.type_line("not it");
    terminal.wait_for("That is not it.");
    terminal.wait_for("Locked. Passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for(PROMPT);
    terminal.type_line("and now?");
    terminal.wait_for("back again");
    terminal.wait_for(PROMPT);
    leave(terminal);
    let said: Vec<usize> = server.asked().iter().map(|a| a.messages().len()).collect();
    assert_eq!(said, [1, 3], "it goes on where it was");
}

#[test]
fn a_redirected_output_holds_the_answers_only() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["just this"])]);
    let file = home.path("answers");
    let run = home.bare(["chat"]).env("AGENT_PASSPHRASE", PASSPHRASE);
    let output = File::create(&file).unwrap();
    let mut terminal = Terminal::start_with_output(server.anthropic(run), Some(output));
    terminal.wait_for(PROMPT);
    terminal.type_line("hello");
    server.wait_for(1);
    terminal.wait_for(PROMPT);
    leave(terminal);
    assert_eq!(fs::read_to_string(file).unwrap(), "just this\n");
}

#[test]
fn what_acts_on_a_terminal_never_reaches_it_from_a_model() {
    let home = Home::with_vault();
    let hostile = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}visible";
    let server = Server::new(vec![anthropic(&[hostile])]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("hello");
    terminal.wait_for("visible");
    let sent = terminal.sent();
    assert!(sent.contains("]0;owned2Jvisible"), "{sent:?}");
    assert!(!sent.contains("\u{1b}]0;") && !sent.contains('\u{9b}') && !sent.contains('\u{202e}'));
    terminal.wait_for(PROMPT);
    leave(terminal);
}

#[test]
fn a_recovery_code_opens_the_vault() {
    let home = Home::new();
    let run = home.agent(["init", "--json", "--with-recovery-code"]);
    let made = run.args(super::world::LIGHT).run().expect_code(0).json();
    let code = made["recovery_code"].as_str().unwrap();
    let mut terminal = Terminal::start(home.bare(["memory", "add", "one", "--recovery-code"]));
    terminal.wait_for("Recovery code: ");
    terminal.type_line(code);
    terminal.wait_for("remembered");
    assert!(!terminal.sent().contains(code));
    assert_eq!(terminal.end().code(), Some(0));
    let mut terminal = Terminal::start(home.bare(["memory", "list", "--recovery-code"]));
    terminal.wait_for("Recovery code: ");
    terminal.type_line("nonsense");
    terminal.wait_for("agent: ");
    assert_eq!(terminal.end().code(), Some(12));
    assert_eq!(home.remembered(), ["one"]);
    for command in [&["memory", "list"][..], &["unlock"]] {
        let wrong = home.agent(command).env("AGENT_PASSPHRASE", "not it");
        let out = wrong.run();
        out.expect_code(12).expect_stderr("--recovery-code");
    }
}

/// A host that is not this machine, reached through a proxy that is a server of the test: nothing
/// ever leaves, and what would have left is seen.
fn remote(run: super::world::Run, proxy: &Server) -> super::world::Run {
    let url = format!("http://127.0.0.1:{}", proxy.port);
    run.env("HTTPS_PROXY", url)
        .env("ANTHROPIC_BASE_URL", "https://192.0.2.1")
        .env("ANTHROPIC_API_KEY", "sk-ant-test")
}

#[test]
fn before_words_go_to_another_host_the_person_is_asked() {
    let home = Home::with_vault();
    let refused = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let says = || Say::Pieces(vec![refused.to_owned()]);
    let proxy = Server::new((0..9).map(|_| says()).collect());
    let run = home.bare(["chat"]).env("AGENT_PASSPHRASE", PASSPHRASE);
    let mut terminal = Terminal::start(remote(run, &proxy));
    terminal.wait_for("at 192.0.2.1");
    terminal.wait_for(PROMPT);
    terminal.type_line("hello");
    terminal.wait_for("192.0.2.1 gets what you write");
    terminal.wait_for("[y/N]");
    terminal.press("n");
    terminal.wait_for("without consent");
    terminal.wait_for(PROMPT);
    assert!(proxy.asked().is_empty(), "nothing was sent");
    assert_eq!(home.json(["history", "list"]).as_array().unwrap().len(), 0);
    terminal.type_line("hello again");
    terminal.wait_for("[y/N]");
    terminal.press("y");
    terminal.wait_for("agent: ");
    let asked = proxy.wait_for(1);
    assert!(
        asked[0].line.starts_with("CONNECT 192.0.2.1:443"),
        "{}",
        asked[0].line
    );
    terminal.wait_for(PROMPT);
    leave(terminal);
    // The answer is kept in the vault.
    let script = remote(home.agent(["ask", "hello"]), &proxy).run();
    script.expect_code(20);
}

#[test]
fn a_script_sends_to_another_host_only_if_it_names_the_model_or_says_yes() {
    let home = Home::with_vault();
    let refused = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let says = || Say::Pieces(vec![refused.to_owned()]);
    let proxy = Server::new((0..12).map(|_| says()).collect());
    let out = remote(home.agent(["ask", "hello"]), &proxy).run();
    out.expect_code(1)
        .expect_stderr("192.0.2.1")
        .expect_stderr("hint: say --yes");
    assert!(proxy.asked().is_empty(), "nothing was sent");
    assert_eq!(home.json(["history", "list"]).as_array().unwrap().len(), 0);
    for option in [&["-m", "anthropic/some"][..], &["--yes"]] {
        let before = proxy.asked().len();
        let out = remote(home.agent(["ask", "hello"]).args(option), &proxy).run();
        out.expect_code(20)
            .expect_stderr("note: this goes to 192.0.2.1");
        let asked = proxy.asked();
        assert!(asked.len() > before);
        assert!(asked.iter().all(|a| !a.head.contains("sk-ant-test")));
    }
    let files = files_below(&home.path("tmp"));
    assert!(files.is_empty(), "{files:?}");
}
