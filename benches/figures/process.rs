//! Whole processes: the least that starting costs, and what unlocking adds to the derivation.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};

use super::measure::{Bar, Figure, Turns, disk, setting, time};

pub const AGENT: &str = env!("CARGO_BIN_EXE_agent");
/// Makes this program do the derivation alone, with the numbers that follow.
pub const BARE: &str = "--bare-argon2id";
pub const PASSPHRASE: &str = "a passphrase for measuring";

pub fn run(command: &mut Command) -> Duration {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    time(|| assert!(command.status().unwrap().success()))
}

pub fn version() -> Vec<Figure> {
    let empty = std::env::var("BENCH_EMPTY").expect("scripts/bench makes the empty program");
    let mut bare = || run(&mut Command::new(&empty));
    let mut ours = || run(Command::new(AGENT).arg("--version"));
    let turns = Turns::take(setting("BENCH_ROUNDS", 401), &mut [&mut bare, &mut ours]);
    let peak_mib = peak_kib(Command::new(AGENT).arg("--version")) as f64 / 1024.0;
    vec![
        Figure {
            what: "`agent --version` against an empty static program".into(),
            bar: Bar::AtMost(2.0, " ×"),
            value: turns.ratio(1, 0),
            times: turns.both(1, 0),
        },
        Figure {
            what: "`agent --version`, peak memory".into(),
            bar: Bar::AtMost(8.0, " MiB"),
            value: peak_mib,
            times: String::new(),
        },
    ]
}

/// The most memory a process had when it is about to print: its stdout is a pipe that is full, so
/// that it waits there to be looked at.
pub fn peak_kib(command: &mut Command) -> u64 {
    const PIPE_BYTES: usize = 65_536;
    let (mut read, mut write) = std::io::pipe().unwrap();
    write.write_all(&[0; PIPE_BYTES]).unwrap();
    let mut child = command.stdin(Stdio::null()).stdout(write).spawn().unwrap();
    command.stdout(Stdio::null());
    let status = Path::new("/proc")
        .join(child.id().to_string())
        .join("status");
    let (mut peak, mut asleep) = (0, 0);
    while asleep < 20 {
        std::thread::sleep(Duration::from_millis(2));
        let text = fs::read_to_string(&status).unwrap();
        let field = |name| text.lines().find_map(|line: &str| line.strip_prefix(name));
        asleep = if field("State:").unwrap().trim().starts_with('S') {
            asleep + 1
        } else {
            0
        };
        let kib = field("VmHWM:").unwrap().trim().trim_end_matches(" kB");
        peak = kib.parse().unwrap();
    }
    let mut said = Vec::new();
    read.read_to_end(&mut said).unwrap();
    assert!(said.len() > PIPE_BYTES && child.wait().unwrap().success());
    peak
}

pub fn unlock() -> Vec<Figure> {
    let dir = disk();
    let agent = || {
        let mut command = Command::new(AGENT);
        command
            .env("HOME", dir.path())
            .env("AGENT_STATE_DIR", dir.path().join("vault"))
            .env("AGENT_PASSPHRASE", PASSPHRASE);
        command
    };
    // RFC 9106's second recommended option; a calibrated vault takes more passes.
    let (m_mib, t, p) = ("64", "3", "4");
    let kdf = [
        "init",
        "--kdf-memory",
        m_mib,
        "--kdf-passes",
        t,
        "--kdf-lanes",
        p,
    ];
    run(agent().args(kdf));
    for n in 0..20 {
        run(agent().args([
            "memory",
            "add",
            &format!("thing number {n} that is remembered"),
        ]));
    }
    let this = std::env::current_exe().unwrap();
    let mut bare = || run(Command::new(&this).args([BARE, m_mib, t, p]));
    let mut ours = || run(agent().args(["memory", "list"]));
    let turns = Turns::take(setting("BENCH_ROUNDS", 61), &mut [&mut bare, &mut ours]);
    vec![Figure {
        what: "unlock and `memory list` against Argon2id alone (64 MiB, t = 3, p = 4)".into(),
        bar: Bar::AtMost(1.15, " ×"),
        value: turns.ratio(1, 0),
        times: turns.both(1, 0),
    }]
}

/// The derivation alone, as the crate does it by itself.
pub fn bare(numbers: &[String]) {
    let [m_mib, t, p] = numbers else {
        panic!("three numbers are wanted");
    };
    let number = |text: &String| -> u32 { text.parse().unwrap() };
    let params = Params::new(number(m_mib) * 1024, number(t), number(p), Some(32)).unwrap();
    let mut out = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(PASSPHRASE.as_bytes(), &[7; 32], &mut out)
        .unwrap();
    std::hint::black_box(out);
}
