//! Vaults full of made-up talk: the same words at every run.

use std::path::Path;
use std::sync::Arc;

use agent::chat::{Buffer, Conversations};
use agent::memory::Memory;
use agent::model::{
    Id, Item, Kind, MemoryEvent, MemoryOp, Message, Record, Role, Source, SourceClass, Text,
    Timestamp,
};
use agent::seal::{KdfParams, Passphrase};
use agent::store::{FileStore, Store, Wait};
use agent::vault::{Log, NewVault, Vault, View};
use zeroize::Zeroizing;

/// The least that is allowed: the derivation is no part of what these vaults are for.
pub const KDF: KdfParams = KdfParams::LEAST;

const WORDS: &str = "the of and to in that it was for on with as be at this have from or had by but \
    some what there we can out other were all your when up use word how said each she which their \
    time will way about many then them would write like so these her long make thing see him two has \
    look more day could go come did my sound no most number who over know water than call first people \
    may down side been now find any new work part take get place made live where after back little only \
    round man year came show every good me give our under name very through just form much great think \
    say help low line before turn cause same mean differ move right boy old too does tell sentence set \
    three want air well also play small end put home read hand port large spell add even land here must \
    big high such follow act why ask men change went light kind off need house picture try us again \
    animal point mother world near build self earth father head stand own page should country found \
    answer school grow study still learn plant cover food sun four thought let keep eye never last door \
    between city tree cross since hard start might story saw far sea draw left late run while press \
    close night real life few stop open seem together next white children begin got walk example ease \
    paper often always music those both mark book letter until mile river car feet care second group \
    carry took rain eat room friend began idea fish mountain north once base hear horse cut sure watch \
    color face wood main enough plain girl usual young ready above ever red list though feel talk bird \
    soon body dog family direct pose leave song measure state product black short numeral class wind \
    question happen complete ship area half rock order fire south problem piece told knew pass farm top \
    whole king size heard best hour better true during hundred am remember step early hold west ground \
    interest reach fast five sing listen six table travel less morning ten simple several vowel toward";

/// A generator of numbers that need not be good (Knuth's MMIX constants).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// About 300 bytes of words, short ones more often than rare ones.
pub fn text(words: &[&str], numbers: &mut Numbers) -> Text {
    let mut text = String::with_capacity(320);
    while text.len() < 200 + numbers.below(200) {
        let rank = numbers.below(words.len()) * numbers.below(words.len()) / words.len();
        text.push_str(words[rank]);
        text.push(if numbers.below(12) == 0 { '.' } else { ' ' });
    }
    text.truncate(400);
    text.into()
}

pub fn words() -> Vec<&'static str> {
    WORDS.split_whitespace().collect()
}

fn id(n: u64) -> Id {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(n << 16 | 0x7000).to_be_bytes());
    bytes[8..].copy_from_slice(&(n | 1 << 63).to_be_bytes());
    Id::from_bytes(bytes)
}

/// Messages of one conversation before the next begins: few enough that the buffer's 32 windows are
/// full in a young vault as well.
const CONVERSATION: u64 = 20;

/// Message `n` of a long life: two a minute, from 2020 on.
pub fn message(n: u64, words: &[&str], numbers: &mut Numbers) -> Record {
    let at = Timestamp::from_second(1_577_836_800 + 30 * n as i64).unwrap();
    let role = if n.is_multiple_of(2) {
        Role::User
    } else {
        Role::Assistant
    };
    let mut message = Message::text(id(n / CONVERSATION), role, at, text(words, numbers));
    message.id = id(1 << 40 | n);
    Record::Message(message)
}

pub fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("a passphrase for measuring".to_owned())).unwrap()
}

pub fn file_store(dir: &Path) -> Arc<dyn Store> {
    Arc::new(FileStore::create(&dir.join("vault"), &dir.join("witness")).unwrap())
}

pub fn wait() -> Wait {
    Wait::seconds(10)
}

pub fn new_vault(dir: &Path) -> Vault {
    let passphrase = passphrase();
    let new = NewVault {
        passphrase: &passphrase,
        kdf: KDF,
        recovery: None,
        created: 0,
    };
    Vault::init(file_store(dir), wait(), &new).unwrap()
}

/// Records of so many items of memory.
pub fn items(count: u64, words: &[&str]) -> Vec<Record> {
    let mut numbers = Numbers(7);
    let at = Timestamp::from_second(1_577_836_800).unwrap();
    let mut record = |n| {
        let source = Source::of(SourceClass::UserCommand);
        let text: String = text(words, &mut numbers).chars().take(80).collect();
        let mut item = Item::new(Kind::Fact, text.into(), source, at);
        item.id = id(1 << 41 | n);
        Record::Memory(MemoryEvent {
            at,
            op: MemoryOp::Add { item },
        })
    };
    (0..count).map(&mut record).collect()
}

/// Writes the checkpoints that a chat leaves behind.
pub fn save_folds(log: &mut dyn Log) {
    View::load(log, Buffer::default())
        .unwrap()
        .save(log)
        .unwrap();
    View::load(log, Memory::new()).unwrap().save(log).unwrap();
    View::load(log, Conversations::default())
        .unwrap()
        .save(log)
        .unwrap();
}
