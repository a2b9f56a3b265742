//! What holds for every `Log` and for every way to the index's files.

use super::*;
use crate::model::{Applied, Fold, FoldName};
use crate::store::{Dir, Found, Name, Part};
use crate::vault::{IndexFiles, SealedFile, VaultError, View};

/// Runs a test on the vault's own log and on a keeper's, with another process's handle beside it.
fn on_both(test: impl Fn(&mut dyn Log, &mut Vault)) {
    let store = fresh();
    test(&mut open(&store), &mut open(&store));
    let store = fresh();
    let keeper = Running::start(&store, Times::default());
    test(&mut keeper.client(), &mut open(&store));
}

fn on_both_indexes(test: impl Fn(&dyn IndexFiles, &dyn IndexFiles)) {
    let store = fresh();
    test(&open(&store).index_files(), &open(&store).index_files());
    let store = fresh();
    let keeper = Running::start(&store, Times::default());
    let own = open(&store).index_files();
    test(&keeper.client().index_files(), &own);
    test(&own, &keeper.client().index_files());
    let (one, two) = (keeper.client(), keeper.client());
    test(&one.index_files(), &two.index_files());
}

#[derive(Default)]
struct Names {
    seen: Vec<String>,
}

impl Fold for Names {
    fn name(&self) -> FoldName {
        FoldName::Conversations
    }

    fn version(&self) -> u32 {
        3
    }

    fn apply(&mut self, _seq: u64, record: &Record) -> Applied {
        if let Record::Lost(lost) = record {
            self.seen.push(lost.file.clone());
        }
        Applied::Known
    }

    fn save(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&serde_json::json!({ "seen": self.seen }))
    }

    fn load(&mut self, json: &[u8]) -> serde_json::Result<()> {
        #[derive(serde::Deserialize)]
        struct State {
            seen: Vec<String>,
        }
        self.seen = serde_json::from_slice::<State>(json)?.seen;
        Ok(())
    }

    fn reset(&mut self) {
        self.seen.clear();
    }
}

#[test]
fn what_is_appended_is_read_from_anywhere_and_by_others() {
    on_both(|log, other| {
        assert_eq!(log.append(&[numbered(1)]).unwrap().seq, 1);
        let end = log.append(&[numbered(2), numbered(3)]).unwrap();
        assert_eq!(numbers(log), [1, 2, 3]);
        assert_eq!(log.read(1).unwrap()[0].seq, 2);
        assert_eq!(log.read(3).unwrap().len(), 0);
        assert_eq!(log.position(3).unwrap(), Some(end));
        assert_eq!(log.position(4).unwrap(), None);
        assert_eq!(other.refresh().unwrap(), end);
        assert_eq!(log.position(2).unwrap(), other.position(2).unwrap());
        assert_eq!(numbers(other), [1, 2, 3]);
        assert_eq!(log.epoch(), other.epoch());
    });
}

#[test]
fn what_others_append_comes_with_a_refresh() {
    on_both(|log, other| {
        log.append(&[numbered(1)]).unwrap();
        let end = other.append(&[numbered(2)]).unwrap();
        assert_eq!(log.refresh().unwrap(), end);
        assert_eq!(log.append(&[numbered(3)]).unwrap().seq, 3);
        assert_eq!(numbers(log), [1, 2, 3]);
    });
}

#[test]
fn an_append_at_a_place_that_is_not_the_end_any_more_does_nothing() {
    on_both(|log, other| {
        let first = log.append(&[numbered(1)]).unwrap();
        let second = other.append_at(first, &[numbered(2)]).unwrap().unwrap();
        assert_eq!(log.append_at(first, &[numbered(9)]).unwrap(), None);
        assert_eq!(log.append_at(first, &[]).unwrap(), None);
        assert_eq!(log.append_at(second, &[]).unwrap(), Some(second));
        assert_eq!(
            log.append_at(second, &[numbered(3)]).unwrap().unwrap().seq,
            3
        );
        other.refresh().unwrap();
        assert_eq!(numbers(other), [1, 2, 3]);
    });
}

#[test]
fn a_fold_goes_on_from_its_checkpoint() {
    on_both(|log, other| {
        log.append(&[numbered(1), numbered(2)]).unwrap();
        let mut view = View::load(log, Names::default()).unwrap();
        view.save(log).unwrap();
        let saved = other.checkpoint(FoldName::Conversations).unwrap().unwrap();
        assert!(saved.starts_with(b"{\"v\":3,\"seq\":2,"));
        assert_eq!(
            log.checkpoint(FoldName::Conversations).unwrap(),
            Some(saved)
        );
        assert_eq!(log.checkpoint(FoldName::LongTermMemory).unwrap(), None);
        other.append(&[numbered(3)]).unwrap();
        log.refresh().unwrap();
        assert_eq!(view.catch_up(log).unwrap().len(), 1);
        let again = View::load(log, Names::default()).unwrap();
        assert_eq!(again.fold.seen, ["n1", "n2", "n3"]);
        assert_eq!(again.fold.seen, view.fold.seen);
    });
}

