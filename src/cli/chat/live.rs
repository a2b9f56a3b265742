//! What goes on while a person thinks: other processes' changes are taken in and told, and after
//! idle minutes the session is dropped, which wipes its keys.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::output::one_line;
use super::super::watch::POLL;
use crate::chat::{News, Session};
use crate::model::Id;
use crate::store::{Store, Watching};

type Printer = Box<dyn FnMut(String) + Send>;

struct Shared {
    session: Mutex<Option<Session>>,
    printer: Mutex<Option<Printer>>,
    touched: Mutex<Instant>,
    conversation: Mutex<Option<Id>>,
}

/// The session, shared with the thread that watches.
pub(super) struct Live {
    shared: Arc<Shared>,
    _watching: Option<Watching>,
    /// Ends the thread when dropped.
    _stop: Sender<Wake>,
}

enum Wake {
    Look,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Starts watching, where there is a store to watch; locks after `idle_minutes`, where given
    /// and not 0.
    pub(super) fn start(
        session: Session,
        store: Option<Arc<dyn Store>>,
        idle_minutes: Option<u64>,
    ) -> Self {
        let shared = Arc::new(Shared {
            session: Mutex::new(Some(session)),
            printer: Mutex::new(None),
            touched: Mutex::new(Instant::now()),
            conversation: Mutex::new(None),
        });
        let (stop, wakes) = mpsc::channel();
        let wake = stop.clone();
        let watching = store.as_ref().and_then(|store| {
            let wake = Box::new(move || {
                wake.send(Wake::Look).ok();
            });
            store.watch(wake).ok()
        });
        if store.is_some() {
            let idle = idle_minutes.filter(|minutes| *minutes > 0);
            let idle = idle.map(|minutes| Duration::from_secs(60 * minutes));
            let weak = Arc::downgrade(&shared);
            std::thread::spawn(move || {
                loop {
                    match wakes.recv_timeout(POLL) {
                        Ok(Wake::Look) => while wakes.try_recv().is_ok() {},
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                    let Some(shared) = weak.upgrade() else { return };
                    shared.look();
                    if idle.is_some_and(|idle| lock(&shared.touched).elapsed() >= idle) {
                        shared.lock_idle();
                    }
                }
            });
        }
        Live {
            shared,
            _watching: watching,
            _stop: stop,
        }
    }

    /// Where news are printed while a prompt is shown.
    pub(super) fn print_through(&mut self, printer: Option<Printer>) {
        *lock(&self.shared.printer) = printer;
    }

    /// The session, for the length of a turn.
    pub(super) fn hold(&self) -> MutexGuard<'_, Option<Session>> {
        lock(&self.shared.session)
    }

    pub(super) fn with(&self, look: impl FnOnce(&mut Session)) {
        if let Some(session) = self.hold().as_mut() {
            look(session);
        }
    }

    pub(super) fn touch(&self) {
        *lock(&self.shared.touched) = Instant::now();
    }

    pub(super) fn is_locked(&self) -> bool {
        self.hold().is_none()
    }

    /// Drops the session, and its keys with it.
    pub(super) fn lock(&self) {
        self.shared.drop_session();
    }

    pub(super) fn unlock(&self, session: Session) {
        *self.hold() = Some(session);
        self.touch();
    }

    pub(super) fn conversation(&self) -> Option<Id> {
        *lock(&self.shared.conversation)
    }

    pub(super) fn take(&self) -> Option<Session> {
        self.hold().take()
    }
}

impl Shared {
    /// Takes in what others appended and says so. A fault shows at the next turn, not here.
    fn look(&self) {
        let Ok(mut session) = self.session.try_lock() else {
            return;
        };
        let Some(session) = session.as_mut() else {
            return;
        };
        if session.refresh().is_err() {
            return;
        }
        let Some(line) = describe(&session.take_news()) else {
            return;
        };
        if let Some(print) = lock(&self.printer).as_mut() {
            print(format!("{line}\n"));
        }
    }

    fn lock_idle(&self) {
        if !self.drop_session() {
            return;
        }
        if let Some(print) = lock(&self.printer).as_mut() {
            print(
                "\x1b[H\x1b[2J\x1b[3JLocked after a while without a word; Enter goes on.\n".into(),
            );
        }
    }

    fn drop_session(&self) -> bool {
        let Some(session) = lock(&self.session).take() else {
            return false;
        };
        *lock(&self.conversation) = Some(session.conversation());
        true
    }
}

/// What other processes did, in one line.
pub(super) fn describe(news: &News) -> Option<String> {
    if news.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    let texts: Vec<String> = news.items.iter().map(|item| one_line(&item.text)).collect();
    match texts.as_slice() {
        [] => {}
        [one] => parts.push(format!("remembered: {one}")),
        several => parts.push(format!("{} items remembered or changed", several.len())),
    }
    if news.withdrawn > 0 {
        parts.push(format!("{} items forgotten", news.withdrawn));
    }
    if news.messages_here > 0 {
        parts.push(format!(
            "{} messages in this conversation",
            news.messages_here
        ));
    }
    if parts.is_empty() {
        // Talk in another conversation is nobody's business here.
        return None;
    }
    Some(format!("(another process: {})", parts.join("; ")))
}
