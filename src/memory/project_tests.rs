//! What is learnt in one project never comes up in another, and is never lost to the rest.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::test_support::{active, add, at, context, facts, item, later};
use super::*;
use crate::memory::Said;
use crate::model::{Id, Item, Kind, MemoryOp, Project, Role, Status, Timestamp};

fn project(name: &str) -> Option<Project> {
    Some(Project::new(format!("/home/me/{name}")))
}

fn of(text: &str, project: &Option<Project>) -> Item {
    let mut item = item(text);
    item.project = project.clone();
    item
}

fn context_in(project: &Option<Project>, now: Timestamp) -> Context {
    let project = project.clone();
    Context {
        project,
        ..context(now)
    }
}

fn reader(project: &Option<Project>) -> Reader {
    Reader {
        audience: Audience::ThisMachine,
        project: project.clone(),
    }
}

/// The person says a thing in a project, and a model proposes it.
fn says(memory: &mut Memory, project: &Option<Project>, now: Timestamp, text: &str) -> Accepted {
    let text = &format!("I {text}.");
    let said = [Said {
        id: Id::fresh(),
        at: now,
        text,
    }];
    let context = context_in(project, now);
    let proposed = facts(&[&text[2..text.len() - 1]]);
    let accepted = accept(&proposed, &said, memory, &context);
    memory.apply_ops(now, &accepted.ops);
    accepted
}

/// What is told in a project.
fn told(memory: &Memory, project: &Option<Project>) -> Vec<String> {
    let made = Standing::new(memory, &Budgets::default(), reader(project), later(9999));
    let texts = made.notes.iter().map(|note| note.text.to_string());
    texts.collect()
}

#[test]
fn what_is_said_in_a_project_comes_up_there_alone_and_the_rest_everywhere() {
    let (a, b) = (project("a"), project("b"));
    let mut memory = Memory::new();
    says(&mut memory, &None, at(), "like tea");
    says(&mut memory, &a, at(), "have a client called Ana");
    says(&mut memory, &b, at(), "have a client called Bob");
    assert_eq!(told(&memory, &None), ["like tea"]);
    assert_eq!(told(&memory, &a), ["like tea", "have a client called Ana"]);
    assert_eq!(told(&memory, &b), ["like tea", "have a client called Bob"]);
    let made = Standing::new(&memory, &Budgets::default(), reader(&a), at());
    assert!(made.text.contains("comes before what is not.\n"));
    assert!(
        made.text
            .contains("said by the person, of this project: \"")
    );
    assert!(!made.text.contains("home"), "never the path");
    let none = Standing::new(&memory, &Budgets::default(), reader(&None), at());
    assert!(!none.text.contains("project"));
}

#[test]
fn the_same_words_in_two_projects_are_two_items() {
    let (a, b) = (project("a"), project("b"));
    let mut memory = Memory::new();
    for here in [&a, &b] {
        let accepted = says(&mut memory, here, at(), "live in Oslo");
        assert_eq!(accepted.verdicts[0].judgement, Judgement::Learnt);
    }
    // Said outside of both, it comes up everywhere; neither is swallowed.
    says(&mut memory, &None, later(1), "live in Oslo");
    assert_eq!(active(&memory).len(), 3);
    let forget = memory.active().next().unwrap().item.id;
    memory.apply_ops(later(2), &[MemoryOp::Forget { id: forget }]);
    assert_eq!(told(&memory, &b), ["live in Oslo", "live in Oslo"]);
}

#[test]
fn what_is_known_everywhere_is_known_in_a_project_and_not_touched_from_there() {
    let a = project("a");
    let mut memory = Memory::new();
    says(&mut memory, &None, at(), "live in Oslo");
    let before = memory.clone();
    let again = says(&mut memory, &a, later(100), "live in Oslo");
    let known = matches!(
        again.verdicts[0].judgement,
        Judgement::Known {
            confirmed: false,
            ..
        }
    );
    assert!(known && again.ops.is_empty());
    assert_eq!(memory, before);
    // A contradiction counts in the project; elsewhere all is as it was.
    let moved = says(&mut memory, &a, later(101), "live in Bergen");
    assert_eq!(moved.verdicts[0].judgement, Judgement::Learnt);
    assert_eq!(told(&memory, &None), ["live in Oslo"]);
    assert_eq!(told(&memory, &a), ["live in Oslo", "live in Bergen"]);
    // Within the project it is a change like any other.
    let back = says(&mut memory, &a, later(102), "live in Rome");
    assert!(matches!(back.verdicts[0].judgement, Judgement::Replaced(_)));
    assert_eq!(told(&memory, &a), ["live in Oslo", "live in Rome"]);
    // Given for the project by command, it is there, whatever is known everywhere.
    let (context, text) = (context_in(&a, later(103)), "live in Oslo");
    let given = add_by_command(text, Kind::Fact, true, &memory, &context);
    assert!(given.verdicts[0].id.is_some());
}

