//! Recall.
pub mod analyse;
pub mod contents;
pub mod rank;
pub mod segment;
pub mod source;
pub mod turn;

#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    #[error("damaged")]
    Damaged,
}
