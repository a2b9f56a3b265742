//! Segments: the parts of an index, in memory or sealed.

mod volatile;

pub use volatile::{Said, VolatileSegment};
