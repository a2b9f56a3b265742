//! The volatile store: the same names and bytes in RAM, gone with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::StoreError;
use super::name::{Dir, Name};
use super::watch::Watching;
use super::{Claim, Exclusive, Expected, Found, Purpose, Revision, Shared, Store, Wait};
use crate::seal::{EpochId, Sealed, SealedFrames, VaultId, WITNESS_PLACE_BYTES};

/// A store in RAM. Clones share their content, as processes share a directory.
#[derive(Clone, Default)]
pub struct VolatileStore {
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<Name, (Revision, Vec<u8>)>,
    drafts: Vec<Dir>,
    quarantine: Vec<(Dir, Vec<u8>)>,
    aside: BTreeMap<Name, Vec<u8>>,
    witnesses: BTreeMap<VaultId, Vec<u8>>,
    watchers: Vec<Box<dyn Fn() + Send>>,
    last: u64,
    /// Readers that hold the lock; `WRITER` while it is exclusive.
    holders: usize,
    index_locked: bool,
    claims: BTreeSet<[u8; 16]>,
}

const WRITER: usize = usize::MAX;

impl State {
    fn next(&mut self) -> Revision {
        self.last += 1;
        Revision(self.last)
    }

    fn tail(&mut self, name: &Name, held: Revision) -> Result<&mut Vec<u8>, StoreError> {
        match self.files.get_mut(name) {
            Some((revision, bytes)) if *revision == held => Ok(bytes),
            _ => Err(StoreError::Conflict {
                file: name.to_string(),
            }),
        }
    }

    fn wake(&self) {
        self.watchers.iter().for_each(|wake| wake());
    }
}

/// Gives the lock back when dropped.
struct Release {
    state: Arc<(Mutex<State>, Condvar)>,
    undo: fn(&mut State),
}

impl Drop for Release {
    fn drop(&mut self) {
        (self.undo)(&mut self.state.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.state.1.notify_all();
    }
}

/// Gives a claimed name back when dropped.
struct Unclaim {
    state: Arc<(Mutex<State>, Condvar)>,
    name: [u8; 16],
}

impl Drop for Unclaim {
    fn drop(&mut self) {
        self.state
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .claims
            .remove(&self.name);
    }
}

impl VolatileStore {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acquire(
        &self,
        wait: Wait,
        free: fn(&State) -> bool,
        take: fn(&mut State),
        undo: fn(&mut State),
    ) -> Result<Box<dyn Send>, StoreError> {
        let until = Instant::now() + wait.limit;
        let mut state = self.lock();
        while !free(&state) {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return Err(StoreError::Locked { holder: None });
            };
            let waited = self.state.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        take(&mut state);
        Ok(Box::new(Release {
            state: self.state.clone(),
            undo,
        }))
    }

    /// What was quarantined so far.
    pub fn quarantined(&self) -> Vec<Vec<u8>> {
        let state = self.lock();
        state.quarantine.iter().map(|(_, b)| b.clone()).collect()
    }

    /// Every byte there is, with where it lies: for searches that must find nothing.
    pub fn everything(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.lock();
        let files = state.files.iter().map(|(n, (_, b))| (n.to_string(), b));
        let torn = state.quarantine.iter();
        let torn = torn.map(|(dir, b)| (format!("{}/quarantine", dir.file_name()), b));
        let aside = state.aside.iter();
        let aside = aside.map(|(name, b)| (format!("quarantine/{name}"), b));
        let all = files.chain(torn).chain(aside);
        all.map(|(name, bytes)| (name, bytes.clone())).collect()
    }

    /// A copy that shares nothing with this store: the disk of a machine that stopped now.
    pub fn snapshot(&self) -> VolatileStore {
        let state = self.lock();
        let copy = State {
            files: state.files.clone(),
            drafts: state.drafts.clone(),
            quarantine: state.quarantine.clone(),
            aside: state.aside.clone(),
            witnesses: state.witnesses.clone(),
            last: state.last,
            ..State::default()
        };
        VolatileStore {
            state: Arc::new((Mutex::new(copy), Condvar::new())),
        }
    }

    /// Changes a file in place, as damage does; false if there is none.
    pub fn tamper(&self, name: &Name, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.lock();
        match state.files.get_mut(name) {
            Some((_, bytes)) => {
                change(bytes);
                true
            }
            None => false,
        }
    }

