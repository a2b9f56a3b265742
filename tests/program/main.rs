//! The program as people meet it: the binary itself, with a home, a terminal and servers of its
//! own.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test makes files and damages them as it likes"
)]

mod ahead;
mod browsing;
mod chatting;
mod codes;
mod commands;
mod completing;
mod damage;
mod incognito;
mod living;
mod meaning;
mod memory;
mod moving;
mod output;
mod passphrase;
mod projects;
mod recorded;
mod remembers;
mod scripting;
mod searching;
mod secrecy;
mod seen;
mod server;
mod soak;
mod starting;
mod terminal;
mod together;
mod world;
