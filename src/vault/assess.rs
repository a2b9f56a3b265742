//! Holds the log against what the checkpoints and the witness remember of it.

use serde::Deserialize;

use super::error::{Rollback, VaultError};
use super::log::OpenLog;
use super::part_of;
use super::witness::WitnessState;
use crate::model::FoldName;
use crate::seal::{Blob, DataKey, Header, Link, Position, TAG_BYTES, Witness};
use crate::store::{Dir, Name, Store};

/// What a checkpoint says about itself: its first three members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CheckpointHead {
    pub version: u32,
    pub at: Position,
    /// Of the sealed file.
    pub generation: u64,
}

#[derive(Deserialize)]
struct Members {
    v: u32,
    seq: u64,
    link: String,
}

/// Longer than any `{"v":…,"seq":…,"link":"…"`.
const MEMBERS_BYTES_MAX: usize = 160;

/// Where the first three members end.
pub(super) fn members_end(json: &[u8]) -> Option<usize> {
    let start = &json[..json.len().min(MEMBERS_BYTES_MAX)];
    let link = start.windows(8).position(|w| w == b"\"link\":\"")? + 8;
    Some(link + start[link..].iter().position(|b| *b == b'"')? + 1)
}

/// Reads `{"v":…,"seq":…,"link":"…"` from the start of a checkpoint's JSON.
pub(super) fn parse_members(json: &[u8]) -> Option<(u32, Position)> {
    let mut object = json[..members_end(json)?].to_vec();
    object.push(b'}');
    let members: Members = serde_json::from_slice(&object).ok()?;
    let link = Link::from_hex(&members.link)?;
    Some((
        members.v,
        Position {
            seq: members.seq,
            link,
        },
    ))
}

/// Opens only the first chunk of a checkpoint; none if it is missing or does not open.
pub(super) fn checkpoint_head(
    store: &dyn Store,
    data: &DataKey,
    name: FoldName,
) -> Result<Option<CheckpointHead>, VaultError> {
    let part = part_of(name);
    let file = Name::In(Dir::Live(data.epoch()), part);
    let id = part.blob_id().expect("checkpoints are blobs");
    let Some(size) = store.size(&file)? else {
        return Ok(None);
    };
    let start = crate::seal::HEAD_BYTES + crate::seal::CHUNK_BYTES + TAG_BYTES;
    let Some(bytes) = store.read_at(&file, 0, start)? else {
        return Ok(None);
    };
    let Ok(blob) = Blob::read(data, id, &bytes, size) else {
        return Ok(None);
    };
    let Some((offset, len)) = blob.chunk_place(0) else {
        return Ok(None);
    };
    let Some(chunk) = bytes.get(offset as usize..offset as usize + len) else {
        return Ok(None);
    };
    let mut chunk = zeroize::Zeroizing::new(chunk.to_vec());
    let Ok(text) = blob.open_chunk(0, &mut chunk) else {
        return Ok(None);
    };
    let generation = blob.generation();
    Ok(parse_members(text).map(|(version, at)| CheckpointHead {
        version,
        at,
        generation,
    }))
}

/// What is remembered of the log from outside of it.
pub(super) struct Remembered {
    checkpoints: Vec<CheckpointHead>,
    pub witness: WitnessState,
}

impl Remembered {
    pub(super) fn read(
        store: &dyn Store,
        data: &DataKey,
        key: &crate::seal::VaultKey,
    ) -> Result<Self, VaultError> {
        let witness = WitnessState::read(store, key)?;
        let mut checkpoints = Vec::new();
        for name in FoldName::ALL {
            checkpoints.extend(checkpoint_head(store, data, name)?);
        }
        Ok(Remembered {
            checkpoints,
            witness,
        })
    }

    /// The witness, where it speaks of this epoch or of a later header.
    fn evidence(&self, header: &Header) -> Option<&Witness> {
        // An epoch of a lower header generation was rewritten since: behind, not evidence.
        self.witness
            .newest()
            .filter(|w| w.epoch == header.epoch || w.generation >= header.generation)
    }

    /// Whether the log falls short of what is remembered. The log must have been read after this.
    pub(super) fn judge(
        &self,
        header: &Header,
        log: &mut OpenLog,
        data: &DataKey,
    ) -> Result<Option<Rollback>, VaultError> {
        let mut places: Vec<Position> = self.checkpoints.iter().map(|head| head.at).collect();
        if let Some(witness) = self.evidence(header) {
            if witness.generation > header.generation {
                let (found, remembered) = (header.generation, witness.generation);
                return Ok(Some(Rollback::RolledBack { found, remembered }));
            }
            if witness.epoch != header.epoch {
                return Ok(Some(Rollback::LogForked {
                    seq: witness.at.seq,
                }));
            }
            places.push(witness.at);
        }
        let end = log.end();
        let furthest = places.iter().max_by_key(|place| place.seq).copied();
        if let Some(place) = furthest.filter(|place| place.seq > end.seq) {
            return Ok(Some(Rollback::LogTruncated {
                end: end.seq,
                remembered: place.seq,
            }));
        }
        // Older places are compared when their segment is read: opening stays quick.
        let start = log
            .tail()
            .map_or(end.seq, |tail| tail.tail.start.before.seq);
        for place in places.iter().filter(|place| place.seq >= start) {
            match log.position(data, place.seq)? {
                Some(found) if found != *place => {
                    return Ok(Some(Rollback::LogForked { seq: place.seq }));
                }
                // Damaged there: that is told by itself.
                _ => {}
            }
        }
        if let Some(witness) = self.evidence(header).filter(|w| w.at.seq < start)
            && log
                .position(data, witness.at.seq)?
                .is_some_and(|found| found != witness.at)
        {
            return Ok(Some(Rollback::LogForked {
                seq: witness.at.seq,
            }));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_members_are_read_without_the_rest() {
        let link = "ab".repeat(32);
        let whole = format!("{{\"v\":2,\"seq\":7,\"link\":\"{link}\",\"items\":[1,2");
        let (version, at) = parse_members(whole.as_bytes()).unwrap();
        assert_eq!((version, at.seq, at.link.to_hex()), (2, 7, link));
        for wrong in [
            "",
            "{}",
            "{\"v\":2,\"seq\":7,\"link\":\"ab\"}",
            "{\"seq\":7}",
        ] {
            assert!(parse_members(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
