//! What the vault promises, on a store in RAM: durability at every cut, interleavings of two
//! processes, and every row of "Opening" in `docs/format.md`.

mod backup;
mod crash;
mod damage;
mod folds;
mod processes;
mod purge;
mod rekey;
mod repair;
mod scratch;
mod slots;

use std::sync::Arc;

use super::*;
use crate::model::{Lost, Record};
use crate::seal::{KdfParams, Passphrase};
use crate::store::{Dir, Name, VolatileStore};

fn wait() -> Wait {
    Wait::seconds(5)
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("right".to_owned())).unwrap()
}

/// A vault, and the key that opens it again without the KDF.
fn make(store: Arc<dyn Store>) -> Result<Vault, VaultError> {
    let kdf = KdfParams::LEAST;
    let new = NewVault {
        passphrase: &passphrase(),
        kdf,
        recovery: None,
        created: 0,
    };
    Vault::init(store, wait(), &new)
}

/// The disk of a fresh vault, made once, and its key.
fn fresh() -> (VolatileStore, VaultKey) {
    static MADE: std::sync::OnceLock<(VolatileStore, VaultKey)> = std::sync::OnceLock::new();
    let (store, key) = MADE.get_or_init(|| {
        let store = VolatileStore::default();
        let vault = make(Arc::new(store.clone())).unwrap();
        (store, vault.key.again())
    });
    (store.snapshot(), key.again())
}

/// A vault in RAM that other rooms' tests open as often as they like, each time as another process.
pub(crate) struct InRam {
    store: VolatileStore,
    key: VaultKey,
}

impl InRam {
    pub(crate) fn new() -> Self {
        let (store, key) = fresh();
        InRam { store, key }
    }

    pub(crate) fn open(&self) -> Vault {
        open(self.store.clone(), &self.key).unwrap()
    }
}

fn now() -> crate::model::Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// The first slot, in whose place tests put a key file: no KDF runs.
fn first_slot(vault: &Vault) -> SlotId {
    vault.header().slots[0].id()
}

fn open(store: impl Store + 'static, key: &VaultKey) -> Result<Vault, VaultError> {
    LockedVault::open(Arc::new(store), wait())?.unlock_with_key(key.again())
}

/// A record that is told apart by its number.
fn numbered(n: usize) -> Record {
    Record::Lost(Lost {
        file: format!("n{n}"),
    })
}

fn number(record: &Record) -> Option<usize> {
    match record {
        Record::Lost(lost) => lost.file.strip_prefix('n')?.parse().ok(),
        _ => None,
    }
}

fn numbers(vault: &mut Vault) -> Vec<usize> {
    let mut out = Vec::new();
    let mut after = 0;
    loop {
        let batch = vault.read(after).unwrap();
        let Some(last) = batch.last() else { return out };
        after = last.seq;
        out.extend(
            batch
                .iter()
                .filter_map(|entry| number(&entry.record().unwrap())),
        );
    }
}

fn tail_name(vault: &Vault) -> Name {
    vault.log.tail().unwrap().name
}

/// Fills the tail so that the next append rolls it over.
fn fill(vault: &mut Vault, from: usize) -> usize {
    let filler = "x".repeat(300_000);
    for n in from..from + 4 {
        let record = Record::Lost(Lost {
            file: format!("n{n}"),
        });
        let padding = Record::Lost(Lost {
            file: filler.clone(),
        });
        vault.append(&[record, padding]).unwrap();
    }
    from + 4
}

/// Four numbered records and padding, which the next append seals as a segment of three chunks.
fn small_segment(vault: &mut Vault, from: usize) -> usize {
    let filler = "x".repeat(40_000);
    for n in from..from + 4 {
        let padding = Record::Lost(Lost {
            file: filler.clone(),
        });
        vault.append(&[numbered(n), padding]).unwrap();
    }
    vault.mistrust_tail = true;
    from + 4
}

