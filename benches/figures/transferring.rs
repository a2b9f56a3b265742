//! How fast a vault goes out and comes in, against the same bytes without the forms, and the memory
//! that takes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use agent::model::{Record, Timestamp};
use agent::transfer::{ExportOptions, Format, ImportOptions, Progress, export, import};
use agent::vault::{Log, Vault};
use zeroize::Zeroizing;

use super::measure::{Bar, Figure, Turns, disk, peak_mib, setting, time};
use super::texts::{Numbers, message, new_vault, words};

/// A little more than a tail holds, so that each append is a segment.
const BATCH: u64 = 4100;

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

pub fn fill(vault: &mut Vault, messages: u64) {
    let (words, mut numbers) = (words(), Numbers(1));
    for first in (0..messages).step_by(BATCH as usize) {
        let batch: Vec<Record> = (first..messages.min(first + BATCH))
            .map(|n| message(n, &words, &mut numbers))
            .collect();
        vault.append(&batch).unwrap();
    }
}

fn new_file(path: &Path) -> File {
    fs::remove_file(path).ok();
    File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(path)
        .unwrap()
}

/// Opens every record and writes its bytes.
fn write_plain(vault: &mut Vault, path: &Path) {
    let mut out = BufWriter::with_capacity(1 << 16, new_file(path));
    let mut after = 0;
    loop {
        let batch = vault.read(after).unwrap();
        let Some(last) = batch.last() else { break };
        after = last.seq;
        for entry in &batch {
            out.write_all(entry.line()).unwrap();
            out.write_all(b"\n").unwrap();
        }
    }
    out.into_inner().unwrap().sync_all().unwrap();
}

fn write_export(vault: &mut Vault, path: &Path, format: Format) {
    let mut file = new_file(path);
    let options = ExportOptions {
        all: false,
        now: now(),
    };
    export(vault, format, &options, &mut file, &mut go_on).unwrap();
    file.sync_all().unwrap();
}

/// The same lines, parsed and appended in parts of a MiB, and nothing else.
fn append_plain(path: &Path, vault: &mut Vault) {
    let mut source = BufReader::with_capacity(1 << 16, File::open(path).unwrap());
    let (mut batch, mut bytes) = (Vec::new(), 0);
    loop {
        let mut line = Zeroizing::new(Vec::new());
        if source.read_until(b'\n', &mut line).unwrap() == 0 {
            break;
        }
        line.pop();
        Record::from_line(&line).unwrap();
        bytes += line.len();
        batch.push(line);
        if bytes > 1 << 20 {
            vault.append_lines(&batch).unwrap();
            batch.clear();
            bytes = 0;
        }
    }
    vault.append_lines(&batch).unwrap();
}

fn take_in(vault: &mut Vault, path: &Path) -> u64 {
    let options = ImportOptions {
        origin: None,
        trust: false,
        salvage: false,
        now: now(),
    };
    let mut file = File::open(path).unwrap();
    import(vault, &mut file, &options, &mut go_on)
        .unwrap()
        .records
}

/// In a vault that is new and gone afterwards.
fn into_a_new_vault(take: impl FnOnce(&mut Vault)) -> Duration {
    let dir = disk();
    let mut vault = new_vault(dir.path());
    time(|| take(&mut vault))
}

pub fn transfer() -> Vec<Figure> {
    let messages = setting("BENCH_MESSAGES", 1_000_000) as u64;
    let rounds = setting("BENCH_ROUNDS", 3);
    let dir = disk();
    let file = |name: &str| dir.path().join(name);
    let (plain, out) = (file("plain"), file("export"));
    let vault = std::cell::RefCell::new(new_vault(dir.path()));
    fill(&mut vault.borrow_mut(), messages);
    let mut figures = Vec::new();
    let forms = [
        (Format::Jsonl, Bar::AtLeast(0.5, " ×")),
        (Format::Json, Bar::None(" ×")),
        (Format::Markdown, Bar::None(" ×")),
        (Format::Html, Bar::None(" ×")),
    ];
    let bar_mib = 64.0 + 16.0 * messages as f64 / f64::from(1 << 20);
    let peak = |what: String, value: f64| Figure {
        what: format!("{what}, peak memory"),
        bar: Bar::AtMost(bar_mib.round(), " MiB"),
        value,
        times: String::new(),
    };
    for (format, bar) in forms {
        let what = format!("export of {messages} messages as {format:?}");
        let turns = Turns::take(
            rounds,
            &mut [
                &mut || time(|| write_plain(&mut vault.borrow_mut(), &plain)),
                &mut || time(|| write_export(&mut vault.borrow_mut(), &out, format)),
            ],
        );
        figures.push(Figure {
            what: format!("{what}, the speed of opening and writing the same bytes"),
            bar,
            value: turns.ratio(0, 1),
            times: turns.both(1, 0),
        });
        let most = peak_mib(|| write_export(&mut vault.borrow_mut(), &out, format));
        figures.push(peak(what, most));
    }
    write_export(&mut vault.borrow_mut(), &out, Format::Jsonl);
    figures.extend(coming_in(messages, rounds, &plain, &out, &peak));
    figures
}

fn coming_in(
    messages: u64,
    rounds: usize,
    plain: &Path,
    out: &Path,
    peak: &dyn Fn(String, f64) -> Figure,
) -> [Figure; 4] {
    let what = format!("import of {messages} messages");
    let turns = Turns::take(
        rounds,
        &mut [
            &mut || into_a_new_vault(|vault| append_plain(plain, vault)),
            &mut || into_a_new_vault(|vault| assert_eq!(take_in(vault, out), messages)),
        ],
    );
    let dir = disk();
    let mut vault = new_vault(dir.path());
    let most = peak_mib(|| assert_eq!(take_in(&mut vault, out), messages));
    let mut again = Duration::ZERO;
    let most_again = peak_mib(|| again = time(|| assert_eq!(take_in(&mut vault, out), 0)));
    [
        Figure {
            what: format!("{what}, the speed of parsing, sealing and writing the same bytes"),
            bar: Bar::AtLeast(0.5, " ×"),
            value: turns.ratio(0, 1),
            times: turns.both(1, 0),
        },
        peak(what.clone(), most),
        Figure {
            what: format!("{what} that are there already"),
            bar: Bar::None(" ms"),
            value: 1e3 * again.as_secs_f64(),
            times: String::new(),
        },
        peak(format!("{what} that are there already"), most_again),
    ]
}
