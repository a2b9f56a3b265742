//! For tests of this room: a provider that says what its script says, and sessions in RAM.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Mutex;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use serde_json::Value;

use super::session::{Opening, Session, Settings};
use super::turn::{Answer, Told};
use crate::memory::Budgets;
use crate::model::{Stop, Surface, Timestamp};
use crate::provider::{Event, ModelInfo, Provider, ProviderError, Request, ToolUse};
use crate::vault::{Log, ScratchLog};

thread_local! {
    /// How far this test's clock was put forward.
    static MINUTES: Cell<i64> = const { Cell::new(0) };
}

pub(super) fn at() -> Timestamp {
    let start: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    start + jiff::SignedDuration::from_mins(MINUTES.get())
}

/// Puts the clock of this test forward.
pub(super) fn pass_minutes(minutes: i64) {
    MINUTES.set(MINUTES.get() + minutes);
}

/// Answers each request with the next of its script; behind the end, with nothing, as a stream
/// that breaks off. Keeps what it was asked.
#[derive(Default)]
pub(super) struct Scripted {
    script: Mutex<VecDeque<Vec<Event>>>,
    asked: Mutex<Vec<Request>>,
    pub(super) host: Option<String>,
    /// Behind the script's end: nothing at all, for ever.
    hangs: bool,
}

impl Scripted {
    pub(super) fn new(script: Vec<Vec<Event>>) -> Self {
        Scripted {
            script: Mutex::new(script.into()),
            ..Scripted::default()
        }
    }

    /// Never answers.
    pub(super) fn hanging() -> Self {
        Scripted {
            hangs: true,
            ..Scripted::default()
        }
    }

    pub(super) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

impl Provider for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Event, ProviderError>> {
        self.asked.lock().unwrap().push(request.clone());
        let events = self.script.lock().unwrap().pop_front();
        match events {
            None if self.hangs => stream::pending().boxed(),
            events => stream::iter(events.unwrap_or_default()).map(Ok).boxed(),
        }
    }

    fn preview(&self, _request: &Request) -> Option<crate::provider::Preview> {
        None
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// A whole answer.
pub(super) fn says(text: &str) -> Vec<Event> {
    vec![Event::Text(text.into()), Event::Done(Stop::End)]
}

pub(super) fn calls(id: &str, name: &str, input: Value) -> Event {
    Event::ToolUse(ToolUse {
        id: id.into(),
        name: name.into(),
        input,
    })
}

pub(super) fn settings() -> Settings {
    Settings {
        window_messages: 20,
        window_tokens: 24_000,
        max_tokens: 100,
        temperature: None,
        budgets: Budgets::default(),
        system: None,
        frame: None,
        use_memory: true,
        learns: true,
        surface: Surface::Chat,
        project: None,
    }
}

pub(super) fn session_on(log: Box<dyn Log>, opening: Opening) -> Session {
    Session::open(log, None, settings(), opening).unwrap()
}

pub(super) fn session() -> Session {
    session_on(Box::new(ScratchLog::default()), Opening::New)
}

/// Waits for what needs no waiting.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(future).expect("a script answers at once")
}

/// One turn; the answer's text as it was shown.
pub(super) fn turn(session: &mut Session, provider: &Scripted, line: &str) -> (Answer, String) {
    session.say(line.into(), at()).unwrap();
    let recalled = session.recall(provider, at()).unwrap();
    let composed = session.compose(provider, "m", &recalled, at()).unwrap();
    let mut shown = String::new();
    let mut tell = |told: Told| {
        if let Told::Text(text) = told {
            shown.push_str(&text);
        }
    };
    let never = std::future::pending();
    let answer = now(session.answer(provider, composed, at, never, &mut tell)).unwrap();
    (answer, shown)
}

/// The texts of the active items.
pub(super) fn active(session: &Session) -> Vec<String> {
    let active = session.memory.fold.active();
    active
        .map(|stored| stored.item.text.as_str().to_owned())
        .collect()
}
