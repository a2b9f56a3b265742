//! Finds the right moment among all that was ever said.
//!
//! Alone in taking text apart into terms, in the layout of the index, and in scoring. Pure but for
//! the [`shelf::Shelf`] it is given, which holds sealed files; it never sees a key, the terminal or
//! the network. The bytes and the ranking are told in `docs/search-index.md`.

pub mod analyse;
pub mod bench;
pub mod cache;
pub mod contents;
pub mod index;
pub mod meaning;
pub mod rank;
pub mod sealed_shelf;
pub mod search;
pub mod segment;
pub mod shelf;
pub mod snippet;
pub mod source;
pub mod stretch;
pub mod turn;

pub use index::{CACHE_CHUNKS, Index, Merging};
pub use search::{Among, Filter, Hit, Query, Scope};
pub use shelf::{FileMark, Shelf, ShelfError, ShelfLock};
pub use snippet::{Snippet, snippet};

/// Why the index does not answer.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// What was read does not hold together; the index is to be rebuilt from the log.
    #[error("the search index is damaged")]
    Damaged,
    #[error(transparent)]
    Shelf(#[from] shelf::ShelfError),
}
