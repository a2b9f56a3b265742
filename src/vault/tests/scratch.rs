//! Incognito on a vault: everything is read and nothing is written.

use super::*;
use crate::model::{Applied, Fold};

/// The numbers it met, in order.
#[derive(Default)]
struct Met(Vec<usize>);

impl Fold for Met {
    fn name(&self) -> FoldName {
        FoldName::Conversations
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&mut self, _seq: u64, record: &Record) -> Applied {
        self.0.extend(number(record));
        Applied::Known
    }

    fn save(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&serde_json::json!({ "met": self.0 }))
    }

    fn load(&mut self, json: &[u8]) -> serde_json::Result<()> {
        let state: serde_json::Value = serde_json::from_slice(json)?;
        self.0 = serde_json::from_value(state["met"].clone())?;
        Ok(())
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}

/// Everything on a disk.
fn files(store: &VolatileStore) -> Vec<(String, Vec<u8>)> {
    let dirs = store.epochs().unwrap().into_iter();
    let names = dirs.flat_map(|dir| store.names(dir).unwrap());
    names
        .map(|name| (name.to_string(), store.read(&name).unwrap().unwrap()))
        .collect()
}

/// A vault of three records, and incognito on top of it.
fn on_three() -> (InRam, ScratchLog) {
    let vault = InRam::new();
    let mut log = vault.open();
    log.append(&[numbered(1), numbered(2), numbered(3)])
        .unwrap();
    let mut view = View::load(&mut log, Met::default()).unwrap();
    view.save(&mut log).unwrap();
    let scratch = ScratchLog::over(Box::new(vault.open())).unwrap();
    (vault, scratch)
}

#[test]
fn what_is_appended_in_incognito_stands_behind_the_vaults_and_never_gets_there() {
    let (vault, mut scratch) = on_three();
    let before = files(&vault.store);
    let mut view = View::load(&mut scratch, Met::default()).unwrap();
    assert_eq!(view.fold.0, [1, 2, 3]);
    let end = scratch.append(&[numbered(4)]).unwrap();
    assert_eq!((end.seq, scratch.refresh().unwrap()), (4, end));
    assert_eq!(
        scratch.append_at(end, &[numbered(5)]).unwrap().unwrap().seq,
        5
    );
    assert_eq!(scratch.append_at(end, &[numbered(6)]).unwrap(), None);
    view.catch_up(&mut scratch).unwrap();
    assert_eq!(view.fold.0, [1, 2, 3, 4, 5]);
    assert_eq!(scratch.record(5).unwrap(), Some(numbered(5)));
    assert_eq!(scratch.record(2).unwrap(), Some(numbered(2)));

    view.save(&mut scratch).unwrap();
    scratch.settle().unwrap();
    let index = scratch.index().unwrap();
    assert!(!index.lock().unwrap());
    assert!(index.write(b"x").is_err() && index.remove([0; 16]).is_err());
    assert!(index.replace_manifest(None, b"x").is_err());
    assert!(files(&vault.store) == before);
    assert_eq!(numbers(&mut vault.open()), [1, 2, 3]);
}

#[test]
fn what_others_append_comes_in_below_and_folds_start_again() {
    let (vault, mut scratch) = on_three();
    let mut view = View::load(&mut scratch, Met::default()).unwrap();
    let mut other = vault.open();
    // Nothing of ours stands in the way yet.
    other.append(&[numbered(10)]).unwrap();
    let epoch = scratch.epoch();
    scratch.refresh().unwrap();
    view.catch_up(&mut scratch).unwrap();
    assert_eq!(
        (view.fold.0.as_slice(), scratch.epoch() == epoch),
        ([1, 2, 3, 10].as_slice(), true)
    );

    scratch.append(&[numbered(4)]).unwrap();
    view.catch_up(&mut scratch).unwrap();
    other.append(&[numbered(11), numbered(12)]).unwrap();
    // Until the next look nothing has changed.
    view.catch_up(&mut scratch).unwrap();
    assert_eq!(view.fold.0, [1, 2, 3, 10, 4]);
    scratch.refresh().unwrap();
    assert!(scratch.epoch() != epoch);
    assert!(
        view.catch_up(&mut scratch).unwrap().is_empty(),
        "what is replayed is no news"
    );
    assert_eq!(view.fold.0, [1, 2, 3, 10, 11, 12, 4]);
    assert_eq!(view.at(), scratch.refresh().unwrap());
    assert_eq!(numbers(&mut vault.open()), [1, 2, 3, 10, 11, 12]);
}
