use super::super::keys::{EpochId, VaultId, VaultKey};
use super::*;

fn key() -> DataKey {
    VaultKey::draw(VaultId([1; 16]))
        .unwrap()
        .data_key(EpochId([2; 16]))
}

/// A segment of `count` records of about 1 KiB each.
fn segment(key: &DataKey, count: usize) -> (Vec<u8>, SegmentHead) {
    let chain = key.chain();
    let mut writer = SegmentWriter::new(chain.start());
    for i in 0..count {
        writer
            .push(&chain, format!("{i}:{}", "x".repeat(1000)).as_bytes())
            .unwrap();
    }
    let (file, head) = writer.seal(key, 7).unwrap();
    (file.bytes().to_vec(), head)
}

#[test]
fn the_first_chunk_alone_tells_the_head() {
    let key = key();
    let (file, head) = segment(&key, 300);
    let start = &file[..SegmentHead::START_BYTES];
    assert_eq!(
        SegmentHead::read(&key, 7, start, file.len() as u64).unwrap(),
        head
    );
    assert!(SegmentHead::read(&key, 8, start, file.len() as u64).is_err());
    assert!(SegmentHead::read(&key, 7, &start[..100], file.len() as u64).is_err());
}

#[test]
fn an_empty_segment_is_not_written() {
    let key = key();
    let writer = SegmentWriter::new(key.chain().start());
    assert_eq!(writer.seal(&key, 1).err(), Some(SealError::SegmentCount));
}

#[test]
fn a_damaged_chunk_costs_only_the_records_that_touch_it() {
    let key = key();
    let (mut file, _) = segment(&key, 300);
    // inside the third chunk
    file[HEAD + 2 * (CHUNK_BYTES + TAG_BYTES) + 10] ^= 1;
    assert!(Segment::open(&key, 7, &file).is_err());
    let salvage = Salvage::open(&key, 7, &file).unwrap();
    assert_eq!(salvage.damaged, [2]);
    let kept: Vec<String> = salvage.runs.iter().flatten().map(name).collect();
    let lost = 300 - kept.len();
    assert!((64..=67).contains(&lost), "{lost} lost");
    assert_eq!(
        (kept[0].as_str(), kept[kept.len() - 1].as_str()),
        ("0", "299")
    );
}

const HEAD: usize = super::super::blob::HEAD_BYTES;

fn name(line: &Zeroizing<Vec<u8>>) -> String {
    let text = std::str::from_utf8(line).unwrap();
    assert_eq!(text.len(), text.find(':').unwrap() + 1001, "a whole line");
    text.split(':').next().unwrap().to_owned()
}

#[test]
fn a_damaged_first_chunk_leaves_the_rest() {
    let key = key();
    let (mut file, _) = segment(&key, 300);
    file[HEAD + 10] ^= 1;
    let salvage = Salvage::open(&key, 7, &file).unwrap();
    assert!(salvage.head.is_none());
    assert!(salvage.runs.iter().flatten().count() > 230);
}
