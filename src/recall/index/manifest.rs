//! The manifest: which files are the index, and up to which record it is current.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::state::State;
use super::vectors::Vectors;
use crate::model::Id;
use crate::recall::RecallError;
use crate::recall::shelf::FileMark;

/// Raised with any change of what analysis or folding does: an index of another version is rebuilt.
pub const VERSION: u32 = 4;
const SEGMENTS_MAX: usize = 4096;

/// One file, as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub file: FileMark,
    pub passages: u32,
}

pub struct Manifest {
    pub seq: u64,
    pub link: [u8; 32],
    pub segments: Vec<Named>,
    pub names: Vec<String>,
    pub state: State,
    pub vectors: Option<Vectors>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    v: u32,
    seq: u64,
    link: String,
    segments: Vec<WrittenFile>,
    names: Vec<String>,
    deleted: Vec<Id>,
    local: Vec<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vectors: Option<WrittenVectors>,
}

#[derive(Serialize, Deserialize)]
struct WrittenVectors {
    model: String,
    dimensions: u32,
    seq: u64,
    link: String,
    files: Vec<WrittenFile>,
}

#[derive(Deserialize)]
struct JustVersion {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct WrittenFile {
    name: String,
    generation: u64,
    commit: String,
    size: u64,
    passages: u32,
}

impl Drop for Written {
    fn drop(&mut self) {
        self.names.zeroize();
    }
}

impl Manifest {
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let written = Written {
            v: VERSION,
            seq: self.seq,
            link: hex(&self.link),
            segments: self.segments.iter().map(written).collect(),
            names: self.names.clone(),
            deleted: self.state.deleted().collect(),
            local: self.state.local().collect(),
            vectors: self.vectors.as_ref().map(|vectors| WrittenVectors {
                model: vectors.model.clone(),
                dimensions: vectors.dimensions,
                seq: vectors.at.0,
                link: hex(&vectors.at.1),
                files: vectors.files.iter().map(written).collect(),
            }),
        };
        Zeroizing::new(serde_json::to_vec(&written).expect("holds only strings and numbers"))
    }

    /// Reads a manifest; `None` if another version of the program has written it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Manifest>, RecallError> {
        let version: JustVersion =
            serde_json::from_slice(bytes).map_err(|_| RecallError::Damaged)?;
        if version.v != VERSION {
            return Ok(None);
        }
        let written: Written = serde_json::from_slice(bytes).map_err(|_| RecallError::Damaged)?;
        let segments = named(&written.segments)?;
        let passages = segments
            .iter()
            .try_fold(0u32, |sum, one| sum.checked_add(one.passages));
        passages.ok_or(RecallError::Damaged)?;
        let vectors = match &written.vectors {
            None => None,
            Some(of) => Some(Vectors {
                model: of.model.clone(),
                dimensions: of.dimensions,
                at: (of.seq, unhex(&of.link)?),
                files: named(&of.files)?,
            }),
        };
        if vectors.as_ref().is_some_and(|vectors| !vectors.is_whole()) {
            return Err(RecallError::Damaged);
        }
        Ok(Some(Manifest {
            seq: written.seq,
            link: unhex(&written.link)?,
            segments,
            names: written.names.clone(),
            state: State::of(
                written.deleted.iter().copied(),
                written.local.iter().copied(),
            ),
            vectors,
        }))
    }
}

fn written(named: &Named) -> WrittenFile {
    WrittenFile {
        name: hex(&named.file.name),
        generation: named.file.generation,
        commit: hex(&named.file.commit),
        size: named.file.size,
        passages: named.passages,
    }
}

fn named(files: &[WrittenFile]) -> Result<Vec<Named>, RecallError> {
    if files.len() > SEGMENTS_MAX {
        return Err(RecallError::Damaged);
    }
    let named = |file: &WrittenFile| {
        Ok(Named {
            file: FileMark {
                name: unhex(&file.name)?,
                generation: file.generation,
                commit: unhex(&file.commit)?,
                size: file.size,
            },
            passages: file.passages,
        })
    };
    files.iter().map(named).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], RecallError> {
    let mut out = [0; N];
    let bytes = text.as_bytes();
    if bytes.len() != 2 * N || !bytes.iter().all(u8::is_ascii_hexdigit) {
        return Err(RecallError::Damaged);
    }
    for (byte, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).map_err(|_| RecallError::Damaged)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| RecallError::Damaged)?;
    }
    Ok(out)
}
