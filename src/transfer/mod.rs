//! The way out and the way in: the vault as plaintext that other programs read, and what other
//! programs kept, as records.
//!
//! Every source and sink is handed in; nothing here chooses where plaintext goes, asks a person or
//! knows a terminal. What is read is untrusted: everything has a bound, and an entry that cannot be
//! read is named by its place and passed over.

#[cfg(feature = "age")]
mod age;
mod error;
mod export;
mod import;
mod progress;
mod walk;

#[cfg(feature = "age")]
pub use self::age::{AgeError, AgeSink, Key, Lock, open_age};
pub use error::TransferError;
pub use export::{ArticleSinks, ExportOptions, Exported, Format, export, export_article};
#[cfg(feature = "llm")]
pub use import::import_llm;
pub use import::{
    ArticleSources, Bad, Fault, ImportOptions, Imported, Origin, Source, detect, import,
    import_article, import_copies, is_age,
};
pub use progress::{OnProgress, Progress, Step};

/// The version of the `jsonl` form.
pub const FORMAT: u32 = 1;
