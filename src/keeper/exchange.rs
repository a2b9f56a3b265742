//! One client's questions, answered on the vault.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::ahead::Opened;
use super::fault::Fault;
use super::lifetime::Reason;
use super::message::{self, MessageError, Payload};
use super::protocol::{Answer, Condition, Reply, Request, VERSION};
use super::protocol::{put_entries, take_lines};
use super::server::{Seat, Shared};
use crate::model::Record;
use crate::seal::EpochId;
use crate::store::Wait;
use crate::vault::{IndexFiles, Log, Vault, VaultError, VaultIndex};

/// Longer than anybody waits for another process.
const WAIT_MAX: Duration = Duration::from_secs(3600);

pub(super) struct Exchange {
    shared: Arc<Shared>,
    /// How long this client waits for other processes; none before its `Hello`.
    wait: Option<Wait>,
    /// The index's files of the epoch in which they were last opened, and the lock on them.
    index: Option<VaultIndex>,
    ahead: Opened,
    epoch: EpochId,
}

/// What goes back: a reply, and the bytes behind it.
type Answered = Result<(Reply, Payload), Fault>;

fn plain(reply: Reply) -> Answered {
    Ok((reply, Payload::default()))
}

impl Exchange {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Exchange {
            shared,
            wait: None,
            index: None,
            ahead: Opened::default(),
            epoch: EpochId([0; 16]),
        }
    }

    /// Answers until the client goes, or says what is no request.
    pub(super) fn serve(mut self, stream: &UnixStream, _seat: Seat) {
        loop {
            let answered = match message::receive(stream, None, Request::payload_max) {
                Ok(Some((request, payload))) => self.answer(request, payload),
                Err(MessageError::Malformed | MessageError::TooLong { .. }) => {
                    Err(Fault::Misunderstood)
                }
                Ok(None) | Err(MessageError::Gone | MessageError::Io(_)) => return,
            };
            let last = matches!(answered, Err(Fault::Misunderstood | Fault::OtherVersion));
            let (reply, payload) =
                answered.unwrap_or_else(|fault| (Reply::Fault(fault), Payload::default()));
            if self.send(stream, reply, &payload).is_err() || last {
                return;
            }
            if let Some(index) = self.index.as_ref().filter(|_| self.shared.is_open()) {
                self.ahead.go_on(index);
            }
        }
    }

    fn send(&self, mut out: &UnixStream, reply: Reply, payload: &[u8]) -> Result<(), MessageError> {
        let answer = |reply| Answer {
            epoch: self.epoch.0,
            reply,
        };
        match message::write(&mut out, &answer(reply), payload) {
            // Nothing was written yet.
            Err(MessageError::TooLong { .. }) => {
                message::write(&mut out, &answer(Reply::Fault(Fault::Failed)), &[])
            }
            other => other,
        }
    }

    fn answer(&mut self, request: Request, payload: Payload) -> Answered {
        if !self.shared.is_open() {
            return Err(Fault::Locked);
        }
        match request {
            Request::Status => return plain(Reply::Status(self.shared.status())),
            Request::Lock => {
                self.shared.stop(Reason::Asked);
                return plain(Reply::Done);
            }
            Request::Hello {
                version,
                vault,
                wait_ms,
            } => {
                if version != VERSION {
                    return Err(Fault::OtherVersion);
                }
                if vault != self.shared.id().0 {
                    return Err(Fault::Misunderstood);
                }
                self.wait = Some(Wait {
                    limit: Duration::from_millis(wait_ms).min(WAIT_MAX),
                    on_rewrite: |_| {},
                });
            }
            _ if self.wait.is_none() => return Err(Fault::Misunderstood),
            _ => {}
        }
        if request.is_use() {
            self.shared.touch();
        }
        match request {
            Request::Chunks { .. }
            | Request::WriteFile
            | Request::RemoveFile { .. }
            | Request::ListFiles
            | Request::Manifest
            | Request::ReplaceManifest { .. }
            | Request::LockIndex
            | Request::UnlockIndex => self.of_index(request, &payload),
            Request::Keys | Request::PutKey { .. } | Request::RemoveKey { .. } => {
                self.of_keys(request, payload)
            }
            _ => self.of_log(request, payload),
        }
    }

    fn vault<T>(
        &mut self,
        act: impl FnOnce(&mut Vault) -> Result<T, VaultError>,
    ) -> Result<T, Fault> {
        let wait = self.wait.ok_or(Fault::Misunderstood)?;
        let (epoch, done) = self.shared.with_vault(|vault| {
            vault.set_wait(wait);
            act(vault)
        })?;
        self.epoch = epoch;
        Ok(done)
    }

    fn of_log(&mut self, request: Request, payload: Payload) -> Answered {
        match request {
            Request::Hello { .. } => {
                let condition = self.vault(|vault| {
                    vault.refresh()?;
                    Ok(Condition::of(vault))
                })?;
                plain(Reply::Condition(condition.into()))
            }
            Request::Condition => {
                let condition = self.vault(|vault| Ok(Condition::of(vault)))?;
                plain(Reply::Condition(condition.into()))
            }
            Request::AcceptRollback { now } => {
                self.vault(|vault| vault.accept_rollback(now))?;
                plain(Reply::Done)
            }
            Request::Append => {
                let lines = records(&payload).ok_or(Fault::Misunderstood)?;
                drop(payload);
                let end = self.vault(|vault| vault.append_lines(&lines))?;
                plain(Reply::End(end.into()))
            }
            Request::AppendAt { expected } => {
                let lines = records(&payload).ok_or(Fault::Misunderstood)?;
                drop(payload);
                let expected = expected.into();
                let at = self.vault(|vault| vault.append_lines_at(expected, &lines))?;
                plain(Reply::Position(at.map(Into::into)))
            }
            Request::Refresh => {
                let end = self.vault(Vault::refresh)?;
                plain(Reply::End(end.into()))
            }
            Request::Read { after } => {
                let entries = self.vault(|vault| vault.read(after))?;
                Ok((Reply::Entries, put_entries(&entries)))
            }
            Request::Record { seq } => {
                let line = self.vault(|vault| vault.line(seq))?;
                let found = line.is_some();
                Ok((Reply::Bytes { found }, line.unwrap_or_default()))
            }
            Request::Checkpoint { name } => {
                let json = self.vault(|vault| vault.checkpoint(name))?;
                let found = json.is_some();
                Ok((Reply::Bytes { found }, json.unwrap_or_default()))
            }
            Request::PutCheckpoint { name, version, at } => {
                self.vault(|vault| vault.put_checkpoint(name, version, at.into(), payload))?;
                plain(Reply::Done)
            }
            Request::Position { seq } => {
                let at = self.vault(|vault| vault.position(seq))?;
                plain(Reply::Position(at.map(Into::into)))
            }
            Request::Settle => {
                self.vault(Vault::settle)?;
                plain(Reply::Done)
            }
            _ => Err(Fault::Misunderstood),
        }
    }

    fn of_keys(&mut self, request: Request, payload: Payload) -> Answered {
        match request {
            Request::Keys => {
                let json = self.vault(|vault| vault.provider_keys()?.to_json())?;
                Ok((Reply::Bytes { found: true }, json))
            }
            Request::PutKey { name } => {
                let key = std::str::from_utf8(&payload).map_err(|_| Fault::Misunderstood)?;
                let key = Zeroizing::new(key.to_owned());
                self.vault(|vault| vault.change_provider_keys(|keys| keys.put(&name, key)))?;
                plain(Reply::Done)
            }
            Request::RemoveKey { name } => {
                let mut was = false;
                self.vault(|vault| vault.change_provider_keys(|keys| was = keys.remove(&name)))?;
                plain(Reply::Removed { was })
            }
            _ => Err(Fault::Misunderstood),
        }
    }

    /// The index has a key of its own: other clients go on meanwhile.
    fn of_index(&mut self, request: Request, payload: &[u8]) -> Answered {
        // Whoever opens the index reads its manifest first: after a rewrite, that of the new epoch.
        let opens = matches!(request, Request::Manifest);
        let index = match self.index.take() {
            Some(index) if !opens || self.vault(|v| Ok(v.epoch()))? == index.epoch() => index,
            _ => {
                self.ahead = Opened::default();
                self.vault(|vault| Ok(vault.index_files()))?
            }
        };
        let answered = ask_index(&index, &mut self.ahead, request, payload);
        self.index = Some(index);
        answered
    }
}

