//! What a model of meaning is shown, and that nothing depends on it.

use std::rc::Rc;
use std::sync::Arc;

use super::super::find::tests::{at, said};
use super::*;
use crate::chat::Wanted;
use crate::memory::Memory;
use crate::model::{
    ConversationEvent, ConversationOp, Item, Kind, MemoryEvent, MemoryOp, Privacy, Record, Role,
    Source, SourceClass, Status,
};
use crate::recall::meaning::testing::Fake;
use crate::vault::Vault;
use crate::vault::testing::{Dir, Name, Part, Store, VolatileStore, new_vault, open_vault};

fn found(vault: &mut Vault, recall: &mut Recall, words: &str) -> Vec<u64> {
    let query = recall.understood(Query::plain(words), false);
    let found = recall.find(
        vault,
        &Memory::new(),
        &query,
        Wanted {
            most: 9,
            ..Wanted::default()
        },
        at(0),
    );
    found.unwrap().iter().map(|found| found.seq).collect()
}

/// An open index that asks this model.
fn open(vault: &mut Vault, fake: &Rc<Fake>) -> Recall {
    let mut recall = Recall::open(vault).unwrap().unwrap();
    let fake = fake.clone();
    recall.understand_with(Box::new(move || Ok(Box::new(fake))));
    recall
}

fn embedded(vault: &mut Vault, fake: &Rc<Fake>) -> Recall {
    let mut recall = open(vault, fake);
    let made = recall.embed(vault, &mut |_| true).unwrap().unwrap();
    assert_eq!(made.rows, made.passages);
    recall
}

fn lines(count: u64) -> Vec<Record> {
    let mut lines: Vec<Record> = (0..count)
        .map(|n| said(n / 20, Role::User, n as i64, &format!("pond{n} lay still")))
        .collect();
    lines[3] = said(0, Role::User, 3, "the kitten slept");
    lines
}

fn conversation(n: u64, op: ConversationOp) -> Record {
    let Record::Message(message) = said(n, Role::User, 0, "") else {
        unreachable!("said makes messages");
    };
    Record::Conversation(ConversationEvent {
        id: message.conversation,
        at: at(0),
        op,
    })
}

#[test]
fn a_model_elsewhere_is_shown_nothing_private_deleted_or_secret() {
    let private = ConversationOp::Started {
        name: None,
        private: Some(Privacy::Local),
        project: None,
    };
    let item = Item {
        id: crate::model::Id::fresh(),
        kind: Kind::Fact,
        text: "an item of memory".into(),
        status: Status::Active,
        pinned: false,
        created: at(0),
        confirmed: None,
        expires: None,
        source: Source::of(SourceClass::UserSaid),
        supersedes: None,
        flag: None,
        private: None,
        project: None,
    };
    let records = [
        conversation(1, private),
        said(1, Role::User, 1, "stays on this machine"),
        said(2, Role::User, 2, "may be seen"),
        said(3, Role::User, 3, "was deleted"),
        conversation(3, ConversationOp::Deleted),
        Record::Memory(MemoryEvent {
            at: at(4),
            op: MemoryOp::Add { item },
        }),
        said(
            2,
            Role::User,
            5,
            "the key is sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
        ),
    ];
    let shown_to = |host: Option<&str>| {
        let mut vault = new_vault(VolatileStore::default());
        vault.append(&records).unwrap();
        let fake = Rc::new(Fake {
            host: host.map(str::to_owned),
            ..Fake::default()
        });
        let mut recall = embedded(&mut vault, &fake);
        let made = fake.shown.borrow().clone();
        // Questions of a conversation that stays here, and those with a secret, are asked by words.
        for (words, is_local) in [
            ("what may be seen", true),
            (
                "is it sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
                false,
            ),
        ] {
            recall.understood(Query::plain(words), is_local);
        }
        let questions = fake.shown.borrow().len() - made.len();
        (made, questions)
    };
    assert_eq!(
        shown_to(Some("192.0.2.1")),
        (vec!["may be seen".to_owned()], 0)
    );
    for here in [None, Some("127.0.0.1:11434")] {
        let (made, questions) = shown_to(here);
        assert_eq!((made.len(), questions), (4, 2), "all but what was deleted");
    }
}

