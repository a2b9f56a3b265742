//! Sessions in projects: each sees what is of none and its own, whoever looks and whatever for.

use std::sync::Arc;

use serde_json::json;

use super::super::test_support::{
    Scripted, active, at, calls, now, pass_minutes, says, settings, turn,
};
use super::*;
use crate::chat::{Pass, Recall, UndoWhat, Wanted};
use crate::memory::Accepted;
use crate::model::{Kind, Stop};
use crate::provider::{Event, Offline, Request};
use crate::recall::Query;
use crate::vault::testing::{VolatileStore, new_vault, open_vault};

/// A vault that sessions are opened on one after the other, with what one and all of them see.
struct Yard(VolatileStore);

impl Yard {
    fn new() -> Self {
        let store = VolatileStore::default();
        drop(new_vault(store.clone()));
        Yard(store)
    }

    /// A sitting in a project, or in none, on this conversation.
    fn on(&self, place: &str, opening: Opening) -> Result<Session, ChatError> {
        let mut log = open_vault(Arc::new(self.0.clone())).unwrap();
        let recall = Recall::open(&mut log).unwrap();
        let settings = Settings {
            project: project(place),
            ..settings()
        };
        Session::open(Box::new(log), recall, settings, opening)
    }

    fn at(&self, place: &str) -> Session {
        self.on(place, Opening::New).unwrap()
    }
}

fn project(name: &str) -> Option<Project> {
    (!name.is_empty()).then(|| Project::new(format!("/home/me/{name}")))
}

/// A line that the model answers with words, having noticed something.
fn tell(session: &mut Session, line: &str, notices: &str) -> String {
    let update = json!({"key_facts": [notices], "user_preferences": [], "past_outcomes": []});
    let reply = format!("I see.\n<memory_update>{update}</memory_update>");
    let provider = Scripted::new(vec![says(&reply)]);
    turn(session, &provider, line);
    asked(&provider)
}

/// Everything that a model was asked, as text.
fn asked(provider: &Scripted) -> String {
    let of = |request: &Request| {
        let system: Vec<&str> = request.system.iter().map(|part| &*part.text).collect();
        let parts = request.messages.iter().flat_map(|turn| &turn.parts);
        let parts: Vec<String> = parts.map(|part| format!("{part:?}")).collect();
        // `Debug` of text is its length: the words are taken out one by one.
        let said = request.messages.iter().flat_map(|turn| &turn.parts);
        let said: Vec<String> = said
            .map(|part| match part {
                crate::provider::Part::Text(text) => text.to_string(),
                crate::provider::Part::ToolResult { content, .. } => content.to_string(),
                _ => String::new(),
            })
            .collect();
        format!(
            "{}\n{}\n{}",
            system.join("\n"),
            parts.join("\n"),
            said.join("\n")
        )
    };
    provider.asked().iter().map(of).collect()
}

fn texts(notes: &[crate::provider::Note]) -> Vec<String> {
    notes.iter().map(|note| note.text.to_string()).collect()
}

fn recalled(session: &mut Session, line: &str) -> Vec<String> {
    session.say(line.into(), at()).unwrap();
    texts(&session.recall(&Offline, at()).unwrap().notes)
}

#[test]
fn what_is_said_in_one_project_is_recalled_there_alone() {
    let yard = Yard::new();
    tell(&mut yard.at(""), "I like green tea", "likes green tea");
    let line = "The claim of Alderman against the harbour is for 9000 crowns";
    tell(&mut yard.at("a"), line, "Alderman claims 9000 crowns");
    let question = "what does Alderman claim against the harbour?";
    for place in ["b", ""] {
        let mut session = yard.at(place);
        assert_eq!(recalled(&mut session, question), [""; 0], "{place}");
        let provider = Scripted::new(vec![
            vec![
                calls(
                    "t1",
                    "recall",
                    json!({"query": "Alderman claim harbour crowns"}),
                ),
                Event::Done(Stop::End),
            ],
            says("I do not know."),
        ]);
        turn(&mut session, &provider, question);
        let seen = asked(&provider);
        assert!(seen.contains("Nothing was found."), "{seen}");
        assert!(!seen.contains("9000") && seen.contains("likes green tea"));
    }
    let mut session = yard.at("a");
    let found = recalled(&mut session, question);
    assert!(found.contains(&"Alderman claims 9000 crowns".to_owned()));
    assert!(found.contains(&line.to_owned()));
    let seen = tell(&mut session, question, "likes green tea");
    assert!(seen.contains("Alderman claims 9000 crowns"));
    // Whoever looks on purpose sees everything, or one project.
    let mut session = yard.at("b");
    let query = Query::plain("Alderman");
    let all = Wanted {
        most: 9,
        ..Wanted::default()
    };
    assert!(session.find(&query, all, at()).unwrap().len() >= 2);
    let b = project("b").unwrap();
    let only = crate::recall::Among::Only(session.buffer.fold.conversations_of(&b));
    let of_b = Wanted {
        filter: crate::recall::Filter {
            conversations: only,
            ..crate::recall::Filter::default()
        },
        most: 9,
        project: Some(&b),
    };
    let found = session.find(&query, of_b, at()).unwrap();
    assert!(found.iter().all(|found| found.text.contains("what does")));
}

