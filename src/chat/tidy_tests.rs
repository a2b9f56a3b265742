use serde_json::json;

use super::super::test_support::{Scripted, active, at, now, says, session, session_on};
use super::*;
use crate::chat::Opening;
use crate::model::{Kind, MemoryOp};
use crate::vault::{InRam, Log};

/// Operations of one time count as one change.
fn later(minutes: i64) -> Timestamp {
    at() + jiff::SignedDuration::from_mins(minutes)
}

fn remember(session: &mut Session, texts: &[&str]) {
    for text in texts {
        session.remember(text, Kind::Fact, false, at()).unwrap();
    }
}

fn merge(ids: &[&str], text: &str) -> String {
    json!({"operations": [{"op": "merge", "ids": ids, "text": text}]}).to_string()
}

fn propose(session: &mut Session, answer: &str) -> Result<Proposed, Unplanned> {
    let provider = Scripted::new(vec![says(answer)]);
    let never = std::future::pending();
    let proposed = session.propose_consolidation(&provider, "m", None, at(), never);
    now(proposed).unwrap()
}

#[test]
fn what_a_model_tidies_can_be_rehearsed_done_and_taken_back() {
    let mut session = session();
    remember(&mut session, &["likes black tea", "likes tea"]);
    let answer = merge(&["n1", "n2"], "likes black tea");
    let proposed = propose(&mut session, &answer).ok().unwrap();
    let end = session.log.refresh().unwrap();
    let rehearsed = session
        .rehearse_consolidation(std::slice::from_ref(&proposed), later(1))
        .unwrap();
    assert_eq!(rehearsed.changes.len(), 1);
    assert_eq!(session.log.refresh().unwrap(), end);
    session
        .consolidate(std::slice::from_ref(&proposed), later(1))
        .unwrap();
    assert_eq!(active(&session), ["likes black tea"]);
    let mut undo = |keep, minutes| {
        let what = UndoWhat::LastConsolidation;
        let undone = session.undo(what, keep, later(minutes)).unwrap().unwrap();
        (undone.changes.len(), active(&session))
    };
    let (changes, left) = undo(false, 2);
    assert!(changes > 0);
    assert_eq!(left, ["likes black tea"]);
    let (_, left) = undo(true, 3);
    assert_eq!(left, ["likes black tea", "likes tea"]);
}

#[test]
fn what_was_changed_while_the_model_thought_is_left_alone() {
    let mut session = session();
    remember(&mut session, &["likes black tea", "likes tea"]);
    let proposed = propose(&mut session, &merge(&["n1", "n2"], "likes black tea"))
        .ok()
        .unwrap();
    let id = session.memory.fold.active().next().unwrap().item.id;
    let text = "likes green tea".into();
    session
        .append(&events(&[MemoryOp::Edit { id, text }], at()))
        .unwrap();
    remember(&mut session, &["has a boat"]);
    let tidied = session
        .consolidate(std::slice::from_ref(&proposed), at())
        .unwrap();
    assert_eq!((tidied.changes.len(), tidied.skipped.len()), (0, 1));
    assert_eq!(tidied.skipped[0].1, Skip::Changed);
    assert_eq!(
        active(&session),
        ["likes green tea", "likes tea", "has a boat"]
    );
}

#[test]
fn a_plan_that_cannot_be_read_is_no_plan() {
    let mut session = session();
    remember(&mut session, &["likes tea"]);
    assert!(matches!(
        propose(&mut session, "{}"),
        Err(Unplanned::TooFew)
    ));
    remember(&mut session, &["has a boat"]);
    for answer in [
        "no",
        "{}",
        r#"{"operations":[{"op":"delete","ids":["n1"]}]}"#,
    ] {
        let plan = propose(&mut session, answer);
        assert!(matches!(plan, Err(Unplanned::Unreadable(_))), "{answer}");
    }
    let never = std::future::pending();
    let provider = Scripted::new(vec![]);
    let cut = session.propose_consolidation(&provider, "m", None, at(), never);
    assert!(matches!(now(cut).unwrap(), Err(Unplanned::Unanswered(_))));
}

