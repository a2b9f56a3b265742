//! Commands about the next message and who answers it: model, system prompt, files, cost, editor.

use super::super::attach;
use super::super::budget;
use super::super::editor;
use super::super::failure::Failure;
use super::super::output::{complain, harmless, one_line, stdin_is_terminal};
use super::super::reply::{count, dollars};
use super::super::shell::now;
use super::super::talk;
use super::Chatting;
use super::commands::Outcome;
use crate::chat::Sum;
use crate::model::Text;

impl Chatting {
    pub(super) fn model(&mut self, name: &str) -> Result<Outcome, Failure> {
        if !name.is_empty() {
            self.chosen = talk::choose(&self.shell, Some(name), &self.keys)?;
            self.consented = false;
        }
        let host = self
            .chosen
            .provider
            .host()
            .map_or(String::new(), |h| format!(" at {h}"));
        complain(&format!("{}{host}", self.chosen.name()));
        Ok(Outcome::Go)
    }

    pub(super) fn system(&mut self, text: &str) -> Result<Outcome, Failure> {
        let prompt = match text {
            "" => {
                let system = self.open_session()?.settings.system.clone();
                match system {
                    Some(system) => complain(&harmless(&system)),
                    None => complain("The usual system prompt. /system TEXT sets another."),
                }
                return Ok(Outcome::Go);
            }
            "off" => None,
            text => Some(Text::from(text)),
        };
        let settings = &mut self.open_session()?.settings;
        (settings.system, settings.frame) = (prompt, None);
        self.args.talk.system = (text != "off").then(|| text.to_owned());
        self.args.talk.role = None;
        complain(match text {
            "off" => "The usual system prompt from here on.",
            _ => "This is the system prompt from here on.",
        });
        Ok(Outcome::Go)
    }

    pub(super) fn role(&mut self, words: &str) -> Result<Outcome, Failure> {
        let session = self.open_session()?;
        let (name, values) = words.split_once(' ').unwrap_or((words, ""));
        if name.is_empty() {
            let mut any = false;
            for (name, prompt) in session.buffer.fold.roles() {
                any = true;
                let start: String = one_line(prompt).chars().take(60).collect();
                complain(&format!("  {:<16} {start}", one_line(name)));
            }
            if !any {
                complain("No roles yet. `agent roles add NAME` keeps a system prompt.");
            }
            return Ok(Outcome::Go);
        }
        let values = values.split_whitespace().map(|word| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            (name.to_owned(), value.to_owned())
        });
        let values: Vec<_> = values.collect();
        session.take_role(name, &values)?;
        self.args.talk.role = Some(name.to_owned());
        self.args.talk.param = values;
        complain(&format!("Talking as {}.", one_line(name)));
        Ok(Outcome::Go)
    }

    pub(super) fn attach_file(&mut self, path: &str) -> Result<Outcome, Failure> {
        let path = std::path::PathBuf::from(path);
        attach::check(&path)?;
        complain(&format!("{} goes with your next message", path.display()));
        self.attach.push(path);
        Ok(Outcome::Go)
    }

    pub(super) fn cost(&mut self, _: &str) -> Result<Outcome, Failure> {
        let as_of = self.shell.prices()?.as_of().to_owned();
        let Some(session) = self.session.as_mut() else {
            return Ok(Outcome::Go);
        };
        let ledger = budget::ledger(&self.shell, session.log.as_mut())?;
        let here = ledger.conversations.get(&session.conversation());
        complain(&format!("This conversation: {}", told(here.copied())));
        complain(&format!(
            "This month: {}",
            told(Some(ledger.month_of(now())))
        ));
        if let Some(limit) = self.shell.config.monthly_limit {
            complain(&format!("The month's limit is {}.", dollars(limit)));
        }
        complain(&format!("(prices of {as_of}; agent stats shows more)"));
        Ok(Outcome::Go)
    }

    pub(super) fn edit(&mut self, text: &str) -> Result<Outcome, Failure> {
        if !stdin_is_terminal() {
            return Err(Failure::NoTerminal);
        }
        if let Some(waiting) = &self.waiting {
            waiting.pause();
        }
        let text = editor::edit_text(&self.shell, text, "message.md");
        if let Some(waiting) = &self.waiting {
            waiting.again();
        }
        let text = text?;
        if text.trim().is_empty() {
            complain("(nothing was written)");
            return Ok(Outcome::Go);
        }
        complain(&harmless(&text));
        Ok(Outcome::Say(text))
    }
}

fn told(sum: Option<Sum>) -> String {
    let sum = sum.unwrap_or_default();
    let mut text = format!(
        "{} messages, {} tokens in, {} out, {}",
        sum.messages,
        count(sum.input),
        count(sum.output),
        dollars(sum.cost)
    );
    if sum.unpriced > 0 {
        text.push_str(&format!(
            " and {} answers without a known price",
            sum.unpriced
        ));
    }
    text
}
