//! The machine stops at every change of every operation.

use super::*;
use crate::store::failing::{FailingStore, Fault};

const CUTS: [Fault; 3] = [Fault::CutBefore, Fault::CutAfter, Fault::Torn];

/// Runs `deed` on copies of `disk`, stopped at each of its changes in each way, and hands what is
/// left to `check`, with whether the deed was acknowledged.
pub(super) fn sweep(
    disk: &VolatileStore,
    deed: impl Fn(Arc<dyn Store>) -> Result<(), VaultError>,
    check: impl Fn(VolatileStore, bool, &str),
) {
    let calm = Arc::new(FailingStore::new(disk.snapshot(), Fault::Once, usize::MAX));
    deed(calm.clone()).unwrap();
    let changes = calm.changes();
    assert!(changes > 0);
    for fault in [CUTS[0], CUTS[1], CUTS[2], Fault::Once, Fault::Late] {
        for at in 0..changes {
            let left = disk.snapshot();
            let store = Arc::new(FailingStore::new(left.clone(), fault, at));
            let acknowledged = deed(store).is_ok();
            check(
                left.snapshot(),
                acknowledged,
                &format!("{fault:?} at {at} of {changes}"),
            );
        }
    }
}

/// The vault opens, is whole, holds `old` and, if acknowledged, `new`; then goes on working.
fn holds(left: VolatileStore, key: &VaultKey, old: &[usize], new: &[usize], acked: bool, at: &str) {
    let mut vault = open(left.clone(), key).unwrap_or_else(|error| panic!("{at}: {error}"));
    assert!(
        vault.rollback().is_none() && vault.damage().is_empty(),
        "{at}"
    );
    let found = numbers(&mut vault);
    let both = [old, new].concat();
    assert!(found == both || (!acked && found == old), "{at}: {found:?}");
    vault
        .append(&[numbered(99)])
        .unwrap_or_else(|error| panic!("{at}: {error}"));
    let mut again = open(left, key).unwrap();
    assert_eq!(
        numbers(&mut again),
        [found.as_slice(), &[99]].concat(),
        "{at}"
    );
    let report = again.verify(&mut |_, _| {}).unwrap();
    assert!(report.findings.is_empty(), "{at}: {:?}", report.findings);
}

#[test]
fn an_append_is_there_or_not_and_nothing_else_is_touched() {
    let (disk, key) = fresh();
    open(disk.clone(), &key)
        .unwrap()
        .append(&[numbered(1)])
        .unwrap();
    sweep(
        &disk,
        |store| {
            let mut vault = LockedVault::open(store, wait())?.unlock_with_key(key.again())?;
            vault
                .append(&[numbered(2), numbered(3), numbered(4)])
                .map(|_| ())
        },
        |left, acked, at| holds(left, &key, &[1], &[2, 3, 4], acked, at),
    );
}

#[test]
fn a_roll_over_loses_nothing() {
    let (disk, key) = fresh();
    let next = fill(&mut open(disk.clone(), &key).unwrap(), 0);
    let old: Vec<usize> = (0..next).collect();
    sweep(
        &disk,
        |store| {
            let mut vault = LockedVault::open(store, wait())?.unlock_with_key(key.again())?;
            vault.append(&[numbered(next)]).map(|_| ())
        },
        |left, acked, at| holds(left, &key, &old, &[next], acked, at),
    );
}

#[test]
fn a_segment_written_directly_is_whole_or_absent() {
    let (disk, key) = fresh();
    for old in [vec![], vec![7]] {
        if !old.is_empty() {
            open(disk.clone(), &key)
                .unwrap()
                .append(&[numbered(7)])
                .unwrap();
        }
        let new: Vec<usize> = (1000..1000 + 4200).collect();
        let records: Vec<Record> = new.iter().map(|n| numbered(*n)).collect();
        sweep(
            &disk,
            |store| {
                let mut vault = LockedVault::open(store, wait())?.unlock_with_key(key.again())?;
                vault.append(&records).map(|_| ())
            },
            |left, acked, at| holds(left, &key, &old, &new, acked, at),
        );
    }
}

#[test]
fn an_interrupted_init_is_done_again() {
    sweep(
        &VolatileStore::default(),
        |store| make(store).map(|_| ()),
        |left, acked, at| {
            let opened = LockedVault::open(Arc::new(left.clone()), wait());
            match opened {
                Ok(locked) => {
                    locked
                        .unlock(&passphrase())
                        .unwrap()
                        .append(&[numbered(1)])
                        .unwrap();
                }
                Err(VaultError::NoVault) => {
                    assert!(!acked, "{at}");
                    make(Arc::new(left)).unwrap_or_else(|error| panic!("{at}: {error}"));
                }
                Err(error) => panic!("{at}: {error}"),
            }
        },
    );
}

#[test]
fn a_change_of_provider_keys_is_there_or_not() {
    let (disk, key) = fresh();
    sweep(
        &disk,
        |store| {
            let mut vault = LockedVault::open(store, wait())?.unlock_with_key(key.again())?;
            vault.change_provider_keys(|keys| keys.put("a", Zeroizing::new("b".to_owned())))
        },
        |left, acked, at| {
            let keys = open(left, &key).unwrap().provider_keys().unwrap();
            assert!(keys.find("a").is_some() || !acked, "{at}");
        },
    );
}

#[test]
fn after_a_failed_sync_the_handle_goes_on_in_a_new_tail() {
    let (disk, key) = fresh();
    let mut vault = open(disk.clone(), &key).unwrap();
    vault.append(&[numbered(1)]).unwrap();
    vault.mistrust_tail = true;
    vault.append(&[numbered(2)]).unwrap();
    assert_eq!(vault.log.highest(), (2, true));
    assert_eq!(numbers(&mut open(disk, &key).unwrap()), [1, 2]);
}
