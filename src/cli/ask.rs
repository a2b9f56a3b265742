//! `agent ask`: one question, the answer on stdout.

use std::process::ExitCode;

use serde::Serialize;

use super::args::AskArgs;
use super::attach::{self, Bundle};
use super::consent::{Circumstances, obtain};
use super::failure::Failure;
use super::lines::piped;
use super::memory::Shown;
use super::output::{complain, harmless, one_line, print, print_json};
use super::reply::{self, Display};
use super::shell::{Shell, now};
use super::talk::{self, Answered};
use crate::chat::{Answer, ChatError, Opening, Session};
use crate::model::{Id, MemoryOp, Stop, Surface, Text, Usage};
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
    let Bundle { text, images } = prompt(&args)?;
    let settings = talk::settings(&shell, &args.talk, Surface::Ask);
    let (mut session, keys) = if args.talk.incognito {
        (talk::incognito(settings)?, ProviderKeys::default())
    } else {
        let mut vault = shell.open_to_write()?;
        let keys = vault.provider_keys()?;
        let opening = talk::opening(&args.talk).unwrap_or(Opening::New);
        (talk::session(&shell, vault, settings, opening)?, keys)
    };
    talk::take_role(&mut session, &args.talk)?;
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
    session.say_with(text, images, now())?;
    let held = shell.global.json || args.no_stream;
    let display = if held {
        Display::Held
    } else {
        Display::of(&shell, args.talk.no_markdown)
    };
    let Answered { answer, timing } = talk::answer(&shell, &mut session, &chosen, display)?;
    let markdown = !args.talk.no_markdown && shell.config.markdown;
    show(&shell, &session, &answer, held.then_some(markdown))?;
    if shell.global.verbose {
        reply::say_summary(&shell, &answer, timing);
    }
    let code = code_of(&answer);
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

fn prompt(args: &AskArgs) -> Result<Bundle, Failure> {
    let mut text = Text::new(args.prompt.join(" "));
    if let Some(piped) = piped()? {
        if !text.is_empty() {
            text.push_str("\n");
        }
        text.push_str(&piped);
    }
    if text.trim().is_empty() {
        return Err(ChatError::EmptyPrompt.into());
    }
    attach::bundle(&args.talk.attach, &text, now())
}

/// Shows an answer, or what is still to be shown of one. `held`: nothing was shown as it came, and
/// whether it is to be drawn as Markdown.
fn show(
    shell: &Shell,
    session: &Session,
    answer: &Answer,
    held: Option<bool>,
) -> Result<(), Failure> {
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
    if let Some(markdown) = held {
        print_whole(shell, &text, markdown)?;
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
    Ok(())
}

/// Prints a text that is complete, and ends its line.
pub(super) fn print_whole(shell: &Shell, text: &str, markdown: bool) -> Result<(), Failure> {
    let drawn = match reply::renderer(shell, markdown) {
        Some(mut renderer) => renderer.feed(text) + &renderer.finish(),
        None => harmless(text),
    };
    print(&drawn)?;
    match drawn.is_empty() || drawn.ends_with('\n') {
        true => Ok(()),
        false => print("\n"),
    }
}

/// What was learnt, in one line on stderr.
pub(super) fn say_after(shell: &Shell, answer: &Answer) {
    if let Some(learnt) = &answer.learnt {
        shell.note(&format!("({})", one_line(learnt)));
    }
}
