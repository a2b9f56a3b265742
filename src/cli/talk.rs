//! What `ask` and `chat` have in common: settings, the session, one turn on the terminal.

use std::collections::BTreeSet;

use super::args::Talk;
use super::budget;
use super::compaction;
use super::failure::Failure;
use super::indexing;
use super::meaning;
use super::output::one_line;
use super::project;
use super::reply::{Display, Stage, Timing};
use super::shell::{Shell, now, sealed_key};
use crate::chat::{Answer, Opening, Session, Settings};
use crate::keeper::Opened;
use crate::memory::Budgets;
use crate::model::{Id, Surface, Text};
use crate::provider::{Chosen, select};
use crate::vault::{Log, ProviderKeys, ScratchLog};

/// The settings of a sitting, from the options and the configuration.
pub(super) fn settings(shell: &Shell, talk: &Talk, surface: Surface) -> Result<Settings, Failure> {
    let config = &shell.config;
    let memory = &config.memory;
    Ok(Settings {
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
        frame: None,
        use_memory: !talk.no_memory && (!talk.incognito || talk.with_memory),
        learns: !talk.no_memory && !talk.incognito,
        surface,
        project: project::of_talk(shell, talk)?,
    })
}

/// Tells of the project that a question is asked in, where that is not the one that is here.
pub(super) fn say_project(shell: &Shell, session: &Session) {
    let strays = session.project() != session.settings.project.as_ref();
    let line = project_line(session).filter(|_| strays || shell.global.verbose);
    line.iter().for_each(|line| shell.note(line));
}

/// What a person is to know of the project that a session goes on in, if it is of one.
pub(super) fn project_line(session: &Session) -> Option<String> {
    let project = session.project()?;
    let name = one_line(project.name());
    Some(match session.settings.project.as_ref() == Some(project) {
        true => format!("Project {name}: what is learnt here comes up here alone."),
        false => format!("This conversation is of the project {name} and goes on in it."),
    })
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

/// A session on a log.
pub(super) fn session(
    shell: &Shell,
    mut log: Box<dyn Log>,
    settings: Settings,
    opening: Opening,
) -> Result<Session, Failure> {
    // Without an index the chat goes on; it only brings nothing back.
    let recall = match indexing::open(shell, log.as_mut()) {
        Ok(recall) => recall,
        Err(error) => {
            shell.note(&format!("warning: nothing can be recalled: {error}"));
            None
        }
    };
    let session = Session::open(log, recall, settings, opening)?;
    if session.buffer.was_rebuilt() || session.memory.was_rebuilt() {
        shell.note("note: a checkpoint was missing and was made again from the log");
    }
    Ok(session)
}

/// Talks under the role that the options name, if they do.
pub(super) fn take_role(session: &mut Session, talk: &Talk) -> Result<(), Failure> {
    match &talk.role {
        Some(name) => Ok(session.take_role(name, &talk.param)?),
        None => Ok(()),
    }
}

/// The models that are known without asking anybody, each with what is known of it.
pub(super) fn model_names(shell: &Shell) -> Vec<(String, String)> {
    let priced = shell
        .prices()
        .map(|prices| prices.models())
        .unwrap_or_default();
    let named = shell.config.providers.iter().map(|(name, settings)| {
        let model = settings.model.as_ref();
        model.map_or_else(|| name.clone(), |model| format!("{name}/{model}"))
    });
    let usual = ["offline", "anthropic", "openai", "ollama"].map(str::to_owned);
    let configured = named.chain(shell.config.model.clone());
    bare(usual.into_iter().chain(configured).chain(priced))
}

/// Names to choose from, each once and in order, of which nothing more is known.
pub(super) fn bare(names: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let names: BTreeSet<String> = names.collect();
    let alone = |name| (name, String::new());
    names.into_iter().map(alone).collect()
}

/// A session that is kept nowhere: on what the vault holds if it `reads`, else on nothing.
pub(super) fn unkept(
    shell: &Shell,
    settings: Settings,
    talk: &Talk,
    reads: bool,
) -> Result<(Session, ProviderKeys), Failure> {
    if !reads {
        return Ok((incognito(settings)?, ProviderKeys::default()));
    }
    let mut vault = shell.open_to_look()?;
    let keys = vault.provider_keys()?;
    Ok((incognito_on(shell, vault, settings, talk)?, keys))
}

/// A session that is kept nowhere and knows what the vault holds. What the options name is gone on
/// with; else it is a new conversation.
pub(super) fn incognito_on(
    shell: &Shell,
    vault: Opened,
    settings: Settings,
    talk: &Talk,
) -> Result<Session, Failure> {
    let log = ScratchLog::over(Box::new(vault))?;
    let opening = opening(talk).unwrap_or(Opening::New);
    session(shell, Box::new(log), settings, opening)
}

/// A session that is kept nowhere and knows nothing.
pub(super) fn incognito(settings: Settings) -> Result<Session, Failure> {
    Ok(Session::open(
        Box::new(ScratchLog::default()),
        None,
        settings,
        Opening::New,
    )?)
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

/// An answer, and how long it took.
pub(super) struct Answered {
    pub answer: Answer,
    pub timing: Timing,
}

/// Asks for the answer to what was said last, showing it as it comes; Ctrl-C ends it early.
pub(super) fn answer(
    shell: &Shell,
    session: &mut Session,
    chosen: &Chosen,
    display: Display,
) -> Result<Answered, Failure> {
    compaction::if_needed(shell, session, chosen);
    let recalled = session.recall(chosen.provider.as_ref(), now())?;
    meaning::say_fault(shell, session.take_fault_of_meaning());
    let composed = session.compose(chosen.provider.as_ref(), &chosen.model, &recalled, now())?;
    budget::obtain(shell, session, &composed, chosen)?;
    let runtime = runtime()?;
    let waits = chosen.provider.host().is_some();
    let mut stage = Stage::new(shell, display, waits);
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
                &mut |told| stage.tell(told),
            )
            .await
    });
    let timing = stage.end();
    let answer = answered?;
    match timing {
        Ok(timing) => Ok(Answered { answer, timing }),
        Err(Failure::BrokenPipe) => Ok(Answered {
            answer,
            timing: Timing::default(),
        }),
        Err(other) => Err(other),
    }
}
