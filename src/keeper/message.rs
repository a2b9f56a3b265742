//! One message on the socket: `head_len u32 ‖ payload_len u32 ‖ head ‖ payload`, big-endian.
//!
//! The head is a short JSON value that says what is asked or answered; the payload is raw bytes.
//! What comes in is hostile: lengths are bounded before anything is read, and memory is taken as
//! bytes arrive, never because a length says so.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// A head names things and holds no text of a conversation.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The longest payload: one merged file of the search index, or an append of many records.
pub(super) const PAYLOAD_BYTES_MAX: usize = 256 << 20;
/// Memory that is taken before the bytes for it have come.
const STEP_BYTES: usize = 1 << 20;
/// A message that has begun must go on.
const STALLED: Duration = Duration::from_secs(10);

pub(super) type Payload = Zeroizing<Vec<u8>>;

#[derive(Debug, thiserror::Error)]
pub(super) enum MessageError {
    #[error("the other side has gone")]
    Gone,
    #[error("not a message")]
    Malformed,
    #[error("the message is too long: {len} bytes")]
    TooLong { len: usize },
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn gone_or(error: io::Error) -> MessageError {
    match error.kind() {
        ErrorKind::UnexpectedEof
        | ErrorKind::BrokenPipe
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted => MessageError::Gone,
        _ => MessageError::Io(error),
    }
}

/// Writes one message. Small ones go out by one write.
pub(super) fn write(
    out: &mut impl Write,
    head: &impl Serialize,
    payload: &[u8],
) -> Result<(), MessageError> {
    let head = Zeroizing::new(serde_json::to_vec(head).map_err(|_| MessageError::Malformed)?);
    if head.len() > HEAD_BYTES_MAX {
        return Err(MessageError::TooLong { len: head.len() });
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        let len = payload.len();
        return Err(MessageError::TooLong { len });
    }
    let together = if payload.len() <= STEP_BYTES {
        payload.len()
    } else {
        0
    };
    let mut first = Zeroizing::new(Vec::with_capacity(8 + head.len() + together));
    first.extend_from_slice(&(head.len() as u32).to_be_bytes());
    first.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    first.extend_from_slice(&head);
    first.extend_from_slice(&payload[..together]);
    out.write_all(&first).map_err(gone_or)?;
    out.write_all(&payload[together..]).map_err(gone_or)
}

/// Reads one message whose payload is at most what `payload_max` allows for its head. None at the
/// end of the stream.
pub(super) fn read<H: DeserializeOwned>(
    input: &mut impl Read,
    payload_max: impl FnOnce(&H) -> usize,
) -> Result<Option<(H, Payload)>, MessageError> {
    let mut first = [0];
    loop {
        match input.read(&mut first) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(gone_or(error)),
        }
    }
    read_rest(first[0], input, payload_max).map(Some)
}

fn read_rest<H: DeserializeOwned>(
    first: u8,
    input: &mut impl Read,
    payload_max: impl FnOnce(&H) -> usize,
) -> Result<(H, Payload), MessageError> {
    let mut lengths = [first, 0, 0, 0, 0, 0, 0, 0];
    input.read_exact(&mut lengths[1..]).map_err(gone_or)?;
    let [a, b, c, d, e, f, g, h] = lengths;
    let head_len = u32::from_be_bytes([a, b, c, d]) as usize;
    let payload_len = u32::from_be_bytes([e, f, g, h]) as usize;
    if head_len > HEAD_BYTES_MAX {
        return Err(MessageError::TooLong { len: head_len });
    }
    let head = read_bytes(input, head_len)?;
    let head: H = serde_json::from_slice(&head).map_err(|_| MessageError::Malformed)?;
    if payload_len > payload_max(&head).min(PAYLOAD_BYTES_MAX) {
        return Err(MessageError::TooLong { len: payload_len });
    }
    Ok((head, read_bytes(input, payload_len)?))
}

