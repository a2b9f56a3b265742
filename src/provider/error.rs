//! What can go wrong between here and a model, told apart where a caller would act differently.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::config::ConfigError;

/// A provider that did not answer, or not as it should.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("{host} cannot be reached")]
    Connect {
        host: String,
        source: reqwest::Error,
    },
    #[error("{host} {phase} within {seconds} s")]
    Timeout {
        host: String,
        phase: Phase,
        seconds: u32,
    },
    /// The certificate, or the whole handshake, is not what it should be.
    #[error("no secure connection to {host}")]
    Tls {
        host: String,
        source: reqwest::Error,
    },
    /// The connection broke after it stood.
    #[error("the connection to {host} was lost")]
    ConnectionLost {
        host: String,
        source: reqwest::Error,
    },
    /// A reply ended before it began.
    #[error("{host} ended its reply before saying anything")]
    EndedEarly { host: String },
    /// 401 or 403: the key is wrong, or may not do this.
    #[error("{host} refused the key (status {status}){message}")]
    Auth {
        host: String,
        status: u16,
        message: ServerMessage,
    },
    #[error("{host} does not know the model `{model}`{message}")]
    UnknownModel {
        host: String,
        model: String,
        message: ServerMessage,
    },
    /// 404 that does not speak of a model: the base URL is not that of an API.
    #[error("{host} has nothing at the address of its API{message}")]
    NoSuchAddress {
        host: String,
        message: ServerMessage,
    },
    #[error("{host} lists no models")]
    NoModels { host: String },
    #[error("{host} limits the rate of requests{message}")]
    RateLimited {
        host: String,
        retry_after_seconds: Option<u64>,
        message: ServerMessage,
    },
    #[error("{host} is overloaded{message}")]
    Overloaded {
        host: String,
        message: ServerMessage,
    },
    /// Any other status from 500 on.
    #[error("{host} failed (status {status}){message}")]
    Server {
        host: String,
        status: u16,
        message: ServerMessage,
    },
    /// The request, or the prompt in it, is longer than the model takes.
    #[error("{host} finds the request too large{message}")]
    RequestTooLarge {
        host: String,
        message: ServerMessage,
    },
    /// Any other status from 400 on: the request was not to the server's liking.
    #[error("{host} refused the request (status {status}){message}")]
    Rejected {
        host: String,
        status: u16,
        message: ServerMessage,
    },
    /// Redirects are not followed: the words and the key are for the host that was named.
    #[error("{host} redirects elsewhere (status {status}), which is not followed")]
    Redirected { host: String, status: u16 },
    #[error("{host} answered with {what}")]
    Malformed { host: String, what: Malformation },
    #[error("the reply of {host} is larger than {limit_bytes} bytes")]
    ReplyTooLarge { host: String, limit_bytes: u64 },
    #[error("no key for {provider}")]
    NoKey {
        provider: String,
        /// The environment variable that would hold one.
        variable: Option<String>,
    },
    #[error(
        "no model for vectors of texts is named as provider/model, of an OpenAI-like or Ollama server"
    )]
    NoEmbeddings,
    #[error("no provider is named {name:?}")]
    UnknownProvider { name: String },
    #[error("no base URL is set for {provider}")]
    NoBaseUrl { provider: String },
    #[error("the base URL of {provider} is not an http or https URL without user and password")]
    BadBaseUrl { provider: String },
    /// Unencrypted, and to the open network.
    #[error("the base URL of {provider} would send words unencrypted to {host}")]
    PlainHttp { provider: String, host: String },
    #[error("{} holds no certificates that can be read", path.display())]
    Certificates {
        path: PathBuf,
        source: Option<io::Error>,
    },
    #[error("the network client cannot be set up")]
    Client { source: reqwest::Error },
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Where an exchange stood when time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connect,
    FirstByte,
    Idle,
    Total,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Connect => "did not accept a connection",
            Phase::FirstByte => "did not begin to answer",
            Phase::Idle => "said nothing more",
            Phase::Total => "did not finish",
        })
    }
}

