//! Every row of "Opening" but "whole": torn, corrupt, truncated, forked, rolled back.

use super::*;
use crate::seal::TAIL_HEAD_BYTES;

/// A vault with `count` records, each of its own append, and where each frame ends.
fn with_records(count: usize) -> (VolatileStore, VaultKey, Name, Vec<usize>) {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let name = tail_name(&vault);
    let mut ends = Vec::new();
    for n in 1..=count {
        vault.append(&[numbered(n)]).unwrap();
        ends.push(store.read(&name).unwrap().unwrap().len());
    }
    (store, key, name, ends)
}

#[test]
fn a_torn_end_beyond_everything_remembered_is_quarantined_by_the_next_appender() {
    let (store, key, name, ends) = with_records(3);
    let whole = store.read(&name).unwrap().unwrap();
    for len in ends[1] + 1..ends[2] {
        let store = store.snapshot();
        store.forget_witness();
        store.tamper(&name, |bytes| bytes.truncate(len));
        let mut vault = open(store.clone(), &key).unwrap();
        assert!(vault.rollback().is_none() && vault.damage().is_empty());
        assert_eq!(numbers(&mut vault), [1, 2]);
        assert_eq!(
            store.read(&name).unwrap().unwrap().len(),
            len,
            "readers cut nothing"
        );
        vault.append(&[numbered(4)]).unwrap();
        assert_eq!(numbers(&mut open(store.clone(), &key).unwrap()), [1, 2, 4]);
        assert_eq!(store.quarantined(), [whole[ends[1]..len].to_vec()]);
    }
}

#[test]
fn a_batch_that_is_not_complete_does_not_count() {
    let (store, key, name, _) = with_records(1);
    let mut vault = open(store.clone(), &key).unwrap();
    let before = store.read(&name).unwrap().unwrap().len();
    vault
        .append(&[numbered(2), numbered(3), numbered(4)])
        .unwrap();
    let frame = (store.read(&name).unwrap().unwrap().len() - before) / 3;
    for frames in [1, 2] {
        let store = store.snapshot();
        store.forget_witness();
        store.tamper(&name, |bytes| bytes.truncate(before + frames * frame));
        let mut vault = open(store.clone(), &key).unwrap();
        assert_eq!(numbers(&mut vault), [1]);
        assert!(vault.damage().is_empty());
        vault.append(&[numbered(5)]).unwrap();
        assert_eq!(numbers(&mut open(store, &key).unwrap()), [1, 5]);
    }
}

#[test]
fn every_truncation_below_the_witness_is_told_and_nothing_is_written() {
    let (store, key, name, ends) = with_records(3);
    for len in 0..ends[2] {
        let store = store.snapshot();
        store.tamper(&name, |bytes| bytes.truncate(len));
        let mut vault = open(store.clone(), &key).unwrap();
        let told = vault.rollback().is_some();
        assert!(told, "{len} bytes");
        let refused = vault.append(&[numbered(4)]);
        assert!(matches!(
            refused,
            Err(VaultError::Rollback(_) | VaultError::Damaged(_))
        ));
        assert_eq!(store.read(&name).unwrap().unwrap().len(), len);
        let readable = ends.iter().filter(|end| **end <= len).count();
        assert_eq!(numbers(&mut vault), (1..=readable).collect::<Vec<_>>());
    }
}

/// No bit of a small vault can be flipped without being noticed, and a flip in one record costs no
/// other. Of the tail's own head only the salt is not known from elsewhere.
#[test]
fn every_flipped_bit_of_the_tail_is_told_and_costs_one_record_at_most() {
    let (store, key, name, ends) = with_records(4);
    for bit in 0..ends[3] * 8 {
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        let store = store.snapshot();
        store.tamper(&name, |bytes| bytes[byte] ^= mask);
        let mut vault = open(store, &key).unwrap();
        assert!(
            vault.rollback().is_some() || !vault.damage().is_empty(),
            "bit {bit}"
        );
        let expected: Vec<usize> = if (72..104).contains(&byte) {
            Vec::new()
        } else if byte < TAIL_HEAD_BYTES {
            (1..=4).collect()
        } else {
            let hit = ends.iter().position(|end| byte < *end).unwrap() + 1;
            (1..=4).filter(|n| *n != hit).collect()
        };
        assert_eq!(numbers(&mut vault), expected, "bit {bit}");
    }
}

