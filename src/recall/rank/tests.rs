use super::*;
use crate::recall::analyse::{Language, terms_of};
use crate::recall::segment::{Said, VolatileSegment};
use crate::recall::turn::{NEAR_WORDS, Speaker, length_of};

struct Line {
    conversation: u8,
    speaker: Speaker,
    text: String,
}

fn line(conversation: u8, speaker: Speaker, text: &str) -> Line {
    Line {
        conversation,
        speaker,
        text: text.into(),
    }
}

fn segment(lines: &[Line]) -> VolatileSegment {
    let mut segment = VolatileSegment::default();
    for (n, line) in (0i64..).zip(lines) {
        segment.push(&Said {
            seq: n as u64 + 1,
            conversation: [line.conversation; 16],
            speaker: line.speaker,
            at: jiff::Timestamp::from_second(1_700_000_000 + n).unwrap(),
            text: &line.text,
        });
    }
    segment
}

fn ranked(segment: &VolatileSegment, question: &str) -> Vec<Scored> {
    let question = Question::of(question, segment);
    rank(segment, &question, &Weights::default(), 100, &mut |_, _| {
        true
    })
    .unwrap()
}

fn first(lines: &[Line], question: &str) -> u64 {
    ranked(&segment(lines), question)[0].seq
}

/// Short made-up words, some shared by many lines.
fn lines(count: usize) -> Vec<Line> {
    let mut state = 11u64;
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    (0..count)
        .map(|_| {
            let words = if below(10) == 0 {
                55 + below(30)
            } else {
                below(30)
            };
            let text: Vec<String> = (0..words)
                .map(|_| {
                    let most = 1 + below(80);
                    format!("q{}z", below(most))
                })
                .collect();
            Line {
                conversation: below(5) as u8 + 1,
                speaker: if below(2) == 0 {
                    Speaker::USER
                } else {
                    Speaker::ASSISTANT
                },
                text: text.join(" "),
            }
        })
        .collect()
}

/// The words' part of the score once more, as the page tells it: bags made in full, no postings.
fn by_the_book(lines: &[Line], terms: &[&str]) -> Vec<f64> {
    let words: Vec<Vec<String>> = lines
        .iter()
        .map(|l| {
            terms_of(&l.text)
                .into_iter()
                .map(|(_, term)| term)
                .collect()
        })
        .collect();
    let passages = |n: usize| -> Vec<&[String]> {
        let all = &words[n];
        let count = all.len().div_ceil(60).max(1);
        (0..count)
            .map(|i| &all[i * all.len() / count..(i + 1) * all.len() / count])
            .collect()
    };
    let first_words = |n: usize| passages(n)[0].iter().take(NEAR_WORDS).collect::<Vec<_>>();
    let last_words = |n: usize| {
        let last = *passages(n).last().unwrap();
        last[last.len().saturating_sub(NEAR_WORDS)..]
            .iter()
            .collect::<Vec<_>>()
    };
    let half = |n: usize| {
        if lines[n].speaker == Speaker::ASSISTANT {
            0.5
        } else {
            1.0
        }
    };
    let lent =
        |n: usize| (first_words(n).len() as f64 * 0.5 + last_words(n).len() as f64 * 0.9) * half(n);
    let total: usize = (0..lines.len()).map(|n| passages(n).len()).sum();
    let average = (0..lines.len())
        .map(|n| words[n].len() as f64 + lent(n))
        .sum::<f64>()
        / total as f64
        + 4.0;
    let mut out = Vec::new();
    for n in 0..lines.len() {
        let of: Vec<usize> = (0..lines.len())
            .filter(|m| lines[*m].conversation == lines[n].conversation)
            .collect();
        let here = of.iter().position(|m| *m == n).unwrap();
        let mut near: Vec<(&String, f64)> = Vec::new();
        for (offset, weight) in [(-1i64, 0.6), (1, 0.4), (-2, 0.3), (2, 0.1)] {
            let Some(&other) = usize::try_from(here as i64 + offset)
                .ok()
                .and_then(|i| of.get(i))
            else {
                continue;
            };
            let borrowed = if offset < 0 {
                last_words(other)
            } else {
                first_words(other)
            };
            near.extend(
                borrowed
                    .into_iter()
                    .map(|word| (word, weight * half(other))),
            );
        }
        let best = passages(n)
            .into_iter()
            .map(|passage| {
                let size = passage.len() as f64 + near.iter().map(|(_, w)| w).sum::<f64>() + 4.0;
                terms
                    .iter()
                    .map(|term| {
                        let with = (0..lines.len())
                            .flat_map(&passages)
                            .filter(|p| p.iter().any(|word| word == term))
                            .count() as f64;
                        let idf = (1.0 + (total as f64 - with + 0.5) / (with + 0.5)).ln();
                        let own = passage.iter().filter(|word| word == term).count() as f64;
                        let lent: f64 = near
                            .iter()
                            .filter(|(word, _)| word == term)
                            .map(|(_, w)| w)
                            .sum();
                        let tf = own + lent;
                        idf * tf * 2.6 / (tf + 1.6 * (0.1 + 0.9 * size / average))
                    })
                    .sum::<f64>()
            })
            .fold(0.0, f64::max);
        out.push(best);
    }
    let count = out.len() as f64;
    let mean = out.iter().sum::<f64>() / count;
    let deviation = (out.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / count).sqrt();
    out.iter().map(|score| (score - mean) / deviation).collect()
}