    /// Puts any bytes under a name, as restoring from elsewhere does; none removes the file.
    pub fn put(&self, name: Name, bytes: Option<Vec<u8>>) {
        let mut state = self.lock();
        match bytes {
            Some(bytes) => {
                let revision = state.next();
                state.files.insert(name, (revision, bytes));
            }
            None => {
                state.files.remove(&name);
            }
        }
    }

    /// Forgets the witness, as a new machine would.
    pub fn forget_witness(&self) {
        self.lock().witnesses.clear();
    }
}

impl Store for VolatileStore {
    fn exclusive(&self, _purpose: Purpose, wait: Wait) -> Result<Exclusive, StoreError> {
        let held = self.acquire(
            wait,
            |s| s.holders == 0,
            |s| s.holders = WRITER,
            |s| s.holders = 0,
        )?;
        Ok(Exclusive { _held: held })
    }

    fn shared(&self, wait: Wait) -> Result<Shared, StoreError> {
        let held = self.acquire(
            wait,
            |s| s.holders != WRITER,
            |s| s.holders += 1,
            |s| s.holders -= 1,
        )?;
        Ok(Shared { _held: held })
    }

    fn index_lock(&self, _epoch: EpochId) -> Result<Option<Exclusive>, StoreError> {
        let held = self.acquire(
            Wait::seconds(0),
            |s| !s.index_locked,
            |s| s.index_locked = true,
            |s| s.index_locked = false,
        );
        Ok(held.ok().map(|held| Exclusive { _held: held }))
    }

    fn revision(&self, name: &Name) -> Result<Option<Revision>, StoreError> {
        Ok(self.lock().files.get(name).map(|(revision, _)| *revision))
    }

    fn size(&self, name: &Name) -> Result<Option<u64>, StoreError> {
        Ok(self
            .lock()
            .files
            .get(name)
            .map(|(_, bytes)| bytes.len() as u64))
    }

    fn read(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().files.get(name).map(|(_, bytes)| bytes.clone()))
    }

