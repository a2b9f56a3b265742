//! The command line's words. The text of `--help` lives here and nowhere else.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use super::house_args::{
    ConfigAction, IndexArgs, KeysAction, ProfileAction, RolesAction, StatsArgs,
};
pub(super) use super::memory_args::{AskModel, ConsolidateArgs, ExtractArgs};
pub(super) use super::talk_args::{AskArgs, ChatArgs, Talk};
use crate::keeper::LIMIT;

/// A private chat agent that remembers, and whose memory only its owner can read.
#[derive(Parser)]
#[command(name = "agent", version, about, disable_help_subcommand = false)]
#[command(after_help = "Without a command, `agent` on a terminal is `agent chat`.")]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Args, Default)]
#[command(next_help_heading = "Options for every command")]
pub(super) struct Global {
    /// The vault's directory [env: AGENT_STATE_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// The vault's name; one vault a profile [env: AGENT_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Read the passphrase from a file that only you can read
    #[arg(long, global = true, value_name = "FILE", group = "passphrase")]
    pub passphrase_file: Option<PathBuf>,
    /// Read the passphrase from an open file descriptor
    #[arg(long, global = true, value_name = "N", group = "passphrase")]
    pub passphrase_fd: Option<i32>,
    /// Take what a command prints as the passphrase
    #[arg(long, global = true, value_name = "CMD", group = "passphrase")]
    pub passphrase_command: Option<String>,
    /// Unlock with the recovery code, which is asked for
    #[arg(long, global = true, group = "passphrase")]
    pub recovery_code: bool,
    /// How long to wait for another process
    #[arg(long, global = true, value_name = "SECONDS")]
    pub lock_wait: Option<u64>,
    /// Go on although the vault is older than this machine remembers
    #[arg(long, global = true)]
    pub accept_rollback: bool,
    /// Print JSON on stdout, errors as JSON on stderr
    #[arg(long, global = true)]
    pub json: bool,
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    /// Colours
    pub color: Color,
    /// Text only, for screen readers: no colours, no drawing, nothing that moves [env: AGENT_PLAIN]
    #[arg(long, global = true)]
    pub plain: bool,
    /// Say less on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more on stderr
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a vault
    Init(InitArgs),
    /// Chat; continues the last conversation
    Chat(ChatArgs),
    /// Ask one question; the answer goes to stdout
    Ask(AskArgs),
    /// Long-term memory
    Memory {
        #[command(subcommand)]
        action: MemoryAction,
    },
    /// Conversations
    History {
        #[command(subcommand)]
        action: HistoryAction,
    },
    /// Search everything ever said
    Search(SearchArgs),
    /// Bring the search index up to date; by meaning too, if a model for that is set
    Index(IndexArgs),
    /// What was said, remembered and spent, over time
    Stats(StatsArgs),
    /// Answer the recall benchmark's JSON lines
    #[command(hide = true)]
    RecallBench,
    /// Print records as any process appends them
    Watch(WatchArgs),
    /// Hold the vault open for this login: no passphrase until it locks
    Unlock(UnlockArgs),
    /// Lock the vault that `unlock` holds open
    Lock,
    /// The process that holds the vault open; started by `unlock`
    #[command(hide = true)]
    KeeperServe(UnlockArgs),
    /// What can be known without the passphrase
    Status,
    /// Check every byte of the vault
    Verify(VerifyArgs),
    /// Mend: put a damaged header back, write what opens into a new epoch
    Repair,
    /// Explain the state of things and what to do
    Doctor,
    /// New passphrase and new key: everything is sealed again
    Rekey(RekeyArgs),
    /// New passphrase, same key: instant
    Passwd {
        #[command(flatten)]
        secret: NewSecret,
        #[command(flatten)]
        kdf: KdfArgs,
    },
    /// The ways in: recovery code, key file
    Slots {
        #[command(subcommand)]
        action: SlotsAction,
    },
    /// A sealed copy that opens as a vault
    Backup {
        /// An empty or new directory
        dir: PathBuf,
    },
    /// Remove deleted and forgotten content from every file
    Purge(PurgeArgs),
    /// Write the decrypted backup
    Export(ExportArgs),
    /// Take in an export, or what other programs kept
    Import(ImportArgs),
    /// The models that can be talked to
    Models(ModelsArgs),
    /// Settings
    Config {
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// System prompts under names, sealed in the vault
    Roles {
        #[command(subcommand)]
        action: RolesAction,
    },
    /// Vaults beside each other, each with a passphrase of its own
    Profile {
        #[command(subcommand)]
        action: ProfileAction,
    },
    /// Providers' API keys, sealed in the vault
    Keys {
        #[command(subcommand)]
        action: KeysAction,
    },
    /// Print the manual page, or write one for each command into a directory
    Man {
        /// A directory that is there
        dir: Option<PathBuf>,
    },
    /// Print completions for a shell; what lies in the vault is completed while it is unlocked
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Default)]
pub(super) struct KdfArgs {
    /// Memory of the key derivation, in MiB (19 to 1024)
    #[arg(long, value_name = "MIB")]
    pub kdf_memory: Option<u32>,
    /// Passes of the key derivation; without it, as many as take about a second
    #[arg(long, value_name = "N")]
    pub kdf_passes: Option<u32>,
    /// Lanes of the key derivation (1 to 8)
    #[arg(long, value_name = "N")]
    pub kdf_lanes: Option<u32>,
}

