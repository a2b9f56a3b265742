//! What `ask` and `chat` have in common: settings, the session, one turn on the terminal.

use std::path::PathBuf;

use super::args::Talk;
use super::compaction;
use super::failure::Failure;
use super::lines::attached;
use super::output::{harmless, print};
use super::shell::{Shell, now, sealed_key};
use crate::chat::{Answer, Opening, Recall, Session, Settings, Told};
use crate::keeper::Opened;
use crate::memory::Budgets;
use crate::model::{Block, Id, Surface, Text};
use crate::provider::{Chosen, Notice, select};
use crate::vault::{ProviderKeys, ScratchLog};

/// The settings of a sitting, from the options and the configuration.
pub(super) fn settings(shell: &Shell, talk: &Talk, surface: Surface) -> Settings {
    let config = &shell.config;
    let memory = &config.memory;
    Settings {
        window_messages: config.window_messages as usize,
        window_tokens: config.window_tokens as usize,
        max_tokens: config.max_tokens,
        temperature: config.temperature,
        budgets: Budgets {
            facts: memory.facts as usize,
            preferences: memory.preferences as usize,
            outcomes: memory.outcomes as usize,
            outcomes_shown: memory.outcomes_shown as usize,
            standing_tokens_max: memory.tokens as usize,
            ..Budgets::default()
        },
        system: talk.system.as_deref().map(Text::from),
        use_memory: !talk.no_memory && !talk.incognito,
        surface,
    }
}

/// Which conversation the options name, if they do.
pub(super) fn opening(talk: &Talk) -> Option<Opening> {
    if talk.continue_last {
        return Some(Opening::Last);
    }
    if let Some(prefix) = &talk.cid {
        return Some(Opening::Prefix(prefix.clone()));
    }
    if let Some(name) = &talk.session {
        return Some(Opening::Named(Text::from(name.as_str())));
    }
    talk.new.then_some(Opening::New)
}

/// The provider that the options, the configuration or the environment name.
pub(super) fn choose(
    shell: &Shell,
    model: Option<&str>,
    keys: &ProviderKeys,
) -> Result<Chosen, Failure> {
    let sealed = |name: &str| sealed_key(keys, name);
    Ok(select(model, &shell.config, &shell.environment, &sealed)?)
}

/// A session on the vault.
pub(super) fn session(
    shell: &Shell,
    vault: Opened,
    settings: Settings,
    opening: Opening,
) -> Result<Session, Failure> {
    let mut vault = vault;
    // Without an index the chat goes on; it only brings nothing back.
    let recall = match Recall::open(&mut vault) {
        Ok(recall) => recall,
        Err(error) => {
            shell.note(&format!("warning: nothing can be recalled: {error}"));
            None
        }
    };
    let session = Session::open(Box::new(vault), recall, settings, opening)?;
    if session.buffer.was_rebuilt() || session.memory.was_rebuilt() {
        shell.note("note: a checkpoint was missing and was made again from the log");
    }
    Ok(session)
}

/// A session that is kept nowhere.
pub(super) fn incognito(settings: Settings) -> Result<Session, Failure> {
    Ok(Session::open(
        Box::new(ScratchLog::default()),
        None,
        settings,
        Opening::New,
    )?)
}

/// A message with the files that go before it. Words of a file are not what the person typed.
pub(super) fn with_attachments(files: &[PathBuf], text: Text) -> Result<Vec<Block>, Failure> {
    let mut content = Vec::new();
    for file in files {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut whole = Text::new(format!("[file {}]\n", super::output::one_line(&name)));
        whole.push_str(attached(file)?.trim_end());
        whole.push_str("\n[end of file]\n");
        content.push(Block::attached(whole));
    }
    content.push(Block::said(text));
    Ok(content)
}

/// Under what name a conversation is marked as open in a window.
pub(super) fn claim_name(conversation: Id) -> [u8; 16] {
    let mut name = conversation.bytes();
    // The id itself is nobody's business, not even as the name of an empty file.
    let digest = <sha2::Sha256 as sha2::Digest>::digest(name);
    name.copy_from_slice(&digest[..16]);
    name
}

/// A runtime for the network, on this thread.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.map_err(Failure::Runtime)
}

/// Where a reply goes as it comes.
pub(super) enum Display {
    Streamed,
    /// Printed by the caller when it is complete.
    Held,
}

/// Asks for the answer to what was said last, showing it as it comes; Ctrl-C ends it early.
pub(super) fn answer(
    shell: &Shell,
    session: &mut Session,
    chosen: &Chosen,
    display: &Display,
) -> Result<Answer, Failure> {
    compaction::if_needed(shell, session, chosen);
    let recalled = session.recall(chosen.provider.as_ref(), now())?;
    let composed = session.compose(chosen.provider.as_ref(), &chosen.model, &recalled, now())?;
    let mut lost: Option<Failure> = None;
    let mut tell = |told: Told| match told {
        Told::Text(piece) => {
            if matches!(display, Display::Streamed) && lost.is_none() {
                lost = print(&harmless(&piece)).err();
            }
        }
        Told::Notice(Notice::Retrying {
            attempt,
            after_ms,
            status,
        }) => {
            let why = status.map_or("no connection".to_owned(), |s| format!("status {s}"));
            shell.note(&format!(
                "({why}; trying again, {attempt}, in {after_ms} ms)"
            ));
        }
        Told::Notice(Notice::Model(name)) => {
            if shell.global.verbose {
                shell.note(&format!("(model: {name})"));
            }
        }
    };
    let runtime = runtime()?;
    let answered = runtime.block_on(async {
        let interrupt = async {
            tokio::signal::ctrl_c().await.ok();
        };
        session
            .answer(
                chosen.provider.as_ref(),
                composed,
                now,
                interrupt,
                &mut tell,
            )
            .await
    });
    let answer = answered?;
    match lost {
        Some(Failure::BrokenPipe) | None => Ok(answer),
        Some(other) => Err(other),
    }
}
