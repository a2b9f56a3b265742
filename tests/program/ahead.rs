//! What is typed while a reply streams: it waits for the prompt and spoils nothing.

use super::chatting::{PROMPT, chat, leave};
use super::server::{Say, Server, anthropic, anthropic_in_two, anthropic_start};
use super::terminal::Terminal;
use super::world::{Home, PASSPHRASE};

/// What was said last, in each request.
fn said(server: &Server) -> Vec<String> {
    let asked = server.asked();
    let last = asked.iter().map(|asked| asked.messages().pop().unwrap().1);
    last.collect()
}

#[test]
fn lines_and_a_paste_are_the_next_messages_and_not_in_the_reply() {
    let home = Home::with_vault();
    let (first, go_on) = anthropic_in_two("Once upon", " a time.");
    let rest = ["The second.", "The third.", "The fourth.", "The fifth."];
    let rest = rest.iter().map(|text| anthropic(&[text]));
    let server = Server::new([first].into_iter().chain(rest).collect());
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("tell me a story");
    terminal.wait_for("Once upon");
    terminal.type_line("and then?");
    terminal.type_line("who was it\u{7f}\u{7f}he?");
    // The terminal says which is pasted, as it does at the prompt.
    terminal.press("\u{1b}[200~one line\rand another\u{1b}[201~\r");
    terminal.press("of two\nlines");
    go_on.send(()).unwrap();
    terminal.wait_for("The fourth.");
    terminal.wait_for("› of two");
    terminal.press("\r");
    terminal.wait_for("The fifth.");
    terminal.wait_for(PROMPT);
    let screen = terminal.screen();
    assert!(screen.contains("\nOnce upon a time.\n"), "{screen}");
    leave(terminal);
    let lines = [
        "and then?",
        "who was he?",
        "one line\nand another",
        "of two\nlines",
    ];
    assert_eq!(said(&server)[1..], lines);
}

#[test]
fn a_paste_is_marked_while_a_reply_streams() {
    let home = Home::with_vault();
    let server = Server::new(vec![Say::Hang(anthropic_start(&["Once upon"]))]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("tell me a story");
    terminal.wait_for("Once upon");
    assert!(terminal.cells().bracketed_paste());
    terminal.press("\u{3}");
    terminal.wait_for(PROMPT);
    terminal.press("\u{4}");
    terminal.wait_for("\u{1b}[?2004l");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn ctrl_c_stops_the_reply_and_keeps_what_was_typed() {
    let home = Home::with_vault();
    let hang = Say::Hang(anthropic_start(&["Once upon"]));
    let server = Server::new(vec![hang, anthropic(&["The end."])]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("tell me a story");
    terminal.wait_for("Once upon");
    terminal.press("half a \u{3}");
    terminal.wait_for("(stopped; what came is kept)");
    terminal.wait_for("half a ");
    terminal.type_line("line");
    terminal.wait_for("The end.");
    terminal.wait_for(PROMPT);
    assert!(!terminal.screen().contains("^C"), "{}", terminal.screen());
    leave(terminal);
    assert_eq!(said(&server)[1], "half a line");
}

#[test]
fn what_was_typed_ahead_answers_no_question() {
    let home = Home::with_vault();
    let large = ["config", "set", "large_request_tokens", "50"];
    home.agent(large).run().expect_code(0);
    let (first, go_on) = anthropic_in_two("Once upon", " a time.");
    let server = Server::new(vec![first, anthropic(&["Yes."])]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("tell me a story");
    terminal.wait_for("Once upon");
    terminal.type_line(&"many words ".repeat(60));
    terminal.type_line("yes");
    go_on.send(()).unwrap();
    terminal.wait_for("Send it? [y/N] ");
    terminal.press("n");
    terminal.wait_for("not sent; what you said is kept");
    // It was the next line.
    terminal.wait_for("Send it? [y/N] ");
    terminal.press("y");
    terminal.wait_for("Yes.");
    terminal.wait_for(PROMPT);
    leave(terminal);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].body["messages"].to_string().contains("\"yes\""));
}

#[test]
fn after_a_lock_nothing_that_was_typed_before_is_said() {
    let home = Home::with_vault();
    let (first, go_on) = anthropic_in_two("Once upon", " a time.");
    let server = Server::new(vec![first, anthropic(&["Yes."])]);
    let mut terminal = chat(&home, &server, &[]);
    terminal.type_line("tell me a story");
    terminal.wait_for("Once upon");
    terminal.type_line("/lock");
    terminal.type_line(PASSPHRASE);
    go_on.send(()).unwrap();
    terminal.wait_for("Locked. Passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for(PROMPT);
    terminal.type_line("go on");
    terminal.wait_for("Yes.");
    terminal.wait_for(PROMPT);
    assert!(!terminal.sent().contains(PASSPHRASE));
    leave(terminal);
    assert_eq!(said(&server)[1..], ["go on"]);
}

#[test]
fn the_terminal_is_left_as_it_was_found() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["Hello."])]);
    home.learns_nothing_at_the_end();
    let script = "stty -a; \"$@\"; stty -a; echo all of it";
    let chat = home.bare_shell(script, &["chat"]);
    let chat = server.anthropic(chat.env("AGENT_PASSPHRASE", PASSPHRASE));
    let mut terminal = Terminal::start(chat);
    terminal.wait_for(PROMPT);
    terminal.type_line("hello");
    terminal.wait_for("Hello.");
    terminal.wait_for(PROMPT);
    terminal.press("\u{4}");
    terminal.wait_for("all of it");
    let sent = terminal.sent();
    let modes = |part: &str| part.split_once("-parenb").unwrap().1.to_owned();
    let first = modes(sent.split("speed ").nth(1).unwrap());
    let (first, _) = first.split_once("echoke").unwrap();
    let last = modes(sent.split("speed ").nth(2).unwrap());
    let (last, _) = last.split_once("echoke").unwrap();
    assert_eq!(first, last);
    assert!(
        first.contains(" icrnl ") && first.contains(" icanon "),
        "{first}"
    );
    terminal.end();
}
