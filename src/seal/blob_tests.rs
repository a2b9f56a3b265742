use super::super::keys::VaultKey;
use super::*;

fn key() -> DataKey {
    VaultKey::draw(VaultId([1; 16]))
        .unwrap()
        .data_key(EpochId([2; 16]))
}

const ID: BlobId = BlobId {
    kind: BlobKind::IndexFile,
    object: ObjectId([9; 16]),
};

#[test]
fn every_length_around_a_chunk_comes_back() {
    let key = key();
    for len in [
        0,
        1,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        2 * CHUNK_BYTES,
        150_000,
    ] {
        let text: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
        let file = key.seal(ID, 1, &text).unwrap();
        let (_, opened) = key.open(ID, file.bytes()).unwrap();
        assert_eq!(*opened, text, "{len}");
    }
}

#[test]
fn a_blob_under_another_name_does_not_open() {
    let key = key();
    let file = key.seal(ID, 1, b"text").unwrap();
    let open = |id| key.open(id, file.bytes()).err();
    let kind = BlobId {
        kind: BlobKind::IndexManifest,
        ..ID
    };
    assert!(matches!(
        open(kind),
        Some(SealError::BlobKind { found: 5, .. })
    ));
    let object = BlobId {
        object: ObjectId([8; 16]),
        ..ID
    };
    assert_eq!(open(object), Some(SealError::BlobObject));
    let vault = VaultKey::draw(VaultId([3; 16])).unwrap();
    let epoch = vault.data_key(EpochId([2; 16]));
    assert_eq!(
        epoch.open(ID, file.bytes()).err(),
        Some(SealError::BlobVault)
    );
    let same_vault = VaultKey::draw(VaultId([1; 16])).unwrap();
    let other_epoch = same_vault.data_key(EpochId([7; 16]));
    assert_eq!(
        other_epoch.open(ID, file.bytes()).err(),
        Some(SealError::BlobEpoch)
    );
    let other_key = same_vault.data_key(EpochId([2; 16]));
    assert_eq!(
        other_key.open(ID, file.bytes()).err(),
        Some(SealError::BlobKey)
    );
}

#[test]
fn no_flipped_bit_and_no_other_length_opens() {
    let key = key();
    let file = key.seal(ID, 1, b"some text").unwrap().bytes().to_vec();
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(ID, &changed).is_err(), "bit {bit}");
    }
    for len in 0..file.len() {
        assert!(key.open(ID, &file[..len]).is_err(), "{len} bytes");
    }
    assert!(key.open(ID, &[file.as_slice(), b"x"].concat()).is_err());
}

#[test]
fn chunks_open_alone_and_only_in_their_place() {
    let key = key();
    let text = vec![5; 3 * CHUNK_BYTES];
    let file = key.seal(ID, 1, &text).unwrap();
    let blob = Blob::read(&key, ID, file.bytes(), file.bytes().len() as u64).unwrap();
    let chunk = |index: u64| {
        let (offset, len) = blob.chunk_place(index).unwrap();
        file.bytes()[offset as usize..offset as usize + len].to_vec()
    };
    assert_eq!(
        blob.open_chunk(1, &mut chunk(1)).unwrap(),
        &text[..CHUNK_BYTES]
    );
    for (place, taken) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        let moved = blob.open_chunk(place, &mut chunk(taken)).err();
        assert_eq!(moved, Some(SealError::Chunk { index: place }));
    }
}

#[test]
fn a_head_that_asks_for_too_much_is_refused_before_memory_is_taken() {
    let key = key();
    let mut file = key.seal(ID, 1, b"text").unwrap().bytes().to_vec();
    file[64..72].copy_from_slice(&u64::MAX.to_be_bytes());
    assert!(matches!(
        key.open(ID, &file),
        Err(SealError::BlobLength { .. })
    ));
    file[64..72].copy_from_slice(&(1_u64 << 40).to_be_bytes());
    assert!(matches!(
        key.open(ID, &file),
        Err(SealError::BlobLength { .. })
    ));
}