/// Where a new passphrase comes from; env AGENT_NEW_PASSPHRASE, else the terminal.
#[derive(Args, Default)]
pub(super) struct NewSecret {
    /// Read the new passphrase from a file that only you can read
    #[arg(long, value_name = "FILE", group = "new")]
    pub new_passphrase_file: Option<PathBuf>,
    /// Read the new passphrase from an open file descriptor
    #[arg(long, value_name = "N", group = "new")]
    pub new_passphrase_fd: Option<i32>,
    /// Take what a command prints as the new passphrase
    #[arg(long, value_name = "CMD", group = "new")]
    pub new_passphrase_command: Option<String>,
}

#[derive(Args)]
pub(super) struct RekeyArgs {
    #[command(flatten)]
    pub secret: NewSecret,
    #[command(flatten)]
    pub kdf: KdfArgs,
    /// Let a way in go whose secret is not at hand (repeatable)
    #[arg(long, value_name = "ID")]
    pub drop_slot: Vec<String>,
}

#[derive(Subcommand)]
pub(super) enum SlotsAction {
    /// The ways in
    List,
    /// Add a recovery code, which is typed back before it counts
    AddRecovery,
    /// Add a file of random bytes, 20 to 4096, as a way in
    AddKeyfile { file: PathBuf },
    /// Remove a way in; another one has to be proven
    Remove {
        id: String,
        /// Prove with this key file
        #[arg(long, value_name = "FILE")]
        keyfile: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// Every record, one a line; `agent import` takes it back whole
    #[default]
    Jsonl,
    /// One document
    Json,
    /// One file to read
    Markdown,
    /// One page for a browser
    Html,
    /// A directory with the three files of the article
    Article,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The file, or for `article` the directory, to write; must not be there
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// Also what is forgotten or deleted
    #[arg(long)]
    pub all: bool,
    /// Encrypt to an age recipient (age1…)
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "age_passphrase")]
    pub age: Option<String>,
    /// Encrypt as an age file, with a passphrase that is asked for
    #[arg(long)]
    pub age_passphrase: bool,
    /// Write to the terminal even so
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ImportFrom {
    #[default]
    Auto,
    Jsonl,
    Article,
    Llm,
    Chatgpt,
    Claude,
    McpMemory,
    /// Copies of this vault's own files, as a synced folder leaves them
    Vault,
}

#[derive(Args)]
pub(super) struct ImportArgs {
    /// The file, or a directory: the article's files, or copies of the vault
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What it is; `auto` looks at the content
    #[arg(long, value_enum, default_value_t)]
    pub from: ImportFrom,
    /// Let imported memories count at once, without review
    #[arg(long)]
    pub trust: bool,
    /// Of an export that was cut short, or a damaged copy, take what is whole
    #[arg(long)]
    pub salvage: bool,
    /// The file with the age identity that opens an age file
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

#[derive(Args, Default)]
pub(super) struct PurgeArgs {
    /// Only these items of memory (repeatable)
    #[arg(long, value_name = "ID")]
    pub memory: Vec<String>,
    /// Only these conversations (repeatable)
    #[arg(long, value_name = "ID")]
    pub conversation: Vec<String>,
    /// Also what was learnt in the conversations that go
    #[arg(long)]
    pub with_memories: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Args, Default)]
