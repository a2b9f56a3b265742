//! The figures of `docs/benchmarks.md`: ratios, each of two things measured in turn in one run.
//!
//! `scripts/bench` runs it; with names behind it, only those. A ratio is of two medians, so that
//! what else the machine does strikes both alike.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measuring tool that may fail loudly"
)]

mod measure;
mod opening;
mod persisting;
mod process;
mod recall;
mod rekeying;
mod sealing;
mod texts;
mod transferring;

use measure::Figure;

type Bench = (&'static str, fn() -> Vec<Figure>);

const BENCHES: [Bench; 8] = [
    ("version", process::version),
    ("unlock", process::unlock),
    ("persist", persisting::persist),
    ("open", opening::open),
    ("seal", sealing::seal),
    ("transfer", transferring::transfer),
    ("rekey", rekeying::rekey),
    ("recall", recall::recall),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, numbers @ ..] = arguments.as_slice()
        && word == process::BARE
    {
        return process::bare(numbers);
    }
    let names: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'))
        .collect();
    if let Some(unknown) = names
        .iter()
        .find(|name| BENCHES.iter().all(|(known, _)| known != *name))
    {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no {unknown}; there are {}", known.join(", "));
        std::process::exit(2);
    }
    let mut missed = false;
    println!("| what | bar | measured | |\n|---|---|---|---|");
    for (name, bench) in BENCHES {
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        for figure in bench() {
            missed |= !figure.holds();
            println!("{figure}");
        }
    }
    std::process::exit(i32::from(missed));
}
