//! `markdown`: one file to read, memory first, then the conversations by date.
//!
//! What was said stands in block quotes, so that headings and rules in it do not become headings
//! and rules of the file.

use std::io::Write;

use crate::memory::Stored;
use crate::model::{Message, Project, Role, Timestamp};

use super::super::error::TransferError;
use super::hidden::Hidden;
use super::items;
use super::pages::Pages;
use super::survey::{Conversation, Survey};
use super::{ExportOptions, Exported};

pub(super) struct Markdown<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Markdown<'a> {
    pub(super) fn begin(
        out: &'a mut dyn Write,
        survey: &Survey,
        hidden: &Hidden,
        exported: &Exported,
        options: &ExportOptions,
    ) -> Result<Self, TransferError> {
        let mut markdown = Markdown { out };
        markdown.text(&format!(
            "# What agent remembers\n\nExported {}: {} conversations, {} messages, {} memories.\n",
            day_and_time(options.now),
            exported.conversations,
            exported.messages,
            exported.memories,
        ))?;
        for (first, last) in &exported.missing {
            markdown.text(&format!(
                "\nRecords {first} to {last} are damaged and not in here.\n"
            ))?;
        }
        markdown.text("\n## Memory\n")?;
        for (kind, _, heading) in items::LISTS {
            let listed = items::of_kind(&survey.memory, kind, hidden, options.all);
            if listed.is_empty() {
                continue;
            }
            markdown.text(&format!("\n### {heading}\n\n"))?;
            for stored in listed {
                markdown.item(stored)?;
            }
        }
        markdown.text("\n## Conversations\n")?;
        Ok(markdown)
    }

    fn item(&mut self, stored: &Stored) -> Result<(), TransferError> {
        let item = &stored.item;
        let mut marks = vec![day(item.created)];
        marks.extend(items::status_word(item.status).map(str::to_owned));
        if item.pinned {
            marks.push("pinned".to_owned());
        }
        marks.extend(item.project.as_ref().map(project));
        let text = on_one_line(&item.text);
        self.text(&format!("- {text} ({})\n", marks.join(", ")))
    }

    fn text(&mut self, text: &str) -> Result<(), TransferError> {
        self.out
            .write_all(text.as_bytes())
            .map_err(TransferError::Write)
    }
}

impl Pages for Markdown<'_> {
    fn begin(&mut self, conversation: &Conversation) -> Result<(), TransferError> {
        let heading = on_one_line(conversation.heading());
        let mut marks: Vec<String> = conversation.started.map(day).into_iter().collect();
        if conversation.archived {
            marks.push("archived".to_owned());
        }
        if conversation.deleted {
            marks.push("deleted".to_owned());
        }
        if conversation.fork.is_some() {
            marks.push("goes on from another conversation".to_owned());
        }
        marks.extend(conversation.project.as_ref().map(project));
        self.text(&format!("\n### {heading}\n\n*{}*\n", marks.join(", ")))
    }

    fn message(&mut self, message: &Message) -> Result<(), TransferError> {
        let who = match message.role {
            Role::User => "You",
            Role::Assistant => "Assistant",
            Role::System => "System",
            Role::Unknown => "Someone",
        };
        let at = day_and_time(message.at);
        let cut = if message.is_incomplete() {
            ", not complete"
        } else {
            ""
        };
        let mut text = format!("\n**{who}**, {at}{cut}\n\n");
        for line in visible(&message.plain()).lines() {
            text.push_str(if line.is_empty() { ">" } else { "> " });
            text.push_str(line);
            text.push('\n');
        }
        self.text(&text)
    }

    fn end(&mut self) -> Result<(), TransferError> {
        Ok(())
    }
}

/// The project that something is of, by the name that people call it.
pub(super) fn project(project: &Project) -> String {
    format!("project {}", on_one_line(project.name()))
}

pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

pub(super) fn day_and_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Control characters could steer a terminal that shows the file.
pub(super) fn visible(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    visible(&words.join(" "))
}
