//! Recall.
pub mod analyse;
pub mod bench;
pub mod cache;
pub mod contents;
pub mod index;
pub mod rank;
pub mod search;
pub mod segment;
pub mod shelf;
pub mod snippet;
pub mod source;
pub mod turn;

/// Why the index does not answer.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// What was read does not hold together; the index is to be rebuilt from the log.
    #[error("the search index is damaged")]
    Damaged,
    #[error(transparent)]
    Shelf(#[from] shelf::ShelfError),
}
