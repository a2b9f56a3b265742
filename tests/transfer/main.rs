//! Exports and imports on a vault in RAM.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test damages and copies files as it likes"
)]

mod copies;
mod foreign;
mod hostile;
mod jsonl;
mod reading;
mod support;
