//! What a person sees, kept in files: screens of 80 and of 40 columns, with and without colours,
//! help, errors, and the questions of the first minutes.
//!
//! `INSTA_UPDATE=always cargo test --test program seen` writes the files again.

use super::server::{Server, anthropic};
use super::terminal::Terminal;
use super::world::{Home, PASSPHRASE};

const PROMPT: &str = "› ";
/// Rows and columns.
const SIZES: [(u16, u16); 2] = [(24, 80), (36, 40)];

const REPLY: &str = "# Tea\n\nSome **kinds** of it, for a *long* afternoon with many words in one \
    line:\n\n- green\n- black, with `milk`\n\n| kind | minutes |\n|---|---|\n| green | 2 |\n\
    | black | 4 |\n\n```sh\nbrew --tea green\n```\n\n> Drink it.\n";

/// A screen without what differs from run to run: words of five and more characters that hold a
/// digit are ids, times and ports.
fn steady(screen: &str) -> String {
    let mut out = String::new();
    for piece in screen.split_inclusive([' ', '\n']) {
        let word = piece.trim_end();
        let varies = word.chars().count() >= 5 && word.contains(|c: char| c.is_ascii_digit());
        match varies {
            true => out.extend(word.chars().map(|c| if c == ',' { ',' } else { '#' })),
            false => out.push_str(word),
        }
        out.push_str(&piece[word.len()..]);
    }
    let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// Whether anything that was sent sets a colour or a weight.
fn is_coloured(sent: &str) -> bool {
    let styles = sent.split("\u{1b}[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        (rest[end..].starts_with('m')).then(|| &rest[..end])
    });
    styles
        .flat_map(|style| style.split(';'))
        .any(|number| !matches!(number, "" | "0" | "39" | "49"))
}

#[test]
fn a_chat_is_seen_with_and_without_colours() {
    for size in SIZES {
        for colour in ["always", "never"] {
            let home = Home::with_vault();
            home.learns_nothing_at_the_end();
            let server = Server::new(vec![anthropic(&[REPLY])]);
            let chat = home.bare(["chat", "--color", colour]);
            let chat = server.anthropic(chat.env("AGENT_PASSPHRASE", PASSPHRASE));
            let mut terminal = Terminal::start_sized(chat, size);
            terminal.wait_for(PROMPT);
            terminal.type_line("what kinds of tea are there?");
            terminal.wait_for("Drink it.");
            terminal.wait_for("tokens in");
            terminal.wait_for(PROMPT);
            let screen = terminal.wait_until(|screen| screen.trim_end().ends_with('›'));
            assert_eq!(
                is_coloured(&terminal.sent()),
                colour == "always",
                "{size:?}"
            );
            terminal.press("\u{4}");
            assert_eq!(terminal.end().code(), Some(0));
            // How long it took is not the same twice.
            let (talk, _) = screen.rsplit_once("anthropic/").unwrap();
            let name = format!("chat_{}_colour_{colour}", size.1);
            insta::assert_snapshot!(name, steady(talk.trim_end()));
        }
    }
}

#[test]
fn the_browsers_are_seen_the_same_with_and_without_colours() {
    let home = Home::with_vault();
    let text = "the sky is blue and the grass is green on this side of the hill";
    home.agent(["memory", "add", text]).run().expect_code(0);
    let server = Server::new(vec![anthropic(&[REPLY])]);
    let ask = server.anthropic(home.agent(["ask", "what kinds of tea are there?"]));
    ask.run().expect_code(0);
    for size in SIZES {
        for (what, words) in [
            ("memory", "the sky is blue"),
            ("history", "what kinds of tea"),
        ] {
            let mut seen = Vec::new();
            for no_color in ["", "1"] {
                let run = home.bare([what, "browse"]).env("NO_COLOR", no_color);
                let run = run.env("AGENT_PASSPHRASE", PASSPHRASE);
                let mut terminal = Terminal::start_sized(run, size);
                let list = terminal.wait_until(|screen| {
                    screen.contains(words) && screen.trim_end().ends_with("q quit")
                });
                terminal.press("\r");
                let item = terminal.wait_until(|screen| match what {
                    "memory" => screen.contains("it was not said in a conversation"),
                    // Drawn row by row: what is behind the last word was there before.
                    _ => screen.trim_end().ends_with("Space page · q back"),
                });
                terminal.press("\u{3}");
                assert_eq!(terminal.end().code(), Some(0));
                seen.push(steady(&format!("{list}\n═══\n{item}")));
            }
            assert_eq!(seen[0], seen[1], "{what} {size:?}");
            insta::assert_snapshot!(format!("{what}_{}", size.1), seen[0]);
        }
    }
}

