//! A vault in RAM and what fills it.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::Arc;

use agent::model::{
    ConversationEvent, ConversationOp, Id, Item, Kind, MemoryEvent, MemoryOp, Message, Record,
    Role, Source, SourceClass, Timestamp,
};
use agent::seal::{KdfParams, Passphrase};
use agent::store::{VolatileStore, Wait};
use agent::transfer::{
    ExportOptions, Exported, Format, ImportOptions, Imported, Origin, Progress, TransferError,
    export, import,
};
use agent::vault::{Log, NewVault, Vault};
use zeroize::Zeroizing;

pub fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("right".to_owned())).unwrap()
}

pub fn make_in(store: VolatileStore) -> Vault {
    let new = NewVault {
        passphrase: &passphrase(),
        kdf: KdfParams::LEAST,
        recovery: None,
        created: 0,
    };
    Vault::init(Arc::new(store), Wait::seconds(5), &new).unwrap()
}

pub fn fresh() -> Vault {
    make_in(VolatileStore::default())
}

pub fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// Minutes after the first thing that was said.
pub fn at(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
    start + jiff::SignedDuration::from_mins(minutes)
}

pub fn id(n: u8) -> Id {
    Id::from_digest([n; 16])
}

pub fn event(conversation: Id, minutes: i64, op: ConversationOp) -> Record {
    Record::Conversation(ConversationEvent {
        id: conversation,
        at: at(minutes),
        op,
    })
}

pub fn started(conversation: Id) -> Record {
    let op = ConversationOp::Started {
        name: None,
        private: None,
        project: Some(agent::model::Project::new("/home/me/client")),
    };
    event(conversation, 0, op)
}

pub fn titled(conversation: Id, title: &str) -> Record {
    let title = title.into();
    event(conversation, 0, ConversationOp::Titled { title })
}

pub fn said(conversation: Id, n: u8, role: Role, text: &str) -> Record {
    let mut message = Message::text(conversation, role, at(i64::from(n)), text.into());
    message.id = Id::from_digest([n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    Record::Message(message)
}

pub fn item(n: u8, kind: Kind, text: &str) -> Item {
    let source = Source::of(SourceClass::UserCommand);
    let mut item = Item::new(kind, text.into(), source, at(i64::from(n)));
    item.id = id(n);
    item
}

pub fn memory(op: MemoryOp) -> Record {
    Record::Memory(MemoryEvent { at: at(60), op })
}

pub fn lines_of(vault: &mut Vault) -> Vec<String> {
    let mut out = Vec::new();
    let mut after = 0;
    loop {
        let batch = vault.read(after).unwrap();
        let Some(last) = batch.last() else { return out };
        after = last.seq;
        out.extend(
            batch
                .iter()
                .map(|entry| String::from_utf8(entry.line().to_vec()).unwrap()),
        );
    }
}

pub fn append_lines(vault: &mut Vault, lines: &[String]) {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| Zeroizing::new(line.as_bytes().to_vec()))
        .collect();
    vault.append_lines(&lines).unwrap();
}

pub fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub fn export_of(vault: &mut Vault, format: Format, all: bool) -> (Vec<u8>, Exported) {
    let mut out = Vec::new();
    let options = ExportOptions { all, now: now() };
    let exported = export(vault, format, &options, &mut out, &mut go_on).unwrap();
    assert_eq!(exported.bytes, out.len() as u64);
    (out, exported)
}

pub fn options(origin: Option<Origin>) -> ImportOptions {
    ImportOptions {
        origin,
        trust: false,
        salvage: false,
        now: now(),
    }
}

pub fn import_with(
    vault: &mut Vault,
    bytes: &[u8],
    options: &ImportOptions,
) -> Result<Imported, TransferError> {
    import(vault, &mut Cursor::new(bytes), options, &mut go_on)
}

pub fn import_from(vault: &mut Vault, origin: Option<Origin>, bytes: &[u8]) -> Imported {
    import_with(vault, bytes, &options(origin)).unwrap()
}

/// What is imported once is not imported again.
pub fn twice_is_once(vault: &mut Vault, origin: Option<Origin>, bytes: &[u8]) {
    let before = lines_of(vault);
    let again = import_from(vault, origin, bytes);
    assert_eq!(again.records, 0, "{again:?}");
    assert_eq!(lines_of(vault), before);
}
