//! Copies of the vault's own files, as synced folders leave them.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::model::{Id, Record, Role};
use agent::store::{FileStore, Wait, log_copies};
use agent::transfer::{Fault, Imported, Step, TransferError, import_copies};
use agent::vault::{LockedVault, Log, NewVault, Rollback, Vault, VaultError};
use tempfile::TempDir;

use crate::support::{go_on, id, lines_of, now, options, passphrase, said, started};

/// A machine: a vault's directory, and what it remembers of it.
struct Machine {
    _home: TempDir,
    dir: PathBuf,
    witness_dir: PathBuf,
}

impl Machine {
    fn empty() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (dir, witness_dir) = (home.path().join("vault"), home.path().join("witness"));
        Machine {
            _home: home,
            dir,
            witness_dir,
        }
    }

    /// A vault with four messages.
    fn first() -> Self {
        let machine = Machine::empty();
        let store = FileStore::create(&machine.dir, &machine.witness_dir).unwrap();
        let new = NewVault {
            passphrase: &passphrase(),
            kdf: agent::seal::KdfParams::LEAST,
            recovery: None,
            created: 0,
        };
        let mut vault = Vault::init(Arc::new(store), Wait::seconds(5), &new).unwrap();
        vault.append(&[started(id(1))]).unwrap();
        say(&mut vault, 1..4);
        machine
    }

    /// Another machine, to which the folder was synced.
    fn synced(&self) -> Self {
        let machine = Machine::empty();
        copy_dir(&self.dir, &machine.dir);
        machine
    }

    fn open(&self) -> Vault {
        let store = FileStore::open(&self.dir, &self.witness_dir).unwrap();
        let locked = LockedVault::open(Arc::new(store), Wait::seconds(5)).unwrap();
        locked.unlock(&passphrase()).unwrap()
    }

    /// The files of the live log, in order.
    fn log(&self) -> Vec<PathBuf> {
        let epoch = fs::read_dir(&self.dir).unwrap().find_map(|entry| {
            let path = entry.unwrap().path();
            path.file_name()?
                .to_str()?
                .starts_with("epoch-")
                .then_some(path)
        });
        let mut files: Vec<PathBuf> = fs::read_dir(epoch.unwrap().join("session_log"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    }

    fn tail(&self) -> PathBuf {
        self.log().pop().unwrap()
    }

    /// Puts a file of another machine beside the own one, as a sync tool does.
    fn conflict(&self, file: &Path, of: &str) -> PathBuf {
        let name = file.file_name().unwrap().to_str().unwrap();
        let (stem, kind) = name.split_once('.').unwrap();
        let name = format!("{stem}.sync-conflict-20261122-101112-{of}.{kind}");
        let to = self.tail().with_file_name(name);
        fs::copy(file, &to).unwrap();
        to
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_dir(&path, &to),
            false => drop(fs::copy(&path, &to).unwrap()),
        }
    }
}

fn say(vault: &mut Vault, numbers: std::ops::Range<u8>) {
    for n in numbers {
        let record = said(id(1), n, Role::User, &format!("message {n}"));
        vault.append(&[record]).unwrap();
    }
}

/// More than a tail holds: the next append rolls over.
fn say_much(vault: &mut Vault, numbers: std::ops::Range<u8>) {
    for n in numbers {
        let text = format!("message {n} {}", "x".repeat(400_000));
        vault.append(&[said(id(1), n, Role::User, &text)]).unwrap();
    }
}

/// The messages of the log, by number.
fn told(vault: &mut Vault) -> Vec<u8> {
    let number = |line: String| match Record::from_line(line.as_bytes()).unwrap() {
        Record::Message(message) => Some(message.id.bytes()[0]),
        _ => None,
    };
    lines_of(vault).into_iter().filter_map(number).collect()
}

fn ids(numbers: &[u8]) -> Vec<u8> {
    let first = |n: &u8| {
        let mut bytes = [15; 16];
        bytes[0] = *n;
        Id::from_digest(bytes).bytes()[0]
    };
    numbers.iter().map(first).collect()
}

fn try_merge(vault: &mut Vault, from: &Path, own: &Path) -> Result<Imported, TransferError> {
    let copies = log_copies(from, own).unwrap();
    import_copies(vault, &copies, &options(None), &mut go_on)
}

fn merge(machine: &Machine, from: &Path) -> Imported {
    let mut vault = machine.open();
    let done = try_merge(&mut vault, from, &machine.dir).unwrap();
    // What is merged stays, is whole, and is what the witness remembers.
    let again = try_merge(&mut vault, from, &machine.dir).unwrap();
    assert_eq!(again.records, 0, "{again:?}");
    let mut reopened = machine.open();
    assert!(reopened.rollback().is_none() && reopened.has_witness());
    assert!(reopened.verify(&mut |_, _| {}).unwrap().is_whole());
    assert_eq!(lines_of(&mut reopened), lines_of(&mut vault));
    done
}

