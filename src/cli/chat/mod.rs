//! `agent chat`: the private chat on a terminal, or line by line from a pipe.

mod ahead;
mod asking;
mod commands;
mod editor;
mod incognito;
mod piped;
mod remembering;
mod turning;
mod words;

use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::args::ChatArgs;
use super::ask::say_after;
use super::attach::{self, Bundle};
use super::consent::{Circumstances, look_for_secrets, obtain};
use super::failure::Failure;
use super::first;
use super::history::local;
use super::meaning;
use super::memory::learn::{self, Left};
use super::output::{complain, laid_out, one_line, stderr_is_terminal, stdin_is_terminal, whisper};
use super::reply::{self, Display};
use super::secret_input::{ask_hidden, has_terminal};
use super::shell::{Shell, now};
use super::talk::{self, Answered};
use super::watch::POLL;
use crate::chat::{ChatError, News, Opening, Session};
use crate::keeper::Opened;
use crate::memory::Filter;
use crate::model::{Id, Stop, Surface, Text};
use crate::provider::{Chosen, Why};
use crate::seal::Passphrase;
use crate::store::{Claim, Store, StoreError, Watching};
use crate::vault::{LockedVault, ProviderKeys, RemoteError, VaultError};
use ahead::{Pasting, Waiting};
use commands::{Command, Outcome};
use editor::{Editor, Line};
use words::Words;

/// What wakes a chat that waits for its person.
enum Event {
    Line(Line),
    /// Something in the vault's directory may have changed.
    Look,
}

/// A chat as it goes on.
pub(super) struct Chatting {
    shell: Shell,
    args: ChatArgs,
    /// None while locked: its keys are wiped.
    session: Option<Session>,
    /// Where to go on after a lock.
    conversation: Id,
    chosen: Chosen,
    keys: ProviderKeys,
    /// Words may go to the model's host: asked once a sitting.
    consented: bool,
    /// What went into the last request, for `/why`.
    last: Option<crate::chat::Composed>,
    /// Files that go with the next message.
    attach: Vec<std::path::PathBuf>,
    /// Nothing of what is said is kept.
    incognito: bool,
    /// What is remembered is read even so.
    reads_memory: bool,
    /// The session on the vault while the chat is incognito for a while.
    aside: Option<Session>,
    /// Where the hits of the last search are, for `/show`.
    hits: Vec<Option<(Id, Id)>>,
    /// Changes of memory that were taken back, and those that did so.
    undone: Vec<u64>,
    words: Arc<Mutex<Words>>,
    /// The terminal, where somebody may type ahead on one.
    waiting: Option<Waiting>,
    /// What the line editor remembers is to be forgotten: the passphrase was asked for.
    was_locked: bool,
}

pub(super) fn run(shell: Shell, args: ChatArgs) -> Result<ExitCode, Failure> {
    let mut shell = shell;
    let settings = talk::settings(&shell, &args.talk, Surface::Chat)?;
    let mut claim = None;
    let (session, keys, store) = if args.talk.incognito || args.talk.with_memory {
        let reads = args.talk.with_memory;
        let (session, keys) = talk::unkept(&shell, settings, &args.talk, reads)?;
        let store = reads.then(|| shell.store()).transpose()?;
        (session, keys, store)
    } else {
        let mut vault = open_or_make(&mut shell)?;
        let keys = vault.provider_keys()?;
        let store = shell.store()?;
        let opening = talk::opening(&args.talk).unwrap_or(Opening::LastOrNew);
        let mut session = talk::session(&shell, Box::new(vault), settings, opening.clone())?;
        claim = claim_of(store.as_ref(), &session);
        if claim.is_none() && opening == Opening::LastOrNew {
            shell.note("The last conversation is open in another window; this is a new one.");
            session.turn_to(Opening::New)?;
            claim = claim_of(store.as_ref(), &session);
        }
        meaning::attach(&shell, &mut session, &keys);
        (session, keys, Some(store))
    };
    let mut session = session;
    talk::take_role(&mut session, &args.talk)?;
    let chosen = talk::choose(&shell, args.talk.model.as_deref(), &keys)?;
    let attach = args.talk.attach.clone();
    let (incognito, reads_memory) = (args.talk.incognito, args.talk.with_memory);
    let mut chatting = Chatting {
        shell,
        args,
        conversation: session.conversation(),
        session: Some(session),
        chosen,
        keys,
        consented: false,
        last: None,
        attach,
        incognito,
        reads_memory,
        aside: None,
        hits: Vec::new(),
        undone: Vec::new(),
        words: Arc::default(),
        waiting: None,
        was_locked: false,
    };
    chatting.greet();
    let code = match stdin_is_terminal() && stderr_is_terminal() {
        true => chatting.on_a_terminal(store),
        false => chatting.on_a_pipe(),
    };
    chatting.waiting = None;
    let code = code?;
    if let Some(mut session) = chatting.aside.take().or(chatting.session.take()) {
        if !chatting.args.talk.incognito {
            let Chatting {
                shell,
                chosen,
                keys,
                ..
            } = &chatting;
            learn::at_the_end(shell, &mut session, chosen, keys, Left::with(code));
            meaning::at_the_end(shell, &mut session);
        }
        session.end(now())?;
    }
    drop(claim);
    Ok(code)
}

