//! The commands of a chat: lines that begin with `/`.

use super::super::failure::Failure;
use super::super::output::{complain, one_line};
use super::super::shell::now;
use super::super::talk;
use super::super::why;
use super::{Chatting, clear_screen};
use crate::chat::Opening;
use crate::memory::{Filter, Found};
use crate::model::{Kind, MemoryEvent, MemoryOp, Record, Status};

/// Whether the chat goes on.
pub(super) enum Outcome {
    Go,
    Leave,
}

/// A name with what stands behind it.
pub(super) struct Command<'a> {
    name: &'a str,
    rest: &'a str,
}

/// Every command, with what it takes and does.
const COMMANDS: [(&str, &str, &str); 10] = [
    ("help", "", "this list"),
    ("memory", "", "what is remembered"),
    ("remember", "TEXT", "remember something"),
    ("forget", "ID", "hide an item everywhere"),
    (
        "model",
        "[NAME]",
        "which model answers, or another one (provider/model)",
    ),
    ("new", "", "start a new conversation"),
    ("why", "", "what went into the last request"),
    ("attach", "FILE", "put a text file before the next message"),
    (
        "lock",
        "",
        "wipe the keys and the screen; the passphrase goes on",
    ),
    ("quit", "", "leave"),
];

impl<'a> Command<'a> {
    /// A command, if the line is one. `//` begins a message that starts with a slash.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let body = line
            .strip_prefix('/')
            .filter(|body| !body.starts_with('/'))?;
        let (name, rest) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
        Some(Command {
            name,
            rest: rest.trim(),
        })
    }
}

impl Chatting {
    pub(super) fn command(&mut self, command: Command<'_>) -> Result<Outcome, Failure> {
        match command.name {
            "help" | "?" => help(),
            "memory" => self.show_memory(),
            "remember" => self.remember(command.rest)?,
            "forget" => self.forget(command.rest)?,
            "model" => self.model(command.rest)?,
            "new" => self.start_new()?,
            "why" => self.why(),
            "attach" => self.attach(command.rest)?,
            "lock" => {
                self.lock();
                clear_screen();
                self.unlock_again()?;
            }
            "quit" | "exit" | "bye" => return Ok(Outcome::Leave),
            unknown => complain(&suggest(unknown)),
        }
        Ok(Outcome::Go)
    }

    fn show_memory(&self) {
        let Some(session) = &self.session else { return };
        let memory = &session.memory.fold;
        let mut any = false;
        for stored in memory.items(Filter::default()) {
            any = true;
            let pending = stored.item.status == Status::Pending;
            let waits = if pending { "  [waits for you]" } else { "" };
            let id = memory.short_id(stored.item.id);
            complain(&format!("{id}  {}{waits}", one_line(&stored.item.text)));
        }
        if !any {
            complain("Nothing is remembered yet.");
        }
    }

    fn remember(&mut self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Err(Failure::EmptyText);
        }
        let Some(session) = self.session.as_mut() else {
            return Ok(());
        };
        let accepted = session.remember(text, Kind::Fact, false, now())?;
        let notice = accepted.notice(&session.memory.fold);
        complain(&notice.map_or("known already".to_owned(), |notice| one_line(&notice)));
        Ok(())
    }

    fn forget(&mut self, prefix: &str) -> Result<(), Failure> {
        let Some(session) = self.session.as_mut() else {
            return Ok(());
        };
        let id = match session.memory.fold.by_prefix(prefix) {
            Found::One(stored) => stored.item.id,
            Found::None => return Err(Failure::NoSuchItem(prefix.to_owned())),
            Found::Ambiguous(ids) => {
                let count = ids.len();
                return Err(Failure::AmbiguousItem {
                    prefix: prefix.to_owned(),
                    count,
                });
            }
        };
        let event = MemoryEvent {
            at: now(),
            op: MemoryOp::Forget { id },
        };
        session.append(&[Record::Memory(event)])?;
        complain("forgotten; the bytes stay until purged");
        Ok(())
    }

    fn model(&mut self, name: &str) -> Result<(), Failure> {
        if !name.is_empty() {
            self.chosen = talk::choose(&self.shell, Some(name), &self.keys)?;
            self.consented = false;
        }
        let host = self
            .chosen
            .provider
            .host()
            .map_or(String::new(), |h| format!(" at {h}"));
        complain(&format!("{}{host}", self.model_name()));
        Ok(())
    }

    fn start_new(&mut self) -> Result<(), Failure> {
        let Some(session) = self.session.as_mut() else {
            return Ok(());
        };
        session.turn_to(Opening::New)?;
        complain("A new conversation.");
        Ok(())
    }

    fn why(&self) {
        let Some(composed) = &self.last else {
            complain("Nothing was asked yet.");
            return;
        };
        why::lines(composed).iter().for_each(|line| complain(line));
    }

    fn attach(&mut self, path: &str) -> Result<(), Failure> {
        let path = std::path::PathBuf::from(path);
        super::super::lines::attached(&path)?;
        complain(&format!("{} goes before your next message", path.display()));
        self.attach.push(path);
        Ok(())
    }
}

fn help() {
    for (name, takes, does) in COMMANDS {
        complain(&format!("  {:<18} {does}", format!("/{name} {takes}")));
    }
    complain("  //…                a message that begins with a slash");
    complain("Ctrl-C stops a reply and keeps it; Ctrl-D leaves.");
}

/// What a person may have meant.
fn suggest(unknown: &str) -> String {
    let near = COMMANDS
        .iter()
        .map(|(name, ..)| *name)
        .min_by_key(|name| distance(name, unknown));
    let shown: String = one_line(unknown).chars().take(20).collect();
    match near.filter(|name| distance(name, unknown) <= 2) {
        Some(name) => format!("There is no /{shown}. Did you mean /{name}? /help shows them all."),
        None => format!("There is no /{shown}. /help shows what there is."),
    }
}

/// Edits between two words (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(40).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let change = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_from_a_message() {
        let parsed = Command::parse("/forget  ab ").unwrap();
        assert_eq!((parsed.name, parsed.rest), ("forget", "ab"));
        assert!(Command::parse("//etc/passwd is a file").is_none());
        assert!(Command::parse("hello /help").is_none());
    }

    #[test]
    fn a_mistyped_command_gets_the_nearest() {
        assert!(suggest("memroy").contains("/memory"));
        assert!(suggest("hlep").contains("/help"));
        assert!(!suggest("zzzzzz").contains("mean"));
    }
}