#[test]
fn a_small_project_is_found_among_large_ones() {
    let yard = Yard::new();
    let mut other = yard.at("b");
    for n in 0..400 {
        let line = format!("the heron stood at pond {} again, tour {n}", n % 7);
        other.say(line.into(), at()).unwrap();
    }
    other.settle_index(Merging::All).unwrap();
    let own = "the heron stood at the mill pond";
    yard.at("a").say(own.into(), at()).unwrap();
    let mut session = yard.at("a");
    assert_eq!(
        recalled(&mut session, "where did the heron stand, at which pond?"),
        [own]
    );
    let mut session = yard.at("c");
    assert_eq!(
        recalled(&mut session, "where did the heron stand, at which pond?"),
        [""; 0]
    );
}

#[test]
fn what_is_learnt_is_of_the_conversations_project_whoever_learns_it() {
    let yard = Yard::new();
    let mut a = yard.at("a");
    let silent = Scripted::new(vec![says("I see.")]);
    turn(&mut a, &silent, "I live in Alderbury");
    let pass: Pass = a.own_passes().unwrap()[0];
    a.owe(pass, at()).unwrap();
    drop(a);
    let mut b = yard.at("b");
    let remembered = |accepted: &Accepted| accepted.ops.len();
    let own = b
        .remember("my desk is oak", Kind::Fact, false, at())
        .unwrap();
    assert_eq!(remembered(&own), 1);
    let owed = b.owed_passes(false, 9, &mut |_| true).unwrap();
    let answer = json!({"operations": [{"op": "add", "kind": "fact", "text": "lives in Alderbury",
        "quote": "I live in Alderbury", "message": "m1", "id": ""}]});
    let provider = Scripted::new(vec![says(&answer.to_string())]);
    let never = std::future::pending();
    now(b.extract(&provider, "m", owed[0], at, never)).unwrap();
    // The pass over one project's words sees nothing of another's.
    let seen = asked(&provider);
    assert!(seen.contains("Alderbury") && !seen.contains("oak"));
    assert_eq!(active(&b).len(), 2);
    let of = |text: &str| {
        let mut items = b.memory.fold.active().map(|stored| &stored.item);
        items
            .find(|item| &*item.text == text)
            .unwrap()
            .project
            .clone()
    };
    assert_eq!(of("lives in Alderbury"), project("a"));
    assert_eq!(of("my desk is oak"), project("b"));
    let seen = tell(&mut b, "hello", "my desk is oak");
    assert!(seen.contains("oak") && !seen.contains("Alderbury"));
    let seen = tell(&mut yard.at("a"), "hello", "lives in Alderbury");
    assert!(!seen.contains("oak") && seen.contains("Alderbury"));
}

#[test]
fn a_conversation_stays_in_its_project_and_so_do_its_forks() {
    let yard = Yard::new();
    let mut a = yard.at("a");
    tell(&mut a, "I work for Alder", "works for Alder");
    let first = a.conversation();
    drop(a);
    let mut b = yard.on("b", Opening::This(first)).unwrap();
    assert_eq!(b.project(), project("a").as_ref());
    tell(&mut b, "I like plums", "likes plums");
    b.fork(at()).unwrap();
    assert_ne!(b.conversation(), first);
    assert_eq!(b.project(), project("a").as_ref());
    let fork = b.conversation();
    b.turn_to(Opening::New).unwrap();
    assert_eq!(b.project(), project("b").as_ref());
    let seen = tell(&mut b, "hello", "likes figs");
    assert!(!seen.contains("plums") && !seen.contains("Alder"));
    let own = b.conversation();
    b.settle().unwrap();
    // The list says the same, also where the first conversation is gone.
    let list = b.conversations().unwrap().fold;
    let of = |id| list.find(id).unwrap().project.clone();
    assert_eq!(
        (of(first), of(fork), of(own)),
        (project("a"), project("a"), project("b"))
    );
    drop(b);
    // The last of each is gone on with, and names are each project's own.
    let last = |place: &str| yard.on(place, Opening::Last).map(|s| s.conversation());
    assert_eq!(last("a").unwrap(), fork);
    assert_eq!(last("b").unwrap(), own);
    assert!(matches!(last(""), Err(ChatError::NothingToContinue)));
    let named = || Opening::Named("notes".into());
    let mut notes = yard.on("a", named()).unwrap();
    notes.say("a line".into(), at()).unwrap();
    let of_a = notes.conversation();
    assert_eq!(yard.on("a", named()).unwrap().conversation(), of_a);
    assert_ne!(yard.on("b", named()).unwrap().conversation(), of_a);
    assert_ne!(yard.on("", named()).unwrap().conversation(), of_a);
    // What was typed is offered again where it was said.
    let typed = |place: &str| yard.at(place).typed_lately().len();
    assert!(typed("a") >= 3);
    assert_eq!((typed("b"), typed("")), (1, 0));
}

