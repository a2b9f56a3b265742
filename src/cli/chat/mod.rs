//! `agent chat`: the private chat on a terminal, or line by line from a pipe.

mod commands;
mod editor;
mod live;

use std::io::BufRead;
use std::process::ExitCode;

use super::args::{ChatArgs, InitArgs};
use super::ask::say_after;
use super::consent::{Circumstances, obtain};
use super::failure::Failure;
use super::history::local;
use super::init;
use super::output::{complain, one_line, print, stderr_is_terminal, stdin_is_terminal, whisper};
use super::secret_input::{ask_hidden, ask_key, has_terminal};
use super::shell::{Shell, now};
use super::talk::{self, Display};
use crate::chat::{ChatError, Opening, Session};
use crate::model::{Stop, Surface, Text};
use crate::provider::{Chosen, Why};
use crate::seal::Passphrase;
use crate::store::StoreError;
use crate::vault::{LockedVault, ProviderKeys, Vault, VaultError};
use commands::{Command, Outcome};
use editor::{Editor, Line};
use live::Live;

/// A chat as it goes on.
pub(super) struct Chatting {
    shell: Shell,
    args: ChatArgs,
    live: Live,
    chosen: Chosen,
    keys: ProviderKeys,
    /// Words may go to the model's host: asked once a sitting.
    consented: bool,
    /// What went into the last request, for `/why`.
    last: Option<crate::chat::Composed>,
    /// Files to put before the next message.
    attach: Vec<std::path::PathBuf>,
}

pub(super) fn run(shell: Shell, args: ChatArgs) -> Result<ExitCode, Failure> {
    let settings = talk::settings(&shell, &args.talk, Surface::Chat);
    let (session, keys, watched) = if args.talk.incognito {
        (talk::incognito(settings)?, ProviderKeys::default(), None)
    } else {
        let vault = open_or_make(&shell)?;
        let keys = vault.provider_keys()?;
        let store = vault.store().clone();
        let opening = talk::opening(&args.talk).unwrap_or(Opening::LastOrNew);
        (
            talk::session(&shell, vault, settings, opening)?,
            keys,
            Some(store),
        )
    };
    let chosen = talk::choose(&shell, args.talk.model.as_deref(), &keys)?;
    let interactive = stdin_is_terminal() && stderr_is_terminal();
    let idle_minutes = u64::from(shell.config.idle_lock_minutes);
    let live = Live::start(session, watched, interactive.then_some(idle_minutes));
    let attach = args.talk.attach.clone();
    let mut chatting = Chatting {
        shell,
        args,
        live,
        chosen,
        keys,
        consented: false,
        last: None,
        attach,
    };
    chatting.greet();
    let outcome = if interactive {
        chatting.on_a_terminal()
    } else {
        chatting.from_a_pipe()
    };
    let code = outcome?;
    if let Some(session) = chatting.live.take() {
        session.end(now())?;
    }
    Ok(code)
}

