//! What the person set: the environment, the places of files, the configuration file.
//!
//! Alone in touching environment variables and `config.toml`. Keys and passphrases are handed out
//! when they are asked for, in types that wipe themselves, and never lie in the file.

mod document;
mod environment;
mod error;
mod keys;
mod paths;
mod secret;
mod settings;

pub use document::{load, set, unset};
pub use environment::{CHILD_MUST_NOT_SEE, Directories, Environment};
pub use error::ConfigError;
pub use keys::{KEYS, KeyInfo};
pub use paths::{Paths, Profile};
pub use secret::ApiKey;
pub use settings::{Config, MemoryBudgets, ProviderConfig, ProviderKind, Timeouts, When};
