use proptest::prelude::*;

use super::*;
use crate::memory::Audience;
use crate::memory::test_support::{add, at, item, later, memory_saying};
use crate::memory::undo::undo_batch;

fn request(memory: &Memory) -> Consolidation {
    Consolidation::new(memory, Audience::ThisMachine, later(1), 8000).unwrap()
}

fn plan(request: &Consolidation, operations: Value) -> Plan {
    let answer = json!({"operations": operations}).to_string();
    request.parse(&answer).unwrap()
}

fn applied(request: &Consolidation, plan: &Plan, memory: &Memory) -> Planned {
    request.apply_plan(plan, memory, later(1), &TimeZone::UTC)
}

/// The outcome of one operation over notes with these texts.
fn outcome(texts: &[&str], operation: Value) -> Result<MemoryOp, Skip> {
    let (memory, _) = memory_saying(texts);
    let request = request(&memory);
    let plan = plan(&request, json!([operation]));
    assert_eq!((plan.ops.len(), plan.ignored), (1, 0));
    let mut planned = applied(&request, &plan, &memory);
    match planned.skipped.pop() {
        Some((_, skip)) => Err(skip),
        None => Ok(planned.ops.remove(0)),
    }
}

fn merge(texts: &[&str], text: &str) -> Result<MemoryOp, Skip> {
    let ids: Vec<String> = (1..=texts.len()).map(|n| format!("n{n}")).collect();
    outcome(texts, json!({"op": "merge", "ids": ids, "text": text}))
}

#[test]
fn notes_that_say_the_same_become_one_that_can_be_undone() {
    let (mut memory, ids) = memory_saying(&[
        "User enjoys hiking in the mountains",
        "User likes to hike in mountains",
        "User plays chess",
    ]);
    memory.apply_ops(at(), &[MemoryOp::Confirm { id: ids[1] }]);
    let request = request(&memory);
    let operation = json!([{
        "op": "merge", "ids": ["n1", "n2"], "text": "User enjoys hiking in the mountains",
    }]);
    let planned = applied(&request, &plan(&request, operation), &memory);
    assert_eq!(planned.skipped, []);
    let before = memory.clone();
    memory.apply_ops(later(1), &planned.ops);
    assert_eq!(memory.counts().active, 2);
    assert_eq!(memory.counts().superseded, 2);
    let batch = *memory.batches().last().unwrap();
    assert!(batch.consolidation);
    let undo = undo_batch(&memory, &batch);
    memory.apply_ops(later(2), &undo.ops);
    for id in ids {
        let [was, is] = [&before, &memory].map(|memory| memory.item(id).unwrap().item.clone());
        assert_eq!(was, is);
    }
    assert_eq!(memory.counts().active, 3);
}

#[test]
fn what_matters_is_never_merged_away() {
    for (texts, text, skip) in [
        (["has 2 cats", "has 3 cats"], "has 3 cats", Skip::Differs),
        (
            ["met Bob on 2026-11-02", "met Bob on 2026-11-03"],
            "met Bob on 2026-11-02",
            Skip::Differs,
        ),
        (
            ["likes fish", "does not like fish"],
            "likes fish",
            Skip::Differs,
        ),
        (
            ["likes fish", "dislikes fish"],
            "likes fish",
            Skip::Contradicts,
        ),
        (
            ["lives in Oslo", "lives in Bergen"],
            "lives in Oslo and Bergen",
            Skip::Contradicts,
        ),
        (["likes tea", "likes coffee"], "likes tea", Skip::LosesWords),
        (
            ["met Bob at work", "met Eve at work"],
            "met Bob at work",
            Skip::LosesWords,
        ),
        (
            ["likes tea", "likes green tea"],
            "likes green tea and trusts Eve",
            Skip::AddsWords,
        ),
        (["likes tea", "likes green tea"], "", Skip::Unfit),
        (
            ["likes tea", "likes green tea"],
            "Always likes green tea",
            Skip::Unfit,
        ),
        (
            ["likes tea", "likes green tea"],
            "likes green tea https://evil.example",
            Skip::Unfit,
        ),
    ] {
        assert_eq!(merge(&texts, text), Err(skip), "{text}");
    }
    assert!(merge(&["likes tea", "likes green tea"], "likes green tea").is_ok());
}

#[test]
fn rewording_says_the_same() {
    let reword = |text: &str, new: &str| {
        outcome(
            &[text, "other"],
            json!({"op": "reword", "ids": ["n1"], "text": new}),
        )
    };
    assert!(
        reword(
            "User he likes the the tea in mornings",
            "User likes tea in mornings"
        )
        .is_ok()
    );
    assert_eq!(
        reword("User likes tea", "User likes coffee"),
        Err(Skip::AddsWords)
    );
    assert_eq!(
        reword("User likes 2 teas", "User likes teas"),
        Err(Skip::Differs)
    );
}

#[test]
fn a_newer_note_takes_the_place_of_an_older_one_of_its_subject() {
    let mut memory = Memory::new();
    let old = item("User lives in Oslo");
    let mut new = item("User lives in Bergen");
    new.created = later(1);
    let other = item("User plays chess");
    memory.apply_ops(at(), &[add(&old), add(&new), add(&other)]);
    let request = request(&memory);
    let supersede = |a: &str, b: &str| json!({"op": "supersede", "ids": [a, b], "text": ""});
    let operations = json!([
        supersede("n2", "n1"),
        supersede("n3", "n2"),
        supersede("n1", "n2"),
        supersede("n1", "n2"),
    ]);
    let planned = applied(&request, &plan(&request, operations), &memory);
    let skips: Vec<Skip> = planned.skipped.iter().map(|(_, skip)| *skip).collect();
    assert_eq!(
        skips,
        [Skip::NotReplaced, Skip::NotReplaced, Skip::NotOffered]
    );
    memory.apply_ops(later(2), &planned.ops);
    assert_eq!(memory.item(old.id).unwrap().superseded_by, Some(new.id));
    assert_eq!(memory.counts().active, 2);
}

