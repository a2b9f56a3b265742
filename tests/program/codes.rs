//! Every exit code, and errors as JSON.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use super::server::{Say, Server, anthropic, anthropic_start, status};
use super::world::{Home, LIGHT, Out, files_below};

#[track_caller]
fn refused(out: &Out, code: i32) -> &Out {
    out.expect_code(code);
    assert!(out.stdout.is_empty(), "{}", out.text());
    assert!(!out.stderr.is_empty());
    out
}

#[test]
fn a_usage_error_is_2() {
    let home = Home::with_vault();
    for args in [
        &["--no-such-flag"][..],
        &["no-such-command"],
        &["memory"],
        &["memory", "add"],
        &["ask", "-c", "--new", "hello"],
        &["config", "get", "no.such.key"],
        &["config", "set", "max_tokens", "many"],
        &["status", "--profile", "../up"],
    ] {
        refused(&home.agent(args).run(), 2);
    }
}

#[test]
fn a_key_derivation_out_of_bounds_is_a_usage_error() {
    let home = Home::new();
    for args in [
        ["--kdf-memory", "18"],
        ["--kdf-memory", "4000000000"],
        ["--kdf-passes", "65"],
        ["--kdf-lanes", "9"],
    ] {
        refused(&home.agent(["init"]).args(args).run(), 2);
    }
}

#[test]
fn no_vault_is_10() {
    let home = Home::new();
    for args in [
        &["status"][..],
        &["verify"],
        &["verify", "--structure"],
        &["memory", "list"],
        &["memory", "add", "x"],
        &["history", "list"],
        &["ask", "hello"],
        &["chat"],
        &["watch"],
    ] {
        refused(&home.agent(args).run(), 10).expect_stderr("agent init");
    }
    fs::create_dir(home.path("empty")).unwrap();
    fs::set_permissions(home.path("empty"), fs::Permissions::from_mode(0o700)).unwrap();
    let out = home.agent(["status", "--state-dir", "empty"]).run();
    refused(&out, 10);
    assert!(
        files_below(&home.path("empty")).len() <= 1,
        "nothing but a lock file"
    );
}

#[test]
fn a_lock_that_another_process_holds_is_11() {
    let home = Home::with_vault();
    let lock = File::open(home.state_dir().join("lock")).unwrap();
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    let out = home.agent(["memory", "add", "x", "--lock-wait", "1"]).run();
    refused(&out, 11).expect_stderr("--lock-wait");
    // Reading needs no lock.
    home.agent(["memory", "list"]).run().expect_code(0);
    fs2::FileExt::unlock(&lock).unwrap();
    home.agent(["memory", "add", "x"]).run().expect_code(0);
}

#[test]
fn too_little_memory_for_the_key_derivation_is_15() {
    let home = Home::new();
    let heavy = [
        "--kdf-memory",
        "256",
        "--kdf-passes",
        "1",
        "--kdf-lanes",
        "1",
    ];
    home.agent(["init"]).args(heavy).run().expect_code(0);
    let script = "ulimit -v 200000; exec \"$@\"";
    let out = home.shell(script, &["memory", "list"]).run();
    refused(&out, 15).expect_stderr("hint: close other programs");
    home.agent(["memory", "list"]).run().expect_code(0);
}

#[test]
fn what_cannot_be_written_is_17() {
    let home = Home::of_a_plain_user();
    home.agent(["memory", "add", "one"]).run().expect_code(0);
    let tail = home.file_that_ends(".tail");
    fs::set_permissions(&tail, fs::Permissions::from_mode(0o400)).unwrap();
    refused(&home.agent(["memory", "add", "two"]).run(), 17);
    assert_eq!(home.remembered(), ["one"]);
    fs::set_permissions(&tail, fs::Permissions::from_mode(0o600)).unwrap();
    home.agent(["memory", "add", "two"]).run().expect_code(0);
    assert_eq!(home.remembered(), ["one", "two"]);

    fs::create_dir(home.path("closed")).unwrap();
    fs::set_permissions(home.path("closed"), fs::Permissions::from_mode(0o500)).unwrap();
    let run = home.agent(["init", "--state-dir", "closed/vault"]);
    refused(&run.args(LIGHT).run(), 17);
}

