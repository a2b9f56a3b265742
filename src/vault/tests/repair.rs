//! Every kind of damage is mended, and what can be read is kept.

use super::*;
use crate::seal::NewSlot;

fn repair(vault: &mut Vault) -> Result<Repaired, VaultError> {
    vault.repair(now(), &mut |_, _| {})
}

/// A vault of four segments and a tail.
fn grown() -> (VolatileStore, VaultKey, Vec<usize>, Dir) {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let mut next = 0;
    for _ in 0..4 {
        next = small_segment(&mut vault, next);
    }
    vault.append(&[numbered(next)]).unwrap();
    vault
        .change_provider_keys(|keys| keys.put("a", Zeroizing::new("b".to_owned())))
        .unwrap();
    let dir = Dir::Live(vault.header.epoch);
    (store, key, (0..=next).collect(), dir)
}

/// After a repair all is whole, numbers have stayed, and what is not lost is there.
fn mended(store: &VolatileStore, key: &VaultKey, before: &VolatileStore, lost: &[LostRecords]) {
    let mut old = open(before.snapshot(), key).unwrap();
    let mut vault = open(store.clone(), key).unwrap();
    assert!(vault.rollback().is_none() && vault.damage().is_empty());
    let report = vault.verify(&mut |_, _| {}).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let is_lost = |seq| {
        lost.iter()
            .any(|run| (run.first_seq..=run.last_seq).contains(&seq))
    };
    let (mut at, mut in_order) = (0, 0);
    loop {
        let batch = vault.read(at).unwrap();
        let Some(last) = batch.last() else { break };
        at = last.seq;
        for entry in batch {
            in_order += 1;
            assert_eq!(entry.seq, in_order);
            let before = old.read(entry.seq - 1).unwrap();
            match before.first().filter(|before| before.seq == entry.seq) {
                Some(before) => assert!(before.line() == entry.line(), "{in_order}"),
                None if is_lost(entry.seq) => {
                    let run = lost.iter().find(|run| run.last_seq >= entry.seq).unwrap();
                    let told = Record::Lost(Lost {
                        file: run.file.clone(),
                    });
                    assert_eq!(entry.record().unwrap(), told);
                }
                None => {
                    assert!(matches!(entry.record(), Ok(Record::Rekeyed(r)) if r.why == "repair"))
                }
            }
        }
    }
    vault.append(&[numbered(900)]).unwrap();
    assert_eq!(
        numbers(&mut open(store.clone(), key).unwrap()).last(),
        Some(&900)
    );
}

#[test]
fn every_kind_of_damage_to_a_segment_is_mended() {
    let (disk, key, _, dir) = grown();
    type Deed = fn(&mut Vec<u8>);
    let deeds: [(&str, Option<Deed>); 7] = [
        ("missing", None),
        ("a flipped bit", Some(|b| b[70_000] ^= 1)),
        ("a flipped bit in the first chunk", Some(|b| b[200] ^= 1)),
        ("a damaged head", Some(|b| b[..72].fill(0))),
        ("a damaged salt", Some(|b| b[80] ^= 1)),
        ("cut short", Some(|b| b.truncate(80_000))),
        ("empty", Some(Vec::clear)),
    ];
    for number in 1..=4 {
        for (what, deed) in deeds {
            let store = disk.snapshot();
            let name = Name::In(dir, Part::Segment(number));
            match deed {
                Some(deed) => assert!(store.tamper(&name, deed)),
                None => store.put(name, None),
            }
            let before = store.snapshot();
            let mut vault = open(store.clone(), &key).unwrap();
            let done = repair(&mut vault).unwrap_or_else(|e| panic!("{number} {what}: {e}"));
            let lost = &done.rewritten.lost;
            assert_eq!(
                lost.is_empty(),
                what == "a damaged head",
                "{number} {what}: {lost:?}"
            );
            assert!(
                lost.iter().all(|run| run.file == name.to_string()),
                "{lost:?}"
            );
            let count: u64 = lost
                .iter()
                .map(|run| run.last_seq + 1 - run.first_seq)
                .sum();
            let whole = ["missing", "a damaged salt", "empty"].contains(&what);
            assert_eq!(count == 8, whole, "{number} {what}: {lost:?}");
            mended(&store, &key, &before, lost);
            assert_eq!(store.aside().unwrap(), [dir.file_name()]);
            assert!(!done.provider_keys_lost);
        }
    }
}