/// Tells the chat to look whenever another process may have changed something.
fn watch(store: Option<Arc<dyn Store>>, events: Sender<Event>) -> Option<Watching> {
    let wake = Box::new(move || {
        events.send(Event::Look).ok();
    });
    store.and_then(|store| store.watch(wake).ok())
}

/// Marks the conversation as open in this window.
fn claim_of(store: &dyn Store, session: &Session) -> Option<Claim> {
    store
        .claim(talk::claim_name(session.conversation()))
        .ok()
        .flatten()
}

/// Opens the vault; where there is none, offers to make one.
fn open_or_make(shell: &mut Shell) -> Result<Opened, Failure> {
    match shell.open_to_write() {
        Err(failure) if is_missing(&failure) && has_terminal() && stdin_is_terminal() => {
            first::offer_vault(shell, failure)
        }
        other => other,
    }
}

fn is_missing(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Chat(ChatError::Vault(
            VaultError::NoVault | VaultError::Store(StoreError::NoDirectory(_))
        ))
    )
}

impl Chatting {
    fn greet(&mut self) {
        let mut lines = Vec::new();
        let host = self.chosen.provider.host().map_or_else(
            || "nothing leaves this machine".to_owned(),
            |host| format!("at {host}"),
        );
        let why = match &self.chosen.why {
            Why::Named | Why::Configured => String::new(),
            Why::Variable(variable) => format!(", found by {variable}"),
            Why::SealedKey(_) => ", with the key sealed in the vault".to_owned(),
            Why::NothingConfigured => ", since no model is configured".to_owned(),
        };
        lines.push(format!("Talking to {}, {host}{why}.", self.chosen.name()));
        let reads = match self.args.talk.with_memory {
            true => "what is remembered is read, and ",
            false => "",
        };
        if self.args.talk.incognito {
            lines.push(format!(
                "Incognito: {reads}nothing of this is written anywhere."
            ));
        }
        let session = self.session.as_ref();
        lines.extend(session.and_then(talk::project_line));
        lines.extend(session.filter(|s| s.continues()).map(continuing));
        lines.push("/help shows the commands; Ctrl-D leaves.".to_owned());
        lines.iter().for_each(|line| self.shell.note(line));
    }

