//! A person's line, from the key press to the disk, against one small append and sync.

use std::fs::OpenOptions;
use std::io::Write;

use agent::chat::{Opening, Session, Settings};
use agent::memory::Budgets;
use agent::model::{Surface, Timestamp};

use super::measure::{Bar, Figure, Turns, setting, time};
use super::texts::{Numbers, new_vault, text, words};

fn settings() -> Settings {
    Settings {
        window_messages: 20,
        window_tokens: 24_000,
        max_tokens: 4096,
        temperature: None,
        budgets: Budgets::default(),
        system: None,
        frame: None,
        use_memory: true,
        learns: true,
        surface: Surface::Chat,
        project: None,
    }
}

pub fn persist() -> Vec<Figure> {
    let dir = super::measure::disk();
    let vault = new_vault(dir.path());
    let mut session = Session::open(Box::new(vault), None, settings(), Opening::New).unwrap();
    let bytes = [0x5a_u8; 400];
    let path = dir.path().join("bare");
    let mut file = OpenOptions::new()
        .create_new(true)
        .append(true)
        .open(path)
        .unwrap();
    let (words, mut numbers) = (words(), Numbers(3));
    let now = Timestamp::from_second(1_600_000_000).unwrap();
    let mut bare = || {
        time(|| {
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
        })
    };
    let mut ours = || {
        let line = text(&words, &mut numbers);
        let took = time(|| session.say(line, now).unwrap());
        // Behind the answer, as in a chat.
        session.settle().unwrap();
        took
    };
    let turns = Turns::take(setting("BENCH_ROUNDS", 401), &mut [&mut bare, &mut ours]);
    vec![Figure {
        what: "persisting a line in a chat against an append of 400 bytes and fdatasync".into(),
        bar: Bar::AtMost(1.25, " ×"),
        value: turns.ratio(1, 0),
        times: turns.both(1, 0),
    }]
}
