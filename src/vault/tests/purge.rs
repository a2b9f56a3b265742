//! What was purged is in no file, and nobody is disturbed.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{Applied, Fold};
use crate::store::{Expected, Purpose};

const SECRET: &str = "the cat is called Gustav";

fn secret() -> Record {
    Record::Lost(Lost {
        file: SECRET.to_owned(),
    })
}

/// Remembers every text it saw.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Texts(Vec<String>);

impl Fold for Texts {
    fn name(&self) -> FoldName {
        FoldName::LongTermMemory
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&mut self, _seq: u64, record: &Record) -> Applied {
        if let Record::Lost(lost) = record {
            self.0.push(lost.file.clone());
        }
        Applied::Known
    }

    fn save(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&BTreeMap::from([("texts", &self.0)]))
    }

    fn load(&mut self, json: &[u8]) -> serde_json::Result<()> {
        let value: serde_json::Value = serde_json::from_slice(json)?;
        self.0 = serde_json::from_value(value["texts"].clone())?;
        Ok(())
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}

/// A vault with the secret in a segment, in the tail, in a checkpoint, in both quarantines and in
/// an epoch that nobody names.
fn with_secret() -> (VolatileStore, VaultKey, BTreeSet<u64>) {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let mut seqs = BTreeSet::new();
    seqs.insert(vault.append(&[numbered(1), secret()]).unwrap().seq);
    small_segment(&mut vault, 2);
    seqs.insert(vault.append(&[numbered(6), secret()]).unwrap().seq);
    vault.append(&[numbered(7)]).unwrap();
    // As an interrupted rewrite leaves it: an epoch of the same key that no record names.
    let other = store.snapshot();
    purge(&mut open(other.clone(), &key).unwrap(), &BTreeSet::new()).unwrap();
    View::load(&mut vault, Texts::default())
        .unwrap()
        .save(&mut vault)
        .unwrap();
    vault.repair(now(), &mut |_, _| {}).unwrap();
    assert_eq!(store.aside().unwrap().len(), 1);
    let tail = tail_name(&vault);
    vault.append(&[numbered(8)]).unwrap();
    store.tamper(&tail, |bytes| bytes.truncate(bytes.len() - 1));
    store.forget_witness();
    let mut vault = open(store.clone(), &key).unwrap();
    vault.append(&[numbered(8)]).unwrap();
    assert_eq!(store.quarantined().len(), 1);
    View::load(&mut vault, Texts::default())
        .unwrap()
        .save(&mut vault)
        .unwrap();
    for found in other.list(other.epochs().unwrap()[0]).unwrap() {
        store.put(found.name, other.read(&found.name).unwrap());
    }
    (store, key, seqs)
}

/// Every record and checkpoint that the vault's own key opens, anywhere.
fn every_plaintext(store: &VolatileStore, key: &VaultKey) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for dir in store.epochs().unwrap() {
        let data = key.data_key(dir.epoch());
        for file in store.list(dir).unwrap() {
            let Name::In(_, part) = file.name else {
                continue;
            };
            let bytes = store.read(&file.name).unwrap().unwrap();
            match part {
                Part::HeaderCopy => {}
                Part::Tail(number) => {
                    let tail = crate::seal::Tail::read(&data, number, &bytes).unwrap();
                    let mut at = crate::seal::TAIL_HEAD_BYTES;
                    while at < bytes.len() {
                        let frame = tail.open(&bytes[at..]).unwrap();
                        at += frame.head.frame_bytes();
                        found.push(frame.record.to_vec());
                    }
                }
                _ => {
                    let opened = data.open(part.blob_id().unwrap(), &bytes).unwrap();
                    found.push(opened.1.to_vec());
                }
            }
        }
    }
    found
}

fn holds_secret(texts: &[Vec<u8>]) -> bool {
    let needle = SECRET.as_bytes();
    texts
        .iter()
        .any(|text| text.windows(needle.len()).any(|w| w == needle))
}

fn purge(vault: &mut Vault, seqs: &BTreeSet<u64>) -> Result<PurgeReceipt, VaultError> {
    vault.purge(seqs, &BTreeMap::new(), now(), &mut |_, _| {})
}

#[test]
fn after_a_purge_no_file_holds_the_content_and_all_else_is_there() {
    let (store, key, seqs) = with_secret();
    assert!(holds_secret(&every_plaintext(&store, &key)));
    let mut vault = open(store.clone(), &key).unwrap();
    let (end, slots) = (vault.end().seq, vault.header().slots.clone());
    let receipt = purge(&mut vault, &seqs).unwrap();
    assert_eq!(
        (receipt.rewritten.purged, receipt.rewritten.records),
        (2, end + 1)
    );
    assert_eq!(receipt.epochs_removed.len(), 2);
    assert_eq!(receipt.quarantine_removed.len(), 1);
    assert!(receipt.files_removed > 5 && receipt.bytes_removed > 320_000);
    assert!(receipt.rewritten.previous_removed);
    assert!(!holds_secret(&every_plaintext(&store, &key)));
    let live = vault.header.epoch.to_string();
    for (name, _) in store.everything() {
        assert!(
            name == "vault.header" || name.starts_with(&format!("epoch-{live}/")),
            "{name}"
        );
    }
    assert!(vault.header().slots == slots);
    let mut again = open(store, &key).unwrap();
    assert!(again.rollback().is_none());
    assert_eq!(numbers(&mut again), [1, 2, 3, 4, 5, 6, 7, 8]);
    for seq in seqs {
        let entry = &again.read(seq - 1).unwrap()[0];
        assert_eq!((entry.seq, entry.record().unwrap()), (seq, Record::Purged));
    }
    assert!(again.verify(&mut |_, _| {}).unwrap().findings.is_empty());
}

