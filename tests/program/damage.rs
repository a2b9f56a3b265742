//! Damaged, missing and exchanged files, and a vault that was put back to an older state.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use super::world::{Home, LIGHT, Out, copy_dir, files_below, snapshot};

/// Where the sealed words of the first frame of a tail begin.
const FIRST_FRAME_BYTES: u64 = 192 + 80;

fn flip(file: &Path, offset: u64) {
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    open.read_exact_at(&mut byte, offset).unwrap();
    open.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

/// A vault with three items, and an end that no checkpoint is beyond.
fn told() -> Home {
    let home = Home::with_vault();
    for text in ["one", "two", "three"] {
        home.agent(["memory", "add", text]).run().expect_code(0);
    }
    home
}

fn header(home: &Home) -> std::path::PathBuf {
    home.state_dir().join("vault.header")
}

#[track_caller]
fn expect_damage(out: &Out) -> &Out {
    out.expect_code(13).expect_stderr("damaged")
}

#[test]
fn any_flipped_bit_of_the_header_is_damage_and_not_a_wrong_passphrase() {
    let home = told();
    let length = fs::metadata(header(&home)).unwrap().len();
    let whole = fs::read(header(&home)).unwrap();
    // Magic, version, vault, epoch, generation; salt, commit and key of the slot; the seal's end.
    for offset in [0, 9, 16, 32, 55, 64 + 20, 64 + 90, 64 + 130, length - 1] {
        flip(&header(&home), offset);
        let before = snapshot(home.root());
        expect_damage(&home.agent(["memory", "list"]).run());
        expect_damage(&home.agent(["memory", "add", "x"]).run());
        expect_damage(&home.agent(["verify"]).run());
        assert_eq!(snapshot(home.root()), before, "byte {offset}");
        fs::write(header(&home), &whole).unwrap();
    }
    home.agent(["verify"]).run().expect_code(0);
}

#[test]
fn a_header_that_asks_for_too_much_is_refused_before_anything_is_derived() {
    let home = told();
    // The memory of the slot: 4 bytes behind type, kdf and two zero bytes.
    let asked = 1_048_577_u32.to_be_bytes();
    let file = OpenOptions::new().write(true).open(header(&home)).unwrap();
    file.write_all_at(&asked, 64 + 4).unwrap();
    let out = home.agent(["memory", "list"]).run();
    out.expect_code(13).expect_stderr("1048577");
}

#[test]
fn a_missing_header_is_told_and_init_does_not_run_over_it() {
    let home = told();
    fs::remove_file(header(&home)).unwrap();
    let before = snapshot(home.root());
    let out = home.agent(["memory", "list"]).run();
    out.expect_code(13).expect_stderr("header is missing");
    let out = home.agent(["init"]).args(LIGHT).run();
    out.expect_code(13).expect_stderr("do not run init here");
    assert_eq!(snapshot(home.root()), before);
}

#[test]
fn a_flipped_bit_inside_the_log_costs_its_record_only() {
    let home = told();
    let tail = home.file_that_ends(".tail");
    flip(&tail, FIRST_FRAME_BYTES + 8);
    let out = home.agent(["memory", "list"]).run();
    expect_damage(&out).expect_stderr("record 1");
    let shown = out.text();
    assert!(shown.contains("two") && shown.contains("three"), "{shown}");
    // What is said from now on is kept all the same.
    let added = home.agent(["memory", "add", "four"]).run();
    added.expect_code(0).expect_stderr("warning: damaged");
    let out = home.agent(["memory", "list"]).run();
    assert!(expect_damage(&out).stderr.contains("record 1"));
    assert!(out.text().contains("four"));
    let verified = home.agent(["verify", "--json"]).run();
    assert_eq!(verified.expect_code(13).json()["whole"], false);
}

#[test]
fn a_flipped_bit_at_the_end_of_the_log_is_told_and_nothing_is_cut() {
    let home = told();
    let tail = home.file_that_ends(".tail");
    let length = fs::metadata(&tail).unwrap().len();
    flip(&tail, length - 20);
    let bytes = fs::read(&tail).unwrap();
    let out = home.agent(["memory", "list"]).run();
    assert!(matches!(out.status.code(), Some(13 | 14)), "{}", out.stderr);
    let shown = out.text();
    assert!(shown.contains("one") && shown.contains("two"), "{shown}");
    let verified = home.agent(["verify"]).run();
    assert!(matches!(verified.status.code(), Some(13 | 14)));
    assert_eq!(fs::read(&tail).unwrap(), bytes);
}

#[test]
fn a_torn_write_behind_the_end_is_cut_and_kept_aside() {
    let home = told();
    let tail = home.file_that_ends(".tail");
    let whole = fs::read(&tail).unwrap();
    let mut torn = whole.clone();
    torn.extend(&whole[192..250]);
    fs::write(&tail, &torn).unwrap();
    assert_eq!(home.remembered(), ["one", "two", "three"]);
    home.agent(["memory", "add", "four"]).run().expect_code(0);
    assert_eq!(home.remembered(), ["one", "two", "three", "four"]);
    home.agent(["verify"]).run().expect_code(0);
    let aside = files_below(&home.state_dir());
    let aside: Vec<_> = aside
        .iter()
        .filter(|path| path.to_str().unwrap().contains("quarantine"))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(fs::read(aside[0]).unwrap(), whole[192..250]);
}

#[test]
fn a_log_that_was_cut_is_14() {
    let home = told();
    let tail = home.file_that_ends(".tail");
    let length = fs::metadata(&tail).unwrap().len();
    for cut in [1, 300] {
        let file = OpenOptions::new().write(true).open(&tail).unwrap();
        file.set_len(length - cut).unwrap();
        let out = home.agent(["memory", "list"]).run();
        assert!(matches!(out.status.code(), Some(13 | 14)), "{}", out.stderr);
        let added = home.agent(["memory", "add", "x"]).run();
        assert!(
            matches!(added.status.code(), Some(13 | 14)),
            "{}",
            added.stderr
        );
    }
    // Down to its head, nothing is left that could be damaged: it was cut.
    let file = OpenOptions::new().write(true).open(&tail).unwrap();
    file.set_len(192).unwrap();
    let out = home.agent(["memory", "list"]).run();
    out.expect_code(14).expect_stderr("--accept-rollback");
}

#[test]
fn a_damaged_checkpoint_is_made_again() {
    let home = told();
    home.agent(["chat"])
        .input("remember that the sky is blue\n")
        .run()
        .expect_code(0);
    let checkpoint = home.file_that_ends("long_term_memory.sealed");
    for offset in [0, 5, 24, 80, 140] {
        flip(&checkpoint, offset);
        assert_eq!(home.remembered().len(), 4, "byte {offset}");
        let verified = home.agent(["verify"]).run();
        assert!(verified.expect_code(0).text().contains("long_term_memory"));
        flip(&checkpoint, offset);
    }
    fs::remove_file(&checkpoint).unwrap();
    assert_eq!(home.remembered().len(), 4);
}

#[test]
fn a_file_of_another_vault_or_another_kind_is_damage() {
    let home = told();
    let other = told();
    let tail = home.file_that_ends(".tail");
    let whole = fs::read(&tail).unwrap();
    fs::copy(other.file_that_ends(".tail"), &tail).unwrap();
    let out = home.agent(["memory", "list"]).run();
    assert!(matches!(out.status.code(), Some(13 | 14)), "{}", out.stderr);
    fs::write(&tail, "This is not a log.\n".repeat(50)).unwrap();
    let out = home.agent(["memory", "list"]).run();
    assert!(matches!(out.status.code(), Some(13 | 14)), "{}", out.stderr);
    fs::write(&tail, &whole).unwrap();
    home.agent(["verify"]).run().expect_code(0);
}

#[test]
fn a_vault_that_was_put_back_is_14_until_the_person_goes_on() {
    let home = told();
    let older = home.path("older");
    copy_dir(&home.state_dir(), &older);
    home.agent(["memory", "add", "four"]).run().expect_code(0);
    copy_dir(&older, &home.state_dir());
    let before = snapshot(home.root());

    let read = home.agent(["memory", "list"]).run();
    read.expect_code(14).expect_stderr("--accept-rollback");
    assert_eq!(read.text().lines().count(), 3, "what is there is shown");
    let write = home.agent(["memory", "add", "five"]).run();
    write.expect_code(14);
    let ask = home.agent(["ask", "hello"]).run();
    ask.expect_code(14);
    home.agent(["verify"]).run().expect_code(14);
    assert_eq!(snapshot(home.root()), before, "nothing is written");

    let goes_on = home
        .agent(["memory", "add", "five", "--accept-rollback"])
        .run();
    goes_on.expect_code(0).expect_stderr("warning:");
    assert_eq!(home.remembered(), ["one", "two", "three", "five"]);
    home.agent(["verify"]).run().expect_code(0);
}

#[test]
fn a_vault_without_its_witness_opens() {
    let home = told();
    fs::remove_dir_all(home.path("state")).unwrap();
    assert_eq!(home.remembered(), ["one", "two", "three"]);
    home.agent(["memory", "add", "four"]).run().expect_code(0);
}

#[test]
fn status_and_structure_need_no_passphrase() {
    let home = told();
    for args in [&["status"][..], &["verify", "--structure"]] {
        let out = home.agent(args).without("AGENT_PASSPHRASE").run();
        out.expect_code(0);
    }
    fs::write(home.state_dir().join("notes.txt"), "mine").unwrap();
    let out = home.agent(["verify", "--structure"]).run();
    assert!(out.text().contains("notes.txt"));
}

#[test]
fn a_purge_says_so_when_the_old_files_cannot_be_removed() {
    let home = Home::of_a_plain_user();
    home.agent(["memory", "add", "gone soon"])
        .run()
        .expect_code(0);
    let id = home.json(["memory", "list"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    home.agent(["memory", "forget", &id]).run().expect_code(0);
    let log = home.file_that_ends(".tail").parent().unwrap().to_owned();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o500)).unwrap();
    home.agent(["purge", "--yes"])
        .run()
        .expect_code(1)
        .expect_stderr("still in the files of the epoch before");
    fs::set_permissions(&log, fs::Permissions::from_mode(0o700)).unwrap();
    home.agent(["memory", "add", "after"]).run().expect_code(0);
    assert!(!log.exists());
    assert_eq!(home.remembered(), ["after"]);
}
