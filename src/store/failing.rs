//! A store that stops: the disk of a machine that lost power, or filled up, at the n-th change.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// What happens at the chosen change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The change does not happen, and nothing after it: a power cut.
    CutBefore,
    /// The change happens, but nothing after it.
    CutAfter,
    /// An append writes half of its bytes; then nothing more.
    Torn,
    /// The change fails once, and the program goes on.
    Once,
    /// The change happens and is reported as failed, and the program goes on.
    Late,
}

type Hook = Box<dyn FnOnce() + Send>;

pub(crate) struct FailingStore {
    inner: VolatileStore,
    fault: Fault,
    at: usize,
    changes: AtomicUsize,
    /// Runs before the call that it is named for: another process, at that very moment.
    hook: Mutex<Option<(&'static str, Hook)>>,
}

impl FailingStore {
    pub(crate) fn new(inner: VolatileStore, fault: Fault, at: usize) -> Self {
        let changes = AtomicUsize::new(0);
        FailingStore {
            inner,
            fault,
            at,
            changes,
            hook: Mutex::new(None),
        }
    }

    /// A store that never fails, with another process's deed before the first call of `name`.
    pub(crate) fn hooked(
        inner: VolatileStore,
        name: &'static str,
        deed: impl FnOnce() + Send + 'static,
    ) -> Self {
        let store = FailingStore::new(inner, Fault::Once, usize::MAX);
        *store.hook.lock().unwrap() = Some((name, Box::new(deed)));
        store
    }

    /// Changes so far.
    pub(crate) fn changes(&self) -> usize {
        self.changes.load(Ordering::SeqCst)
    }

    fn before(&self, name: &'static str) {
        let mut hook = self.hook.lock().unwrap();
        if hook.as_ref().is_some_and(|(wanted, _)| *wanted == name) {
            let (_, deed) = hook.take().unwrap();
            drop(hook);
            deed();
        }
    }

    fn stopped<T>() -> Result<T, StoreError> {
        let source = std::io::Error::other("the machine has stopped");
        Err(StoreError::Io {
            file: "any".into(),
            source,
        })
    }

    fn look<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let goes_on = matches!(self.fault, Fault::Once | Fault::Late);
        let dead = !goes_on && self.changes() > self.at;
        if dead { Self::stopped() } else { read() }
    }

    fn change<T>(&self, make: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let this = self.changes.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::Once if this == self.at => Self::stopped(),
            Fault::Late if this == self.at => {
                make()?;
                Self::stopped()
            }
            Fault::Once | Fault::Late => make(),
            _ if this < self.at => make(),
            Fault::CutAfter if this == self.at => {
                make()?;
                Self::stopped()
            }
            _ => Self::stopped(),
        }
    }
}

impl Store for FailingStore {
    fn exclusive(&self, purpose: Purpose, wait: Wait) -> Result<Exclusive, StoreError> {
        self.before("exclusive");
        self.look(|| self.inner.exclusive(purpose, wait))
    }

    fn shared(&self, wait: Wait) -> Result<Shared, StoreError> {
        self.before("shared");
        self.look(|| self.inner.shared(wait))
    }

    fn index_lock(&self, epoch: EpochId) -> Result<Option<Exclusive>, StoreError> {
        self.look(|| self.inner.index_lock(epoch))
    }

    fn revision(&self, name: &Name) -> Result<Option<Revision>, StoreError> {
        self.look(|| self.inner.revision(name))
    }

    fn size(&self, name: &Name) -> Result<Option<u64>, StoreError> {
        self.look(|| self.inner.size(name))
    }

    fn read(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        self.before("read");
        self.look(|| self.inner.read(name))
    }

    fn read_at(&self, name: &Name, at: u64, len: usize) -> Result<Option<Vec<u8>>, StoreError> {
        self.before("read_at");
        self.look(|| self.inner.read_at(name, at, len))
    }

    fn replace(
        &self,
        lock: &Exclusive,
        name: &Name,
        expected: Expected,
        bytes: &Sealed,
    ) -> Result<Revision, StoreError> {
        self.change(|| self.inner.replace(lock, name, expected, bytes))
    }