#[test]
fn a_checkpoint_ahead_of_the_log_is_not_taken() {
    on_both(|log, _| {
        let at = log.append(&[numbered(1)]).unwrap();
        let ahead = crate::seal::Position { seq: 9, ..at };
        let json = Zeroizing::new(b"{\"v\":1}".to_vec());
        log.put_checkpoint(FoldName::Conversations, 1, ahead, json)
            .unwrap();
        assert_eq!(log.checkpoint(FoldName::Conversations).unwrap(), None);
    });
}

#[test]
fn a_record_that_is_too_long_changes_nothing_and_a_long_one_arrives() {
    on_both(|log, _| {
        let of = |bytes: usize| {
            Record::Lost(Lost {
                file: "x".repeat(bytes),
            })
        };
        let outcome = log.append(&[of(17 << 20)]);
        assert!(matches!(outcome, Err(VaultError::RecordTooLong { .. })));
        assert_eq!(log.append(&[of(10 << 20)]).unwrap().seq, 1);
        assert_eq!(log.append(&[numbered(2)]).unwrap().seq, 2);
        let first = &log.read(0).unwrap()[0];
        assert!(first.line().len() > 10 << 20);
    });
}

#[test]
fn an_append_of_many_records_counts_as_one() {
    on_both(|log, other| {
        let many: Vec<Record> = (0..5000).map(numbered).collect();
        assert_eq!(log.append(&many).unwrap().seq, 5000);
        log.append(&[numbered(5000)]).unwrap();
        assert_eq!(numbers(log), (0..=5000).collect::<Vec<_>>());
        other.refresh().unwrap();
        assert_eq!(numbers(other), (0..=5000).collect::<Vec<_>>());
    });
}

