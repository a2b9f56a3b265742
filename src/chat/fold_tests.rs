use proptest::prelude::*;

use super::*;
use crate::chat::{Conversations, Owed};
use crate::model::{
    Block, Consent, ConversationEvent, SessionEvent, SessionOp, Surface, Work, WorkOp,
};

fn at(seq: u64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seq as i64).unwrap()
}

fn id(n: u64) -> Id {
    let mut digest = [0; 16];
    digest[8..].copy_from_slice(&n.to_be_bytes());
    Id::from_digest(digest)
}

fn message(seq: u64, conversation: u64, text: &str) -> Record {
    let role = if seq.is_multiple_of(2) {
        Role::User
    } else {
        Role::Assistant
    };
    let mut message = Message::text(id(conversation), role, at(seq), text.into());
    message.id = id(1000 + seq);
    Record::Message(message)
}

fn event(seq: u64, conversation: u64, op: ConversationOp) -> Record {
    Record::Conversation(ConversationEvent {
        id: id(conversation),
        at: at(seq),
        op,
    })
}

fn folded(records: &[Record]) -> Buffer {
    let mut buffer = Buffer::default();
    for (i, record) in records.iter().enumerate() {
        assert_eq!(buffer.apply(i as u64 + 1, record), Applied::Known);
    }
    buffer
}

#[test]
fn a_window_holds_the_last_twenty_messages() {
    let records: Vec<Record> = (0..50)
        .map(|n| message(n, 1, &format!("text {n}")))
        .collect();
    let buffer = folded(&records);
    let window = buffer.window(id(1)).unwrap();
    let texts: Vec<&str> = window
        .messages
        .iter()
        .filter_map(|m| m.text.as_deref())
        .collect();
    assert_eq!(
        (texts.len(), texts[0], texts[19]),
        (20, "text 30", "text 49")
    );
    assert_eq!(window.count, 50);
}

#[test]
fn the_last_thirty_two_conversations_are_kept_and_a_deleted_one_is_not() {
    let records: Vec<Record> = (0..40).map(|n| message(n, n, "hi")).collect();
    let mut buffer = folded(&records);
    assert!(buffer.window(id(7)).is_none() && buffer.window(id(8)).is_some());
    assert_eq!(buffer.last_conversation(), Some(id(39)));
    let _ = buffer.apply(41, &event(41, 39, ConversationOp::Deleted));
    assert_eq!(buffer.last_conversation(), Some(id(38)));
}

#[test]
fn an_over_long_message_is_left_in_the_log() {
    let buffer = folded(&[
        message(0, 1, &"x".repeat(TEXT_BYTES_MAX + 1)),
        message(1, 1, "ok"),
    ]);
    let window = buffer.window(id(1)).unwrap();
    assert!(window.messages[0].text.is_none() && window.messages[1].text.is_some());
}

#[test]
fn a_fork_begins_with_the_messages_up_to_its_point() {
    let mut records: Vec<Record> = (0..6).map(|n| message(n, 1, "hi")).collect();
    let point = ConversationOp::Forked {
        from: id(1),
        message: id(1003),
        project: None,
    };
    records.push(event(6, 2, point));
    let buffer = folded(&records);
    assert_eq!(buffer.window(id(2)).unwrap().messages.len(), 4);
    assert_eq!(buffer.window(id(1)).unwrap().messages.len(), 6);
}

fn session(n: u64, conversation: u64, op: SessionOp) -> Record {
    Record::Session(SessionEvent {
        id: id(n),
        at: at(n),
        surface: Surface::Chat,
        conversation: Some(id(conversation)),
        op,
    })
}

#[test]
fn consents_are_known() {
    let consent = Consent {
        at: at(0),
        host: "api.example.org".into(),
        granted: true,
    };
    let buffer = folded(&[Record::Consent(consent)]);
    assert_eq!(buffer.consent("api.example.org"), Some(true));
    assert_eq!(buffer.consent("elsewhere"), None);
}

fn owes(conversation: u64, after: Option<u64>, answer: Option<&str>) -> Record {
    Record::Work(Work {
        id: id(500),
        at: at(0),
        op: WorkOp::ExtractionOwed {
            conversation: id(conversation),
            after: after.map(id),
            answer: answer.map(Text::from),
        },
    })
}

fn done(conversation: u64, through: u64) -> Record {
    Record::Work(Work {
        id: id(500),
        at: at(0),
        op: WorkOp::Done {
            conversation: Some(id(conversation)),
            through: Some(id(through)),
        },
    })
}

