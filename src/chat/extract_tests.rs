use serde_json::json;

use super::super::test_support::{Scripted, active, at, now, says, session, session_on, turn};
use super::*;
use crate::chat::{Opening, PurgeTargets};
use crate::model::{Block, SessionOp, Stop};
use crate::provider::{Event, Part as Said};
use crate::vault::{Log, ScratchLog};

fn found(text: &str, quote: &str, message: &str) -> String {
    json!({"operations": [{"op": "add", "kind": "fact", "text": text, "quote": quote,
        "message": message, "id": ""}]})
    .to_string()
}

fn pass(session: &mut Session, provider: &Scripted, pass: Pass) -> Passed {
    let never = std::future::pending();
    now(session.extract(provider, "m", pass, at, never)).unwrap()
}

/// Everything that is owed.
fn owed(session: &mut Session) -> Vec<Pass> {
    session
        .owed_passes(false, usize::MAX, &mut |_| true)
        .unwrap()
}

/// The same log, as another process finds it.
fn next(session: &mut Session) -> Session {
    let log = std::mem::replace(&mut session.log, Box::new(ScratchLog::default()));
    session_on(log, Opening::New)
}

/// One turn in which the model notices nothing.
fn talk(session: &mut Session, line: &str) {
    turn(session, &Scripted::new(vec![says("I see.")]), line);
}

