use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::model::{
    ConversationEvent, ConversationOp, Id, Item, Kind, MemoryEvent, MemoryOp, Message,
    Source as Origin, SourceClass, Status, Text, Timestamp,
};
use crate::recall::rank::{Question, Weights, rank};
use crate::recall::search::{self, Filter, Hit, Query};
use crate::recall::shelf::{FileMark, SealedManifest, ShelfLock, VolatileShelf};
use zeroize::Zeroizing;

/// A shelf that several indexes share, as processes share a directory.
#[derive(Clone, Default)]
struct Shared(Rc<VolatileShelf>);

impl Shelf for Shared {
    fn read_chunk(&self, f: &FileMark, n: u64) -> Result<Option<Zeroizing<Vec<u8>>>, ShelfError> {
        self.0.read_chunk(f, n)
    }
    fn write(&self, bytes: &[u8]) -> Result<FileMark, ShelfError> {
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

#[test]
fn the_sealed_index_ranks_as_plain_arrays_do_to_the_last_bit() {
    let records = history(3_000, 1);
    let plain = plain(&records);
    for (flush_every, merging) in [
        (97, Merging::All),
        (512, Merging::Small),
        (1400, Merging::All),
    ] {
        let shelf = Shared::default();
        let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
        fed(&mut index, &records, flush_every, merging);
        let again = {
            let mut again = Index::open(Box::new(shelf), 3).unwrap();
            let from = again.seq() as usize;
            for (n, record) in records.iter().enumerate().skip(from) {
                again.apply(n as u64 + 1, record);
            }
            again
        };
        assert_eq!(index.contents().sums, plain.contents().sums);
        for question in QUESTIONS {
            let expected = ranked(&plain, question, 50);
            assert_eq!(expected.len(), 50);
            assert_eq!(expected, ranked(&index, question, 50), "{question}");
            assert_eq!(expected, ranked(&again, question, 50), "{question}");
        }
    }
}

#[test]
fn more_messages_than_are_all_scored_rank_alike_too() {
    let records = history(21_000, 2);
    let plain = plain(&records);
    let mut index = Index::open(Box::new(VolatileShelf::default()), 8).unwrap();
    fed(&mut index, &records, 4_000, Merging::All);
    for question in QUESTIONS {
        assert_eq!(
            ranked(&plain, question, 20),
            ranked(&index, question, 20),
            "{question}"
        );
    }
}

#[test]
fn merging_keeps_the_number_of_files_small() {
    let records = history(4_000, 3);
    let mut index = Index::open(Box::new(VolatileShelf::default()), 8).unwrap();
    fed(&mut index, &records, 40, Merging::All);
    assert!(index.segment_count() <= 15, "{}", index.segment_count());
}

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

#[test]
fn an_item_is_found_only_while_it_stands_and_by_its_present_words() {
    let only = Filter {
        kind: search::Kind::Memory,
        ..Filter::default()
    };
    let mut index = plain(&[
        memory(MemoryOp::Add {
            item: item(1, "likes zebras", Status::Active),
        }),
        memory(MemoryOp::Add {
            item: item(2, "likes zebras at night", Status::Pending),
        }),
    ]);
    assert_eq!(find(&index, "zebra", &only), [1]);
    index.apply(
        3,
        &memory(MemoryOp::Edit {
            id: id(1),
            text: "likes okapis".into(),
        }),
    );
    assert_eq!(find(&index, "zebra", &only), [0u64; 0]);
    assert_eq!(find(&index, "okapi", &only), [3]);
    index.apply(4, &memory(MemoryOp::Approve { id: id(2) }));
    assert_eq!(find(&index, "zebra", &only), [2]);
    let newer = item(3, "likes llamas", Status::Active);
    index.apply(
        5,
        &memory(MemoryOp::Supersede {
            id: id(1),
            item: newer,
        }),
    );
    assert_eq!(find(&index, "okapi", &only), [0u64; 0]);
    assert_eq!(find(&index, "llama", &only), [5]);
    assert!(index.flush([1; 32], Merging::All).unwrap());
    index.apply(6, &memory(MemoryOp::Forget { id: id(3) }));
    assert_eq!(find(&index, "llama", &only), [0u64; 0]);
    index.apply(7, &memory(MemoryOp::Restore { id: id(3) }));
    assert_eq!(find(&index, "llama", &only), [5]);
}

#[test]
fn what_is_hidden_stays_hidden_after_opening_again() {
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    let deleted = |op| {
        Record::Conversation(ConversationEvent {
            id: id(1),
            at: at(9),
            op,
        })
    };
    index.apply(1, &message(1, Role::User, 0, "a secret pelican"));
    index.apply(
        2,
        &memory(MemoryOp::Add {
            item: item(1, "owns a pelican", Status::Active),
        }),
    );
    index.apply(3, &deleted(ConversationOp::Deleted));
    index.apply(4, &memory(MemoryOp::Forget { id: id(1) }));
    assert!(index.flush([3; 32], Merging::All).unwrap());
    let mut again = Index::open(Box::new(shelf), 8).unwrap();
    assert_eq!((again.seq(), again.sealed_at()), (4, (4, [3; 32])));
    assert_eq!(find(&again, "pelican", &Filter::default()), [0u64; 0]);
    again.apply(5, &deleted(ConversationOp::Restored));
    assert_eq!(find(&again, "pelican", &Filter::default()), [1]);
}

#[test]
fn filters_let_through_only_what_they_say() {
    let index = plain(&[
        message(1, Role::User, 0, "the heron stood still"),
        message(1, Role::Assistant, 100, "a heron is patient"),
        message(2, Role::User, 200, "another heron"),
        memory(MemoryOp::Add {
            item: item(1, "saw a heron", Status::Active),
        }),
        message(3, Role::User, 300, "nothing of the kind"),
    ]);
    let with = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        let mut seqs = find(&index, "heron", &filter);
        seqs.sort_unstable();
        seqs
    };
    assert_eq!(with(&|_| {}), [1, 2, 3, 4]);
    assert_eq!(with(&|f| f.kind = search::Kind::Messages), [1, 2, 3]);
    assert_eq!(with(&|f| f.role = Some(Role::Assistant)), [2]);
    assert_eq!(with(&|f| f.conversation = Some(id(1))), [1, 2]);
    assert_eq!(with(&|f| f.conversation = Some(id(9))), [0u64; 0]);
    assert_eq!(with(&|f| f.since = Some(at(100))), [2, 3]);
    assert_eq!(
        with(&|f| (f.until, f.kind) = (Some(at(100)), search::Kind::Messages)),
        [1]
    );
}

#[test]
fn phrases_are_checked_in_the_text_and_exclusions_leave_out() {
    let texts = [
        "red wine with cheese",
        "wine red as blood",
        "red wine and a banjo",
    ];
    let records: Vec<Record> = (0u64..)
        .zip(texts)
        .map(|(n, text)| message(n + 1, Role::User, 0, text))
        .collect();
    let index = plain(&records);
    let opened = RefCell::new(Vec::new());
    let ask = |query: &str| {
        opened.borrow_mut().clear();
        let mut open = |seq: u64| -> Result<Option<Text>, RecallError> {
            opened.borrow_mut().push(seq);
            Ok(Some(texts[seq as usize - 1].into()))
        };
        let hits = index
            .search(&Query::parse(query), &Filter::default(), 10, &mut open)
            .unwrap();
        let mut seqs: Vec<u64> = hits.iter().map(|hit| hit.seq).collect();
        seqs.sort_unstable();
        seqs
    };
    assert_eq!(ask("\"red wine\""), [1, 3]);
    assert_eq!(opened.borrow().len(), 3);
    assert_eq!(ask("wine -banjos"), [1, 2]);
    assert!(opened.borrow().is_empty());
    assert_eq!(ask("\"red wine\" -cheese"), [3]);
    assert_eq!(ask("“wine red”"), [2]);
}

#[test]
fn only_what_bears_on_a_line_is_recalled() {
    let mut records = history(400, 5);
    records.push(message(
        900,
        Role::User,
        0,
        "My sister Clara plays the bassoon in Graz",
    ));
    let index = plain(&records);
    let hits = index.recall(
        "Which instrument does my sister play again? A bassoon?",
        5,
        &mut |_| false,
    );
    assert_eq!(hits.unwrap().first().map(|hit| hit.seq), Some(401));
    let none = index.recall("Please translate this into Latin for me", 5, &mut |_| false);
    assert_eq!(none.unwrap(), []);
    let skipped = index
        .recall("my sister's bassoon", 5, &mut |seq| seq == 401)
        .unwrap();
    assert!(skipped.iter().all(|hit| hit.seq != 401));
}

#[test]
fn a_copy_without_purged_records_holds_nothing_of_their_words() {
    let mut index = plain(&[
        message(1, Role::User, 0, "an unmistakable xylophone"),
        message(1, Role::User, 60, "an ordinary piano"),
    ]);
    assert!(index.flush([1; 32], Merging::All).unwrap());
    let fresh = Shared::default();
    index
        .copy_to(&fresh, &BTreeSet::from([1]), [2; 32])
        .unwrap();
    let copy = Index::open(Box::new(fresh.clone()), 8).unwrap();
    assert_eq!(copy.sealed_at(), (2, [2; 32]));
    assert_eq!(find(&copy, "xylophone", &Filter::default()), [0u64; 0]);
    assert_eq!(find(&copy, "piano", &Filter::default()), [2]);
    fresh.0.tamper(|bytes| {
        let holds = |word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
        assert!(holds(b"piano") && !holds(b"xylophon"));
    });
}

#[test]
fn another_process_is_noticed_and_its_lock_respected() {
    let shelf = Shared::default();
    let mut one = Index::open(Box::new(shelf.clone()), 8).unwrap();
    let mut two = Index::open(Box::new(shelf.clone()), 8).unwrap();
    for index in [&mut one, &mut two] {
        index.apply(1, &message(1, Role::User, 0, "a kestrel"));
    }
    let lock = shelf.try_lock().unwrap().unwrap();
    assert!(!one.flush([1; 32], Merging::All).unwrap());
    drop(lock);
    assert!(one.flush([1; 32], Merging::All).unwrap());
    assert!(!two.is_current().unwrap());
    let refused = two.flush([1; 32], Merging::All);
    assert!(matches!(
        refused,
        Err(RecallError::Shelf(ShelfError::Conflict))
    ));
    assert_eq!(find(&two, "kestrel", &Filter::default()), [1]);
    assert_eq!(shelf.list().unwrap().len(), 1);
}

#[test]
fn files_that_no_manifest_names_are_removed_by_the_next_writer() {
    let shelf = Shared::default();
    shelf.write(b"left by a crash").unwrap();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    index.apply(1, &message(1, Role::User, 0, "a wren"));
    assert!(index.flush([1; 32], Merging::All).unwrap());
    assert_eq!(shelf.list().unwrap().len(), 1);
    assert_eq!(
        find(
            &Index::open(Box::new(shelf), 8).unwrap(),
            "wren",
            &Filter::default()
        ),
        [1]
    );
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let mut records = history(120, 6);
    records.push(message(77, Role::User, 0, "a bittern"));
    let mut random = Random(9);
    for round in 0..400 {
        let shelf = Shared::default();
        let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
        fed(&mut index, &records, u64::MAX, Merging::All);
        assert!(index.flush([1; 32], Merging::All).unwrap());
        shelf.0.tamper(|bytes| {
            let at = random.below(bytes.len() as u64) as usize;
            // Late bytes are directory and footer: hit them as often as all others.
            let at = if round % 2 == 0 {
                at
            } else {
                bytes.len() - 1 - at % 1500
            };
            bytes[at] ^= 1 << random.below(8);
        });
        if let Ok(index) = Index::open(Box::new(shelf), 8) {
            for question in QUESTIONS {
                let question = Question::of(question, &index);
                // Some flips only change a count; what matters is that all stays within bounds.
                let _ = rank(&index, &question, &Weights::default(), 5, &mut |_, _| true);
            }
        }
    }
}

#[test]
fn a_cut_file_does_not_open() {
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    fed(&mut index, &history(50, 7), u64::MAX, Merging::All);
    assert!(index.flush([1; 32], Merging::All).unwrap());
    shelf.0.tamper(|bytes| bytes.truncate(bytes.len() - 1));
    assert!(matches!(
        Index::open(Box::new(shelf), 8),
        Err(RecallError::Damaged)
    ));
}

#[test]
fn an_index_of_another_version_is_as_none() {
    let shelf = Shared::default();
    shelf
        .replace_manifest(None, br#"{"v":99,"seq":5,"anything":[]}"#)
        .unwrap();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    assert_eq!(index.seq(), 0);
    index.apply(1, &message(1, Role::User, 0, "a dunlin"));
    assert!(index.flush([1; 32], Merging::All).unwrap());
    assert_eq!(
        find(
            &Index::open(Box::new(shelf), 8).unwrap(),
            "dunlin",
            &Filter::default()
        ),
        [1]
    );
}

#[test]
fn a_day_is_found_among_many_by_its_date_alone() {
    let mut records = history(20_500, 8);
    let then = "2011-03-09T12:00:00Z".parse().unwrap();
    let said = Message::text(id(70_000), Role::User, then, "walked to the mill".into());
    records.push(Record::Message(said));
    let index = plain(&records);
    assert_eq!(
        find(&index, "what was on 9 March 2011", &Filter::default())[0],
        20_501
    );
}

#[test]
fn a_search_finds_what_holds_the_word_and_what_is_around_it_only_if_asked_to() {
    let index = plain(&[
        message(1, Role::User, 0, "the best ocarina ever"),
        message(1, Role::Assistant, 10, "Indeed a rare thing"),
        message(2, Role::User, 20, "other matters"),
    ]);
    assert_eq!(find(&index, "ocarina", &Filter::default()), [1]);
    let around = Filter {
        by_neighbours: true,
        ..Filter::default()
    };
    let hits = found(&index, "ocarina", &around);
    assert_eq!(
        hits.iter()
            .map(|hit| (hit.seq, hit.own))
            .collect::<Vec<_>>(),
        [(1, true), (2, false)]
    );
}
