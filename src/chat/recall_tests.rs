//! The index beside its vault: damage, other logs, other processes, power cuts, purges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::chat::Wanted;
use crate::chat::find::tests::{at, said};
use crate::memory::Memory;
use crate::vault::Vault;
use crate::vault::testing::{
    Dir, FailingStore, Fault, Name, Part, Store, VolatileStore, new_vault, open_vault,
};

fn open(store: VolatileStore) -> Result<Vault, VaultError> {
    open_vault(Arc::new(store))
}

/// Messages with a common word, a middling one, and one of their own.
fn talk(numbers: std::ops::Range<u64>) -> Vec<Record> {
    let line = |n: u64| {
        let text = format!("a heron was seen near pond{} on tour{n}", n % 9);
        said(n / 20, Role::User, n as i64, &text)
    };
    numbers.map(line).collect()
}

/// A vault of `messages` whose index has so many files, and what is not in them.
fn indexed(files: u64, messages_each: u64, more: u64) -> VolatileStore {
    let store = VolatileStore::default();
    let mut vault = new_vault(store.clone());
    let mut recall = Recall::open(&mut vault).unwrap().unwrap();
    for n in 0..files {
        let numbers = n * messages_each..(n + 1) * messages_each;
        vault.append(&talk(numbers)).unwrap();
        recall.catch_up(&mut vault).unwrap();
        recall.settle(&mut vault, Merging::Small).unwrap();
    }
    let end = files * messages_each;
    vault.append(&talk(end..end + more)).unwrap();
    store
}

/// What some questions find, best first.
fn answers(vault: &mut Vault, recall: &mut Recall) -> Vec<Vec<u64>> {
    let memory = Memory::new();
    let asked = ["pond3", "heron", "tour77 tour5", "heron pond1 tour40"];
    let ask = |words: &&str| {
        let query = Query::plain(words);
        let found = recall.find(
            vault,
            &memory,
            &query,
            Wanted {
                most: 12,
                ..Wanted::default()
            },
            at(0),
        );
        found.unwrap().iter().map(|found| found.seq).collect()
    };
    asked.iter().map(ask).collect()
}

fn answers_of(store: &VolatileStore) -> Vec<Vec<u64>> {
    let mut vault = open(store.clone()).unwrap();
    let mut recall = Recall::open(&mut vault).unwrap().unwrap();
    answers(&mut vault, &mut recall)
}

/// The index's files, with what is in them.
fn files_of(store: &VolatileStore) -> BTreeMap<Name, Vec<u8>> {
    let epoch = open(store.clone()).unwrap().epoch();
    let listed = store.list(Dir::Live(epoch)).unwrap();
    let names = listed.into_iter().map(|found| found.name);
    names
        .filter(|name| matches!(name, Name::In(_, Part::IndexFile(_) | Part::IndexManifest)))
        .map(|name| (name, store.read(&name).unwrap().unwrap()))
        .collect()
}

#[test]
fn whatever_is_damaged_in_its_files_the_index_answers_as_before() {
    let disk = indexed(1, 600, 20);
    let expected = answers_of(&disk);
    assert!(expected.iter().all(|seqs| !seqs.is_empty()));
    for (name, bytes) in files_of(&disk) {
        let len = bytes.len();
        // Head, ciphertext, tags, end; and files that were cut, grew, are empty or gone.
        let places = (0..len)
            .step_by(len / 23 + 1)
            .chain([8, 70, len - 17, len - 1]);
        let flips = places.map(|at| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 4;
            Some(bytes)
        });
        let cuts = [0, 1, 95, len / 2, len - 1].map(|at| Some(bytes[..at].to_vec()));
        let grown = Some([bytes.as_slice(), b"x"].concat());
        for change in flips.chain(cuts).chain([grown, None]) {
            let disk = disk.snapshot();
            disk.put(name, change);
            assert_eq!(answers_of(&disk), expected);
        }
    }
}

#[test]
fn damage_that_only_a_question_meets_is_mended_while_it_is_answered() {
    let disk = indexed(1, 8000, 0);
    let expected = answers_of(&disk);
    let mut vault = open(disk.clone()).unwrap();
    let mut recall = Recall::open(&mut vault).unwrap().unwrap();
    for (name, bytes) in files_of(&disk) {
        if matches!(name, Name::In(_, Part::IndexFile(_))) {
            // The first chunk is of postings, which opening does not read.
            assert!(bytes.len() > 131_072);
            assert!(disk.tamper(&name, |bytes| bytes[1000] ^= 1));
        }
    }
    assert_eq!(answers(&mut vault, &mut recall), expected);
    recall.settle(&mut vault, Merging::All).unwrap();
    assert_eq!(answers_of(&disk), expected);
    // Sealed again: nothing is left to be built by the next.
    let again = Recall::open(&mut vault).unwrap().unwrap();
    assert_eq!(again.index().overlay_messages(), 0);
}

