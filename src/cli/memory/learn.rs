//! `agent memory extract`, and the same pass at the end of a chat.

use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::select;
use serde::Serialize;

use super::super::args::{AskModel, ExtractArgs, Talk};
use super::super::consent::{self, Circumstances};
use super::super::failure::Failure;
use super::super::output::{one_line, print_json, print_line, stderr_is_terminal, whisper};
use super::super::shell::{Shell, now};
use super::super::talk;
use super::changes::{ChangeShown, lines, shown};
use crate::chat::{
    Broke, ChatError, FoundConversation, Opening, Pass, Passed, Session, Unanswered,
};
use crate::config::When;
use crate::memory::{Change, diff};
use crate::model::{Id, Status, Surface};
use crate::provider::{Chosen, is_local_host};
use crate::store::Store;
use crate::vault::ProviderKeys;

/// A pass that failed so often waits for the person to ask for it.
const TRIES_MAX: u32 = 3;
/// Passes over earlier sittings that one leaving takes on, at the most.
const OWED_AT_ONCE: usize = 16;

/// A sitting without a conversation, for commands that work on memory as a whole.
pub(super) fn sitting(shell: &Shell) -> Result<(Session, ProviderKeys), Failure> {
    let mut vault = shell.open_to_write()?;
    let keys = vault.provider_keys()?;
    let settings = talk::settings(shell, &Talk::default(), Surface::Chat);
    let session = Session::open(Box::new(vault), None, settings, Opening::New)?;
    Ok((session, keys))
}

/// The model that memory is kept with: the named one, the one set for memory, or the usual one;
/// with the person's consent that words go there.
pub(super) fn model(
    shell: &Shell,
    session: &mut Session,
    keys: &ProviderKeys,
    wanted: &AskModel,
) -> Result<Chosen, Failure> {
    let named = wanted
        .model
        .as_deref()
        .or(shell.config.memory.model.as_deref());
    let chosen = talk::choose(shell, named, keys)?;
    if chosen.is_offline() {
        return Err(Failure::NeedsModel);
    }
    let circumstances = Circumstances {
        why: &chosen.why,
        yes: wanted.yes,
        one_shot: true,
    };
    consent::obtain(shell, session, chosen.provider.as_ref(), &circumstances)?;
    Ok(chosen)
}

/// Waits for Ctrl-C.
pub(super) async fn interrupted() {
    tokio::signal::ctrl_c().await.ok();
}

#[derive(Serialize)]
struct Outcome<'a> {
    conversation: Id,
    changes: Vec<ChangeShown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broke: Option<String>,
}

