//! Every known answer of `tests/vectors.json`, reproduced.

use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::blob::{Blob, seal_parts};
use super::frame::Chain;
use super::keys::VaultKey;
use super::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    unhex(value).try_into().unwrap()
}

fn vault_key(v: &Value) -> VaultKey {
    VaultKey::take(&mut array(&v["vault_key"]), VaultId(array(&v["vault_id"])))
}

fn epoch(v: &Value) -> EpochId {
    EpochId(array(&v["epoch_id"]))
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn passphrase(v: &Value) -> Passphrase {
    let text = v["header"]["passphrase"].as_str().unwrap();
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

#[test]
fn the_data_key_and_the_link_key() {
    let v = vectors();
    let key = vault_key(&v).data_key(epoch(&v));
    assert_eq!(key.bytes().to_vec(), unhex(&v["data_key"]));
    let mac = |k: &[u8; 32]| super::keys::mac_bytes(super::keys::keyed_mac(k));
    assert_eq!(
        super::keys::mac_bytes(key.link_mac()),
        mac(&array(&v["link_key"]))
    );
}

#[test]
fn the_header_byte_for_byte() {
    let v = vectors();
    let h = &v["header"];
    let number = |name: &str| h["kdf"][name].as_u64().unwrap() as u32;
    let params = KdfParams {
        m_kib: number("m_kib"),
        t: number("t"),
        p: number("p"),
    };
    let key = vault_key(&v);
    let words = passphrase(&v);
    let salt = array(&h["kdf"]["salt"]);
    assert_eq!(
        params.derive(&words, &salt).unwrap().to_vec(),
        unhex(&h["argon2_output"])
    );
    let first = Slot::make_with(
        &NewSlot::Passphrase(&words, params),
        h["label"].as_str().unwrap(),
        &key,
        salt,
        array(&h["slot_id"]),
    );
    let code = RecoveryCode::of(array(&h["recovery"]["secret"]));
    let second = Slot::make_with(
        &NewSlot::RecoveryCode(&code),
        h["recovery"]["label"].as_str().unwrap(),
        &key,
        array(&h["recovery"]["salt"]),
        array(&h["recovery"]["slot_id"]),
    );
    let slots = vec![first.unwrap(), second.unwrap()];
    let created = h["created"].as_u64().unwrap();
    let header = Header::new(key.vault, epoch(&v), created, slots);
    assert_eq!(header.seal(&key).unwrap().bytes(), unhex(&h["file"]));
}

#[test]
fn the_header_opens_with_passphrase_and_recovery_code() {
    let v = vectors();
    let header = Header::parse(&unhex(&v["header"]["file"])).unwrap();
    let (key, slot) = header.unlock(&passphrase(&v)).unwrap();
    assert_eq!(key.bytes().to_vec(), unhex(&v["vault_key"]));
    assert_eq!(slot.0.to_vec(), unhex(&v["header"]["slot_id"]));
    let code = RecoveryCode::of(array(&v["header"]["recovery"]["secret"]));
    let (key, slot) = header.unlock_code(&code).unwrap();
    assert_eq!(key.bytes().to_vec(), unhex(&v["vault_key"]));
    assert_eq!(slot.0.to_vec(), unhex(&v["header"]["recovery"]["slot_id"]));
}

#[test]
fn the_blobs() {
    let v = vectors();
    let key = vault_key(&v).data_key(epoch(&v));
    let kinds = [
        (1, BlobKind::ConversationBuffer),
        (2, BlobKind::LongTermMemory),
        (5, BlobKind::IndexFile),
        (7, BlobKind::Conversations),
    ];
    let cases = v["blobs"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let number = case["kind"].as_u64().unwrap();
        let kind = kinds.iter().find(|(n, _)| *n == number).unwrap().1;
        let len = case["plaintext_len"].as_u64().unwrap();
        let plaintext = match case.get("plaintext") {
            Some(text) => unhex(text),
            None if kind == BlobKind::Conversations => vec![0; len as usize],
            None => (0..len).map(|i| i as u8).collect(),
        };
        assert_eq!(sha256(&plaintext), unhex(&case["plaintext_sha256"]));
        let id = BlobId {
            kind,
            object: ObjectId(array(&case["object_id"])),
        };
        let generation = case["generation"].as_u64().unwrap();
        let blob = Blob::with_salt(&key, id, generation, len, array(&case["salt"]));
        assert_eq!(blob.key.to_vec(), unhex(&case["key"]));
        assert_eq!(blob.commit().to_vec(), unhex(&case["commit"]));
        let file = seal_parts(&blob, &plaintext);
        assert_eq!(
            file.bytes().len() as u64,
            case["file_len"].as_u64().unwrap()
        );
        assert_eq!(sha256(file.bytes()), unhex(&case["file_sha256"]));
        let (read, opened) = key.open(id, file.bytes()).unwrap();
        assert_eq!(*opened, plaintext);
        assert_eq!(read.generation(), generation);
    }
}

fn records(v: &Value) -> Vec<Zeroizing<Vec<u8>>> {
    let frames = v["log"]["frames"].as_array().unwrap();
    let line = |f: &Value| Zeroizing::new(f["record"].as_str().unwrap().as_bytes().to_vec());
    frames.iter().map(line).collect()
}

#[test]
fn the_tail_with_its_frames_and_links() {
    let v = vectors();
    let log = &v["log"];
    let key = vault_key(&v).data_key(epoch(&v));
    let chain: Chain = key.chain();
    let start = chain.start();
    assert_eq!(start.link.0.to_vec(), unhex(&log["link_0"]));
    let id = BlobId::numbered(BlobKind::Tail, 1);
    let blob = Blob::with_salt(&key, id, 1, 40, array(&log["tail_salt"]));
    assert_eq!(blob.key.to_vec(), unhex(&log["tail_key"]));
    let (tail, file) = Tail::create_from(&blob, 1, TailStart { before: start });
    let frames = log["frames"].as_array().unwrap();
    let salt = |seq: u64| Ok(array(&frames[seq as usize - 1]["salt"]));
    let all = records(&v);
    let (one, at) = tail.seal_with(&chain, start, &all[..1], salt).unwrap();
    assert_eq!(at.link.0.to_vec(), unhex(&frames[0]["link_after"]));
    let (two, at) = tail.seal_with(&chain, at, &all[1..], salt).unwrap();
    assert_eq!(at.link.0.to_vec(), unhex(&frames[2]["link_after"]));
    let whole = [file.bytes(), one.bytes(), two.bytes()].concat();
    assert_eq!(whole, unhex(&log["tail_file"]));

    let opened = Tail::read(&key, 1, &whole).unwrap();
    let mut rest = &whole[TAIL_HEAD_BYTES..];
    for (record, frame) in all.iter().zip(frames) {
        let read = opened.open(rest).unwrap();
        assert_eq!(*read.record, **record);
        assert_eq!(u64::from(read.head.index), frame["index"].as_u64().unwrap());
        assert_eq!(u64::from(read.head.left), frame["left"].as_u64().unwrap());
        rest = &rest[read.head.frame_bytes()..];
    }
    assert!(rest.is_empty());
}

#[test]
fn the_segment() {
    let v = vectors();
    let log = &v["log"];
    let key = vault_key(&v).data_key(epoch(&v));
    let chain = key.chain();
    let mut writer = SegmentWriter::new(chain.start());
    for record in records(&v) {
        writer.push(&chain, &record).unwrap();
    }
    let id = BlobId::numbered(BlobKind::Segment, 1);
    let len = writer.bytes() as u64;
    let blob = Blob::with_salt(&key, id, 1, len, array(&log["segment_salt"]));
    let (file, head) = writer.seal_with(&blob).unwrap();
    assert_eq!(file.bytes(), unhex(&log["segment_file"]));
    let segment = Segment::open(&key, 1, file.bytes()).unwrap();
    assert_eq!(segment.head, head);
    segment.verify(&chain).unwrap();
    let again: Vec<Vec<u8>> = segment.records().map(<[u8]>::to_vec).collect();
    assert_eq!(
        again,
        records(&v).iter().map(|r| r.to_vec()).collect::<Vec<_>>()
    );
}

#[test]
fn the_witness() {
    let v = vectors();
    let key = vault_key(&v);
    let frames = v["log"]["frames"].as_array().unwrap();
    let at = Position {
        seq: 3,
        link: Link(array(&frames[2]["link_after"])),
    };
    let witness = Witness {
        epoch: epoch(&v),
        generation: 1,
        at,
    };
    let place = witness.seal(&key);
    let known = unhex(&v["witness"]);
    assert_eq!(&place.bytes()[..known.len()], known);
    assert!(place.bytes()[known.len()..].iter().all(|byte| *byte == 0));
    assert_eq!(place.bytes().len(), WITNESS_PLACE_BYTES);
    assert_eq!(Witness::open(&key, place.bytes()), Some(witness));
}
