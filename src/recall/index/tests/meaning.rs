//! Vectors beside the words: kept, merged, made anew, and what they do to the order.

use proptest::prelude::*;

use super::*;
use crate::recall::index::{Making, Progress, Unread};
use crate::recall::meaning::testing::Fake;
use crate::recall::meaning::{EmbedError, Meaning, Vector};
use crate::recall::rank::rank_by_meaning;

#[derive(Debug)]
enum Broke {
    Recall,
    Meaning,
}

impl From<RecallError> for Broke {
    fn from(_: RecallError) -> Self {
        Broke::Recall
    }
}

impl From<EmbedError> for Broke {
    fn from(_: EmbedError) -> Self {
        Broke::Meaning
    }
}

fn text_of(records: &[Record], passage: &Unread) -> Option<Text> {
    match &records[passage.seq as usize - 1] {
        Record::Message(message) => Some(message.plain()),
        Record::Memory(event) => event.op.words().cloned(),
        _ => None,
    }
}

fn embed(index: &mut Index, records: &[Record], fake: &Fake) -> Result<Progress, Broke> {
    index.embed(Making {
        embedder: fake,
        link: [9; 32],
        text: &mut |passage| Ok(text_of(records, passage)),
        go_on: &mut |_| true,
    })
}

/// Cosines of all rows to what a text means.
fn likeness(index: &Index, fake: &Fake, text: &str) -> Vec<(u32, f32)> {
    let meaning = Meaning::of(text, fake).unwrap().unwrap();
    let mut out = Vec::new();
    let all = 0..index.passages();
    index
        .likeness(&meaning, all, &mut |n, cosine| out.push((n, cosine)))
        .unwrap();
    out
}

fn asked(index: &Index, fake: &Fake, text: &str) -> Vec<Hit> {
    let mut query = Query::parse(text);
    query.understand(fake).unwrap();
    let mut open = |_| -> Result<Option<Text>, RecallError> { Ok(None) };
    index
        .search(&query, &Filter::default(), 10, &mut open)
        .unwrap()
}

/// Lines about nothing in particular, with a few that are about something.
fn lines() -> Vec<Record> {
    let mut records: Vec<Record> = (0..60)
        .map(|n| {
            message(
                n / 10,
                Role::User,
                n as i64,
                &format!("line{n} on topic{n}"),
            )
        })
        .collect();
    records[17] = message(1, Role::User, 17, "the kitten slept");
    records[40] = message(4, Role::User, 40, "an old automobile");
    records
}

#[test]
fn what_shares_no_word_is_found_by_its_meaning_and_only_where_that_is_asked() {
    let records = lines();
    let fake = Fake::default();
    let mut index = plain(&records);
    assert!(asked(&index, &fake, "feline").is_empty());
    let made = embed(&mut index, &records, &fake).unwrap();
    assert_eq!((made.rows, made.passages), (60, 60));
    let hits = asked(&index, &fake, "feline");
    assert_eq!(hits.first().map(|hit| hit.seq), Some(18));
    assert!(hits[0].meaning > 3.0 && !hits[0].own);
    assert_eq!(find(&index, "feline", &Filter::default()), [0u64; 0]);
    assert_eq!(asked(&index, &fake, "driving")[0].seq, 41);
    // Filters hold for what is found by meaning too, and exclusions.
    assert!(asked(&index, &fake, "feline -slept").is_empty());
}

#[test]
fn vectors_change_nothing_of_what_is_asked_by_words() {
    let records = history(800, 5);
    let mut index = plain(&records);
    let before: Vec<_> = QUESTIONS
        .map(|question| ranked(&index, question, 40))
        .into();
    embed(&mut index, &records, &Fake::default()).unwrap();
    let after: Vec<_> = QUESTIONS
        .map(|question| ranked(&index, question, 40))
        .into();
    assert_eq!(before, after);
}

