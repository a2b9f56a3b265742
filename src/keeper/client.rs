//! The client's side: a `Log` whose vault is another process's.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use super::error::KeeperError;
use super::fault::Fault;
use super::index::RemoteIndex;
use super::message::{self, MessageError, PAYLOAD_BYTES_MAX, Payload};
use super::place::Place;
use super::protocol::{Answer, Condition, Reply, Request, Status, VERSION};
use super::protocol::{put_lines, take_entries};
use crate::model::{FoldName, Record, Timestamp};
use crate::seal::{EpochId, Position, VaultId};
use crate::store::Wait;
use crate::vault::{Entry, IndexFiles, Log, ProviderKeys, RemoteError, VaultError};

/// A keeper answers for itself at once,
const STATUS_PATIENCE: Duration = Duration::from_secs(2);
/// and for the vault when those before have been served.
const HELLO_PATIENCE: Duration = Duration::from_secs(60);

/// A vault across the socket.
pub struct Client {
    line: Arc<Mutex<Connection>>,
    condition: Condition,
}

pub(super) struct Connection {
    stream: UnixStream,
    pub epoch: EpochId,
    gone: bool,
}

/// Asks a keeper about itself, which does not count as use; none where none listens.
pub fn status(place: &Place) -> Result<Option<Status>, KeeperError> {
    let Some(stream) = place.connect()? else {
        return Ok(None);
    };
    match ask_once(&stream, &Request::Status) {
        Ok(Some(Reply::Status(status))) => Ok(Some(status)),
        Ok(None | Some(Reply::Fault(Fault::Locked))) => Ok(None),
        Ok(Some(Reply::Fault(Fault::Busy))) => Err(KeeperError::Busy {
            max: super::CLIENTS_MAX,
        }),
        Ok(Some(_)) => Err(KeeperError::Misunderstood),
        Err(error) => Err(error),
    }
}

/// One question about the keeper itself; none if it goes without an answer.
pub(super) fn ask_once(
    mut stream: &UnixStream,
    request: &Request,
) -> Result<Option<Reply>, KeeperError> {
    // A keeper that refuses its client has gone already when it is asked: its answer is there.
    match message::write(&mut stream, request, &[]) {
        Ok(()) | Err(MessageError::Gone) => {}
        Err(error) => return Err(silent(error)),
    }
    match message::receive::<Answer>(stream, Some(STATUS_PATIENCE), |_| 0) {
        Ok(answer) => Ok(answer.map(|(answer, _)| answer.reply)),
        Err(MessageError::Gone) => Ok(None),
        Err(error) => Err(silent(error)),
    }
}

fn silent(error: MessageError) -> KeeperError {
    match error {
        MessageError::Io(source) => KeeperError::Silent { source },
        _ => KeeperError::Misunderstood,
    }
}

impl Connection {
    /// Asks, and waits for the answer as long as it takes.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        payload: &[u8],
    ) -> Result<(Reply, Payload), VaultError> {
        if self.gone {
            return Err(RemoteError::Locked.into());
        }
        let mut stream = &self.stream;
        let mut unsent = false;
        match message::write(&mut stream, request, payload) {
            Ok(()) => {}
            // It may have said why.
            Err(MessageError::Gone) => unsent = true,
            // Nothing has been sent: the line stays in order.
            Err(MessageError::TooLong { len }) => {
                let max = PAYLOAD_BYTES_MAX;
                return Err(RemoteError::TooLong { len, max }.into());
            }
            Err(_) => return Err(self.lost(request, unsent)),
        }
        match message::receive::<Answer>(stream, None, |_| PAYLOAD_BYTES_MAX) {
            Ok(Some((answer, payload))) => {
                self.epoch = EpochId(answer.epoch);
                match answer.reply {
                    Reply::Fault(fault) => {
                        self.gone = matches!(fault, Fault::Locked | Fault::Misunderstood);
                        Err(fault.into())
                    }
                    reply => Ok((reply, payload)),
                }
            }
            Ok(None) | Err(MessageError::Gone | MessageError::Io(_)) => {
                Err(self.lost(request, unsent))
            }
            Err(_) => Err(self.misunderstood()),
        }
    }

    /// The keeper has gone. What it was asked to change may have been changed, if it was sent.
    fn lost(&mut self, request: &Request, unsent: bool) -> VaultError {
        self.gone = true;
        match request.changes() && !unsent {
            true => RemoteError::Unanswered.into(),
            false => RemoteError::Locked.into(),
        }
    }

    /// An answer to something else: the line cannot be trusted any more.
    pub(super) fn misunderstood(&mut self) -> VaultError {
        self.gone = true;
        RemoteError::Misunderstood.into()
    }
}

