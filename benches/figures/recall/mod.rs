//! The search index at three sizes, beside SQLite's full-text search over the same words in clear.

mod history;
mod quality;
mod sealed;
mod sqlite;
mod whole;

use std::path::Path;

use self::history::Questions;
use self::sealed::Sealed;
use self::sqlite::{Ciphered, Fts5};
use self::whole::{Plain, Program};
use crate::measure::{Bar, Figure, Turns, disk, setting};

pub fn recall() -> Vec<Figure> {
    let many = setting("BENCH_MESSAGES", 1_000_000) as u64;
    let mut figures = vec![alike()];
    let fewer = [1000, 100_000].into_iter().filter(|fewer| *fewer < many);
    for messages in fewer.chain([many]) {
        figures.extend(at_size(messages, messages == many));
    }
    figures
}

/// The bars are those of a long life; smaller histories are told beside it.
fn bar(holds: bool, bar: Bar) -> Bar {
    match bar {
        _ if holds => bar,
        Bar::AtMost(_, unit) | Bar::AtLeast(_, unit) | Bar::None(unit) => Bar::None(unit),
    }
}

fn at_size(messages: u64, barred: bool) -> Vec<Figure> {
    let dir = disk();
    let rivals = disk();
    let fts5 = Fts5::build(rivals.path(), messages);
    let mut sealed = Sealed::fill(dir.path(), messages);
    let building = Figure {
        what: format!("building the index of {messages} messages, speed against FTS5's"),
        bar: bar(barred, Bar::AtLeast(0.8, " ×")),
        value: fts5.building.as_secs_f64() / sealed.building.as_secs_f64(),
        times: format!("{:.2?} against {:.2?}", sealed.building, fts5.building),
    };
    sealed.reopen();
    let questions = Questions::of(messages);
    let mut figures = vec![building];
    figures.extend(warm(&sealed, &fts5, rivals.path(), &questions, barred));
    figures.extend(size(&sealed, &fts5, dir.path(), barred));
    figures.extend(processes(
        dir.path(),
        rivals.path(),
        &questions,
        messages,
        barred,
    ));
    figures.push(Figure {
        what: format!("bringing the index forward by one turn, {messages} messages"),
        bar: Bar::AtMost(1.0, " ms"),
        value: sealed.forward_ms(setting("BENCH_ROUNDS", 101) as u64),
        times: String::new(),
    });
    figures
}

fn warm(
    sealed: &Sealed,
    fts5: &Fts5,
    dir: &Path,
    questions: &Questions,
    barred: bool,
) -> Vec<Figure> {
    let Questions {
        common,
        middling,
        rare,
        eight,
    } = questions;
    let all = [
        ("rare word", rare),
        ("middling word", middling),
        ("common word", common),
    ];
    let all: Vec<_> = all.into_iter().chain([("eight words", eight)]).collect();
    let words: Vec<&str> = all.iter().map(|(_, words)| words.as_str()).collect();
    let ciphered = fts5.ciphered(dir, &words);
    if ciphered.is_none() {
        eprintln!("(SQLCipher is not installed, or has no FTS5: left out)");
    }
    let mut figures = Vec::new();
    for (n, (what, words)) in all.into_iter().enumerate() {
        let (mut ours, mut theirs) = (|| sealed.ask(words), || fts5.ask(words));
        ours();
        theirs();
        let turns = Turns::take(setting("BENCH_ROUNDS", 21), &mut [&mut ours, &mut theirs]);
        let what = format!("{what}, {} messages, warm", sealed.messages);
        let mut times = format!("{} of FTS5", turns.both(0, 1));
        if let Some(Ciphered { best_ms, .. }) = &ciphered {
            times.push_str(&format!(", {:.3} ms of SQLCipher", best_ms[n]));
        }
        figures.push(match n {
            0 | 1 => Figure {
                what,
                bar: bar(barred, Bar::AtMost(1.0, " ms")),
                value: turns.median_ms(0),
                times,
            },
            _ => Figure {
                what: format!("{what}, against FTS5"),
                bar: bar(barred, Bar::AtMost(1.0, " ×")),
                value: turns.ratio(0, 1),
                times,
            },
        });
    }
    if let Some(Ciphered { building_ms, .. }) = ciphered {
        figures.push(Figure {
            what: format!(
                "building, {} messages, speed against SQLCipher's",
                sealed.messages
            ),
            bar: Bar::None(" ×"),
            value: building_ms / (1e3 * sealed.building.as_secs_f64()),
            times: String::new(),
        });
    }
    figures
}

fn size(sealed: &Sealed, fts5: &Fts5, dir: &Path, barred: bool) -> [Figure; 2] {
    let export = Program::at(dir).export_bytes() as f64;
    let (index, all) = (sealed.index_bytes() as f64, sealed.all_bytes() as f64);
    [
        Figure {
            what: format!(
                "index of {} messages, of the exported history",
                sealed.messages
            ),
            bar: bar(barred, Bar::AtMost(20.0, " %")),
            value: 100.0 * index / export,
            times: format!(
                "{:.1} MB of {:.1} MB; FTS5 {:.1} MB",
                index / 1e6,
                export / 1e6,
                fts5.bytes() as f64 / 1e6
            ),
        },
        Figure {
            what: format!(
                "log and index of {} messages against the export",
                sealed.messages
            ),
            bar: bar(barred, Bar::AtMost(1.45, " ×")),
            value: all / export,
            times: format!("{:.1} MB", all / 1e6),
        },
    ]
}

fn processes(
    dir: &Path,
    rivals: &Path,
    questions: &Questions,
    messages: u64,
    barred: bool,
) -> Vec<Figure> {
    let program = Program::at(dir);
    let mut figures = Vec::new();
    let asked = [
        ("a common word", &questions.common),
        ("eight words", &questions.eight),
    ];
    let plain = Plain::write(rivals, messages);
    if plain.is_none() {
        eprintln!("(ripgrep is not installed: left out)");
    }
    program.unlock();
    for (what, words) in asked {
        let mut ours = || program.search(words);
        let mut theirs = || {
            plain
                .as_ref()
                .map_or_else(|| program.search(words), |p| p.grep(words))
        };
        ours();
        theirs();
        let turns = Turns::take(setting("BENCH_ROUNDS", 21), &mut [&mut ours, &mut theirs]);
        let against = if plain.is_some() { "ripgrep" } else { "itself" };
        figures.push(Figure {
            what: format!("`agent search`, {what}, {messages} messages, against {against}"),
            bar: bar(barred && plain.is_some(), Bar::AtMost(1.0, " ×")),
            value: turns.ratio(0, 1),
            times: turns.both(0, 1),
        });
    }
    program.lock();
    figures.push(Figure {
        what: format!("`agent search`, eight words, {messages} messages, peak memory"),
        bar: bar(barred, Bar::AtMost(64.0, " MiB")),
        value: program.search_peak_mib(&questions.eight),
        times: String::new(),
    });
    figures
}

fn alike() -> Figure {
    let quality = quality::quality();
    Figure {
        what: "recall through the sealed index against plain arrays, points apart".into(),
        bar: Bar::AtMost(0.1, ""),
        value: (quality.sealed - quality.plain).abs(),
        times: format!(
            "{:.1} against {:.1} within ten; {} answers differ",
            quality.sealed, quality.plain, quality.different
        ),
    }
}