pub(super) fn extract(shell: &Shell, args: &ExtractArgs) -> Result<ExitCode, Failure> {
    let (mut session, keys) = sitting(shell)?;
    let passes = passes(shell, &mut session, args)?;
    if passes.is_empty() {
        match shell.global.json {
            true => print_json(&[(); 0])?,
            false => shell.note("Nothing waits to be looked through."),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = model(shell, &mut session, &keys, &args.ask)?;
    let runtime = talk::runtime()?;
    let mut failed = None;
    let mut all: Vec<(Id, Vec<Change>, Option<String>)> = Vec::new();
    for pass in passes {
        let provider = chosen.provider.as_ref();
        let before = session.memory.fold.clone();
        let made = match args.dry_run {
            true => runtime.block_on(session.rehearse(
                provider,
                &chosen.model,
                pass,
                now(),
                interrupted(),
            )),
            false => {
                runtime.block_on(session.extract(provider, &chosen.model, pass, now, interrupted()))
            }
        };
        let passed = match made {
            Err(error @ ChatError::PrivateConversation { .. }) if args.cid.is_none() => {
                shell.note(&format!("note: {error}"));
                continue;
            }
            other => other?,
        };
        let changes = diff(&before, &passed.accepted.ops, now());
        if !shell.global.json {
            tell(shell, &session, &pass, &passed, &changes)?;
        }
        let broke = passed.broke.as_ref().map(why);
        all.push((pass.conversation, changes, broke));
        failed = passed.broke.map(failure);
        if failed.is_some() {
            break;
        }
    }
    if shell.global.json {
        let outcomes = all.iter().map(|(conversation, changes, broke)| Outcome {
            conversation: *conversation,
            changes: shown(changes),
            broke: broke.clone(),
        });
        print_json(&outcomes.collect::<Vec<_>>())?;
    }
    if let Err(error) = session.settle() {
        shell.note(&format!("warning: {error}"));
    }
    match failed {
        Some(failure) => Err(failure),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// What to look through: the named conversation; else what is owed; else the last conversation.
fn passes(shell: &Shell, session: &mut Session, args: &ExtractArgs) -> Result<Vec<Pass>, Failure> {
    if let Some(prefix) = &args.cid {
        let conversations = session.conversations().map_err(Failure::from)?;
        let id = match conversations.fold.by_prefix(prefix) {
            FoundConversation::One(id, _) => id,
            FoundConversation::None => {
                return Err(ChatError::NoSuchConversation(prefix.clone()).into());
            }
            FoundConversation::Several(ids) => {
                let (prefix, count) = (prefix.clone(), ids.len());
                return Err(ChatError::AmbiguousConversation { prefix, count }.into());
            }
        };
        return Ok(vec![session.pass_over(id, args.again)?]);
    }
    let store = shell.store()?;
    let asks = shell.config.memory.extract == When::Always;
    let owed = session.owed_passes(asks, usize::MAX, &mut |candidate| {
        !is_open(store.as_ref(), candidate.conversation)
    })?;
    if !owed.is_empty() {
        return Ok(owed);
    }
    match session.buffer.fold.last_conversation() {
        Some(id) if !is_open(store.as_ref(), id) => Ok(vec![session.pass_over(id, args.again)?]),
        _ => Ok(Vec::new()),
    }
}

/// Whether a chat has the conversation open.
fn is_open(store: &dyn Store, conversation: Id) -> bool {
    let name = talk::claim_name(conversation);
    !matches!(store.claim(name), Ok(Some(_)))
}

fn tell(
    shell: &Shell,
    session: &Session,
    pass: &Pass,
    passed: &Passed,
    changes: &[Change],
) -> Result<(), Failure> {
    let id = pass.conversation.to_string();
    if changes.is_empty() && passed.broke.is_none() {
        shell.note(&format!("{}: nothing new", &id[..13]));
    }
    for line in lines(changes, &session.memory.fold) {
        print_line(&line)?;
    }
    let waiting = changes
        .iter()
        .any(|change| matches!(change, Change::Added(item) if item.status == Status::Pending));
    if waiting {
        shell.note("`agent memory review` goes through what waits.");
    }
    Ok(())
}

/// Why a pass did not come to its end, in a few words.
fn why(broke: &Broke) -> String {
    match broke {
        Broke::Unanswered(Unanswered::Interrupted) => "it was interrupted".to_owned(),
        Broke::Unanswered(Unanswered::Stopped(_)) => "the model's answer ended early".to_owned(),
        Broke::Unanswered(Unanswered::Failed(error)) => error.to_string(),
        Broke::Unreadable(error) => error.to_string(),
    }
}

fn failure(broke: Broke) -> Failure {
    match broke {
        Broke::Unanswered(why) => unanswered(why),
        Broke::Unreadable(error) => Failure::ModelAnswer(error),
    }
}

pub(super) fn unanswered(why: Unanswered) -> Failure {
    match why {
        Unanswered::Interrupted => Failure::Interrupted,
        Unanswered::Stopped(_) => Failure::AnswerStopped,
        Unanswered::Failed(error) => error.into(),
    }
}

/// How a sitting came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Left {
    ByItself,
    Interrupted,
}

impl Left {
    /// By the code that the program ends with.
    pub(in super::super) fn with(code: ExitCode) -> Self {
        match code == ExitCode::from(130) {
            true => Left::Interrupted,
            false => Left::ByItself,
        }
    }
}

/// What a sitting ends with, where the settings say so: looks through what was said, and through
/// what is owed from before. Bounded in time; Ctrl-C skips it; a failure is one line.
pub(in super::super) fn at_the_end(
    shell: &Shell,
    session: &mut Session,
    chosen: &Chosen,
    keys: &ProviderKeys,
    left: Left,
) {
    let wanted = match (shell.config.memory.extract, session.settings.surface) {
        (When::Never, _) => false,
        (When::Chat, surface) => surface == Surface::Chat,
        (When::Always, _) => true,
    };
    if !wanted || !session.settings.learns {
        return;
    }
    let own = match session.own_passes() {
        Ok(own) => own,
        Err(error) => return shell.note(&format!("warning: {error}")),
    };
    if own.is_empty() {
        return;
    }
    if let Some(count) = session.has_grown().filter(|_| stderr_is_terminal()) {
        shell.note(&format!(
            "({count} items came since memory was tidied last: `agent memory consolidate`)"
        ));
    }
    let other = shell.config.memory.model.as_deref();
    let other = other
        .map(|name| talk::choose(shell, Some(name), keys))
        .transpose();
    let Ok(other) = other else { return };
    let chosen = other.as_ref().unwrap_or(chosen);
    if chosen.is_offline() || !consent::is_given(shell, session, chosen.provider.as_ref()) {
        return;
    }
    if left == Left::Interrupted {
        // Whoever presses Ctrl-C wants to be gone.
        owe(shell, session, own);
        return;
    }
    let owed = owed_at_the_end(shell, session, chosen).unwrap_or_else(|failure| {
        shell.note(&format!("warning: {failure}"));
        Vec::new()
    });
    let left = look_through(shell, session, chosen, own, owed);
    owe(shell, session, left);
}

/// Leaves passes over this sitting for later.
fn owe(shell: &Shell, session: &mut Session, passes: Vec<Pass>) {
    for pass in passes {
        if let Err(error) = session.owe(pass, now()) {
            shell.note(&format!("warning: {error}"));
        }
    }
}

/// What is owed from before and may be looked through now.
fn owed_at_the_end(
    shell: &Shell,
    session: &mut Session,
    chosen: &Chosen,
) -> Result<Vec<Pass>, Failure> {
    let store = shell.store()?;
    let host = chosen.provider.host();
    let stays = host.is_none_or(is_local_host);
    let asks = shell.config.memory.extract == When::Always;
    Ok(session.owed_passes(asks, OWED_AT_ONCE, &mut |candidate| {
        candidate.tries < TRIES_MAX
            && (stays || !candidate.local)
            && !is_open(store.as_ref(), candidate.conversation)
    })?)
}

/// Makes passes, those over this sitting first; of these it returns the ones that nothing says are
/// owed although they were not made.
fn look_through(
    shell: &Shell,
    session: &mut Session,
    chosen: &Chosen,
    own: Vec<Pass>,
    owed: Vec<Pass>,
) -> Vec<Pass> {
    let Ok(runtime) = talk::runtime() else {
        return own;
    };
    let mut left = own.clone();
    let limit = Duration::from_secs(u64::from(shell.config.memory.extract_seconds));
    let says = stderr_is_terminal() && !shell.global.quiet;
    if says {
        whisper("(looking through what was said; Ctrl-C skips this) …");
    }
    let mut lines = Vec::new();
    runtime.block_on(async {
        let mut over = Box::pin(over(limit));
        for pass in own.into_iter().chain(owed) {
            let provider = chosen.provider.as_ref();
            let made = session.extract(provider, &chosen.model, pass, now, over.as_mut());
            match made.await {
                Ok(passed) => {
                    // It has said itself that it is owed, if it broke.
                    left.retain(|own| *own != pass);
                    lines.extend(passed.learnt.as_deref().map(one_line));
                    if let Some(broke) = passed.broke {
                        lines.push(format!(
                            "not looked through to the end: {}; kept for later",
                            why(&broke)
                        ));
                        break;
                    }
                }
                Err(ChatError::PrivateConversation { .. }) => {}
                Err(error) => {
                    lines.push(format!("not looked through: {error}"));
                    break;
                }
            }
        }
    });
    if says {
        whisper("\r\x1b[K");
    }
    lines
        .iter()
        .for_each(|line| shell.note(&format!("({line})")));
    left
}

/// Ctrl-C, or the end of the time.
async fn over(limit: Duration) {
    let pressed = Box::pin(interrupted());
    let late = Box::pin(tokio::time::sleep(limit));
    select(pressed, late).await;
}
