//! New keys for everything: at every cut exactly one of the two opens it all.

use super::*;
use crate::seal::{NewSlot, RecoveryCode, SlotId};

const NEW_FILE: [u8; 32] = [7; 32];

fn now() -> crate::model::Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn slot(vault: &Vault) -> SlotId {
    vault.header().slots[0].id()
}

/// Gives the one slot a key file in place of its passphrase: no KDF runs.
fn rekey(vault: &mut Vault) -> Result<Rewritten, VaultError> {
    let change = SlotChange::Instead(slot(vault), NewSlot::KeyFile(&NEW_FILE));
    vault.rekey(&[change], now(), &mut |_, _| {})
}

fn open_new(store: impl Store + 'static) -> Result<Vault, VaultError> {
    LockedVault::open(Arc::new(store), wait())?.unlock_with(&Secret::KeyFile(&NEW_FILE))
}

/// Many segments, a checkpoint and a provider's key.
fn furnished() -> (VolatileStore, VaultKey, Vec<usize>) {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let next = fill(&mut vault, 0);
    vault.append(&[numbered(next)]).unwrap();
    View::load(&mut vault, folds::Numbers::default())
        .unwrap()
        .save(&mut vault)
        .unwrap();
    vault.append(&[numbered(next + 1)]).unwrap();
    vault
        .change_provider_keys(|keys| keys.put("a", Zeroizing::new("b".to_owned())))
        .unwrap();
    (store, key, (0..=next + 1).collect())
}

#[test]
fn after_a_rekey_the_new_secret_opens_everything_and_the_old_one_nothing() {
    let (store, key, records) = furnished();
    let mut vault = open(store.clone(), &key).unwrap();
    let before = vault.end().seq;
    let mut told = Vec::new();
    let change = SlotChange::Instead(slot(&vault), NewSlot::KeyFile(&NEW_FILE));
    let done = vault
        .rekey(&[change], now(), &mut |done, of| told.push((done, of)))
        .unwrap();
    assert!(done.previous_removed);
    assert_eq!(
        (done.records, done.purged, done.replaced),
        (before + 1, 0, 0)
    );
    assert!(told.is_sorted() && told.last().is_some_and(|(done, of)| done == of));
    assert_eq!(numbers(&mut vault), records);

    let mut again = open_new(store.clone()).unwrap();
    assert_eq!(numbers(&mut again), records);
    assert!(again.provider_keys().unwrap().find("a").is_some());
    assert_eq!(store.epochs().unwrap(), [Dir::Live(done.epoch)]);
    assert!(matches!(
        open(store.clone(), &key),
        Err(VaultError::HeaderDamaged { .. })
    ));
    // The checkpoint came along: a fold that starts from it sees what it lacks, and no more.
    let view = View::load(&mut again, folds::Numbers::default()).unwrap();
    assert!(!view.was_rebuilt() && view.fold.seen == records);
    let report = again.verify(&mut |_, _| {}).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    again.append(&[numbered(70)]).unwrap();
    vault.append(&[numbered(71)]).unwrap();
    let last = Record::from_line(again.read(before).unwrap()[0].line()).unwrap();
    assert!(matches!(last, Record::Rekeyed(r) if r.why == "rekey"));
}

#[test]
fn at_every_cut_of_a_rekey_exactly_one_key_opens_everything() {
    let (disk, key, records) = furnished();
    crash::sweep(
        &disk,
        |store| {
            let mut vault = LockedVault::open(store, wait())?.unlock_with_key(key.again())?;
            rekey(&mut vault).map(|_| ())
        },
        |left, acked, at| {
            let old = open(left.clone(), &key);
            let new = open_new(left.clone());
            assert!(old.is_ok() != new.is_ok(), "{at}");
            assert!(new.is_ok() || !acked, "{at}");
            let mut vault = old.or(new).unwrap();
            assert!(
                vault.rollback().is_none() && vault.damage().is_empty(),
                "{at}"
            );
            assert_eq!(numbers(&mut vault), records, "{at}");
            vault
                .append(&[numbered(99)])
                .unwrap_or_else(|e| panic!("{at}: {e}"));
            let all = [records.as_slice(), &[99]].concat();
            assert_eq!(numbers(&mut vault), all, "{at}");
            let report = vault.verify(&mut |_, _| {}).unwrap();
            let wrong = |f: &&Finding| !matches!(f, Finding::OtherEpoch(_));
            assert_eq!(report.findings.iter().find(wrong), None, "{at}");
            assert!(vault.provider_keys().unwrap().find("a").is_some(), "{at}");
            // Whatever was left, the next rekey works.
            rekey(&mut vault).unwrap_or_else(|e| panic!("{at}: {e}"));
            assert_eq!(numbers(&mut open_new(left).unwrap()), all, "{at}");
        },
    );
}

#[test]
fn a_slot_without_its_secret_stops_a_rekey_before_anything_is_written() {
    let (store, key, _) = furnished();
    let mut vault = open(store.clone(), &key).unwrap();
    let before = store.everything();
    let id = slot(&vault);
    let none = vault.rekey(&[], now(), &mut |_, _| {});
    assert!(matches!(none, Err(VaultError::SlotNotGiven { slot, .. }) if slot == id));
    let code = RecoveryCode::draw().unwrap();
    let wrong = [SlotChange::Again(id, NewSlot::RecoveryCode(&code))];
    let refused = vault.rekey(&wrong, now(), &mut |_, _| {});
    assert!(matches!(refused, Err(VaultError::NotOfSlot { .. })));
    let all_gone = vault.rekey(&[SlotChange::Drop(id)], now(), &mut |_, _| {});
    assert!(all_gone.is_err());
    let twice = [SlotChange::Drop(id), SlotChange::Drop(id)];
    assert!(vault.rekey(&twice, now(), &mut |_, _| {}).is_err());
    assert!(store.everything() == before);
}
