//! Incognito leaves the disk as it found it, whatever happens: byte for byte, and every time stamp.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::json;

use super::server::{Say, Server, anthropic, anthropic_start, status, tool_call};
use super::terminal::Terminal;
use super::world::{Home, PASSPHRASE, Run};

const PROMPT: &str = "› ";
const LEARNT: &str =
    "Nice.<memory_update>{\"key_facts\":[\"has a dog called Bruno\"]}</memory_update>";

/// A file or directory, with everything about it that writing changes.
#[derive(PartialEq, Debug)]
struct Trace {
    path: PathBuf,
    inode: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
    bytes: Vec<u8>,
}

/// Everything in a home but where sockets lie.
fn traces(home: &Home) -> Vec<Trace> {
    let mut found = Vec::new();
    trace(home.root(), &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn trace(path: &Path, found: &mut Vec<Trace>) {
    if path.ends_with("run") {
        return;
    }
    let about = fs::symlink_metadata(path).unwrap();
    let mut bytes = Vec::new();
    if about.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            trace(&entry.unwrap().path(), found);
        }
    } else {
        bytes = fs::read(path).unwrap();
    }
    found.push(Trace {
        path: path.to_owned(),
        inode: about.ino(),
        mode: about.mode(),
        modified: (about.mtime(), about.mtime_nsec()),
        changed: (about.ctime(), about.ctime_nsec()),
        bytes,
    });
}

#[track_caller]
fn expect_untouched(home: &Home, before: &[Trace]) {
    let after = traces(home);
    for (was, is) in before.iter().zip(&after) {
        assert!(was == is, "{} was touched", was.path.display());
    }
    assert_eq!(before.len(), after.len(), "files came or went");
}

/// A vault with an item, something that was said, and what crashed and is owed.
fn lived_in() -> Home {
    let home = Home::with_vault();
    let add = home.agent(["memory", "add", "my cat is called Mirabelle"]);
    add.run().expect_code(0);
    let small_talk: String = (0..12)
        .map(|day| format!("the weather on day {day} was rather mild\n"))
        .collect();
    let talk = home.agent(["chat"]).input(small_talk);
    talk.run().expect_code(0);
    let ask = home.agent(["ask", "the parcel for Irma stands in the barn"]);
    ask.run().expect_code(0);
    let server = Server::new(vec![Say::Hang(Vec::new())]);
    let mut broken = server.anthropic(home.agent(["chat"])).start_open();
    broken.say("this is said and then the machine stops\n");
    server.wait_for(1);
    broken.kill();
    home
}

fn with_memory(home: &Home, question: &str) -> Run {
    home.agent(["ask", "-n", "--with-memory", question])
}

#[test]
fn it_reads_memory_and_history_if_asked_to_and_keeps_nothing() {
    let home = lived_in();
    let before = traces(&home);
    let remember = json!({"key_facts": ["has a dog called Bruno"]});
    let server = Server::new(vec![
        tool_call("anthropic", "One moment.", "remember", &remember),
        anthropic(&[LEARNT]),
        anthropic(&["In the barn."]),
        anthropic(&["I do not know."]),
    ]);
    let dog = with_memory(&home, "I have a dog called Bruno");
    let out = server.anthropic(dog).run();
    assert!(!out.expect_code(0).stderr.contains("remembered"));
    let asked = &server.asked()[0];
    assert!(asked.system().contains("my cat is called Mirabelle"));
    let tools = asked.body["tools"].as_array().unwrap().iter();
    assert!(tools.clone().all(|tool| tool["name"] != "remember"));
    assert!(!asked.body.to_string().contains("memory_update"));

    let parcel = with_memory(&home, "where is the parcel for Irma?");
    server.anthropic(parcel).run().expect_code(0);
    let asked = server.asked();
    assert!(
        asked
            .last()
            .unwrap()
            .system()
            .contains("stands in the barn")
    );

    // Without being asked to, it reads nothing.
    let blind = home.agent(["ask", "-n", "where is the parcel for Irma?"]);
    server.anthropic(blind).run().expect_code(0);
    let asked = server.asked();
    let blind = asked.last().unwrap().body.to_string();
    assert!(!blind.contains("Mirabelle") && !blind.contains("barn"));
    assert_eq!(server.passes().len(), 0);
    expect_untouched(&home, &before);
}