#[test]
fn a_vault_with_a_damaged_frame_is_still_written_to() {
    let (store, key, name, ends) = with_records(4);
    store.tamper(&name, |bytes| bytes[ends[0] + 100] ^= 1);
    let mut vault = open(store.clone(), &key).unwrap();
    assert_eq!(vault.damage().len(), 1);
    assert_eq!(
        (vault.damage()[0].first_seq, vault.damage()[0].last_seq),
        (Some(2), Some(2))
    );
    vault.append(&[numbered(5)]).unwrap();
    // Larger than a tail too: a damaged tail cannot become a segment, so it grows.
    let many: Vec<Record> = (100..4300).map(numbered).collect();
    vault.append(&many).unwrap();
    vault.append(&[numbered(6)]).unwrap();
    let mut again = open(store, &key).unwrap();
    let found = numbers(&mut again);
    assert_eq!(found[..4], [1, 3, 4, 5]);
    assert_eq!(found.len(), 4 + 4200 + 1);
    assert!(!again.verify(&mut |_, _| {}).unwrap().is_whole());
}

#[test]
fn dropped_repeated_and_swapped_frames_are_named_and_what_opens_is_read() {
    let (store, key, name, ends) = with_records(4);
    let whole = store.read(&name).unwrap().unwrap();
    let head = whole[..TAIL_HEAD_BYTES].to_vec();
    let starts = [&[TAIL_HEAD_BYTES], &ends[..3]].concat();
    let frame = |n: usize| whole[starts[n - 1]..ends[n - 1]].to_vec();
    let cases: [(&[usize], &[usize]); 5] = [
        (&[1, 3, 4], &[1, 3, 4]),
        (&[2, 3, 4], &[2, 3, 4]),
        (&[1, 2, 2, 3, 4], &[1, 2, 3, 4]),
        (&[1, 3, 2, 4], &[1, 2, 3, 4]),
        (&[1, 2, 3, 4, 1], &[1, 2, 3, 4]),
    ];
    for (order, expected) in cases {
        let bytes = order
            .iter()
            .fold(head.clone(), |all, n| [all, frame(*n)].concat());
        store.put(name, Some(bytes));
        let mut vault = open(store.clone(), &key).unwrap();
        assert!(!vault.damage().is_empty(), "{order:?}");
        let mut found = numbers(&mut vault);
        found.sort_unstable();
        assert_eq!(found, expected, "{order:?}");
    }
    // The last one dropped is a truncation.
    let bytes = [1, 2, 3]
        .iter()
        .fold(head, |all, n| [all, frame(*n)].concat());
    store.put(name, Some(bytes));
    let vault = open(store, &key).unwrap();
    let expected = Rollback::LogTruncated {
        end: 3,
        remembered: 4,
    };
    assert_eq!(vault.rollback(), Some(&expected));
}

#[test]
fn another_history_of_the_same_length_is_a_fork() {
    let (store, key, ..) = with_records(1);
    let other = store.snapshot();
    open(store.clone(), &key)
        .unwrap()
        .append(&[numbered(2)])
        .unwrap();
    open(other.clone(), &key)
        .unwrap()
        .append(&[numbered(3)])
        .unwrap();
    let name = tail_name(&open(store.clone(), &key).unwrap());
    store.put(name, other.read(&name).unwrap());
    let mut vault = open(store.clone(), &key).unwrap();
    assert_eq!(vault.rollback(), Some(&Rollback::LogForked { seq: 2 }));
    let now = "2026-11-22T10:00:00Z".parse().unwrap();
    vault.accept_rollback(now).unwrap();
    vault.append(&[numbered(4)]).unwrap();
    let mut again = open(store, &key).unwrap();
    assert!(again.rollback().is_none());
    assert_eq!(numbers(&mut again), [1, 3, 4]);
    assert!(matches!(
        again.read(2).unwrap()[0].record(),
        Ok(Record::Restored(_))
    ));
}

