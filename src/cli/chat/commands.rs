//! The commands of a chat: lines that begin with `/`. One table says what each is called, takes,
//! does and completes to; what it does is in the other files.

use super::super::failure::Failure;
use super::super::output::{complain, one_line};
use super::Chatting;
use crate::config::distance;
use crate::model::Text;

/// What follows from a line.
pub(super) enum Outcome {
    Go,
    Leave,
    /// This is said, as if it had been typed.
    Say(Text),
}

/// What may follow a command's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Completes {
    Nothing,
    Commands,
    Items,
    Models,
    Conversations,
    Roles,
    Files,
}

type Run = fn(&mut Chatting, &str) -> Result<Outcome, Failure>;

/// One command.
pub(super) struct Info {
    pub name: &'static str,
    pub takes: &'static str,
    pub does: &'static str,
    pub completes: Completes,
    run: Run,
}

const fn info(
    name: &'static str,
    takes: &'static str,
    completes: Completes,
    run: Run,
    does: &'static str,
) -> Info {
    Info {
        name,
        takes,
        does,
        completes,
        run,
    }
}

use Completes::{Commands, Conversations, Files, Items, Models, Nothing, Roles};

/// Every command there is.
pub(super) const COMMANDS: &[Info] = &[
    info(
        "help",
        "[COMMAND]",
        Commands,
        Chatting::help,
        "this list, or one of it",
    ),
    info(
        "model",
        "[NAME]",
        Models,
        Chatting::model,
        "which model answers, or another (provider/model)",
    ),
    info(
        "system",
        "[TEXT]",
        Nothing,
        Chatting::system,
        "the system prompt, or another for this sitting; `off` takes it away",
    ),
    info(
        "role",
        "[NAME [X=Y]]",
        Roles,
        Chatting::role,
        "talk under a named system prompt, its variables filled in",
    ),
    info(
        "memory",
        "[WORDS]",
        Nothing,
        Chatting::show_memory,
        "what is remembered, or what of it holds these words",
    ),
    info(
        "remember",
        "TEXT",
        Nothing,
        Chatting::remember,
        "remember something",
    ),
    info(
        "forget",
        "ID",
        Items,
        Chatting::forget,
        "hide an item everywhere",
    ),
    info(
        "undo",
        "",
        Nothing,
        Chatting::undo,
        "take the last change of memory back",
    ),
    info(
        "why",
        "",
        Nothing,
        Chatting::why,
        "what went into the last request",
    ),
    info(
        "search",
        "WORDS",
        Nothing,
        Chatting::search,
        "search everything ever said",
    ),
    info(
        "show",
        "N",
        Nothing,
        Chatting::show,
        "a hit of the last search in its conversation",
    ),
    info(
        "new",
        "",
        Nothing,
        Chatting::start_new,
        "start a new conversation",
    ),
    info(
        "continue",
        "[ID]",
        Conversations,
        Chatting::go_on,
        "the last conversations, or go on in one",
    ),
    info(
        "fork",
        "",
        Nothing,
        Chatting::fork,
        "a new conversation that begins with this one's messages",
    ),
    info(
        "title",
        "TEXT",
        Nothing,
        Chatting::title,
        "give this conversation a title",
    ),
    info(
        "incognito",
        "[memory]",
        Nothing,
        Chatting::toggle_incognito,
        "keep nothing from here on, read memory or not; again to go back",
    ),
    info(
        "attach",
        "FILE",
        Files,
        Chatting::attach_file,
        "put a text file, a PDF or a picture to the next message",
    ),
    info(
        "compact",
        "",
        Nothing,
        Chatting::compact,
        "let a summary stand for the older part of this conversation",
    ),
    info(
        "cost",
        "",
        Nothing,
        Chatting::cost,
        "tokens and money: this conversation, this month",
    ),
    info(
        "export",
        "FILE",
        Files,
        Chatting::export,
        "write this conversation to a file, in clear",
    ),
    info(
        "edit",
        "[TEXT]",
        Nothing,
        Chatting::edit,
        "write the next message in your editor; also !edit",
    ),
    info("clear", "", Nothing, Chatting::clear, "clear the screen"),
    info(
        "lock",
        "",
        Nothing,
        Chatting::lock_now,
        "wipe the keys and the screen; the passphrase goes on",
    ),
    info("quit", "", Nothing, Chatting::quit, "leave"),
];

