//! The words of the commands that keep memory with a model's help; part of `args`.

use clap::Args;

/// Which project is looked at.
#[derive(Args, Default)]
pub(super) struct OfProject {
    /// Only what is of the project of this name, or that this path is in; without a value, of the
    /// one that is here
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "")]
    pub project: Option<String>,
}

/// Which project something belongs to.
#[derive(Args, Default)]
pub(super) struct Placing {
    /// It comes up in the project of this name, or that this path is in, alone; without a value, in
    /// the one that is here
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "", conflicts_with = "general")]
    pub project: Option<String>,
    /// It comes up everywhere
    #[arg(long)]
    pub general: bool,
}

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
    pub of: OfProject,
    #[command(flatten)]
    pub ask: AskModel,
}