pub(super) fn held(line: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A connection says by itself whether it is still of use.
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Opens the vault through its keeper; none where none listens, or where its keys are not the
    /// vault's any more.
    pub fn open(place: &Place, vault: VaultId, wait: Wait) -> Result<Option<Self>, KeeperError> {
        let Some(stream) = place.connect()? else {
            return Ok(None);
        };
        Client::on(stream, vault, wait)
    }

    pub(super) fn on(
        stream: UnixStream,
        vault: VaultId,
        wait: Wait,
    ) -> Result<Option<Self>, KeeperError> {
        let mut line = Connection {
            stream,
            epoch: EpochId([0; 16]),
            gone: false,
        };
        let hello = Request::Hello {
            version: VERSION,
            vault: vault.0,
            wait_ms: u64::try_from(wait.limit.as_millis()).unwrap_or(u64::MAX),
        };
        match line.hello(&hello) {
            Ok(Reply::Condition(condition)) => Ok(Some(Client {
                line: Arc::new(Mutex::new(line)),
                condition: condition.into(),
            })),
            Ok(Reply::Fault(Fault::Locked | Fault::Rekeyed)) => Ok(None),
            Ok(Reply::Fault(Fault::Busy)) => Err(KeeperError::Busy {
                max: super::CLIENTS_MAX,
            }),
            Ok(Reply::Fault(Fault::OtherVersion)) => Err(KeeperError::OtherVersion),
            Ok(Reply::Fault(fault)) => Err(VaultError::from(fault).into()),
            Ok(_) => Err(KeeperError::Misunderstood),
            Err(MessageError::Gone) => Ok(None),
            Err(error) => Err(silent(error)),
        }
    }

    /// The condition of the vault as it is now.
    pub fn condition(&mut self) -> Result<&Condition, VaultError> {
        match self.ask(&Request::Condition, &[])? {
            (Reply::Condition(condition), _) => {
                self.condition = condition.into();
                Ok(&self.condition)
            }
            _ => Err(self.misunderstood()),
        }
    }

    /// The condition as it was last told.
    pub fn last_condition(&self) -> &Condition {
        &self.condition
    }

    pub fn accept_rollback(&mut self, now: Timestamp) -> Result<(), VaultError> {
        self.done(&Request::AcceptRollback { now }, &[])?;
        self.condition.rollback = None;
        Ok(())
    }

    pub fn provider_keys(&mut self) -> Result<ProviderKeys, VaultError> {
        match self.ask(&Request::Keys, &[])? {
            (Reply::Bytes { found: true }, json) => ProviderKeys::from_json(&json),
            _ => Err(self.misunderstood()),
        }
    }

    pub fn put_provider_key(
        &mut self,
        name: &str,
        key: &Zeroizing<String>,
    ) -> Result<(), VaultError> {
        let name = name.to_owned();
        self.done(&Request::PutKey { name }, key.as_bytes())
    }

    /// Removes a key; false if there was none of this name.
    pub fn remove_provider_key(&mut self, name: &str) -> Result<bool, VaultError> {
        let name = name.to_owned();
        match self.ask(&Request::RemoveKey { name }, &[])? {
            (Reply::Removed { was }, _) => Ok(was),
            _ => Err(self.misunderstood()),
        }
    }

    /// The way to the search index.
    pub fn index_files(&self) -> RemoteIndex {
        RemoteIndex::new(self.line.clone())
    }

    fn ask(&self, request: &Request, payload: &[u8]) -> Result<(Reply, Payload), VaultError> {
        held(&self.line).ask(request, payload)
    }

    fn misunderstood(&self) -> VaultError {
        held(&self.line).misunderstood()
    }

    fn done(&self, request: &Request, payload: &[u8]) -> Result<(), VaultError> {
        match self.ask(request, payload)? {
            (Reply::Done, _) => Ok(()),
            _ => Err(self.misunderstood()),
        }
    }

    fn end(&self, request: &Request, payload: &[u8]) -> Result<Position, VaultError> {
        match self.ask(request, payload)? {
            (Reply::End(at), _) => Ok(at.into()),
            _ => Err(self.misunderstood()),
        }
    }
}