#[test]
fn a_failing_server_ctrl_c_and_a_kill_leave_nothing_behind() {
    let home = lived_in();
    let before = traces(&home);
    let server = Server::new(vec![
        status("400 Bad Request", "{}"),
        status("401 Unauthorized", "{}"),
        Say::Pieces(anthropic_start(&["half an ans"])),
        Say::Hang(anthropic_start(&["Once upon"])),
        Say::Hang(anthropic_start(&["Once more"])),
    ]);
    for _ in 0..3 {
        let asked = server.anthropic(with_memory(&home, "what is my cat called?"));
        assert!(!asked.run().status.success());
    }
    let mut asking = server
        .anthropic(with_memory(&home, "tell me a story"))
        .start();
    asking.stdout.wait_for("Once upon");
    asking.signal(Signal::INT);
    asking.end().expect_code(130);
    expect_untouched(&home, &before);

    let mut asking = server
        .anthropic(with_memory(&home, "tell me a story"))
        .start();
    asking.stdout.wait_for("Once more");
    asking.kill();
    expect_untouched(&home, &before);

    // What is owed from before is still owed, and of these nothing is.
    let later = Server::new(Vec::new());
    let extract = home.agent(["memory", "extract"]);
    later.anthropic(extract).run().expect_code(0);
    let passes = later.passes();
    assert_eq!(passes.len(), 1);
    let looked = passes[0].body.to_string();
    assert!(looked.contains("and then the machine stops"));
    assert!(!looked.contains("a story"));
}

#[test]
fn a_chat_changes_nothing_whatever_is_typed() {
    let home = lived_in();
    let item = home.json(["memory", "list"])[0]["id"].clone();
    let before = traces(&home);
    let server = Server::new(vec![anthropic(&[LEARNT]), anthropic(&["Mirabelle."])]);
    let run = home
        .bare(["chat", "-n", "--with-memory"])
        .env("AGENT_PASSPHRASE", PASSPHRASE);
    let mut terminal = Terminal::start(server.anthropic(run));
    terminal.wait_for("what is remembered is read, and nothing of this is written");
    terminal.wait_for(PROMPT);
    let mut say = |line: &str, brings: &str| {
        terminal.type_line(line);
        terminal.wait_for(brings);
        terminal.wait_for(PROMPT);
    };
    say("I have a dog called Bruno", "Nice.");
    say("what is my cat called?", "Mirabelle.");
    say("/memory", "my cat is called Mirabelle");
    let forget = format!("/forget {}", item.as_str().unwrap());
    for command in ["/remember I like tea", &forget, "/undo", "/title a secret"] {
        say(command, "nothing is changed in the vault");
    }
    say("/search barn", "stands in the barn");
    say("/fork", "A new conversation that begins");
    say("/new", "A new conversation.");
    // Behind the lock it is incognito still.
    terminal.type_line("/lock");
    terminal.wait_for("Passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for("the chat goes on incognito");
    terminal.wait_for(PROMPT);
    terminal.type_line("/remember I like tea");
    terminal.wait_for("nothing is changed in the vault");
    terminal.wait_for(PROMPT);
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));
    expect_untouched(&home, &before);
}

#[test]
fn a_long_chat_makes_no_checkpoint_and_no_file_of_the_index() {
    let home = lived_in();
    let before = traces(&home);
    let lines: String = (0..300)
        .map(|n| format!("line {n} of a long talk\n"))
        .collect();
    let chat = home.agent(["chat", "-n", "--with-memory", "-m", "offline"]);
    chat.input(lines).run().expect_code(0);
    expect_untouched(&home, &before);
}

