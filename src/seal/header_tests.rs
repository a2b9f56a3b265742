use super::*;

fn small() -> KdfParams {
    KdfParams::LEAST
}

fn words(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn sealed() -> (VaultKey, Vec<u8>) {
    let key = VaultKey::draw(VaultId([1; 16])).unwrap();
    let code = RecoveryCode::draw().unwrap();
    let slots = vec![
        Slot::make(&NewSlot::Passphrase(&words("right"), small()), "main", &key).unwrap(),
        Slot::make(&NewSlot::RecoveryCode(&code), "paper", &key).unwrap(),
    ];
    let header = Header::new(key.vault, EpochId([2; 16]), 5, slots);
    let file = header.seal(&key).unwrap().bytes().to_vec();
    (key, file)
}

#[test]
fn the_right_passphrase_opens_and_a_wrong_one_says_so() {
    let (key, file) = sealed();
    let header = Header::parse(&file).unwrap();
    assert_eq!(
        header.unlock(&words("right")).unwrap().0.bytes(),
        key.bytes()
    );
    assert_eq!(
        header.unlock(&words("wrong")).err(),
        Some(SealError::WrongPassphrase)
    );
    let other = RecoveryCode::draw().unwrap();
    assert_eq!(
        header.unlock_code(&other).err(),
        Some(SealError::WrongPassphrase)
    );
    assert_eq!(
        header.unlock_file(&[0; 20]).err(),
        Some(SealError::WrongPassphrase)
    );
}

/// Without Argon2: the header is refused at parsing, or its MAC does not hold under the key.
#[test]
fn no_flipped_bit_of_a_header_goes_unnoticed() {
    let (key, file) = sealed();
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let refused = match Header::parse(&changed) {
            Err(_) => true,
            Ok(header) => header.verify(&key) == Err(SealError::HeaderMac),
        };
        assert!(refused, "bit {bit}");
    }
}

#[test]
fn no_truncated_or_lengthened_header_is_parsed() {
    let (_, file) = sealed();
    for len in 0..file.len() {
        assert!(Header::parse(&file[..len]).is_err(), "{len} bytes");
    }
    let mut longer = file;
    longer.push(0);
    assert!(matches!(
        Header::parse(&longer),
        Err(SealError::HeaderLength { .. })
    ));
}

fn set(file: &[u8], at: usize, bytes: &[u8]) -> Result<Header, SealError> {
    let mut changed = file.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    Header::parse(&changed)
}

#[test]
fn each_violation_has_its_own_error_before_anything_is_derived() {
    let (_, file) = sealed();
    let err = |at, bytes: &[u8]| set(&file, at, bytes).err();
    assert_eq!(err(0, b"X"), Some(SealError::NotAHeader));
    assert_eq!(err(14, &[0, 1]), Some(SealError::HeaderFlags { flags: 1 }));
    assert_eq!(err(12, &[0, 0]), Some(SealError::SlotCount(0)));
    assert_eq!(err(12, &[0, 17]), Some(SealError::SlotCount(17)));
    assert!(matches!(
        err(12, &[0, 1]),
        Some(SealError::HeaderLength { .. })
    ));
    assert_eq!(err(65, &[2]), Some(SealError::SlotMalformed { slot: 0 }));
    assert_eq!(err(66, &[0, 1]), Some(SealError::SlotMalformed { slot: 0 }));
    assert_eq!(
        err(68, &[0xff; 4]),
        Some(SealError::KdfMemory {
            slot: 0,
            m_kib: u32::MAX
        })
    );
    assert_eq!(
        err(72, &[0, 0, 0, 1]),
        Some(SealError::KdfPasses { slot: 0, t: 1 })
    );
    assert_eq!(
        err(76, &[0, 0, 0, 9]),
        Some(SealError::KdfLanes { slot: 0, p: 9 })
    );
    // a recovery slot whose KDF fields are not zero
    assert_eq!(
        err(64 + 160 + 4, &[1]),
        Some(SealError::SlotMalformed { slot: 1 })
    );
}

#[test]
fn work_over_all_slots_is_bounded() {
    let key = VaultKey::draw(VaultId([1; 16])).unwrap();
    let one = Slot::make(&NewSlot::Passphrase(&words("a"), small()), "", &key).unwrap();
    let mut file = Header::new(key.vault, EpochId([2; 16]), 0, vec![one; 3])
        .seal(&key)
        .unwrap()
        .bytes()
        .to_vec();
    for slot in 0..3 {
        let at = 64 + slot * 160 + 4;
        file[at..at + 8].copy_from_slice(&[0, 0x10, 0, 0, 0, 0, 0, 16]);
    }
    assert_eq!(Header::parse(&file).err(), Some(SealError::KdfWorkTotal));
}

#[test]
fn kdf_memory_beyond_what_is_left_is_refused() {
    let (_, file) = sealed();
    let header = Header::parse(&file).unwrap();
    assert_eq!(header.check_memory(None), Ok(()));
    assert_eq!(header.check_memory(Some(19_456)), Ok(()));
    let wanted = SealError::KdfMemoryLeft {
        needed_kib: 19_456,
        left_kib: 19_455,
    };
    assert_eq!(header.check_memory(Some(19_455)), Err(wanted));
}

#[test]
fn an_unknown_slot_and_bytes_of_a_higher_minor_are_kept() {
    let key = VaultKey::draw(VaultId([1; 16])).unwrap();
    let known = Slot::make(&NewSlot::Passphrase(&words("a"), small()), "", &key).unwrap();
    let mut raw = known.raw;
    raw[0] = 99;
    let unknown = Slot::parse(raw, 1).unwrap();
    assert_eq!(unknown.kind(), SlotKind::Unknown(99));
    let mut header = Header::new(key.vault, EpochId([2; 16]), 0, vec![known, unknown]);
    header.minor = 1;
    header.extra = b"later".to_vec();
    let file = header.seal(&key).unwrap();
    let read = Header::parse(file.bytes()).unwrap();
    let (again, _) = read.unlock(&words("a")).unwrap();
    assert_eq!(read.seal(&again).unwrap().bytes(), file.bytes());
}
