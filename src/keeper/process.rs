//! The keeper's process: how it begins, and how another one makes sure that it has ended.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::client::ask_once;
use super::error::KeeperError;
use super::fault::Fault;
use super::lifetime::{Reason, Times};
use super::message::{self, MessageError};
use super::peer::Peer;
use super::place::{Hold, Place};
use super::protocol::{Answer, Reply, Request, Status};
use super::server::{Shared, run};
use crate::seal::{Passphrase, RecoveryCode};
use crate::vault::{RemoteError, Secret, Vault, VaultError};

/// How long a keeper has to end once it was asked; a client's last request may take its time.
const END_PATIENCE: Duration = Duration::from_secs(8);
/// How long one that does not answer has after a signal that it may handle.
const DEAF_PATIENCE: Duration = Duration::from_secs(1);
/// How long a process lives on after a signal that it cannot refuse.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// A passphrase is far shorter.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// What the new process is to unlock with. It derives the keys by itself: they are in no other.
pub enum Handover {
    Passphrase(Passphrase),
    RecoveryCode(RecoveryCode),
}

#[derive(Serialize, Deserialize)]
enum Kind {
    Passphrase,
    RecoveryCode,
}

impl Handover {
    pub fn secret(&self) -> Secret<'_> {
        match self {
            Handover::Passphrase(passphrase) => Secret::Passphrase(passphrase),
            Handover::RecoveryCode(code) => Secret::RecoveryCode(code),
        }
    }

    fn write(&self, out: &mut impl io::Write) -> Result<(), MessageError> {
        match self {
            Handover::Passphrase(passphrase) => {
                message::write(out, &Kind::Passphrase, passphrase.bytes())
            }
            Handover::RecoveryCode(code) => {
                message::write(out, &Kind::RecoveryCode, code.text().as_bytes())
            }
        }
    }

    fn read(input: &mut impl io::Read) -> Result<Self, VaultError> {
        let read = message::read(input, |_: &Kind| SECRET_BYTES_MAX);
        let (kind, bytes) = read.ok().flatten().ok_or(RemoteError::Misunderstood)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| RemoteError::Misunderstood)?;
        Ok(match kind {
            Kind::Passphrase => {
                Handover::Passphrase(Passphrase::new(Zeroizing::new(text.to_owned()))?)
            }
            Kind::RecoveryCode => Handover::RecoveryCode(RecoveryCode::parse(text)?),
        })
    }
}

/// Starts `command`, which must end up in `serve`, and hands it what to unlock with. Returns when
/// the keeper answers, or with why it does not.
pub fn start(mut command: Command, secret: &Handover) -> Result<Status, KeeperError> {
    let not_started = |source| KeeperError::NotStarted { source };
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(not_started)?;
    let mut input = child.stdin.take().expect("stdin was piped");
    let mut output = child.stdout.take().expect("stdout was piped");
    // One that has ended already has said why, or its silence says it.
    secret.write(&mut input).ok();
    drop(input);
    match message::read::<Answer>(&mut output, |_| 0) {
        Ok(Some((Answer { reply, .. }, _))) => match reply {
            Reply::Status(status) => Ok(status),
            Reply::Fault(fault) => {
                child.wait().map_err(not_started)?;
                Err(VaultError::from(fault).into())
            }
            _ => Err(KeeperError::Misunderstood),
        },
        Ok(None) | Err(MessageError::Gone) => {
            child.wait().map_err(not_started)?;
            Err(not_started(io::ErrorKind::UnexpectedEof.into()))
        }
        Err(MessageError::Io(source)) => Err(not_started(source)),
        Err(_) => Err(KeeperError::Misunderstood),
    }
}

