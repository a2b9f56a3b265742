//! One suite that every store passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zeroize::Zeroizing;

use super::*;
use crate::seal::{DataKey, Tail, TailStart, VaultKey};

const EPOCH: EpochId = EpochId([2; 16]);
const DRAFT: Dir = Dir::Draft(EPOCH, [3; 8]);
const TAIL: Name = Name::In(Dir::Live(EPOCH), Part::Tail(1));
const WAIT: Wait = Wait {
    limit: Duration::from_secs(5),
    on_rewrite: |_| {},
};

struct Fixture {
    stores: Vec<Box<dyn Store>>,
    key: DataKey,
    _dir: Option<tempfile::TempDir>,
}

impl Fixture {
    /// Two handles on one store, with a live epoch that has a tail.
    fn all() -> Vec<Fixture> {
        let key = || VaultKey::draw(VaultId([1; 16])).unwrap().data_key(EPOCH);
        let shared = VolatileStore::default();
        let dir = tempfile::tempdir().unwrap();
        let file = || FileStore::create(&dir.path().join("v"), &dir.path().join("w")).unwrap();
        let files: Vec<Box<dyn Store>> = vec![Box::new(file()), Box::new(file())];
        let volatile: Vec<Box<dyn Store>> = vec![Box::new(shared.clone()), Box::new(shared)];
        let fixtures = vec![
            Fixture {
                stores: files,
                key: key(),
                _dir: Some(dir),
            },
            Fixture {
                stores: volatile,
                key: key(),
                _dir: None,
            },
        ];
        for fixture in &fixtures {
            let store = &fixture.stores[0];
            let lock = store.exclusive(Purpose::Init, WAIT).unwrap();
            store.draft(&lock, DRAFT).unwrap();
            let (_, file) = fixture.tail();
            let name = Name::In(DRAFT, Part::Tail(1));
            store
                .replace(&lock, &name, Expected::Absent, &file)
                .unwrap();
            store.publish(&lock, DRAFT).unwrap();
        }
        fixtures
    }

    fn tail(&self) -> (Tail, Sealed) {
        Tail::create(
            &self.key,
            1,
            TailStart {
                before: self.key.chain().start(),
            },
        )
        .unwrap()
    }

    fn frames(&self, text: &str) -> SealedFrames {
        let chain = self.key.chain();
        let record = Zeroizing::new(text.as_bytes().to_vec());
        self.tail()
            .0
            .seal(&chain, chain.start(), &[record])
            .unwrap()
            .0
    }
}

#[test]
fn what_is_replaced_is_read_back_and_only_where_it_was_expected() {
    for f in Fixture::all() {
        let (one, two) = (&f.stores[0], &f.stores[1]);
        let name = Name::In(Dir::Live(EPOCH), Part::LongTermMemory);
        let lock = one.exclusive(Purpose::Checkpoint, WAIT).unwrap();
        assert_eq!(two.read(&name).unwrap(), None);
        let sealed = f.tail().1;
        one.replace(&lock, &name, Expected::Absent, &sealed)
            .unwrap();
        assert_eq!(two.read(&name).unwrap().unwrap(), sealed.bytes());
        assert_eq!(two.size(&name).unwrap(), Some(sealed.bytes().len() as u64));
        assert_eq!(
            two.read_at(&name, 3, 4).unwrap().unwrap(),
            &sealed.bytes()[3..7]
        );
        assert_eq!(two.read_at(&name, 1 << 40, 4).unwrap().unwrap(), b"");
        let again = one.replace(&lock, &name, Expected::Absent, &sealed);
        assert!(matches!(again, Err(StoreError::Conflict { .. })));
        let held = two.revision(&name).unwrap().unwrap();
        one.replace(&lock, &name, Expected::Anything, &sealed)
            .unwrap();
        assert_ne!(two.revision(&name).unwrap(), Some(held));
        let stale = two.replace(&lock, &name, Expected::Unchanged(held), &sealed);
        assert!(matches!(stale, Err(StoreError::Conflict { .. })));
        one.remove(&lock, &name).unwrap();
        assert_eq!(two.revision(&name).unwrap(), None);
    }
}

#[test]
fn an_append_lands_only_at_the_end_of_the_tail_that_is_held() {
    for f in Fixture::all() {
        let (one, two) = (&f.stores[0], &f.stores[1]);
        let lock = one.exclusive(Purpose::Append, WAIT).unwrap();
        let (mine, theirs) = (
            one.revision(&TAIL).unwrap().unwrap(),
            two.revision(&TAIL).unwrap().unwrap(),
        );
        let end = one.size(&TAIL).unwrap().unwrap();
        let frames = f.frames("hello");
        one.append(&lock, &TAIL, mine, end, &frames).unwrap();
        let stale = two.append(&lock, &TAIL, theirs, end, &frames);
        assert!(matches!(stale, Err(StoreError::Conflict { .. })));
        let end = two.size(&TAIL).unwrap().unwrap();
        two.append(&lock, &TAIL, theirs, end, &frames).unwrap();
        two.sync(&lock, &TAIL, theirs).unwrap();
        assert_eq!(
            one.revision(&TAIL).unwrap(),
            Some(mine),
            "appending makes no new file"
        );
        one.replace(&lock, &TAIL, Expected::Unchanged(mine), &f.tail().1)
            .unwrap();
        let gone = two.append(&lock, &TAIL, theirs, 192, &frames);
        assert!(matches!(gone, Err(StoreError::Conflict { .. })));
    }
}

