//! How fast a vault goes out and comes in, as ratios to the same bytes without the forms, measured
//! in one run: `cargo bench --bench transfer -- MESSAGES`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement may fail loudly and prints its result"
)]

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use agent::model::{ConversationEvent, ConversationOp, Id, Message, Record, Role, Timestamp};
use agent::seal::{KdfParams, Passphrase};
use agent::store::{FileStore, Wait};
use agent::transfer::{ExportOptions, Format, ImportOptions, Progress, export, import};
use agent::vault::{Log, NewVault, Vault};
use zeroize::Zeroizing;

fn vault_in(dir: &Path) -> Vault {
    let passphrase = Passphrase::new(Zeroizing::new("measure".to_owned())).unwrap();
    let new = NewVault {
        passphrase: &passphrase,
        kdf: KdfParams {
            m_kib: 19_456,
            t: 2,
            p: 1,
        },
        recovery: None,
        created: 0,
    };
    for part in ["state", "witness"] {
        let mut private = fs::DirBuilder::new();
        private.mode(0o700).create(dir.join(part)).unwrap();
    }
    let store = FileStore::open(&dir.join("state"), &dir.join("witness"));
    Vault::init(Arc::new(store.unwrap()), Wait::seconds(5), &new).unwrap()
}

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn fill(vault: &mut Vault, messages: usize) {
    let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut batch = Vec::new();
    let mut conversation = Id::fresh();
    for n in 0..messages {
        if n % 40 == 0 {
            conversation = Id::fresh();
            let op = ConversationOp::Started {
                name: None,
                private: None,
            };
            let id = conversation;
            batch.push(Record::Conversation(ConversationEvent { id, at, op }));
        }
        let role = if n % 2 == 0 {
            Role::User
        } else {
            Role::Assistant
        };
        let text = format!(
            "message {n}: {}",
            "some words that were said ".repeat(n % 24)
        );
        batch.push(Record::Message(Message::text(
            conversation,
            role,
            at,
            text.into(),
        )));
        if batch.len() > 4096 {
            vault.append(&batch).unwrap();
            batch.clear();
        }
    }
    vault.append(&batch).unwrap();
}

fn lines(vault: &mut Vault, mut take: impl FnMut(&[u8])) {
    let mut after = 0;
    loop {
        let batch = vault.read(after).unwrap();
        let Some(last) = batch.last() else { return };
        after = last.seq;
        batch.iter().for_each(|entry| take(entry.line()));
    }
}

fn timed<T>(run: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let out = run();
    (start.elapsed().as_secs_f64(), out)
}

/// The most memory that the process had since the last call, beyond what it had then.
fn peak_mib() -> u64 {
    static BEFORE: AtomicU64 = AtomicU64::new(0);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mib = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.unwrap_or(0) / 1024
    };
    if let Ok(mut reset) = File::options().write(true).open("/proc/self/clear_refs") {
        reset.write_all(b"5").ok();
    }
    let before = BEFORE.swap(mib("VmRSS"), Ordering::Relaxed);
    mib("VmHWM").saturating_sub(before)
}

fn new_file(path: &Path) -> File {
    File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(path)
        .unwrap()
}

fn main() {
    let messages = std::env::args()
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(200_000);
    let dir = tempfile::tempdir_in(".").unwrap();
    let mut vault = vault_in(dir.path());
    fill(&mut vault, messages);
    peak_mib();
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let plain = dir.path().join("plain");
    let (base, bytes) = timed(|| {
        let mut out = BufWriter::new(new_file(&plain));
        let mut bytes = 0;
        lines(&mut vault, |line| {
            out.write_all(line).unwrap();
            out.write_all(b"\n").unwrap();
            bytes += line.len() + 1;
        });
        out.into_inner().unwrap().sync_all().unwrap();
        bytes
    });
    println!(
        "{messages} messages, {} MiB of records, peak +{} MiB",
        bytes >> 20,
        peak_mib()
    );
    println!("opening and writing: {base:.2} s");
    for format in [Format::Jsonl, Format::Json, Format::Markdown, Format::Html] {
        let path = dir.path().join(format!("{format:?}"));
        let options = ExportOptions { all: false, now };
        let (seconds, _) = timed(|| {
            let mut file = new_file(&path);
            export(&mut vault, format, &options, &mut file, &mut go_on).unwrap();
            file.sync_all().unwrap();
        });
        let peak = peak_mib();
        println!(
            "export {format:?}: {seconds:.2} s, ratio {:.2}, peak +{peak} MiB",
            base / seconds
        );
    }
    let other = dir.path().join("base");
    fs::create_dir(&other).unwrap();
    let mut into = vault_in(&other);
    peak_mib();
    let (base, ()) = timed(|| append_plain(&plain, &mut into));
    println!(
        "parsing, sealing and writing: {base:.2} s, peak +{} MiB",
        peak_mib()
    );
    let other = dir.path().join("import");
    fs::create_dir(&other).unwrap();
    let mut into = vault_in(&other);
    peak_mib();
    for round in ["import", "import again"] {
        let mut file = File::open(dir.path().join("Jsonl")).unwrap();
        file.rewind().unwrap();
        let options = ImportOptions {
            origin: None,
            trust: false,
            salvage: false,
            now,
        };
        let (seconds, imported) =
            timed(|| import(&mut into, &mut file, &options, &mut go_on).unwrap());
        let peak = peak_mib();
        println!(
            "{round}: {seconds:.2} s, ratio {:.2}, peak +{peak} MiB, {} records",
            base / seconds,
            imported.records
        );
    }
}

/// The same lines, parsed and appended in parts of a MiB, and nothing else.
fn append_plain(path: &Path, vault: &mut Vault) {
    let mut text = String::new();
    BufReader::new(File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for line in text.lines() {
        Record::from_line(line.as_bytes()).unwrap();
        batch.push(Zeroizing::new(line.as_bytes().to_vec()));
        bytes += line.len();
        if bytes > 1 << 20 {
            vault.append_lines(&batch).unwrap();
            batch.clear();
            bytes = 0;
        }
    }
    vault.append_lines(&batch).unwrap();
}