#[test]
fn an_older_header_is_rolled_back() {
    let (store, key, ..) = with_records(1);
    let old = store.read(&Name::Header).unwrap();
    let mut vault = open(store.clone(), &key).unwrap();
    let mut header = vault.header.clone();
    header.generation += 1;
    store.put(
        Name::Header,
        Some(header.seal(&key).unwrap().bytes().to_vec()),
    );
    vault.append(&[numbered(2)]).unwrap();
    store.put(Name::Header, old);
    let vault = open(store, &key).unwrap();
    assert_eq!(
        vault.rollback(),
        Some(&Rollback::RolledBack {
            found: 1,
            remembered: 2
        })
    );
}

#[test]
fn a_checkpoint_ahead_of_the_log_is_a_truncation_even_without_a_witness() {
    let (store, key, name, ends) = with_records(3);
    let mut vault = open(store.clone(), &key).unwrap();
    View::load(&mut vault, folds::Numbers::default())
        .unwrap()
        .save(&mut vault)
        .unwrap();
    store.tamper(&name, |bytes| bytes.truncate(ends[1]));
    store.forget_witness();
    let vault = open(store.clone(), &key).unwrap();
    let expected = Rollback::LogTruncated {
        end: 2,
        remembered: 3,
    };
    assert_eq!(vault.rollback(), Some(&expected));
    let mut vault = vault;
    vault
        .accept_rollback("2026-11-22T10:00:00Z".parse().unwrap())
        .unwrap();
    assert!(open(store, &key).unwrap().rollback().is_none());
}

#[test]
fn a_missing_or_damaged_segment_leaves_the_others_readable_and_the_end_writable() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let mut next = 0;
    for _ in 0..4 {
        next = fill(&mut vault, next);
    }
    let dir = Dir::Live(vault.header.epoch);
    let all = numbers(&mut vault);
    for number in 1..=3 {
        for missing in [true, false] {
            let store = store.snapshot();
            let name = Name::In(dir, Part::Segment(number));
            if missing {
                store.put(name, None);
            } else {
                store.tamper(&name, |bytes| bytes[70_000] ^= 1);
            }
            let mut vault = open(store.clone(), &key).unwrap();
            let found = numbers(&mut vault);
            assert!(found.len() >= all.len() - 5, "{number} {missing}");
            assert_eq!(
                missing,
                found.len() < all.len(),
                "where it is damaged, the padding is hit"
            );
            assert!(!vault.damage().is_empty());
            vault.append(&[numbered(900)]).unwrap();
            let mut again = open(store, &key).unwrap();
            assert_eq!(numbers(&mut again).last(), Some(&900));
            assert!(!again.verify(&mut |_, _| {}).unwrap().is_whole());
        }
    }
}

