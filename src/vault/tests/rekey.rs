//! New keys for everything: at every cut exactly one of the two opens it all.

use super::*;
use crate::seal::{NewSlot, RecoveryCode};

const NEW_FILE: [u8; 32] = [7; 32];

/// Gives the one slot a key file in place of its passphrase: no KDF runs.
pub(super) fn rekey(vault: &mut Vault) -> Result<Rewritten, VaultError> {
    let change = SlotChange::Instead(first_slot(vault), NewSlot::KeyFile(&NEW_FILE));
    vault.rekey(&[change], now(), &mut |_, _| {})
}

pub(super) fn open_new(store: impl Store + 'static) -> Result<Vault, VaultError> {
    LockedVault::open(Arc::new(store), wait())?.unlock_with(&Secret::KeyFile(&NEW_FILE))
}

/// Many segments, a checkpoint and a provider's key.
pub(super) fn furnished() -> (VolatileStore, VaultKey, Vec<usize>) {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let next = small_segment(&mut vault, 0);
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
    let change = SlotChange::Instead(first_slot(&vault), NewSlot::KeyFile(&NEW_FILE));
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
    let id = first_slot(&vault);
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

#[test]
fn a_handle_that_finds_the_vault_rekeyed_wipes_its_key_and_writes_nothing() {
    let (store, key, _) = furnished();
    let mut stale: Vec<Vault> = (0..6).map(|_| open(store.clone(), &key).unwrap()).collect();
    rekey(&mut open(store.clone(), &key).unwrap()).unwrap();
    let before = store.everything();
    type Deed = fn(&mut Vault) -> Result<(), VaultError>;
    let deeds: [Deed; 6] = [
        |vault| vault.append(&[numbered(5)]).map(|_| ()),
        |vault| vault.refresh().map(|_| ()),
        |vault| vault.change_provider_keys(|_| {}),
        |vault| {
            let at = vault.end();
            let json = Zeroizing::new(b"{}".to_vec());
            vault.put_checkpoint(FoldName::LongTermMemory, 1, at, json)
        },
        |vault| vault.verify(&mut |_, _| {}).map(|_| ()),
        |vault| rekey(vault).map(|_| ()),
    ];
    for (vault, deed) in stale.iter_mut().zip(deeds) {
        assert!(matches!(deed(vault), Err(VaultError::Rekeyed)));
        assert!(vault.log.tail().is_none(), "the records are dropped too");
        assert!(vault.header.verify(&vault.key).is_err(), "the key is wiped");
        // And it stays so, whatever is asked of it.
        for deed in deeds {
            assert!(matches!(deed(vault), Err(VaultError::Rekeyed)));
        }
        assert!(matches!(vault.read(0), Err(VaultError::Rekeyed)));
        assert!(matches!(vault.provider_keys(), Err(VaultError::Rekeyed)));
    }
    assert!(store.everything() == before);
}

#[test]
fn a_rekey_stops_at_damage_and_leaves_everything_as_it_was() {
    let (store, key, _) = furnished();
    let mut vault = open(store.clone(), &key).unwrap();
    let segment = Name::In(Dir::Live(vault.header.epoch), Part::Segment(1));
    store.tamper(&segment, |bytes| bytes[100_000] ^= 1);
    let before = store.everything();
    assert!(matches!(rekey(&mut vault), Err(VaultError::Damaged(_))));
    assert!(store.everything() == before);
    assert_eq!(store.epochs().unwrap().len(), 1);
    vault.append(&[numbered(50)]).unwrap();
}

#[test]
fn on_files_nothing_but_the_new_epoch_is_left() {
    let root = tempfile::tempdir().unwrap();
    let (at, witness) = (root.path().join("vault"), root.path().join("witness"));
    let file = || crate::store::FileStore::create(&at, &witness).unwrap();
    let listed = || {
        let mut names: Vec<String> = std::fs::read_dir(&at)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let mut vault = make(Arc::new(file())).unwrap();
    let many: Vec<Record> = (0..9000).map(numbered).collect();
    vault.append(&many).unwrap();
    let mut stale = open(file(), &vault.key).unwrap();
    rekey(&mut vault).unwrap();
    let live = |vault: &Vault| Dir::Live(vault.header.epoch).file_name();
    assert_eq!(listed(), [live(&vault).as_str(), "lock", "vault.header"]);
    assert!(matches!(stale.refresh(), Err(VaultError::Rekeyed)));
    let old = live(&vault);
    vault.repair(now(), &mut |_, _| {}).unwrap();
    assert_eq!(
        listed(),
        [live(&vault).as_str(), "lock", "quarantine", "vault.header"]
    );
    assert_eq!(file().aside().unwrap(), [old]);
    let seqs = std::collections::BTreeSet::from([3]);
    let lines = std::collections::BTreeMap::new();
    let mut running = open_new(file()).unwrap();
    vault.purge(&seqs, &lines, now(), &mut |_, _| {}).unwrap();
    assert_eq!(listed(), [live(&vault).as_str(), "lock", "vault.header"]);
    running.append(&[numbered(9000)]).unwrap();
    let mut again = open_new(file()).unwrap();
    let expected: Vec<usize> = (0..=9000).filter(|n| *n != 2).collect();
    assert_eq!(numbers(&mut again), expected);
    assert!(again.verify(&mut |_, _| {}).unwrap().findings.is_empty());
}

#[test]
fn every_kind_of_slot_is_given_again_replaced_dropped_or_added() {
    let store = VolatileStore::default();
    let mut vault = make(Arc::new(store.clone())).unwrap();
    vault.append(&[numbered(1)]).unwrap();
    let code = RecoveryCode::draw().unwrap();
    let word = first_slot(&vault);
    let code_slot = vault
        .add_slot("recovery", &NewSlot::RecoveryCode(&code))
        .unwrap();
    let file_slot = vault
        .add_slot("key file", &NewSlot::KeyFile(&[1; 32]))
        .unwrap();
    let kdf = KdfParams::LEAST;
    let new = Passphrase::new(Zeroizing::new("new".to_owned())).unwrap();
    let changes = [
        SlotChange::Instead(word, NewSlot::Passphrase(&new, kdf)),
        SlotChange::Again(code_slot, NewSlot::RecoveryCode(&code)),
        SlotChange::Drop(file_slot),
        SlotChange::Add("another", NewSlot::KeyFile(&NEW_FILE)),
    ];
    vault.rekey(&changes, now(), &mut |_, _| {}).unwrap();
    let locked = || LockedVault::open(Arc::new(store.clone()), wait()).unwrap();
    let labels: Vec<String> = locked().header().slots.iter().map(|s| s.label()).collect();
    assert_eq!(labels, ["passphrase", "recovery", "another"]);
    let opened = locked().unlock(&new).unwrap();
    assert_eq!(opened.opened_by(), Some(first_slot(&opened)));
    assert_eq!(opened.passphrase_slot(), Some(first_slot(&opened)));
    assert!(locked().unlock_with(&Secret::RecoveryCode(&code)).is_ok());
    assert!(open_new(store.clone()).is_ok());
    for refused in [
        locked().unlock(&passphrase()).err(),
        locked().unlock_with(&Secret::KeyFile(&[1; 32])).err(),
    ] {
        assert!(matches!(refused, Some(VaultError::WrongPassphrase)));
    }
}

#[test]
fn an_epoch_that_was_never_committed_is_told_and_removed_on_the_owners_word() {
    let (store, key, records) = furnished();
    let left = store.snapshot();
    let mut vault = open(left.clone(), &key).unwrap();
    rekey(&mut vault).unwrap();
    // As if the machine had stopped before the header was renamed.
    let header = store.read(&Name::Header).unwrap();
    for (name, _) in store.everything() {
        assert!(!name.contains(&vault.header.epoch.to_string()));
    }
    let dir = Dir::Live(vault.header.epoch);
    for found in left.list(dir).unwrap() {
        store.put(found.name, left.read(&found.name).unwrap());
    }
    assert_eq!(store.read(&Name::Header).unwrap(), header);
    let mut vault = open(store.clone(), &key).unwrap();
    vault.append(&[numbered(80)]).unwrap();
    let others = vault.other_epochs().unwrap();
    assert_eq!((others.len(), others[0].is_previous), (1, false));
    assert_eq!(others[0].generation, Some(2));
    // A wrong passphrase is not taken for damage because of it.
    let wrong = Passphrase::new(Zeroizing::new("wrong".to_owned())).unwrap();
    let locked = LockedVault::open(Arc::new(store.clone()), wait()).unwrap();
    assert!(matches!(
        locked.unlock(&wrong),
        Err(VaultError::WrongPassphrase)
    ));
    let live = vault.header.epoch;
    assert!(matches!(
        vault.remove_epoch(live),
        Err(VaultError::LiveEpoch)
    ));
    vault.remove_epoch(others[0].epoch).unwrap();
    assert!(vault.other_epochs().unwrap().is_empty());
    assert_eq!(numbers(&mut vault), [records.as_slice(), &[80]].concat());
}
