//! The keeper's side: who may come in, how long it lasts, and how it ends.

use std::collections::HashMap;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::exchange::Exchange;
use super::fault::Fault;
use super::lifetime::{Lifetime, Reading, Reason, Times};
use super::message;
use super::protocol::{Answer, Reply, Status};
use super::{CLIENTS_MAX, peer};
use crate::seal::{EpochId, VaultId, keys_are_locked};
use crate::store::{Name, Revision, Store};
use crate::vault::{Log, RemoteError, Vault, VaultError};

/// How often clocks and header are looked at: a sleep of the machine, or new keys, are noticed so
/// soon. A request looks at the clocks by itself.
const TICK: Duration = Duration::from_secs(1);
/// How long a client's last request may take once the keeper is to end.
const LAST_REQUEST: Duration = Duration::from_secs(5);
/// How long a last answer may take to leave.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// A client that takes no bytes for so long has lost its answer.
const STALLED: Duration = Duration::from_secs(10);

/// What all clients share.
pub(super) struct Shared {
    /// None once locked: the keys are wiped.
    vault: Mutex<Option<Vault>>,
    id: VaultId,
    store: Arc<dyn Store>,
    lifetime: Mutex<Lifetime>,
    stop: UnboundedSender<Reason>,
    closing: AtomicBool,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    last: u64,
    streams: HashMap<u64, UnixStream>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Clients and clocks are whole whatever a thread was doing when it panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Takes over the vault. What comes through the receiver ends the keeper.
    pub(super) fn new(vault: Vault, times: Times) -> (Arc<Self>, UnboundedReceiver<Reason>) {
        let (stop, stopped) = unbounded_channel();
        let shared = Shared {
            id: vault.id(),
            store: vault.store().clone(),
            vault: Mutex::new(Some(vault)),
            lifetime: Mutex::new(Lifetime::new(times, Reading::now())),
            stop,
            closing: AtomicBool::new(false),
            clients: Mutex::default(),
        };
        (Arc::new(shared), stopped)
    }

    pub(super) fn id(&self) -> VaultId {
        self.id
    }

    /// Has the keeper lock itself.
    pub(super) fn stop(&self, reason: Reason) {
        // Nobody listens once it ends already.
        self.stop.send(reason).ok();
    }

    /// Whether requests are still answered; ends the keeper where its time is over.
    pub(super) fn is_open(&self) -> bool {
        if self.closing.load(Ordering::Acquire) {
            return false;
        }
        match lock(&self.lifetime).over(Reading::now()) {
            Some(reason) => {
                self.stop(reason);
                false
            }
            None => true,
        }
    }

    pub(super) fn touch(&self) {
        lock(&self.lifetime).touch(Reading::now());
    }

    /// Acts on the vault, one client at a time.
    pub(super) fn with_vault<T>(
        &self,
        act: impl FnOnce(&mut Vault) -> Result<T, VaultError>,
    ) -> Result<(EpochId, T), VaultError> {
        let Ok(mut vault) = self.vault.lock() else {
            // A thread has panicked half-way through something: what it left is not to be trusted.
            self.stop(Reason::Broken);
            return Err(RemoteError::Locked.into());
        };
        let Some(vault) = vault.as_mut() else {
            return Err(RemoteError::Locked.into());
        };
        let done = act(vault);
        if let Err(error) = &done
            && let Some(reason) = ends(error)
        {
            self.stop(reason);
        }
        done.map(|done| (vault.epoch(), done))
    }

    pub(super) fn status(&self) -> Status {
        let now = Reading::now();
        let lifetime = lock(&self.lifetime);
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Status {
            pid: std::process::id(),
            clients: lock(&self.clients).streams.len(),
            idle_left_ms: ms(lifetime.idle_left(now)),
            limit_left_ms: ms(lifetime.limit_left(now)),
            keys_locked: keys_are_locked(),
        }
    }

    /// Lets a client in, on a thread of its own.
    fn welcome(self: &Arc<Self>, stream: UnixStream) {
        let ready = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_write_timeout(Some(STALLED)));
        if ready.is_err() || !peer::is_ours(&stream) {
            return;
        }
        let number = {
            let mut clients = lock(&self.clients);
            if clients.streams.len() >= CLIENTS_MAX {
                drop(clients);
                refuse(&stream);
                return;
            }
            let Ok(other) = stream.try_clone() else {
                return;
            };
            clients.last += 1;
            let number = clients.last;
            clients.streams.insert(number, other);
            number
        };
        let seat = Seat {
            shared: self.clone(),
            number,
        };
        // Without a thread the seat is dropped, and with it the connection.
        std::thread::Builder::new()
            .spawn(move || Exchange::new(seat.shared.clone()).serve(&stream, seat))
            .ok();
    }

    /// Wipes the keys, after the requests under way.
    fn close(&self) {
        self.closing.store(true, Ordering::Release);
        for stream in lock(&self.clients).streams.values() {
            stream.shutdown(Shutdown::Read).ok();
        }
        let patience = Instant::now() + LAST_REQUEST;
        loop {
            match self.vault.try_lock() {
                Ok(mut vault) => {
                    vault.take();
                    break;
                }
                Err(TryLockError::Poisoned(poisoned)) => {
                    poisoned.into_inner().take();
                    break;
                }
                // A client waits for another process's lock: the end of this process ends that too.
                Err(TryLockError::WouldBlock) if Instant::now() >= patience => return,
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        let patience = Instant::now() + LAST_ANSWER;
        while !lock(&self.clients).streams.is_empty() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A client's place among those that are served; given up on drop.
pub(super) struct Seat {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.shared.clients).streams.remove(&self.number);
    }
}

/// Errors after which the key at hand is of no more use.
fn ends(error: &VaultError) -> Option<Reason> {
    match error {
        VaultError::Rekeyed => Some(Reason::Rekeyed),
        VaultError::HeaderMissing | VaultError::NoVault => Some(Reason::Broken),
        _ => None,
    }
}

fn refuse(mut stream: &UnixStream) {
    let answer = Answer {
        epoch: [0; 16],
        reply: Reply::Fault(Fault::Busy),
    };
    message::write(&mut stream, &answer, &[]).ok();
}

/// Serves until something ends it; then wipes the keys. Returns why.
pub(super) async fn run(
    listener: UnixListener,
    shared: Arc<Shared>,
    mut stopped: UnboundedReceiver<Reason>,
) -> std::io::Result<Reason> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let mut header = shared.store.revision(&Name::Header).ok().flatten();
    let reason = loop {
        let now = Reading::now();
        let (over, left) = {
            let lifetime = lock(&shared.lifetime);
            (lifetime.over(now), lifetime.left(now))
        };
        if let Some(reason) = over {
            break reason;
        }
        tokio::select! {
            biased;
            Some(reason) = stopped.recv() => break reason,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if let Ok(stream) = stream.into_std() {
                        shared.welcome(stream);
                    }
                }
                // Out of descriptors or memory: those who are served go on.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            () = tokio::time::sleep(left.min(TICK)) => look_at_header(&shared, &mut header),
        }
    };
    drop(listener);
    shared.close();
    Ok(reason)
}

/// Notices new keys also where no client asks for anything.
fn look_at_header(shared: &Shared, seen: &mut Option<Revision>) {
    let Ok(now) = shared.store.revision(&Name::Header) else {
        return;
    };
    if now == *seen {
        return;
    }
    // A client that is at work looks by itself.
    let busy = matches!(shared.vault.try_lock(), Err(TryLockError::WouldBlock));
    if !busy {
        *seen = now;
        shared.with_vault(|vault| vault.refresh()).ok();
    }
}
