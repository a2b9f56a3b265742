//! Two things in turn, their medians, and the bar that their ratio is held to.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

/// Something measured, with what it must not pass.
pub struct Figure {
    pub what: String,
    pub bar: Bar,
    pub value: f64,
    /// The times behind it, for people.
    pub times: String,
}

pub enum Bar {
    AtMost(f64, &'static str),
    AtLeast(f64, &'static str),
    /// For information.
    None(&'static str),
}

impl Figure {
    pub fn holds(&self) -> bool {
        match self.bar {
            Bar::AtMost(bar, _) => self.value <= bar,
            Bar::AtLeast(bar, _) => self.value >= bar,
            Bar::None(_) => true,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bar, unit) = match self.bar {
            Bar::AtMost(bar, unit) => (format!("≤ {bar}{unit}"), unit),
            Bar::AtLeast(bar, unit) => (format!("≥ {bar}{unit}"), unit),
            Bar::None(unit) => ("-".to_owned(), unit),
        };
        let verdict = if self.holds() { "" } else { "MISSED " };
        let Figure {
            what, value, times, ..
        } = self;
        write!(
            f,
            "| {what} | {bar} | {verdict}{value:.2}{unit} | {times} |"
        )
    }
}

/// Times of things that were done in turn.
pub struct Turns {
    of: Vec<Vec<Duration>>,
}

impl Turns {
    /// Does each of `things` once a round and keeps what each says it took. The order turns round
    /// every time, so that none always follows the same other.
    pub fn take(rounds: usize, things: &mut [&mut dyn FnMut() -> Duration]) -> Self {
        let mut of = vec![Vec::with_capacity(rounds); things.len()];
        for round in 0..rounds {
            for n in 0..things.len() {
                let n = (n + round) % things.len();
                of[n].push(things[n]());
            }
        }
        Turns { of }
    }

    pub fn median_ms(&self, n: usize) -> f64 {
        median_ms(&self.of[n])
    }

    /// How many times as long thing `n` took as thing `m`.
    pub fn ratio(&self, n: usize, m: usize) -> f64 {
        self.median_ms(n) / self.median_ms(m)
    }

    pub fn both(&self, n: usize, m: usize) -> String {
        format!(
            "{:.3} ms against {:.3} ms",
            self.median_ms(n),
            self.median_ms(m)
        )
    }
}

/// How long `thing` takes.
pub fn time(thing: impl FnOnce()) -> Duration {
    let start = Instant::now();
    thing();
    start.elapsed()
}

/// A number from the environment, for a quicker or a longer run.
pub fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

/// A directory on the disk that is measured: below `BENCH_DIR`, else beside what was built.
pub fn disk() -> tempfile::TempDir {
    let dir = std::env::var("BENCH_DIR").unwrap_or_else(|_| env!("CARGO_TARGET_TMPDIR").to_owned());
    tempfile::tempdir_in(dir).unwrap()
}

/// CPU time of this thread so far, which other programs do not lengthen; nothing where the system
/// does not tell.
pub fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

pub fn median_ms(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    1e3 * times[times.len() / 2].as_secs_f64()
}

/// MiB of one line of what the system tells of this process.
fn memory_mib(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The most memory that `work` takes beyond what was there before.
pub fn peak_mib(work: impl FnOnce()) -> f64 {
    if let Ok(mut reset) = File::options().write(true).open("/proc/self/clear_refs") {
        reset.write_all(b"5").ok();
    }
    let before = memory_mib("VmRSS");
    work();
    memory_mib("VmHWM") - before
}
