//! The words of the commands that keep memory with a model's help; part of `args`.

use clap::Args;

/// The model that does the work.
#[derive(Args, Default)]
pub(super) struct AskModel {
    /// The model, as provider/model; without it, memory.model or the usual one
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Let the words go to the model's host without asking
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Args)]
pub(super) struct ExtractArgs {
    /// The conversation whose id begins so; without it, what is owed, else the last one
    #[arg(long, value_name = "ID")]
    pub cid: Option<String>,
    /// Also what was looked through before
    #[arg(long)]
    pub again: bool,
    /// Show what would be remembered, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub ask: AskModel,
}

#[derive(Args)]
pub(super) struct ConsolidateArgs {
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Take the last consolidation back
    #[arg(long)]
    pub undo: bool,
    #[command(flatten)]
    pub ask: AskModel,
}