#[test]
fn a_model_that_fails_is_told_of_once_and_asked_no_more() {
    let mut vault = new_vault(VolatileStore::default());
    vault.append(&lines(40)).unwrap();
    let fake = Rc::new(Fake::default());
    let mut recall = embedded(&mut vault, &fake);
    assert_eq!(found(&mut vault, &mut recall, "feline"), [4]);
    fake.fails_after.set(0);
    assert_eq!(found(&mut vault, &mut recall, "kitten"), [4]);
    assert!(recall.take_fault().is_some());
    assert!(recall.take_fault().is_none());
    fake.fails_after.set(usize::MAX);
    assert!(found(&mut vault, &mut recall, "feline").is_empty());
}

#[test]
fn nothing_is_asked_where_there_are_no_vectors_to_compare_with() {
    let mut vault = new_vault(VolatileStore::default());
    vault.append(&lines(40)).unwrap();
    let fake = Rc::new(Fake::default());
    let mut recall = open(&mut vault, &fake);
    assert_eq!(found(&mut vault, &mut recall, "kitten"), [4]);
    assert!(fake.shown.borrow().is_empty());
}

#[test]
fn vectors_lie_sealed_and_the_words_answer_whatever_is_damaged_in_them() {
    let disk = VolatileStore::default();
    let mut vault = new_vault(disk.clone());
    vault.append(&lines(600)).unwrap();
    let fake = Rc::new(Fake::default());
    let mut recall = embedded(&mut vault, &fake);
    recall.settle(&mut vault, Merging::All).unwrap();
    assert_eq!(found(&mut vault, &mut recall, "feline"), [4]);
    let epoch = vault.epoch();
    let names = disk.list(Dir::Live(epoch)).unwrap().into_iter();
    let files: Vec<Name> = names
        .map(|found| found.name)
        .filter(|name| matches!(name, Name::In(_, Part::IndexFile(_))))
        .collect();
    assert_eq!(files.len(), 2, "one of words, one of vectors");
    for name in files {
        let bytes = disk.read(&name).unwrap().unwrap();
        for at in [8, bytes.len() / 3, bytes.len() - 1] {
            let disk = disk.snapshot();
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            disk.put(name, Some(changed));
            let mut vault = open_vault(Arc::new(disk)).unwrap();
            let mut recall = open(&mut vault, &fake);
            assert_eq!(found(&mut vault, &mut recall, "kitten"), [4]);
            recall.embed(&mut vault, &mut |_| true).unwrap();
            assert_eq!(found(&mut vault, &mut recall, "feline"), [4]);
        }
    }
}

#[test]
fn a_log_that_went_another_way_leaves_no_vectors_behind() {
    let disk = VolatileStore::default();
    let mut vault = new_vault(disk.clone());
    vault.append(&lines(30)).unwrap();
    let before = disk.snapshot();
    let fake = Rc::new(Fake::default());
    vault
        .append(&[said(9, Role::User, 99, "an umbrella")])
        .unwrap();
    let recall = embedded(&mut vault, &fake);
    let at = recall.index().vectors().map(|vectors| vectors.at.0);
    assert_eq!(at, Some(31));
    // The tail as it was before, under the index of after.
    let tails = |disk: &VolatileStore| {
        let listed = disk.list(Dir::Live(vault.epoch())).unwrap().into_iter();
        let names = listed.map(|found| found.name);
        names
            .filter(|name| !matches!(name, Name::In(_, Part::IndexFile(_) | Part::IndexManifest)))
            .collect::<Vec<_>>()
    };
    let mixed = disk.snapshot();
    for name in tails(&mixed) {
        mixed.put(name, None);
    }
    for name in tails(&before) {
        mixed.put(name, before.read(&name).unwrap());
    }
    let mut vault = open_vault(Arc::new(mixed)).unwrap();
    let recall = Recall::open(&mut vault).unwrap().unwrap();
    assert!(recall.index().vectors().is_none());
    assert_eq!(recall.index().seq(), 30);
}

#[test]
fn vectors_are_made_behind_what_another_process_wrote_meanwhile() {
    let disk = VolatileStore::default();
    let mut vault = new_vault(disk.clone());
    vault.append(&lines(600)).unwrap();
    let fake = Rc::new(Fake::default());
    let mut one = open(&mut vault, &fake);
    let mut beside = open_vault(Arc::new(disk)).unwrap();
    let mut two = open(&mut beside, &fake);
    two.settle(&mut beside, Merging::All).unwrap();
    let made = one.embed(&mut vault, &mut |_| true).unwrap().unwrap();
    assert_eq!((made.rows, made.passages), (600, 600));
    assert_eq!(found(&mut vault, &mut one, "feline"), [4]);
}
