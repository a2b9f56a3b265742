//! One suite over both logs, the vault's own and a vault's across a real socket; and what a keeper
//! does with those who are no friends of it.

mod hostile;
mod life;
mod suite;

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use zeroize::Zeroizing;

use super::client::Client;
use super::lifetime::{Reason, Times};
use super::server::{Shared, run};
use crate::model::{Lost, Record};
use crate::seal::VaultId;
use crate::store::{Store, VolatileStore, Wait};
use crate::vault::testing::{new_vault, passphrase};
use crate::vault::{LockedVault, Log, Vault};

fn wait() -> Wait {
    Wait::seconds(5)
}

/// The disk of a fresh vault, made once.
fn fresh() -> VolatileStore {
    static MADE: std::sync::OnceLock<VolatileStore> = std::sync::OnceLock::new();
    let made = MADE.get_or_init(|| {
        let store = VolatileStore::default();
        new_vault(store.clone());
        store
    });
    made.snapshot()
}

fn open(store: &VolatileStore) -> Vault {
    let store: Arc<dyn Store> = Arc::new(store.clone());
    let locked = LockedVault::open(store, wait()).unwrap();
    locked.unlock(&passphrase()).unwrap()
}

/// A keeper on a thread of the test.
struct Running {
    dir: tempfile::TempDir,
    vault: VaultId,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Reason>>,
}

impl Running {
    fn start(store: &VolatileStore, times: Times) -> Self {
        let vault = open(store);
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let id = vault.id();
        let (shared, stopped) = Shared::new(vault, times);
        let served = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(run(listener, served, stopped)).unwrap()
        });
        Running {
            dir,
            vault: id,
            shared,
            thread: Some(thread),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    fn stream(&self) -> UnixStream {
        UnixStream::connect(self.path()).unwrap()
    }

    fn client(&self) -> Client {
        let client = Client::on(self.stream(), self.vault, wait());
        client.unwrap().expect("the keeper is open")
    }

    /// Waits for its end.
    fn end(mut self) -> Reason {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.shared.stop(Reason::Asked);
            thread.join().ok();
        }
    }
}

/// A record that is told apart by its number.
fn numbered(n: usize) -> Record {
    Record::Lost(Lost {
        file: format!("n{n}"),
    })
}

fn numbers(log: &mut dyn Log) -> Vec<usize> {
    let mut out = Vec::new();
    let mut after = 0;
    loop {
        let batch = log.read(after).unwrap();
        let Some(last) = batch.last() else { return out };
        after = last.seq;
        out.extend(batch.iter().filter_map(|entry| match entry.record() {
            Ok(Record::Lost(lost)) => lost.file.strip_prefix('n')?.parse::<usize>().ok(),
            _ => None,
        }));
    }
}
