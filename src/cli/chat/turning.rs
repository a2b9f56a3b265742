//! Commands about conversations: which one, under what title, found how, written where.

use std::io::Write;
use std::path::Path;

use clap::Parser;

use super::super::args::{Cli, Command as Words};
use super::super::compaction;
use super::super::failure::Failure;
use super::super::history::local;
use super::super::output::{complain, harmless, one_line};
use super::super::plain_file::PlainFile;
use super::super::project;
use super::super::search;
use super::super::shell::now;
use super::super::talk;
use super::Chatting;
use super::commands::Outcome;
use crate::chat::{ChatError, Opening, transcript};
use crate::model::{Id, Message, Role};

/// Conversations that are listed, and messages shown around a hit.
const LISTED: usize = 12;
const AROUND: usize = 3;

impl Chatting {
    pub(super) fn start_new(&mut self, _: &str) -> Result<Outcome, Failure> {
        let session = self.open_session()?;
        let before = session.project().cloned();
        session.turn_to(Opening::New)?;
        complain("A new conversation.");
        let line = talk::project_line(session);
        let line = line.filter(|_| session.project() != before.as_ref());
        line.iter().for_each(|line| complain(line));
        Ok(Outcome::Go)
    }

    pub(super) fn go_on(&mut self, which: &str) -> Result<Outcome, Failure> {
        let session = self.open_session()?;
        session.refresh()?;
        let all = session.conversations()?;
        if which.is_empty() {
            for (id, found) in all.fold.newest_first().into_iter().take(LISTED) {
                let title: String = one_line(found.title()).chars().take(80).collect();
                let id = all.fold.short_id(id);
                let of = project::mark(found.project.as_ref());
                complain(&format!("{id}  {}  {title}{of}", local(found.last)));
            }
            complain("/continue ID goes on in one; a word of its title will do.");
            return Ok(Outcome::Go);
        }
        let opening = match session.turn_to(Opening::Prefix(which.to_owned())) {
            Err(ChatError::NoSuchConversation(prefix)) => {
                let wanted = which.to_lowercase();
                let newest = all.fold.newest_first();
                let mut fits = newest
                    .iter()
                    .filter(|(_, found)| found.title().to_lowercase().contains(&wanted));
                let (id, _) = fits.next().ok_or(ChatError::NoSuchConversation(prefix))?;
                session.turn_to(Opening::This(*id))
            }
            other => other,
        };
        opening?;
        let line = talk::project_line(session);
        line.iter().for_each(|line| complain(line));
        complain(&super::continuing(session));
        Ok(Outcome::Go)
    }

    pub(super) fn fork(&mut self, _: &str) -> Result<Outcome, Failure> {
        self.open_session()?.fork(now())?;
        complain("A new conversation that begins with the messages of the one before.");
        Ok(Outcome::Go)
    }

    pub(super) fn compact(&mut self, _: &str) -> Result<Outcome, Failure> {
        let Chatting {
            session, chosen, ..
        } = self;
        if let Some(session) = session.as_mut() {
            session.refresh()?;
            let compacted = compaction::run(session, chosen)?;
            complain(&compaction::line(&compacted));
        }
        Ok(Outcome::Go)
    }

    pub(super) fn title(&mut self, title: &str) -> Result<Outcome, Failure> {
        self.kept_session()?.title(title, now())?;
        complain("titled");
        Ok(Outcome::Go)
    }

    /// The same search as `agent search`, its options included.
    pub(super) fn search(&mut self, words: &str) -> Result<Outcome, Failure> {
        let words = ["agent", "search"]
            .into_iter()
            .chain(words.split_whitespace());
        let parsed = Cli::try_parse_from(words).map_err(Failure::Usage)?;
        let Some(Words::Search(args)) = parsed.command else {
            return Ok(Outcome::Go);
        };
        let Some(session) = self.session.as_mut() else {
            return Ok(Outcome::Go);
        };
        session.refresh()?;
        let hits = search::within(session, &args)?;
        for (n, hit) in hits.iter().enumerate() {
            complain(&format!("{:>3}  {}", n + 1, hit.line));
        }
        match hits.is_empty() {
            true => complain("Nothing was found."),
            false => complain("/show N shows one in its conversation."),
        }
        self.hits = hits.into_iter().map(|hit| hit.place).collect();
        Ok(Outcome::Go)
    }

    pub(super) fn show(&mut self, which: &str) -> Result<Outcome, Failure> {
        let n = which.parse::<usize>().ok();
        let hit = n.and_then(|n| self.hits.get(n.wrapping_sub(1)).copied());
        let Some(place) = hit else {
            return Err(Failure::NoSuchHit);
        };
        let Some((conversation, message)) = place else {
            complain("That is an item of memory; /memory shows it.");
            return Ok(Outcome::Go);
        };
        let session = self.open_session()?;
        let all = session.conversations()?;
        let mut messages: Vec<Message> = Vec::new();
        transcript(
            session.log.as_mut(),
            &all.fold,
            conversation,
            &mut |_, m| messages.push(m),
        )?;
        let at = messages.iter().position(|found| found.id == message);
        let at = at.ok_or(Failure::NoSuchHit)?;
        let title = all
            .fold
            .find(conversation)
            .map_or("", |found| found.title());
        let id = all.fold.short_id(conversation);
        complain(&format!("── {id}  {}", one_line(title)));
        let range = at.saturating_sub(AROUND)..(at + AROUND + 1).min(messages.len());
        for n in range {
            let found = &messages[n];
            let mark = if n == at { "▸" } else { " " };
            complain(&format!("{mark} {}, {}", who(found.role), local(found.at)));
            for line in harmless(found.plain().trim_end()).lines() {
                complain(&format!("    {line}"));
            }
        }
        complain(&format!("/continue {id} goes on there."));
        Ok(Outcome::Go)
    }

    /// Writes this conversation as Markdown, for its owner alone, over nothing.
    pub(super) fn export(&mut self, path: &str) -> Result<Outcome, Failure> {
        let session = self.open_session()?;
        if !session.continues() {
            return Err(ChatError::NothingSaid.into());
        }
        let (id, all) = (session.conversation(), session.conversations()?);
        let text = as_markdown(session.log.as_mut(), &all.fold, id)?;
        let failed = |source| Failure::ExportFile {
            path: path.into(),
            source,
        };
        let mut file = PlainFile::create(Path::new(path)).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.finish().map_err(failed)?;
        complain(&format!(
            "written to {}, in clear: whoever reads that file reads the conversation",
            one_line(path)
        ));
        Ok(Outcome::Go)
    }
}

fn who(role: Role) -> &'static str {
    match role {
        Role::User => "you",
        Role::Assistant => "assistant",
        Role::System | Role::Unknown => "system",
    }
}

fn as_markdown(
    log: &mut dyn crate::vault::Log,
    all: &crate::chat::Conversations,
    id: Id,
) -> Result<String, Failure> {
    let title = all.find(id).map_or("", |found| found.title());
    let mut text = format!("# {}\n", one_line(title));
    transcript(log, all, id, &mut |_, message| {
        let head = format!("\n## {}, {}\n\n", who(message.role), local(message.at));
        text.push_str(&head);
        text.push_str(&harmless(message.plain().trim_end()));
        text.push('\n');
    })?;
    Ok(text)
}
