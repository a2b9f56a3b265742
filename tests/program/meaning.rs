//! Finding by meaning: switched on by a setting, made by `agent index`, and never needed.

use serde_json::Value;

use super::server::{Asked, Server};
use super::terminal::Terminal;
use super::world::{Home, PASSPHRASE, Run};

/// A vault in which something was said about a kitten, and a model of meaning is named.
fn said(model: &str) -> Home {
    let home = Home::with_vault();
    // What stands out does so among many.
    for line in [
        "the kitten slept on the stairs",
        "our neighbour sells honey",
        "the trains were late on Monday",
        "a letter came from the tax office",
        "the fence needs paint",
        "two windows are broken",
        "the printer is out of ink",
        "someone painted the gate green",
        "my watch runs slow",
        "the bakery opens at seven",
        "they moved the meeting to Friday",
        "this year's apples were small",
        "the lamp in the hall flickers",
        "a parcel came for Sam",
    ] {
        home.agent(["ask", line]).run().expect_code(0);
    }
    home.agent(["config", "set", "meaning.model", model])
        .run()
        .expect_code(0);
    home
}

fn with(run: Run, server: &Server) -> Run {
    run.env("OLLAMA_HOST", format!("127.0.0.1:{}", server.port))
        .env(
            "OPENAI_BASE_URL",
            format!("http://127.0.0.1:{}", server.port),
        )
}

/// What a search finds of what the person said.
fn found(home: &Home, server: &Server, words: &str) -> Vec<String> {
    let run = home.agent(["search", "--role", "user", "--json", words]);
    let rows = with(run, server).run().expect_code(0).json();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["text"].as_str().unwrap().to_owned())
        .collect()
}

fn inputs(asked: &[Asked]) -> Vec<&str> {
    let inputs = asked
        .iter()
        .flat_map(|asked| asked.body["input"].as_array().unwrap());
    inputs.map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn what_shares_no_word_is_found_once_vectors_are_made() {
    for (model, path) in [
        ("ollama/all-minilm", "POST /api/embed "),
        ("openai/small", "POST /v1/embeddings "),
    ] {
        let home = said(model);
        let server = Server::new(Vec::new());
        assert_eq!(found(&home, &server, "feline"), [""; 0]);
        assert!(
            server.asked().is_empty(),
            "nothing to compare with, nothing is sent"
        );
        let made = with(home.agent(["index", "--json"]), &server).run();
        let made = made.expect_code(0).json();
        assert_eq!(made["by_meaning"], made["passages"]);
        let asked = server.asked();
        assert!(asked[0].line.starts_with(path), "{}", asked[0].line);
        let name = model.split_once('/').unwrap().1;
        assert_eq!(asked[0].body["model"], name);
        assert!(inputs(&asked).contains(&"the kitten slept on the stairs"));
        assert_eq!(
            found(&home, &server, "feline"),
            ["the kitten slept on the stairs"]
        );
        // Only what is new is shown to the model again.
        home.agent(["ask", "driving is dull"]).run().expect_code(0);
        let before = server.asked().len();
        with(home.agent(["index"]), &server).run().expect_code(0);
        let asked = server.asked().split_off(before);
        assert_eq!(inputs(&asked)[0], "driving is dull");
        assert_eq!(inputs(&asked).len(), 2, "what was said, and the answer");
    }
}

#[test]
fn without_the_server_the_words_answer_and_the_person_hears_why() {
    let home = said("ollama/all-minilm");
    let server = Server::new(Vec::new());
    with(home.agent(["index"]), &server).run().expect_code(0);
    let out = home
        .agent(["search", "kitten"])
        .env("OLLAMA_HOST", "127.0.0.1:1")
        .run();
    out.expect_code(0).expect_stderr("found by words alone");
    assert!(out.text().contains("the kitten slept"));
    home.agent(["index"])
        .env("OLLAMA_HOST", "127.0.0.1:1")
        .run()
        .expect_code(0);
    home.agent(["ask", "a storm came"]).run().expect_code(0);
    home.agent(["index"])
        .env("OLLAMA_HOST", "127.0.0.1:1")
        .run()
        .expect_code(20);
    home.agent(["config", "unset", "meaning.model"])
        .run()
        .expect_code(0);
    let quiet = home.agent(["search", "kitten"]).run();
    assert!(!quiet.expect_code(0).text().contains("by words alone"));
}

#[test]
fn a_chat_makes_vectors_of_what_was_said_when_it_is_left() {
    let home = said("ollama/all-minilm");
    let server = Server::new(Vec::new());
    with(home.agent(["index"]), &server).run().expect_code(0);
    let before = server.asked().len();
    let run = home.bare(["chat", "-m", "offline", "--new"]);
    let mut terminal = Terminal::start(with(run.env("AGENT_PASSPHRASE", PASSPHRASE), &server));
    terminal.wait_for("› ");
    terminal.type_line("a storm broke the fence");
    terminal.wait_for("› ");
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));
    let asked = server.asked().split_off(before);
    let shown = inputs(&asked);
    // Once as a question, and once to be found by.
    let of = |text: &str| shown.iter().filter(|shown| **shown == text).count();
    assert_eq!(of("a storm broke the fence"), 2, "{shown:?}");
}

/// A host that is not this machine, reached through a proxy that is a server of the test.
fn remote(run: Run, proxy: &Server) -> Run {
    run.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port))
        .env("OPENAI_BASE_URL", "https://192.0.2.1")
        .env("OPENAI_API_KEY", "sk-test")
}

#[test]
fn nothing_goes_to_another_host_without_consent() {
    let home = said("openai/small");
    let proxy = Server::new(Vec::new());
    let refused = remote(home.agent(["index"]), &proxy).run();
    refused.expect_code(1).expect_stderr("without consent");
    let searched = remote(home.agent(["search", "kitten"]), &proxy).run();
    searched.expect_code(0).expect_stderr("without consent");
    let asked = home.agent(["ask", "-m", "offline", "where is the kitten?"]);
    remote(asked, &proxy).run().expect_code(0);
    assert!(proxy.asked().is_empty());
    for (answer, code) in [("n", 1), ("y", 20)] {
        let run = home.bare(["index"]).env("AGENT_PASSPHRASE", PASSPHRASE);
        let mut terminal = Terminal::start(remote(run, &proxy));
        terminal.wait_for("192.0.2.1 gets every message");
        terminal.wait_for("[y/N]");
        assert!(proxy.asked().is_empty());
        terminal.press(answer);
        assert_eq!(terminal.end().code(), Some(code));
    }
    // Told apart from the first by what reached the way out.
    assert!(
        proxy.wait_for(1)[0]
            .line
            .starts_with("CONNECT 192.0.2.1:443")
    );
}

#[test]
fn doctor_says_how_it_is_switched_on_and_what_is_wrong() {
    let home = Home::with_vault();
    let doctor = || home.agent(["doctor"]).run().expect_code(0).text();
    assert!(doctor().contains("agent config set meaning.model"));
    for (model, words) in [
        ("nowhere/model", "no provider is named"),
        ("anthropic/claude", "no model for vectors"),
        ("/no/such/directory", "is no directory"),
    ] {
        home.agent(["config", "set", "meaning.model", model])
            .run()
            .expect_code(0);
        assert!(doctor().contains(words), "{}", doctor());
    }
    let rows: Value = home.json(["doctor"]);
    assert_eq!(rows.as_array().unwrap().len(), 1);
}