impl Connection {
    /// The first question, whose faults are the caller's to tell apart.
    fn hello(&mut self, request: &Request) -> Result<Reply, MessageError> {
        let mut stream = &self.stream;
        match message::write(&mut stream, request, &[]) {
            Ok(()) | Err(MessageError::Gone) => {}
            Err(error) => return Err(error),
        }
        let answer = message::receive::<Answer>(stream, Some(HELLO_PATIENCE), |_| 0)?;
        let (answer, _) = answer.ok_or(MessageError::Gone)?;
        self.epoch = EpochId(answer.epoch);
        Ok(answer.reply)
    }
}

impl Log for Client {
    fn append(&mut self, records: &[Record]) -> Result<Position, VaultError> {
        let lines: Vec<Zeroizing<Vec<u8>>> = records.iter().map(Record::to_line).collect();
        self.end(&Request::Append, &put_lines(&lines))
    }

    fn append_at(
        &mut self,
        expected: Position,
        records: &[Record],
    ) -> Result<Option<Position>, VaultError> {
        let lines: Vec<Zeroizing<Vec<u8>>> = records.iter().map(Record::to_line).collect();
        let expected = expected.into();
        match self.ask(&Request::AppendAt { expected }, &put_lines(&lines))? {
            (Reply::Position(at), _) => Ok(at.map(Into::into)),
            _ => Err(self.misunderstood()),
        }
    }

    fn refresh(&mut self) -> Result<Position, VaultError> {
        self.end(&Request::Refresh, &[])
    }

    fn read(&mut self, after: u64) -> Result<Vec<Entry>, VaultError> {
        match self.ask(&Request::Read { after }, &[])? {
            (Reply::Entries, payload) => {
                take_entries(&payload, after).ok_or_else(|| self.misunderstood())
            }
            _ => Err(self.misunderstood()),
        }
    }

    fn record(&mut self, seq: u64) -> Result<Option<Record>, VaultError> {
        match self.ask(&Request::Record { seq }, &[])? {
            (Reply::Bytes { found }, line) => {
                let line = found.then_some(line);
                Ok(line.and_then(|line| Record::from_line(&line).ok()))
            }
            _ => Err(self.misunderstood()),
        }
    }

    fn checkpoint(&mut self, name: FoldName) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        match self.ask(&Request::Checkpoint { name }, &[])? {
            (Reply::Bytes { found }, json) => Ok(found.then_some(json)),
            _ => Err(self.misunderstood()),
        }
    }

    fn put_checkpoint(
        &mut self,
        name: FoldName,
        version: u32,
        at: Position,
        json: Zeroizing<Vec<u8>>,
    ) -> Result<(), VaultError> {
        let at = at.into();
        self.done(&Request::PutCheckpoint { name, version, at }, &json)
    }

    fn position(&mut self, seq: u64) -> Result<Option<Position>, VaultError> {
        match self.ask(&Request::Position { seq }, &[])? {
            (Reply::Position(at), _) => Ok(at.map(Into::into)),
            _ => Err(self.misunderstood()),
        }
    }

    fn index(&self) -> Option<Box<dyn IndexFiles>> {
        Some(Box::new(self.index_files()))
    }

    fn settle(&mut self) -> Result<(), VaultError> {
        self.done(&Request::Settle, &[])
    }

    fn epoch(&self) -> EpochId {
        held(&self.line).epoch
    }
}
