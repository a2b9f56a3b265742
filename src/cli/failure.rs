//! What a person is told when something went wrong: what happened, and what to do next.

use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::output::complain;
use super::project::ProjectError;
use crate::chat::ChatError;
use crate::config::ConfigError;
use crate::keeper::KeeperError;
use crate::memory::{AnswerError, EditError};
use crate::provider::ProviderError;
use crate::recall::meaning::EmbedError;
use crate::seal::SealError;
use crate::store::StoreError;
#[cfg(feature = "age")]
use crate::transfer::AgeError;
use crate::transfer::TransferError;
use crate::vault::{RemoteError, VaultError};

/// Everything that can end a command.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// The passphrase is wrong, and the vault has a recovery code too.
    #[error(transparent)]
    HasRecoveryCode(VaultError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error("{}", usage_line(.0))]
    Usage(clap::Error),
    #[error("these key derivation options are not allowed: {0}")]
    KdfOption(#[source] SealError),
    #[error(transparent)]
    Keeper(KeeperError),
    #[error("there is no terminal to ask on")]
    NoTerminal,
    #[error("what was purged is still in the files of the epoch before, which cannot be removed")]
    PurgedStays,
    #[error("interrupted")]
    Interrupted,
    #[error("the reader of the output has gone")]
    BrokenPipe,
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    #[error("standard input cannot be read")]
    Input(#[source] io::Error),
    #[error("standard input is not UTF-8 (byte {at})")]
    InputEncoding { at: usize },
    #[error("standard input is longer than {max} bytes")]
    InputTooLong { max: usize },
    #[error("the passphrase file {} cannot be read", path.display())]
    PassphraseFile { path: PathBuf, source: io::Error },
    #[error("the passphrase file {} can be read by others (mode {mode:03o})", path.display())]
    PassphraseFileOpen { path: PathBuf, mode: u32 },
    #[error("descriptor {fd} cannot be read")]
    PassphraseDescriptor { fd: i32, source: io::Error },
    #[error("the passphrase command cannot be run")]
    PassphraseCommand(#[source] io::Error),
    #[error("the passphrase command failed{}", code.map_or(String::new(), |c| format!(" with status {c}")))]
    PassphraseCommandFailed { code: Option<i32> },
    #[error("no item's id begins with {0}")]
    NoSuchItem(String),
    #[error("{count} items have an id that begins with {prefix}")]
    AmbiguousItem { prefix: String, count: usize },
    #[error("not remembered: the text holds {0}")]
    SecretInMemory(String),
    #[error("approval is given on a terminal, by the person")]
    ApprovalNeedsTerminal,
    #[error("no model is at hand, and this needs one")]
    NeedsModel,
    #[error("the model's answer cannot be used: {0}")]
    ModelAnswer(#[source] AnswerError),
    #[error("the model's answer ended early")]
    AnswerStopped,
    #[error("not sent, and not kept")]
    KeptBack,
    #[error("the text is empty")]
    EmptyText,
    #[error("the text is too long")]
    TextTooLong,
    #[error("no key is sealed under the name {0}")]
    NoSuchKey(String),
    #[error("words may not go to {host} without consent")]
    NoConsent { host: String },
    #[error("the file {} cannot be attached: {what}", path.display())]
    Attachment { path: PathBuf, what: &'static str },
    #[error("the editor {0} cannot be run, or failed")]
    Editor(String),
    #[error("there is no file system in memory to edit on, and text never goes to a disk")]
    NoScratch,
    #[error("the text cannot be handed to the editor, or taken back")]
    Scratch(#[source] io::Error),
    #[error("this is drawn on the whole of a terminal, and there is none that can")]
    NeedsScreen,
    #[error("{} holds more than a vault, and is left as it is", .0.display())]
    NotOnlyAVault(PathBuf),
    #[error("nothing was removed")]
    NotSure,
    #[error("not sent; what you said is kept")]
    NotSent,
    #[error("the command /{name} needs {takes}")]
    CommandNeeds {
        name: &'static str,
        takes: &'static str,
    },
    #[error("the last search has no hit of that number")]
    NoSuchHit,
    #[error("this is incognito: nothing is changed in the vault")]
    Incognito,
    #[error("nothing was changed in memory that could be taken back")]
    NothingToUndo,
    #[error("a role's name is 1 to 64 visible characters without blanks")]
    BadRoleName,
    #[error("{0} is not a date (YYYY-MM-DD) or a moment")]
    NotADate(String),
    #[error(transparent)]
    Bench(#[from] crate::recall::bench::BenchError),
    #[error("no key slot's id begins with {0}, or more than one")]
    NoSuchSlot(String),
    #[error("the key file {} has {len} bytes; 20 to 4096 are allowed", path.display())]
    KeyFileSize { path: PathBuf, len: usize },
    #[error("the recovery code was not typed back as it is: it does not count")]
    CodeNotTypedBack,
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[cfg(feature = "age")]
    #[error(transparent)]
    Age(#[from] AgeError),
    #[cfg(not(feature = "age"))]
    #[error("this build has no age: its crate is left out")]
    WithoutAge,
    #[error("another import into this vault is running")]
    ImportRunning,
    #[error("an export is plaintext, and standard output is a terminal")]
    ExportToTerminal,
    #[error("the article's form is a directory of three files")]
    ArticleNeedsDirectory,
    #[error("the article's form is plaintext by nature")]
    ArticleWithAge,
    #[cfg(feature = "age")]
    #[error("the two passphrases of the age file differ, or are empty")]
    AgePassphrase,
    #[error("{} cannot be written", path.display())]
    ExportFile { path: PathBuf, source: io::Error },
    #[error("{} cannot be read", path.display())]
    ImportFile { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error("the runtime cannot be started")]
    Runtime(#[source] io::Error),
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Failure::Chat(error.into())
    }
}

impl From<KeeperError> for Failure {
    fn from(error: KeeperError) -> Self {
        match error {
            KeeperError::Vault(error) => error.into(),
            other => Failure::Keeper(other),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        VaultError::from(error).into()
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        VaultError::from(error).into()
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Failure::Chat(error.into())
    }
}

/// What is wrong with the arguments, without the usage that clap puts below it.
fn usage_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let what = text.split("\n\n").next().unwrap_or_default();
    super::output::one_line(what.trim_start_matches("error: "))
}

#[derive(Serialize)]
struct Report<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    exit: u8,
}

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Failure::Chat(ChatError::Vault(error)) | Failure::HasRecoveryCode(error) => {
                vault_code(error)
            }
            Failure::Chat(ChatError::Provider(ProviderError::Config(_))) => 2,
            Failure::Chat(ChatError::Provider(_) | ChatError::Meaning(EmbedError::Model(_))) => 20,
            Failure::Config(ConfigError::Read { .. } | ConfigError::Write { .. }) => 1,
            Failure::Usage(_) | Failure::Config(_) | Failure::KdfOption(_) => 2,
            Failure::NotADate(_) | Failure::Project(_) => 2,
            Failure::Chat(ChatError::MissingVariable { .. } | ChatError::NoSuchVariable { .. }) => {
                2
            }
            Failure::AnswerStopped | Failure::ModelAnswer(_) => 20,
            Failure::Transfer(TransferError::Vault(error)) => vault_code(error),
            Failure::Transfer(TransferError::Write(error))
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                0
            }
            Failure::Transfer(TransferError::Write(error))
            | Failure::ExportFile { source: error, .. }
                if error.kind() == io::ErrorKind::StorageFull =>
            {
                17
            }
            Failure::ExportToTerminal
            | Failure::ArticleNeedsDirectory
            | Failure::ArticleWithAge => 2,
            Failure::ImportRunning => 11,
            Failure::Interrupted => 130,
            Failure::BrokenPipe => 0,
            Failure::Output(error) if error.kind() == io::ErrorKind::StorageFull => 17,
            _ => 1,
        }
    }

    /// Tells stderr what happened and what to do next.
    pub(super) fn report(&self, json: bool) {
        let error = self.to_string();
        let cause = self.cause();
        let hint = self.hint();
        if json {
            let report = Report {
                error: &error,
                cause: cause.as_deref(),
                hint: hint.as_deref(),
                exit: self.exit_code(),
            };
            complain(&serde_json::to_string(&report).unwrap_or(error));
            return;
        }
        match cause {
            Some(cause) => complain(&format!("agent: {error}: {cause}")),
            None => complain(&format!("agent: {error}")),
        }
        if let Some(hint) = hint {
            complain(&format!("hint: {hint}"));
        }
    }

    /// What happened, and what to do about it, where something goes on without it.
    pub(super) fn as_warning(&self) -> String {
        let what = self.in_one_line();
        match self.hint() {
            Some(hint) => format!("warning: {what} ({hint})"),
            None => format!("warning: {what}"),
        }
    }

    /// What happened and why, without advice.
    pub(super) fn in_one_line(&self) -> String {
        match self.cause() {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// The innermost cause, where it says more than the error itself.
    fn cause(&self) -> Option<String> {
        let mut source = std::error::Error::source(self)?;
        while let Some(deeper) = source.source() {
            source = deeper;
        }
        let text = source.to_string();
        (!self.to_string().contains(&text)).then_some(text)
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Failure::Chat(ChatError::Vault(error)) => return vault_hint(error),
            Failure::HasRecoveryCode(_) => "a recovery code opens it too: --recovery-code",
            Failure::Chat(ChatError::Provider(error)) => provider_hint(error)?,
            Failure::Chat(ChatError::NoSuchConversation(_)) => "agent history list shows them",
            Failure::Chat(ChatError::AmbiguousConversation { .. }) => "type more of the id",
            Failure::Chat(ChatError::EmptyPrompt) => "say it behind `agent ask`, or pipe it in",
            Failure::Chat(ChatError::NothingToContinue) => "leave -c out to start one",
            Failure::Chat(ChatError::PrivateConversation { .. }) => {
                "use a model on this machine (-m ollama/…), or start another conversation (--new)"
            }
            Failure::Project(error) => error.hint(),
            Failure::Config(ConfigError::UnknownKey { .. }) => "agent config list shows them all",
            Failure::Usage(_) => "agent help shows what there is",
            Failure::Keeper(KeeperError::OtherVersion | KeeperError::Misunderstood) => ANEW,
            Failure::Keeper(KeeperError::UnsafeDirectory(_) | KeeperError::UnsafeSocket(_)) => {
                "see who made it, and remove it"
            }
            Failure::PurgedStays => "the next command that writes tries again; see agent doctor",
            Failure::NoTerminal => {
                "give the passphrase with --passphrase-file, --passphrase-fd, \
                 --passphrase-command or AGENT_PASSPHRASE, or run agent unlock first"
            }
            Failure::PassphraseFileOpen { path, .. } => {
                return Some(format!("chmod 600 {}", path.display()));
            }
            Failure::Chat(ChatError::MissingVariable { name, .. }) => {
                return Some(format!("say what it stands for: -p {name}=VALUE"));
            }
            Failure::Chat(ChatError::NoSuchVariable { role, .. }) => {
                return Some(format!(
                    "agent roles show {role} shows those it has, as {{{{NAME}}}}"
                ));
            }
            Failure::Chat(ChatError::NoSuchRole(_)) => "agent roles list shows them",
            Failure::NeedsScreen => "agent memory list and agent history list print the same",
            Failure::NotOnlyAVault(_) => "agent doctor names what else is there",
            Failure::NoSuchHit => "/search WORDS lists hits with their numbers",
            Failure::NotSure => "say --yes, or type the profile's name",
            Failure::NoScratch => "write the message at the prompt: Alt-Enter begins a new line",
            Failure::Attachment { what, .. } if what.contains("PDF") => {
                "where there is another way to its text, attach that"
            }
            Failure::Chat(ChatError::Meaning(EmbedError::NoFiles)) => {
                "build with --features local-embeddings, or name a server's model"
            }
            Failure::NeedsModel => "name one with -m, or agent config set model provider/model",
            Failure::ModelAnswer(_) => "try again, or with another model (-m)",
            Failure::NoSuchItem(_) => "agent memory list --all shows them",
            Failure::AmbiguousItem { .. } => "type more of the id",
            Failure::SecretInMemory(_) => {
                "memory goes into prompts; keep secrets in a password manager"
            }
            #[cfg(not(feature = "age"))]
            Failure::WithoutAge => "build without --no-default-features, or with --features age",
            Failure::ImportRunning => "wait until it is done",
            Failure::ExportToTerminal => "name a file with -o, or say --force",
            Failure::ArticleNeedsDirectory => "name a new directory with -o",
            Failure::ArticleWithAge => "export as jsonl or json for an age file",
            Failure::ExportFile { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                "nothing is overwritten: give another name"
            }
            Failure::Transfer(TransferError::Cut { .. }) => {
                "--salvage takes what is whole; nothing was imported"
            }
            Failure::Transfer(
                TransferError::CopyDamaged { .. } | TransferError::CopyDetached { .. },
            ) => "nothing was imported; --salvage takes what is whole",
            Failure::Transfer(TransferError::OtherVault | TransferError::OtherEpoch) => {
                "only copies of the vault as it is are merged; what another one holds comes in by \
                 agent --state-dir DIR export, and agent import of that"
            }
            Failure::Transfer(TransferError::NoCopies) => {
                "name the directory that the copies lie in"
            }
            Failure::Transfer(TransferError::UnknownFormat) => "say what it is with --from",
            Failure::NoSuchSlot(_) => "agent slots list shows them",
            Failure::NoSuchKey(_) => "agent keys list shows them",
            Failure::NoConsent { .. } => {
                "say --yes, name the model with -m, or set it with agent config set model …"
            }
            Failure::InputTooLong { .. } => "split the text into parts",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// What to do about a keeper that speaks otherwise.
const ANEW: &str = "agent lock ends it; then agent unlock starts one of this version";

fn vault_code(error: &VaultError) -> u8 {
    match error {
        VaultError::NoVault => 10,
        VaultError::WrongPassphrase => 12,
        VaultError::HeaderMissing
        | VaultError::HeaderDamaged { .. }
        | VaultError::Damaged(_)
        | VaultError::ReadBack { .. }
        | VaultError::Sealed { .. }
        | VaultError::FoldState(_) => 13,
        VaultError::Rollback(_) => 14,
        VaultError::Rekeyed => 16,
        VaultError::Seal(error) => match error {
            SealError::KdfMemoryLeft { .. } | SealError::KdfAllocation { .. } => 15,
            SealError::WrongPassphrase | SealError::RecoveryCode => 12,
            SealError::EmptyPassphrase | SealError::PassphraseEncoding => 1,
            _ => 13,
        },
        VaultError::Store(error) => match error {
            StoreError::NoDirectory(_) => 10,
            StoreError::Locked { .. } => 11,
            StoreError::NoSpace { .. }
            | StoreError::NotWritable { .. }
            | StoreError::Sync { .. }
            | StoreError::ForeignOwner { .. } => 17,
            _ => 1,
        },
        _ => 1,
    }
}

fn vault_hint(error: &VaultError) -> Option<String> {
    let text = match error {
        VaultError::NoVault | VaultError::Store(StoreError::NoDirectory(_)) => {
            "agent init makes one; --state-dir and --profile say where it is"
        }
        VaultError::VaultExists => "agent status tells about it",
        VaultError::NotEmpty(_) => "give an empty directory with --state-dir",
        VaultError::HeaderMissing => {
            "do not run init here; a copy of the header lies in the epoch's directory, and agent \
             repair puts it back"
        }
        VaultError::HeaderDamaged { .. } => {
            "agent repair puts back the copy of the header, with your passphrase"
        }
        VaultError::WrongPassphrase => "agent status tells which vault this is, and its ways in",
        VaultError::SlotNotGiven { .. } => {
            "give its secret on a terminal, or let it go with --drop-slot ID; nothing was changed"
        }
        VaultError::Rekeyed => "run the command again with the new passphrase",
        VaultError::Rollback(_) => {
            "either a backup was restored or a sync tool brought an old copy back, or somebody \
             tampered with the files; nothing is written until you decide; if you know why, go on \
             with --accept-rollback"
        }
        VaultError::Damaged(_) | VaultError::Sealed { .. } => {
            "agent verify shows what is damaged, agent repair mends; what opens stays readable"
        }
        VaultError::Remote(RemoteError::Locked) => {
            "agent unlock opens it again; what was answered before is kept"
        }
        VaultError::Remote(RemoteError::Unanswered) => {
            "look whether it is there before you run the command again"
        }
        VaultError::Remote(RemoteError::Misunderstood) => ANEW,
        VaultError::RecordTooLong { .. } => "split the text into parts",
        VaultError::Seal(SealError::KdfMemoryLeft { .. } | SealError::KdfAllocation { .. }) => {
            "close other programs, or open the vault on a machine with more memory"
        }
        VaultError::Store(error) => return store_hint(error),
        _ => return None,
    };
    Some(text.to_owned())
}

fn store_hint(error: &StoreError) -> Option<String> {
    let text = match error {
        StoreError::Locked {
            holder: Some(holder),
        } => {
            return Some(format!(
                "process {} ({}) has it since {}; wait for it, or longer with --lock-wait",
                holder.pid,
                holder.command,
                since(holder.since)
            ));
        }
        StoreError::Locked { holder: None } => "wait for it, or longer with --lock-wait",
        StoreError::NoSpace { .. } => "free some space and run the command again; nothing is lost",
        StoreError::NotWritable { .. } => {
            "see who may write there, and whether the disk can only be read"
        }
        StoreError::Sync { .. } => {
            "the disk reports a fault: nothing was acknowledged; look at the system log"
        }
        StoreError::ForeignOwner { .. } => "run agent as the owner, or give another --state-dir",
        StoreError::Conflict { .. } => "run the command again",
        _ => return None,
    };
    Some(text.to_owned())
}

fn since(seconds: u64) -> String {
    let at = i64::try_from(seconds)
        .ok()
        .and_then(|s| jiff::Timestamp::from_second(s).ok());
    at.map_or_else(String::new, |at| at.to_string())
}

fn provider_hint(error: &ProviderError) -> Option<&'static str> {
    Some(match error {
        ProviderError::Connect { .. } | ProviderError::Timeout { .. } => {
            "is the server running and the address right? what you said is kept"
        }
        ProviderError::Auth { .. } => "agent keys set NAME seals another key",
        ProviderError::NoKey { .. } => {
            "set the provider's variable, or seal a key with agent keys set NAME"
        }
        ProviderError::UnknownModel { .. } | ProviderError::UnknownProvider { .. } => {
            "agent models shows what there is"
        }
        ProviderError::RateLimited { .. } | ProviderError::Overloaded { .. } => {
            "try again in a while; what you said is kept"
        }
        ProviderError::RequestTooLarge { .. } => {
            "start a new conversation (--new), or lower window_tokens"
        }
        ProviderError::NoSuchAddress { .. } => "see the provider's base_url in agent config list",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keeper_of_another_version_is_told_with_the_way_out() {
        let told = Failure::from(KeeperError::OtherVersion).as_warning();
        assert!(
            told.contains("agent lock") && told.contains("agent unlock"),
            "{told}"
        );
    }
}