#[test]
fn a_vault_of_which_nothing_can_be_written_can_be_read() {
    let home = Home::of_a_plain_user();
    home.agent(["memory", "add", "one"]).run().expect_code(0);
    let close = |files: u32, dirs: u32| {
        let all = files_below(&home.state_dir());
        for file in &all {
            fs::set_permissions(file, fs::Permissions::from_mode(files)).unwrap();
        }
        for dir in all.iter().map(|file| file.parent().unwrap()) {
            fs::set_permissions(dir, fs::Permissions::from_mode(dirs)).unwrap();
        }
    };
    close(0o400, 0o500);
    assert_eq!(home.remembered(), ["one"]);
    home.agent(["verify"]).run().expect_code(0);
    refused(&home.agent(["memory", "add", "two"]).run(), 17);
    close(0o600, 0o700);
    home.agent(["memory", "add", "two"]).run().expect_code(0);
}

#[test]
fn the_directory_of_another_user_is_17_and_stays_as_it_is() {
    let home = Home::of_a_plain_user();
    let before = fs::metadata("/usr").unwrap().permissions().mode();
    let out = home.agent(["status", "--state-dir", "/usr"]).run();
    refused(&out, 17).expect_stderr("another user");
    assert_eq!(fs::metadata("/usr").unwrap().permissions().mode(), before);
}

#[test]
fn an_output_that_is_full_is_17() {
    let home = Home::with_vault();
    home.agent(["memory", "add", "one"]).run().expect_code(0);
    for args in [
        &["memory", "list"][..],
        &["memory", "list", "--json"],
        &["ask", "one"],
        &["status"],
    ] {
        let script = "exec \"$@\" > /dev/full";
        let out = home.shell(script, args).run();
        out.expect_code(17)
            .expect_stderr("output cannot be written");
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let home = Home::with_vault();
    home.agent(["memory", "add", "one"]).run().expect_code(0);
    // A limit on the length of files stands for the disk: the tail may not grow.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let long = "word ".repeat(180);
    let refused = (0..12).any(|n| {
        let out = home
            .shell(script, &["memory", "add", &format!("{n} {long}")])
            .run();
        match out.status.code() {
            Some(0) => false,
            code => {
                assert!(matches!(code, Some(1 | 17)), "{}", out.stderr);
                true
            }
        }
    });
    assert!(refused);
    let kept = home.remembered();
    assert!(kept.contains(&"one".to_owned()));
    home.agent(["verify"]).run().expect_code(0);
    home.agent(["memory", "add", "after"]).run().expect_code(0);
    assert_eq!(home.remembered().len(), kept.len() + 1);
}

#[test]
fn a_server_that_is_down_is_20_and_the_line_is_kept() {
    let home = Home::with_vault();
    // A port that nobody listens on any more.
    let port = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().port()
    };
    let run = home.agent(["ask", "hello", "-m", "ollama/small"]);
    let out = run.env("OLLAMA_HOST", format!("127.0.0.1:{port}")).run();
    refused(&out, 20).expect_stderr("hint: is the server running");
    let list = home.json(["history", "list"]);
    assert_eq!(list[0]["messages"], 1);
}