pub(super) struct InitArgs {
    #[command(flatten)]
    pub kdf: KdfArgs,
    /// Also make a recovery code, printed once
    #[arg(id = "with_recovery_code", long = "with-recovery-code")]
    pub with_recovery_code: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KindArg {
    Fact,
    Preference,
    Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StatusArg {
    Pending,
    Active,
    Superseded,
    Expired,
    Rejected,
    Forgotten,
}

#[derive(Subcommand)]
pub(super) enum MemoryAction {
    /// See and change it on the whole screen
    Browse,
    /// List items
    List {
        /// Only items of this kind
        #[arg(long, value_enum)]
        kind: Option<KindArg>,
        /// Only items of this status
        #[arg(long, value_enum)]
        status: Option<StatusArg>,
        /// Also superseded, expired and rejected ones
        #[arg(long)]
        all: bool,
    },
    /// Show one item with its source
    Show { id: String },
    /// Remember something
    Add {
        text: String,
        #[arg(long, value_enum, default_value = "fact")]
        kind: KindArg,
        /// Always tell the model
        #[arg(long)]
        pin: bool,
        /// It counts only until this day, or moment
        #[arg(long, value_name = "DATE")]
        expires: Option<String>,
    },
    /// Change the words of an item
    Edit { id: String, text: String },
    /// Hide items everywhere
    Forget {
        #[arg(required = true)]
        ids: Vec<String>,
        /// Remove the bytes as well, from every file
        #[arg(long)]
        purge: bool,
    },
    /// The life of one item
    History { id: String },
    /// List items that wait for a decision
    Pending,
    /// Let waiting items count; asks on the terminal
    Approve {
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Turn waiting items down
    Reject {
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Always tell the model this item
    Pin { id: String },
    /// Tell the model this item by its rank again
    Unpin { id: String },
    /// Go through what waits, one key at a time
    Review,
    /// Bring back what was superseded, expired, rejected or forgotten
    Restore {
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Take back what was changed last; once more brings it back
    Undo {
        /// Show what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Look through what was said for what is worth remembering
    Extract(ExtractArgs),
    /// Put together what says the same, end what is over
    Consolidate(ConsolidateArgs),
}

#[derive(Subcommand)]
pub(super) enum HistoryAction {
    /// See them on the whole screen
    Browse,
    /// List conversations, the newest first
    List {
        /// At most so many
        #[arg(short = 'l', long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Print a conversation
    Show { cid: String },
    /// Give a conversation a title
    Rename { cid: String, title: String },
    /// Hide conversations everywhere
    Delete {
        #[arg(required = true)]
        cids: Vec<String>,
        /// Remove the bytes as well, from every file
        #[arg(long)]
        purge: bool,
    },
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum SearchIn {
    Messages,
    Memory,
    #[default]
    All,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RoleArg {
    User,
    Assistant,
}

#[derive(Args)]
pub(super) struct SearchArgs {
    /// Words; "a phrase" in quotes; -word leaves out what holds it
    #[arg(required = true)]
    pub query: Vec<String>,
    /// At most so many
    #[arg(short = 'k', long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
    /// Where to look
    #[arg(long = "in", value_enum, value_name = "WHERE", default_value_t)]
    pub scope: SearchIn,
    /// Only what was said from this day, or moment, on
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// Only what was said before this day, or moment
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
    /// Only what this side said
    #[arg(long, value_enum)]
    pub role: Option<RoleArg>,
    /// Only the conversation whose id begins so
    #[arg(long, value_name = "ID")]
    pub cid: Option<String>,
    /// Also the messages around each hit
    #[arg(short = 'C', long, value_name = "N", default_value_t = 0)]
    pub context: usize,
}

#[derive(Args)]
pub(super) struct UnlockArgs {
    /// Lock after so long without use, as in 15m or 2h; at most 8h, and after 8h in any case
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub idle: Option<Duration>,
}

/// A span of time that a keeper may idle.
fn duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<jiff::SignedDuration>();
    let span = span.ok().and_then(|span| Duration::try_from(span).ok());
    match span {
        Some(span) if !span.is_zero() && span <= LIMIT => Ok(span),
        Some(_) => Err("must be more than nothing and at most 8h".to_owned()),
        None => Err("is not a time such as 15m, 90s or 2h".to_owned()),
    }
}

#[derive(Args)]
pub(super) struct WatchArgs {
    /// Begin behind this record; without it, at the end
    #[arg(long, value_name = "SEQ")]
    pub since: Option<u64>,
}

#[derive(Args)]
pub(super) struct VerifyArgs {
    /// Only names, sizes and numbers, without the passphrase
    #[arg(long)]
    pub structure: bool,
}

#[derive(Args)]
pub(super) struct ModelsArgs {
    /// Only this provider's
    pub provider: Option<String>,
}
