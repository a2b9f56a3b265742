//! Segments: the parts of an index, in memory or sealed.

mod format;
mod merge;
mod sealed;
mod volatile;
mod write;

pub use merge::merge;
pub use sealed::{Opened, SealedSegment};
pub use volatile::{Said, VolatileSegment};
pub use write::seal_volatile;
