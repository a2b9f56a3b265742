//! Two processes on one vault, at the worst moments.

use super::*;
use crate::seal::Header;
use crate::store::failing::FailingStore;
use crate::store::{Expected, Purpose};

fn two() -> (Vault, Vault, VolatileStore, VaultKey) {
    let (store, key) = fresh();
    let one = open(store.clone(), &key).unwrap();
    let two = open(store.clone(), &key).unwrap();
    (one, two, store, key)
}

#[test]
fn each_appends_on_top_of_what_the_other_appended() {
    let (mut one, mut two, store, key) = two();
    for n in 0..10 {
        let vault = if n % 3 == 0 { &mut one } else { &mut two };
        vault.append(&[numbered(n)]).unwrap();
    }
    assert_eq!(
        numbers(&mut open(store, &key).unwrap()),
        (0..10).collect::<Vec<_>>()
    );
}

#[test]
fn a_stale_handle_finds_the_tail_after_a_roll_over() {
    let (mut one, mut two, store, key) = two();
    two.append(&[numbered(100)]).unwrap();
    let next = fill(&mut one, 0);
    one.append(&[numbered(next)]).unwrap();
    assert_eq!(one.log.highest().0, 2);
    two.append(&[numbered(200)]).unwrap();
    assert_eq!(two.end().seq, one.end().seq + 1);
    let found = numbers(&mut open(store, &key).unwrap());
    assert_eq!((found[0], found[found.len() - 1]), (100, 200));
    assert_eq!(one.refresh().unwrap(), two.end());
}

/// A process that stops between writing the segment and removing the tail leaves both; a handle
/// that still holds the tail must not append to it.
#[test]
fn a_tail_beside_its_segment_is_finished_before_anything_is_appended() {
    for kept in [true, false] {
        let (mut one, mut two, store, key) = two();
        one.append(&[numbered(1)]).unwrap();
        two.refresh().unwrap();
        let old = tail_name(&one);
        let bytes = store.read(&old).unwrap().unwrap();
        let lock = store.exclusive(Purpose::Append, wait()).unwrap();
        one.roll_over(&lock).unwrap();
        drop(lock);
        store.put(old, Some(bytes));
        if !kept {
            // Stopped before the next tail was made.
            store.put(tail_name(&one), None);
        }
        let mut reader = open(store.clone(), &key).unwrap();
        assert_eq!(numbers(&mut reader), [1]);
        two.append(&[numbered(2)]).unwrap();
        let mut again = open(store.clone(), &key).unwrap();
        assert_eq!(numbers(&mut again), [1, 2], "next tail kept: {kept}");
        assert_eq!(store.revision(&old).unwrap(), None);
        assert!(again.verify(&mut |_, _| {}).unwrap().findings.is_empty());
    }
}

#[test]
fn a_reader_that_is_overtaken_by_a_roll_over_lists_again() {
    let (store, key) = fresh();
    let mut writer = open(store.clone(), &key).unwrap();
    let next = fill(&mut writer, 0);
    let hooked = FailingStore::hooked(store, "read", move || {
        writer.append(&[numbered(next)]).unwrap();
    });
    let mut reader = open(hooked, &key).unwrap();
    assert_eq!(numbers(&mut reader), (0..=next).collect::<Vec<_>>());
}

#[test]
fn an_append_that_waited_for_the_lock_sees_what_came_before_it() {
    let (store, key) = fresh();
    let mut other = open(store.clone(), &key).unwrap();
    let hooked = FailingStore::hooked(store.clone(), "exclusive", move || {
        let next = fill(&mut other, 0);
        other.append(&[numbered(next)]).unwrap();
    });
    let mut vault = open(hooked, &key).unwrap();
    vault.append(&[numbered(50)]).unwrap();
    assert_eq!(
        numbers(&mut open(store, &key).unwrap()),
        [0, 1, 2, 3, 4, 50]
    );
}

#[test]
fn a_tail_cut_by_the_other_is_read_again() {
    let (mut one, mut two, store, key) = two();
    one.append(&[numbered(1)]).unwrap();
    let whole = store.read(&tail_name(&one)).unwrap().unwrap().len();
    one.append(&[numbered(2)]).unwrap();
    // The reader sees a record whose sync then fails: it is cut, and another takes its place.
    two.refresh().unwrap();
    let view = &mut View::load(&mut two, folds::Numbers::default()).unwrap();
    assert_eq!(view.fold.seen, [1, 2]);
    store.tamper(&tail_name(&one), |bytes| bytes.truncate(whole));
    store.forget_witness();
    let mut third = open(store.clone(), &key).unwrap();
    third.append(&[numbered(3)]).unwrap();
    assert_eq!(two.refresh().unwrap(), third.end());
    view.catch_up(&mut two).unwrap();
    assert_eq!(view.fold.seen, [1, 3]);
    two.append(&[numbered(4)]).unwrap();
    assert_eq!(numbers(&mut open(store, &key).unwrap()), [1, 3, 4]);
}

#[test]
fn a_new_header_of_the_same_key_is_taken_over_and_one_of_another_key_is_not() {
    let (mut one, mut two, store, key) = two();
    let mut header: Header = one.header.clone();
    header.generation += 1;
    let lock = store.exclusive(Purpose::Slots, wait()).unwrap();
    let sealed = header.seal(&key).unwrap();
    store
        .replace(&lock, &Name::Header, Expected::Anything, &sealed)
        .unwrap();
    drop(lock);
    two.append(&[numbered(1)]).unwrap();
    assert_eq!(two.header.generation, 2);
    let copy = Name::In(Dir::Live(header.epoch), Part::HeaderCopy);
    assert_eq!(store.read(&copy).unwrap().unwrap(), sealed.bytes());

    let foreign = VaultKey::draw(header.vault).unwrap();
    let lock = store.exclusive(Purpose::Rekey, wait()).unwrap();
    let sealed = header.seal(&foreign).unwrap();
    store
        .replace(&lock, &Name::Header, Expected::Anything, &sealed)
        .unwrap();
    drop(lock);
    assert!(matches!(
        one.append(&[numbered(2)]),
        Err(VaultError::Rekeyed)
    ));
    assert!(matches!(two.refresh(), Err(VaultError::Rekeyed)));
}

#[test]
fn what_another_wrote_and_did_not_sync_is_synced_before_ours() {
    let (mut one, mut two, store, key) = two();
    one.append(&[numbered(1)]).unwrap();
    // As if the first had stopped between write and sync: nothing was witnessed.
    store.forget_witness();
    let counting = Arc::new(FailingStore::new(
        store.clone(),
        crate::store::failing::Fault::Once,
        usize::MAX,
    ));
    let mut third = LockedVault::open(counting.clone(), wait())
        .unwrap()
        .unlock_with_key(key.again())
        .unwrap();
    third.append(&[numbered(2)]).unwrap();
    let first = counting.changes();
    third.append(&[numbered(3)]).unwrap();
    assert_eq!(counting.changes() - first, 2, "one append, one witness");
    two.append(&[numbered(4)]).unwrap();
    third.append(&[numbered(5)]).unwrap();
    let covered = counting.changes() - first;
    assert_eq!(covered, 4, "what the witness covers is not synced again");
}