#[test]
fn a_message_without_a_vector_is_like_the_mean() {
    let records = lines();
    let fake = Fake::default();
    let mut index = plain(&records[..30]);
    embed(&mut index, &records, &fake).unwrap();
    for (n, record) in records.iter().enumerate().skip(30) {
        index.apply(n as u64 + 1, record);
    }
    assert_eq!(
        index.progress("fake"),
        Progress {
            rows: 30,
            passages: 60
        }
    );
    let question = Question::of("feline automobile", &index);
    let meaning = Meaning::of("feline automobile", &fake).unwrap().unwrap();
    let weights = Weights::default();
    let both = (&question, &meaning);
    let found = rank_by_meaning(&index, both, &weights, 60, &mut |_, _| true, &|_| true);
    let found = found.unwrap().unwrap();
    assert_eq!(found.len(), 60);
    assert!(
        found
            .iter()
            .all(|scored| (scored.seq > 30) == (scored.meaning == 0.0))
    );
    let mut best: Vec<u64> = found.iter().take(2).map(|scored| scored.seq).collect();
    best.sort_unstable();
    assert_eq!(best, [18, 41], "one by its meaning, one by its word");
}

#[test]
fn rows_outlive_flushes_merges_and_opening_again() {
    let records = history(1_500, 6);
    let fake = Fake::default();
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    for (n, record) in records.iter().enumerate() {
        index.apply(n as u64 + 1, record);
        if n % 100 == 99 {
            embed(&mut index, &records, &fake).unwrap();
        }
        if n % 400 == 399 {
            assert!(index.flush([7; 32], Merging::All).unwrap());
        }
    }
    let shown = fake.shown.borrow().len();
    let files = index.vectors().unwrap().files.len();
    assert!(files <= 8, "{files}");
    let mut again = Index::open(Box::new(shelf.clone()), 8).unwrap();
    assert_eq!(again.vectors().unwrap().at, (1_500, [9; 32]));
    for (n, record) in records.iter().enumerate().skip(again.seq() as usize) {
        again.apply(n as u64 + 1, record);
    }
    let expected = likeness(&index, &fake, "w3x w8x kitten");
    assert_eq!(likeness(&again, &fake, "w3x w8x kitten"), expected);
    assert!(expected.len() > 1_000);
    embed(&mut again, &records, &fake).unwrap();
    assert_eq!(
        fake.shown.borrow().len(),
        shown + 2,
        "only the questions were shown since"
    );
    // No file is left behind that no manifest names.
    let words = again.segment_count();
    again.flush([8; 32], Merging::All).unwrap();
    assert!(shelf.list().unwrap().len() <= words.max(again.segment_count()) + files + 2);
}

#[test]
fn what_was_made_before_a_model_failed_is_kept() {
    let records = history(300, 7);
    let fake = Fake::default();
    fake.fails_after.set(100);
    let mut index = plain(&records);
    assert!(matches!(
        embed(&mut index, &records, &fake),
        Err(Broke::Meaning)
    ));
    let kept = index.progress("fake").rows;
    assert!(kept > 80, "{kept}");
    fake.fails_after.set(usize::MAX);
    let made = embed(&mut index, &records, &fake).unwrap();
    assert_eq!(made.rows, made.passages);
    let once = Fake::default();
    embed(&mut plain(&records), &records, &once).unwrap();
    assert_eq!(*fake.shown.borrow(), *once.shown.borrow(), "each text once");
}

#[test]
fn another_model_begins_anew_and_so_does_one_that_changed() {
    let records = history(50, 8);
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    fed(&mut index, &records, u64::MAX, Merging::All);
    embed(&mut index, &records, &Fake::default()).unwrap();
    let other = Fake {
        name: "other".into(),
        ..Fake::default()
    };
    assert!(likeness(&index, &other, "w1x").is_empty());
    embed(&mut index, &records, &other).unwrap();
    assert_eq!(
        (index.rows_of("fake"), index.rows_of("other")),
        (0, index.passages())
    );
    let wider = Fake {
        dimensions: 32,
        ..other
    };
    assert!(likeness(&index, &wider, "w1x").is_empty());
    index.apply(51, &message(1, Role::User, 0, "one more kitten"));
    let more = [
        records.as_slice(),
        &[message(1, Role::User, 0, "one more kitten")],
    ]
    .concat();
    embed(&mut index, &more, &wider).unwrap();
    assert_eq!(index.vectors().unwrap().dimensions, 32);
    assert_eq!(index.rows_of("other"), index.passages());
    assert_eq!(shelf.list().unwrap().len(), 1);
}

