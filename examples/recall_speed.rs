//! Measures the index over a generated history: `recall_speed HISTORY.jsonl QUERY…`.
//!
//! Each line is `{"id","session","role","ts","text"}`. The shelf is in memory, so no cipher is
//! measured; texts are read before the clock runs.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring tool")]

use std::io::BufRead;
use std::rc::Rc;
use std::time::Instant;

use agent::model::{Id, Message, Record, Role, Text};
use agent::recall::RecallError;
use agent::recall::index::{CACHE_CHUNKS, Index, Merging};
use agent::recall::search::{Filter, Query};
use agent::recall::shelf::{FileMark, SealedManifest, Shelf, ShelfError, ShelfLock, VolatileShelf};
use zeroize::Zeroizing;

#[derive(Clone, Default)]
struct Shared(Rc<VolatileShelf>);

impl Shelf for Shared {
    fn read_chunk(&self, f: &FileMark, n: u64) -> Result<Option<Zeroizing<Vec<u8>>>, ShelfError> {
        self.0.read_chunk(f, n)
    }
    fn write(&self, bytes: &[u8]) -> Result<FileMark, ShelfError> {
        self.0.write(bytes)
    }
    fn remove(&self, name: &[u8; 16]) -> Result<(), ShelfError> {
        self.0.remove(name)
    }
    fn list(&self) -> Result<Vec<[u8; 16]>, ShelfError> {
        self.0.list()
    }
    fn manifest(&self) -> Result<Option<SealedManifest>, ShelfError> {
        self.0.manifest()
    }
    fn replace_manifest(&self, expected: Option<u64>, bytes: &[u8]) -> Result<u64, ShelfError> {
        self.0.replace_manifest(expected, bytes)
    }
    fn try_lock(&self) -> Result<Option<ShelfLock>, ShelfError> {
        self.0.try_lock()
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap();
    let shelf = Shared::default();
    let mut index = Index::open(Box::new(shelf.clone()), CACHE_CHUNKS).unwrap();
    let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
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
    let jsonl = std::fs::metadata(&path).unwrap().len() as f64;
    let bytes = shelf.0.bytes() as f64;
    println!(
        "building {building:.2} s, {} files, {:.1} MB = {:.1} % of the history",
        index.segment_count(),
        bytes / 1e6,
        100.0 * bytes / jsonl
    );
    let start = Instant::now();
    let mut index = Index::open(Box::new(shelf.clone()), CACHE_CHUNKS).unwrap();
    println!("opening {:.2} ms", 1e3 * start.elapsed().as_secs_f64());
    for query in arguments {
        let parsed = Query::parse(&query);
        let mut times = Vec::new();
        let before = shelf.0.chunks_read();
        let mut first = (0.0, 0);
        for n in 0..7 {
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
        let read = shelf.0.chunks_read() - before;
        times.sort_by(f64::total_cmp);
        println!(
            "query cold {:8.2} ms, warm {:8.3} ms, {} hits, {read} chunks: {query}",
            first.0, times[3], first.1
        );
    }
    let text = "A new turn about the quarterly report, which we talked of on the telephone.";
    let start = Instant::now();
    let count = 400;
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
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("");
    println!("{peak}");
}
