//! The command line's words for what is set up once and looked at now and then: settings, keys,
//! roles, profiles, numbers.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::InitArgs;

#[derive(Args)]
pub(super) struct StatsArgs {
    /// One page for a browser, with numbers and names of models only
    #[arg(long)]
    pub html: bool,
    /// The file to write the page to; must not be there
    #[arg(short, long, value_name = "FILE", requires = "html")]
    pub output: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct IndexArgs {
    /// Do not ask whether everything may go to the host of the model of meaning
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Subcommand)]
pub(super) enum RolesAction {
    /// Their names, with how each begins
    List,
    /// Print one
    Show { name: String },
    /// Keep a system prompt under a name; without words, it is piped in or written in $EDITOR.
    /// {{NAME}} in it is a variable; where {{input}} stands, what is said goes
    Add { name: String, prompt: Vec<String> },
    /// Change one in $EDITOR, or by what is piped in
    Edit { name: String },
    /// Free a name
    Remove { name: String },
}

#[derive(Subcommand)]
pub(super) enum ProfileAction {
    /// The profiles there are; a star marks the one that is used
    List,
    /// Make one, with a passphrase of its own
    Create {
        name: String,
        #[command(flatten)]
        init: InitArgs,
    },
    /// Remove one with everything in it
    Remove {
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum ConfigAction {
    /// Where the file is
    Path,
    /// Every setting with its value and meaning
    List,
    /// The value of one setting
    Get { key: String },
    /// Change a setting
    Set { key: String, value: String },
    /// Take a setting out of the file
    Unset { key: String },
    /// Open the file in $EDITOR
    Edit,
}

#[derive(Subcommand)]
pub(super) enum KeysAction {
    /// Seal a key, which is asked for (or read from standard input)
    Set { name: String },
    /// Names of the sealed keys
    List,
    /// Remove a key
    Remove { name: String },
}