#[test]
fn a_torn_end_is_kept_and_cut() {
    for f in Fixture::all() {
        let store = &f.stores[0];
        let lock = store.exclusive(Purpose::Append, WAIT).unwrap();
        let held = store.revision(&TAIL).unwrap().unwrap();
        let end = store.size(&TAIL).unwrap().unwrap();
        store
            .append(&lock, &TAIL, held, end, &f.frames("hello"))
            .unwrap();
        store.quarantine_end(&lock, &TAIL, held, end).unwrap();
        assert_eq!(store.size(&TAIL).unwrap(), Some(end));
        assert_eq!(store.revision(&TAIL).unwrap(), Some(held));
    }
}

#[test]
fn the_exclusive_lock_excludes_and_names_itself() {
    for f in Fixture::all() {
        let (one, two) = (&f.stores[0], &f.stores[1]);
        let no_wait = Wait::seconds(0);
        let held = one.exclusive(Purpose::Slots, WAIT).unwrap();
        for refused in [
            two.exclusive(Purpose::Append, no_wait).err(),
            two.shared(no_wait).err(),
        ] {
            match refused {
                Some(StoreError::Locked {
                    holder: Some(holder),
                }) => {
                    assert_eq!(holder.pid, std::process::id());
                    assert_eq!(holder.command, "slots");
                }
                Some(StoreError::Locked { holder: None }) => assert!(f._dir.is_none()),
                _ => panic!("not refused"),
            }
        }
        drop(held);
        let shared = (one.shared(no_wait).unwrap(), two.shared(no_wait).unwrap());
        assert!(two.exclusive(Purpose::Append, no_wait).is_err());
        drop(shared);
        assert!(two.exclusive(Purpose::Append, no_wait).is_ok());
        // One store excludes itself too, whatever it keeps open in between.
        for _ in 0..2 {
            let held = one.exclusive(Purpose::Append, no_wait).unwrap();
            assert!(one.exclusive(Purpose::Append, no_wait).is_err());
            assert!(one.shared(no_wait).is_err());
            drop(held);
            let shared = (one.shared(no_wait).unwrap(), one.shared(no_wait).unwrap());
            drop(shared.0);
            assert!(one.exclusive(Purpose::Append, no_wait).is_err());
            drop(shared.1);
        }
        let index = one.index_lock(EPOCH).unwrap();
        assert!(index.is_some());
        assert!(two.index_lock(EPOCH).unwrap().is_none());
        drop(index);
        assert!(two.index_lock(EPOCH).unwrap().is_some());
    }
}

#[test]
fn a_lock_file_that_was_taken_away_is_no_lock_any_more() {
    for f in Fixture::all().into_iter().filter(|f| f._dir.is_some()) {
        let (one, two) = (&f.stores[0], &f.stores[1]);
        drop(one.exclusive(Purpose::Append, WAIT).unwrap());
        std::fs::remove_file(f._dir.as_ref().unwrap().path().join("v/lock")).unwrap();
        let held = two.exclusive(Purpose::Append, WAIT).unwrap();
        assert!(one.exclusive(Purpose::Append, Wait::seconds(0)).is_err());
        drop(held);
    }
}

#[test]
fn a_draft_counts_once_it_is_published_and_a_sweep_removes_others() {
    for f in Fixture::all() {
        let store = &f.stores[0];
        let lock = store.exclusive(Purpose::Rekey, WAIT).unwrap();
        let other = EpochId([9; 16]);
        let draft = Dir::Draft(other, [4; 8]);
        store.draft(&lock, draft).unwrap();
        let name = Name::In(draft, Part::Tail(1));
        store
            .replace(&lock, &name, Expected::Absent, &f.tail().1)
            .unwrap();
        assert_eq!(store.epochs().unwrap(), [Dir::Live(EPOCH), draft]);
        assert_eq!(store.sweep(&lock, EPOCH).unwrap(), 1);
        assert_eq!(store.epochs().unwrap(), [Dir::Live(EPOCH)]);
        let found: Vec<Name> = store
            .list(Dir::Live(EPOCH))
            .unwrap()
            .into_iter()
            .map(|f| f.name)
            .collect();
        assert_eq!(found, [TAIL]);
        assert_eq!(store.names(Dir::Live(EPOCH)).unwrap(), found);
        store.discard(&lock, Dir::Live(EPOCH)).unwrap();
        assert!(store.list(Dir::Live(EPOCH)).unwrap().is_empty());
        assert!(store.strangers().unwrap().is_empty());
    }
}

