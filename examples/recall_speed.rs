//! Measures the index over a generated history: `recall_speed HISTORY.jsonl DIR` builds it in a
//! directory, `recall_speed HISTORY.jsonl DIR QUERY…` asks it.
//!
//! Each line is `{"id","session","role","ts","text"}`. The files are in clear, so no cipher is
//! measured; texts are read before the clock runs.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measuring tool"
)]

use std::cell::Cell;
use std::fs::File;
use std::io::BufRead;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use agent::model::{Id, Message, Record, Role, Text};
use agent::recall::RecallError;
use agent::recall::index::{CACHE_CHUNKS, Index, Merging};
use agent::recall::search::{Filter, Query};
use agent::recall::shelf::{CHUNK_BYTES, FileMark, SealedManifest, Shelf, ShelfError, ShelfLock};
use zeroize::Zeroizing;

/// Files of a directory, in clear: for measuring only.
#[derive(Clone)]
struct Folder {
    path: PathBuf,
    read: Rc<Cell<u64>>,
}

impl Folder {
    fn file(&self, name: &[u8; 16]) -> PathBuf {
        self.path
            .join(format!("{:032x}", u128::from_be_bytes(*name)))
    }

    fn bytes(&self) -> u64 {
        let entries = std::fs::read_dir(&self.path).unwrap();
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum()
    }
}

impl Shelf for Folder {
    fn read_chunk(&self, f: &FileMark, n: u64) -> Result<Option<Zeroizing<Vec<u8>>>, ShelfError> {
        self.read.set(self.read.get() + 1);
        let file = File::open(self.file(&f.name)).map_err(|_| ShelfError::Missing)?;
        let at = n * CHUNK_BYTES as u64;
        let mut bytes = vec![0; (f.size - at).min(CHUNK_BYTES as u64) as usize];
        file.read_exact_at(&mut bytes, at)
            .map_err(|_| ShelfError::Damaged)?;
        Ok(Some(Zeroizing::new(bytes)))
    }
    fn write(&self, bytes: &[u8]) -> Result<FileMark, ShelfError> {
        let name = Id::fresh().bytes();
        std::fs::write(self.file(&name), bytes).map_err(|e| ShelfError::Store(Box::new(e)))?;
        Ok(FileMark {
            name,
            generation: 1,
            commit: [0; 32],
            size: bytes.len() as u64,
        })
    }
    fn remove(&self, name: &[u8; 16]) -> Result<(), ShelfError> {
        std::fs::remove_file(self.file(name)).map_err(|e| ShelfError::Store(Box::new(e)))
    }
    fn list(&self) -> Result<Vec<[u8; 16]>, ShelfError> {
        let names = std::fs::read_dir(&self.path).map_err(|e| ShelfError::Store(Box::new(e)))?;
        Ok(names
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| Some(u128::from_str_radix(&name, 16).ok()?.to_be_bytes()))
            .collect())
    }
    fn manifest(&self) -> Result<Option<SealedManifest>, ShelfError> {
        let bytes = std::fs::read(self.path.join("manifest")).ok();
        Ok(bytes.map(|bytes| SealedManifest {
            generation: 1,
            bytes: Zeroizing::new(bytes),
        }))
    }
    fn replace_manifest(&self, _: Option<u64>, bytes: &[u8]) -> Result<u64, ShelfError> {
        let written = std::fs::write(self.path.join("manifest"), bytes);
        written
            .map_err(|e| ShelfError::Store(Box::new(e)))
            .map(|()| 1)
    }
    fn try_lock(&self) -> Result<Option<ShelfLock>, ShelfError> {
        Ok(Some(Box::new(())))
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let history = arguments.next().unwrap();
    let path = PathBuf::from(arguments.next().unwrap());
    let shelf = Folder {
        path,
        read: Rc::default(),
    };
    let queries: Vec<String> = arguments.collect();
    if queries.is_empty() {
        std::fs::create_dir(&shelf.path).unwrap();
        build(&history, &shelf);
    } else {
        ask(&shelf, &queries);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("");
    println!("{peak}");
}

fn build(history: &str, shelf: &Folder) {
    let mut index = Index::open(Box::new(shelf.clone()), CACHE_CHUNKS).unwrap();
    let file = std::io::BufReader::new(File::open(history).unwrap());
    let mut seq = 0;
    let mut building = 0.0;
    let mut batch: Vec<Record> = Vec::new();
    let mut add = |batch: &mut Vec<Record>, last: bool| {
        let start = Instant::now();
        for record in batch.iter() {
            seq += 1;
            index.apply(seq, record);
            if index.is_full() {
                index.flush([0; 32], Merging::All).unwrap();
            }
        }
        if last {
            index.flush([0; 32], Merging::All).unwrap();
        }
        building += start.elapsed().as_secs_f64();
        batch.clear();
    };
    for line in file.lines() {
        let value: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let mut id = [0; 16];
        id[8..].copy_from_slice(&value["session"].as_u64().unwrap().to_be_bytes());
        let role = if value["role"] == "user" {
            Role::User
        } else {
            Role::Assistant
        };
        let at = format!("{}Z", value["ts"].as_str().unwrap())
            .parse()
            .unwrap();
        let text = value["text"].as_str().unwrap().into();
        batch.push(Record::Message(Message::text(
            Id::from_bytes(id),
            role,
            at,
            text,
        )));
        if batch.len() == 10_000 {
            add(&mut batch, false);
        }
    }
    add(&mut batch, true);
    let jsonl = std::fs::metadata(history).unwrap().len() as f64;
    let bytes = shelf.bytes() as f64;
    println!(
        "building {building:.2} s, {} files, {:.1} MB = {:.1} % of the history",
        index.segment_count(),
        bytes / 1e6,
        100.0 * bytes / jsonl
    );
}

fn ask(shelf: &Folder, queries: &[String]) {
    let start = Instant::now();
    let mut index = Index::open(Box::new(shelf.clone()), CACHE_CHUNKS).unwrap();
    println!("opening {:.2} ms", 1e3 * start.elapsed().as_secs_f64());
    for query in queries {
        let parsed = Query::parse(query);
        let mut times = Vec::new();
        let before = shelf.read.get();
        let mut first = (0.0, 0);
        for n in 0..15 {
            let mut open = |_| -> Result<Option<Text>, RecallError> { Ok(None) };
            let start = Instant::now();
            let hits = index
                .search(&parsed, &Filter::default(), 10, &mut open)
                .unwrap();
            times.push(1e3 * start.elapsed().as_secs_f64());
            if n == 0 {
                first = (times[0], hits.len());
            }
        }
        let read = shelf.read.get() - before;
        let best = times.iter().copied().fold(f64::MAX, f64::min);
        times.sort_by(f64::total_cmp);
        println!(
            "query cold {:8.2} ms, warm {:8.3} ms (best {best:.3}), {} hits, {read} chunks: {query}",
            first.0, times[7], first.1
        );
    }
    let text = "A new turn about the quarterly report, which we talked of on the telephone.";
    let start = Instant::now();
    let (count, seq) = (400, index.seq());
    for n in 0..count {
        let id = Id::from_bytes([9; 16]);
        let at = agent::model::Timestamp::from_second(1_900_000_000 + n).unwrap();
        index.apply(
            seq + 1 + n as u64,
            &Record::Message(Message::text(id, Role::User, at, text.into())),
        );
    }
    println!(
        "forward by one turn {:.4} ms",
        1e3 * start.elapsed().as_secs_f64() / count as f64
    );
}