#[test]
fn vectors_that_do_not_open_are_as_none_and_are_made_again() {
    let records = lines();
    let fake = Fake::default();
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
    fed(&mut index, &records, u64::MAX, Merging::All);
    embed(&mut index, &records, &fake).unwrap();
    shelf.0.tamper(|bytes| bytes.truncate(100));
    let mut again = Index::open(Box::new(shelf.clone()), 8).unwrap();
    fed(&mut again, &records, u64::MAX, Merging::All);
    assert_eq!(asked(&again, &fake, "kitten")[0].seq, 18);
    assert_eq!(again.progress("fake").rows, 0);
    embed(&mut again, &records, &fake).unwrap();
    assert_eq!(asked(&again, &fake, "feline")[0].seq, 18);
}

#[test]
fn other_writers_are_respected() {
    let records = lines();
    let fake = Fake::default();
    let shelf = Shared::default();
    let open = || {
        let mut index = Index::open(Box::new(shelf.clone()), 8).unwrap();
        fed(&mut index, &records, u64::MAX, Merging::All);
        index
    };
    let (mut one, mut two) = (open(), open());
    let lock = shelf.try_lock().unwrap().unwrap();
    assert_eq!(embed(&mut one, &records, &fake).unwrap().rows, 0);
    drop(lock);
    assert_eq!(embed(&mut one, &records, &fake).unwrap().rows, 60);
    assert!(matches!(
        embed(&mut two, &records, &fake),
        Err(Broke::Recall)
    ));
    assert_eq!(open().progress("fake").rows, 60);
}

#[test]
fn where_not_all_are_scored_only_the_best_by_words_are_compared() {
    let mut records = history(20_500, 2);
    records.push(message(5, Role::User, 0, "the capercaillie and a kitten"));
    records.push(message(5, Role::User, 0, "the capercaillie and a car"));
    let fake = Fake::default();
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), 64).unwrap();
    fed(&mut index, &records, 11_000, Merging::All);
    embed(&mut index, &records, &fake).unwrap();
    let hits = asked(&index, &fake, "capercaillie driving");
    assert_eq!(
        hits.iter().map(|hit| hit.seq).collect::<Vec<_>>(),
        [20_502, 20_501]
    );
    assert!(hits[0].meaning > hits[1].meaning + 1.0);
}

proptest! {
    #[test]
    fn rows_come_back_as_they_were_given(
        rows in prop::collection::vec(prop::option::of(prop::collection::vec(-1f32..1.0, 3)), 1..200),
        cuts in prop::collection::vec(1usize..40, 12),
    ) {
        let records: Vec<Record> = (0..rows.len() as i64)
            .map(|n| message(1, Role::User, n, "word"))
            .collect();
        let mut index = plain(&records);
        let vectors: Vec<Option<Vector>> = rows
            .iter()
            .map(|row| row.as_ref().and_then(|row| Vector::of(row)))
            .collect();
        let mut rest = vectors.as_slice();
        let mut cut = cuts.iter().cycle();
        let mut given = Vec::new();
        while !rest.is_empty() {
            let (now, then) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
            given.extend_from_slice(now);
            rest = then;
            prop_assert!(index.keep_vectors("m", &given, [1; 32]).unwrap());
            if index.vectors().is_some() {
                given.clear();
            }
        }
        let question = Meaning {
            model: "m".into(),
            vector: Vector::of(&[0.3, -0.2, 0.9]).unwrap(),
        };
        let mut found = Vec::new();
        index
            .likeness(&question, 0..u32::MAX, &mut |n, cosine| found.push((n, cosine)))
            .unwrap();
        let expected: Vec<(u32, f32)> = (0..)
            .zip(&vectors)
            .filter_map(|(n, vector)| {
                let row: Vec<u8> = vector.as_ref()?.bytes().collect();
                Some((n, question.vector.to_row(&row)?))
            })
            .collect();
        prop_assert_eq!(found, expected);
    }
}
