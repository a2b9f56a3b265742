//! A private chat agent that remembers, and whose memory only its owner can read.
//!
//! The rooms, what each may use and what it alone may touch: `docs/architecture.md`.

pub mod chat;
pub mod cli;
pub mod config;
pub mod keeper;
pub mod memory;
pub mod model;
pub mod provider;
pub mod recall;
pub mod seal;
pub mod store;
pub mod transfer;
pub mod vault;
