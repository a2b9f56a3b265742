//! The full-screen browsers, on a terminal.

use super::server::{Server, anthropic};
use super::terminal::Terminal;
use super::world::{Home, PASSPHRASE};

fn browse(home: &Home, what: &str, size: (u16, u16)) -> Terminal {
    let run = home
        .bare([what, "browse"])
        .env("AGENT_PASSPHRASE", PASSPHRASE);
    Terminal::start_sized(run, size)
}

#[test]
fn memory_is_seen_changed_and_followed() {
    let home = Home::with_vault();
    for text in ["the sky is blue", "grass is green"] {
        home.agent(["memory", "add", text]).run().expect_code(0);
    }
    for size in [(24, 80), (20, 40), (50, 200)] {
        let mut terminal = browse(&home, "memory", size);
        terminal
            .wait_until(|screen| screen.contains("grass is green") && screen.contains("status"));
        terminal.press("q");
        assert_eq!(terminal.end().code(), Some(0));
    }
    let mut terminal = browse(&home, "memory", (24, 80));
    terminal.wait_until(|screen| screen.contains("the sky is blue"));
    terminal.press("/sky\r");
    terminal.wait_until(|screen| screen.contains("1 of 2"));
    terminal.press("p");
    terminal.wait_until(|screen| screen.contains("pinned: the model is always told"));
    terminal.press("e\u{15}the sky is grey\r");
    terminal.wait_until(|screen| screen.contains("the sky is grey") && screen.contains("changed"));
    terminal.press("\u{1b}");
    terminal.wait_until(|screen| screen.contains("Memory  2"));
    // What another process does appears without a key.
    home.agent(["memory", "add", "tea is better"])
        .run()
        .expect_code(0);
    terminal.wait_until(|screen| screen.contains("Memory  3") && screen.contains("tea is better"));
    terminal.press("g");
    terminal.press("f");
    terminal.wait_until(|screen| screen.contains("f once more"));
    terminal.press("f");
    terminal.wait_until(|screen| screen.contains("Memory  2"));
    terminal.press("\r");
    terminal.wait_until(|screen| screen.contains("not said in a conversation"));
    terminal.resize((30, 120));
    terminal.wait_until(|screen| screen.contains("│"));
    terminal.press("q");
    assert_eq!(terminal.end().code(), Some(0));
    let items = home.json(["memory", "list"]);
    assert_eq!(items[0]["text"], "the sky is grey");
    assert_eq!(items[0]["pinned"], true);
    assert_eq!(home.remembered(), ["the sky is grey", "grass is green"]);
}

#[test]
fn a_conversation_is_found_read_and_titled() {
    let home = Home::with_vault();
    let server = Server::new(vec![anthropic(&["\u{1b}[31mred\u{7} reply"])]);
    let ask = server.anthropic(home.agent(["ask", "remember that I like tea"]));
    ask.run().expect_code(0);
    let mut terminal = browse(&home, "history", (24, 80));
    terminal.wait_until(|screen| screen.contains("remember that I like tea"));
    terminal.press("\r");
    terminal.wait_until(|screen| screen.contains("[31mred reply") && screen.contains("▸ you"));
    terminal.press("q");
    terminal.press("e\u{15}About tea\r");
    terminal.wait_until(|screen| screen.contains("titled"));
    terminal.press("ff");
    terminal.wait_until(|screen| screen.contains("No conversations yet"));
    terminal.press("\u{3}");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn where_there_is_no_screen_the_lists_are_named() {
    let home = Home::with_vault();
    let out = home.agent(["memory", "browse"]).run();
    out.expect_code(1).expect_stderr("hint: agent memory list");
}