#[test]
fn what_was_said_in_a_sitting_is_looked_through_once() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    let passes = session.own_passes().unwrap();
    assert_eq!(passes.len(), 1);
    let provider = Scripted::new(vec![says(&found("lives in Oslo", "I live in Oslo", "m1"))]);
    let passed = pass(&mut session, &provider, passes[0]);
    assert!(passed.broke.is_none());
    assert_eq!(active(&session), ["lives in Oslo"]);
    assert_eq!(passed.learnt.unwrap().as_str(), "remembered: lives in Oslo");

    let request = &provider.asked()[0];
    assert!(request.schema.is_some() && request.tools.is_empty());
    assert_eq!(session.own_passes().unwrap(), []);
    assert_eq!(owed(&mut session), []);
    talk(&mut session, "and I have two cats");
    assert_eq!(session.own_passes().unwrap().len(), 1);
    let provider = Scripted::new(vec![says(r#"{"operations":[]}"#)]);
    let own = session.own_passes().unwrap()[0];
    pass(&mut session, &provider, own);
    let Said::Text(prompt) = &provider.asked()[0].messages[0].parts[0] else {
        panic!("a prompt is text");
    };
    let (notes, talk) = prompt.split_once("Conversation:").unwrap();
    assert!(notes.contains("lives in Oslo") && talk.contains("two cats"));
    assert!(!talk.contains("Oslo"), "said before the last pass");
}

#[test]
fn files_and_what_was_recalled_are_not_looked_at() {
    let mut session = session();
    let content = vec![
        Block::attached("the user lives in Panama".into()),
        Block::said("what does it say?".into()),
    ];
    session.say_with(content, Vec::new(), at()).unwrap();
    let provider = Scripted::new(vec![says(&found(
        "lives in Panama",
        "the user lives in Panama",
        "m1",
    ))]);
    let own = session.own_passes().unwrap()[0];
    pass(&mut session, &provider, own);
    assert!(!format!("{:?}", provider.asked()[0].messages[0]).contains("Panama"));
    let Said::Text(prompt) = &provider.asked()[0].messages[0].parts[0] else {
        panic!("a prompt is text");
    };
    assert!(!prompt.contains("Panama"));
    assert_eq!(active(&session).len(), 0);
}

#[test]
fn a_pass_that_fails_stays_owed_and_is_made_again() {
    for broken in [
        vec![],
        vec![Event::Text("{\"operations\": [".into())],
        vec![Event::Text("{}".into()), Event::Done(Stop::Length)],
        says("I would rather not."),
        says(r#"{"operations":[{"op":"dance"}]}"#),
    ] {
        let mut session = session();
        talk(&mut session, "I live in Oslo");
        let own = session.own_passes().unwrap()[0];
        let passed = pass(&mut session, &Scripted::new(vec![broken]), own);
        assert!(passed.broke.is_some());
        assert_eq!(active(&session).len(), 0);

        // Another process, later.
        let log = std::mem::replace(&mut session.log, Box::new(ScratchLog::default()));
        let mut session = session_on(log, Opening::New);
        let owed_now = owed(&mut session);
        let list = session.conversations().unwrap().fold;
        let tries: Vec<u32> = list.owed().map(|(_, owed)| owed.tries).collect();
        assert_eq!((owed_now.len(), tries), (1, vec![1]));
        let none = session.owed_passes(false, 9, &mut |_| false).unwrap();
        assert_eq!(none, []);
        let provider = Scripted::new(vec![says(&found("lives in Oslo", "I live in Oslo", "m1"))]);
        pass(&mut session, &provider, owed_now[0]);
        assert_eq!(active(&session), ["lives in Oslo"]);
        assert_eq!(owed(&mut session), []);
    }
}

#[test]
fn an_interrupted_pass_changes_nothing_and_stays_owed() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    let own = session.own_passes().unwrap()[0];
    let provider = Scripted::hanging();
    let made = session.extract(&provider, "m", own, at, std::future::ready(()));
    let passed = now(made).unwrap();
    assert!(matches!(
        passed.broke,
        Some(Broke::Unanswered(Unanswered::Interrupted))
    ));
    assert_eq!(session.conversations().unwrap().fold.owed().count(), 1);
}

#[test]
fn a_sitting_that_broke_off_is_looked_through_later() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    let conversation = session.conversation();
    // No end: the process was killed.
    let log = std::mem::replace(&mut session.log, Box::new(ScratchLog::default()));
    let mut later = session_on(log, Opening::New);
    let owed_now = owed(&mut later);
    assert_eq!(owed_now.len(), 1);
    assert_eq!(owed_now[0].conversation, conversation);
    let provider = Scripted::new(vec![says(&found("lives in Oslo", "I live in Oslo", "m1"))]);
    pass(&mut later, &provider, owed_now[0]);
    assert_eq!(active(&later), ["lives in Oslo"]);
    assert_eq!(owed(&mut later), []);

    // One that ended by itself is not.
    let mut log: Box<dyn Log> = Box::new(ScratchLog::default());
    let mut ended = session_on(Box::new(ScratchLog::default()), Opening::New);
    talk(&mut ended, "hello");
    let records = ended.log.read(0).unwrap();
    let records: Vec<Record> = records.iter().map(|e| e.record().unwrap()).collect();
    log.append(&records).unwrap();
    let Some(Record::Session(mut event)) = records.first().cloned() else {
        panic!("a sitting begins with its record");
    };
    event.op = SessionOp::Ended {
        messages: 2,
        memories: 0,
    };
    log.append(&[Record::Session(event)]).unwrap();
    let mut later = session_on(log, Opening::New);
    assert_eq!(owed(&mut later), []);
}

#[test]
fn a_long_conversation_is_looked_through_in_parts() {
    let mut session = session();
    session.settings.window_tokens = 1200;
    let filler = "so it was said and written ".repeat(40);
    for n in 0..12 {
        talk(&mut session, &format!("I own boat number {n}00. {filler}"));
    }
    let own = session.own_passes().unwrap()[0];
    let empty = says(r#"{"operations":[]}"#);
    let provider = Scripted::new(vec![empty; 40]);
    let passed = pass(&mut session, &provider, own);
    assert!(passed.broke.is_none());
    let asked = provider.asked();
    assert!(asked.len() > 2, "{}", asked.len());
    for n in 0..12 {
        let said = format!("boat number {n}00.");
        let holding = asked
            .iter()
            .filter(|request| match &request.messages[0].parts[0] {
                Said::Text(prompt) => prompt.contains(&said),
                _ => false,
            });
        assert_eq!(holding.count(), 1, "{said}");
    }
    assert_eq!(session.conversations().unwrap().fold.owed().count(), 0);
    assert_eq!(session.own_passes().unwrap(), []);

    // Broken off in the middle, the rest is owed and no more.
    let id = session.conversation();
    let all = session.pass_over(id, true).unwrap();
    let provider = Scripted::new(vec![says(r#"{"operations":[]}"#), says("no")]);
    pass(&mut session, &provider, all);
    let log = std::mem::replace(&mut session.log, Box::new(ScratchLog::default()));
    let mut later = session_on(log, Opening::New);
    later.settings.window_tokens = 1200;
    let owed_now = owed(&mut later)[0];
    let provider = Scripted::new(vec![says(r#"{"operations":[]}"#); 40]);
    pass(&mut later, &provider, owed_now);
    let Said::Text(prompt) = &provider.asked()[0].messages[0].parts[0] else {
        panic!("a prompt is text");
    };
    assert!(!prompt.contains("boat number 000."));
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    let end = session.log.refresh().unwrap();
    let own = session.own_passes().unwrap()[0];
    let provider = Scripted::new(vec![says(&found("lives in Oslo", "I live in Oslo", "m1"))]);
    let never = std::future::pending();
    let passed = now(session.rehearse(&provider, "m", own, at(), never)).unwrap();
    assert_eq!(passed.accepted.ops.len(), 1);
    assert_eq!(session.log.refresh().unwrap(), end);
}

#[test]
fn a_private_conversation_is_not_shown_to_another_host() {
    let mut session = session();
    session.set_local_for_tests();
    talk(&mut session, "I live in Oslo");
    let mut provider = Scripted::new(vec![says("{}")]);
    provider.host = Some("api.example.org".to_owned());
    let own = session.own_passes().unwrap()[0];
    let never = std::future::pending();
    let made = now(session.extract(&provider, "m", own, at, never));
    assert!(matches!(made, Err(ChatError::PrivateConversation { .. })));
    assert_eq!(provider.asked().len(), 0);
}

#[test]
fn a_purge_takes_kept_answers_with_it() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    let own = session.own_passes().unwrap()[0];
    pass(
        &mut session,
        &Scripted::new(vec![says("Oslo, I think")]),
        own,
    );
    let records = session.log.read(0).unwrap();
    let kept = records.iter().filter(|entry| match entry.record() {
        Ok(Record::Work(work)) => {
            matches!(
                work.op,
                WorkOp::ExtractionOwed {
                    answer: Some(_),
                    ..
                }
            )
        }
        _ => false,
    });
    let seqs: Vec<u64> = kept.map(|entry| entry.seq).collect();
    assert_eq!(seqs.len(), 1);
    let targets = PurgeTargets::default();
    let plan = targets.plan(session.log.as_mut(), &session.memory).unwrap();
    let line = String::from_utf8(plan.replacements[&seqs[0]].to_vec()).unwrap();
    assert!(!line.contains("Oslo"));
}

/// Crashed sittings, each in a conversation of its own, behind more of others than are at hand.
#[test]
fn every_sitting_that_broke_off_is_looked_through_however_many_came_since() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    let first = session.conversation();
    for n in 0..120 {
        session = next(&mut session);
        talk(&mut session, &format!("I own boat number {n}"));
    }
    session = next(&mut session);
    assert!(session.buffer.fold.window(first).is_none());
    let all = owed(&mut session);
    assert_eq!((all.len(), all[0].conversation), (121, first));

    // A few at a time, they all get done.
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..13 {
        let some = session.owed_passes(false, 10, &mut |_| true).unwrap();
        for pass_now in some {
            assert!(seen.insert(pass_now.conversation), "looked through twice");
            let provider = Scripted::new(vec![says(r#"{"operations":[]}"#)]);
            assert!(pass(&mut session, &provider, pass_now).broke.is_none());
        }
    }
    assert_eq!((seen.len(), owed(&mut session)), (121, vec![]));
}

#[test]
fn every_conversation_of_a_sitting_that_broke_off_is_looked_through() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    session.turn_to(Opening::New).unwrap();
    talk(&mut session, "I have two cats");
    talk(&mut session, "and a dog");
    let passes = session.own_passes().unwrap();
    assert_eq!(passes.len(), 2);
    let mut later = next(&mut session);
    assert_eq!(owed(&mut later), passes);
}

#[test]
fn what_was_owed_before_a_conversation_went_on_is_looked_through_with_it() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    let conversation = session.conversation();
    let own = session.own_passes().unwrap()[0];
    pass(&mut session, &Scripted::new(vec![says("no")]), own);
    // One sitting failed, the next broke off, a third goes on.
    for line in ["I have two cats", "and a dog"] {
        session = next(&mut session);
        session.turn_to(Opening::This(conversation)).unwrap();
        talk(&mut session, line);
    }
    assert_eq!(owed(&mut session), [], "its own pass is going to be made");
    let own = session.own_passes().unwrap();
    let provider = Scripted::new(vec![says(r#"{"operations":[]}"#)]);
    pass(&mut session, &provider, own[0]);
    let Said::Text(prompt) = &provider.asked()[0].messages[0].parts[0] else {
        panic!("a prompt is text");
    };
    for line in ["I live in Oslo", "I have two cats", "and a dog"] {
        assert!(prompt.contains(line), "{line}");
    }
    assert_eq!(session.own_passes().unwrap(), []);
    assert_eq!(owed(&mut next(&mut session)), []);
}

#[test]
fn what_is_said_while_another_process_looks_is_not_lost() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    let own = session.own_passes().unwrap()[0];
    // As another process would, that began before the next line.
    let through = {
        let window = session.buffer.fold.window(session.conversation()).unwrap();
        window.messages.back().unwrap().id
    };
    talk(&mut session, "and I have two cats");
    let done = done_record(Id::fresh(), at(), own.conversation, through);
    session.append(&[done]).unwrap();
    assert_eq!(session.own_passes().unwrap().len(), 1);
    assert_eq!(owed(&mut next(&mut session)).len(), 1);
}

#[test]
fn a_question_that_broke_off_counts_where_questions_are_looked_through() {
    let mut asking = session();
    asking.settings.surface = crate::model::Surface::Ask;
    talk(&mut asking, "I live in Oslo");
    let mut later = next(&mut asking);
    assert_eq!(owed(&mut later), []);
    assert_eq!(later.owed_passes(true, 9, &mut |_| true).unwrap().len(), 1);
}

#[test]
fn a_deleted_conversation_is_owed_nothing() {
    let mut session = session();
    talk(&mut session, "I live in Oslo");
    let own = session.own_passes().unwrap()[0];
    pass(&mut session, &Scripted::new(vec![says("no")]), own);
    let gone = crate::model::ConversationEvent {
        id: session.conversation(),
        at: at(),
        op: crate::model::ConversationOp::Deleted,
    };
    session.append(&[Record::Conversation(gone)]).unwrap();
    assert_eq!(owed(&mut next(&mut session)), []);
}
