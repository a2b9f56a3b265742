//! What can be wrong with the environment or the configuration file.

use std::io;
use std::path::PathBuf;

/// A fault of the environment or the configuration file. Values are never quoted: one of them may
/// be a key that was put in the wrong place.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("no home directory is known")]
    NoHome,
    #[error("the environment variable {variable} is not UTF-8")]
    NotUnicode { variable: String },
    #[error("the profile name {name:?} is not 1 to 64 letters, digits, `-`, `_` or inner dots")]
    BadProfile { name: String },
    #[error("what was given as an API key is not 1 to 8192 visible ASCII characters")]
    BadApiKey,
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is larger than {limit_bytes} bytes", path.display())]
    TooLarge { path: PathBuf, limit_bytes: u64 },
    #[error("{} is not TOML: line {line}, column {column}", path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        column: usize,
    },
    #[error("{} is not a table of prices", path.display())]
    Prices { path: PathBuf },
    #[error("{}`{key}` is not a setting{}", at(*line), near(nearest.as_deref()))]
    UnknownKey {
        key: String,
        line: Option<usize>,
        nearest: Option<String>,
    },
    #[error(
        "{}`{key}` looks like a secret, and secrets never belong in the file: \
         `agent keys set` seals one",
        at(*line)
    )]
    SecretInFile { key: String, line: Option<usize> },
    #[error("{}`{key}` is not {expected}", at(*line))]
    WrongValue {
        key: String,
        line: Option<usize>,
        expected: String,
    },
}

fn at(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}

fn near(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |key| format!(" (the nearest is `{key}`)"))
}