    fn read_at(&self, name: &Name, at: u64, len: usize) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().files.get(name).map(|(_, bytes)| {
            let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            bytes[start..start.saturating_add(len).min(bytes.len())].to_vec()
        }))
    }

    fn replace(
        &self,
        _lock: &Exclusive,
        name: &Name,
        expected: Expected,
        bytes: &Sealed,
    ) -> Result<Revision, StoreError> {
        let mut state = self.lock();
        let found = state.files.get(name).map(|(revision, _)| *revision);
        let as_expected = match expected {
            Expected::Anything => true,
            Expected::Absent => found.is_none(),
            Expected::Unchanged(held) => found == Some(held),
        };
        if !as_expected {
            return Err(StoreError::Conflict {
                file: name.to_string(),
            });
        }
        let revision = state.next();
        state
            .files
            .insert(*name, (revision, bytes.bytes().to_vec()));
        state.wake();
        Ok(revision)
    }

    fn copy_from(
        &self,
        _lock: &Exclusive,
        name: &Name,
        source: &dyn Store,
        from: &Name,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let copied = super::read_exactly(source, from, bytes)?;
        let mut state = self.lock();
        if state.files.contains_key(name) {
            return Err(StoreError::Conflict {
                file: name.to_string(),
            });
        }
        let revision = state.next();
        state.files.insert(*name, (revision, copied));
        Ok(())
    }

    fn ensure_space(&self, _bytes: u64) -> Result<(), StoreError> {
        Ok(())
    }

    fn append(
        &self,
        _lock: &Exclusive,
        name: &Name,
        held: Revision,
        at: u64,
        frames: &SealedFrames,
    ) -> Result<(), StoreError> {
        let mut state = self.lock();
        let bytes = state.tail(name, held)?;
        if bytes.len() as u64 != at {
            return Err(StoreError::Conflict {
                file: name.to_string(),
            });
        }
        bytes.extend_from_slice(frames.bytes());
        state.wake();
        Ok(())
    }

    fn sync(&self, _lock: &Exclusive, name: &Name, held: Revision) -> Result<(), StoreError> {
        self.lock().tail(name, held).map(|_| ())
    }

    fn quarantine_end(
        &self,
        _lock: &Exclusive,
        name: &Name,
        held: Revision,
        at: u64,
    ) -> Result<(), StoreError> {
        let mut state = self.lock();
        let bytes = state.tail(name, held)?;
        let end = bytes.split_off(usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len()));
        if let Name::In(dir, _) = name {
            state.quarantine.push((*dir, end));
        }
        Ok(())
    }

    fn remove(&self, _lock: &Exclusive, name: &Name) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.files.remove(name);
        state.wake();
        Ok(())
    }

    fn list(&self, dir: Dir) -> Result<Vec<Found>, StoreError> {
        let state = self.lock();
        let inside = |name: &&Name| matches!(name, Name::In(of, _) if *of == dir);
        let names = state.files.keys().filter(inside);
        Ok(names
            .map(|name| Found {
                name: *name,
                bytes: state.files[name].1.len() as u64,
            })
            .collect())
    }

    fn epochs(&self) -> Result<Vec<Dir>, StoreError> {
        let state = self.lock();
        let dirs = state.files.keys().filter_map(|name| match name {
            Name::In(dir, _) => Some(*dir),
            Name::Header => None,
        });
        let mut dirs: Vec<Dir> = dirs.chain(state.drafts.iter().copied()).collect();
        dirs.sort();
        dirs.dedup();
        Ok(dirs)
    }

    fn draft(&self, _lock: &Exclusive, draft: Dir) -> Result<(), StoreError> {
        self.lock().drafts.push(draft);
        Ok(())
    }

    fn publish(&self, _lock: &Exclusive, draft: Dir) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.drafts.retain(|dir| *dir != draft);
        let files = std::mem::take(&mut state.files);
        let live = Dir::Live(draft.epoch());
        state.files = files
            .into_iter()
            .map(|(name, file)| match name {
                Name::In(dir, part) if dir == draft => (Name::In(live, part), file),
                other => (other, file),
            })
            .collect();
        Ok(())
    }

    fn discard(&self, _lock: &Exclusive, dir: Dir) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.drafts.retain(|draft| *draft != dir);
        state
            .files
            .retain(|name, _| !matches!(name, Name::In(of, _) if *of == dir));
        state.quarantine.retain(|(of, _)| *of != dir);
        state.wake();
        Ok(())
    }

    fn set_aside(&self, _lock: &Exclusive, epoch: EpochId) -> Result<(), StoreError> {
        let mut state = self.lock();
        let dir = Dir::Live(epoch);
        let inside = |name: &Name| matches!(name, Name::In(of, _) if *of == dir);
        let (moved, kept) = std::mem::take(&mut state.files)
            .into_iter()
            .partition(|(name, _)| inside(name));
        state.files = kept;
        let moved: BTreeMap<Name, (Revision, Vec<u8>)> = moved;
        let moved = moved.into_iter().map(|(name, (_, bytes))| (name, bytes));
        state.aside.extend(moved);
        state.wake();
        Ok(())
    }

    fn aside(&self) -> Result<Vec<String>, StoreError> {
        let state = self.lock();
        let mut names: Vec<String> = state
            .aside
            .keys()
            .filter_map(|name| match name {
                Name::In(dir, _) => Some(dir.file_name()),
                Name::Header => None,
            })
            .collect();
        names.dedup();
        Ok(names)
    }

    fn clear_aside(&self, _lock: &Exclusive) -> Result<(), StoreError> {
        self.lock().aside.clear();
        Ok(())
    }

    fn sweep(&self, lock: &Exclusive, _live: EpochId) -> Result<usize, StoreError> {
        let drafts: Vec<Dir> = self
            .epochs()?
            .into_iter()
            .filter(|dir| matches!(dir, Dir::Draft(..)))
            .collect();
        drafts
            .iter()
            .try_for_each(|draft| self.discard(lock, *draft))?;
        Ok(drafts.len())
    }

    fn strangers(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn witness(&self, vault: VaultId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().witnesses.get(&vault).cloned())
    }

    fn put_witness(&self, vault: VaultId, place: usize, bytes: &Sealed) -> Result<(), StoreError> {
        let mut state = self.lock();
        let places = state
            .witnesses
            .entry(vault)
            .or_insert_with(|| vec![0; 2 * WITNESS_PLACE_BYTES]);
        let at = place % 2 * WITNESS_PLACE_BYTES;
        places[at..at + WITNESS_PLACE_BYTES].copy_from_slice(bytes.bytes());
        Ok(())
    }

    fn claim(&self, name: [u8; 16]) -> Result<Option<Claim>, StoreError> {
        let mut state = self.lock();
        if !state.claims.insert(name) {
            return Ok(None);
        }
        let held = Unclaim {
            state: self.state.clone(),
            name,
        };
        Ok(Some(Claim {
            _held: Box::new(held),
        }))
    }

    fn watch(&self, wake: Box<dyn Fn() + Send>) -> Result<Watching, StoreError> {
        self.lock().watchers.push(wake);
        Ok(Watching::silent())
    }
}