/// Opens the vault; where there is none, offers to make one.
fn open_or_make(shell: &Shell) -> Result<Vault, Failure> {
    match shell.unlock_to_write() {
        Err(failure) if is_missing(&failure) && has_terminal() && stdin_is_terminal() => {
            complain(&format!(
                "There is no vault in {} yet.",
                shell.paths.state_dir.display()
            ));
            if ask_key("Make one now? [Y/n] ", "yn", 'y')? == 'n' {
                return Err(failure);
            }
            let args = InitArgs {
                kdf_memory: None,
                kdf_passes: None,
                kdf_lanes: None,
                with_recovery_code: false,
            };
            let (vault, _) = init::make(shell, &args)?;
            complain("Done. From now on, everything said here is sealed with your passphrase.");
            Ok(vault)
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
    fn model_name(&self) -> String {
        let name = format!("{}/{}", self.chosen.provider.name(), self.chosen.model);
        name.replace("offline/offline", "offline")
    }

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
        lines.push(format!("Talking to {}, {host}{why}.", self.model_name()));
        let incognito = self.args.talk.incognito;
        self.live.with(|session| {
            if incognito {
                lines.push("Incognito: nothing of this is written anywhere.".to_owned());
            } else if session.continues() {
                lines.push(continuing(session));
            }
        });
        lines.push("/help shows the commands; Ctrl-D leaves.".to_owned());
        lines.iter().for_each(|line| self.shell.note(line));
    }

    fn on_a_terminal(&mut self) -> Result<ExitCode, Failure> {
        let mut editor = Editor::new(&self.shell)?;
        self.live.print_through(editor.printer());
        let mut earlier = Vec::new();
        self.live.with(|session| earlier = session.typed());
        editor.remember(earlier);
        let mut interrupted = false;
        loop {
            self.say_news();
            let line = match editor.read() {
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
            if self.live.is_locked() {
                editor.forget();
                self.unlock_again()?;
            }
            match self.line(&line) {
                Ok(Outcome::Go) => {}
                Ok(Outcome::Leave) => return Ok(ExitCode::SUCCESS),
                Err(failure) if self.survives(&failure) => failure.report(false),
                Err(failure) => return Err(failure),
            }
            self.live.touch();
        }
    }

    fn from_a_pipe(&mut self) -> Result<ExitCode, Failure> {
        let mut at = 0;
        for line in std::io::stdin().lock().split(b'\n') {
            let bytes = line.map_err(Failure::Input)?;
            let length = bytes.len() + 1;
            let line = String::from_utf8(bytes).map_err(|e| Failure::InputEncoding {
                at: at + e.utf8_error().valid_up_to(),
            })?;
            at += length;
            match self.line(line.trim_end_matches('\r'))? {
                Outcome::Go => {}
                Outcome::Leave => break,
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What a chat goes on after: a turn that failed is not the end of it.
    fn survives(&self, failure: &Failure) -> bool {
        !matches!(
            failure,
            Failure::BrokenPipe | Failure::Output(_) | Failure::NoTerminal
        )
    }

    fn line(&mut self, line: &str) -> Result<Outcome, Failure> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(Outcome::Go);
        }
        match Command::parse(line) {
            Some(command) => self.command(command),
            None => self.turn(Text::from(line)).map(|()| Outcome::Go),
        }
    }

    /// One turn. Where another process has changed the keys, the new passphrase is asked for and
    /// the line is said then: it is not lost, and never lands under the old key.
    fn turn(&mut self, line: Text) -> Result<(), Failure> {
        let files = std::mem::take(&mut self.attach);
        let text = talk::with_attachments(&files, line)?;
        match self.turn_once(text.clone()) {
            Err(Failure::Chat(ChatError::Vault(VaultError::Rekeyed))) if has_terminal() => {
                self.live.lock();
                complain("Another process has changed the vault's keys.");
                self.unlock_again()?;
                self.turn_once(text)
            }
            other => other,
        }
    }

    fn turn_once(&mut self, text: Text) -> Result<(), Failure> {
        let Chatting {
            shell,
            live,
            chosen,
            consented,
            last,
            args,
            ..
        } = self;
        let mut guard = live.hold();
        let Some(session) = guard.as_mut() else {
            return Err(VaultError::Rekeyed.into());
        };
        session.refresh()?;
        if !*consented && !args.talk.incognito {
            let circumstances = Circumstances {
                why: &chosen.why,
                yes: false,
                one_shot: false,
            };
            obtain(shell, session, chosen.provider.as_ref(), &circumstances)?;
            *consented = true;
        }
        session.say(text, now())?;
        let answer = talk::answer(shell, session, chosen, &Display::Streamed)?;
        let said = answer
            .message
            .as_ref()
            .map(|message| message.plain())
            .unwrap_or_default();
        if !said.is_empty() && !said.ends_with('\n') {
            print("\n")?;
        }
        match answer.message.as_ref().and_then(|message| message.stop) {
            Some(Stop::Interrupted) => complain("(stopped; what came is kept)"),
            Some(Stop::Length) => complain("(cut at the token limit)"),
            Some(Stop::Refused) => complain("(the model declined)"),
            Some(Stop::Cut) => complain("(cut off; what came is kept)"),
            _ => {}
        }
        say_after(shell, &answer);
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
        let mut line = None;
        self.live
            .with(|session| line = live::describe(&session.take_news()));
        line.iter().for_each(|line| self.shell.note(line));
    }

    /// After an idle lock, `/lock`, or new keys: asks for the passphrase and goes on where it was.
    fn unlock_again(&mut self) -> Result<(), Failure> {
        let conversation = self.live.conversation();
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
                    let settings = talk::settings(&self.shell, &self.args.talk, Surface::Chat);
                    let opening = conversation.map_or(Opening::LastOrNew, Opening::This);
                    let session = talk::session(&self.shell, vault, settings, opening)?;
                    self.live.unlock(session);
                    return Ok(());
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

/// Clears the screen and what scrolled off it.
pub(super) fn clear_screen() {
    whisper("\x1b[H\x1b[2J\x1b[3J");
}