#[test]
fn through_the_keeper_it_writes_as_little() {
    let home = lived_in();
    let runtime = home.path("run");
    fs::create_dir(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    let unlock = home.agent(["unlock"]).env("XDG_RUNTIME_DIR", &runtime);
    unlock.run().expect_code(0);
    let before = traces(&home);
    let server = Server::new(vec![anthropic(&[LEARNT])]);
    let ask = with_memory(&home, "what is my cat called?").without("AGENT_PASSPHRASE");
    let ask = ask.env("XDG_RUNTIME_DIR", &runtime);
    let out = server.anthropic(ask).run();
    let after = server.asked();
    home.agent(["lock"])
        .env("XDG_RUNTIME_DIR", &runtime)
        .run()
        .expect_code(0);
    out.expect_code(0);
    assert!(after[0].system().contains("my cat is called Mirabelle"));
    expect_untouched(&home, &before);
}

#[test]
fn what_others_forget_meanwhile_leaves_the_prompt() {
    let home = lived_in();
    let item = home.json(["memory", "list"])[0]["id"].clone();
    let server = Server::new(vec![anthropic(&["one"]), anthropic(&["two"])]);
    let chat = home.agent(["chat", "-n", "--with-memory"]);
    let mut running = server.anthropic(chat).start_open();
    running.say("what is my cat called?\n");
    running.stdout.wait_for("one");
    let forget = home.agent(["memory", "forget", item.as_str().unwrap()]);
    forget.run().expect_code(0);
    let before = traces(&home);
    running.say("and now?\n");
    running.stdout.wait_for("two");
    running.end().expect_code(0);
    let asked = server.asked();
    assert!(asked[0].system().contains("Mirabelle"));
    assert!(!asked[1].system().contains("Mirabelle"));
    assert_eq!(asked[1].messages().len(), 3, "it is one conversation");
    expect_untouched(&home, &before);
}

#[test]
fn a_vault_that_was_rolled_back_is_not_accepted_in_passing() {
    let home = lived_in();
    let old = home.path("old");
    super::world::copy_dir(&home.state_dir(), &old);
    let add = home.agent(["memory", "add", "I moved to Bergen"]);
    add.run().expect_code(0);
    super::world::copy_dir(&old, &home.state_dir());
    let before = traces(&home);
    let ask = with_memory(&home, "hello").arg("--accept-rollback");
    ask.run().expect_code(14);
    expect_untouched(&home, &before);
}

/// A chat that locks stays incognito, from its start or for a while.
#[test]
fn a_lock_does_not_end_incognito() {
    let home = lived_in();
    let before = traces(&home);
    let server = Server::new(vec![anthropic(&["one"]), anthropic(&["two"])]);
    let mut terminal = Terminal::start(server.anthropic(home.bare(["chat", "-n"])));
    terminal.wait_for(PROMPT);
    terminal.type_line("a first secret");
    terminal.wait_for("one");
    terminal.wait_for(PROMPT);
    terminal.type_line("/lock");
    terminal.wait_for("this is a new conversation");
    terminal.wait_for(PROMPT);
    terminal.type_line("a second secret");
    terminal.wait_for("two");
    terminal.wait_for(PROMPT);
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));
    assert_eq!(server.asked()[1].messages().len(), 1);
    expect_untouched(&home, &before);

    let server = Server::new(vec![anthropic(&["three"]), anthropic(&["four"])]);
    home.learns_nothing_at_the_end();
    let run = home.bare(["chat"]).env("AGENT_PASSPHRASE", PASSPHRASE);
    let mut terminal = Terminal::start(server.anthropic(run));
    terminal.wait_for(PROMPT);
    terminal.type_line("/incognito");
    terminal.wait_for("nothing from here on is kept");
    terminal.wait_for(PROMPT);
    terminal.type_line("/lock");
    terminal.wait_for("Passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.wait_for("the chat goes on incognito");
    terminal.wait_for(PROMPT);
    terminal.type_line("a third secret");
    terminal.wait_for("three");
    terminal.wait_for(PROMPT);
    terminal.type_line("/incognito");
    terminal.wait_for("Back in the vault");
    terminal.wait_for(PROMPT);
    terminal.type_line("said openly");
    terminal.wait_for("four");
    terminal.wait_for(PROMPT);
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));
    assert_eq!(home.json(["search", "secret"]), json!([]));
    assert_eq!(home.json(["search", "openly"]).as_array().unwrap().len(), 1);
}

fn say(terminal: &mut Terminal, line: &str, brings: &str) {
    terminal.type_line(line);
    terminal.wait_for(brings);
    terminal.wait_for(PROMPT);
}

#[test]
fn a_while_incognito_may_read_memory_and_leaves_the_vault_as_it_is() {
    let home = lived_in();
    home.learns_nothing_at_the_end();
    let replies = ["one", "two", "three", "four"];
    let server = Server::new(replies.iter().map(|text| anthropic(&[text])).collect());
    let run = home.bare(["chat", "--new"]);
    let run = run.env("AGENT_PASSPHRASE", PASSPHRASE);
    let mut terminal = Terminal::start(server.anthropic(run));
    terminal.wait_for(PROMPT);
    say(&mut terminal, "said openly", "one");
    let before = traces(&home);
    say(
        &mut terminal,
        "/incognito with nothing",
        "/incognito memory reads it",
    );
    say(
        &mut terminal,
        "/incognito memory",
        "what is remembered is read",
    );
    say(&mut terminal, "where is the parcel for Irma?", "two");
    say(
        &mut terminal,
        "/remember I said so",
        "nothing is changed in the vault",
    );
    terminal.type_line("/lock");
    terminal.wait_for("Passphrase: ");
    say(&mut terminal, PASSPHRASE, "the chat goes on incognito");
    say(&mut terminal, "and my cat?", "three");
    expect_untouched(&home, &before);
    say(&mut terminal, "/incognito", "Back in the vault");
    say(&mut terminal, "said openly again", "four");
    terminal.press("\u{4}");
    assert_eq!(terminal.end().code(), Some(0));

    let asked = server.asked();
    assert!(asked[1].system().contains("stands in the barn"));
    assert_eq!(
        asked[1].messages().len(),
        1,
        "it is a conversation of its own"
    );
    assert!(asked[2].system().contains("my cat is called Mirabelle"));
    assert!(!asked[2].body.to_string().contains("Irma?"));
    let last: Vec<String> = asked[3].messages().into_iter().map(|said| said.1).collect();
    assert_eq!(last, ["said openly", "one", "said openly again"]);
    let said = home.agent(["export", "-o", "-"]).run();
    assert!(!said.expect_code(0).text().contains("parcel for Irma?"));
}
