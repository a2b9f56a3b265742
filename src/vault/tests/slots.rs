//! The ways in, and that no crash locks anyone out.

use super::*;
use crate::seal::{NewSlot, RecoveryCode};

const ONE: [u8; 32] = [1; 32];
const TWO: [u8; 32] = [2; 32];
const KDF: KdfParams = KdfParams::LEAST;

fn word(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn locked(store: &VolatileStore) -> LockedVault {
    LockedVault::open(Arc::new(store.clone()), wait()).unwrap()
}

fn opens_with(store: &VolatileStore, file: &[u8]) -> bool {
    locked(store).unlock_with(&Secret::KeyFile(file)).is_ok()
}

fn with_slot(store: Arc<dyn Store>, key: &VaultKey) -> Result<Vault, VaultError> {
    LockedVault::open(store, wait())?.unlock_with_key(key.again())
}

#[test]
fn a_new_passphrase_takes_the_place_of_the_one_used() {
    let store = VolatileStore::default();
    make(Arc::new(store.clone())).unwrap();
    let mut vault = locked(&store).unlock(&passphrase()).unwrap();
    let mut other = locked(&store).unlock(&passphrase()).unwrap();
    let (slot, epoch) = (vault.passphrase_slot().unwrap(), vault.epoch());
    let made = vault.passwd(slot, &word("new"), KDF).unwrap();
    assert_eq!((vault.opened_by(), vault.epoch()), (Some(made), epoch));
    assert!(matches!(
        locked(&store).unlock(&passphrase()),
        Err(VaultError::WrongPassphrase)
    ));
    // A process that runs goes on: the vault key is the same.
    other.append(&[numbered(1)]).unwrap();
    vault.append(&[numbered(2)]).unwrap();
    let mut again = locked(&store).unlock(&word("new")).unwrap();
    assert_eq!(numbers(&mut again), [1, 2]);
    assert!(again.verify(&mut |_, _| {}).unwrap().findings.is_empty());
    assert!(matches!(
        other.passwd(slot, &word("newer"), KDF),
        Err(VaultError::Seal(_))
    ));
    let copy = Name::In(Dir::Live(epoch), Part::HeaderCopy);
    assert_eq!(
        store.read(&copy).unwrap(),
        store.read(&Name::Header).unwrap()
    );
}

#[test]
fn a_slot_goes_only_after_another_one_has_opened() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let first = first_slot(&vault);
    assert!(matches!(
        vault.remove_slot(first, &Secret::KeyFile(&ONE)),
        Err(VaultError::Seal(crate::seal::SealError::LastSlot))
    ));
    let code = RecoveryCode::draw().unwrap();
    let one = vault.add_slot("one", &NewSlot::KeyFile(&ONE)).unwrap();
    let paper = vault
        .add_slot("paper", &NewSlot::RecoveryCode(&code))
        .unwrap();
    assert!(opens_with(&store, &ONE) && !opens_with(&store, &TWO));
    for (removed, proof) in [(first, &TWO), (one, &ONE)] {
        let refused = vault.remove_slot(removed, &Secret::KeyFile(proof));
        assert!(matches!(refused, Err(VaultError::NoOtherSlot)));
    }
    assert_eq!(vault.header().slots.len(), 3);
    vault.remove_slot(first, &Secret::KeyFile(&ONE)).unwrap();
    vault
        .remove_slot(one, &Secret::RecoveryCode(&code))
        .unwrap();
    let ids: Vec<SlotId> = vault.header().slots.iter().map(|slot| slot.id()).collect();
    assert_eq!(ids, [paper]);
    assert!(!opens_with(&store, &ONE));
    assert!(
        locked(&store)
            .unlock_with(&Secret::RecoveryCode(&code))
            .is_ok()
    );
    assert!(matches!(
        vault.remove_slot(paper, &Secret::RecoveryCode(&code)),
        Err(VaultError::Seal(crate::seal::SealError::LastSlot))
    ));
    assert_eq!(vault.header().generation, 5);
}

