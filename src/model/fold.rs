//! What every checkpoint of the log has in common.

use super::record::Record;

/// The checkpoints there are; each is one sealed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoldName {
    ConversationBuffer,
    LongTermMemory,
    Conversations,
}

impl FoldName {
    pub const ALL: [FoldName; 3] = [
        FoldName::ConversationBuffer,
        FoldName::LongTermMemory,
        FoldName::Conversations,
    ];
}

/// Whether a fold understood a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Applied {
    Known,
    /// Met something a later version writes: the fold goes on, but no checkpoint of it is written
    /// from here, since a later version would take it for complete.
    Unknown,
}

/// A state that is a function of the log: `apply` to every record from 1 gives it.
///
/// `version` is raised with any change of what `apply` does. `load(save())` gives an equal fold,
/// and a checkpoint followed by a replay always equals a replay from 1.
pub trait Fold: Send {
    fn name(&self) -> FoldName;
    fn version(&self) -> u32;
    fn apply(&mut self, seq: u64, record: &Record) -> Applied;
    /// The state as one JSON object, without `v`, `seq` and `link`, which the vault adds.
    fn save(&self) -> serde_json::Result<Vec<u8>>;
    /// Takes over a saved state; unknown members are ignored.
    fn load(&mut self, json: &[u8]) -> serde_json::Result<()>;
    /// Back to the state before record 1.
    fn reset(&mut self);
}