#[test]
fn what_is_appended_is_there_for_the_next_handle() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    assert_eq!(vault.append(&[numbered(1)]).unwrap().seq, 1);
    assert_eq!(vault.append(&[numbered(2), numbered(3)]).unwrap().seq, 3);
    let mut again = open(store, &key).unwrap();
    assert_eq!(numbers(&mut again), [1, 2, 3]);
    assert_eq!(again.end(), vault.end());
    assert!(again.rollback().is_none() && again.damage().is_empty() && again.has_witness());
}

#[test]
fn the_passphrase_opens_and_another_does_not() {
    let store = VolatileStore::default();
    make(Arc::new(store.clone()))
        .unwrap()
        .append(&[numbered(1)])
        .unwrap();
    let locked = || LockedVault::open(Arc::new(store.clone()), wait()).unwrap();
    assert_eq!(numbers(&mut locked().unlock(&passphrase()).unwrap()), [1]);
    let wrong = Passphrase::new(Zeroizing::new("wrong".to_owned())).unwrap();
    assert!(matches!(
        locked().unlock(&wrong),
        Err(VaultError::WrongPassphrase)
    ));
}

#[test]
fn a_vault_grows_over_many_segments_and_reads_from_anywhere() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let mut next = 0;
    for _ in 0..5 {
        next = fill(&mut vault, next);
    }
    let mut again = open(store, &key).unwrap();
    assert_eq!(numbers(&mut again), (0..next).collect::<Vec<_>>());
    assert!(again.log.highest().0 >= 5);
    for after in [0, 1, 7, 8, 9, 20, 39] {
        assert_eq!(again.read(after).unwrap()[0].seq, after + 1);
        let position = again.position(after).unwrap().unwrap();
        assert_eq!(Some(position), vault.position(after).unwrap());
    }
    assert!(again.verify(&mut |_, _| {}).unwrap().is_whole());
}

#[test]
fn an_append_larger_than_a_tail_is_one_segment() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    for before in [0, 1] {
        let many: Vec<Record> = (0..5000).map(numbered).collect();
        vault.append(&many).unwrap();
        assert!(vault.log.tail().unwrap().entries.is_empty(), "{before}");
        vault.append(&[numbered(5000)]).unwrap();
    }
    let mut again = open(store, &key).unwrap();
    assert_eq!(again.end().seq, 10_002);
    let expected: Vec<usize> = (0..=5000).chain(0..=5000).collect();
    assert_eq!(numbers(&mut again), expected);
    assert!(again.verify(&mut |_, _| {}).unwrap().is_whole());
}

#[test]
fn a_record_that_is_too_long_changes_nothing() {
    let (store, key) = fresh();
    let mut vault = open(store, &key).unwrap();
    let long = Record::Lost(Lost {
        file: "x".repeat(17 << 20),
    });
    assert!(matches!(
        vault.append(&[long]),
        Err(VaultError::RecordTooLong { .. })
    ));
    let large = Record::Lost(Lost {
        file: "x".repeat(10 << 20),
    });
    assert_eq!(vault.append(&[large]).unwrap().seq, 1);
    assert_eq!(vault.append(&[numbered(2)]).unwrap().seq, 2);
}

#[test]
fn provider_keys_are_kept_apart_from_the_log() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let secret = || Zeroizing::new("sk-1".to_owned());
    vault
        .change_provider_keys(|keys| keys.put("anthropic", secret()))
        .unwrap();
    vault
        .change_provider_keys(|keys| keys.put("openai", secret()))
        .unwrap();
    let mut again = open(store.clone(), &key).unwrap();
    let keys = again.provider_keys().unwrap();
    assert_eq!(keys.names().collect::<Vec<_>>(), ["anthropic", "openai"]);
    assert_eq!(keys.find("openai"), Some(&secret()));
    assert_eq!(again.end().seq, 0);
    again
        .change_provider_keys(|keys| assert!(keys.remove("openai")))
        .unwrap();
    assert!(vault.provider_keys().unwrap().find("openai").is_none());
    let name = Name::In(Dir::Live(again.header.epoch), Part::ProviderKeys);
    store.tamper(&name, |bytes| bytes[140] ^= 1);
    assert!(matches!(
        vault.provider_keys(),
        Err(VaultError::Sealed { .. })
    ));
}