/// What came in place of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformation {
    Html,
    /// Not the framing of a stream, nor JSON.
    NotAStream,
    /// Framed well, but not the JSON that the format has.
    NotItsJson,
    /// One line or event beyond the limit.
    HugeEvent,
}

impl fmt::Display for Malformation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformation::Html => "an HTML page",
            Malformation::NotAStream => "something that is no stream of events",
            Malformation::NotItsJson => "an event that does not read as its format says",
            Malformation::HugeEvent => "an event larger than any should be",
        })
    }
}

/// What a server said about a failure: one line, without control characters and without our key.
/// `Display` shows it behind a colon, or nothing; `Debug` only its length, since servers quote
/// what they were sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServerMessage(String);

impl ServerMessage {
    const CHARS_MAX: usize = 300;

    /// Cleans what a server said; every word that is, holds, or is a long piece of `key` goes.
    pub(super) fn clean(text: &str, key: Option<&str>) -> Self {
        let mut line = String::new();
        for word in printable(text).split_whitespace() {
            if !line.is_empty() {
                line.push(' ');
            }
            match key {
                Some(key) => line.push_str(&without(word, key)),
                None => line.push_str(word),
            }
        }
        if line.chars().count() > Self::CHARS_MAX {
            line = line.chars().take(Self::CHARS_MAX).collect();
            line.push('…');
        }
        ServerMessage(line)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.0)
    }
}

impl fmt::Debug for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerMessage({} bytes)", self.0.len())
    }
}

/// A short name from a server, fit to be shown: one line, at most 200 characters.
pub(super) fn clean_name(text: &str) -> String {
    let clean = printable(text);
    let words: Vec<&str> = clean.split_whitespace().collect();
    words.join(" ").chars().take(200).collect()
}

/// Control characters become spaces; what turns the direction of text or hides in it goes.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| {
            !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
        })
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn without(word: &str, key: &str) -> String {
    const HIDDEN: &str = "[key]";
    // Shorter pieces say too little about a key, and would hide ordinary words.
    const PIECE_BYTES_MIN: usize = 8;
    let word = word.replace(key, HIDDEN);
    let inner = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if inner.len() >= PIECE_BYTES_MIN && key.contains(inner) {
        return word.replace(inner, HIDDEN);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_printable_line() {
        let said = "a\u{1b}[2Jb\r\n\tc\u{202e}d\u{0}\u{9b}e";
        assert_eq!(ServerMessage::clean(said, None).as_str(), "a [2Jb cd e");
        let long = ServerMessage::clean(&"wörd ".repeat(1000), None);
        assert_eq!(long.as_str().chars().count(), 301);
        assert_eq!(ServerMessage::clean("", None).to_string(), "");
    }

    #[test]
    fn a_key_that_the_server_echoes_is_hidden_whole_or_in_part() {
        let key = "sk-ant-0123456789abcdef";
        for said in [
            "bad key sk-ant-0123456789abcdef",
            "bad key 'sk-ant-0123456789abcdef'.",
            "bad key=sk-ant-0123456789abcdef&x",
            "bad key sk-\u{200b}ant-0123456789abcdef",
            "bad key sk-ant-01234567...",
            "bad key sk-ant-0123456789abcdefsk-ant-0123456789abcdef",
        ] {
            let clean = ServerMessage::clean(said, Some(key));
            assert!(clean.as_str().contains("[key]"), "{clean}");
            assert!(!clean.as_str().contains("01234567"), "{clean}");
        }
        let clean = ServerMessage::clean("an ordinary message", Some(key));
        assert_eq!(clean.as_str(), "an ordinary message");
    }

    #[test]
    fn debug_does_not_show_what_the_server_said() {
        let error = ProviderError::Rejected {
            host: "h".into(),
            status: 400,
            message: ServerMessage::clean("my secret diary", None),
        };
        assert!(!format!("{error:?}").contains("diary"));
        assert!(error.to_string().ends_with(": my secret diary"));
    }
}
