//! Where the passphrase may come from, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::server::{Say, Server};
use super::world::{Home, LIGHT, PASSPHRASE, snapshot};

const LIST: [&str; 2] = ["memory", "list"];

#[test]
fn a_wrong_passphrase_is_told_and_nothing_is_written() {
    let home = Home::with_vault();
    let before = snapshot(home.root());
    let out = home
        .agent(["memory", "add", "a line"])
        .env("AGENT_PASSPHRASE", "not it")
        .run();
    out.expect_code(12).expect_stderr("the passphrase is wrong");
    assert!(!out.stderr.contains("recovery code"), "there is none");
    assert_eq!(snapshot(home.root()), before);
}

#[test]
fn it_comes_from_a_file_a_descriptor_a_command_or_the_environment() {
    let home = Home::with_vault();
    let file = home.secret_file("other", format!("{PASSPHRASE}\n"));
    let command = format!("cat {}", file.display());
    let sources: [&[&str]; 4] = [
        &["--passphrase-file", file.to_str().unwrap()],
        &["--passphrase-command", &command],
        &["--passphrase-fd", "0"],
        &[],
    ];
    for source in sources {
        let run = home.agent(LIST).args(source);
        let run = match source.is_empty() {
            true => run,
            false => run.without("AGENT_PASSPHRASE"),
        };
        run.input(format!("{PASSPHRASE}\r\n")).run().expect_code(0);
    }
}

#[test]
fn an_option_counts_before_the_environment() {
    let home = Home::with_vault();
    let file = home.secret_file("other", "not it");
    let out = home.agent(LIST).arg("--passphrase-file").arg(&file).run();
    out.expect_code(12);
}

#[test]
fn two_sources_are_a_usage_error() {
    let home = Home::with_vault();
    let file = home.path("passphrase");
    let out = home
        .agent(LIST)
        .arg("--passphrase-file")
        .arg(&file)
        .args(["--passphrase-fd", "0"])
        .run();
    out.expect_code(2);
    let out = home
        .agent(LIST)
        .args(["--passphrase-command", "true", "--passphrase-fd", "0"])
        .run();
    out.expect_code(2);
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let home = Home::with_vault();
    let file = home.path("passphrase");
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let out = home.agent(LIST).arg("--passphrase-file").arg(&file).run();
        out.expect_code(1)
            .expect_stderr("can be read by others")
            .expect_stderr("chmod 600");
    }
}

#[test]
fn a_source_that_cannot_be_read_is_named() {
    let home = Home::with_vault();
    let missing = home
        .agent(LIST)
        .args(["--passphrase-file", "nowhere"])
        .run();
    missing.expect_code(1).expect_stderr("nowhere");
    let closed = home.agent(LIST).args(["--passphrase-fd", "77"]).run();
    closed.expect_code(1).expect_stderr("descriptor 77");
    let failed = home
        .agent(LIST)
        .args(["--passphrase-command", "exit 3"])
        .run();
    failed.expect_code(1).expect_stderr("status 3");
}

#[test]
fn an_empty_one_is_refused() {
    let home = Home::with_vault();
    let empty = home.secret_file("empty", "\n");
    let from_file = home.agent(LIST).arg("--passphrase-file").arg(&empty).run();
    from_file.expect_code(1).expect_stderr("empty");
    let from_command = home
        .agent(LIST)
        .args(["--passphrase-command", "true"])
        .run();
    from_command.expect_code(1).expect_stderr("empty");
    let from_environment = home.agent(LIST).env("AGENT_PASSPHRASE", "").run();
    from_environment.expect_code(1).expect_stderr("empty");
    let made = Home::new();
    let run = made.agent(["init"]).args(LIGHT);
    let out = run.env("AGENT_PASSPHRASE", "").run();
    out.expect_code(1).expect_stderr("empty");
    assert!(!made.state_dir().join("vault.header").exists());
}

#[test]
fn one_that_is_not_utf8_is_refused() {
    let home = Home::with_vault();
    let file = home.secret_file("latin1", b"caf\xe9");
    let out = home.agent(LIST).arg("--passphrase-file").arg(&file).run();
    out.expect_code(1).expect_stderr("UTF-8");
}

#[test]
fn composed_and_decomposed_letters_are_the_same_passphrase() {
    let home = Home::new();
    let run = home.agent(["init"]).args(LIGHT);
    run.env("AGENT_PASSPHRASE", "Gr\u{fc}\u{df}e")
        .run()
        .expect_code(0);
    let run = home.agent(LIST);
    run.env("AGENT_PASSPHRASE", "Gru\u{308}\u{df}e")
        .run()
        .expect_code(0);
    let run = home.agent(LIST);
    run.env("AGENT_PASSPHRASE", "Grusse").run().expect_code(12);
}

#[test]
fn without_a_source_and_a_terminal_it_says_where_to_give_one() {
    let home = Home::with_vault();
    let out = home.agent(LIST).without("AGENT_PASSPHRASE").run();
    out.expect_code(1)
        .expect_stderr("no terminal")
        .expect_stderr("--passphrase-file");
}

#[test]
fn a_child_process_does_not_get_secrets() {
    let home = Home::with_vault();
    let seen = home.path("seen");
    let command = format!("env > {}; printf '%s' '{PASSPHRASE}'", seen.display());
    let run = home.agent(LIST).args(["--passphrase-command", &command]);
    let secrets = [
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "AGENT_NEW_PASSPHRASE",
    ];
    let run = secrets
        .iter()
        .fold(run, |run, name| run.env(name, "sk-canary"));
    run.env("AGENT_PASSPHRASE", "sk-canary")
        .run()
        .expect_code(0);
    let seen = fs::read_to_string(seen).unwrap();
    assert!(
        seen.contains("HOME=") && !seen.contains("sk-canary"),
        "{seen}"
    );
}

#[test]
fn it_never_stands_among_the_arguments() {
    let home = Home::with_vault();
    let server = Server::new(vec![Say::Hang(Vec::new())]);
    let run = home.agent(["ask", "hello"]).arg("--passphrase-file");
    let run = run.arg(home.path("passphrase")).without("AGENT_PASSPHRASE");
    let running = server.anthropic(run).start();
    server.wait_for(1);
    let arguments = fs::read(format!("/proc/{}/cmdline", running.child.id())).unwrap();
    assert!(arguments.windows(5).any(|w| w == b"hello"));
    assert!(!String::from_utf8_lossy(&arguments).contains(PASSPHRASE));
    running.kill();
    let out = home
        .agent(["memory", "list", "--passphrase", PASSPHRASE])
        .run();
    out.expect_code(2);
}