#[test]
fn the_seventeenth_slot_is_refused_before_anything_is_written() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    for _ in 1..16 {
        vault.add_slot("more", &NewSlot::KeyFile(&ONE)).unwrap();
    }
    let before = store.everything();
    assert!(vault.add_slot("more", &NewSlot::KeyFile(&TWO)).is_err());
    assert!(store.everything() == before);
    assert!(
        vault
            .add_slot("a label that is too long", &NewSlot::KeyFile(&TWO))
            .is_err()
    );
}

#[test]
fn two_processes_change_slots_on_top_of_each_other() {
    let (store, key) = fresh();
    let mut one = open(store.clone(), &key).unwrap();
    let mut two = open(store.clone(), &key).unwrap();
    one.add_slot("one", &NewSlot::KeyFile(&ONE)).unwrap();
    two.add_slot("two", &NewSlot::KeyFile(&TWO)).unwrap();
    assert!(opens_with(&store, &ONE) && opens_with(&store, &TWO));
    one.append(&[numbered(1)]).unwrap();
    two.append(&[numbered(2)]).unwrap();
    assert!(open(store, &key).unwrap().rollback().is_none());
}

#[test]
fn an_older_header_put_back_after_a_slot_change_is_told() {
    let (store, key) = fresh();
    let old = store.read(&Name::Header).unwrap();
    let mut vault = open(store.clone(), &key).unwrap();
    vault.add_slot("one", &NewSlot::KeyFile(&ONE)).unwrap();
    store.put(Name::Header, old);
    let vault = open(store, &key).unwrap();
    assert!(matches!(
        vault.rollback(),
        Some(Rollback::RolledBack { .. })
    ));
}

/// One secret in, another out: at every cut exactly one of the two opens, and all is there.
#[test]
fn at_every_cut_of_a_slot_change_the_vault_opens_and_goes_on() {
    let (disk, key) = fresh();
    let mut vault = open(disk.clone(), &key).unwrap();
    vault.append(&[numbered(1)]).unwrap();
    let first = first_slot(&vault);
    let one = vault.add_slot("one", &NewSlot::KeyFile(&ONE)).unwrap();
    vault.remove_slot(first, &Secret::KeyFile(&ONE)).unwrap();
    crash::sweep(
        &disk,
        |store| {
            let mut vault = with_slot(store, &key)?;
            vault.add_slot("two", &NewSlot::KeyFile(&TWO)).map(|_| ())
        },
        |left, acked, at| {
            assert!(opens_with(&left, &ONE), "{at}");
            assert!(opens_with(&left, &TWO) || !acked, "{at}");
            goes_on(left, &key, at);
        },
    );
    let mut vault = open(disk.clone(), &key).unwrap();
    vault.add_slot("two", &NewSlot::KeyFile(&TWO)).unwrap();
    crash::sweep(
        &disk,
        |store| with_slot(store, &key)?.remove_slot(one, &Secret::KeyFile(&TWO)),
        |left, acked, at| {
            assert!(opens_with(&left, &TWO), "{at}");
            assert!(!opens_with(&left, &ONE) || !acked, "{at}");
            goes_on(left, &key, at);
        },
    );
}

#[test]
fn at_every_cut_of_a_new_passphrase_exactly_one_of_the_two_opens() {
    let (disk, key) = fresh();
    open(disk.clone(), &key)
        .unwrap()
        .append(&[numbered(1)])
        .unwrap();
    crash::sweep(
        &disk,
        |store| {
            let mut vault = with_slot(store, &key)?;
            let slot = vault.passphrase_slot().unwrap();
            vault.passwd(slot, &word("new"), KDF).map(|_| ())
        },
        |left, acked, at| {
            let old = locked(&left).unlock(&passphrase()).is_ok();
            let new = locked(&left).unlock(&word("new")).is_ok();
            assert!(old != new && (new || !acked), "{at}");
            goes_on(left, &key, at);
        },
    );
}

fn goes_on(left: VolatileStore, key: &VaultKey, at: &str) {
    let mut vault = open(left.clone(), key).unwrap();
    assert!(
        vault.rollback().is_none() && vault.damage().is_empty(),
        "{at}"
    );
    vault.append(&[numbered(2)]).unwrap();
    let mut again = open(left, key).unwrap();
    assert_eq!(numbers(&mut again), [1, 2], "{at}");
    let report = again.verify(&mut |_, _| {}).unwrap();
    assert!(report.findings.is_empty(), "{at}: {:?}", report.findings);
}
