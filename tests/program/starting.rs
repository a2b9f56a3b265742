//! `agent init`: where a vault may be made, and what an interrupted one leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use super::world::{Home, LIGHT, snapshot};

#[test]
fn a_directory_that_holds_something_is_refused_and_stays_as_it_is() {
    let home = Home::new();
    let dir = home.path("documents");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(dir.join("letter.txt"), "dear").unwrap();
    let run = home.agent(["init", "--state-dir", "documents"]).args(LIGHT);
    let out = run.run();
    out.expect_code(1).expect_stderr("letter.txt");
    assert_eq!(fs::read(dir.join("letter.txt")).unwrap(), b"dear");
    assert!(!dir.join("vault.header").exists());
}

#[test]
fn a_vault_that_is_there_is_refused_and_stays_as_it_is() {
    let home = Home::with_vault();
    home.agent(["memory", "add", "one"]).run().expect_code(0);
    let before = snapshot(home.root());
    let out = home.agent(["init"]).args(LIGHT).run();
    out.expect_code(1).expect_stderr("holds a vault");
    assert_eq!(snapshot(home.root()), before);
}

#[test]
fn what_an_interrupted_init_leaves_is_taken_up() {
    let home = Home::with_vault();
    // As it stands before its last step: everything but the header.
    fs::remove_file(home.state_dir().join("vault.header")).unwrap();
    let out = home.agent(["memory", "list"]).run();
    out.expect_code(10);
    home.agent(["init"]).args(LIGHT).run().expect_code(0);
    home.agent(["memory", "add", "one"]).run().expect_code(0);
    home.agent(["verify"]).run().expect_code(0);
    let epochs = fs::read_dir(home.state_dir()).unwrap();
    let epochs = epochs.filter(|e| e.as_ref().unwrap().path().is_dir());
    assert_eq!(epochs.count(), 1, "nothing of the first one is left");
}

#[test]
fn an_init_that_is_killed_at_any_moment_can_be_run_again() {
    for step in 0..8 {
        let home = Home::new();
        let running = home.agent(["init"]).args(LIGHT).start();
        // There is no event to wait for: the moments are spread over the time that it takes.
        thread::sleep(Duration::from_millis(10 + 15 * step));
        running.kill();
        let again = home.agent(["init"]).args(LIGHT).run();
        let done = again.stderr.contains("holds a vault");
        again.expect_code(i32::from(done));
        home.agent(["memory", "add", "one"]).run().expect_code(0);
        home.agent(["verify"]).run().expect_code(0);
    }
}

#[test]
fn each_profile_is_a_vault_of_its_own() {
    let home = Home::with_vault();
    let run = home.agent(["init", "--profile", "work"]).args(LIGHT);
    run.env("AGENT_PASSPHRASE", "another").run().expect_code(0);
    home.agent(["memory", "add", "at home"])
        .run()
        .expect_code(0);
    let work = home.agent(["memory", "list"]).env("AGENT_PROFILE", "work");
    let work = work.env("AGENT_PASSPHRASE", "another").run();
    assert_eq!(work.expect_code(0).text(), "");
    let wrong = home.agent(["memory", "list", "--profile", "work"]).run();
    wrong.expect_code(12);
}

#[test]
fn a_weak_key_derivation_cannot_be_asked_for() {
    let home = Home::new();
    let weak = ["--kdf-memory", "19", "--kdf-passes", "1"];
    let out = home.agent(["init"]).args(weak).run();
    out.expect_code(2).expect_stderr("passes");
    assert!(!home.state_dir().join("vault.header").exists());
}