#[test]
fn a_damaged_tail_is_mended_whatever_of_it_is_hit() {
    let (disk, key) = fresh();
    let mut vault = open(disk.clone(), &key).unwrap();
    let name = tail_name(&vault);
    let mut ends = Vec::new();
    for n in 1..=4 {
        vault.append(&[numbered(n)]).unwrap();
        ends.push(disk.read(&name).unwrap().unwrap().len());
    }
    for byte in 0..ends[3] {
        let store = disk.snapshot();
        store.tamper(&name, |bytes| bytes[byte] ^= 1);
        let mut vault = open(store.clone(), &key).unwrap();
        let done = repair(&mut vault).unwrap_or_else(|e| panic!("{byte}: {e}"));
        let runs = done.rewritten.lost.iter();
        let lost: Vec<(u64, u64)> = runs.map(|run| (run.first_seq, run.last_seq)).collect();
        let expected = match byte {
            72..104 => vec![(1, 4)],
            0..192 => vec![],
            _ => {
                let hit = ends.iter().position(|end| byte < *end).unwrap() as u64 + 1;
                vec![(hit, hit)]
            }
        };
        assert_eq!(lost, expected, "byte {byte}");
        let mut again = open(store.clone(), &key).unwrap();
        assert!(again.rollback().is_none() && again.damage().is_empty());
        assert_eq!(again.end().seq, 5, "byte {byte}");
        assert!(again.verify(&mut |_, _| {}).unwrap().findings.is_empty());
        again.append(&[numbered(5)]).unwrap();
    }
}

#[test]
fn a_vault_that_is_only_older_is_not_repaired() {
    let (disk, key) = fresh();
    let old = disk.snapshot();
    let mut vault = open(disk.clone(), &key).unwrap();
    let name = tail_name(&vault);
    vault.append(&[numbered(1)]).unwrap();
    disk.put(name, old.read(&name).unwrap());
    let mut vault = open(disk.clone(), &key).unwrap();
    let before = disk.everything();
    assert!(matches!(repair(&mut vault), Err(VaultError::Rollback(_))));
    assert!(disk.everything() == before);
}

#[test]
fn at_every_cut_of_a_repair_everything_that_opens_is_there() {
    let (disk, key, records, dir) = grown();
    disk.tamper(&Name::In(dir, Part::Segment(2)), |bytes| {
        bytes[140_000] ^= 1
    });
    disk.tamper(&Name::In(dir, Part::ProviderKeys), |bytes| bytes[140] ^= 1);
    crash::sweep(
        &disk,
        |store| {
            let mut vault = LockedVault::open(store, wait())?.unlock_with_key(key.again())?;
            let done = repair(&mut vault)?;
            assert!(done.provider_keys_lost && !done.rewritten.lost.is_empty());
            Ok(())
        },
        |left, acked, at| {
            let mut vault = open(left.clone(), &key).unwrap();
            assert_eq!(numbers(&mut vault), records, "{at}");
            vault
                .append(&[numbered(99)])
                .unwrap_or_else(|e| panic!("{at}: {e}"));
            let repaired = vault.header.generation == 2;
            assert!(repaired || !acked, "{at}");
            // The old epoch is either still the live one, or kept.
            assert_eq!(left.aside().unwrap().is_empty(), !repaired, "{at}");
            if !repaired {
                repair(&mut vault).unwrap_or_else(|e| panic!("{at}: {e}"));
            }
            assert_eq!(left.aside().unwrap(), [dir.file_name()], "{at}");
            let mut again = open(left, &key).unwrap();
            assert!(again.verify(&mut |_, _| {}).unwrap().is_whole(), "{at}");
            assert_eq!(
                numbers(&mut again),
                [records.as_slice(), &[99]].concat(),
                "{at}"
            );
        },
    );
}

const FILE: Secret<'_> = Secret::KeyFile(&[7; 32]);

/// A vault that a key file opens.
fn with_file() -> (VolatileStore, VaultKey) {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    vault.add_slot("file", &NewSlot::KeyFile(&[7; 32])).unwrap();
    vault.append(&[numbered(1)]).unwrap();
    (store, key)
}

fn restore(
    store: &VolatileStore,
    secret: &Secret<'_>,
) -> Result<Option<RestoredHeader>, VaultError> {
    let store: Arc<dyn Store> = Arc::new(store.clone());
    restore_header(&store, wait(), secret)
}

#[test]
fn a_damaged_or_missing_header_is_put_back_from_its_copy() {
    let (disk, _) = with_file();
    let good = disk.read(&Name::Header).unwrap().unwrap();
    assert_eq!(restore(&disk, &FILE).unwrap(), None, "nothing to mend");
    let mut broken: Vec<Option<Vec<u8>>> = vec![None, Some(Vec::new()), Some(vec![0; 256])];
    for at in (0..good.len()).step_by(5) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        broken.push(Some(bytes));
    }
    for bytes in broken {
        let store = disk.snapshot();
        store.put(Name::Header, bytes);
        let wrong = restore(&store, &Secret::KeyFile(&[8; 32]));
        assert!(matches!(wrong, Err(VaultError::WrongPassphrase)));
        let done = restore(&store, &FILE).unwrap();
        assert_eq!(done.map(|done| done.generation), Some(2));
        assert_eq!(store.read(&Name::Header).unwrap().unwrap(), good);
        let locked = LockedVault::open(Arc::new(store), wait()).unwrap();
        assert_eq!(numbers(&mut locked.unlock_with(&FILE).unwrap()), [1]);
    }
}

