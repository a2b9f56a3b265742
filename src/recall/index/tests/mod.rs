mod meaning;
mod sealed;
mod search;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::model::{
    ConversationEvent, ConversationOp, Id, Item, Kind, MemoryEvent, MemoryOp, Message,
    Source as Origin, SourceClass, Status, Text, Timestamp,
};
use crate::recall::rank::{Question, Weights, rank};
use crate::recall::search::{Filter, Hit, Query, Scope};
use crate::recall::shelf::{FileMark, SealedManifest, ShelfLock, VolatileShelf};
use zeroize::Zeroizing;

/// A shelf that several indexes share, as processes share a directory.
#[derive(Clone, Default)]
struct Shared(Rc<VolatileShelf>, Rc<Cell<Fault>>);

/// What fails next, once.
#[derive(Clone, Copy, Default, PartialEq)]
enum Fault {
    #[default]
    Nothing,
    Write,
    Manifest,
}

impl Shared {
    fn fails(&self, here: Fault) -> Result<(), ShelfError> {
        if self.1.get() == here {
            self.1.set(Fault::Nothing);
            return Err(ShelfError::Store("no space left".into()));
        }
        Ok(())
    }
}

impl Shelf for Shared {
    fn read_chunk(&self, f: &FileMark, n: u64) -> Result<Option<Zeroizing<Vec<u8>>>, ShelfError> {
        self.0.read_chunk(f, n)
    }
    fn write(&self, bytes: &[u8]) -> Result<FileMark, ShelfError> {
        self.fails(Fault::Write)?;
        self.0.write(bytes)
    }
    fn remove(&self, name: &[u8; 16]) -> Result<(), ShelfError> {
        self.0.remove(name)
    }
    fn list(&self) -> Result<Vec<[u8; 16]>, ShelfError> {
        self.0.list()
    }
    fn manifest(&self) -> Result<Option<SealedManifest>, ShelfError> {
        self.0.manifest()
    }
    fn replace_manifest(&self, expected: Option<u64>, bytes: &[u8]) -> Result<u64, ShelfError> {
        self.fails(Fault::Manifest)?;
        self.0.replace_manifest(expected, bytes)
    }
    fn try_lock(&self) -> Result<Option<ShelfLock>, ShelfError> {
        self.0.try_lock()
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Frequent words are much more frequent than rare ones.
    fn word(&mut self) -> String {
        let most = 1 + self.below(600);
        let n = self.below(most);
        format!("w{n}x")
    }
}

fn id(n: u64) -> Id {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    Id::from_bytes(bytes)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_600_000_000 + second).unwrap()
}

/// Records of conversations that run at the same time, some messages long, some empty.
fn history(count: u64, seed: u64) -> Vec<Record> {
    let mut random = Random(seed);
    let mut conversation = 1;
    (0..count)
        .map(|n| {
            if random.below(20) == 0 {
                conversation = 1 + random.below(1 + n / 10);
            }
            let words = match random.below(12) {
                0 => 60 + random.below(300),
                1 => 0,
                _ => 1 + random.below(40),
            };
            let mut text: Vec<String> = (0..words).map(|_| random.word()).collect();
            if random.below(6) == 0 {
                text.push("yesterday I saw 12?".into());
            }
            let role = if random.below(2) == 0 {
                Role::User
            } else {
                Role::Assistant
            };
            let mut message = Message::text(
                id(conversation),
                role,
                at(n as i64 * 900),
                text.join(" ").into(),
            );
            if role == Role::User && random.below(2) == 0 {
                message.name = Some(["Ada", "Grace"][random.below(2) as usize].into());
            }
            Record::Message(message)
        })
        .collect()
}

fn fed(index: &mut Index, records: &[Record], flush_every: u64, merging: Merging) {
    for (n, record) in records.iter().enumerate() {
        index.apply(n as u64 + 1, record);
        if index.overlay_messages() >= flush_every {
            assert!(index.flush([7; 32], merging).unwrap());
        }
    }
}

fn plain(records: &[Record]) -> Index {
    let mut index = Index::open(Box::new(VolatileShelf::default()), 4).unwrap();
    fed(&mut index, records, u64::MAX, Merging::All);
    index
}

/// Seqs and scores to the last bit.
fn ranked(index: &Index, question: &str, k: usize) -> Vec<(u64, u64, u64)> {
    let question = Question::of(question, index);
    let found = rank(index, &question, &Weights::default(), k, &mut |_, _| true).unwrap();
    found
        .iter()
        .map(|s| (s.seq, s.score.to_bits(), s.words.to_bits()))
        .collect()
}

const QUESTIONS: [&str; 6] = [
    "w1x",
    "When did Ada see w5x and w17x?",
    "how many w2x w3x w200x w301x w9x w11x w4x w6x",
    "what did you suggest about w40x in September 2020",
    "w599x",
    "unheard of",
];

fn message(conversation: u64, role: Role, second: i64, text: &str) -> Record {
    Record::Message(Message::text(
        id(conversation),
        role,
        at(second),
        text.into(),
    ))
}

fn item(n: u64, text: &str, status: Status) -> Item {
    Item {
        id: id(n),
        kind: Kind::Fact,
        text: text.into(),
        status,
        pinned: false,
        created: at(0),
        confirmed: None,
        expires: None,
        source: Origin::of(SourceClass::UserSaid),
        supersedes: None,
        flag: None,
        private: None,
        project: None,
    }
}

fn memory(op: MemoryOp) -> Record {
    Record::Memory(MemoryEvent { at: at(5), op })
}

fn find(index: &Index, query: &str, filter: &Filter) -> Vec<u64> {
    found(index, query, filter)
        .iter()
        .map(|hit| hit.seq)
        .collect()
}

fn found(index: &Index, query: &str, filter: &Filter) -> Vec<Hit> {
    let mut open = |_| -> Result<Option<Text>, RecallError> { Ok(None) };
    index
        .search(&Query::parse(query), filter, 10, &mut open)
        .unwrap()
}