#[test]
fn two_machines_that_went_apart_come_together_again() {
    let one = Machine::first();
    let two = one.synced();
    say(&mut one.open(), 10..13);
    say(&mut two.open(), 20..22);
    let done = merge(&one, &two.dir);
    assert_eq!((done.records, done.messages, done.bad_count), (2, 2, 0));
    assert_eq!(told(&mut one.open()), ids(&[1, 2, 3, 10, 11, 12, 20, 21]));
    // The other way takes what is missing there, and not its own back.
    say(&mut two.open(), 22..23);
    merge(&two, &one.dir);
    assert_eq!(
        told(&mut two.open()),
        ids(&[1, 2, 3, 20, 21, 22, 10, 11, 12])
    );
    let done = merge(&one, &two.dir);
    assert_eq!(done.records, 1);
    assert_eq!(
        told(&mut one.open()),
        ids(&[1, 2, 3, 10, 11, 12, 20, 21, 22])
    );
}

#[test]
fn conflict_copies_beside_the_real_files_are_merged_and_never_opened_in_their_place() {
    let one = Machine::first();
    let (two, three) = (one.synced(), one.synced());
    say(&mut one.open(), 10..11);
    say(&mut two.open(), 20..21);
    let early = one.conflict(&two.tail(), "EARLY");
    say(&mut two.open(), 21..23);
    one.conflict(&two.tail(), "LATER");
    say(&mut three.open(), 30..32);
    one.conflict(&three.tail(), "THREE");
    assert_eq!(told(&mut one.open()), ids(&[1, 2, 3, 10]));
    // One file alone.
    assert_eq!(merge(&one, &early).records, 1);
    let done = merge(&one, &one.dir);
    assert_eq!((done.records, done.bad_count), (4, 0));
    assert_eq!(
        told(&mut one.open()),
        ids(&[1, 2, 3, 10, 20, 21, 22, 30, 31])
    );
}

#[test]
fn what_was_merged_elsewhere_already_comes_once() {
    let one = Machine::first();
    let (two, three) = (one.synced(), one.synced());
    say(&mut three.open(), 30..31);
    say(&mut two.open(), 20..21);
    merge(&two, &three.dir);
    say(&mut one.open(), 10..11);
    one.conflict(&two.tail(), "TWO");
    one.conflict(&three.tail(), "THREE");
    assert_eq!(merge(&one, &one.dir).records, 2);
    let all = told(&mut one.open());
    assert_eq!(all.len(), 6);
}

#[test]
fn an_older_copy_adds_nothing() {
    let one = Machine::first();
    say_much(&mut one.open(), 40..46);
    let older = one.synced();
    say_much(&mut one.open(), 50..56);
    let before = lines_of(&mut one.open());
    let done = merge(&one, &older.dir);
    assert_eq!((done.records, done.bad_count), (0, 0));
    assert_eq!(lines_of(&mut one.open()), before);
}

#[test]
fn a_copy_that_hangs_in_the_air_is_refused_until_what_it_follows_is_there() {
    let one = Machine::first();
    let two = one.synced();
    say(&mut one.open(), 10..11);
    say_much(&mut two.open(), 20..30);
    let files = two.log();
    assert!(files.len() > 2);
    let last = one.conflict(files.last().unwrap(), "TWO");
    let mut vault = one.open();
    let before = lines_of(&mut vault);
    let refused = try_merge(&mut vault, &last, &one.dir);
    assert!(matches!(refused, Err(TransferError::CopyDetached { .. })));
    assert_eq!(lines_of(&mut vault), before);
    for file in &files[..files.len() - 1] {
        one.conflict(file, "TWO");
    }
    merge(&one, &one.dir);
    let expected: Vec<u8> = [1, 2, 3, 10].into_iter().chain(20..30).collect();
    assert_eq!(told(&mut one.open()), ids(&expected));
}

