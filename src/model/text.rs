//! Conversation text that does not print itself, and ids.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroize;

/// Words of a person or a model: wiped on drop, printed by `Debug` as a length only.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    pub fn new(text: impl Into<String>) -> Self {
        Text(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn push_str(&mut self, more: &str) {
        // Growing by `String` would leave the old allocation behind unwiped.
        if self.0.capacity() - self.0.len() < more.len() {
            let mut grown = String::with_capacity((self.0.len() + more.len()).next_power_of_two());
            grown.push_str(&self.0);
            self.0.zeroize();
            self.0 = grown;
        }
        self.0.push_str(more);
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(text)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A UUID version 7 (RFC 9562): unique without coordination, and in order of making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(Uuid);

impl Id {
    /// Draws a new id; its first 48 bits are the clock in milliseconds.
    pub fn fresh() -> Self {
        Id(Uuid::now_v7())
    }

    /// An id made from other bytes: the same bytes give the same id (RFC 9562, version 8).
    pub fn from_digest(digest: [u8; 16]) -> Self {
        Id(uuid::Builder::from_custom_bytes(digest).into_uuid())
    }

    /// The 16 bytes of the id, as `from_digest` takes them.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    pub const NIL: Id = Id(Uuid::nil());

    /// Whether the id's text begins with `prefix` (hyphens may be left out of it).
    pub fn has_prefix(&self, prefix: &str) -> bool {
        let wanted: String = prefix.chars().filter(|c| *c != '-').collect();
        !wanted.is_empty()
            && self
                .0
                .simple()
                .to_string()
                .starts_with(&wanted.to_ascii_lowercase())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for Id {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::from_str(text).map(Id)
    }
}