#[test]
fn scores_are_those_of_bags_made_in_full() {
    let lines = lines(90);
    let segment = segment(&lines);
    for terms in [
        vec!["q1z"],
        vec!["q3z", "q17z"],
        vec!["q0z", "q2z", "q40z", "q61z"],
    ] {
        let expected = by_the_book(&lines, &terms);
        let found = ranked(&segment, &terms.join(" "));
        assert_eq!(found.len(), lines.len());
        for scored in found {
            let wanted = expected[scored.seq as usize - 1];
            assert!(
                (scored.words - wanted).abs() < 1e-5,
                "{} {wanted}",
                scored.words
            );
        }
    }
}

#[test]
fn an_answer_without_a_word_of_the_question_is_found_by_its_neighbour() {
    let mut all = lines(40);
    all.push(line(
        9,
        Speaker::ASSISTANT,
        "What is the name of your new parrot?",
    ));
    all.push(line(9, Speaker::USER, "Call him Archimedes"));
    all.push(line(9, Speaker::ASSISTANT, "Lovely"));
    let found = ranked(&segment(&all), "name of the parrot");
    assert!(
        found[..2].iter().any(|scored| scored.seq == 42),
        "{:?}",
        found[0]
    );
}

#[test]
fn when_prefers_messages_with_a_time_and_how_many_those_with_a_number() {
    let all = [
        line(1, Speaker::USER, "The concert in Leipzig was terribly loud"),
        line(
            2,
            Speaker::USER,
            "The concert in Leipzig was yesterday evening",
        ),
        line(3, Speaker::USER, "The concert in Leipzig had 4711 guests"),
    ];
    assert_eq!(first(&all, "When was the concert in Leipzig?"), 2);
    assert_eq!(
        first(&all, "How many guests did the concert in Leipzig have?"),
        3
    );
}

#[test]
fn what_the_assistant_said_is_looked_for_with_the_assistant() {
    let all = [
        line(1, Speaker::USER, "restaurants for the anniversary dinner"),
        line(
            2,
            Speaker::ASSISTANT,
            "restaurants for the anniversary dinner",
        ),
        line(3, Speaker::USER, "something else"),
    ];
    assert_eq!(
        first(
            &all,
            "Which restaurants did you recommend for the anniversary dinner?"
        ),
        2
    );
    assert_eq!(
        first(
            &all,
            "Which restaurants did I like for the anniversary dinner?"
        ),
        1
    );
}

#[test]
fn the_person_named_goes_first_if_it_is_one() {
    let ada = Speaker(Speaker::NAMED);
    let grace = Speaker(Speaker::NAMED + 1);
    let all = [
        line(1, ada, "I went sailing on the lake"),
        line(2, grace, "I went sailing on the lake"),
        line(3, ada, "nothing new"),
    ];
    let mut segment = segment(&all);
    segment.set_names(&["Ada".into(), "Grace Hopper".into()]);
    assert_eq!(ranked(&segment, "Where did Grace go sailing?")[0].seq, 2);
    assert_eq!(ranked(&segment, "Where did Ada go sailing?")[0].seq, 1);
}

