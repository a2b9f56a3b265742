//! Roles: system prompts under names, and questions under names. `{{name}}` in one is a variable;
//! one that holds `{{input}}` frames what is said instead of standing before it.

use super::error::ChatError;
use super::session::Session;
use crate::model::{Block, Record, RoleEvent, Text, Timestamp};

/// The variable that stands for what is said.
const INPUT: &str = "input";

/// Variables with what they stand for. Nothing is looked for in a value.
pub type Values = [(String, String)];

/// A question with a place, or several, for what is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Vec<Text>);

impl Frame {
    fn around(&self, said: &str) -> Text {
        let mut pieces = self.0.iter();
        let mut out = pieces.next().cloned().unwrap_or_default();
        for piece in pieces {
            out.push_str(said);
            out.push_str(piece);
        }
        out
    }

    /// Puts the person's own words into their place; files stay beside them.
    pub(super) fn put_around(&self, content: &mut [Block]) {
        for block in content {
            if let Block::Text { text, source: None } = block {
                *text = self.around(text);
            }
        }
    }
}

/// A piece of a role's text.
enum Piece<'a> {
    Plain(&'a str),
    Variable(&'a str),
}

/// Cuts a text at its variables. Braces around anything but a name are plain.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut plain, mut at) = (0, 0);
    while let Some(open) = text[at..].find("{{").map(|open| at + open) {
        let inside = open + 2;
        let close = text[inside..].find("}}").map(|close| inside + close);
        let name = close.map(|close| text[inside..close].trim());
        match (close, name.filter(|name| is_name(name))) {
            (Some(close), Some(name)) => {
                found.push(Piece::Plain(&text[plain..open]));
                found.push(Piece::Variable(name));
                at = close + 2;
                plain = at;
            }
            _ => at = open + 1,
        }
    }
    found.push(Piece::Plain(&text[plain..]));
    found
}

fn is_name(name: &str) -> bool {
    let sound = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(sound)
}

/// The text with its variables filled in, cut where what is said goes.
fn fill(role: &str, text: &str, values: &Values) -> Result<Vec<Text>, ChatError> {
    let mut filled = vec![Text::default()];
    let mut used = vec![false; values.len()];
    for piece in pieces(text) {
        let value = match piece {
            Piece::Plain(plain) => plain,
            Piece::Variable(INPUT) => {
                filled.push(Text::default());
                continue;
            }
            Piece::Variable(name) => {
                // As with any option, what is said last counts.
                let place = values.iter().rposition(|(known, _)| known == name);
                let place = place.ok_or_else(|| ChatError::MissingVariable {
                    role: role.to_owned(),
                    name: name.to_owned(),
                })?;
                used[place] = true;
                &values[place].1
            }
        };
        if let Some(last) = filled.last_mut() {
            last.push_str(value);
        }
    }
    for ((name, _), used) in values.iter().zip(used) {
        let given_again = values.iter().filter(|(known, _)| known == name).count() > 1;
        if !used && !given_again {
            return Err(ChatError::NoSuchVariable {
                role: role.to_owned(),
                name: name.clone(),
            });
        }
    }
    Ok(filled)
}

impl Session {
    /// Talks under a role from here on, with its variables filled in.
    pub fn take_role(&mut self, name: &str, values: &Values) -> Result<(), ChatError> {
        let prompt = self.buffer.fold.role(name);
        let prompt = prompt.ok_or_else(|| ChatError::NoSuchRole(name.to_owned()))?;
        let mut filled = fill(name, prompt, values)?;
        (self.settings.system, self.settings.frame) = match filled.len() {
            1 => (filled.pop(), None),
            _ => (None, Some(Frame(filled))),
        };
        Ok(())
    }

    /// Keeps a role's text under a name; without one, frees the name.
    pub fn put_role(
        &mut self,
        name: &str,
        prompt: Option<Text>,
        at: Timestamp,
    ) -> Result<(), ChatError> {
        let name = Text::from(name);
        self.append(&[Record::Role(RoleEvent { at, name, prompt })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, values: &[(&str, &str)]) -> Result<Vec<String>, ChatError> {
        let values: Vec<(String, String)> = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let filled = fill("r", text, &values)?;
        Ok(filled.iter().map(|text| text.as_str().to_owned()).collect())
    }

    #[test]
    fn variables_are_filled_in_once_and_braces_are_plain() {
        let given = [("to", "{{from}}"), ("from", "English")];
        assert_eq!(
            filled("From {{from}} to {{ to }}, {{to}}.", &given).unwrap(),
            ["From English to {{from}}, {{from}}."]
        );
        for plain in [
            "{{",
            "}}",
            "{{}}",
            "{{a b}}",
            "{{{}}",
            "{x}",
            "{{x",
            "ü{{é é}}",
        ] {
            assert_eq!(filled(plain, &[]).unwrap(), [plain]);
        }
        assert_eq!(filled("{{{x}}}", &[("x", "y")]).unwrap(), ["{y}"]);
        assert_eq!(
            filled("{{x}}", &[("x", "1"), ("x", "2")]).unwrap(),
            ["2"],
            "the last one counts"
        );
    }

    #[test]
    fn a_variable_that_is_missing_or_unknown_is_named() {
        let error = filled("to {{language}}", &[]).unwrap_err();
        assert_eq!(error.to_string(), "the role r needs a value for language");
        let error = filled(
            "to {{language}}",
            &[("language", "German"), ("langage", "x")],
        );
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "the role r has no variable langage");
    }

    #[test]
    fn what_is_said_goes_where_input_stands() {
        let pieces = fill(
            "r",
            "Is {{input}} a {{what}}? {{input}}!",
            &[("what".to_owned(), "fish".to_owned())],
        );
        let frame = Frame(pieces.unwrap());
        let mut content = [
            Block::attached("file".into()),
            Block::said("a {{what}}".into()),
        ];
        frame.put_around(&mut content);
        assert_eq!(content[0], Block::attached("file".into()));
        assert_eq!(
            content[1],
            Block::said("Is a {{what}} a fish? a {{what}}!".into())
        );
    }
}
