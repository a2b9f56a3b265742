//! Exports inside an age file, which the stock `age` program opens, and imports out of one.
//!
//! Only what the format's own specification names is here: a recipient's X25519 key, or a
//! passphrase.

use std::io::{BufReader, Read, Seek, Write};
use std::str::FromStr;

use age::armor::ArmoredReader;
use age::secrecy::SecretString;
use zeroize::Zeroizing;

/// Scrypt above 2^this is not tried: a file names its own cost, and a hostile one would never end.
const LOG_N_MAX: u8 = 20;

#[derive(Debug, thiserror::Error)]
pub enum AgeError {
    #[error("this is no age recipient; one begins with age1")]
    Recipient,
    #[error("this is no age identity; one begins with AGE-SECRET-KEY-1")]
    Identity,
    #[error("the age file cannot be written")]
    Write(#[source] std::io::Error),
    #[error("the age file cannot be encrypted")]
    Encrypt(#[source] Box<age::EncryptError>),
    #[error("the age file does not open with this secret")]
    WrongSecret,
    #[error("the age file is locked with a passphrase")]
    NeedsPassphrase,
    #[error("the age file is locked to an identity")]
    NeedsIdentity,
    #[error("the age file asks for more work than is reasonable")]
    TooMuchWork,
    #[error("the age file cannot be read")]
    Damaged(#[source] Box<age::DecryptError>),
}

/// For whom an age file is.
pub enum Lock<'a> {
    /// `age1…`
    Recipient(&'a str),
    Passphrase(Zeroizing<String>),
}

/// What opens an age file.
pub enum Key<'a> {
    /// `AGE-SECRET-KEY-1…`
    Identity(&'a str),
    Passphrase(Zeroizing<String>),
}

/// What is written to it goes to the sink sealed. Without `finish` the file is cut, and `age` says
/// so.
pub struct AgeSink<W: Write>(age::stream::StreamWriter<W>);

impl<W: Write> AgeSink<W> {
    pub fn new(sink: W, lock: Lock<'_>) -> Result<Self, AgeError> {
        let encryptor = match lock {
            Lock::Passphrase(passphrase) => {
                age::Encryptor::with_user_passphrase(secret(&passphrase))
            }
            Lock::Recipient(text) => {
                let recipient = age::x25519::Recipient::from_str(text.trim())
                    .map_err(|_| AgeError::Recipient)?;
                let recipients = std::iter::once(&recipient as &dyn age::Recipient);
                age::Encryptor::with_recipients(recipients)
                    .map_err(|error| AgeError::Encrypt(Box::new(error)))?
            }
        };
        encryptor
            .wrap_output(sink)
            .map(AgeSink)
            .map_err(AgeError::Write)
    }

    /// Writes the last part, and gives the sink back.
    pub fn finish(self) -> Result<W, AgeError> {
        self.0.finish().map_err(AgeError::Write)
    }
}

impl<W: Write> Write for AgeSink<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// The content of an age file, readable and seekable, opened part by part.
pub fn open_age<R: Read + Seek>(
    source: R,
    key: Key<'_>,
) -> Result<age::stream::StreamReader<ArmoredReader<BufReader<R>>>, AgeError> {
    let source = ArmoredReader::new(source);
    let decryptor = age::Decryptor::new_buffered(source).map_err(opening)?;
    match key {
        Key::Passphrase(_) if !decryptor.is_scrypt() => Err(AgeError::NeedsIdentity),
        Key::Identity(_) if decryptor.is_scrypt() => Err(AgeError::NeedsPassphrase),
        Key::Passphrase(passphrase) => {
            let mut identity = age::scrypt::Identity::new(secret(&passphrase));
            identity.set_max_work_factor(LOG_N_MAX);
            let identities = std::iter::once(&identity as &dyn age::Identity);
            decryptor.decrypt(identities).map_err(opening)
        }
        Key::Identity(text) => {
            let identity =
                age::x25519::Identity::from_str(text.trim()).map_err(|_| AgeError::Identity)?;
            let identities = std::iter::once(&identity as &dyn age::Identity);
            decryptor.decrypt(identities).map_err(opening)
        }
    }
}

fn secret(text: &Zeroizing<String>) -> SecretString {
    SecretString::from(text.as_str().to_owned())
}

fn opening(error: age::DecryptError) -> AgeError {
    match error {
        age::DecryptError::NoMatchingKeys
        | age::DecryptError::DecryptionFailed
        | age::DecryptError::KeyDecryptionFailed => AgeError::WrongSecret,
        age::DecryptError::ExcessiveWork { .. } => AgeError::TooMuchWork,
        other => AgeError::Damaged(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, SeekFrom};

    use age::secrecy::ExposeSecret;

    use super::*;
    use crate::transfer::is_age;

    fn sealed(lock: Lock<'_>, text: &[u8]) -> Vec<u8> {
        let mut sink = AgeSink::new(Vec::new(), lock).unwrap();
        sink.write_all(text).unwrap();
        sink.finish().unwrap()
    }

    #[test]
    fn what_is_sealed_to_a_recipient_opens_with_its_identity_and_can_be_read_twice() {
        let identity = age::x25519::Identity::generate();
        let recipient = identity.to_public().to_string();
        let text = vec![7; 200_000];
        let file = sealed(Lock::Recipient(&recipient), &text);
        assert!(is_age(&file) && !is_age(&text));
        let key = identity.to_string();
        let mut reader = open_age(Cursor::new(&file), Key::Identity(key.expose_secret())).unwrap();
        for _ in 0..2 {
            let mut out = Vec::new();
            reader.seek(SeekFrom::Start(0)).unwrap();
            reader.read_to_end(&mut out).unwrap();
            assert_eq!(out, text);
        }
        let mut armoured = Vec::new();
        let mut writer =
            age::armor::ArmoredWriter::wrap_output(&mut armoured, age::armor::Format::AsciiArmor)
                .unwrap();
        writer.write_all(&file).unwrap();
        writer.finish().unwrap();
        assert!(is_age(&armoured));
        let mut reader =
            open_age(Cursor::new(&armoured), Key::Identity(key.expose_secret())).unwrap();
        let end = reader.seek(SeekFrom::End(0)).unwrap();
        assert_eq!(end, text.len() as u64);
        reader.seek(SeekFrom::Start(100_000)).unwrap();
        let mut out = Vec::new();
        reader.read_to_end(&mut out).unwrap();
        assert_eq!(out, text[100_000..]);
        let other = age::x25519::Identity::generate().to_string();
        let wrong = open_age(Cursor::new(&file), Key::Identity(other.expose_secret()));
        assert!(matches!(wrong, Err(AgeError::WrongSecret)));
        let wrong = open_age(Cursor::new(&file), Key::Passphrase("x".to_owned().into()));
        assert!(matches!(wrong, Err(AgeError::NeedsIdentity)));
        let mut cut = open_age(
            Cursor::new(&file[..file.len() - 20]),
            Key::Identity(key.expose_secret()),
        )
        .unwrap();
        assert!(cut.read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn a_recipient_that_is_none_is_refused() {
        for text in ["", "age1", "ssh-ed25519 AAAA", "AGE-SECRET-KEY-1"] {
            let refused = AgeSink::new(Vec::new(), Lock::Recipient(text));
            assert!(matches!(refused, Err(AgeError::Recipient)), "{text}");
        }
        let nothing = open_age(Cursor::new(b"words"), Key::Identity("x"));
        assert!(matches!(nothing, Err(AgeError::Damaged(_))));
    }
}