#[test]
fn the_last_of_a_project_is_found_behind_many_others() {
    let yard = Yard::new();
    let mut a = yard.at("a");
    a.say("first".into(), at()).unwrap();
    let first = a.conversation();
    let mut b = yard.at("b");
    for _ in 0..40 {
        b.turn_to(Opening::New).unwrap();
        b.say("another".into(), at()).unwrap();
    }
    let again = yard.on("a", Opening::Last).unwrap();
    assert_eq!(again.conversation(), first);
    assert_eq!(again.project(), project("a").as_ref());
}

#[test]
fn one_that_was_named_before_it_began_begins_in_the_project() {
    let yard = Yard::new();
    let id = Id::fresh();
    // As after a lock, before anything was said.
    let mut session = yard.on("a", Opening::This(id)).unwrap();
    assert!(!session.continues());
    session.say("a line".into(), at()).unwrap();
    assert_eq!(session.conversation(), id);
    assert_eq!(session.buffer.fold.project_of(id), project("a").as_ref());
}

#[test]
fn what_is_tidied_in_several_projects_is_one_change() {
    let yard = Yard::new();
    // What is of none comes last, or it would be known in the projects already.
    for place in ["a", "b", ""] {
        let mut session = yard.at(place);
        for text in ["likes black tea", "likes tea"] {
            session.remember(text, Kind::Fact, false, at()).unwrap();
        }
    }
    let mut session = yard.at("b");
    let before = active(&session);
    let mut proposed = Vec::new();
    for place in session.memory.fold.projects() {
        let answer = json!({"operations":
            [{"op": "merge", "ids": ["n1", "n2"], "text": "likes black tea"}]});
        let provider = Scripted::new(vec![says(&answer.to_string())]);
        let never = std::future::pending();
        let asked_for = session.propose_consolidation(&provider, "m", place.as_ref(), at(), never);
        proposed.extend(now(asked_for).unwrap().ok());
        let seen = asked(&provider);
        assert_eq!(seen.matches("tea\"").count(), 2, "{seen}");
    }
    pass_minutes(1);
    let tidied = session.consolidate(&proposed, at()).unwrap();
    assert!(tidied.skipped.is_empty(), "{:?}", tidied.skipped);
    assert_eq!(active(&session).len(), 3);
    pass_minutes(1);
    let what = UndoWhat::LastConsolidation;
    session.undo(what, true, at()).unwrap().unwrap();
    assert_eq!(active(&session), before);
}

#[test]
fn news_and_undoing_are_of_the_own_project() {
    let yard = Yard::new();
    let mut b = yard.at("b");
    b.remember("likes figs", Kind::Fact, false, at()).unwrap();
    pass_minutes(1);
    let mut a = yard.at("a");
    a.remember("likes plums", Kind::Fact, false, at()).unwrap();
    b.refresh().unwrap();
    assert!(b.take_news().is_empty());
    pass_minutes(1);
    yard.at("")
        .remember("likes tea", Kind::Fact, false, at())
        .unwrap();
    b.refresh().unwrap();
    assert_eq!(b.take_news().items.len(), 1);
    pass_minutes(1);
    a.remember("likes pears", Kind::Fact, false, at()).unwrap();
    pass_minutes(1);
    let undo = b.undo(UndoWhat::LastBut(&[]), true, at()).unwrap().unwrap();
    assert_eq!(undo.changes.len(), 1);
    assert_eq!(active(&b), ["likes figs", "likes plums", "likes pears"]);
}

#[test]
fn what_the_index_knows_before_the_buffer_does_is_not_told() {
    let yard = Yard::new();
    let question = "what does Alderman claim against the harbour?";
    let mut b = yard.at("b");
    b.say(question.into(), at()).unwrap();
    let mut a = yard.at("a");
    a.say("Alderman claims 9000 crowns".into(), at()).unwrap();
    // As a keeper does for another of its clients.
    b.log.refresh().unwrap();
    assert!(b.log.read(b.buffer.at().seq).unwrap().len() > 1);
    assert_eq!(texts(&b.recall(&Offline, at()).unwrap().notes), [""; 0]);
    b.refresh().unwrap();
    assert_eq!(texts(&b.recall(&Offline, at()).unwrap().notes), [""; 0]);
}