#[test]
fn an_extraction_is_owed_until_it_is_done() {
    let records = [
        message(0, 1, "hi"),
        owes(1, None, None),
        owes(1, None, Some("nonsense")),
        owes(1, None, None),
    ];
    let mut list = Conversations::default();
    for (i, record) in records.iter().enumerate() {
        assert_eq!(list.apply(i as u64 + 1, record), Applied::Known);
    }
    let owed: Vec<(Id, Owed)> = list.owed().collect();
    assert_eq!((owed.len(), owed[0].0, owed[0].1.tries), (1, id(1), 2));
    // A part was looked at: the rest is begun anew.
    let _ = list.apply(5, &owes(1, Some(1000), None));
    assert_eq!(list.owed().next().unwrap().1.tries, 1);
    let _ = list.apply(6, &done(1, 1000));
    assert_eq!(list.owed().count(), 0);
    assert_eq!(list.find(id(1)).unwrap().looked, Some(id(1000)));
}

#[test]
fn words_of_a_file_are_not_what_the_person_typed() {
    let mut mixed = Message::text(id(1), Role::User, at(0), "look at this".into());
    mixed
        .content
        .insert(0, Block::attached("from a file".into()));
    let mut imported = Message::text(id(1), Role::User, at(0), "said elsewhere".into());
    imported.source = Some(crate::model::SourceClass::Import);
    let reply = Message::text(id(1), Role::Assistant, at(0), "well".into());
    let buffer = folded(&[mixed, imported, reply].map(Record::Message));
    let kept = &buffer.window(id(1)).unwrap().messages;
    assert_eq!(kept[0].text.as_deref(), Some("from a file\nlook at this"));
    let typed: Vec<Option<&str>> = kept.iter().map(Kept::typed).collect();
    assert_eq!(typed, [Some("look at this"), Some(""), None]);
}

fn any_project() -> impl Strategy<Value = Option<Project>> {
    let named = |n: u8| Project::new(format!("/home/me/{n}"));
    prop_oneof![Just(None), (0_u8..3).prop_map(move |n| Some(named(n)))]
}

fn any_record() -> impl Strategy<Value = Record> {
    let op = prop_oneof![
        Just(ConversationOp::Deleted),
        Just(ConversationOp::Restored),
        any_project().prop_map(|project| ConversationOp::Started {
            name: None,
            private: None,
            project,
        }),
        Just(ConversationOp::Titled {
            title: "a title".into()
        }),
        (0_u64..50, 0_u64..80, any_project()).prop_map(|(from, m, project)| {
            ConversationOp::Forked {
                from: id(from),
                message: id(1000 + m),
                project,
            }
        }),
    ];
    prop_oneof![
        4 => (0_u64..80, 0_u64..50, ".{0,20}").prop_map(|(seq, c, text)| message(seq, c, &text)),
        1 => (0_u64..50, op).prop_map(|(c, op)| event(c, c, op)),
        1 => (0_u64..50, 0_u64..80).prop_map(|(c, m)| owes(c, Some(1000 + m), None)),
        1 => (0_u64..50, 0_u64..80).prop_map(|(c, m)| done(c, 1000 + m)),
        1 => (0_u64..9, 0_u64..50).prop_map(|(n, c)| session(n, c, SessionOp::Started)),
        1 => (0_u64..9, 0_u64..50).prop_map(|(n, c)| session(n, c, SessionOp::Turned)),
        1 => (0_u64..9).prop_map(|n| session(n, n, SessionOp::Ended { messages: 0, memories: 0 })),
        1 => Just(Record::Purged),
    ]
}

fn split_equals_whole<F: Fold + Default + PartialEq + std::fmt::Debug>(
    records: &[Record],
    split: usize,
) {
    let apply = |fold: &mut F, from: usize, part: &[Record]| {
        for (i, record) in part.iter().enumerate() {
            assert_eq!(fold.apply((from + i + 1) as u64, record), Applied::Known);
        }
    };
    let mut whole = F::default();
    apply(&mut whole, 0, records);
    let mut first = F::default();
    apply(&mut first, 0, &records[..split]);
    let mut second = F::default();
    second.load(&first.save().unwrap()).unwrap();
    assert_eq!(first, second);
    apply(&mut second, split, &records[split..]);
    assert_eq!(whole, second);
}

proptest! {
    /// A saved state and a replay of the rest are a replay of the whole.
    #[test]
    fn checkpoint_and_replay_equal_replay(
        records in prop::collection::vec(any_record(), 0..120),
        split in 0_usize..120,
    ) {
        let split = split.min(records.len());
        split_equals_whole::<Buffer>(&records, split);
        split_equals_whole::<Conversations>(&records, split);
    }
}
