//! The way out and the way in: the vault as plaintext that other programs read, and what other
//! programs kept, as records.
//!
//! Every source and sink is handed in; nothing here chooses where plaintext goes, asks a person or
//! knows a terminal. What is read is untrusted: everything has a bound, and an entry that cannot be
//! read is named by its place and passed over.

mod error;
mod export;
mod import;
mod progress;
mod walk;

pub use error::TransferError;
pub use export::{ExportOptions, Exported, Format, export};
pub use import::{Bad, Fault, ImportOptions, Imported, Origin, Source, import};
pub use progress::{OnProgress, Progress, Step};

/// The version of the `jsonl` form.
pub const FORMAT: u32 = 1;
