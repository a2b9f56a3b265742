//! Completion in a real bash: live values out of a vault that is unlocked, and nothing else.

use super::server::{Server, anthropic};
use super::terminal::Terminal;
use super::world::{Home, Run, files_below, snapshot};

/// A script of bash that has the program's completions, and `$PATH` with the program.
fn bash(home: &Home, script: &str) -> Run {
    let script = format!("source <(agent completions bash); {script}");
    home.bare_shell("exec /bin/bash --norc -c \"$2\"", &[&script])
        .env("PATH", bash_path())
        .env("XDG_RUNTIME_DIR", home.path("run"))
}

/// What Tab offers behind these words, the last of which is being typed.
fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "COMP_WORDS=({}); COMP_CWORD={last}; COMP_TYPE=9; \
         _agent agent '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words[last],
        words[last - 1],
    );
    let out = bash(home, &script).run();
    out.expect_code(0);
    assert_eq!(out.stderr, "", "nothing is said in the middle of a line");
    let text = out.text();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn with_keeper(home: &Home, run: Run) -> Run {
    run.env("XDG_RUNTIME_DIR", home.path("run"))
}

#[test]
fn values_of_the_vault_are_completed_while_it_is_unlocked() {
    let home = Home::with_vault();
    std::fs::create_dir(home.path("run")).unwrap();
    let added = home.json(["memory", "add", "the sky is blue"]);
    let id = added["id"].as_str().unwrap().to_owned();
    for (name, text) in [("brief", "Be brief."), ("$(id)", "Be hostile.")] {
        home.agent(["roles", "add", name, text])
            .run()
            .expect_code(0);
    }
    let server = Server::new(vec![anthropic(&["Hi."]), anthropic(&["Hi."])]);
    for name in ["holiday", "two words; $(id)"] {
        let ask = home.agent(["ask", "hello", "-s", name]);
        server.anthropic(ask).run().expect_code(0);
    }
    let conversations = home.json(["history", "list"]);

    // Locked: the command line's own words, and not a question.
    assert_eq!(offered(&home, &["agent", "memory", "forg"]), ["forget"]);
    let shown = offered(&home, &["agent", "memory", "show", ""]);
    assert!(shown.iter().all(|word| word.starts_with('-')), "{shown:?}");
    let below = offered(&home, &["agent", "memory", ""]);
    assert!(below.contains(&"add".to_owned()) && !below.contains(&"--json".to_owned()));
    assert_eq!(
        offered(&home, &["agent", "ask", "-r", ""]),
        Vec::<String>::new()
    );
    assert_eq!(offered(&home, &["agent", "--profile", ""]), ["default"]);
    assert!(offered(&home, &["agent", "config", "get", "idle"]) == ["idle_lock_minutes"]);

    let before = snapshot(&home.state_dir());
    with_keeper(&home, home.agent(["unlock"]))
        .run()
        .expect_code(0);
    let items = offered(&home, &["agent", "memory", "show", ""]);
    assert!(items.len() == 1 && id.starts_with(&items[0]), "{items:?}");
    assert_eq!(offered(&home, &["agent", "ask", "-r", ""]), ["brief"]);
    assert_eq!(
        offered(&home, &["agent", "chat", "--session", "hol"]),
        ["holiday"]
    );
    let shown = offered(&home, &["agent", "history", "show", ""]);
    assert_eq!(shown.len(), conversations.as_array().unwrap().len());
    assert!(offered(&home, &["agent", "ask", "-m", "offl"]) == ["offline"]);
    // Of another vault, nothing.
    let elsewhere = ["agent", "--state-dir", "/nowhere", "memory", "show", ""];
    assert!(!offered(&home, &elsewhere).contains(&items[0]));

    // As a person meets it.
    let shell = home
        .bare_shell("exec /bin/bash --norc -i", &[])
        .env("PATH", bash_path())
        .env("PS1", "ready> ")
        .env("XDG_RUNTIME_DIR", home.path("run"));
    let mut terminal = Terminal::start(shell);
    terminal.wait_for("ready> ");
    terminal.type_line("source <(agent completions bash); HISTFILE=");
    terminal.wait_for("ready> ");
    terminal.press("agent ask -s hol\t");
    terminal.wait_for("holiday ");
    terminal.press("\u{15}");
    terminal.type_line("exit");
    terminal.end();

    with_keeper(&home, home.agent(["lock"]))
        .run()
        .expect_code(0);
    assert_eq!(
        offered(&home, &["agent", "ask", "-r", ""]),
        Vec::<String>::new()
    );
    assert!(
        before == snapshot(&home.state_dir()),
        "Tab changed the vault"
    );
    let clear = b"the sky is blue";
    for file in files_below(home.root()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let found = bytes.windows(clear.len()).any(|window| window == clear);
        assert!(!found, "{} holds what is sealed", file.display());
    }
}

fn bash_path() -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_agent"));
    format!("{}:/usr/bin:/bin", program.parent().unwrap().display())
}

#[test]
fn every_shell_has_a_script_that_calls_the_program() {
    let home = Home::new();
    for (shell, ours) in [
        ("bash", "-F _agent agent"),
        ("zsh", "\"${(@Q)words}\""),
        ("fish", "string unescape"),
        ("elvish", "agent"),
        ("powershell", "agent"),
    ] {
        let script = home.bare(["completions", shell]).run();
        let script = script.expect_code(0).text();
        assert!(
            script.contains("AGENT_COMPLETE") && script.contains(ours),
            "{shell}"
        );
    }
}
