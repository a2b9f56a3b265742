use std::collections::BTreeSet;

use super::*;
use crate::model::{
    ConversationEvent, ConversationOp, Fold, Item, Kind as ItemKind, MemoryEvent, MemoryOp,
    Message, Privacy, Source, SourceClass, Status,
};
use crate::recall::Merging;
use crate::vault::testing::{VolatileStore, new_vault};
use crate::vault::{Vault, View};

pub(in crate::chat) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn id(n: u64) -> Id {
    let mut digest = [0; 16];
    digest[8..].copy_from_slice(&n.to_be_bytes());
    Id::from_digest(digest)
}

fn vault() -> Vault {
    new_vault(VolatileStore::default())
}

fn recall_of(vault: &mut Vault) -> Recall {
    Recall::open(vault).unwrap().unwrap()
}

pub(in crate::chat) fn said(conversation: u64, role: Role, second: i64, text: &str) -> Record {
    Record::Message(Message::text(
        id(conversation),
        role,
        at(second),
        text.into(),
    ))
}

fn event(conversation: u64, op: ConversationOp) -> Record {
    let (id, at) = (id(conversation), at(0));
    Record::Conversation(ConversationEvent { id, at, op })
}

fn memory(second: i64, op: MemoryOp) -> Record {
    let at = at(second);
    Record::Memory(MemoryEvent { at, op })
}

fn item(n: u64, text: &str, status: Status) -> Item {
    let source = Source::of(SourceClass::UserSaid);
    let mut item = Item::new(ItemKind::Fact, text.into(), source, at(0));
    (item.id, item.status) = (id(n), status);
    item
}

/// What a search for a word finds, as texts.
fn found(vault: &mut Vault, recall: &mut Recall, word: &str, now: Timestamp) -> BTreeSet<String> {
    recall.catch_up(vault).unwrap();
    let memory = View::load(vault, Memory::new()).unwrap().fold;
    let query = Query::plain(word);
    let found = recall.find(
        vault,
        &memory,
        &query,
        Wanted {
            most: 50,
            ..Wanted::default()
        },
        now,
    );
    let texts = found.unwrap().into_iter();
    texts.map(|found| found.text.as_str().to_owned()).collect()
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % n
    }
}

/// One operation that may or may not make sense where it comes.
fn any_op(numbers: &mut Numbers, n: u64) -> MemoryOp {
    let status = [Status::Active, Status::Active, Status::Pending][numbers.below(3) as usize];
    let text = format!(
        "User keeps {} heron{n}",
        ["tame", "wild"][numbers.below(2) as usize]
    );
    let (one, two) = (id(numbers.below(8)), id(numbers.below(8)));
    let mut item = item(numbers.below(8), &text, status);
    if numbers.below(5) == 0 {
        item.expires = Some(at(50));
    }
    match numbers.below(12) {
        0..=2 => MemoryOp::Add { item },
        3 => MemoryOp::Supersede { id: one, item },
        4 => MemoryOp::Merge {
            ids: vec![one, two],
            item,
        },
        5 => MemoryOp::Edit {
            id: one,
            text: item.text,
        },
        6 => MemoryOp::Approve { id: one },
        7 => MemoryOp::Reject { id: one },
        8 => MemoryOp::Expire { id: one },
        9 => MemoryOp::Forget { id: one },
        10 => MemoryOp::Restore { id: one },
        _ => MemoryOp::Confirm { id: one },
    }
}