#[test]
fn undoing_the_last_change_twice_brings_it_back() {
    let mut session = session();
    assert!(session.undo(UndoWhat::Last, true, at()).unwrap().is_none());
    remember(&mut session, &["lives in Oslo"]);
    session
        .remember("lives in Rome", Kind::Fact, false, later(1))
        .unwrap();
    assert_eq!(active(&session), ["lives in Rome"]);
    for (minutes, expected) in [(2, "lives in Oslo"), (3, "lives in Rome")] {
        session.undo(UndoWhat::Last, true, later(minutes)).unwrap();
        assert_eq!(active(&session), [expected]);
    }
}

#[test]
fn a_store_that_has_grown_says_so_until_it_is_tidied() {
    let mut session = session();
    let name = |n: usize| format!("owns the boat called Number{n}");
    for n in 0..GROWN_BY {
        assert_eq!(session.has_grown(), None, "{n}");
        remember(&mut session, &[&name(n)]);
    }
    assert_eq!(session.has_grown(), Some(GROWN_BY));
    let op = MemoryOp::Consolidated;
    session.append(&events(&[op], at())).unwrap();
    assert_eq!(session.has_grown(), None);
}

/// Two consolidations and four writers at once, each on a handle of its own: nothing that was
/// written is lost, and whatever was tidied is still there, marked.
#[test]
fn consolidations_and_writers_at_once_lose_nothing() {
    const ADDS: usize = 8;
    let vault = InRam::new();
    let open = || -> Box<dyn Log> { Box::new(vault.open()) };
    let mut first = session_on(open(), Opening::New);
    let mut before = Vec::new();
    for n in 0..10 {
        before.push(format!("owns the long boat Alpha{n}"));
        before.push(format!("owns the boat Alpha{n}"));
    }
    for text in &before {
        // As if both had come in at once, before anything looked for sameness.
        let source = crate::model::Source::of(crate::model::SourceClass::UserSaid);
        let item = crate::model::Item::new(Kind::Fact, text.as_str().into(), source, at());
        first
            .append(&events(&[MemoryOp::Add { item }], at()))
            .unwrap();
    }
    let plan = |session: &mut Session| {
        let ops: Vec<_> = (0..10)
            .map(|n| {
                json!({"op": "merge", "text": format!("owns the long boat Alpha{n}"),
                    "ids": [format!("n{}", 2 * n + 1), format!("n{}", 2 * n + 2)]})
            })
            .collect();
        propose(session, &json!({"operations": ops}).to_string())
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let log = open();
            scope.spawn(move || {
                let mut session = session_on(log, Opening::New);
                let proposed = plan(&mut session).ok().unwrap();
                session
                    .consolidate(std::slice::from_ref(&proposed), at())
                    .unwrap();
            });
        }
        for writer in 0..4 {
            let log = open();
            scope.spawn(move || {
                let mut session = session_on(log, Opening::New);
                for n in 0..ADDS {
                    let text = format!("knows the harbour W{writer}N{n}");
                    session.remember(&text, Kind::Fact, false, at()).unwrap();
                }
            });
        }
    });
    let mut after = session_on(open(), Opening::New);
    after.refresh().unwrap();
    let memory = &after.memory.fold;
    let texts: Vec<&str> = memory.all().map(|s| s.item.text.as_str()).collect();
    for text in &before {
        assert!(texts.contains(&text.as_str()), "{text}");
    }
    let active = active(&after);
    for writer in 0..4 {
        for n in 0..ADDS {
            let text = format!("knows the harbour W{writer}N{n}");
            assert_eq!(active.iter().filter(|t| **t == text).count(), 1, "{text}");
        }
    }
    // Each pair was put together once, by one of the two.
    for n in 0..10 {
        let boats = active.iter().filter(|t| t.ends_with(&format!("Alpha{n}")));
        assert_eq!(boats.count(), 1, "{n}");
    }
}
