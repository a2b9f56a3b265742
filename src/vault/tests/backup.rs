//! A copy taken while others write opens, and holds a moment that was.

use super::*;
use crate::store::FileStore;
use crate::store::failing::FailingStore;

fn target() -> (VolatileStore, Arc<dyn Store>) {
    let store = VolatileStore::default();
    (store.clone(), Arc::new(store))
}

#[test]
fn a_backup_opens_with_the_same_secret_and_holds_everything() {
    let (store, key, records) = rekey::furnished();
    let mut vault = open(store.clone(), &key).unwrap();
    rekey::rekey(&mut vault).unwrap();
    let before = store.everything();
    let (copy, to) = target();
    let mut told = (0, 0);
    let done = vault
        .backup(&to, &mut |done, of| told = (done, of))
        .unwrap();
    assert!(told.0 == told.1 && told.1 == done.bytes && done.bytes > 160_000);
    assert!(
        done.report.findings.is_empty(),
        "{:?}",
        done.report.findings
    );
    assert_eq!(done.seq, vault.end().seq);
    assert!(
        store.everything() == before,
        "the vault itself is only read"
    );
    let mut opened = rekey::open_new(copy.clone()).unwrap();
    assert_eq!(numbers(&mut opened), records);
    assert!(opened.provider_keys().unwrap().find("a").is_some());
    let view = View::load(&mut opened, folds::Numbers::default()).unwrap();
    assert!(!view.was_rebuilt());
    opened.append(&[numbered(60)]).unwrap();
    // Into what is there already, nothing is written.
    let again = vault.backup(&to, &mut |_, _| {});
    assert!(matches!(again, Err(VaultError::VaultExists)));
}

#[test]
fn what_others_do_meanwhile_is_in_the_copy_or_not_and_never_half() {
    let deeds: [fn(&mut Vault); 3] = [
        |other| {
            other.append(&[numbered(50), numbered(51)]).unwrap();
        },
        |other| {
            let next = small_segment(other, 50);
            other.append(&[numbered(next)]).unwrap();
        },
        |other| {
            other.repair(now(), &mut |_, _| {}).unwrap();
            other.append(&[numbered(50)]).unwrap();
        },
    ];
    for (which, deed) in deeds.into_iter().enumerate() {
        for call in ["shared", "copied a segment"] {
            let (store, key, records) = rekey::furnished();
            let mut other = open(store.clone(), &key).unwrap();
            let mut vault = open(store.clone(), &key).unwrap();
            let (copy, _) = target();
            let to: Arc<dyn Store> = if call == "shared" {
                let hooked = FailingStore::hooked(store.clone(), call, move || deed(&mut other));
                vault = open(hooked, &key).unwrap();
                Arc::new(copy.clone())
            } else {
                // Between the files that are copied under the lock and those that are not.
                Arc::new(FailingStore::hooked(copy.clone(), call, move || {
                    deed(&mut other);
                }))
            };
            let done = vault.backup(&to, &mut |_, _| {}).unwrap();
            assert!(
                done.report.findings.is_empty(),
                "{:?}",
                done.report.findings
            );
            let found = numbers(&mut open(copy, &key).unwrap());
            assert_eq!(found[..records.len()], records, "{which} {call}");
            let after = numbers(&mut open(store, &key).unwrap());
            assert!(found == records || found == after, "{which} {call}");
        }
    }
}

#[test]
fn a_torn_end_is_left_out_and_damage_inside_is_told() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    vault.append(&[numbered(1)]).unwrap();
    let whole = store.read(&tail_name(&vault)).unwrap().unwrap().len();
    vault.append(&[numbered(2)]).unwrap();
    store.tamper(&tail_name(&vault), |bytes| bytes.truncate(whole + 30));
    store.forget_witness();
    let mut vault = open(store.clone(), &key).unwrap();
    let (copy, to) = target();
    let done = vault.backup(&to, &mut |_, _| {}).unwrap();
    assert!(done.report.findings.is_empty() && done.seq == 1);
    let name = tail_name(&open(copy.clone(), &key).unwrap());
    assert_eq!(copy.read(&name).unwrap().unwrap().len(), whole);

    vault.append(&[numbered(3), numbered(4)]).unwrap();
    store.tamper(&name, |bytes| bytes[200] ^= 1);
    let mut vault = open(store, &key).unwrap();
    let (copy, to) = target();
    let done = vault.backup(&to, &mut |_, _| {}).unwrap();
    assert!(!done.report.is_whole());
    assert_eq!(numbers(&mut open(copy, &key).unwrap()), [3, 4]);
}

#[test]
fn a_directory_that_holds_anything_is_not_a_target() {
    let (store, key, _) = rekey::furnished();
    let mut vault = open(store, &key).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("copy");
    let file = || FileStore::create(&at, &dir.path().join("witness")).unwrap();
    let to = || -> Arc<dyn Store> { Arc::new(file()) };
    to();
    std::fs::create_dir(at.join("photos")).unwrap();
    let refused = vault.backup(&to(), &mut |_, _| {});
    assert!(matches!(refused, Err(VaultError::NotEmpty(name)) if name == "photos"));
    std::fs::remove_dir(at.join("photos")).unwrap();
    // What an interrupted backup left is taken away first.
    let draft = Dir::Draft(vault.header.epoch, [1; 8]);
    let lock = file()
        .exclusive(crate::store::Purpose::Init, wait())
        .unwrap();
    file().draft(&lock, draft).unwrap();
    drop(lock);
    let done = vault.backup(&to(), &mut |_, _| {}).unwrap();
    assert!(
        done.report.findings.is_empty(),
        "{:?}",
        done.report.findings
    );
    assert_eq!(file().epochs().unwrap(), [Dir::Live(vault.header.epoch)]);
    assert_modes(&at);
    let mut opened = open(file(), &key).unwrap();
    assert_eq!(numbers(&mut opened), numbers(&mut vault));
}

/// Everything is for its owner alone.
fn assert_modes(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::metadata(path).unwrap();
    assert_eq!(found.permissions().mode() & 0o077, 0, "{}", path.display());
    if found.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            assert_modes(&entry.unwrap().path());
        }
    }
}

#[test]
fn at_every_cut_of_a_backup_the_target_is_no_vault_or_a_whole_one() {
    let (store, key, records) = rekey::furnished();
    let (empty, _) = target();
    crash::sweep(
        &empty,
        |to| {
            let mut vault = open(store.clone(), &key)?;
            vault.backup(&to, &mut |_, _| {}).map(|_| ())
        },
        |left, acked, at| match LockedVault::open(Arc::new(left.clone()), wait()) {
            Ok(_) => assert_eq!(numbers(&mut open(left, &key).unwrap()), records, "{at}"),
            Err(_) => assert!(!acked, "{at}"),
        },
    );
}