/// The secret of a rekey that never was in force opens its copy, and nothing is put back for it.
#[test]
fn a_header_that_is_whole_is_not_replaced() {
    let (disk, key) = with_file();
    let stopped = disk.snapshot();
    let mut vault = open(stopped.clone(), &key).unwrap();
    let changes: Vec<SlotChange<'_>> = vault
        .header()
        .slots
        .iter()
        .map(|slot| slot.id())
        .zip([[9; 32], [10; 32]].iter())
        .map(|(id, file)| SlotChange::Instead(id, NewSlot::KeyFile(file)))
        .collect();
    vault.rekey(&changes, now(), &mut |_, _| {}).unwrap();
    for found in stopped.list(Dir::Live(vault.header.epoch)).unwrap() {
        disk.put(found.name, stopped.read(&found.name).unwrap());
    }
    let before = disk.everything();
    let refused = restore(&disk, &Secret::KeyFile(&[9; 32]));
    assert!(matches!(refused, Err(VaultError::WrongPassphrase)));
    // Damaged, it is put back from its own epoch, or not at all.
    disk.tamper(&Name::Header, |bytes| bytes[100] ^= 1);
    let refused = restore(&disk, &Secret::KeyFile(&[9; 32]));
    assert!(matches!(refused, Err(VaultError::WrongPassphrase)));
    restore(&disk, &FILE).unwrap().unwrap();
    assert!(disk.everything() == before);
    // A new passphrase whose copy was not written yet is not undone by the old one.
    let mut vault = open(disk.clone(), &key).unwrap();
    let removed = vault.header().slots[1].id();
    vault
        .add_slot("other", &NewSlot::KeyFile(&[11; 32]))
        .unwrap();
    vault
        .remove_slot(removed, &Secret::KeyFile(&[11; 32]))
        .unwrap();
    let copy = Name::In(Dir::Live(vault.header.epoch), Part::HeaderCopy);
    let bytes = before
        .iter()
        .find(|(name, _)| *name == copy.to_string())
        .unwrap();
    disk.put(copy, Some(bytes.1.clone()));
    let refused = restore(&disk, &FILE);
    assert!(matches!(refused, Err(VaultError::WrongPassphrase)));
}

#[test]
fn without_a_copy_that_opens_no_header_is_made_up() {
    let (disk, _) = with_file();
    let dir = disk.epochs().unwrap()[0];
    disk.put(Name::Header, None);
    let copy = Name::In(dir, Part::HeaderCopy);
    disk.tamper(&copy, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let damaged = restore(&disk, &FILE);
    assert!(matches!(damaged, Err(VaultError::HeaderDamaged { .. })));
    disk.put(copy, None);
    assert!(matches!(
        restore(&disk, &FILE),
        Err(VaultError::HeaderMissing)
    ));
    assert_eq!(disk.read(&Name::Header).unwrap(), None);
}

/// A rewrite that stopped before its commit leaves a copy of a higher generation, in an epoch that
/// lacks whatever was appended since.
#[test]
fn a_header_is_put_back_to_the_epoch_that_was_live() {
    for (appended, committed) in [(true, false), (false, true), (true, true)] {
        let (before, key) = with_file();
        let after = before.snapshot();
        let mut vault = open(after.clone(), &key).unwrap();
        vault.repair(now(), &mut |_, _| {}).unwrap();
        let new = Dir::Live(vault.header.epoch);
        let old = before.epochs().unwrap()[0];
        let store = if committed {
            after.snapshot()
        } else {
            before.snapshot()
        };
        if appended {
            open(store.clone(), &key)
                .unwrap()
                .append(&[numbered(2)])
                .unwrap();
        }
        // Both epochs are there: not yet named, or not yet removed.
        let (from, dir) = if committed {
            (&before, old)
        } else {
            (&after, new)
        };
        for found in from.list(dir).unwrap() {
            store.put(found.name, from.read(&found.name).unwrap());
        }
        store.put(Name::Header, None);
        let done = restore(&store, &FILE).unwrap().unwrap();
        let live = if committed { new } else { old };
        assert_eq!(done.epoch, live.epoch(), "{appended} {committed}");
        let expected: &[usize] = if appended { &[1, 2] } else { &[1] };
        assert_eq!(numbers(&mut open(store, &key).unwrap()), expected);
    }
}