    fn on_a_terminal(&mut self, store: Option<Arc<dyn Store>>) -> Result<ExitCode, Failure> {
        let (sender, events) = mpsc::channel();
        let mut editor = Editor::start(sender.clone(), self.words.clone())?;
        let _watching = watch(store, sender);
        editor.remember(self.typed_lately());
        self.waiting = Waiting::begin(&self.shell);
        let mut interrupted = false;
        loop {
            self.say_news();
            let line = match self.next_line(&mut editor, &events) {
                Line::Typed(line) => line,
                Line::Interrupted if interrupted => return Ok(ExitCode::SUCCESS),
                Line::Interrupted => {
                    complain("(Ctrl-C again, or Ctrl-D, leaves)");
                    interrupted = true;
                    continue;
                }
                Line::End => return Ok(ExitCode::SUCCESS),
                Line::Failed(error) => return Err(Failure::Input(error)),
            };
            interrupted = false;
            if self.session.is_none() {
                editor.forget();
                self.unlock_again()?;
            }
            let outcome = self.line(&line);
            if std::mem::take(&mut self.was_locked) {
                editor.forget();
                editor.remember(self.typed_lately());
            }
            match outcome {
                Ok(true) => {}
                Ok(false) => return Ok(ExitCode::SUCCESS),
                Err(failure) if self.survives(&failure) => failure.report(false),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Waits for a line; meanwhile takes in and tells what other processes do, and locks after
    /// idle minutes.
    fn next_line(&mut self, editor: &mut Editor, events: &Receiver<Event>) -> Line {
        let minutes = u64::from(self.shell.config.idle_lock_minutes);
        let idle = Duration::from_secs(60 * minutes);
        let since = Instant::now();
        self.offer_words();
        editor.prompt();
        loop {
            match events.recv_timeout(POLL) {
                Ok(Event::Line(line)) => {
                    if let Some(waiting) = &self.waiting {
                        waiting.again();
                    }
                    return line;
                }
                Ok(Event::Look) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Line::End,
            }
            if let Some(line) = self.look() {
                editor.print_above(&laid_out(&line));
            }
            if minutes > 0 && self.session.is_some() && since.elapsed() >= idle {
                self.lock();
                editor.print_above(
                    "\x1b[H\x1b[2J\x1b[3JLocked after a while without a word; Enter goes on.",
                );
            }
        }
    }

    fn typed_lately(&self) -> Vec<Text> {
        let session = self.session.as_ref();
        session.map(Session::typed_lately).unwrap_or_default()
    }

    /// What is open; while the chat is locked, nothing is.
    fn open_session(&mut self) -> Result<&mut Session, Failure> {
        let locked = Failure::from(VaultError::Remote(RemoteError::Locked));
        self.session.as_mut().ok_or(locked)
    }

    /// What is open, for what is to stay: incognito, nothing does.
    fn kept_session(&mut self) -> Result<&mut Session, Failure> {
        match self.incognito {
            true => Err(Failure::Incognito),
            false => self.open_session(),
        }
    }

    /// Offers what the line may be completed to.
    fn offer_words(&mut self) {
        let Some(session) = &self.session else { return };
        let memory = &session.memory.fold;
        let short = |text: &str| one_line(text).chars().take(60).collect::<String>();
        let here = session.project();
        let items = memory.items(Filter::default());
        let items = items.filter(|stored| stored.item.comes_up_in(here));
        let windows = session.buffer.fold.newest_first();
        let roles = session.buffer.fold.roles();
        let words = Words {
            items: items
                .map(|stored| (memory.short_id(stored.item.id), short(&stored.item.text)))
                .collect(),
            conversations: windows
                .iter()
                .map(|(id, window)| {
                    let first = window.messages.front();
                    let text = first.and_then(|kept| kept.text.as_deref());
                    (id.to_string(), short(text.unwrap_or_default()))
                })
                .collect(),
            models: talk::model_names(&self.shell),
            roles: roles
                .map(|(name, prompt)| (one_line(name), short(prompt)))
                .collect(),
        };
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// Takes in what others appended. A fault shows at the next turn, not here.
    fn look(&mut self) -> Option<String> {
        let session = self.session.as_mut()?;
        session.refresh().ok()?;
        describe(&session.take_news())
    }

    /// Drops the session, and its keys with it. Who was incognito stays so.
    pub(super) fn lock(&mut self) {
        let session = self.session.take();
        if let Some(session) = self.aside.take().or(session) {
            self.conversation = session.conversation();
        }
        self.hits.clear();
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = Words::default();
        self.keys = ProviderKeys::default();
        self.was_locked = true;
    }

    /// What a chat goes on after: a turn that failed is not the end of it.
    fn survives(&self, failure: &Failure) -> bool {
        !matches!(
            failure,
            Failure::BrokenPipe | Failure::Output(_) | Failure::NoTerminal
        )
    }

    /// Says or does what was typed. False: the chat is over.
    fn line(&mut self, line: &str) -> Result<bool, Failure> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(true);
        }
        match Command::parse(line) {
            Some(command) => match self.command(command)? {
                Outcome::Say(text) => self.turn(text).map(|()| true),
                Outcome::Go => Ok(true),
                Outcome::Leave => Ok(false),
            },
            None => {
                let line = line
                    .strip_prefix('/')
                    .filter(|l| l.starts_with('/'))
                    .unwrap_or(line);
                self.turn(Text::from(line)).map(|()| true)
            }
        }
    }

    /// One turn. Where another process has changed the keys, or the keeper has locked the vault,
    /// the passphrase is asked for and the line is said then: it is not lost, and never lands
    /// under the old key.
    fn turn(&mut self, line: Text) -> Result<(), Failure> {
        let files = std::mem::take(&mut self.attach);
        look_for_secrets(self.chosen.provider.as_ref(), &line)?;
        let bundle = attach::bundle(&files, line, now())?;
        match self.turn_once(&bundle) {
            Err(Failure::Chat(ChatError::Vault(
                why @ (VaultError::Rekeyed | VaultError::Remote(RemoteError::Locked)),
            ))) if has_terminal() => {
                self.lock();
                complain(match why {
                    VaultError::Rekeyed => "Another process has changed the vault's keys.",
                    _ => "The keeper has locked the vault.",
                });
                self.unlock_again()?;
                self.turn_once(&bundle)
            }
            other => other,
        }
    }

    fn turn_once(&mut self, bundle: &Bundle) -> Result<(), Failure> {
        let Chatting {
            shell,
            session,
            chosen,
            consented,
            last,
            args,
            incognito,
            reads_memory,
            waiting,
            ..
        } = self;
        let Some(session) = session.as_mut() else {
            return Err(VaultError::Rekeyed.into());
        };
        session.refresh()?;
        // Incognito, nothing but what was just typed leaves, unless memory goes with it.
        if !*consented && (!*incognito || *reads_memory) {
            let circumstances = Circumstances {
                why: &chosen.why,
                yes: false,
                one_shot: false,
            };
            obtain(shell, session, chosen.provider.as_ref(), &circumstances)?;
            *consented = true;
        }
        session.say_with(bundle.content.clone(), bundle.images.clone(), now())?;
        let display = Display::of(shell, args.talk.no_markdown);
        let pasting = waiting.as_ref().map(|_| Pasting::begin());
        let answered = talk::answer(shell, session, chosen, display);
        drop(pasting);
        let Answered { answer, timing } = answered?;
        match answer.message.as_ref().and_then(|message| message.stop) {
            Some(Stop::Interrupted) => complain("(stopped; what came is kept)"),
            Some(Stop::Length) => complain("(cut at the token limit)"),
            Some(Stop::Refused) => complain("(the model declined)"),
            Some(Stop::Cut) => complain("(cut off; what came is kept)"),
            _ => {}
        }
        say_after(shell, &answer);
        reply::say_summary(shell, &answer, timing);
        *last = Some(answer.composed);
        if let Some(fault) = answer.fault {
            Failure::from(fault).report(false);
        }
        if let Err(error) = session.settle() {
            shell.note(&format!("warning: {error}"));
        }
        Ok(())
    }

    fn say_news(&mut self) {
        let news = self
            .session
            .as_mut()
            .map(Session::take_news)
            .unwrap_or_default();
        describe(&news)
            .iter()
            .for_each(|line| self.shell.note(line));
    }

    /// After an idle lock, `/lock`, or new keys: asks for the passphrase and goes on where it was.
    fn unlock_again(&mut self) -> Result<(), Failure> {
        if self.args.talk.incognito && !self.args.talk.with_memory {
            complain("What was said incognito is gone; this is a new conversation.");
            let settings = talk::settings(&self.shell, &self.args.talk, Surface::Chat)?;
            self.session = Some(talk::incognito(settings)?);
            return Ok(());
        }
        loop {
            let typed = ask_hidden("Locked. Passphrase: ")?;
            if typed.is_empty() {
                continue;
            }
            let passphrase = Passphrase::new(typed)?;
            let locked = LockedVault::open(self.shell.store()?, self.shell.wait())?;
            match locked.unlock(&passphrase) {
                Ok(vault) => {
                    self.keys = vault.provider_keys()?;
                    return self.go_on_with(Opened::Vault(Box::new(vault)));
                }
                Err(VaultError::WrongPassphrase) => complain("That is not it."),
                Err(other) => return Err(other.into()),
            }
        }
    }
}

fn continuing(session: &Session) -> String {
    let window = session.buffer.fold.window(session.conversation());
    let last = window.and_then(|window| window.messages.back());
    match (window, last) {
        (Some(window), Some(last)) => {
            let start = last.text.as_deref().map(one_line).unwrap_or_default();
            let start: String = start.chars().take(50).collect();
            format!(
                "Continuing the conversation of {} ({} messages; last: “{start}”); /new starts \
                 another.",
                local(last.at),
                window.count
            )
        }
        _ => "Continuing an earlier conversation; /new starts another.".to_owned(),
    }
}

/// What other processes did, in one line.
fn describe(news: &News) -> Option<String> {
    let mut parts = Vec::new();
    let texts: Vec<String> = news.items.iter().map(|item| one_line(&item.text)).collect();
    match texts.as_slice() {
        [] => {}
        [one] => parts.push(format!("remembered: {one}")),
        several => parts.push(format!("{} items remembered or changed", several.len())),
    }
    match news.withdrawn {
        0 => {}
        1 => parts.push("an item forgotten".to_owned()),
        several => parts.push(format!("{several} items forgotten")),
    }
    match news.messages_here {
        0 => {}
        1 => parts.push("a message in this conversation".to_owned()),
        several => parts.push(format!("{several} messages in this conversation")),
    }
    // Talk in another conversation is nobody's business here.
    (!parts.is_empty()).then(|| format!("(another process: {})", parts.join("; ")))
}

/// Clears the screen and what scrolled off it.
pub(super) fn clear_screen() {
    whisper("\x1b[H\x1b[2J\x1b[3J");
}