#[test]
fn what_waits_elsewhere_is_nothing_to_a_project() {
    let a = project("a");
    let mut memory = Memory::new();
    let mut waiting = item("live in Oslo");
    waiting.status = Status::Pending;
    memory.apply_ops(at(), &[add(&waiting)]);
    says(&mut memory, &a, later(1), "live in Oslo");
    assert_eq!(memory.pending().count(), 1);
    assert_eq!(told(&memory, &None), [""; 0]);
    assert_eq!(told(&memory, &a), ["live in Oslo"]);
    // Approved, it supersedes what says otherwise where it comes up, and no further.
    says(&mut memory, &None, later(2), "live in Rome");
    let shown = [(waiting.id, waiting.text.clone())];
    let (ops, changed) = approve_shown(&shown, &memory);
    assert!(changed.is_empty());
    memory.apply_ops(later(3), &ops);
    assert_eq!(told(&memory, &None), ["live in Oslo"]);
    assert_eq!(told(&memory, &a).len(), 2);
}

#[test]
fn a_pass_leaves_alone_what_is_of_no_project() {
    let a = project("a");
    let general = of("lives in Oslo", &None);
    let own = of("drinks tea", &a);
    let mut memory = Memory::new();
    memory.apply_ops(at(), &[add(&general), add(&own)]);
    let (id, when) = (Id::fresh(), later(50));
    let text = "I no longer live in Oslo. I still drink tea. I live in Oslo.";
    let turns = [Turn {
        id,
        role: Role::User,
        at: when,
        text,
    }];
    let request = Extraction::new(&turns, &memory, reader(&a), when, 8000).unwrap();
    assert!(request.prompt.contains("lives in Oslo") && request.prompt.contains("drinks tea"));
    let elsewhere = Extraction::new(&turns, &memory, reader(&None), when, 8000).unwrap();
    assert!(!elsewhere.prompt.contains("drinks tea"));
    let op = |op: &str, quote: &str, note: &str| {
        json!({"op": op, "kind": "fact", "text": "lives in Rome", "quote": quote,
            "message": "m1", "id": note})
    };
    let answer = json!({"operations": [
        op("expire", "I no longer live in Oslo", "n1"),
        op("confirm", "I live in Oslo", "n1"),
        op("supersede", "I no longer live in Oslo", "n1"),
        op("confirm", "I still drink tea", "n2"),
    ]});
    let ops = request.parse(&answer.to_string()).unwrap().ops;
    let said = [Said { id, at: when, text }];
    let accepted = request.accept(&ops, &said, &memory, &context_in(&a, when));
    let touched = |op: &MemoryOp| format!("{op:?}").contains(&general.id.to_string());
    assert!(!accepted.ops.iter().any(touched), "{:?}", accepted.ops);
    assert!(accepted.ops.contains(&MemoryOp::Confirm { id: own.id }));
}

#[test]
fn tidying_sees_one_project_at_a_time() {
    let (a, b) = (project("a"), project("b"));
    let mut memory = Memory::new();
    let items: Vec<Item> = [&None, &a, &b]
        .iter()
        .flat_map(|p| [of("likes black tea", p), of("likes tea", p)])
        .collect();
    memory.apply_ops(at(), &items.iter().map(add).collect::<Vec<_>>());
    let request = Consolidation::new(&memory, reader(&a), later(1), 8000).unwrap();
    assert_eq!(request.prompt.matches("tea").count(), 2);
    let answer = json!({"operations":
        [{"op": "merge", "ids": ["n1", "n2"], "text": "likes black tea"}]});
    let plan = request.parse(&answer.to_string()).unwrap();
    let planned = request.apply_plan(&plan, &memory, later(1), &TimeZone::UTC);
    memory.apply_ops(later(1), &planned.ops);
    assert_eq!(told(&memory, &None).len(), 2);
    assert_eq!(told(&memory, &b).len(), 4);
    assert_eq!(told(&memory, &a).len(), 3);
}

