//! Exports and imports on a vault in RAM.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod foreign;
mod jsonl;
mod reading;
mod support;
