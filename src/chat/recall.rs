//! What memory and history bring back for a line.

use crate::model::Timestamp;

use super::compose::Recalled;
use super::error::ChatError;
use super::session::Session;

impl Session {
    /// What bears on the line that was said last.
    pub fn recall(&mut self, _now: Timestamp) -> Result<Recalled, ChatError> {
        Ok(Recalled::default())
    }
}