#[test]
fn a_running_process_goes_on_and_its_folds_drop_what_was_purged() {
    let (store, key, seqs) = with_secret();
    let mut running = open(store.clone(), &key).unwrap();
    let mut view = View::load(&mut running, Texts::default()).unwrap();
    assert!(view.fold.0.iter().any(|text| text == SECRET));
    let mut writer = open(store.clone(), &key).unwrap();
    let before = writer.end().seq;
    purge(&mut open(store.clone(), &key).unwrap(), &seqs).unwrap();
    running.refresh().unwrap();
    view.catch_up(&mut running).unwrap();
    assert!(!view.fold.0.iter().any(|text| text == SECRET));
    // One that only writes lands behind the purge, not in the old epoch.
    assert_eq!(writer.append(&[numbered(9)]).unwrap().seq, before + 2);
    view.save(&mut running).unwrap();
    assert!(!holds_secret(&every_plaintext(&store, &key)));
    assert_eq!(numbers(&mut running), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_derived_record_is_replaced_and_its_line_must_be_one() {
    let (store, key, seqs) = with_secret();
    let mut vault = open(store.clone(), &key).unwrap();
    let seq = *seqs.first().unwrap();
    let mut lines = BTreeMap::from([(seq, Zeroizing::new(b"no record".to_vec()))]);
    let before = store.everything();
    let refused = vault.purge(&BTreeSet::new(), &lines, now(), &mut |_, _| {});
    assert!(matches!(refused, Err(VaultError::NotARecord { .. })));
    assert!(store.everything() == before);
    lines.insert(seq, numbered(77).to_line());
    let rest = seqs.iter().copied().filter(|other| *other != seq).collect();
    let done = vault.purge(&rest, &lines, now(), &mut |_, _| {}).unwrap();
    assert_eq!((done.rewritten.purged, done.rewritten.replaced), (1, 1));
    assert!(!holds_secret(&every_plaintext(&store, &key)));
    assert_eq!(numbers(&mut vault)[..2], [1, 77]);
}

#[test]
fn at_every_cut_of_a_purge_the_vault_opens_and_an_acknowledged_one_is_complete() {
    let (disk, key, seqs) = with_secret();
    let all = [1, 2, 3, 4, 5, 6, 7, 8];
    crash::sweep(
        &disk,
        |store| {
            let mut vault = LockedVault::open(store, wait())?.unlock_with_key(key.again())?;
            purge(&mut vault, &seqs).map(|_| ())
        },
        |left, acked, at| {
            let mut vault = open(left.clone(), &key).unwrap();
            assert!(
                vault.rollback().is_none() && vault.damage().is_empty(),
                "{at}"
            );
            assert_eq!(numbers(&mut vault), all, "{at}");
            let committed = vault.header.generation == 3;
            assert!(committed || !acked, "{at}");
            vault.append(&[numbered(9)]).unwrap();
            // Once it is in force, the next writer leaves nothing of it.
            let clean = !holds_secret(&every_plaintext(&left, &key));
            assert_eq!(clean && left.aside().unwrap().is_empty(), committed, "{at}");
            purge(&mut vault, &seqs).unwrap();
            assert!(!holds_secret(&every_plaintext(&left, &key)), "{at}");
            assert_eq!(left.epochs().unwrap().len(), 1, "{at}");
            assert!(left.aside().unwrap().is_empty(), "{at}");
            assert_eq!(numbers(&mut vault), [all.as_slice(), &[9]].concat(), "{at}");
        },
    );
}

/// The index is sealed plaintext too, and is no part of a new epoch.
#[test]
fn the_search_index_does_not_survive_a_purge() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let seq = vault.append(&[secret()]).unwrap().seq;
    let part = Part::IndexFile([5; 16]);
    let data = key.data_key(vault.header.epoch);
    let sealed = data
        .seal(part.blob_id().unwrap(), 1, SECRET.as_bytes())
        .unwrap();
    let lock = store.exclusive(Purpose::Checkpoint, wait()).unwrap();
    let name = Name::In(Dir::Live(vault.header.epoch), part);
    store
        .replace(&lock, &name, Expected::Absent, &sealed)
        .unwrap();
    drop(lock);
    purge(&mut vault, &BTreeSet::from([seq])).unwrap();
    assert!(!holds_secret(&every_plaintext(&store, &key)));
}