/// Is the keeper, from the hand-over on standard input to its end: unlocks by `open`, replaces a
/// keeper that was there, tells standard output, lets go of the terminal, and serves.
pub fn serve(
    times: Times,
    open: impl FnOnce(&Handover) -> Result<(Vault, Place), VaultError>,
) -> Result<(), KeeperError> {
    // Before anything else: Ctrl-C, and a terminal that closes, are for whoever started us.
    rustix::process::setsid().ok();
    let failed = |source| KeeperError::NotStarted { source };
    // Descriptors of our own: a buffer of the standard library would keep the passphrase.
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
    let begun = begin(&mut input, times, open);
    drop(input);
    let (server, reply) = match begun {
        Ok(server) => {
            let status = server.shared.status();
            (Ok(server), Reply::Status(status))
        }
        Err(KeeperError::Vault(error)) => (Err(None), Reply::Fault(error.into())),
        Err(other) => (Err(Some(other)), Reply::Fault(Fault::Failed)),
    };
    let answer = Answer {
        epoch: [0; 16],
        reply,
    };
    let told = message::write(&mut output, &answer, &[]);
    drop(output);
    match (server, told) {
        (Ok(server), Ok(())) => {
            leave_terminal().map_err(failed)?;
            server.run().map_err(failed)
        }
        // Nobody knows of us: no orphan.
        (Ok(server), Err(_)) => server.place.clear(&server.hold),
        (Err(Some(error)), _) => Err(error),
        (Err(None), _) => Ok(()),
    }
}

struct Server {
    place: Place,
    hold: Hold,
    listener: std::os::unix::net::UnixListener,
    shared: std::sync::Arc<Shared>,
    stopped: tokio::sync::mpsc::UnboundedReceiver<Reason>,
}

fn begin(
    input: &mut File,
    times: Times,
    open: impl FnOnce(&Handover) -> Result<(Vault, Place), VaultError>,
) -> Result<Server, KeeperError> {
    let (vault, place) = open(&Handover::read(input)?)?;
    place.prepare()?;
    let (_, hold) = quiet(&place)?;
    let listener = place.listen(&hold)?;
    let (shared, stopped) = Shared::new(vault, times);
    Ok(Server {
        place,
        hold,
        listener,
        shared,
        stopped,
    })
}

/// A background process keeps no terminal, no pipe and no directory of who started it.
fn leave_terminal() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    rustix::process::chdir("/")?;
    Ok(())
}

impl Server {
    fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut hangup = signal(SignalKind::hangup())?;
            let shared = self.shared.clone();
            tokio::spawn(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {}
                }
                shared.stop(Reason::Signal);
            });
            run(self.listener, self.shared.clone(), self.stopped).await
        });
        // Whoever waits for the lock finds no socket; the lock itself goes with the process.
        self.place.clear(&self.hold).ok();
        outcome.map(|_| ())
    }
}

/// Makes sure that no keeper lives and no socket lies there. Returns whether one lived.
pub fn stop(place: &Place) -> Result<bool, KeeperError> {
    match place.is_there()? {
        true => quiet(place).map(|(was, _)| was),
        false => Ok(false),
    }
}

/// Ends the keeper that holds the place, if one does, and takes it.
fn quiet(place: &Place) -> Result<(bool, Hold), KeeperError> {
    if let Some(hold) = place.hold(Duration::ZERO)? {
        place.clear(&hold)?;
        return Ok((false, hold));
    }
    let mut pid = None;
    let mut answers = true;
    if let Some(stream) = place.connect()? {
        pid = Peer::of(&stream).map(|peer| peer.pid);
        answers = ask_once(&stream, &Request::Lock).is_ok();
    }
    // It answers from a thread that waits for nothing: one that does not will not end by itself.
    let (asked, told) = match answers {
        true => (END_PATIENCE, END_PATIENCE),
        false => (Duration::ZERO, DEAF_PATIENCE),
    };
    let mut hold = place.hold(asked)?;
    for (signal, patience) in [(Signal::TERM, told), (Signal::KILL, KILL_PATIENCE)] {
        if hold.is_none() && pid.is_some_and(|pid| send(pid, signal)) {
            hold = place.hold(patience)?;
        }
    }
    match (hold, pid) {
        (Some(hold), _) => {
            place.clear(&hold)?;
            Ok((true, hold))
        }
        (None, Some(pid)) => Err(KeeperError::NotStopped { pid }),
        (None, None) => Err(KeeperError::Contended),
    }
}

fn send(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
}