    fn copy_from(
        &self,
        lock: &Exclusive,
        name: &Name,
        source: &dyn Store,
        from: &Name,
        bytes: u64,
    ) -> Result<(), StoreError> {
        if matches!(name, Name::In(_, Part::Segment(_))) {
            self.before("copied a segment");
        }
        self.change(|| self.inner.copy_from(lock, name, source, from, bytes))
    }

    fn ensure_space(&self, bytes: u64) -> Result<(), StoreError> {
        self.look(|| self.inner.ensure_space(bytes))
    }

    fn append(
        &self,
        lock: &Exclusive,
        name: &Name,
        held: Revision,
        at: u64,
        frames: &SealedFrames,
    ) -> Result<(), StoreError> {
        let torn = self.fault == Fault::Torn && self.changes() == self.at;
        if torn {
            let half = frames.bytes()[..frames.bytes().len() / 2].to_vec();
            self.inner.tamper(name, |bytes| bytes.extend(half));
        }
        self.change(|| self.inner.append(lock, name, held, at, frames))
    }

    fn sync(&self, lock: &Exclusive, name: &Name, held: Revision) -> Result<(), StoreError> {
        self.change(|| self.inner.sync(lock, name, held))
    }

    fn quarantine_end(
        &self,
        lock: &Exclusive,
        name: &Name,
        held: Revision,
        at: u64,
    ) -> Result<(), StoreError> {
        self.change(|| self.inner.quarantine_end(lock, name, held, at))
    }

    fn remove(&self, lock: &Exclusive, name: &Name) -> Result<(), StoreError> {
        self.change(|| self.inner.remove(lock, name))
    }

    fn list(&self, dir: Dir) -> Result<Vec<Found>, StoreError> {
        self.look(|| self.inner.list(dir))
    }

    fn names(&self, dir: Dir) -> Result<Vec<Name>, StoreError> {
        self.look(|| self.inner.names(dir))
    }

    fn epochs(&self) -> Result<Vec<Dir>, StoreError> {
        self.look(|| self.inner.epochs())
    }

    fn draft(&self, lock: &Exclusive, draft: Dir) -> Result<(), StoreError> {
        self.change(|| self.inner.draft(lock, draft))
    }

    fn publish(&self, lock: &Exclusive, draft: Dir) -> Result<(), StoreError> {
        self.change(|| self.inner.publish(lock, draft))
    }

    fn discard(&self, lock: &Exclusive, dir: Dir) -> Result<(), StoreError> {
        self.change(|| self.inner.discard(lock, dir))
    }

    fn set_aside(&self, lock: &Exclusive, epoch: EpochId) -> Result<(), StoreError> {
        self.change(|| self.inner.set_aside(lock, epoch))
    }

    fn aside(&self) -> Result<Vec<String>, StoreError> {
        self.look(|| self.inner.aside())
    }

    fn clear_aside(&self, lock: &Exclusive) -> Result<(), StoreError> {
        self.change(|| self.inner.clear_aside(lock))
    }

    fn sweep(&self, lock: &Exclusive, live: EpochId) -> Result<usize, StoreError> {
        self.change(|| self.inner.sweep(lock, live))
    }

    fn strangers(&self) -> Result<Vec<String>, StoreError> {
        self.look(|| self.inner.strangers())
    }

    fn witness(&self, vault: VaultId) -> Result<Option<Vec<u8>>, StoreError> {
        self.look(|| self.inner.witness(vault))
    }

    fn put_witness(&self, vault: VaultId, place: usize, bytes: &Sealed) -> Result<(), StoreError> {
        self.change(|| self.inner.put_witness(vault, place, bytes))
    }

    fn claim(&self, name: [u8; 16]) -> Result<Option<Claim>, StoreError> {
        self.inner.claim(name)
    }

    fn watch(&self, wake: Box<dyn Fn() + Send>) -> Result<Watching, StoreError> {
        self.inner.watch(wake)
    }
}
