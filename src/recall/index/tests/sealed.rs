//! The files: equal to plain arrays, merged, shared, damaged, copied.

use super::*;

#[test]
fn the_sealed_index_ranks_as_plain_arrays_do_to_the_last_bit() {
    let records = history(3_000, 1);
    let plain = plain(&records);
    for (flush_every, merging) in [
        (97, Merging::All),
        (512, Merging::Small),
        (1400, Merging::All),
    ] {
        let shelf = Shared::default();
        let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
        fed(&mut index, &records, flush_every, merging);
        let again = {
            let mut again = Index::open(Box::new(shelf), 3).unwrap();
            let from = again.seq() as usize;
            for (n, record) in records.iter().enumerate().skip(from) {
                again.apply(n as u64 + 1, record);
            }
            again
        };
        assert_eq!(index.contents().sums, plain.contents().sums);
        for question in QUESTIONS {
            let expected = ranked(&plain, question, 50);
            assert_eq!(expected.len(), 50);
            assert_eq!(expected, ranked(&index, question, 50), "{question}");
            assert_eq!(expected, ranked(&again, question, 50), "{question}");
        }
    }
}

#[test]
fn more_messages_than_are_all_scored_rank_alike_and_a_rare_word_opens_a_few_chunks() {
    let mut records = history(20_500, 2);
    records.push(message(5, Role::User, 0, "the capercaillie"));
    let plain = plain(&records);
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 64).unwrap();
    fed(&mut index, &records, 11_000, Merging::All);
    for question in QUESTIONS {
        assert_eq!(
            ranked(&plain, question, 20),
            ranked(&index, question, 20),
            "{question}"
        );
    }
    assert!(index.flush([1; 32], Merging::All).unwrap());
    let chunks = shelf.0.bytes() as u64 / 65_536;
    let again = Index::open(Box::new(shelf.clone()), 64).unwrap();
    let before = shelf.0.chunks_read();
    assert_eq!(find(&again, "capercaillie", &Filter::default()), [20_501]);
    let opened = shelf.0.chunks_read() - before;
    assert!(chunks >= 12 && opened <= 6, "{opened} of {chunks}");
}

#[test]
fn merging_keeps_the_number_of_files_small() {
    let records = history(4_000, 3);
    let mut index = Index::open(Box::new(VolatileShelf::default()), 8).unwrap();
    fed(&mut index, &records, 40, Merging::All);
    assert!(index.segment_count() <= 15, "{}", index.segment_count());
}

#[test]
fn another_process_is_noticed_and_its_lock_respected() {
    let shelf = Shared::default();
    let mut one = Index::open(Box::new(shelf.clone()), 8).unwrap();
    let mut two = Index::open(Box::new(shelf.clone()), 8).unwrap();
    for index in [&mut one, &mut two] {
        index.apply(1, &message(1, Role::User, 0, "a kestrel"));
    }
    let lock = shelf.try_lock().unwrap().unwrap();
    assert!(!one.flush([1; 32], Merging::All).unwrap());
    drop(lock);
    assert!(one.flush([1; 32], Merging::All).unwrap());
    assert!(!two.is_current().unwrap());
    let refused = two.flush([1; 32], Merging::All);
    assert!(matches!(
        refused,
        Err(RecallError::Shelf(ShelfError::Conflict))
    ));
    assert_eq!(find(&two, "kestrel", &Filter::default()), [1]);
    assert_eq!(shelf.list().unwrap().len(), 1);
}

#[test]
fn files_that_no_manifest_names_are_removed_by_the_next_writer() {
    let shelf = Shared::default();
    shelf.write(b"left by a crash").unwrap();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    index.apply(1, &message(1, Role::User, 0, "a wren"));
    assert!(index.flush([1; 32], Merging::All).unwrap());
    assert_eq!(shelf.list().unwrap().len(), 1);
    assert_eq!(
        find(
            &Index::open(Box::new(shelf), 8).unwrap(),
            "wren",
            &Filter::default()
        ),
        [1]
    );
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let mut records = history(120, 6);
    records.push(message(77, Role::User, 0, "a bittern"));
    let mut random = Random(9);
    for round in 0..200 {
        let shelf = Shared::default();
        let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
        fed(&mut index, &records, u64::MAX, Merging::All);
        assert!(index.flush([1; 32], Merging::All).unwrap());
        shelf.0.tamper(|bytes| {
            let at = random.below(bytes.len() as u64) as usize;
            // Late bytes are directory and footer: hit them as often as all others.
            let at = if round % 2 == 0 {
                at
            } else {
                bytes.len() - 1 - at % 1500
            };
            bytes[at] ^= 1 << random.below(8);
        });
        if let Ok(index) = Index::open(Box::new(shelf), 8) {
            for question in QUESTIONS {
                let question = Question::of(question, &index);
                // Some flips only change a count; what matters is that all stays within bounds.
                let _ = rank(&index, &question, &Weights::default(), 5, &mut |_, _| true);
            }
        }
    }
}

#[test]
fn a_cut_file_does_not_open() {
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    fed(&mut index, &history(50, 7), u64::MAX, Merging::All);
    assert!(index.flush([1; 32], Merging::All).unwrap());
    shelf.0.tamper(|bytes| bytes.truncate(bytes.len() - 1));
    assert!(matches!(
        Index::open(Box::new(shelf), 8),
        Err(RecallError::Damaged)
    ));
}

#[test]
fn an_index_of_another_version_is_as_none() {
    let shelf = Shared::default();
    shelf
        .replace_manifest(None, br#"{"v":99,"seq":5,"anything":[]}"#)
        .unwrap();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    assert_eq!(index.seq(), 0);
    index.apply(1, &message(1, Role::User, 0, "a dunlin"));
    assert!(index.flush([1; 32], Merging::All).unwrap());
    assert_eq!(
        find(
            &Index::open(Box::new(shelf), 8).unwrap(),
            "dunlin",
            &Filter::default()
        ),
        [1]
    );
}

#[test]
fn a_flush_that_fails_changes_nothing_and_may_be_tried_again() {
    let records = history(600, 12);
    for fault in [Fault::Write, Fault::Manifest] {
        let shelf = Shared::default();
        let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
        for part in [0..200, 200..400, 400..600] {
            for n in part {
                index.apply(n as u64 + 1, &records[n]);
            }
            shelf.1.set(fault);
            let expected = ranked(&index, "w1x w2x", 20);
            assert!(index.flush([1; 32], Merging::All).is_err());
            assert_eq!(ranked(&index, "w1x w2x", 20), expected);
            assert!(index.flush([1; 32], Merging::All).unwrap());
            assert_eq!(ranked(&index, "w1x w2x", 20), expected);
        }
        assert_eq!(shelf.list().unwrap().len(), 3);
    }
}

#[test]
fn a_flush_of_nothing_writes_nothing() {
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    index.apply(1, &message(1, Role::User, 0, "a plover"));
    assert!(index.flush([1; 32], Merging::All).unwrap());
    let before = shelf.manifest().unwrap().unwrap().generation;
    assert!(index.flush([1; 32], Merging::All).unwrap());
    assert_eq!(shelf.manifest().unwrap().unwrap().generation, before);
}