/// A name with what stands behind it.
pub(super) struct Command<'a> {
    name: &'a str,
    rest: &'a str,
}

impl<'a> Command<'a> {
    /// A command, if the line is one. `//` begins a message that starts with a slash.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let line = if line.starts_with("!edit") {
            &line[1..]
        } else {
            line.strip_prefix('/')
                .filter(|body| !body.starts_with('/'))?
        };
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        Some(Command {
            name,
            rest: rest.trim(),
        })
    }
}

/// The command of a name; some have a second one.
fn find(name: &str) -> Option<&'static Info> {
    let name = match name {
        "?" => "help",
        "exit" | "bye" => "quit",
        name => name,
    };
    COMMANDS.iter().find(|info| info.name == name)
}

impl Chatting {
    pub(super) fn command(&mut self, command: Command<'_>) -> Result<Outcome, Failure> {
        let Some(info) = find(command.name) else {
            complain(&suggest(command.name));
            return Ok(Outcome::Go);
        };
        let needs = !info.takes.is_empty() && !info.takes.starts_with('[');
        if needs && command.rest.is_empty() {
            return Err(Failure::CommandNeeds {
                name: info.name,
                takes: info.takes,
            });
        }
        (info.run)(self, command.rest)
    }

    fn help(&mut self, name: &str) -> Result<Outcome, Failure> {
        let name = name.trim_start_matches('/');
        if !name.is_empty() {
            match find(name) {
                Some(info) => complain(&row(info)),
                None => complain(&suggest(name)),
            }
            return Ok(Outcome::Go);
        }
        COMMANDS.iter().for_each(|info| complain(&row(info)));
        complain("  //…                  a message that begins with a slash");
        complain(
            "Alt-Enter, Ctrl-J or a \\ at the end begins a new line; \"\"\" before and after a \
             message keeps its lines together. Tab completes, Ctrl-R searches what you typed. \
             Ctrl-C stops a reply and keeps it; Ctrl-D leaves.",
        );
        Ok(Outcome::Go)
    }

    fn clear(&mut self, _: &str) -> Result<Outcome, Failure> {
        super::clear_screen();
        Ok(Outcome::Go)
    }

    fn lock_now(&mut self, _: &str) -> Result<Outcome, Failure> {
        self.lock();
        super::clear_screen();
        self.unlock_again()?;
        Ok(Outcome::Go)
    }

    fn quit(&mut self, _: &str) -> Result<Outcome, Failure> {
        Ok(Outcome::Leave)
    }
}

fn row(info: &Info) -> String {
    format!(
        "  {:<20} {}",
        format!("/{} {}", info.name, info.takes),
        info.does
    )
}

/// What a person may have meant.
fn suggest(unknown: &str) -> String {
    let shown: String = one_line(unknown).chars().take(20).collect();
    let begins = COMMANDS
        .iter()
        .find(|info| !shown.is_empty() && info.name.starts_with(shown.as_str()));
    let near = COMMANDS
        .iter()
        .min_by_key(|info| distance(info.name, &shown))
        .filter(|info| distance(info.name, &shown) <= 2);
    match begins.or(near) {
        Some(info) => format!(
            "There is no /{shown}. Did you mean /{}? /help shows them all.",
            info.name
        ),
        None => format!("There is no /{shown}. /help shows what there is."),
    }
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
        assert_eq!(Command::parse("!edit").unwrap().name, "edit");
        assert!(Command::parse("!!").is_none());
    }

    #[test]
    fn a_mistyped_command_gets_the_nearest() {
        assert!(suggest("memroy").contains("/memory?"));
        assert!(suggest("hlep").contains("/help?"));
        assert!(suggest("incog").contains("/incognito?"));
        assert!(!suggest("zzzzzz").contains("mean"));
        assert!(!suggest("").contains("mean"));
    }

    #[test]
    fn every_name_is_there_once() {
        let mut names: Vec<&str> = COMMANDS.iter().map(|info| info.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for name in [
            "help",
            "model",
            "system",
            "memory",
            "remember",
            "forget",
            "undo",
            "why",
            "search",
            "new",
            "continue",
            "fork",
            "title",
            "incognito",
            "attach",
            "compact",
            "cost",
            "export",
            "edit",
            "clear",
            "quit",
        ] {
            assert!(
                find(name).is_some_and(|info| !info.does.is_empty()),
                "{name}"
            );
        }
    }
}