#[test]
fn an_item_moves_by_a_copy_and_back_by_undoing() {
    let a = project("a");
    let mut memory = Memory::new();
    let tea = of("likes tea", &None);
    memory.apply_ops(at(), &[add(&tea), MemoryOp::Pin { id: tea.id }]);
    let (ops, there) = move_by_command(tea.id, a.as_ref(), &memory).unwrap();
    memory.apply_ops(later(1), &ops);
    assert_eq!(told(&memory, &None), [""; 0]);
    assert_eq!(told(&memory, &a), ["likes tea"]);
    let moved = &memory.item(there).unwrap().item;
    assert!(moved.pinned && moved.created == tea.created);
    assert_eq!(moved.source, tea.source);
    let still = move_by_command(there, a.as_ref(), &memory).unwrap();
    assert_eq!(still, (Vec::new(), there));
    let gone = move_by_command(tea.id, a.as_ref(), &memory);
    assert_eq!(gone.unwrap_err(), EditError::NotActive);
    let batch = *memory.batches().last().unwrap();
    let undo = undo_batch(&memory, &batch);
    memory.apply_ops(later(2), &undo.ops);
    assert_eq!(told(&memory, &None), ["likes tea"]);
    // And from the project to everywhere.
    let own = of("reads in bed", &a);
    memory.apply_ops(later(3), &[add(&own)]);
    let (ops, _) = move_by_command(own.id, None, &memory).unwrap();
    memory.apply_ops(later(4), &ops);
    assert_eq!(told(&memory, &None), ["likes tea", "reads in bed"]);
}

