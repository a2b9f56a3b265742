//! Files that go with a message: text, also that of a PDF, is put before it, a picture goes beside
//! it.

use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;

use super::failure::Failure;
use super::output::one_line;
use super::pdf;
use crate::model::{Attachment, Block, Id, Text, Timestamp};

const BYTES_MAX: usize = 8 << 20;
/// A PDF may be longer than its text.
const PDF_BYTES_MAX: usize = 32 << 20;
/// What every provider takes, in base64.
const IMAGE_BYTES_MAX: usize = 5 << 20;

/// What a file is.
enum File {
    Text(Text),
    Image { media: &'static str, bytes: Vec<u8> },
}

/// A message with its files: what it says, and the pictures that it names.
pub(super) struct Bundle {
    pub content: Vec<Block>,
    pub images: Vec<Attachment>,
}

/// Puts the files before, or beside, a message. Words of a file are not what the person typed.
pub(super) fn bundle(files: &[PathBuf], text: Text, now: Timestamp) -> Result<Bundle, Failure> {
    let mut bundle = Bundle {
        content: Vec::new(),
        images: Vec::new(),
    };
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = one_line(&name);
        match read(path)? {
            File::Text(content) => {
                let mut whole = Text::new(format!("[file {name}]\n"));
                whole.push_str(content.trim_end());
                whole.push_str("\n[end of file]\n");
                bundle.content.push(Block::attached(whole));
            }
            File::Image { media, bytes } => {
                let image = Attachment {
                    id: Id::fresh(),
                    at: now,
                    name: Text::new(name),
                    media: media.to_owned(),
                    data: base64::engine::general_purpose::STANDARD
                        .encode(bytes)
                        .into(),
                };
                bundle.content.push(Block::Attachment {
                    id: image.id,
                    name: image.name.clone(),
                    media: image.media.clone(),
                });
                bundle.images.push(image);
            }
        }
    }
    bundle.content.push(Block::said(text));
    Ok(bundle)
}

/// What is written in a file of text.
#[cfg(feature = "age")]
pub(super) fn text(path: &Path) -> Result<Text, Failure> {
    match read(path)? {
        File::Text(text) => Ok(text),
        File::Image { .. } => Err(Failure::Attachment {
            path: path.to_owned(),
            what: "it is a picture, not text",
        }),
    }
}

/// Whether a file can go with a message.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    read(path).map(drop)
}

fn read(path: &Path) -> Result<File, Failure> {
    let fail = |what| Failure::Attachment {
        path: path.to_owned(),
        what,
    };
    let file = std::fs::File::open(path).map_err(|_| fail("it cannot be opened"))?;
    let mut bytes = Vec::new();
    file.take(PDF_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| fail("it cannot be read"))?;
    if bytes.starts_with(b"%PDF-") {
        return match bytes.len() > PDF_BYTES_MAX {
            true => Err(fail("it is longer than 32 MiB")),
            false => pdf::text(bytes, BYTES_MAX).map(File::Text).map_err(fail),
        };
    }
    if bytes.len() > BYTES_MAX {
        return Err(fail("it is longer than 8 MiB"));
    }
    match media(&bytes) {
        Some(_) if bytes.len() > IMAGE_BYTES_MAX => Err(fail("the picture is larger than 5 MiB")),
        Some(media) => Ok(File::Image { media, bytes }),
        None => match String::from_utf8(bytes) {
            Ok(text) => Ok(File::Text(Text::new(text))),
            Err(_) => Err(fail("it is neither text in UTF-8 nor a picture")),
        },
    }
}

/// The pictures that models take, told by their first bytes.
fn media(bytes: &[u8]) -> Option<&'static str> {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        _ if webp => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a file");
        #[expect(clippy::disallowed_methods, reason = "an input of the test")]
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn text_goes_before_a_message_and_a_picture_beside_it() {
        let now = Timestamp::UNIX_EPOCH;
        let (_dir, text) = file(b"one\ntwo\n");
        let (_other, picture) = file(b"\x89PNG\r\n\x1a\n123");
        let bundle = bundle(&[text, picture], "what is it?".into(), now).unwrap();
        let file = Block::attached("[file a file]\none\ntwo\n[end of file]\n".into());
        assert_eq!(bundle.content[0], file);
        assert!(
            matches!(&bundle.content[1], Block::Attachment { id, .. } if *id == bundle.images[0].id)
        );
        assert_eq!(bundle.content[2], Block::said("what is it?".into()));
        assert_eq!(bundle.images.len(), 1);
        assert_eq!(bundle.images[0].media, "image/png");
        assert_eq!(bundle.images[0].data.as_str(), "iVBORw0KGgoxMjM=");
    }

    #[test]
    fn what_no_model_takes_is_refused_with_its_reason() {
        let (_dir, path) = file(b"\xff\xfe\x00");
        assert!(check(&path).unwrap_err().to_string().contains("neither"));
        let mut large = b"GIF89a".to_vec();
        large.resize(IMAGE_BYTES_MAX + 1, 0);
        let (_dir, path) = file(&large);
        assert!(check(&path).unwrap_err().to_string().contains("5 MiB"));
        assert!(check(Path::new("/no/such/file")).is_err());
    }
}