#[test]
fn what_is_set_aside_is_no_epoch_any_more_and_goes_when_it_is_cleared() {
    for f in Fixture::all() {
        let store = &f.stores[0];
        let lock = store.exclusive(Purpose::Repair, WAIT).unwrap();
        assert!(store.aside().unwrap().is_empty());
        store.set_aside(&lock, EPOCH).unwrap();
        assert!(store.epochs().unwrap().is_empty());
        assert!(store.list(Dir::Live(EPOCH)).unwrap().is_empty());
        assert_eq!(store.aside().unwrap(), [Dir::Live(EPOCH).file_name()]);
        // The same once more, put back by hand, is not in the way of anything.
        store.draft(&lock, DRAFT).unwrap();
        let name = Name::In(DRAFT, Part::Tail(1));
        let tail = f.tail().1;
        store
            .replace(&lock, &name, Expected::Absent, &tail)
            .unwrap();
        store.publish(&lock, DRAFT).unwrap();
        store.set_aside(&lock, EPOCH).unwrap();
        assert!(store.epochs().unwrap().is_empty());
        store.clear_aside(&lock).unwrap();
        assert!(store.aside().unwrap().is_empty());
        store.clear_aside(&lock).unwrap();
        assert!(store.strangers().unwrap().is_empty());
    }
}

#[test]
fn a_copy_has_the_length_that_was_asked_for_or_is_not_there() {
    for f in Fixture::all() {
        let (one, two) = (&f.stores[0], VolatileStore::default());
        let lock = one.exclusive(Purpose::Init, WAIT).unwrap();
        let held = one.revision(&TAIL).unwrap().unwrap();
        let frames = f.frames(&"hello".repeat(500_000));
        let end = one.size(&TAIL).unwrap().unwrap();
        one.append(&lock, &TAIL, held, end, &frames).unwrap();
        let whole = one.read(&TAIL).unwrap().unwrap();
        let other = Dir::Draft(EpochId([8; 16]), [1; 8]);
        one.draft(&lock, other).unwrap();
        let to = |number| Name::In(other, Part::Tail(number));
        for (number, store) in [(1, one.as_ref()), (2, &two as &dyn Store)] {
            let copy = |bytes| store.copy_from(&lock, &to(number), one.as_ref(), &TAIL, bytes);
            let vanished = copy(whole.len() as u64 + 1);
            assert!(matches!(vanished, Err(StoreError::Vanished { .. })));
            assert_eq!(store.read(&to(number)).unwrap(), None);
            copy(2_000_000).unwrap();
            assert!(store.read(&to(number)).unwrap().unwrap() == whole[..2_000_000]);
            assert!(copy(1).is_err(), "the name is taken");
        }
    }
}

#[test]
fn both_places_of_the_witness_are_kept_apart() {
    for f in Fixture::all() {
        let vault = VaultId([1; 16]);
        let key = VaultKey::draw(vault).unwrap();
        assert_eq!(f.stores[0].witness(vault).unwrap(), None);
        let witness = |generation| crate::seal::Witness {
            epoch: EPOCH,
            generation,
            at: f.key.chain().start(),
        };
        f.stores[0]
            .put_witness(vault, 1, &witness(1).seal(&key))
            .unwrap();
        f.stores[1]
            .put_witness(vault, 0, &witness(2).seal(&key))
            .unwrap();
        let both = f.stores[0].witness(vault).unwrap().unwrap();
        let read = |at: usize| crate::seal::Witness::open(&key, &both[at..at + 4096]);
        assert_eq!((read(0), read(4096)), (Some(witness(2)), Some(witness(1))));
    }
}

#[test]
fn a_change_wakes_the_watcher_of_another_handle() {
    for f in Fixture::all() {
        let woken = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = std::sync::mpsc::channel();
        let count = woken.clone();
        let wake = Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            sender.send(()).ok();
        });
        let _watching = f.stores[1].watch(wake).unwrap();
        let store = &f.stores[0];
        let lock = store.exclusive(Purpose::Append, WAIT).unwrap();
        let held = store.revision(&TAIL).unwrap().unwrap();
        let end = store.size(&TAIL).unwrap().unwrap();
        store
            .append(&lock, &TAIL, held, end, &f.frames("hello"))
            .unwrap();
        receiver.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}

#[test]
fn a_claimed_name_is_free_again_when_the_claim_is_dropped() {
    for f in Fixture::all() {
        let claim = f.stores[0].claim([7; 16]).unwrap();
        assert!(claim.is_some());
        assert!(f.stores[1].claim([7; 16]).unwrap().is_none());
        assert!(f.stores[1].claim([8; 16]).unwrap().is_some());
        drop(claim);
        assert!(f.stores[1].claim([7; 16]).unwrap().is_some());
    }
}