#[test]
fn of_memory_exactly_what_its_rules_let_stand_is_found_by_its_present_words() {
    let mut numbers = Numbers(3);
    for _ in 0..12 {
        let mut vault = vault();
        let mut recall = recall_of(&mut vault);
        let mut rules = Memory::new();
        for n in 1..60 {
            let record = memory(n as i64, any_op(&mut numbers, n));
            vault.append(std::slice::from_ref(&record)).unwrap();
            let _ = rules.apply(n, &record);
            if n % 10 == 0 {
                let now = at(n as i64);
                let live = rules.all().filter(|stored| stored.is_live(now));
                let expected: BTreeSet<String> = live
                    .map(|stored| stored.item.text.as_str().to_owned())
                    .collect();
                let tame = found(&mut vault, &mut recall, "tame", now);
                let wild = found(&mut vault, &mut recall, "wild", now);
                assert_eq!(&tame | &wild, expected);
                assert!(tame.iter().all(|text| text.contains("tame")));
            }
        }
    }
}

#[test]
fn messages_of_a_deleted_conversation_come_back_only_when_it_is_restored() {
    let mut vault = vault();
    let records = [
        said(1, Role::User, 0, "the plover of June"),
        said(2, Role::User, 5, "the plover of July"),
        event(1, ConversationOp::Deleted),
    ];
    vault.append(&records).unwrap();
    let mut recall = recall_of(&mut vault);
    let now = at(100);
    let july = BTreeSet::from(["the plover of July".to_owned()]);
    assert_eq!(found(&mut vault, &mut recall, "plover", now), july);
    recall.settle(&mut vault, Merging::All).unwrap();
    let mut again = recall_of(&mut vault);
    assert_eq!(found(&mut vault, &mut again, "plover", now), july);
    vault.append(&[event(1, ConversationOp::Restored)]).unwrap();
    assert_eq!(found(&mut vault, &mut again, "plover", now).len(), 2);
}

/// A session in conversation 9 of a vault with `records`, all of them indexed.
fn session_after(records: &[Record]) -> Session {
    let mut vault = vault();
    vault.append(records).unwrap();
    let recall = recall_of(&mut vault);
    let settings = crate::chat::test_support::settings();
    let opening = crate::chat::Opening::New;
    Session::open(Box::new(vault), Some(recall), settings, opening).unwrap()
}

/// Enough other talk that a word can stand out.
fn small_talk() -> Vec<Record> {
    (0..30)
        .map(|n| {
            said(
                100 + n / 5,
                Role::User,
                n as i64,
                &format!("small talk number{n} about weather"),
            )
        })
        .collect()
}

#[test]
fn a_model_that_asks_for_what_was_said_gets_quotes_with_day_and_speaker() {
    use crate::chat::test_support::{Scripted, calls, says, turn};
    use crate::model::Stop;
    use crate::provider::{Event, Part};
    use serde_json::json;

    let mut records = small_talk();
    let private = Some(Privacy::Local);
    let started = ConversationOp::Started {
        name: None,
        private,
        project: None,
    };
    records.extend([
        said(
            1,
            Role::User,
            86_400,
            "The spare key lies under the \"blue\" flowerpot",
        ),
        said(1, Role::Assistant, 86_401, "Noted: flowerpot."),
        event(2, started),
        said(
            2,
            Role::User,
            86_402,
            "The safe behind the flowerpot opens with 4711",
        ),
    ]);
    let ask = |input, host: Option<&str>| {
        let mut session = session_after(&records);
        let call = calls("t1", "recall", input);
        let mut provider = Scripted::new(vec![vec![call, Event::Done(Stop::End)], says("Well.")]);
        provider.host = host.map(str::to_owned);
        turn(&mut session, &provider, "hello");
        let asked = provider.asked();
        assert!(asked[0].tools.iter().any(|tool| tool.name == "recall"));
        match asked[1].messages.last().unwrap().parts.as_slice() {
            [
                Part::ToolResult {
                    content, is_error, ..
                },
            ] => (content.as_str().to_owned(), *is_error),
            other => panic!("{other:?}"),
        }
    };
    let (told, is_error) = ask(json!({"query": "flowerpot"}), Some("api.example.com"));
    assert!(
        !is_error && told.contains("2023-11-15, you: \"The spare key"),
        "{told}"
    );
    assert!(
        !told.contains("4711") && !told.contains("weather"),
        "{told}"
    );
    let (told, _) = ask(json!({"query": "flowerpot"}), None);
    assert!(told.contains("4711"), "{told}");
    let dated = json!({"query": "flowerpot", "until": "2023-11-13"});
    assert_eq!(ask(dated, None), ("Nothing was found.".into(), false));
    for wrong in [
        json!({}),
        json!({"query": 5}),
        json!({"query": "x", "since": "soon"}),
        json!(null),
    ] {
        assert!(ask(wrong, None).1);
    }
    assert!(ask(json!({"query": "x".repeat(3000)}), None).1);
    assert_eq!(ask(json!({"query": ""}), None).0, "Nothing was found.");
}