/// One thing that happens, to the item of this number where there is one.
#[derive(Clone, Debug)]
enum Step {
    Said(usize, usize),
    Proposed(usize, usize),
    Given(usize, usize),
    /// An item of a project, in the log as if it took the place of two others.
    Replaces(usize, usize, usize, usize),
    Approved(usize),
    BroughtBack(usize),
    Plain(usize, u8),
    Undone,
    Tidied(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (place, text, item) = (0_usize..3, 0_usize..8, 0_usize..40);
    prop_oneof![
        4 => (place.clone(), text.clone()).prop_map(|(p, t)| Step::Said(p, t)),
        1 => (place.clone(), text.clone()).prop_map(|(p, t)| Step::Proposed(p, t)),
        2 => (place.clone(), text.clone()).prop_map(|(p, t)| Step::Given(p, t)),
        2 => (place.clone(), text, item.clone(), item.clone())
            .prop_map(|(p, t, a, b)| Step::Replaces(p, t, a, b)),
        1 => item.clone().prop_map(Step::Approved),
        1 => item.clone().prop_map(Step::BroughtBack),
        2 => (item.clone(), 0_u8..6).prop_map(|(n, what)| Step::Plain(n, what)),
        1 => Just(Step::Undone),
        1 => (place, item).prop_map(|(p, n)| Step::Tidied(p, n)),
    ]
}

const TEXTS: [&str; 8] = [
    "live in Oslo",
    "live in Rome",
    "like tea",
    "do not like tea",
    "like black tea",
    "work at Orkla",
    "have a cat called Tom",
    "have a cat",
];

/// The operations of a step, and the project that it is judged for, if it is.
fn ops_of(
    step: &Step,
    places: &[Option<Project>; 3],
    memory: &Memory,
    now: Timestamp,
) -> (Vec<MemoryOp>, Option<usize>) {
    let nth = |n: usize| memory.all().nth(n).map(|stored| stored.item.clone());
    let worded = |place: usize, text: usize| match place {
        // Some are of one project by their words, so that they can be told in a prompt.
        1 if text.is_multiple_of(2) => format!("{} since Alder", TEXTS[text]),
        2 if text.is_multiple_of(2) => format!("{} since Birch", TEXTS[text]),
        _ => TEXTS[text].to_owned(),
    };
    match *step {
        Step::Said(place, text) => {
            let mut copy = memory.clone();
            let accepted = says(&mut copy, &places[place], now, &worded(place, text));
            (accepted.ops, Some(place))
        }
        Step::Proposed(place, text) => {
            let context = context_in(&places[place], now);
            let accepted = accept(&facts(&[&worded(place, text)]), &[], memory, &context);
            (accepted.ops, Some(place))
        }
        Step::Given(place, text) => {
            let context = context_in(&places[place], now);
            let text = worded(place, text);
            let accepted = add_by_command(&text, Kind::Fact, true, memory, &context);
            (accepted.ops, Some(place))
        }
        Step::Replaces(place, text, a, b) => {
            let ids: Vec<Id> = [a, b].into_iter().filter_map(nth).map(|i| i.id).collect();
            let item = of(&worded(place, text), &places[place]);
            (vec![MemoryOp::Merge { ids, item }], None)
        }
        Step::Approved(n) => {
            let shown: Vec<_> = nth(n).map(|i| (i.id, i.text)).into_iter().collect();
            (approve_shown(&shown, memory).0, None)
        }
        Step::BroughtBack(n) => {
            let ops = nth(n).map(|item| bring_back(item.id, memory));
            (ops.unwrap_or_default(), None)
        }
        Step::Plain(n, what) => {
            let op = nth(n).map(|item| match what {
                0 => MemoryOp::Forget { id: item.id },
                1 => MemoryOp::Expire { id: item.id },
                2 => MemoryOp::Reject { id: item.id },
                3 => MemoryOp::Restore { id: item.id },
                4 => MemoryOp::Unpin { id: item.id },
                _ => MemoryOp::Approve { id: item.id },
            });
            (op.into_iter().collect(), None)
        }
        Step::Undone => {
            let batch = memory.batches().last();
            let undo = batch.map(|batch| undo_batch(memory, batch));
            (undo.unwrap_or_default().ops, None)
        }
        Step::Tidied(place, n) => {
            let request = Consolidation::new(memory, reader(&places[place]), now, 8000);
            let Some(request) = request else {
                return (Vec::new(), None);
            };
            let (one, two) = (format!("n{}", n % 5 + 1), format!("n{}", n % 3 + 2));
            let text = nth(n).map(|item| item.text.to_string()).unwrap_or_default();
            let answer = json!({"operations": [
                {"op": "merge", "ids": [one, two], "text": text},
                {"op": "supersede", "ids": [two, one], "text": ""}]});
            let plan = request.parse(&answer.to_string()).unwrap();
            let planned = request.apply_plan(&plan, memory, now, &TimeZone::UTC);
            (planned.ops, Some(place))
        }
    }
}

proptest! {
    #[test]
    fn no_item_of_a_project_is_ever_seen_in_another(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let places = [None, project("a"), project("b")];
        let mut memory = Memory::new();
        for (hours, step) in (1..).zip(&steps) {
            let before = memory.clone();
            let now = later(hours);
            let (ops, judged_for) = ops_of(step, &places, &memory, now);
            memory.apply_ops(now, &ops);
            for stored in before.all() {
                let (id, project) = (stored.item.id, &stored.item.project);
                let after = memory.item(id).unwrap();
                // What is judged for one leaves the others as they were.
                let own = judged_for.is_none_or(|place| *project == places[place]);
                prop_assert!(own || after == stored, "{step:?}");
                // An item is never another project's, and gives way only to its own.
                prop_assert_eq!(&after.item.project, project);
                let heir = after.superseded_by.and_then(|heir| memory.item(heir));
                prop_assert!(heir.is_none_or(|heir| heir.item.project == *project));
            }
            for (place, here) in places.iter().enumerate() {
                let standing = Standing::new(&memory, &Budgets::default(), reader(here), now);
                let ids = standing.notes.iter().map(|note| note.id);
                let fresh = standing.additions(&memory, &Budgets::default(), now);
                for id in ids.chain(fresh.notes.iter().map(|note| note.id)) {
                    prop_assert!(memory.item(id).unwrap().item.comes_up_in(here.as_ref()));
                }
                let turns = [Turn { id: Id::NIL, role: Role::User, at: now, text: "I like tea" }];
                let extraction = Extraction::new(&turns, &memory, reader(here), now, 8000);
                let tidying = Consolidation::new(&memory, reader(here), now, 8000);
                let prompts = [
                    standing.text,
                    extraction.unwrap().prompt,
                    tidying.map(|t| t.prompt).unwrap_or_default(),
                ];
                for prompt in prompts {
                    prop_assert!(place == 1 || !prompt.contains("Alder"));
                    prop_assert!(place == 2 || !prompt.contains("Birch"));
                }
            }
        }
    }
}
