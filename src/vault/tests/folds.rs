//! Checkpoints: never a loss, never ahead, always equal to a replay.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::model::{Applied, Fold};

/// A fold that remembers the numbers of the records it saw.
#[derive(Default, Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Numbers {
    pub seen: Vec<usize>,
    #[serde(skip)]
    pub version: u32,
}

impl Fold for Numbers {
    fn name(&self) -> FoldName {
        FoldName::LongTermMemory
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn apply(&mut self, _seq: u64, record: &Record) -> Applied {
        self.seen.extend(number(record));
        if *record == Record::Unknown {
            Applied::Unknown
        } else {
            Applied::Known
        }
    }

    fn save(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    fn load(&mut self, json: &[u8]) -> serde_json::Result<()> {
        let version = self.version;
        *self = serde_json::from_slice(json)?;
        self.version = version;
        Ok(())
    }

    fn reset(&mut self) {
        self.seen.clear();
    }
}

fn of_version(version: u32) -> Numbers {
    Numbers {
        seen: Vec::new(),
        version,
    }
}

fn checkpoint_name(vault: &Vault) -> Name {
    Name::In(Dir::Live(vault.header.epoch), Part::LongTermMemory)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Appends, saves and reloads in any order: the state is always that of a replay from 1.
    #[test]
    fn checkpoint_and_replay_equal_a_replay_from_one(steps in prop::collection::vec(0_u8..8, 1..60)) {
        let (store, key) = fresh();
        let mut vault = open(store.clone(), &key).unwrap();
        let mut view = View::load(&mut vault, Numbers::default()).unwrap();
        let mut appended = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                0 => view.save(&mut vault).unwrap(),
                1 => {
                    vault = open(store.clone(), &key).unwrap();
                    view = View::load(&mut vault, Numbers::default()).unwrap();
                }
                2 => {
                    let many: Vec<Record> = (0..4100).map(|i| numbered(i + n)).collect();
                    vault.append(&many).unwrap();
                    appended.extend((0..4100).map(|i| i + n));
                }
                _ => {
                    vault.append(&[numbered(n), numbered(n + 1)]).unwrap();
                    appended.extend([n, n + 1]);
                }
            }
            view.catch_up(&mut vault).unwrap();
            prop_assert_eq!(&view.fold.seen, &appended);
        }
    }
}

#[test]
fn a_checkpoint_that_is_missing_damaged_or_of_another_version_is_made_again() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    for n in 0..300 {
        vault.append(&[numbered(n)]).unwrap();
    }
    let mut view = View::load(&mut vault, of_version(1)).unwrap();
    assert!(view.is_behind());
    view.save(&mut vault).unwrap();
    assert!(!view.is_behind());
    let name = checkpoint_name(&vault);
    let good = store.read(&name).unwrap().unwrap();
    let loaded = View::load(&mut vault, of_version(1)).unwrap();
    assert!(!loaded.was_rebuilt());

    let other = View::load(&mut vault, of_version(2)).unwrap();
    assert!(other.was_rebuilt() && other.fold.seen == view.fold.seen);
    for bytes in [None, Some(good[..100].to_vec()), Some(b"nonsense".to_vec())] {
        store.put(name, bytes);
        let mut again = open(store.clone(), &key).unwrap();
        assert!(again.rollback().is_none());
        let rebuilt = View::load(&mut again, of_version(1)).unwrap();
        assert!(rebuilt.was_rebuilt() && rebuilt.fold.seen == view.fold.seen);
    }
}

#[test]
fn a_checkpoint_of_a_newer_version_or_a_later_record_is_not_overwritten() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    vault.append(&[numbered(1)]).unwrap();
    let mut old = View::load(&mut vault, of_version(1)).unwrap();
    vault.append(&[numbered(2)]).unwrap();
    let mut new = View::load(&mut vault, of_version(1)).unwrap();
    new.save(&mut vault).unwrap();
    let name = checkpoint_name(&vault);
    let kept = store.read(&name).unwrap();
    old.save(&mut vault).unwrap();
    assert_eq!(store.read(&name).unwrap(), kept, "older than what is there");
    let mut newer = View::load(&mut vault, of_version(3)).unwrap();
    newer.save(&mut vault).unwrap();
    let kept = store.read(&name).unwrap();
    vault.append(&[numbered(3)]).unwrap();
    let mut old = View::load(&mut vault, of_version(1)).unwrap();
    old.save(&mut vault).unwrap();
    assert_eq!(store.read(&name).unwrap(), kept, "of a newer version");
}

#[test]
fn a_fold_that_met_an_unknown_record_is_not_saved() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let line = br#"{"v":1,"type":"weather"}"#.to_vec();
    vault.append_lines(&[Zeroizing::new(line)]).unwrap();
    vault.append(&[numbered(1)]).unwrap();
    let mut view = View::load(&mut vault, Numbers::default()).unwrap();
    assert_eq!(view.fold.seen, [1]);
    view.save(&mut vault).unwrap();
    assert_eq!(store.read(&checkpoint_name(&vault)).unwrap(), None);
}

#[test]
fn a_checkpoint_is_replaced_with_a_higher_generation() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let mut view = View::load(&mut vault, Numbers::default()).unwrap();
    for expected in 1..4_u64 {
        vault.append(&[numbered(1)]).unwrap();
        view.catch_up(&mut vault).unwrap();
        view.save(&mut vault).unwrap();
        let bytes = store.read(&checkpoint_name(&vault)).unwrap().unwrap();
        assert_eq!(bytes[56..64], expected.to_be_bytes());
    }
}
