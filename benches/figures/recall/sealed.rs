//! A real vault full of a history, with its sealed index, used as the program uses it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::chat::Recall;
use agent::model::{Record, Text};
use agent::recall::{Filter, Merging, Query, RecallError};
use agent::store::FileStore;
use agent::vault::{LockedVault, Log, Vault};

use super::history::{Spoken, history};
use crate::measure::{median_ms, time};
use crate::texts::{new_vault, passphrase, save_folds, wait};

/// A little more than a tail holds, so that each batch becomes a segment.
const BATCH: usize = 2100;

/// A vault on the disk.
pub struct Sealed {
    dir: PathBuf,
    pub messages: u64,
    pub building: Duration,
    /// Bytes of texts, of which `export` makes more.
    vault: Vault,
    recall: Recall,
}

fn fill(vault: &mut Vault, messages: u64) {
    let mut batch = Vec::with_capacity(BATCH);
    for (n, said) in history(messages).enumerate() {
        batch.push(said.record(n as u64).to_line());
        if batch.len() == BATCH {
            vault.append_lines(&batch).unwrap();
            batch.clear();
        }
    }
    if !batch.is_empty() {
        vault.append_lines(&batch).unwrap();
    }
    save_folds(vault);
}

impl Sealed {
    /// Fills a new vault below `dir` and builds its index.
    pub fn fill(dir: &Path, messages: u64) -> Sealed {
        let mut vault = new_vault(dir);
        fill(&mut vault, messages);
        let start = Instant::now();
        let mut recall = Recall::open(&mut vault).unwrap().unwrap();
        recall.settle(&mut vault, Merging::All).unwrap();
        let building = start.elapsed();
        Sealed {
            dir: dir.to_owned(),
            messages,
            building,
            vault,
            recall,
        }
    }

    /// Opens it again, as a new process finds it.
    pub fn reopen(&mut self) {
        let store = FileStore::open(&self.dir.join("vault"), &self.dir.join("witness")).unwrap();
        let locked = LockedVault::open(Arc::new(store), wait()).unwrap();
        self.vault = locked.unlock(&passphrase()).unwrap();
        self.recall = Recall::open(&mut self.vault).unwrap().unwrap();
    }

    pub fn ask(&self, words: &str) -> Duration {
        let query = Query::parse(words);
        let filter = Filter::default();
        let mut closed = |_| -> Result<Option<Text>, RecallError> { Ok(None) };
        let start = Instant::now();
        let found = self.recall.index().search(&query, &filter, 10, &mut closed);
        let took = start.elapsed();
        assert!(!found.unwrap().is_empty());
        took
    }

    /// Milliseconds in which the index takes in one turn, a line and its answer, that has just been
    /// appended: the median of many.
    pub fn forward_ms(&mut self, rounds: u64) -> f64 {
        let said: Vec<Spoken> = history(2 * rounds).collect();
        let mut times = Vec::new();
        for (n, turn) in said.chunks_exact(2).enumerate() {
            let number = self.messages + 2 * n as u64;
            let records: Vec<Record> = vec![turn[0].record(number), turn[1].record(number + 1)];
            self.vault.append(&records).unwrap();
            times.push(time(|| self.recall.catch_up(&mut self.vault).unwrap()));
        }
        self.messages += 2 * rounds;
        median_ms(&times)
    }

    pub fn index_bytes(&self) -> u64 {
        bytes_below(&self.dir.join("vault"), &|path| {
            path.components()
                .any(|part| part.as_os_str() == "search_index")
        })
    }

    pub fn all_bytes(&self) -> u64 {
        bytes_below(&self.dir.join("vault"), &|_| true)
    }
}

fn bytes_below(dir: &Path, wanted: &dyn Fn(&Path) -> bool) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap();
    let sizes = entries.map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => bytes_below(&path, wanted),
            false if wanted(&path) => path.metadata().unwrap().len(),
            false => 0,
        }
    });
    sizes.sum()
}
