//! Histories to search: talk by a Markov chain over the English of this project's own pages, so
//! that words are as unequal as in real talk, or the lines of a file.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use agent::model::{Id, Message, Record, Role, Text, Timestamp};
use serde::Deserialize;

use crate::texts::Numbers;

/// Stands in a hundred-thousandth of the messages, and in three at least.
pub const RARE: &str = "qvemberlite";
const MESSAGES_OF_ONE: u64 = 40;
/// Usual bytes of a message.
const MEAN: f64 = 300.0;

/// One message of a history.
#[derive(Deserialize)]
pub struct Spoken {
    pub session: u64,
    role: String,
    #[serde(rename = "ts")]
    at: String,
    pub text: String,
}

impl Spoken {
    pub fn record(&self, n: u64) -> Record {
        let number = |kind: u64, n: u64| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&(kind << 56 | n << 16 | 0x7000).to_be_bytes());
            bytes[8..].copy_from_slice(&(n | 1 << 63).to_be_bytes());
            Id::from_bytes(bytes)
        };
        let role = match self.role.as_str() {
            "assistant" => Role::Assistant,
            _ => Role::User,
        };
        let at = format!("{}Z", self.at).parse().unwrap();
        let text = self.text.as_str().into();
        let mut message = Message::text(number(1, self.session), role, at, text);
        message.id = number(2, n);
        Record::Message(message)
    }
}

/// The first `count` messages of the file that `BENCH_HISTORY` names (a JSON object with `session`,
/// `role`, `ts` and `text` on each line), or as many that are made up.
pub fn history(count: u64) -> Box<dyn Iterator<Item = Spoken>> {
    if let Ok(path) = std::env::var("BENCH_HISTORY") {
        let lines = BufReader::new(File::open(path).unwrap()).lines();
        let said = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        return Box::new(said.take(count as usize));
    }
    let mut talk = Talk::new(count);
    Box::new((0..count).map(move |n| talk.message(n)))
}

/// Which word follows which.
struct Talk {
    words: Vec<String>,
    /// By word: where in `after` its followers begin.
    followers: Vec<Vec<u32>>,
    starts: Vec<u32>,
    numbers: Numbers,
    rare: Vec<u64>,
}

impl Talk {
    fn new(count: u64) -> Talk {
        let text = pages(Path::new(env!("CARGO_MANIFEST_DIR")));
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut words: Vec<String> = Vec::new();
        let mut chain = Vec::new();
        for word in text.split_whitespace() {
            let letters = |c: char| c.is_alphabetic() || c == '\'' || c == '-';
            let bare = word.trim_end_matches(['.', ',', ';', ':', '?', '!']);
            if bare.is_empty() || !bare.chars().all(letters) {
                continue;
            }
            chain.push(*known.entry(word).or_insert_with(|| {
                words.push(word.to_owned());
                words.len() as u32 - 1
            }));
        }
        let mut followers = vec![Vec::new(); words.len()];
        chain
            .windows(2)
            .for_each(|two| followers[two[0] as usize].push(two[1]));
        let starts = (0..words.len() as u32)
            .filter(|n| words[*n as usize].starts_with(char::is_uppercase))
            .collect();
        let mut numbers = Numbers(11);
        let rare = (0..(count / 100_000).max(3))
            .map(|_| numbers.below(count as usize) as u64)
            .collect();
        Talk {
            words,
            followers,
            starts,
            numbers,
            rare,
        }
    }

    fn message(&mut self, n: u64) -> Spoken {
        let share = (self.numbers.below(1 << 20) + 1) as f64 / f64::from(1 << 20);
        let wanted = (MEAN * 0.5 * (1.0 - share.ln())) as usize;
        let mut text = String::with_capacity(wanted + 32);
        let mut word = self.starts[self.numbers.below(self.starts.len())];
        while text.len() < wanted {
            text.push_str(&self.words[word as usize]);
            text.push(' ');
            let followers = &self.followers[word as usize];
            word = match followers.len() {
                0 => self.starts[self.numbers.below(self.starts.len())],
                many => followers[self.numbers.below(many)],
            };
        }
        if self.rare.contains(&n) {
            text.push_str(RARE);
        }
        let at = Timestamp::from_second(1_600_000_000 + 97 * n as i64).unwrap();
        Spoken {
            session: n / MESSAGES_OF_ONE,
            role: ["user", "assistant"][(n % 2) as usize].to_owned(),
            at: at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            text: text.trim_end().to_owned(),
        }
    }
}

/// The English of all pages below a directory of documents.
fn pages(root: &Path) -> String {
    let mut text = fs::read_to_string(root.join("README.md")).unwrap();
    for dir in ["docs", "docs/decisions"] {
        let entries = fs::read_dir(root.join(dir)).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == "md"))
        {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    text
}

/// What is asked: words with meaning, by how many messages have them.
pub struct Questions {
    pub common: String,
    pub middling: String,
    pub rare: String,
    /// Eight neighbours of one message, as a person quotes from memory.
    pub eight: String,
}

impl Questions {
    /// Chosen from a sample of a history of `count` messages.
    pub fn of(count: u64) -> Questions {
        let sample = count.min(100_000);
        // By what is looked for, which all forms of a word share; with one of them.
        let mut messages_with: HashMap<Vec<String>, (u64, String)> = HashMap::new();
        let mut eight = String::new();
        for said in history(sample) {
            let mut words = content_words(&said.text);
            if eight.is_empty() && words.len() >= 8 && said.session >= sample / 80 {
                let words: Vec<&str> = words[..8].iter().map(|(_, word)| word.as_str()).collect();
                eight = words.join(" ");
            }
            words.sort();
            words.dedup_by(|next, kept| next.0 == kept.0);
            for (terms, word) in words {
                messages_with.entry(terms).or_insert((0, word)).0 += 1;
            }
        }
        let nearest = |share: f64| {
            let wanted = share * sample as f64;
            let far = |n: u64| (n as f64 / wanted).ln().abs();
            let found = messages_with
                .iter()
                .min_by(|a, b| far(a.1.0).total_cmp(&far(b.1.0)).then(a.0.cmp(b.0)));
            found.unwrap().1.1.clone()
        };
        let rare = match messages_with.values().any(|(_, word)| word == RARE) {
            true => RARE.to_owned(),
            false => nearest(1e-5),
        };
        Questions {
            common: nearest(1.0),
            middling: nearest(0.001),
            rare,
            eight,
        }
    }
}

/// Words of four letters and more that are no stop words, in order, each once, behind what is
/// looked for in their place.
pub fn content_words(text: &str) -> Vec<(Vec<String>, String)> {
    let mut out: Vec<(Vec<String>, String)> = Vec::new();
    for asked in agent::recall::analyse::question(text, 1) {
        let plain = asked.word.len() >= 4 && asked.word.bytes().all(|b| b.is_ascii_lowercase());
        let known = out.iter().any(|(_, word)| *word == asked.word);
        if plain && !asked.terms.is_empty() && !known {
            out.push((asked.terms, asked.word));
        }
    }
    out
}

/// The text of each message, for rivals that have no log.
pub fn texts(count: u64) -> impl Iterator<Item = Text> {
    history(count).map(|said| Text::new(said.text))
}
