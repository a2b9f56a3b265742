//! One record as it was opened.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::{Record, RecordError};
use crate::seal::{Link, Position};

/// A record's line with its number and the link behind it. Wiped on drop.
#[derive(Clone)]
pub struct Entry {
    pub seq: u64,
    pub link: Link,
    line: Arc<Zeroizing<Vec<u8>>>,
}

impl Entry {
    pub fn new(at: Position, line: Zeroizing<Vec<u8>>) -> Self {
        Entry {
            seq: at.seq,
            link: at.link,
            line: Arc::new(line),
        }
    }

    /// The JSON, as it was sealed.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    pub fn record(&self) -> Result<Record, RecordError> {
        Record::from_line(&self.line)
    }

    pub fn position(&self) -> Position {
        Position {
            seq: self.seq,
            link: self.link,
        }
    }
}
