//! `agent ask`: one question, the answer on stdout.

use std::process::ExitCode;

use serde::Serialize;

use super::args::AskArgs;
use super::attach::{self, Bundle};
use super::consent::{Circumstances, look_for_secrets, obtain};
use super::dry_run;
use super::failure::Failure;
use super::lines::piped;
use super::meaning;
use super::memory::Shown;
use super::memory::learn::{self, Left};
use super::output::{complain, harmless, one_line, print, print_json};
use super::reply::{self, Display};
use super::shell::{Shell, now};
use super::talk::{self, Answered};
use crate::chat::{Answer, ChatError, Opening, Session};
use crate::model::{Block, Id, MemoryOp, Stop, Surface, Text, Usage};
use crate::provider::Why;

/// An answer as `--json` shows it, and the last line of `--stream-json`.
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

/// What `--stream-json` says once the answer is there.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    /// Something that was learnt from the answer.
    Memory {
        item: &'a Shown<'a>,
    },
    Usage {
        usage: Usage,
    },
    Answer(&'a Shape<'a>),
}

pub(super) fn run(shell: Shell, args: AskArgs) -> Result<ExitCode, Failure> {
    let Bundle { content, images } = prompt(&args)?;
    if args.dry_run {
        return dry_run::show(&shell, &args.talk, Bundle { content, images });
    }
    let settings = talk::settings(&shell, &args.talk, Surface::Ask);
    let (mut session, keys) = if args.talk.incognito || args.talk.with_memory {
        talk::unkept(&shell, settings, &args.talk, args.talk.with_memory)?
    } else {
        let mut vault = shell.open_to_write()?;
        let keys = vault.provider_keys()?;
        let opening = talk::opening(&args.talk).unwrap_or(Opening::New);
        let vault = Box::new(vault);
        let mut session = talk::session(&shell, vault, settings, opening)?;
        meaning::attach(&shell, &mut session, &keys);
        (session, keys)
    };
    talk::take_role(&mut session, &args.talk)?;
    let chosen = talk::choose(&shell, args.talk.model.as_deref(), &keys)?;
    if shell.global.verbose || chosen.why == Why::NothingConfigured {
        shell.note(&format!("(answered by {})", chosen.name()));
    }
    if !args.talk.incognito || args.talk.with_memory {
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
    for block in &content {
        if let Block::Text { text, source: None } = block {
            look_for_secrets(chosen.provider.as_ref(), text)?;
        }
    }
    session.say_with(content, images, now())?;
    let display = match args.stream_json {
        true => Display::Lines,
        false if shell.global.json || args.no_stream || args.extract => Display::Held,
        false => Display::of(&shell, args.talk.no_markdown),
    };
    let Answered { answer, timing } = talk::answer(&shell, &mut session, &chosen, display)?;
    let markdown = !args.talk.no_markdown && shell.config.markdown;
    match args.extract {
        true => show_code(&shell, &answer)?,
        false if shell.global.json => show_json(&session, &answer, display)?,
        false => show(
            &shell,
            &answer,
            (display == Display::Held).then_some(markdown),
        )?,
    }
    if shell.global.verbose {
        reply::say_summary(&shell, &answer, timing);
    }
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
fn prompt(args: &AskArgs) -> Result<Bundle, Failure> {
    let words = Text::new(args.prompt.join(" "));
    let (text, behind) = match (piped()?, words.trim().is_empty()) {
        (Some(piped), true) => (piped, None),
        (piped, _) => (words, piped),
    };
    if text.trim().is_empty() {
        return Err(ChatError::EmptyPrompt.into());
    }
    let mut bundle = attach::bundle(&args.talk.attach, text, now())?;
    bundle.content.extend(behind.map(Block::attached));
    Ok(bundle)
}

/// Shows an answer as JSON; the lines of a stream before it say what came of it.
fn show_json(session: &Session, answer: &Answer, display: Display) -> Result<(), Failure> {
    let message = answer.message.as_ref();
    let text = message.map(|message| message.plain()).unwrap_or_default();
    let learnt = answer.accepted.ops.iter().filter_map(|op| match op {
        MemoryOp::Add { item }
        | MemoryOp::Supersede { item, .. }
        | MemoryOp::Merge { item, .. } => Some(Shown::from(item)),
        _ => None,
    });
    let shape = Shape {
        conversation: session.conversation(),
        message: message.map_or(Id::NIL, |message| message.id),
        text: &text,
        memory: learnt.collect(),
        model: message.and_then(|message| message.model.as_deref()),
        usage: message.and_then(|message| message.usage),
        stop: message.and_then(|message| message.stop),
    };
    if display != Display::Lines {
        return print_json(&shape);
    }
    let items = shape.memory.iter();
    items
        .map(|item| Line::Memory { item })
        .chain(shape.usage.map(|usage| Line::Usage { usage }))
        .chain([Line::Answer(&shape)])
        .try_for_each(|line| print_json(&line))
}

/// Shows what is still to be shown of an answer. `held`: nothing was shown as it came, and whether
/// it is to be drawn as Markdown.
fn show(shell: &Shell, answer: &Answer, held: Option<bool>) -> Result<(), Failure> {
    let message = answer.message.as_ref();
    let text = message.map(|message| message.plain()).unwrap_or_default();
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

/// Prints the first block of code of an answer, or all of it.
fn show_code(shell: &Shell, answer: &Answer) -> Result<(), Failure> {
    let message = answer.message.as_ref();
    let text = message.map(|message| message.plain()).unwrap_or_default();
    match first_code(&text) {
        Some(code) => print(&harmless(&code))?,
        None => print_whole(shell, &text, false)?,
    }
    say_after(shell, answer);
    Ok(())
}

/// The first fenced block of a text, without its fences.
fn first_code(text: &str) -> Option<String> {
    let mut lines = text.lines();
    let fence = lines.by_ref().find_map(|line| {
        let mark = line.trim_start();
        let length = mark.chars().take_while(|c| *c == '`').count();
        (length >= 3 && !mark[length..].contains('`')).then(|| "`".repeat(length))
    })?;
    let inside = lines.take_while(|line| {
        let line = line.trim();
        !(line.starts_with(&fence) && line.chars().all(|c| c == '`'))
    });
    Some(inside.map(|line| format!("{line}\n")).collect())
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
    if let Some(fault) = answer.faults.first() {
        shell.note(&format!(
            "(nothing learnt from a part of the reply: {fault})"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_of_code_is_found_whole() {
        let text = "See:\n```sh\nls -l\n\necho ```x\n```\nand\n```\nnot this\n```\n";
        assert_eq!(first_code(text).unwrap(), "ls -l\n\necho ```x\n");
        assert_eq!(first_code("````\n```\n````").unwrap(), "```\n");
        assert_eq!(first_code("```sh\ncut off").unwrap(), "cut off\n");
        assert_eq!(first_code("none, only `code` and ```this```"), None);
    }
}
