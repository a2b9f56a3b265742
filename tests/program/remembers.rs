//! What is said in one process is known in the next, whoever answers.

use rustix::process::Signal;
use serde_json::Value;

use super::server::{Say, Server, anthropic, anthropic_start, anthropic_stopped, ollama, openai};
use super::world::{Home, Run};

const LEARNT: &str = r#"<memory_update>{"key_facts":["my cat is called Mirabelle"],"user_preferences":[],"past_outcomes":[]}</memory_update>"#;

/// A text in pieces of `length` characters.
fn split(text: &str, length: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(length).map(|c| c.iter().collect()).collect()
}

fn borrowed(pieces: &[String]) -> Vec<&str> {
    pieces.iter().map(String::as_str).collect()
}

/// The messages of the only conversation.
fn transcript(home: &Home) -> Vec<Value> {
    let list = home.json(["history", "list"]);
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let id = list[0]["id"].as_str().unwrap();
    let shown = home.json(["history", "show", id]);
    shown.as_array().unwrap().clone()
}

fn text(message: &Value) -> &str {
    message["content"][0]["text"].as_str().unwrap_or_default()
}

#[test]
fn offline_remembers_across_processes() {
    let home = Home::with_vault();
    let told = home
        .agent(["ask", "remember that my cat is called Mirabelle"])
        .run();
    told.expect_code(0);
    let asked = home.agent(["ask", "what is my cat called?"]).run();
    asked.expect_code(0);
    assert!(asked.text().contains("Mirabelle"), "{}", asked.text());
    assert_eq!(home.remembered(), ["my cat is called Mirabelle"]);
}

/// Tells a server's model something, and looks at what a second process sends.
fn learns_from(say: fn(&[&str]) -> Say, at: fn(&Server, Run) -> Run) {
    let home = Home::with_vault();
    let pieces = split(&format!("Noted, a fine name.\n{LEARNT}"), 3);
    let server = Server::new(vec![
        say(&borrowed(&pieces)),
        say(&["Mirabelle, of course."]),
    ]);
    let first = at(&server, home.agent(["ask", "my cat is called Mirabelle"])).run();
    first.expect_code(0);
    assert_eq!(first.text().trim_end(), "Noted, a fine name.");
    first.expect_stderr("my cat is called Mirabelle");
    assert!(!first.stderr.contains("memory_update"));

    let second = at(&server, home.agent(["ask", "what is my cat called?"])).run();
    second.expect_code(0);
    assert_eq!(second.text(), "Mirabelle, of course.\n");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(!asked[0].system().contains("Mirabelle"));
    assert!(asked[1].system().contains("my cat is called Mirabelle"));
    let said = [("user".to_owned(), "what is my cat called?".to_owned())];
    assert_eq!(asked[1].messages(), said, "a new conversation");
}

#[test]
fn what_claude_learns_is_hidden_and_goes_into_the_next_request() {
    learns_from(anthropic, |server, run| {
        server.anthropic(run).args(["-m", "anthropic/scripted"])
    });
}

#[test]
fn what_a_chat_completions_model_learns_is_hidden_and_goes_into_the_next_request() {
    learns_from(openai, Server::openai);
}

#[test]
fn what_an_ollama_model_learns_is_hidden_and_goes_into_the_next_request() {
    learns_from(ollama, Server::ollama);
}

#[test]
fn a_conversation_goes_on_by_c_by_cid_and_by_name() {
    let home = Home::with_vault();
    let replies = ["one", "two", "three", "four", "five", "six"];
    let server = Server::new(replies.iter().map(|text| anthropic(&[text])).collect());
    let ask = |args: &[&str]| {
        let out = server
            .anthropic(home.agent(["ask", "--json"]).args(args))
            .run();
        let id = out.expect_code(0).json()["conversation"].clone();
        id.as_str().unwrap().to_owned()
    };
    let first = ask(&["first line"]);
    assert_eq!(ask(&["-c", "second line"]), first);
    let named = ask(&["-s", "garden", "third line"]);
    assert_ne!(named, first);
    assert_eq!(ask(&["--cid", &first, "fourth line"]), first);
    assert_eq!(ask(&["-s", "garden", "fifth line"]), named);
    assert_ne!(ask(&["sixth line"]), first);

    let said = |at: usize| -> Vec<String> {
        let messages = server.asked()[at].messages();
        messages.into_iter().map(|(_, text)| text).collect()
    };
    assert_eq!(said(1), ["first line", "one", "second line"]);
    assert_eq!(
        said(3),
        ["first line", "one", "second line", "two", "fourth line"]
    );
    assert_eq!(said(4), ["third line", "three", "fifth line"]);
    assert_eq!(said(5), ["sixth line"]);
    let unknown = home.agent(["ask", "--cid", "zzzz", "hello"]).run();
    unknown.expect_code(1).expect_stderr("zzzz");
}

