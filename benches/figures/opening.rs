//! Opening a vault of a long life against a young one, the key at hand.

use std::path::Path;
use std::time::{Duration, Instant};

use agent::chat::{Buffer, Recall};
use agent::memory::Memory;
use agent::model::Record;
use agent::store::FileStore;
use agent::vault::{LockedVault, View};

use super::measure::{Bar, Figure, Turns, cpu_time, disk, median_ms, setting};
use super::texts::{Numbers, items, message, new_vault, passphrase, save_folds, wait, words};

/// Put in at once: a little more than a tail holds, so that each batch becomes a segment.
const BATCH: u64 = 2100;
/// What is left in the tail of either vault.
const IN_TAIL: u64 = 900;
const ITEMS: u64 = 100;

fn fill(dir: &Path, messages: u64) {
    let mut vault = new_vault(dir);
    let (words, mut numbers) = (words(), Numbers(1));
    let lines = |records: Vec<Record>| records.iter().map(Record::to_line).collect::<Vec<_>>();
    vault.append_lines(&lines(items(ITEMS, &words))).unwrap();
    let mut done = 0;
    while done < messages {
        let to_tail = messages - IN_TAIL;
        // The last batch of segments takes the rest: less than a segment would go to the tail.
        let batch = match to_tail - done.min(to_tail) {
            0 => messages - done,
            left if left < 2 * BATCH => left,
            _ => BATCH,
        };
        let batch = (done..done + batch)
            .map(|n| message(n, &words, &mut numbers))
            .collect::<Vec<_>>();
        done += batch.len() as u64;
        vault.append_lines(&lines(batch)).unwrap();
    }
    save_folds(&mut vault);
}

/// What a chat needs before its first prompt. Adds the CPU time to `cpu`.
fn open_once(dir: &Path, with_index: bool, cpu: &mut Vec<Duration>) -> Duration {
    let open = || FileStore::open(&dir.join("vault"), &dir.join("witness")).unwrap();
    let locked = LockedVault::open(std::sync::Arc::new(open()), wait()).unwrap();
    let (key, _) = locked.header().unlock(&passphrase()).unwrap();
    drop(locked);
    let (start, before) = (Instant::now(), cpu_time());
    let locked = LockedVault::open(std::sync::Arc::new(open()), wait()).unwrap();
    let mut vault = locked.unlock_with_key(key).unwrap();
    let index = with_index.then(|| Recall::open(&mut vault).unwrap().unwrap());
    let buffer = View::load(&mut vault, Buffer::default()).unwrap();
    let memory = View::load(&mut vault, Memory::new()).unwrap();
    let took = start.elapsed();
    cpu.push(cpu_time().saturating_sub(before));
    assert!(!buffer.was_rebuilt() && !memory.was_rebuilt());
    assert_eq!(buffer.at(), vault.end());
    drop(index);
    took
}

/// Builds the search index, as the first chat does.
fn build_index(dir: &Path) {
    let open = || FileStore::open(&dir.join("vault"), &dir.join("witness")).unwrap();
    let locked = LockedVault::open(std::sync::Arc::new(open()), wait()).unwrap();
    let mut vault = locked.unlock(&passphrase()).unwrap();
    let mut recall = Recall::open(&mut vault).unwrap().unwrap();
    recall
        .settle(&mut vault, agent::recall::Merging::All)
        .unwrap();
}

pub fn open() -> Vec<Figure> {
    let many = setting("BENCH_MESSAGES", 1_000_000) as u64;
    let (young, old) = (disk(), disk());
    fill(young.path(), 1000);
    let start = Instant::now();
    fill(old.path(), many);
    eprintln!(
        "(a vault of {many} messages made in {:.1} s)",
        start.elapsed().as_secs_f64()
    );
    let rounds = setting("BENCH_ROUNDS", 41);
    let measure = |with_index: bool, what: &str, limit_ms: Bar| {
        let (mut of_young, mut of_old) = (Vec::new(), Vec::new());
        let turns = Turns::take(
            rounds,
            &mut [
                &mut || open_once(young.path(), with_index, &mut of_young),
                &mut || open_once(old.path(), with_index, &mut of_old),
            ],
        );
        let (of_young, of_old) = (median_ms(&of_young), median_ms(&of_old));
        let bar = if with_index {
            Bar::None(" ×")
        } else {
            Bar::AtMost(1.5, " ×")
        };
        let times = turns.both(1, 0);
        let times = format!("{times}; of CPU {of_old:.3} ms against {of_young:.3} ms");
        let value = turns.ratio(1, 0);
        let ratio = Figure {
            what: format!("{what} of {many} messages against one of 1000"),
            bar,
            value,
            times,
        };
        let length = Figure {
            what: format!("{what} of {many} messages"),
            bar: limit_ms,
            value: turns.median_ms(1),
            times: String::new(),
        };
        [ratio, length]
    };
    let mut figures = Vec::new();
    figures.extend(measure(
        false,
        "opening a vault, key at hand,",
        Bar::AtMost(30.0, " ms"),
    ));
    let start = Instant::now();
    build_index(young.path());
    build_index(old.path());
    eprintln!("(indexed in {:.1} s)", start.elapsed().as_secs_f64());
    figures.extend(measure(
        true,
        "the same with its search index,",
        Bar::None(" ms"),
    ));
    figures
}
