//! The keeper: an unlocked vault across a socket, for this login.
//!
//! A background process holds the vault; commands of the same user ask it for records, appends,
//! checkpoints and opened chunks, and fold, rank and render by themselves. The vault's keys never
//! cross the socket. The only room that touches that socket and the directory it lies in; it knows
//! no terminal. `docs/keeper.md` tells what it promises and when it locks itself.

mod ahead;
mod client;
mod error;
mod exchange;
mod fault;
mod index;
mod lifetime;
mod message;
mod opened;
mod peer;
mod place;
mod process;
mod protocol;
mod server;

pub use client::{Client, status};
pub use error::KeeperError;
pub use lifetime::{IDLE, LIMIT, Times};
pub use opened::Opened;
pub use place::Place;
pub use process::{Handover, serve, start, stop};
pub use protocol::{Condition, Status};

/// The most clients at once.
pub const CLIENTS_MAX: usize = 64;

#[cfg(test)]
mod tests;