#[test]
fn a_full_tail_is_settled() {
    on_both(|log, other| {
        for n in 0..5 {
            let padding = Record::Lost(Lost {
                file: "x".repeat(300_000),
            });
            log.append(&[numbered(n), padding]).unwrap();
        }
        log.settle().unwrap();
        other.refresh().unwrap();
        assert!(other.verify(&mut |_, _| {}).unwrap().segments >= 1);
        log.append(&[numbered(5)]).unwrap();
        assert_eq!(numbers(log), [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn an_index_file_is_opened_chunk_by_chunk_by_whoever_is_told_of_it() {
    on_both_indexes(|one, two| {
        let bytes: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        assert!(one.lock().unwrap());
        let file = one.write(&bytes).unwrap();
        let last = one.chunk(&file, 3).unwrap().unwrap();
        assert_eq!(*last, bytes[3 * 65_536..]);
        assert_eq!(
            *two.chunk(&file, 1).unwrap().unwrap(),
            bytes[65_536..2 * 65_536]
        );
        assert!(two.chunk(&file, 4).unwrap().is_none());
        let wrong = SealedFile {
            commit: [0; 32],
            ..file
        };
        let fresh_name = SealedFile {
            name: [9; 16],
            ..file
        };
        assert!(matches!(
            two.chunk(&fresh_name, 0),
            Err(VaultError::Restless)
        ));
        assert!(one.list().unwrap().contains(&file.name));
        one.remove(file.name).unwrap();
        assert!(!two.list().unwrap().contains(&file.name));
        assert!(matches!(one.chunk(&wrong, 0), Err(VaultError::Restless)));
        one.unlock();
    });
}

#[test]
fn a_manifest_is_replaced_by_the_one_who_read_the_last() {
    on_both_indexes(|one, two| {
        let start = one.manifest().unwrap().map(|(generation, _)| generation);
        assert!(one.lock().unwrap());
        let next = one.replace_manifest(start, b"first").unwrap();
        assert_eq!(next, Some(start.unwrap_or(0) + 1));
        assert_eq!(one.replace_manifest(start, b"late").unwrap(), None);
        let (generation, bytes) = two.manifest().unwrap().unwrap();
        assert_eq!(
            (Some(generation), bytes.as_slice()),
            (next, b"first".as_slice())
        );
        one.unlock();
    });
}

#[test]
fn one_writes_the_index_at_a_time() {
    on_both_indexes(|one, two| {
        assert!(one.lock().unwrap());
        assert!(!two.lock().unwrap());
        assert!(matches!(two.write(b"x"), Err(VaultError::IndexNotLocked)));
        assert!(matches!(
            two.remove([0; 16]),
            Err(VaultError::IndexNotLocked)
        ));
        one.unlock();
        assert!(two.lock().unwrap());
        two.unlock();
    });
}

#[test]
fn a_client_that_goes_leaves_no_lock_on_the_index() {
    let store = fresh();
    let keeper = Running::start(&store, Times::default());
    let client = keeper.client();
    let index = client.index_files();
    assert!(index.lock().unwrap());
    let own = open(&store).index_files();
    assert!(!own.lock().unwrap());
    drop((index, client));
    while !own.lock().unwrap() {
        std::thread::yield_now();
    }
}

#[test]
fn providers_keys_are_the_same_on_both_sides() {
    let store = fresh();
    let keeper = Running::start(&store, Times::default());
    let mut client = keeper.client();
    let secret = Zeroizing::new("sk-1".to_owned());
    client.put_provider_key("anthropic", &secret).unwrap();
    assert!(open(&store).provider_keys().unwrap().find("anthropic") == Some(&secret));
    assert!(client.provider_keys().unwrap().find("anthropic") == Some(&secret));
    assert!(client.remove_provider_key("anthropic").unwrap());
    assert!(!client.remove_provider_key("anthropic").unwrap());
    assert_eq!(client.provider_keys().unwrap().names().count(), 0);
}

#[test]
fn a_vault_that_was_rolled_back_says_so_through_the_keeper() {
    let store = fresh();
    let mut vault = open(&store);
    vault.append(&[numbered(1)]).unwrap();
    let files = store.list(Dir::Live(vault.epoch())).unwrap();
    let is_tail = |found: &&Found| matches!(found.name, Name::In(_, Part::Tail(_)));
    let tail = files.iter().find(is_tail).unwrap().clone();
    vault.append(&[numbered(2)]).unwrap();
    drop(vault);
    store.tamper(&tail.name, |bytes| bytes.truncate(tail.bytes as usize));
    let keeper = Running::start(&store, Times::default());
    let mut client = keeper.client();
    assert!(client.last_condition().rollback.is_some());
    let outcome = client.append(&[numbered(2)]);
    assert!(matches!(outcome, Err(VaultError::Rollback(_))));
    let now = "2026-11-22T10:00:00Z".parse().unwrap();
    client.accept_rollback(now).unwrap();
    assert_eq!(client.append(&[numbered(2)]).unwrap().seq, 3);
    assert!(client.condition().unwrap().rollback.is_none());
}

#[test]
fn a_record_is_read_alone() {
    on_both(|log, _| {
        let record = |text: &str| {
            Record::Lost(crate::model::Lost {
                file: text.to_owned(),
            })
        };
        log.append(&[record("one"), record("two")]).unwrap();
        let end = log.refresh().unwrap().seq;
        assert_eq!(log.record(end).unwrap(), Some(record("two")));
        assert_eq!(log.record(end - 1).unwrap(), Some(record("one")));
        assert_eq!(log.record(end + 1).unwrap(), None);
        assert_eq!(log.record(0).unwrap(), None);
    });
}

#[test]
fn whoever_reads_on_gets_every_chunk_whatever_was_asked_for_in_between() {
    use crate::seal::CHUNK_BYTES;
    on_both_indexes(|one, other| {
        assert!(one.lock().unwrap());
        let made = |chunks: usize, salt: usize| -> Vec<u8> {
            let byte = |n: usize| (n / CHUNK_BYTES * 7 + n % 251 + salt) as u8;
            (0..chunks * CHUNK_BYTES - 100).map(byte).collect()
        };
        let bytes = [made(45, 0), made(3, 9)];
        let files = [&bytes[0], &bytes[1]].map(|bytes| one.write(bytes).unwrap());
        one.unlock();
        let expect = |of: usize, n: usize| {
            let chunk = other.chunk(&files[of], n as u64).unwrap();
            let wanted = bytes[of].chunks(CHUNK_BYTES).nth(n);
            assert_eq!(chunk.as_deref().map(Vec::as_slice), wanted, "{of} {n}");
        };
        (0..47).for_each(|n| expect(0, n));
        (0..5).for_each(|n| expect(1, n));
        // Back, on, and away in the midst of it.
        (20..30).for_each(|n| expect(0, n));
        (0..2).for_each(|n| expect(1, n));
        (30..40).for_each(|n| expect(0, n));
        expect(0, 3);
        (39..46).for_each(|n| expect(0, n));
    });
}
