//! `agent history …`: conversations from the command line.

use std::process::ExitCode;

use serde::Serialize;

use super::args::{HistoryAction, PurgeArgs};
use super::browse;
use super::failure::Failure;
use super::mend;
use super::output::{harmless, one_line, print, print_json, print_line};
use super::project;
use super::shell::{Shell, now};
use crate::chat::{ChatError, Conversations, FoundConversation, transcript};
use crate::keeper::Opened;
use crate::memory::Memory;
use crate::model::{
    ConversationEvent, ConversationOp, Id, Message, Project, Record, Role, Text, Timestamp,
};
use crate::vault::{Log, View};

#[derive(Serialize)]
struct Row<'a> {
    id: Id,
    title: &'a str,
    started: Timestamp,
    last: Timestamp,
    messages: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a Project>,
}

pub(super) fn run(shell: Shell, action: HistoryAction) -> Result<ExitCode, Failure> {
    if matches!(action, HistoryAction::Browse) {
        return browse::run(&shell, browse::What::History);
    }
    if let HistoryAction::Delete { cids, purge: true } = action {
        let args = PurgeArgs {
            conversation: cids,
            yes: true,
            ..PurgeArgs::default()
        };
        return mend::purge(&shell, &args);
    }
    let reads = matches!(
        action,
        HistoryAction::List { .. } | HistoryAction::Show { .. }
    );
    let mut vault = if reads {
        shell.open()?
    } else {
        shell.open_to_write()?
    };
    let mut view = View::load(&mut vault, Conversations::default())?;
    match action {
        HistoryAction::List { limit, of } => {
            let of = of.project.map(|wanted| {
                let memory = View::load(&mut vault, Memory::new())?.fold;
                project::named(&mut vault, &memory, &wanted)
            });
            list(&shell, &view.fold, limit, of.transpose()?.as_ref())?;
        }
        // Taken before: it wants the whole screen.
        HistoryAction::Browse => {}
        HistoryAction::Show { cid } => show(&shell, &mut vault, &view.fold, &cid)?,
        HistoryAction::Rename { cid, title } => {
            let op = ConversationOp::Titled {
                title: Text::new(one_line(&title)),
            };
            change(&shell, &mut vault, &mut view, &[cid], &op, "renamed")?;
        }
        HistoryAction::Delete { cids, .. } => {
            let done = "hidden everywhere; the bytes stay until purged";
            change(
                &shell,
                &mut vault,
                &mut view,
                &cids,
                &ConversationOp::Deleted,
                done,
            )?;
        }
    }
    if view.is_behind() {
        view.save(&mut vault).ok();
    }
    match reads {
        true => shell.verdict(&mut vault),
        false => Ok(ExitCode::SUCCESS),
    }
}

pub(super) fn find(conversations: &Conversations, prefix: &str) -> Result<Id, Failure> {
    match conversations.by_prefix(prefix) {
        FoundConversation::One(id, _) => Ok(id),
        FoundConversation::None => Err(ChatError::NoSuchConversation(prefix.to_owned()).into()),
        FoundConversation::Several(ids) => Err(ChatError::AmbiguousConversation {
            prefix: prefix.to_owned(),
            count: ids.len(),
        }
        .into()),
    }
}

fn list(
    shell: &Shell,
    all: &Conversations,
    limit: Option<usize>,
    of: Option<&Project>,
) -> Result<(), Failure> {
    let mut newest = all.newest_first();
    newest.retain(|(_, found)| of.is_none() || found.project.as_ref() == of);
    let rows = newest
        .iter()
        .take(limit.unwrap_or(usize::MAX))
        .map(|(id, found)| Row {
            id: *id,
            title: found.title(),
            started: found.started,
            last: found.last,
            messages: found.messages,
            project: found.project.as_ref(),
        });
    if shell.global.json {
        return print_json(&rows.collect::<Vec<_>>());
    }
    if newest.is_empty() {
        shell.note(match of {
            None => "No conversations yet. `agent chat` starts one.",
            Some(_) => "No conversations of this project yet.",
        });
    }
    let shown = limit.unwrap_or(usize::MAX);
    let ids = newest.iter().take(shown).map(|(id, _)| all.short_id(*id));
    let wide = ids.map(|id| id.len()).max().unwrap_or(0);
    for row in rows {
        let id = all.short_id(row.id);
        let last = local(row.last);
        print_line(&format!(
            "{id:<wide$}  {last}  {:>4}  {}{}",
            row.messages,
            one_line(row.title),
            project::mark(row.project)
        ))?;
    }
    Ok(())
}

/// A time as the person's clock shows it, to the minute.
pub(super) fn local(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system())
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

fn show(
    shell: &Shell,
    vault: &mut Opened,
    all: &Conversations,
    prefix: &str,
) -> Result<(), Failure> {
    let id = find(all, prefix)?;
    let mut failed = Ok(());
    let mut messages: Vec<Message> = Vec::new();
    let mut each = |_, message: Message| {
        if shell.global.json {
            messages.push(message);
        } else if failed.is_ok() {
            failed = print_message(&message);
        }
    };
    transcript(vault, all, id, &mut each)?;
    failed?;
    if shell.global.json {
        print_json(&messages)
    } else {
        Ok(())
    }
}

fn print_message(message: &Message) -> Result<(), Failure> {
    let who = match message.role {
        Role::User => "you",
        Role::Assistant => "assistant",
        Role::System => "system",
        Role::Unknown => "?",
    };
    let mark = if message.is_incomplete() {
        " (incomplete)"
    } else {
        ""
    };
    print_line(&format!("── {who}, {}{mark}", local(message.at)))?;
    print(&format!("{}\n\n", harmless(message.plain().trim_end())))
}

fn change(
    shell: &Shell,
    vault: &mut Opened,
    view: &mut View<Conversations>,
    prefixes: &[String],
    op: &ConversationOp,
    done: &str,
) -> Result<(), Failure> {
    let ids: Result<Vec<Id>, Failure> = prefixes.iter().map(|p| find(&view.fold, p)).collect();
    let ids = ids?;
    let at = now();
    let event = |id: &Id| ConversationEvent {
        id: *id,
        at,
        op: op.clone(),
    };
    let events: Vec<ConversationEvent> = ids.iter().map(event).collect();
    let records: Vec<Record> = events.iter().cloned().map(Record::Conversation).collect();
    vault.append(&records)?;
    view.catch_up(vault)?;
    if shell.global.json {
        return print_json(&events);
    }
    for id in ids {
        shell.note(&format!("{}: {done}", view.fold.short_id(id)));
    }
    Ok(())
}