#[test]
fn an_index_of_another_history_of_the_same_vault_is_not_taken() {
    let base = VolatileStore::default();
    new_vault(base.clone()).append(&talk(0..10)).unwrap();
    let fork = |words: &str| {
        let disk = base.snapshot();
        let mut vault = open(disk.clone()).unwrap();
        let line = |n: u64| said(n / 20, Role::User, n as i64, &format!("{words} tour{n}"));
        vault
            .append(&(0..600).map(line).collect::<Vec<_>>())
            .unwrap();
        let mut recall = Recall::open(&mut vault).unwrap().unwrap();
        recall.settle(&mut vault, Merging::All).unwrap();
        disk
    };
    let (herons, storks) = (fork("heron"), fork("stork"));
    let expected = answers_of(&herons);
    for name in files_of(&herons).into_keys() {
        herons.put(name, None);
    }
    for (name, bytes) in files_of(&storks) {
        herons.put(name, Some(bytes));
    }
    assert_eq!(answers_of(&herons), expected);
}

#[test]
fn two_processes_that_flush_and_merge_in_turn_find_everything() {
    let store = VolatileStore::default();
    let mut one = new_vault(store.clone());
    let mut two = open(store.clone()).unwrap();
    let mut indexes = [
        Recall::open(&mut one).unwrap().unwrap(),
        Recall::open(&mut two).unwrap().unwrap(),
    ];
    let mut vaults = [one, two];
    for n in 0..10_u64 {
        let (me, other) = (n as usize % 2, 1 - n as usize % 2);
        vaults[me].append(&talk(n * 300..(n + 1) * 300)).unwrap();
        for who in [me, other] {
            vaults[who].refresh().unwrap();
            indexes[who].catch_up(&mut vaults[who]).unwrap();
        }
        // Both want to; whoever comes second finds that the other was first.
        indexes[me].settle(&mut vaults[me], Merging::Small).unwrap();
        indexes[other]
            .settle(&mut vaults[other], Merging::All)
            .unwrap();
        let expected = answers_of(&store);
        for who in [me, other] {
            assert_eq!(
                answers(&mut vaults[who], &mut indexes[who]),
                expected,
                "{n}"
            );
        }
    }
    assert!(files_of(&store).len() <= 12);
}

#[test]
fn a_power_cut_at_any_change_of_a_flush_with_a_merge_costs_no_answer() {
    let disk = indexed(3, 512, 512);
    let expected = answers_of(&disk);
    let deed = |store: Arc<FailingStore>| -> Result<(), ChatError> {
        let mut vault = open_vault(store)?;
        let mut recall = Recall::open(&mut vault)?.expect("a vault is kept");
        recall.settle(&mut vault, Merging::All)
    };
    let calm = Arc::new(FailingStore::new(disk.snapshot(), Fault::Once, usize::MAX));
    deed(calm.clone()).unwrap();
    assert!(calm.changes() >= 3);
    for fault in [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::Torn,
        Fault::Once,
        Fault::Late,
    ] {
        for n in 0..calm.changes() {
            let left = disk.snapshot();
            let store = Arc::new(FailingStore::new(left.clone(), fault, n));
            // Whether it was told or not: what is there is what counts.
            deed(store).ok();
            let left = left.snapshot();
            assert_eq!(answers_of(&left), expected, "{fault:?} at {n}");
            let mut vault = open(left.clone()).unwrap();
            let mut recall = Recall::open(&mut vault).unwrap().unwrap();
            for numbers in [5000..5600, 5600..6200] {
                vault.append(&talk(numbers)).unwrap();
                recall.catch_up(&mut vault).unwrap();
                recall.settle(&mut vault, Merging::All).unwrap();
            }
            // The next writers left one manifest, the files that it names, and nothing else.
            let named = recall.index().segment_count() + 1;
            assert_eq!(files_of(&left).len(), named, "{fault:?} at {n}");
        }
    }
}

#[test]
fn what_was_purged_is_found_by_nobody_and_a_running_process_goes_on() {
    let disk = indexed(1, 600, 0);
    let mut running = open(disk.clone()).unwrap();
    let mut recall = Recall::open(&mut running).unwrap().unwrap();
    let before = answers(&mut running, &mut recall);
    let purged: BTreeSet<u64> = before[0].iter().copied().collect();
    let mut other = open(disk.clone()).unwrap();
    let none = BTreeMap::new();
    other.purge(&purged, &none, at(9), &mut |_, _| {}).unwrap();
    running.refresh().unwrap();
    recall.catch_up(&mut running).unwrap();
    let after = answers(&mut running, &mut recall);
    assert!(after.iter().flatten().all(|seq| !purged.contains(seq)));
    let held = |seq: u64| {
        use crate::recall::source::Source;
        let own = format!("tour{}", seq - 1);
        recall.index().frequency(&own).unwrap()
    };
    assert!(purged.iter().all(|seq| held(*seq) == 0));
    // Its files are of the new epoch.
    running.append(&talk(700..1300)).unwrap();
    recall.catch_up(&mut running).unwrap();
    recall.settle(&mut running, Merging::All).unwrap();
    assert_eq!(files_of(&disk).len(), 2);
    assert_eq!(answers_of(&disk), answers(&mut running, &mut recall));
}
