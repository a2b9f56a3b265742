//! Whether the sealed index ranks as plain arrays do: the same requests to both, through the
//! benchmark's protocol.

use std::io::Write;
use std::process::{Command, Stdio};

use agent::recall::bench::{BenchError, serve};
use agent::recall::index::Index;
use agent::recall::shelf::VolatileShelf;
use serde::Deserialize;
use serde_json::json;

use super::history::{content_words, history};
use crate::process::AGENT;

const MESSAGES: u64 = 5000;
const QUESTIONS: usize = 400;
const WITHIN: usize = 10;

#[derive(Deserialize)]
struct Found {
    ids: Vec<String>,
}

/// Share of messages, in percent, that a few of their own words find within the first ten: through
/// `agent recall-bench` and in arrays that are never sealed; and in how many answers they differ.
pub struct Quality {
    pub sealed: f64,
    pub plain: f64,
    pub different: usize,
}

pub fn quality() -> Quality {
    let said: Vec<_> = history(MESSAGES).collect();
    let turns = said.iter().enumerate().map(|(n, said)| {
        json!({
            "id": n.to_string(), "session": said.session, "timestamp": null,
            "speaker": if n % 2 == 0 { "user" } else { "assistant" }, "text": said.text,
        })
    });
    let turns: Vec<_> = turns.collect();
    let mut requests = json!({ "index": turns }).to_string();
    let mut wanted = Vec::new();
    for (n, said) in said.iter().enumerate().step_by(said.len() / QUESTIONS) {
        // Every third word of it, four of them: enough to mean it, too few to be sure.
        let words: Vec<String> = content_words(&said.text)
            .into_iter()
            .map(|(_, word)| word)
            .step_by(3)
            .take(4)
            .collect();
        if words.len() < 4 {
            continue;
        }
        let asked = json!({ "query": words.join(" "), "k": 20, "timestamp": null });
        requests.push_str(&format!("\n{asked}"));
        wanted.push(n.to_string());
    }
    requests.push('\n');
    let mut plain = Vec::new();
    serve(requests.as_bytes(), &mut plain, None, &mut |records| {
        let mut index = Index::open(Box::new(VolatileShelf::default()), 8)?;
        for (n, record) in records.iter().enumerate() {
            index.apply(n as u64 + 1, record);
        }
        Ok::<_, BenchError>(index)
    })
    .unwrap();
    let (sealed, plain) = (answers(&through_the_program(&requests)), answers(&plain));
    let share = |answers: &[Found]| {
        let hits = answers.iter().zip(&wanted);
        let hits = hits.filter(|(found, id)| found.ids.iter().take(WITHIN).any(|i| i == *id));
        100.0 * hits.count() as f64 / wanted.len() as f64
    };
    let pairs = sealed.iter().zip(&plain);
    Quality {
        sealed: share(&sealed),
        plain: share(&plain),
        different: pairs.filter(|(a, b)| a.ids != b.ids).count(),
    }
}

fn answers(lines: &[u8]) -> Vec<Found> {
    let lines = std::str::from_utf8(lines).unwrap().lines().skip(1);
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn through_the_program(requests: &str) -> Vec<u8> {
    let mut child = Command::new(AGENT)
        .arg("recall-bench")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(requests.as_bytes()).unwrap());
        child.wait_with_output().unwrap().stdout
    })
}
