//! What the line that is being typed completes to, and when it is complete. All of it comes from
//! the vault and from the table of commands.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::commands::{COMMANDS, Completes};

/// Candidates that are offered at a time.
const OFFERED_MAX: usize = 60;

/// A word that can be typed, and what it stands for.
pub(super) type Offer = (String, String);

/// What can be completed, as of the last prompt.
#[derive(Default)]
pub(super) struct Words {
    pub items: Vec<Offer>,
    pub conversations: Vec<Offer>,
    pub models: Vec<Offer>,
    pub roles: Vec<Offer>,
}

/// The editor's side of it.
pub(super) struct Typing(pub Arc<Mutex<Words>>);

impl Typing {
    fn offers(&self, what: Completes) -> Vec<Offer> {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Completes::Items => words.items.clone(),
            Completes::Conversations => words.conversations.clone(),
            Completes::Models => words.models.clone(),
            Completes::Roles => words.roles.clone(),
            Completes::Commands => names(),
            Completes::Nothing | Completes::Files => Vec::new(),
        }
    }
}

fn names() -> Vec<Offer> {
    let names = COMMANDS.iter();
    names
        .map(|info| (info.name.to_owned(), info.does.to_owned()))
        .collect()
}

/// What the word before the cursor may become.
fn pairs(offers: Vec<Offer>, typed: &str) -> Vec<Pair> {
    let fits = offers.into_iter().filter(|(word, meaning)| {
        word.starts_with(typed) || meaning.to_lowercase().contains(&typed.to_lowercase())
    });
    let mut pairs: Vec<Pair> = fits
        .map(|(word, meaning)| Pair {
            display: match meaning.is_empty() {
                true => word.clone(),
                false => format!("{word}  {meaning}"),
            },
            replacement: word,
        })
        .collect();
    // What begins so counts before what is only meant so.
    pairs.sort_by_key(|pair| !pair.replacement.starts_with(typed));
    if pairs.iter().any(|pair| pair.replacement.starts_with(typed)) {
        pairs.retain(|pair| pair.replacement.starts_with(typed));
    }
    pairs.truncate(OFFERED_MAX);
    pairs
}

fn files(typed: &str) -> Vec<Offer> {
    let (dir, start) = match typed.rfind('/') {
        Some(at) => typed.split_at(at + 1),
        None => ("", typed),
    };
    let place = if dir.is_empty() { "." } else { dir };
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let mut found: Vec<Offer> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let hidden = name.starts_with('.') && !start.starts_with('.');
            if hidden || !name.starts_with(start) || name.chars().any(char::is_control) {
                return None;
            }
            let slash = if entry.path().is_dir() { "/" } else { "" };
            Some((format!("{dir}{name}{slash}"), String::new()))
        })
        .take(OFFERED_MAX)
        .collect();
    found.sort();
    found
}

/// Where the word begins that is completed, and what it may become.
fn complete(typing: &Typing, line: &str, at: usize) -> (usize, Vec<Pair>) {
    let Some(body) = line[..at].strip_prefix('/') else {
        return (at, Vec::new());
    };
    let Some((name, rest)) = body.split_once(' ') else {
        return (1, pairs(names(), body));
    };
    let Some(info) = COMMANDS.iter().find(|info| info.name == name) else {
        return (at, Vec::new());
    };
    let typed = rest.trim_start();
    let offers = match info.completes {
        Completes::Files => files(typed),
        what => typing.offers(what),
    };
    (at - typed.len(), pairs(offers, typed))
}

impl Completer for Typing {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(complete(self, line, pos))
    }
}

impl Hinter for Typing {
    type Hint = String;
}

impl Highlighter for Typing {
    fn highlight_candidate<'c>(
        &self,
        candidate: &'c str,
        _: rustyline::CompletionType,
    ) -> Cow<'c, str> {
        Cow::Borrowed(candidate)
    }
}

impl Validator for Typing {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match goes_on(context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Helper for Typing {}

const QUOTES: &str = "\"\"\"";

/// Whether Enter begins another line instead of ending the message.
fn goes_on(typed: &str) -> bool {
    match typed.strip_prefix(QUOTES) {
        Some(rest) => !rest.trim_end().ends_with(QUOTES),
        None => typed.ends_with('\\') && !typed.ends_with("\\\\"),
    }
}

/// The message that was typed, without what only kept its lines together.
pub(super) fn message(typed: &str) -> String {
    let quoted = typed
        .trim_end()
        .strip_prefix(QUOTES)
        .and_then(|rest| rest.strip_suffix(QUOTES));
    match quoted {
        Some(inner) => inner.trim_matches('\n').to_owned(),
        None => typed.replace("\\\n", "\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typing() -> Typing {
        let offer = |word: &str, meaning: &str| (word.to_owned(), meaning.to_owned());
        Typing(Arc::new(Mutex::new(Words {
            items: vec![
                offer("0190aaaa", "my cat is grey"),
                offer("0191bbbb", "tea"),
            ],
            models: vec![offer("offline", ""), offer("anthropic/a", "")],
            ..Words::default()
        })))
    }

    fn found(line: &str) -> (usize, Vec<String>) {
        let (from, pairs) = complete(&typing(), line, line.len());
        (
            from,
            pairs.into_iter().map(|pair| pair.replacement).collect(),
        )
    }

    #[test]
    fn commands_and_what_they_take_are_completed() {
        assert_eq!(found("/incog"), (1, vec!["incognito".to_owned()]));
        assert_eq!(found("/forget 0191"), (8, vec!["0191bbbb".to_owned()]));
        assert_eq!(found("/forget cat"), (8, vec!["0190aaaa".to_owned()]));
        assert_eq!(found("/model off"), (7, vec!["offline".to_owned()]));
        assert_eq!(found("/help mem"), (6, vec!["memory".to_owned()]));
        assert_eq!(found("hello /mem").1, Vec::<String>::new());
        assert_eq!(found("/nothing x").1, Vec::<String>::new());
        assert!(found("/").1.len() > 20);
    }

    #[test]
    fn files_are_completed_by_their_directory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("inner")).unwrap();
        std::fs::create_dir(dir.path().join(".hidden")).unwrap();
        let start = format!("/attach {}/", dir.path().display());
        let (_, found) = found(&start);
        assert_eq!(found, [format!("{}/inner/", dir.path().display())]);
    }

    #[test]
    fn a_message_goes_on_where_it_says_so() {
        assert!(goes_on("one\\") && goes_on("\"\"\"one") && goes_on("\"\"\"one\ntwo"));
        assert!(!goes_on("one") && !goes_on("C:\\\\") && !goes_on("\"\"\"one\ntwo\"\"\""));
        assert_eq!(message("one\\\ntwo"), "one\ntwo");
        assert_eq!(message("\"\"\"\none\n  two\n\"\"\""), "one\n  two");
        assert_eq!(message("plain \"\"\" words"), "plain \"\"\" words");
    }
}