#[test]
fn only_what_is_over_expires() {
    let expire = |text: &str| {
        let operation = json!({"op": "expire", "ids": ["n1"], "text": ""});
        outcome(&[text, "other"], operation)
    };
    assert!(expire("flies to Rome yesterday [2026-11-21]").is_ok());
    assert_eq!(
        expire("flies to Rome next week [week of 2026-11-23]"),
        Err(Skip::NotOver)
    );
    assert_eq!(expire("lives in Oslo"), Err(Skip::NotOver));
    let (memory, _) = memory_saying(&["was once said", "other"]);
    let long_after = later(24 * 200);
    let request = Consolidation::new(&memory, Audience::Remote, long_after, 8000).unwrap();
    let plan = plan(
        &request,
        json!([{"op": "expire", "ids": ["n1"], "text": ""}]),
    );
    let planned = request.apply_plan(&plan, &memory, long_after, &TimeZone::UTC);
    assert_eq!(planned.ops.len(), 2);
}

#[test]
fn what_changed_since_the_snapshot_is_skipped_and_what_was_added_stays() {
    let (mut memory, ids) = memory_saying(&[
        "likes tea",
        "likes green tea",
        "likes rye",
        "likes rye bread",
    ]);
    let request = request(&memory);
    let operations = json!([
        {"op": "merge", "ids": ["n1", "n2"], "text": "likes green tea"},
        {"op": "merge", "ids": ["n3", "n4"], "text": "likes rye bread"},
    ]);
    let plan = plan(&request, operations);
    // Meanwhile others write, and another consolidation is applied.
    let added = item("likes jazz");
    memory.apply_ops(later(1), &[add(&added), MemoryOp::Confirm { id: ids[0] }]);
    let first = applied(&request, &plan, &memory);
    assert_eq!(first.skipped[0].1, Skip::Changed);
    memory.apply_ops(later(2), &first.ops);
    let second = applied(&request, &plan, &memory);
    assert_eq!(second.ops, []);
    assert_eq!(second.skipped.len(), 2);
    assert_eq!(memory.counts().active, 4);
    assert_eq!(memory.all().count(), 6);
}

#[test]
fn pinned_items_are_not_shown_nor_touched() {
    let (mut memory, ids) = memory_saying(&["likes tea", "likes green tea", "other"]);
    let before_pin = request(&memory);
    let operations = json!([{"op": "merge", "ids": ["n1", "n2"], "text": "likes green tea"}]);
    let plan = plan(&before_pin, operations);
    memory.apply_ops(later(1), &[MemoryOp::Pin { id: ids[0] }]);
    assert_eq!(applied(&before_pin, &plan, &memory).ops, []);
    assert!(!request(&memory).prompt.contains("\"likes tea\""));
}

#[test]
fn private_items_go_to_no_other_host() {
    let (mut memory, _) = memory_saying(&["a", "b"]);
    let mut secret = item("diagnosis");
    secret.private = Some(Privacy::Local);
    memory.apply_ops(at(), &[add(&secret)]);
    let remote = Consolidation::new(&memory, Audience::Remote, at(), 8000).unwrap();
    assert!(!remote.prompt.contains("diagnosis"));
    assert!(request(&memory).prompt.contains("diagnosis"));
}

#[test]
fn a_malformed_answer_is_an_error_and_an_unknown_note_is_not() {
    let (memory, _) = memory_saying(&["a", "b"]);
    let request = request(&memory);
    assert_eq!(request.parse("nope"), Err(AnswerError::NoOperations));
    let unknown = r#"{"operations":[{"op":"delete","ids":["n1"]}]}"#;
    assert_eq!(request.parse(unknown), Err(AnswerError::UnknownOp(0)));
    let wrong = r#"{"operations":[{"op":"expire","ids":"n1"}]}"#;
    let member = AnswerError::Member {
        index: 0,
        member: "ids",
    };
    assert_eq!(request.parse(wrong), Err(member));
    let lost = r#"{"operations":[{"op":"expire","ids":["n7"]},{"op":"merge","ids":["n1"]}]}"#;
    assert_eq!(request.parse(lost).unwrap().ignored, 2);
    assert!(Consolidation::new(&memory, Audience::Remote, at(), 10).is_none());
}

proptest! {
    /// Whatever a model answers, nothing disappears: every item that was active is active still, or
    /// superseded by one that says the same, or over.
    #[test]
    fn no_answer_loses_a_fact(
        operations in prop::collection::vec(
            ("merge|supersede|expire|reword", prop::collection::vec(1..7_u8, 1..4), 0..6_usize),
            0..8,
        ),
    ) {
        let texts = [
            "likes tea", "likes green tea", "has 2 cats", "has 3 cats", "lives in Oslo",
            "no longer plays chess",
        ];
        let (mut memory, ids) = memory_saying(&texts);
        let request = request(&memory);
        let operations: Vec<Value> = operations
            .into_iter()
            .map(|(op, notes, text)| {
                let notes: Vec<String> = notes.iter().map(|n| format!("n{n}")).collect();
                json!({"op": op, "ids": notes, "text": texts[text]})
            })
            .collect();
        let plan = plan(&request, Value::Array(operations));
        let planned = applied(&request, &plan, &memory);
        memory.apply_ops(later(1), &planned.ops);
        for id in &ids[2..] {
            prop_assert_eq!(memory.item(*id).unwrap().item.status, Status::Active);
        }
        prop_assert!(memory.active().any(|stored| &*stored.item.text == "likes green tea"));
    }
}
