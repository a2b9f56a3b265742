//! Speaks the recall benchmark's JSON lines over plain arrays; arguments `name=value` set weights.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring tool")]

use std::collections::HashMap;
use std::io::{BufRead, Write};

use agent::recall::rank::{Question, Weights, rank};
use agent::recall::segment::{Said, VolatileSegment};
use agent::recall::turn::Speaker;

fn set(weights: &mut Weights, name: &str, value: f64) {
    *match name {
        "k1" => &mut weights.k1,
        "b" => &mut weights.b,
        "ck1" => &mut weights.conversation_k1,
        "cb" => &mut weights.conversation_b,
        "conv" => &mut weights.conversation,
        "len" => &mut weights.length,
        "fp" => &mut weights.first_person,
        "q" => &mut weights.question,
        "fade" => &mut weights.fade_words,
        "person" => &mut weights.person,
        "user" => &mut weights.user,
        "time" => &mut weights.time,
        "num" => &mut weights.number,
        "nar" => &mut weights.narrower,
        _ => panic!("no such weight"),
    } = value;
}

fn main() {
    let mut weights = Weights::default();
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').unwrap();
        set(&mut weights, name, value.parse().unwrap());
    }
    let mut segment = VolatileSegment::default();
    let mut ids: Vec<String> = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let request: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(turns) = request["index"].as_array() {
            segment = VolatileSegment::default();
            ids = Vec::new();
            let mut names: Vec<String> = Vec::new();
            let mut sessions: HashMap<i64, [u8; 16]> = HashMap::new();
            for (n, turn) in turns.iter().enumerate() {
                let speaker = match turn["speaker"].as_str().unwrap() {
                    "user" => Speaker::USER,
                    "assistant" => Speaker::ASSISTANT,
                    name => {
                        let at = names.iter().position(|n| n == name).unwrap_or_else(|| {
                            names.push(name.to_owned());
                            names.len() - 1
                        });
                        Speaker(Speaker::NAMED + at as u8)
                    }
                };
                let session = turn["session"].as_i64().unwrap();
                let mut id = [0; 16];
                id[..8].copy_from_slice(&session.to_be_bytes());
                let conversation = *sessions.entry(session).or_insert(id);
                let at = turn["timestamp"].as_str().unwrap_or("2000-01-01T00:00");
                segment.push(&Said {
                    seq: n as u64 + 1,
                    conversation,
                    speaker,
                    at: format!("{at}:00Z").parse().unwrap(),
                    text: turn["text"].as_str().unwrap(),
                });
                ids.push(turn["id"].as_str().unwrap().to_owned());
            }
            segment.set_names(&names);
            println!("{{\"ok\":true}}");
        } else {
            let question = Question::of(request["query"].as_str().unwrap(), &segment);
            let k = request["k"].as_u64().unwrap() as usize;
            let hits = rank(&segment, &question, &weights, k, &mut |_, _| true).unwrap();
            let found: Vec<&str> = hits
                .iter()
                .map(|h| ids[h.seq as usize - 1].as_str())
                .collect();
            let strength: Vec<(f64, f64)> = hits.iter().map(|h| (h.words, h.coverage)).collect();
            println!(
                "{}",
                serde_json::json!({ "ids": found, "strength": strength })
            );
        }
        std::io::stdout().flush().unwrap();
    }
}