#[test]
fn a_date_in_the_question_finds_the_messages_of_that_day() {
    let mut segment = VolatileSegment::default();
    for (n, day) in ["2023-05-08", "2023-06-09", "2022-05-09"]
        .into_iter()
        .enumerate()
    {
        segment.push(&Said {
            seq: n as u64 + 1,
            conversation: [n as u8 + 1; 16],
            speaker: Speaker::USER,
            at: format!("{day}T10:00:00Z").parse().unwrap(),
            text: "walked the dog again",
        });
    }
    assert_eq!(ranked(&segment, "dog walks in May 2023")[0].seq, 1);
    assert_eq!(
        ranked(&segment, "what happened with the dog on 9 June")[0].seq,
        2
    );
    assert_eq!(ranked(&segment, "dog, 2022")[0].seq, 3);
}

#[test]
fn a_general_word_is_answered_by_a_narrower_one() {
    let mut all = lines(30);
    all.push(line(8, Speaker::USER, "Our hamster escaped again"));
    assert_eq!(first(&all, "Which pets do I have?"), 31);
}

#[test]
fn german_is_found_by_other_forms() {
    let mut all = lines(30);
    all.push(line(
        7,
        Speaker::USER,
        "Wir haben gestern zwei alte Häuser in Görlitz besichtigt",
    ));
    all.push(line(
        8,
        Speaker::USER,
        "Ich mag die Straße nicht, sie ist zu laut",
    ));
    let segment = segment(&all);
    assert!(segment.contents().sums.languages[Language::German as usize] >= 2);
    assert_eq!(
        ranked(&segment, "Wann haben wir das Haus besichtigt?")[0].seq,
        31
    );
    assert_eq!(ranked(&segment, "Görlitz")[0].seq, 31);
    assert_eq!(ranked(&segment, "Was war mit den Strassen?")[0].seq, 32);
}

#[test]
fn russian_is_found_by_other_forms() {
    let mut all = lines(30);
    all.push(line(
        7,
        Speaker::USER,
        "Вчера мы купили красную машину в Казани",
    ));
    all.push(line(8, Speaker::USER, "Моя сестра боится собак"));
    let segment = segment(&all);
    assert_eq!(
        ranked(&segment, "Когда мы покупали красные машины?")[0].seq,
        31
    );
    assert_eq!(ranked(&segment, "кто боялся собаки")[0].seq, 32);
}

#[test]
fn japanese_chinese_and_thai_are_found_without_spaces() {
    let mut all = lines(30);
    all.push(line(
        7,
        Speaker::USER,
        "昨日、京都でおいしい抹茶を飲みました。",
    ));
    all.push(line(8, Speaker::USER, "我的生日是五月十二日"));
    all.push(line(9, Speaker::USER, "เมื่อวานฉันไปเชียงใหม่กับแม่"));
    all.push(line(10, Speaker::USER, "어제 부산에서 회를 먹었어요"));
    let segment = segment(&all);
    assert_eq!(ranked(&segment, "抹茶はどこで飲んだ？")[0].seq, 31);
    assert_eq!(ranked(&segment, "生日")[0].seq, 32);
    assert_eq!(ranked(&segment, "เชียงใหม่")[0].seq, 33);
    assert_eq!(ranked(&segment, "부산")[0].seq, 34);
}

#[test]
fn french_spanish_and_greek_are_found_with_and_without_accents() {
    let mut all = lines(30);
    all.push(line(
        7,
        Speaker::USER,
        "Mon frère préfère les forêts de la Bretagne",
    ));
    all.push(line(
        8,
        Speaker::USER,
        "Mañana tengo una reunión con los abogados en Málaga",
    ));
    all.push(line(9, Speaker::USER, "Η γιαγιά μου μένει στη Θεσσαλονίκη"));
    let segment = segment(&all);
    assert_eq!(
        ranked(&segment, "quelle forêt est-ce que mon frère aime ?")[0].seq,
        31
    );
    assert_eq!(ranked(&segment, "foret bretagne")[0].seq, 31);
    assert_eq!(
        ranked(&segment, "¿Dónde es la reunion con el abogado?")[0].seq,
        32
    );
    assert_eq!(ranked(&segment, "Θεσσαλονικη")[0].seq, 33);
}

#[test]
fn a_message_of_any_length_has_a_length_that_fits() {
    assert_eq!((length_of(0), length_of(1), length_of(20_000)), (0, 4, 57));
    assert_eq!(length_of(usize::MAX), 63);
}

#[test]
fn an_empty_question_and_an_empty_index_bring_nothing() {
    assert_eq!(ranked(&VolatileSegment::default(), "anything"), []);
    let found = ranked(&segment(&lines(10)), "who is it?");
    assert!(found.iter().all(|scored| scored.coverage == 0.0));
}