#[test]
fn of_a_damaged_copy_nothing_comes_in_unless_it_is_to_be_salvaged() {
    let one = Machine::first();
    let (two, three) = (one.synced(), one.synced());
    say(&mut two.open(), 20..24);
    say(&mut three.open(), 30..31);
    one.conflict(&three.tail(), "THREE");
    let copy = one.conflict(&two.tail(), "TWO");
    let whole = fs::read(&copy).unwrap();
    let mut vault = one.open();
    let before = lines_of(&mut vault);
    let wanted = agent::transfer::ImportOptions {
        salvage: true,
        ..options(None)
    };
    // A byte of each frame but the last; of the last one a torn write would be the same.
    let mut refused = 0;
    for at in (0..whole.len() - 400).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&copy, &damaged).unwrap();
        match try_merge(&mut vault, &one.dir, &one.dir) {
            Err(TransferError::CopyDamaged { .. }) => refused += 1,
            // The head does not say any more that it is one of ours.
            Ok(done) if at < 56 => assert!(done.messages <= 1),
            Err(TransferError::NoCopies) if at < 56 => {}
            other => panic!("byte {at}: {other:?}"),
        }
        if at >= 56 {
            let there = lines_of(&mut vault);
            assert!(there.len() <= before.len() + 1, "byte {at}");
        }
    }
    assert!(refused > 5);
    let mut damaged = whole.clone();
    let last = damaged.len();
    damaged[last - 500] ^= 1;
    fs::write(&copy, &damaged).unwrap();
    let copies = log_copies(&one.dir, &one.dir).unwrap();
    let done = import_copies(&mut vault, &copies, &wanted, &mut go_on).unwrap();
    assert!(done.bad.iter().any(|bad| bad.fault == Fault::Damaged));
    fs::write(&copy, &whole).unwrap();
    merge(&one, &one.dir);
    let mut all = told(&mut one.open());
    all.sort_unstable();
    let mut expected = ids(&[1, 2, 3, 20, 21, 22, 23, 30]);
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[test]
fn a_copy_that_ends_inside_an_append_gives_what_was_whole_and_says_so() {
    let one = Machine::first();
    let two = one.synced();
    say(&mut two.open(), 20..22);
    let copy = one.conflict(&two.tail(), "TWO");
    let whole = fs::read(&copy).unwrap();
    fs::write(&copy, &whole[..whole.len() - 5]).unwrap();
    let done = merge(&one, &one.dir);
    assert_eq!(done.records, 1);
    assert_eq!(done.bad[0].fault, Fault::CutOff);
    fs::write(&copy, &whole).unwrap();
    assert_eq!(merge(&one, &one.dir).records, 1);
}

#[test]
fn other_vaults_and_epochs_that_were_rewritten_are_told_apart() {
    let one = Machine::first();
    let (two, stranger) = (one.synced(), Machine::first());
    say(&mut two.open(), 20..21);
    let mut vault = one.open();
    let other = try_merge(&mut vault, &stranger.dir, &one.dir);
    assert!(matches!(other, Err(TransferError::OtherVault)));
    let none = try_merge(&mut vault, &one.dir, &one.dir);
    assert!(matches!(none, Err(TransferError::NoCopies)));
    let gone = [2].into();
    let nothing = Default::default();
    vault.purge(&gone, &nothing, now(), &mut |_, _| {}).unwrap();
    let before = lines_of(&mut vault);
    let earlier = try_merge(&mut vault, &two.dir, &one.dir);
    assert!(matches!(earlier, Err(TransferError::OtherEpoch)));
    // A copy of the epoch as it is comes in beside it, and the others are named.
    let newer = one.synced();
    say(&mut newer.open(), 21..22);
    one.conflict(&newer.tail(), "NEWER");
    one.conflict(&stranger.tail(), "STRANGER");
    one.conflict(&two.tail(), "EARLIER");
    let done = merge(&one, &one.dir);
    let mut faults: Vec<_> = done.bad.iter().map(|bad| bad.fault).collect();
    faults.sort_by_key(|fault| *fault == Fault::OtherVault);
    assert_eq!(faults, [Fault::OtherEpoch, Fault::OtherVault]);
    assert_eq!(lines_of(&mut one.open()).len(), before.len() + 1);
}

#[test]
fn a_merge_that_was_cut_short_is_finished_by_the_next() {
    let one = Machine::first();
    let two = one.synced();
    say_much(&mut two.open(), 20..40);
    let copies = log_copies(&two.dir, &one.dir).unwrap();
    let mut vault = one.open();
    let mut calls = 0;
    let stopped = import_copies(&mut vault, &copies, &options(None), &mut |progress| {
        calls += usize::from(progress.step == Step::Import);
        match calls {
            0..4 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    assert!(matches!(stopped, Err(TransferError::Stopped)));
    let part = told(&mut vault).len();
    assert!((4..23).contains(&part), "{part}");
    merge(&one, &two.dir);
    let expected: Vec<u8> = (1..4).chain(20..40).collect();
    assert_eq!(told(&mut one.open()), ids(&expected));
}

#[test]
fn where_the_sync_tool_kept_the_other_machines_file_the_own_records_come_back() {
    let one = Machine::first();
    let two = one.synced();
    say(&mut one.open(), 10..12);
    say(&mut two.open(), 20..21);
    one.conflict(&one.tail(), "ONE");
    fs::copy(two.tail(), one.tail()).unwrap();
    let mut vault = one.open();
    assert!(matches!(
        vault.rollback(),
        Some(Rollback::LogTruncated { .. } | Rollback::LogForked { .. })
    ));
    let refused = try_merge(&mut vault, &one.dir, &one.dir);
    assert!(matches!(
        refused,
        Err(TransferError::Vault(VaultError::Rollback(_)))
    ));
    vault.accept_rollback(now()).unwrap();
    assert_eq!(merge(&one, &one.dir).records, 2);
    assert_eq!(told(&mut one.open()), ids(&[1, 2, 3, 20, 10, 11]));
}