#[test]
fn the_first_minutes_read_well() {
    for size in SIZES {
        let home = Home::new();
        let mut terminal = Terminal::start_sized(home.bare(["chat"]), (40, size.1));
        terminal.wait_for("[Y/n]");
        terminal.press("y");
        terminal.wait_for("New passphrase: ");
        terminal.type_line(PASSPHRASE);
        terminal.wait_for("Once more: ");
        terminal.type_line(PASSPHRASE);
        terminal.wait_for("for now: ");
        terminal.press("a");
        terminal.wait_for("later): ");
        terminal.type_line("");
        terminal.wait_for(PROMPT);
        let screen = terminal.wait_until(|screen| screen.trim_end().ends_with('›'));
        // Where the vault lies is as long as the directory's name.
        let (_, talk) = screen.split_once("[Y/n] y\n").unwrap();
        insta::assert_snapshot!(format!("first_minutes_{}", size.1), steady(talk));
        terminal.press("\u{4}");
        assert_eq!(terminal.end().code(), Some(0));
    }
}

#[test]
fn help_says_what_there_is() {
    let home = Home::new();
    for (name, args) in [("agent", &["--help"][..]), ("ask", &["ask", "--help"])] {
        let help = home.agent(args).run();
        insta::assert_snapshot!(format!("help_{name}"), help.expect_code(0).text());
    }
}

#[test]
fn errors_say_what_happened_and_what_to_do() {
    let empty = Home::new();
    let home = Home::with_vault();
    home.agent(["roles", "add", "translator", "Into {{language}}."])
        .run()
        .expect_code(0);
    let open = home.secret_file("open", PASSPHRASE);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&open, mode).unwrap();
    let cases: [&[&str]; 16] = [
        &["memory", "list"],
        &["histroy", "list"],
        &["ask"],
        &["ask", "-c", "hello"],
        &["ask", "--cid", "ffff", "hello"],
        &["ask", "-m", "nobody/x", "hello"],
        &["ask", "-m", "anthropic", "hello"],
        &["ask", "-m", "openai/x", "hello"],
        &["ask", "-r", "pirate", "hello"],
        &["ask", "-r", "translator", "hello"],
        &["ask", "-a", "nothing.pdf", "hello"],
        &["memory", "show", "ffff"],
        &["memory", "add", "my password is hunter2-Xk29fQ"],
        &["config", "set", "window_mesages", "3"],
        &["keys", "remove", "openai"],
        &["memory", "browse"],
    ];
    let mut told = String::new();
    for args in cases {
        let home = if args == ["memory", "list"] {
            &empty
        } else {
            &home
        };
        let run = home.agent(args);
        let out = run.env("OPENAI_BASE_URL", "http://127.0.0.1:1/v1").run();
        let code = out.status.code().unwrap();
        let stderr = out.stderr.replace(home.root().to_str().unwrap(), "~");
        told += &format!("$ agent {}\n{stderr}exit {code}\n\n", args.join(" "));
    }
    for (name, file) in [
        ("open", open),
        ("wrong", home.secret_file("wrong", "wrong")),
    ] {
        let run = home
            .bare(["memory", "list", "--passphrase-file"])
            .arg(&file);
        let out = run.run();
        let stderr = out.stderr.replace(home.root().to_str().unwrap(), "~");
        let code = out.status.code().unwrap();
        told += &format!("$ agent memory list --passphrase-file {name}\n{stderr}exit {code}\n\n");
    }
    insta::assert_snapshot!(told);
}
