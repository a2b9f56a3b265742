//! What is found, and what is not.

use super::*;

#[test]
fn of_memory_only_the_words_that_stand_are_found() {
    let only = |standing: &[u64]| Filter {
        scope: Scope::Memory,
        standing: standing.iter().copied().collect(),
        ..Filter::default()
    };
    let mut index = plain(&[
        memory(MemoryOp::Add {
            item: item(1, "likes zebras", Status::Active),
        }),
        memory(MemoryOp::Edit {
            id: id(1),
            text: "likes zebras at night".into(),
        }),
    ]);
    assert_eq!(find(&index, "zebra", &only(&[2])), [2]);
    assert_eq!(find(&index, "zebra", &only(&[])), [0u64; 0]);
    assert!(index.flush([1; 32], Merging::All).unwrap());
    assert_eq!(find(&index, "zebra", &only(&[1])), [1]);
    let all = Filter::default();
    assert_eq!(find(&index, "zebra", &all), [0u64; 0]);
}

#[test]
fn what_is_hidden_stays_hidden_after_opening_again() {
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    let deleted = |op| {
        Record::Conversation(ConversationEvent {
            id: id(1),
            at: at(9),
            op,
        })
    };
    index.apply(1, &message(1, Role::User, 0, "a secret pelican"));
    index.apply(2, &deleted(ConversationOp::Deleted));
    assert!(index.flush([3; 32], Merging::All).unwrap());
    let mut again = Index::open(Box::new(shelf), 8).unwrap();
    assert_eq!((again.seq(), again.sealed_at()), (2, (2, [3; 32])));
    assert_eq!(find(&again, "pelican", &Filter::default()), [0u64; 0]);
    again.apply(3, &deleted(ConversationOp::Restored));
    assert_eq!(find(&again, "pelican", &Filter::default()), [1]);
}

#[test]
fn filters_let_through_only_what_they_say() {
    let index = plain(&[
        message(1, Role::User, 0, "the heron stood still"),
        message(1, Role::Assistant, 100, "a heron is patient"),
        message(2, Role::User, 200, "another heron"),
        memory(MemoryOp::Add {
            item: item(1, "saw a heron", Status::Active),
        }),
        message(3, Role::User, 300, "nothing of the kind"),
    ]);
    let with = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter {
            standing: [4].into(),
            ..Filter::default()
        };
        change(&mut filter);
        let mut seqs = find(&index, "heron", &filter);
        seqs.sort_unstable();
        seqs
    };
    assert_eq!(with(&|_| {}), [1, 2, 3, 4]);
    assert_eq!(with(&|f| f.scope = Scope::Messages), [1, 2, 3]);
    assert_eq!(with(&|f| f.role = Some(Role::Assistant)), [2]);
    assert_eq!(with(&|f| f.conversation = Some(id(1))), [1, 2]);
    assert_eq!(with(&|f| f.conversation = Some(id(9))), [0u64; 0]);
    assert_eq!(with(&|f| f.since = Some(at(100))), [2, 3]);
    assert_eq!(
        with(&|f| (f.until, f.scope) = (Some(at(100)), Scope::Messages)),
        [1]
    );
}

#[test]
fn what_stays_on_this_machine_is_found_only_by_those_on_it() {
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    index.apply(
        1,
        &Record::Conversation(ConversationEvent {
            id: id(1),
            at: at(0),
            op: ConversationOp::Started {
                name: None,
                private: Some(crate::model::Privacy::Local),
                project: None,
            },
        }),
    );
    index.apply(2, &message(1, Role::User, 0, "a private ptarmigan"));
    index.apply(3, &message(2, Role::User, 0, "a public ptarmigan"));
    let leaving = Filter {
        may_leave: true,
        ..Filter::default()
    };
    assert_eq!(find(&index, "ptarmigan", &leaving), [3]);
    assert!(index.flush([3; 32], Merging::All).unwrap());
    let again = Index::open(Box::new(shelf), 8).unwrap();
    assert_eq!(find(&again, "ptarmigan", &leaving), [3]);
    assert_eq!(find(&again, "ptarmigan", &Filter::default()).len(), 2);
}