/// Reads exactly `len` bytes, taking memory as they come and leaving no copy behind.
fn read_bytes(input: &mut impl Read, len: usize) -> Result<Payload, MessageError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(len.min(STEP_BYTES)));
    while bytes.len() < len {
        if bytes.len() == bytes.capacity() {
            let mut grown = Zeroizing::new(Vec::with_capacity((2 * bytes.len()).min(len)));
            grown.extend_from_slice(&bytes);
            bytes = grown;
        }
        let at = bytes.len();
        let end = bytes.capacity().min(len);
        bytes.resize(end, 0);
        input.read_exact(&mut bytes[at..]).map_err(gone_or)?;
    }
    Ok(bytes)
}

/// As `read`, on a socket: waits for a message's first byte as long as `patience` says (none: for
/// ever), and for the rest not longer than a stalled peer deserves.
pub(super) fn receive<H: DeserializeOwned>(
    stream: &UnixStream,
    patience: Option<Duration>,
    payload_max: impl FnOnce(&H) -> usize,
) -> Result<Option<(H, Payload)>, MessageError> {
    stream.set_read_timeout(patience)?;
    let mut input = Begun {
        stream,
        begun: false,
    };
    read(&mut input, payload_max)
}

struct Begun<'a> {
    stream: &'a UnixStream,
    begun: bool,
}

impl Read for Begun<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&mut &*self.stream).read(buffer)?;
        if !self.begun {
            self.begun = true;
            self.stream.set_read_timeout(Some(STALLED))?;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::super::protocol::{Answer, Request};
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Head {
        n: u32,
    }

    fn bytes_of(n: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, &Head { n }, payload).unwrap();
        out
    }

    #[test]
    fn a_message_comes_back_and_the_stream_ends_between_messages_only() {
        let mut bytes = bytes_of(7, b"abc");
        bytes.extend(bytes_of(8, b""));
        let mut input = bytes.as_slice();
        let mut next = || read(&mut input, |_: &Head| 3).unwrap();
        assert_eq!(
            next().unwrap(),
            (Head { n: 7 }, Payload::new(b"abc".to_vec()))
        );
        assert_eq!(next().unwrap().0, Head { n: 8 });
        assert!(next().is_none());
        for cut in 1..bytes_of(7, b"abc").len() {
            let outcome = read(&mut &bytes[..cut], |_: &Head| 3);
            assert!(matches!(outcome, Err(MessageError::Gone)), "{cut}");
        }
    }

    #[test]
    fn a_large_payload_comes_back() {
        let payload: Vec<u8> = (0..5 << 20).map(|n: u32| n as u8).collect();
        let bytes = bytes_of(1, &payload);
        let (_, back) = read(&mut bytes.as_slice(), |_: &Head| 5 << 20)
            .unwrap()
            .unwrap();
        assert!(*back == payload);
    }

    #[test]
    fn what_is_longer_than_allowed_is_refused_before_it_is_read() {
        let bytes = bytes_of(1, b"abcd");
        let outcome = read(&mut bytes.as_slice(), |_: &Head| 3);
        assert!(matches!(outcome, Err(MessageError::TooLong { len: 4 })));
        let mut head = [0xff; 8].as_slice();
        let outcome = read::<Head>(&mut head, |_| 0);
        assert!(matches!(outcome, Err(MessageError::TooLong { .. })));
    }

    #[test]
    fn a_length_alone_takes_no_memory() {
        let mut bytes = bytes_of(1, b"");
        bytes[4..8].copy_from_slice(&(PAYLOAD_BYTES_MAX as u32).to_be_bytes());
        let outcome = read(&mut bytes.as_slice(), |_: &Head| usize::MAX);
        assert!(matches!(outcome, Err(MessageError::Gone)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            read::<Request>(&mut bytes.as_slice(), Request::payload_max).ok();
            read::<Answer>(&mut bytes.as_slice(), |_| PAYLOAD_BYTES_MAX).ok();
        }

        #[test]
        fn any_head_is_read_or_refused(
            head in "[\\[\\]{}:,\"a-zA-Z0-9_]{0,80}",
            payload in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = Vec::new();
            bytes.extend((head.len() as u32).to_be_bytes());
            bytes.extend((payload.len() as u32).to_be_bytes());
            bytes.extend(head.as_bytes());
            bytes.extend(&payload);
            read::<Request>(&mut bytes.as_slice(), Request::payload_max).ok();
            read::<Answer>(&mut bytes.as_slice(), |_| PAYLOAD_BYTES_MAX).ok();
        }
    }
}