#[test]
fn a_file_of_another_kind_or_place_under_a_name_is_not_taken_for_it() {
    let (store, key, name, _) = with_records(2);
    let mut vault = open(store.clone(), &key).unwrap();
    View::load(&mut vault, folds::Numbers::default())
        .unwrap()
        .save(&mut vault)
        .unwrap();
    let dir = Dir::Live(vault.header.epoch);
    let memory = Name::In(dir, Part::LongTermMemory);
    let buffer = Name::In(dir, Part::ConversationBuffer);
    store.put(buffer, store.read(&memory).unwrap());
    store.put(Name::In(dir, Part::Tail(2)), store.read(&name).unwrap());
    let vault = open(store, &key).unwrap();
    assert!(
        vault
            .damage()
            .iter()
            .any(|damage| damage.file.ends_with("00000002.tail"))
    );
    assert!(
        vault
            .read_checkpoint(FoldName::ConversationBuffer)
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_header_whose_slot_is_damaged_is_told_from_a_wrong_passphrase() {
    let store = VolatileStore::default();
    make(Arc::new(store.clone())).unwrap();
    let good = store.read(&Name::Header).unwrap().unwrap();
    let open = || LockedVault::open(Arc::new(store.clone()), wait());
    for at in [64 + 90, 64 + 120, 64 + 20, 300 - 260 + 10] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        store.put(Name::Header, Some(bytes));
        let error = open().and_then(|locked| locked.unlock(&passphrase())).err();
        assert!(
            matches!(error, Some(VaultError::HeaderDamaged { .. })),
            "byte {at}: {error:?}"
        );
    }
    store.put(Name::Header, Some(b"nonsense".to_vec()));
    assert!(matches!(
        open().err(),
        Some(VaultError::HeaderDamaged { .. })
    ));
    store.put(Name::Header, None);
    assert!(matches!(open().err(), Some(VaultError::NoVault)));
}

#[test]
fn records_without_a_header_are_not_an_empty_directory() {
    let (store, ..) = with_records(1);
    store.put(Name::Header, None);
    let locked = LockedVault::open(Arc::new(store.clone()), wait()).err();
    assert!(matches!(locked, Some(VaultError::HeaderMissing)));
    assert!(matches!(
        make(Arc::new(store)).err(),
        Some(VaultError::HeaderMissing)
    ));
}

#[test]
fn without_key_the_structure_tells_what_is_missing() {
    let (store, key, ..) = with_records(1);
    let mut vault = open(store.clone(), &key).unwrap();
    let next = fill(&mut vault, 1);
    fill(&mut vault, next);
    let found = structure(&store).unwrap();
    assert_eq!((found.segments >= 1, found.findings.len()), (true, 0));
    store.put(
        Name::In(Dir::Live(vault.header.epoch), Part::Segment(1)),
        None,
    );
    assert!(matches!(
        structure(&store).unwrap().findings[..],
        [Finding::Damage(_)]
    ));
    // A tail is no segment, whatever is in it.
    store.put(
        Name::In(Dir::Live(vault.header.epoch), Part::Tail(1)),
        Some(vec![7; 200]),
    );
    assert!(matches!(
        structure(&store).unwrap().findings[..],
        [Finding::Damage(_)]
    ));
}

#[test]
fn a_record_read_alone_is_the_one_that_reading_all_finds() {
    let (store, key) = fresh();
    let mut vault = open(store.clone(), &key).unwrap();
    let mut next = 0;
    for _ in 0..3 {
        next = fill(&mut vault, next);
    }
    let dir = Dir::Live(vault.header.epoch);
    let damages: [&dyn Fn(&VolatileStore); 4] = [
        &|_| {},
        &|store| store.put(Name::In(dir, Part::Segment(2)), None),
        &|store| assert!(store.tamper(&Name::In(dir, Part::Segment(1)), |b| b[70_000] ^= 1)),
        &|store| assert!(store.tamper(&Name::In(dir, Part::Segment(1)), |b| b[20] ^= 1)),
    ];
    for damage in damages {
        let store = store.snapshot();
        damage(&store);
        let mut vault = open(store, &key).unwrap();
        let mut all = std::collections::BTreeMap::new();
        let mut after = 0;
        while let Some(last) = vault.read(after).unwrap().last().map(|entry| entry.seq) {
            let batch = vault.read(after).unwrap();
            all.extend(
                batch
                    .iter()
                    .map(|entry| (entry.seq, entry.record().unwrap())),
            );
            after = last;
        }
        assert!(all.len() > 12);
        for seq in (0..=after + 2).rev() {
            assert_eq!(vault.record(seq).unwrap().as_ref(), all.get(&seq), "{seq}");
        }
    }
}
