use serde_json::json;

use super::super::test_support::{Scripted, active, at, calls, says, session, settings, turn};
use super::*;
use crate::chat::{Opening, Session, Told};
use crate::model::Stop;
use crate::provider::Event;
use crate::vault::ScratchLog;

fn remembers(text: &str) -> Event {
    calls("t1", "remember", json!({"key_facts": [text]}))
}

#[test]
fn a_call_is_carried_out_and_the_answer_goes_on() {
    let mut session = session();
    let thought = Event::Opaque(r#"{"type":"thinking","signature":"x"}"#.into());
    let provider = Scripted::new(vec![
        vec![
            thought,
            Event::Text("One mo".into()),
            Event::Text("ment.".into()),
            remembers("User lives in Oslo"),
            Event::Done(Stop::End),
        ],
        says("Oslo is nice."),
    ]);
    let (answer, shown) = turn(&mut session, &provider, "I live in Oslo");
    assert_eq!(shown, "One moment.\n\nOslo is nice.");
    assert_eq!(answer.message.unwrap().plain().as_str(), shown);
    let stored = session.memory.fold.active().next().unwrap();
    assert_eq!(stored.item.text.as_str(), "User lives in Oslo");
    assert_eq!(stored.item.source.quote.as_deref(), Some("I live in Oslo"));

    let asked = provider.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].tools[0].name, "remember");
    let said = &asked[1].messages[asked[0].messages.len()..];
    assert!(matches!(
        (said[0].role, said[0].parts.as_slice()),
        (Role::Assistant, [Part::Opaque(_), Part::Text(text), Part::ToolUse(_)])
            if text.as_str() == "One moment."
    ));
    assert!(matches!(
        (said[1].role, said[1].parts.as_slice()),
        (Role::User, [Part::ToolResult { id, is_error: false, .. }]) if id == "t1"
    ));
}

#[test]
fn a_model_that_only_ever_calls_comes_to_an_end() {
    let mut session = session();
    let round = vec![remembers("User owns the moon"), Event::Done(Stop::End)];
    let provider = Scripted::new(vec![round; 50]);
    let (_, shown) = turn(&mut session, &provider, "hello");
    assert_eq!(provider.asked().len(), ROUNDS_MAX + 1);
    assert_eq!((shown.as_str(), active(&session).len()), ("", 0));
    assert_eq!(session.memory.fold.pending().count(), 1);

    let flood = vec![remembers("User owns the moon"); 100];
    let provider = Scripted::new(vec![[flood, vec![Event::Done(Stop::End)]].concat()]);
    turn(&mut session, &provider, "hello");
    let asked = provider.asked();
    let results = &asked[1].messages.last().unwrap().parts;
    let refused = results
        .iter()
        .filter(|part| matches!(part, Part::ToolResult { is_error: true, .. }));
    assert_eq!((results.len(), refused.count()), (100, 100 - CALLS_MAX));
}

#[test]
fn what_a_tool_does_not_take_is_an_error_to_the_model_and_teaches_nothing() {
    for call in [
        calls("t1", "remember", json!({"mood": "good"})),
        calls("t1", "remember", json!(["User lives in Oslo"])),
        calls("t1", "remember", json!({"key_facts": ["x".repeat(70_000)]})),
        calls("t1", "approve", json!({"id": "1"})),
        calls("t1", "", json!(null)),
    ] {
        let mut session = session();
        let provider = Scripted::new(vec![vec![call, Event::Done(Stop::End)], says("Well.")]);
        turn(&mut session, &provider, "I live in Oslo");
        let asked = provider.asked();
        let results = &asked[1].messages.last().unwrap().parts;
        assert!(matches!(
            results.as_slice(),
            [Part::ToolResult { is_error: true, .. }]
        ));
        assert_eq!(session.memory.fold.all().count(), 0);
    }
}

#[test]
fn nothing_is_learnt_from_calls_of_an_answer_that_was_cut() {
    for stop in [Stop::Cut, Stop::Length, Stop::Refused] {
        let mut session = session();
        let provider = Scripted::new(vec![
            vec![remembers("User lives in Oslo"), Event::Done(Stop::End)],
            vec![Event::Text("Os".into()), Event::Done(stop)],
        ]);
        turn(&mut session, &provider, "I live in Oslo");
        assert_eq!(session.memory.fold.all().count(), 0, "{stop:?}");
    }
}

#[test]
fn without_memory_no_tool_is_offered_and_none_is_carried_out() {
    let mut settings = settings();
    (settings.use_memory, settings.learns) = (false, false);
    let log = Box::new(ScratchLog::default());
    let mut session = Session::open(log, None, settings, Opening::New).unwrap();
    let provider = Scripted::new(vec![
        vec![remembers("User lives in Oslo"), Event::Done(Stop::End)],
        says("No."),
    ]);
    session.say("I live in Oslo".into(), at()).unwrap();
    let recalled = crate::chat::Recalled::default();
    let composed = session.compose(&provider, "m", &recalled, at()).unwrap();
    assert_eq!(composed.request.tools, []);
    assert!(composed.request.instead_of_tools.is_empty());
    let mut tell = |_: Told| {};
    let never = std::future::pending();
    let answer = session.answer(&provider, composed, at, never, &mut tell);
    super::super::test_support::now(answer).unwrap();
    assert_eq!(session.memory.fold.all().count(), 0);
}
