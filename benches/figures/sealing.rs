//! Sealing and opening whole files against the cipher alone.

use std::hint::black_box;

use agent::seal::{BlobId, BlobKind, EpochId, VaultId, VaultKey};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};

use super::measure::{Bar, Figure, Turns, setting, time};

const CHUNK_BYTES: usize = 64 * 1024;

/// Bulk is what a full segment has: 1 MiB, and a bit.
const BULK_BYTES: usize = 17 * CHUNK_BYTES;
/// Done so often for one time.
const TIMES: usize = 64;

pub fn seal() -> Vec<Figure> {
    let key = VaultKey::draw(VaultId([1; 16]))
        .unwrap()
        .data_key(EpochId([2; 16]));
    let id = BlobId::numbered(BlobKind::Segment, 1);
    let plain = vec![0x5a_u8; BULK_BYTES];
    let sealed = key.seal(id, 1, &plain).unwrap();
    let cipher = ChaCha20Poly1305::new(&[3; 32].into());
    let (nonce, aad) = ([0; 12], [0; 136]);
    let mut chunk = vec![0x5a_u8; CHUNK_BYTES];
    let mut tag = [0; 16];
    let mut bare_seal = || {
        time(|| {
            for _ in 0..TIMES * BULK_BYTES / CHUNK_BYTES {
                let made =
                    cipher.encrypt_inout_detached(&nonce.into(), &aad, chunk.as_mut_slice().into());
                tag = made.unwrap().into();
            }
        })
    };
    let mut ours_seal = || {
        time(|| {
            for _ in 0..TIMES {
                black_box(key.seal(id, 1, black_box(&plain)).unwrap());
            }
        })
    };
    let rounds = setting("BENCH_ROUNDS", 41);
    let sealing = Turns::take(rounds, &mut [&mut bare_seal, &mut ours_seal]);

    let mut locked = vec![0x5a_u8; CHUNK_BYTES];
    let locked_tag = cipher
        .encrypt_inout_detached(&nonce.into(), &aad, locked.as_mut_slice().into())
        .unwrap();
    let mut open_buffer = locked.clone();
    let mut bare_open = || {
        time(|| {
            for _ in 0..TIMES * BULK_BYTES / CHUNK_BYTES {
                open_buffer.copy_from_slice(&locked);
                cipher
                    .decrypt_inout_detached(
                        &nonce.into(),
                        &aad,
                        open_buffer.as_mut_slice().into(),
                        &locked_tag,
                    )
                    .unwrap();
            }
        })
    };
    let mut ours_open = || {
        time(|| {
            for _ in 0..TIMES {
                black_box(key.open(id, black_box(sealed.bytes())).unwrap());
            }
        })
    };
    let opening = Turns::take(rounds, &mut [&mut bare_open, &mut ours_open]);
    let figure = |what: &str, turns: &Turns| {
        let per_second = (TIMES * BULK_BYTES) as f64 / 1e6 / (turns.median_ms(1) / 1e3);
        Figure {
            what: format!("{what} 1 MiB against the cipher alone at 64 KiB"),
            bar: Bar::AtLeast(0.9, " ×"),
            value: turns.ratio(0, 1),
            times: format!("{per_second:.0} MB/s"),
        }
    };
    vec![figure("sealing", &sealing), figure("opening", &opening)]
}
