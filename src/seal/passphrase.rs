//! What a person types.

use unicode_normalization::{UnicodeNormalization, is_nfc};
use zeroize::{Zeroize, Zeroizing};

use super::error::SealError;
use super::keys::Random;

/// Six bits a syllable: enough that nobody guesses all of them, slow as each guess is made.
const SYLLABLES: usize = 12;
const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

/// A passphrase in Unicode NFC, wiped on drop.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes over typed text; an empty one is refused.
    pub fn new(mut text: Zeroizing<String>) -> Result<Self, SealError> {
        if text.is_empty() {
            return Err(SealError::EmptyPassphrase);
        }
        if is_nfc(&text) {
            return Ok(Passphrase(Zeroizing::new(
                std::mem::take(&mut *text).into_bytes(),
            )));
        }
        // NFC never needs more than three times the bytes (UAX #15, expansion factors).
        let mut normal = Zeroizing::new(String::with_capacity(3 * text.len()));
        normal.extend(text.nfc());
        text.zeroize();
        Ok(Passphrase(Zeroizing::new(
            std::mem::take(&mut *normal).into_bytes(),
        )))
    }

    /// Draws one that can be said and typed: four words of three syllables, of which there are
    /// 2^72.
    pub fn draw_words() -> Result<Zeroizing<String>, SealError> {
        let random: Zeroizing<[u8; SYLLABLES]> = Zeroizing::new(Random::bytes()?);
        let mut words = Zeroizing::new(String::with_capacity(3 * SYLLABLES));
        for (n, byte) in random.iter().enumerate() {
            if n > 0 && n.is_multiple_of(3) {
                words.push(' ');
            }
            // Of 64 each is as likely as any other.
            let (consonant, vowel) = (usize::from(byte >> 2) % 16, usize::from(byte & 3));
            words.push(char::from(CONSONANTS[consonant]));
            words.push(char::from(VOWELS[vowel]));
        }
        Ok(words)
    }

    /// Takes over bytes of a file, a descriptor or a command; one trailing line end is dropped.
    pub fn from_bytes(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, SealError> {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Passphrase::new(Zeroizing::new(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(SealError::PassphraseEncoding)
            }
        }
    }

    /// The words themselves, for the process that is to unlock.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether both are the same words.
    pub fn same_as(&self, other: &Passphrase) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.bytes(), other.bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_passphrase_is_four_words_that_differ_each_time() {
        let drawn = Passphrase::draw_words().unwrap();
        let words: Vec<&str> = drawn.split(' ').collect();
        assert_eq!(words.len(), 4, "{words:?}");
        assert!(words.iter().all(|word| word.len() == 6));
        assert_ne!(*drawn, *Passphrase::draw_words().unwrap());
        let all = (0..64).map(|_| Passphrase::draw_words().unwrap());
        let letters: std::collections::BTreeSet<char> =
            all.flat_map(|d| d.chars().collect::<Vec<_>>()).collect();
        assert_eq!(letters.len(), 16 + 4 + 1, "every syllable is drawn");
    }

    fn of(bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        Passphrase::from_bytes(Zeroizing::new(bytes.to_vec())).map(|p| p.bytes().to_vec())
    }

    #[test]
    fn one_line_end_is_dropped_and_no_more() {
        assert_eq!(of(b"a b\n").unwrap(), b"a b");
        assert_eq!(of(b"a b\r\n").unwrap(), b"a b");
        assert_eq!(of(b"a b\n\n").unwrap(), b"a b\n");
        assert_eq!(of(b"a b\r").unwrap(), b"a b\r");
        assert_eq!(of(b" a b ").unwrap(), b" a b ");
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same_passphrase() {
        assert_eq!(of("Zu\u{308}rich".as_bytes()).unwrap(), "Zürich".as_bytes());
    }

    #[test]
    fn an_empty_or_binary_one_is_refused() {
        assert_eq!(of(b""), Err(SealError::EmptyPassphrase));
        assert_eq!(of(b"\n"), Err(SealError::EmptyPassphrase));
        assert_eq!(of(b"\xff\xfe"), Err(SealError::PassphraseEncoding));
    }
}