#[test]
fn a_server_that_refuses_the_key_is_20() {
    let home = Home::with_vault();
    let body =
        r#"{"type":"error","error":{"type":"authentication_error","message":"no \u001b[31m"}}"#;
    let server = Server::new(vec![status("401 Unauthorized", body)]);
    let out = server.anthropic(home.agent(["ask", "hello"])).run();
    refused(&out, 20).expect_stderr("refused the key (status 401)");
    assert!(!out.stderr.contains("sk-ant-test") && !out.stderr.contains('\x1b'));
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_server_that_speaks_nonsense_is_20() {
    let home = Home::with_vault();
    for nonsense in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/html\r\n\r\n<html>hello</html>",
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\ndata: {{{\n\n",
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
    ] {
        let says = || Say::Pieces(vec![nonsense.to_owned()]);
        let server = Server::new(vec![says(), says(), says()]);
        let out = server.anthropic(home.agent(["ask", "hello"])).run();
        refused(&out, 20);
    }
}

#[test]
fn a_provider_that_nobody_knows_is_20_and_nothing_is_written() {
    let home = Home::with_vault();
    let out = home.agent(["ask", "-m", "nobody/nothing", "hello"]).run();
    refused(&out, 20).expect_stderr("nobody");
    let list = home.json(["history", "list"]);
    assert_eq!(list.as_array().unwrap().len(), 0);
}

#[test]
fn an_interrupt_is_130() {
    let home = Home::with_vault();
    let server = Server::new(vec![Say::Hang(Vec::new())]);
    let running = server.anthropic(home.agent(["ask", "hello"])).start();
    server.wait_for(1);
    running.signal(Signal::INT);
    running.end().expect_code(130);

    let mut watching = home.agent(["watch"]).start();
    watching.stderr.wait_for("watching");
    watching.signal(Signal::INT);
    watching.end().expect_code(130);
}

#[test]
fn a_piped_chat_can_be_interrupted_between_its_lines() {
    let home = Home::with_vault();
    home.learns_nothing_at_the_end();
    let server = Server::new(vec![slow_start("one"), anthropic(&["two"])]);
    let mut running = server.anthropic(home.agent(["chat"])).start_open();
    running.say("first line\n");
    running.stdout.wait_for("one");
    running.signal(Signal::INT);
    running.end_with_input_open().expect_code(130);

    let mut running = server.anthropic(home.agent(["chat"])).start_open();
    running.say("second line\n");
    running.stdout.wait_for("two\n");
    running.signal(Signal::INT);
    running.end_with_input_open().expect_code(130);
    assert_eq!(server.asked().len(), 2);
    assert_eq!(home.json(["history", "list"])[0]["messages"], 4);
}

fn slow_start(text: &str) -> Say {
    Say::Hang(anthropic_start(&[text]))
}

#[test]
fn errors_are_json_where_json_is_asked_for() {
    let home = Home::with_vault();
    let wrong = home.agent(["memory", "list", "--json"]);
    let wrong = wrong.env("AGENT_PASSPHRASE", "not it").run();
    let error = refused(&wrong, 12).error();
    assert_eq!(error["error"], "the passphrase is wrong");
    assert_eq!(error["exit"], 12);
    assert!(error["hint"].is_string());

    let missing = home.agent(["status", "--json", "--profile", "other"]).run();
    assert_eq!(refused(&missing, 10).error()["exit"], 10);

    for usage in [
        &["memory", "list", "--json", "--no-such-flag"][..],
        &["--json", "no-such-command"],
        &["config", "get", "no.such.key", "--json"],
    ] {
        let out = home.agent(usage).run();
        let error = refused(&out, 2).error();
        assert_eq!(error["exit"], 2, "{error}");
        assert_eq!(out.stderr.lines().count(), 1, "{}", out.stderr);
    }
}

#[test]
fn help_and_version_need_no_vault_and_no_home() {
    let home = Home::new();
    for args in [
        &["--help"][..],
        &["--version"],
        &["ask", "--help"],
        &["completions", "bash"],
    ] {
        let out = home.agent(args).without("HOME").run();
        out.expect_code(0);
        assert!(
            !out.stdout.is_empty() && out.stderr.is_empty(),
            "{}",
            out.stderr
        );
    }
}

#[test]
fn a_broken_configuration_is_2_and_can_be_found() {
    let home = Home::with_vault();
    fs::create_dir_all(home.path("config/agent")).unwrap();
    let file = home.path("config/agent/config.toml");
    fs::write(&file, "model = sk-canary\n").unwrap();
    let out = home.agent(["memory", "list"]).run();
    refused(&out, 2).expect_stderr("config.toml");
    assert!(!out.stderr.contains("sk-canary"));
    let path = home.agent(["config", "path"]).run();
    path.expect_code(0);
    assert_eq!(path.text().trim_end(), file.to_str().unwrap());
    let editor = format!("sh -c 'printf \"max_tokens = 5\\n\" > {}'", file.display());
    let edit = home.agent(["config", "edit"]).env("EDITOR", editor).run();
    edit.expect_code(0);
    let value = home.agent(["config", "get", "max_tokens"]).run();
    assert_eq!(value.expect_code(0).text(), "5\n");
}
