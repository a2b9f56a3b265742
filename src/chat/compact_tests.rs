use super::super::test_support::{Scripted, at, now, says, session, session_on, turn};
use super::*;
use crate::chat::Opening;
use crate::provider::Part;
use crate::vault::ScratchLog;

fn talk(session: &mut Session, from: usize, to: usize) {
    for n in from..to {
        let provider = Scripted::new(vec![says("I see.")]);
        turn(session, &provider, &format!("line {n}"));
    }
}

fn compact(session: &mut Session, provider: &dyn Provider) -> Compacted {
    now(session.compact(provider, "m", at, std::future::pending())).unwrap()
}

/// What a request says about the conversation: system text, and the first message.
fn sent(session: &mut Session, line: &str) -> (String, String, usize) {
    let provider = Scripted::new(vec![says("I see.")]);
    turn(session, &provider, line);
    let request = provider.asked().remove(0);
    let system: Vec<&str> = request.system.iter().map(|part| &*part.text).collect();
    let Part::Text(first) = &request.messages[0].parts[0] else {
        panic!("a message is text");
    };
    let first = first.as_str().to_owned();
    (system.join("\n"), first, request.messages.len())
}

#[test]
fn the_older_part_is_summarised_once_before_anything_is_left_out() {
    let mut session = session();
    talk(&mut session, 0, 9);
    assert!(!session.has_outgrown_the_window().unwrap());
    session.say("line 9".into(), at()).unwrap();
    assert!(session.has_outgrown_the_window().unwrap());

    let provider = Scripted::new(vec![says(" They counted lines. ")]);
    let compacted = compact(&mut session, &provider);
    assert!(
        matches!(compacted, Compacted::Summarised(10)),
        "{compacted:?}"
    );
    let Part::Text(prompt) = &provider.asked()[0].messages[0].parts[0] else {
        panic!("a prompt is text");
    };
    assert!(prompt.contains("line 0") && prompt.contains("line 4"));
    assert!(!prompt.contains("line 5"));
    assert!(!session.has_outgrown_the_window().unwrap());

    let (system, first, _) = sent(&mut session, "line 10");
    assert!(system.contains("They counted lines."));
    assert!(!system.contains("left out"));
    assert_eq!(first, "line 5");

    // In another process it stands, and the next one is built on it.
    let log = std::mem::replace(&mut session.log, Box::new(ScratchLog::default()));
    let mut session = session_on(log, Opening::Last);
    assert!(matches!(
        compact(&mut session, &Scripted::new(vec![says("More lines.")])),
        Compacted::Nothing | Compacted::Summarised(_)
    ));
    talk(&mut session, 11, 20);
    let provider = Scripted::new(vec![says("Many lines.")]);
    compact(&mut session, &provider);
    let Part::Text(prompt) = &provider.asked()[0].messages[0].parts[0] else {
        panic!("a prompt is text");
    };
    assert!(prompt.starts_with("Earlier summary: "));
    assert!(!prompt.contains("line 4\""));
}

#[test]
fn every_message_stays_where_it_was() {
    let mut session = session();
    talk(&mut session, 0, 12);
    compact(&mut session, &Scripted::new(vec![says("Lines.")]));
    let conversations = session.conversations().unwrap();
    let id = session.conversation();
    let mut texts = Vec::new();
    crate::chat::transcript(
        session.log.as_mut(),
        &conversations.fold,
        id,
        &mut |_, message| texts.push(message.plain()),
    )
    .unwrap();
    assert_eq!(texts.len(), 24);
    assert_eq!(texts[0].as_str(), "line 0");
}

#[test]
fn without_a_model_the_summary_says_what_is_left_out() {
    let mut session = session();
    talk(&mut session, 0, 10);
    let compacted = compact(&mut session, &Offline);
    assert!(matches!(compacted, Compacted::Dropped(10)), "{compacted:?}");
    let (system, first, _) = sent(&mut session, "line 10");
    assert!(system.contains("10 earlier messages are left out here"));
    assert_eq!(first, "line 5");
}

#[test]
fn a_summary_that_fails_changes_nothing_and_the_gap_is_marked() {
    let mut session = session();
    talk(&mut session, 0, 15);
    for broken in [vec![], says("  ")] {
        let compacted = compact(&mut session, &Scripted::new(vec![broken]));
        assert!(matches!(compacted, Compacted::Failed(_)), "{compacted:?}");
    }
    let stopped = now(session.compact(&Scripted::hanging(), "m", at, std::future::ready(())));
    assert!(matches!(
        stopped.unwrap(),
        Compacted::Failed(Unanswered::Interrupted)
    ));
    let (system, _, count) = sent(&mut session, "line 15");
    assert!(system.contains("earlier messages of this conversation are left out"));
    assert!(count <= 20);
}

#[test]
fn a_conversation_that_had_grown_before_is_summarised_from_the_log() {
    let mut session = session();
    talk(&mut session, 0, 40);
    let provider = Scripted::new(vec![says("Lines.")]);
    let compacted = compact(&mut session, &provider);
    assert!(
        matches!(compacted, Compacted::Summarised(70)),
        "{compacted:?}"
    );
    let Part::Text(prompt) = &provider.asked()[0].messages[0].parts[0] else {
        panic!("a prompt is text");
    };
    assert!(prompt.contains("line 0\""));
}

#[test]
fn a_short_conversation_has_nothing_to_summarise() {
    let mut session = session();
    assert!(matches!(
        compact(&mut session, &Offline),
        Compacted::Nothing
    ));
    talk(&mut session, 0, 1);
    assert!(!session.has_outgrown_the_window().unwrap());
    assert!(matches!(
        compact(&mut session, &Offline),
        Compacted::Nothing
    ));
}

#[test]
fn one_long_message_does_not_bring_a_summary_every_turn() {
    let mut session = session();
    session.settings.window_tokens = 100;
    let long = "word ".repeat(200);
    let provider = Scripted::new(vec![says("I see."), says("Indeed.")]);
    turn(&mut session, &provider, &long);
    turn(&mut session, &provider, "short");
    assert!(session.has_outgrown_the_window().unwrap());
    compact(&mut session, &Scripted::new(vec![says("A long word.")]));
    assert!(!session.has_outgrown_the_window().unwrap());
}
