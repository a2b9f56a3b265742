//! A rekey against reading, opening, sealing, writing and syncing the same bytes with the cipher
//! alone, and the memory that it takes.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use agent::seal::{NewSlot, Passphrase};
use agent::vault::SlotChange;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use zeroize::Zeroizing;

use super::measure::{Bar, Figure, Turns, disk, peak_mib, setting, time};
use super::texts::{KDF, new_vault};
use super::transferring::{fill, now};

const CHUNK_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
const FILE_BYTES: usize = 1 << 20;

fn cipher() -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(&[3; 32].into())
}

fn sealed_file(path: &Path, text: &[u8]) {
    let mut out = Vec::with_capacity(text.len() + 4096);
    for chunk in text.chunks(CHUNK_BYTES) {
        let mut chunk = chunk.to_vec();
        let tag =
            cipher().encrypt_inout_detached(&[0; 12].into(), &[], chunk.as_mut_slice().into());
        out.extend_from_slice(&chunk);
        out.extend_from_slice(&tag.unwrap());
    }
    let mut file = File::create(path).unwrap();
    file.write_all(&out).unwrap();
    file.sync_all().unwrap();
}

/// Reads, opens, seals, writes and syncs one file after the other.
fn seal_again(files: &[PathBuf], to: &Path) {
    for path in files {
        let mut bytes = fs::read(path).unwrap();
        for chunk in bytes.chunks_mut(CHUNK_BYTES + TAG_BYTES) {
            let (text, tag) = chunk.split_at_mut(chunk.len() - TAG_BYTES);
            let found: [u8; TAG_BYTES] = (&*tag).try_into().unwrap();
            let nonce = [0; 12].into();
            let opened =
                cipher().decrypt_inout_detached(&nonce, &[], (&mut *text).into(), &found.into());
            opened.unwrap();
            let made = cipher()
                .encrypt_inout_detached(&nonce, &[], text.into())
                .unwrap();
            tag.copy_from_slice(&made);
        }
        let mut file = File::create(to.join(path.file_name().unwrap())).unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
    }
}

/// The bytes of the log's files.
fn log_bytes(dir: &Path) -> u64 {
    let epoch = fs::read_dir(dir.join("vault")).unwrap().flatten();
    let log = epoch
        .map(|entry| entry.path().join("session_log"))
        .find(|path| path.is_dir());
    let files = fs::read_dir(log.unwrap()).unwrap().flatten();
    files.map(|file| file.metadata().unwrap().len()).sum()
}

pub fn rekey() -> Vec<Figure> {
    let messages = setting("BENCH_MESSAGES", 2_000_000) as u64;
    let dir = disk();
    let vault = RefCell::new(new_vault(dir.path()));
    fill(&mut vault.borrow_mut(), messages);
    let bytes = log_bytes(dir.path());
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    let files: Vec<PathBuf> = (0..bytes.div_ceil(FILE_BYTES as u64))
        .map(|n| from.join(n.to_string()))
        .collect();
    let text = vec![0x5a; FILE_BYTES];
    files.iter().for_each(|path| sealed_file(path, &text));
    let change = || {
        let mut vault = vault.borrow_mut();
        let new = Passphrase::new(Zeroizing::new("another to measure with".to_owned())).unwrap();
        let slot = vault.passphrase_slot().unwrap();
        let change = SlotChange::Instead(slot, NewSlot::Passphrase(&new, KDF));
        vault.rekey(&[change], now(), &mut |_, _| {}).unwrap();
    };
    let turns = Turns::take(
        setting("BENCH_ROUNDS", 3),
        &mut [&mut || time(|| seal_again(&files, &to)), &mut || {
            time(change)
        }],
    );
    let most = peak_mib(change);
    let argon2_mib = f64::from(KDF.m_kib / 1024);
    vec![
        Figure {
            what: format!(
                "rekey of {} MB, the speed of reading, opening, sealing, writing and syncing them with \
                 the cipher alone",
                bytes / 1_000_000
            ),
            bar: Bar::AtLeast(0.5, " ×"),
            value: turns.ratio(0, 1),
            times: turns.both(1, 0),
        },
        Figure {
            what: format!("the same, peak memory ({argon2_mib} MiB of it Argon2's)"),
            bar: Bar::AtMost(64.0 + argon2_mib, " MiB"),
            value: most,
            times: String::new(),
        },
    ]
}
