//! `agent ask`: one question, the answer on stdout.

use std::process::ExitCode;

use serde::Serialize;

use super::args::AskArgs;
use super::consent::{Circumstances, look_for_secrets, obtain};
use super::failure::Failure;
use super::lines::piped;
use super::memory::Shown;
use super::memory::learn::{self, Left};
use super::output::{complain, harmless, one_line, print, print_json, stdout_is_terminal};
use super::shell::{Shell, now};
use super::talk::{self, Display};
use crate::chat::{Answer, ChatError, Opening, Session};
use crate::model::{Block, Id, MemoryOp, Stop, Surface, Text, Usage};
use crate::provider::Why;
use crate::vault::ProviderKeys;

/// An answer as `--json` shows it.
#[derive(Serialize)]
struct Shape<'a> {
    conversation: Id,
    message: Id,
    text: &'a str,
    memory: Vec<Shown<'a>>,
    model: Option<&'a str>,
    usage: Option<Usage>,
    stop: Option<Stop>,
}

pub(super) fn run(shell: Shell, args: AskArgs) -> Result<ExitCode, Failure> {
    let prompt = prompt(&args)?;
    let settings = talk::settings(&shell, &args.talk, Surface::Ask);
    let (mut session, keys) = if args.talk.incognito {
        (talk::incognito(settings)?, ProviderKeys::default())
    } else {
        let mut vault = shell.open_to_write()?;
        let keys = vault.provider_keys()?;
        let opening = talk::opening(&args.talk).unwrap_or(Opening::New);
        (talk::session(&shell, vault, settings, opening)?, keys)
    };
    let chosen = talk::choose(&shell, args.talk.model.as_deref(), &keys)?;
    if shell.global.verbose || chosen.why == Why::NothingConfigured {
        let name = format!("{}/{}", chosen.provider.name(), chosen.model);
        shell.note(&format!(
            "(answered by {})",
            name.replace("offline/offline", "offline")
        ));
    }
    if !args.talk.incognito {
        let circumstances = Circumstances {
            why: &chosen.why,
            yes: args.yes,
            one_shot: true,
        };
        obtain(
            &shell,
            &mut session,
            chosen.provider.as_ref(),
            &circumstances,
        )?;
    }
    for block in &prompt {
        if let Block::Text { text, source: None } = block {
            look_for_secrets(chosen.provider.as_ref(), text)?;
        }
    }
    session.say_blocks(prompt, now())?;
    let held = shell.global.json || args.no_stream;
    let display = if held {
        Display::Held
    } else {
        Display::Streamed
    };
    let answer = talk::answer(&shell, &mut session, &chosen, &display)?;
    show(&shell, &session, &answer, held)?;
    let code = code_of(&answer);
    if !args.talk.incognito {
        let left = Left::with(ExitCode::from(code));
        learn::at_the_end(&shell, &mut session, &chosen, &keys, left);
    }
    // The answer is shown and kept: what fails from here on is a warning.
    if let Err(error) = session.end(now()) {
        shell.note(&format!("warning: {error}"));
    }
    match answer.fault {
        Some(fault) => Err(ChatError::from(fault).into()),
        None => Ok(ExitCode::from(code)),
    }
}

fn code_of(answer: &Answer) -> u8 {
    match answer.message.as_ref().and_then(|message| message.stop) {
        Some(Stop::Interrupted) => 130,
        Some(Stop::Cut) => 20,
        _ => 0,
    }
}

/// The question; what is piped in behind one is a file, and alone it is the question.
fn prompt(args: &AskArgs) -> Result<Vec<Block>, Failure> {
    let words = Text::new(args.prompt.join(" "));
    let (text, behind) = match (piped()?, words.trim().is_empty()) {
        (Some(piped), true) => (piped, None),
        (piped, _) => (words, piped),
    };
    if text.trim().is_empty() {
        return Err(ChatError::EmptyPrompt.into());
    }
    let mut content = talk::with_attachments(&args.talk.attach, text)?;
    content.extend(behind.map(Block::attached));
    Ok(content)
}

fn show(shell: &Shell, session: &Session, answer: &Answer, held: bool) -> Result<(), Failure> {
    let text = answer
        .message
        .as_ref()
        .map(|message| message.plain())
        .unwrap_or_default();
    if shell.global.json {
        let learnt = answer.accepted.ops.iter().filter_map(|op| match op {
            MemoryOp::Add { item }
            | MemoryOp::Supersede { item, .. }
            | MemoryOp::Merge { item, .. } => Some(Shown::from(item)),
            _ => None,
        });
        let message = answer.message.as_ref();
        return print_json(&Shape {
            conversation: session.conversation(),
            message: message.map_or(Id::NIL, |message| message.id),
            text: &text,
            memory: learnt.collect(),
            model: message.and_then(|message| message.model.as_deref()),
            usage: message.and_then(|message| message.usage),
            stop: message.and_then(|message| message.stop),
        });
    }
    if held {
        print(&harmless(&text))?;
    }
    if !text.ends_with('\n') && !text.is_empty() {
        print("\n")?;
    }
    say_after(shell, answer);
    if answer
        .message
        .as_ref()
        .is_some_and(|message| message.is_incomplete())
    {
        let why = match answer.message.as_ref().and_then(|message| message.stop) {
            Some(Stop::Interrupted) => "interrupted",
            Some(Stop::Length) => "cut at the token limit",
            Some(Stop::Refused) => "the model declined",
            _ => "cut off",
        };
        complain(&format!(
            "({why}; what came is kept, and nothing was learnt from it)"
        ));
    }
    if !stdout_is_terminal() {
        return Ok(());
    }
    Ok(())
}

/// What was learnt, in one line on stderr.
pub(super) fn say_after(shell: &Shell, answer: &Answer) {
    if let Some(learnt) = &answer.learnt {
        shell.note(&format!("({})", one_line(learnt)));
    }
    if let Some(fault) = answer.faults.first() {
        shell.note(&format!(
            "(nothing learnt from a part of the reply: {fault})"
        ));
    }
}
