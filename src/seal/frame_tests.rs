use super::super::keys::VaultKey;
use super::*;

fn key() -> DataKey {
    VaultKey::draw(VaultId([1; 16]))
        .unwrap()
        .data_key(EpochId([2; 16]))
}

fn lines(texts: &[&str]) -> Vec<Zeroizing<Vec<u8>>> {
    texts
        .iter()
        .map(|t| Zeroizing::new(t.as_bytes().to_vec()))
        .collect()
}

#[test]
fn no_flipped_bit_of_a_frame_opens() {
    let key = key();
    let chain = key.chain();
    let (tail, _) = Tail::create(
        &key,
        1,
        TailStart {
            before: chain.start(),
        },
    )
    .unwrap();
    let (frames, _) = tail
        .seal(&chain, chain.start(), &lines(&["hello"]))
        .unwrap();
    assert!(tail.open(frames.bytes()).is_ok());
    for bit in 0..frames.bytes().len() * 8 {
        let mut changed = frames.bytes().to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(tail.open(&changed).is_err(), "bit {bit}");
    }
    for len in 0..frames.bytes().len() {
        assert!(tail.open(&frames.bytes()[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn a_frame_of_another_tail_does_not_open() {
    let key = key();
    let chain = key.chain();
    let start = TailStart {
        before: chain.start(),
    };
    let (one, _) = Tail::create(&key, 1, start).unwrap();
    let (other, _) = Tail::create(&key, 1, start).unwrap();
    let (frames, _) = one.seal(&chain, chain.start(), &lines(&["hello"])).unwrap();
    assert!(other.open(frames.bytes()).is_err());
}

#[test]
fn a_line_feed_or_an_over_long_record_is_refused() {
    let key = key();
    let chain = key.chain();
    let (tail, _) = Tail::create(
        &key,
        1,
        TailStart {
            before: chain.start(),
        },
    )
    .unwrap();
    let seal = |record: Vec<u8>| {
        tail.seal(&chain, chain.start(), &[Zeroizing::new(record)])
            .err()
    };
    assert_eq!(seal(b"a\nb".to_vec()), Some(SealError::RecordLineFeed));
    let long = seal(vec![b'a'; RECORD_BYTES_MAX + 1]);
    assert!(matches!(long, Some(SealError::RecordLength { .. })));
    assert_eq!(seal(vec![b'a'; RECORD_BYTES_MAX]), None);
}

#[test]
fn equal_logs_have_equal_links_and_others_do_not() {
    let chain = key().chain();
    let walk = |texts: &[&str]| {
        texts
            .iter()
            .fold(chain.start(), |at, text| chain.next(at, text.as_bytes()))
            .link
    };
    assert_eq!(walk(&["a", "b"]), walk(&["a", "b"]));
    assert_ne!(walk(&["a", "b"]), walk(&["b", "a"]));
    assert_ne!(walk(&["ab"]), walk(&["a", "b"]));
    assert_eq!(Link::from_hex(&walk(&["a"]).to_hex()), Some(walk(&["a"])));
    assert_eq!(Link::from_hex("zz"), None);
}