#[test]
fn what_the_window_holds_already_is_not_looked_up() {
    let mut session = session_after(&small_talk());
    session
        .say("the marmot sleeps".into(), at(200_000))
        .unwrap();
    let asked = super::super::recall::Asked {
        text: "marmot",
        since: None,
        until: None,
        audience: crate::memory::Audience::ThisMachine,
        now: at(200_001),
    };
    assert_eq!(session.look_up(&asked).unwrap(), []);
    session.turn_to(crate::chat::Opening::New).unwrap();
    assert_eq!(session.look_up(&asked).unwrap().len(), 1);
}

#[test]
fn some_conversations_are_those_that_were_wanted_and_their_ids_as_short() {
    use crate::chat::{Conversations, SomeConversations};
    let mut vault = vault();
    let mut records: Vec<Record> = (0..400)
        .map(|n| said(n, Role::User, n as i64, "hello"))
        .collect();
    let op = ConversationOp::Forked {
        from: id(300),
        message: Id::fresh(),
        project: None,
    };
    records.push(event(17, op));
    vault.append(&records).unwrap();
    let mut all = View::load(&mut vault, Conversations::default()).unwrap();
    all.save(&mut vault).unwrap();
    let some = View::load(&mut vault, SomeConversations::new(vec![id(17), id(5)])).unwrap();
    let some = some.fold.found;
    for n in [5, 17, 300] {
        assert_eq!(some.find(id(n)), all.fold.find(id(n)));
        assert_eq!(some.short_id(id(n)), all.fold.short_id(id(n)));
    }
    assert!(some.newest_first().len() <= 9);
}

#[test]
fn offline_answers_from_the_first_message_on_and_never_with_its_own_answers() {
    let first = [
        said(
            1,
            Role::User,
            0,
            "My sister Ana lives in Porto and works as a nurse.",
        ),
        offline_said(
            1,
            1,
            "I found nothing about that in your memory or history.",
        ),
    ];
    use crate::provider::Offline;
    let mut session = session_after(&first);
    let mut notes = |line: &str, second| {
        session.say(line.into(), at(second)).unwrap();
        let recalled = session.recall(&Offline, at(second)).unwrap();
        let texts = recalled.notes.iter().map(|note| note.text.to_string());
        texts.collect::<Vec<_>>()
    };
    let sister = ["My sister Ana lives in Porto and works as a nurse."];
    assert_eq!(notes("Where does Ana live?", 10), sister);
    assert_eq!(notes("Is history found in memory?", 20), [""; 0]);
    // Nor with the same question asked before.
    assert_eq!(notes("Where does Ana live?", 30), sister);
    // What was said in the same conversation counts: it sees no window.
    assert_eq!(notes("The boiler was mended in May.", 40), [""; 0]);
    assert_eq!(
        notes("When was the boiler mended?", 50),
        ["The boiler was mended in May."]
    );
}

fn offline_said(conversation: u64, second: i64, text: &str) -> Record {
    let Record::Message(message) = said(conversation, Role::Assistant, second, text) else {
        unreachable!("said makes messages");
    };
    let model = Some("offline/offline".to_owned());
    Record::Message(Message { model, ..message })
}