#[test]
fn phrases_are_checked_in_the_text_and_exclusions_leave_out() {
    let texts = [
        "red wine with cheese",
        "wine red as blood",
        "red wine and a banjo",
    ];
    let records: Vec<Record> = (0u64..)
        .zip(texts)
        .map(|(n, text)| message(n + 1, Role::User, 0, text))
        .collect();
    let index = plain(&records);
    let opened = RefCell::new(Vec::new());
    let ask = |query: &str| {
        opened.borrow_mut().clear();
        let mut open = |seq: u64| -> Result<Option<Text>, RecallError> {
            opened.borrow_mut().push(seq);
            Ok(Some(texts[seq as usize - 1].into()))
        };
        let hits = index
            .search(&Query::parse(query), &Filter::default(), 10, &mut open)
            .unwrap();
        let mut seqs: Vec<u64> = hits.iter().map(|hit| hit.seq).collect();
        seqs.sort_unstable();
        seqs
    };
    assert_eq!(ask("\"red wine\""), [1, 3]);
    assert_eq!(opened.borrow().len(), 3);
    assert_eq!(ask("wine -banjos"), [1, 2]);
    assert!(opened.borrow().is_empty());
    assert_eq!(ask("\"red wine\" -cheese"), [3]);
    assert_eq!(ask("“wine red”"), [2]);
}

#[test]
fn only_what_bears_on_a_line_is_recalled() {
    let mut records = history(400, 5);
    records.push(message(
        900,
        Role::User,
        0,
        "My sister Clara plays the bassoon in Graz",
    ));
    let index = plain(&records);
    let recall = |line: &str, skipped: u64| {
        let all = Filter::default();
        let hits = index.recall(&Query::plain(line), &all, 5, &mut |seq| seq == skipped);
        hits.unwrap()
    };
    let hits = recall("Which instrument does my sister play again? A bassoon?", 0);
    assert_eq!(hits.first().map(|hit| hit.seq), Some(401));
    assert_eq!(recall("Please translate this into Latin for me", 0), []);
    let skipped = recall("my sister's bassoon", 401);
    assert!(skipped.iter().all(|hit| hit.seq != 401));
}

#[test]
fn a_day_is_found_among_many_by_its_date_alone() {
    let brief = |n: u64| message(n / 50, Role::User, n as i64 * 60, "w1x w2x");
    let mut records: Vec<Record> = (0..20_500).map(brief).collect();
    let then = "2011-03-09T12:00:00Z".parse().unwrap();
    let said = Message::text(id(70_000), Role::User, then, "walked to the mill".into());
    records.push(Record::Message(said));
    let index = plain(&records);
    assert_eq!(
        find(&index, "what was on 9 March 2011", &Filter::default())[0],
        20_501
    );
}

#[test]
fn a_search_finds_what_holds_the_word_and_what_is_around_it_only_if_asked_to() {
    let index = plain(&[
        message(1, Role::User, 0, "the best ocarina ever"),
        message(1, Role::Assistant, 10, "Indeed a rare thing"),
        message(2, Role::User, 20, "other matters"),
    ]);
    assert_eq!(find(&index, "ocarina", &Filter::default()), [1]);
    let around = Filter {
        by_neighbours: true,
        ..Filter::default()
    };
    let hits = found(&index, "ocarina", &around);
    assert_eq!(
        hits.iter()
            .map(|hit| (hit.seq, hit.own))
            .collect::<Vec<_>>(),
        [(1, true), (2, false)]
    );
}

#[test]
fn words_that_nobody_ever_said_do_not_crowd_out_those_of_a_long_line() {
    let mut records = history(300, 14);
    records.push(message(50, Role::User, 0, "the quetzal of Guatemala"));
    let index = plain(&records);
    let mut line: Vec<String> = (0..200).map(|n| format!("unsaid{n}")).collect();
    line.push("quetzal guatemala".into());
    assert_eq!(find(&index, &line.join(" "), &Filter::default()), [301]);
}