#[test]
fn there_is_nothing_to_continue_in_a_new_vault() {
    let home = Home::with_vault();
    let out = home.agent(["ask", "-c", "hello"]).run();
    out.expect_code(1).expect_stderr("hint:");
}

#[test]
fn a_line_is_kept_before_the_model_is_asked() {
    let home = Home::with_vault();
    let server = Server::new(vec![Say::Hang(Vec::new())]);
    let running = server
        .anthropic(home.agent(["ask", "keep this line"]))
        .start();
    server.wait_for(1);
    running.kill();
    let kept = transcript(&home);
    assert_eq!(kept.len(), 1);
    assert_eq!(text(&kept[0]), "keep this line");
}

#[test]
fn a_reply_that_is_interrupted_is_kept_and_marked_and_teaches_nothing() {
    let home = Home::with_vault();
    let start = anthropic_start(&["a beginning", LEARNT]);
    let server = Server::new(vec![Say::Hang(start)]);
    let run = home.agent(["ask", "my cat is called Mirabelle"]);
    let mut running = server.anthropic(run).start();
    running.stdout.wait_for("a beginning");
    running.signal(Signal::INT);
    let out = running.end();
    out.expect_code(130).expect_stderr("interrupted");
    let kept = transcript(&home);
    assert_eq!(text(&kept[1]), "a beginning");
    assert_eq!(kept[1]["stop"], "interrupted");
    assert!(home.remembered().is_empty());
    let list = home.json(["history", "list"]);
    let shown = home
        .agent(["history", "show", list[0]["id"].as_str().unwrap()])
        .run();
    assert!(shown.text().contains("(incomplete)"), "{}", shown.text());
}

#[test]
fn a_reply_that_is_cut_is_kept_and_marked_and_teaches_nothing() {
    let home = Home::with_vault();
    let start = anthropic_start(&["a beginning", LEARNT]);
    let server = Server::new(vec![Say::Pieces(start)]);
    let run = home.agent(["ask", "my cat is called Mirabelle"]);
    let out = server.anthropic(run).run();
    out.expect_code(20).expect_stderr("cut off");
    assert_eq!(out.text(), "a beginning\n");
    let kept = transcript(&home);
    assert_eq!(text(&kept[1]), "a beginning");
    assert_eq!(kept[1]["stop"], "cut");
    assert!(home.remembered().is_empty());
}

#[test]
fn a_reply_that_was_refused_or_too_long_is_kept_and_marked_and_teaches_nothing() {
    for (reason, stop) in [("refusal", "refused"), ("max_tokens", "length")] {
        let home = Home::with_vault();
        let say = anthropic_stopped(&["a beginning", LEARNT], reason);
        let server = Server::new(vec![say]);
        let run = home.agent(["ask", "my cat is called Mirabelle"]);
        let out = server.anthropic(run).run();
        out.expect_code(0)
            .expect_stderr("nothing was learnt from it");
        let kept = transcript(&home);
        assert_eq!(text(&kept[1]), "a beginning");
        assert_eq!(kept[1]["stop"], stop);
        assert!(home.remembered().is_empty());
    }
}

#[test]
fn incognito_and_no_memory_leave_nothing_and_take_nothing() {
    let home = Home::with_vault();
    home.agent(["memory", "add", "my cat is called Mirabelle"])
        .run()
        .expect_code(0);
    let server = Server::new(vec![anthropic(&["x", LEARNT]), anthropic(&["y", LEARNT])]);
    for option in ["-n", "--no-memory"] {
        let out = server
            .anthropic(home.agent(["ask", option, "my dog is called Bruno"]))
            .run();
        out.expect_code(0);
    }
    for asked in server.asked() {
        assert!(!asked.body.to_string().contains("Mirabelle"));
    }
    assert_eq!(home.remembered().len(), 1);
    // `--no-memory` is a conversation like any other; incognito is none.
    assert_eq!(transcript(&home).len(), 2);
}

#[test]
fn what_is_forgotten_is_not_sent_again() {
    let home = Home::with_vault();
    let item = home.json(["memory", "add", "my cat is called Mirabelle"]);
    let id = item["id"].as_str().unwrap();
    home.agent(["memory", "forget", id]).run().expect_code(0);
    assert!(home.remembered().is_empty());
    let server = Server::new(vec![anthropic(&["I do not know."])]);
    let run = home.agent(["ask", "what is my cat called?"]);
    server.anthropic(run).run().expect_code(0);
    assert!(!server.asked()[0].body.to_string().contains("Mirabelle"));
}