fn ask_index(index: &VaultIndex, ahead: &mut Opened, request: Request, payload: &[u8]) -> Answered {
    match request {
        Request::Chunks { file, first, count } => {
            let chunks = ahead.chunks(index, file, first, count)?;
            let found = chunks.is_some();
            Ok((Reply::Bytes { found }, chunks.unwrap_or_default()))
        }
        Request::WriteFile => plain(Reply::File(index.write(payload)?.into())),
        Request::RemoveFile { name } => {
            index.remove(name)?;
            plain(Reply::Done)
        }
        Request::ListFiles => {
            let names = index.list()?;
            Ok((Reply::Files, Zeroizing::new(names.concat())))
        }
        Request::Manifest => {
            let (generation, bytes) = index.manifest()?.unzip();
            Ok((Reply::Manifest { generation }, bytes.unwrap_or_default()))
        }
        Request::ReplaceManifest { expected } => {
            let generation = index.replace_manifest(expected, payload)?;
            plain(Reply::Replaced { generation })
        }
        Request::LockIndex => {
            let taken = index.lock()?;
            plain(Reply::Locked { taken })
        }
        Request::UnlockIndex => {
            index.unlock();
            plain(Reply::Done)
        }
        _ => Err(Fault::Misunderstood),
    }
}

/// The lines of an append, each of which is a record of this or a later version.
fn records(payload: &[u8]) -> Option<Vec<Zeroizing<Vec<u8>>>> {
    let lines = take_lines(payload)?;
    let sound =
        |line: &Zeroizing<Vec<u8>>| !line.contains(&b'\n') && Record::from_line(line).is_ok();
    lines.iter().all(sound).then_some(lines)
}
