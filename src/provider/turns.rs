//! The turns of a request as every vendor wants them: nothing empty, and no side twice in a row.

use std::io;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::model::{Role, Text};

use super::request::{Part, Request, Tool};

/// Consecutive turns of one side, as one.
pub(super) struct Merged<'a> {
    pub(super) role: Role,
    pub(super) parts: Vec<&'a Part>,
}

impl Merged<'_> {
    /// The text parts as one text.
    pub(super) fn text(&self) -> Text {
        joined(self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        }))
    }
}

/// Merges turns whose role is the same after `role_of`, and drops what is empty.
pub(super) fn merged(request: &Request, role_of: fn(Role) -> Role) -> Vec<Merged<'_>> {
    let mut out: Vec<Merged<'_>> = Vec::new();
    for turn in &request.messages {
        let parts = turn.parts.iter().filter(|part| !is_empty(part));
        let role = role_of(turn.role);
        match out.last_mut() {
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => {
                let parts: Vec<_> = parts.collect();
                if !parts.is_empty() {
                    out.push(Merged { role, parts });
                }
            }
        }
    }
    out
}

/// Servers refuse text that is white space only.
fn is_empty(part: &Part) -> bool {
    match part {
        Part::Text(text) => text.trim().is_empty(),
        Part::Image { base64, .. } => base64.is_empty(),
        Part::ToolUse(_) | Part::ToolResult { .. } | Part::Opaque(_) => false,
    }
}

/// The standing instructions as one text.
pub(super) fn system_text(request: &Request, with_tools: bool) -> Text {
    let instead = (!with_tools).then_some(&request.instead_of_tools);
    joined(request.system.iter().map(|part| &part.text).chain(instead))
}

/// The tools to name.
pub(super) fn tools(request: &Request, with_tools: bool) -> &[Tool] {
    if with_tools { &request.tools } else { &[] }
}

fn joined<'t>(texts: impl Iterator<Item = &'t Text>) -> Text {
    let mut out = Text::default();
    for text in texts.filter(|text| !text.trim().is_empty()) {
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        out.push_str(text);
    }
    out
}

/// Writes a request as JSON into memory that is wiped, also where it had to grow.
pub(super) fn json(body: &impl Serialize) -> Zeroizing<Vec<u8>> {
    struct Wiping(Zeroizing<Vec<u8>>);
    impl io::Write for Wiping {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let free = self.0.capacity() - self.0.len();
            if free < bytes.len() {
                let size = (self.0.len() + bytes.len())
                    .next_power_of_two()
                    .max(1 << 16);
                let mut grown = Zeroizing::new(Vec::with_capacity(size));
                grown.extend_from_slice(&self.0);
                self.0 = grown;
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut out = Wiping(Zeroizing::default());
    serde_json::to_writer(&mut out, body).expect("requests hold only what JSON can say");
    out.0
}

#[cfg(test)]
mod tests {
    use super::super::request::Turn;
    use super::*;

    fn turn(role: Role, texts: &[&str]) -> Turn {
        let parts = texts.iter().map(|text| Part::Text((*text).into()));
        Turn {
            role,
            parts: parts.collect(),
        }
    }

    #[test]
    fn turns_of_one_side_are_one_and_empty_ones_are_none() {
        let mut request = Request::new("m", 1);
        request.messages = vec![
            turn(Role::User, &["a"]),
            turn(Role::Assistant, &["", " \n"]),
            turn(Role::User, &[" ", "b"]),
            turn(Role::Assistant, &["c"]),
            turn(Role::Unknown, &[]),
        ];
        let merged = merged(&request, |role| role);
        let seen: Vec<_> = merged
            .iter()
            .map(|turn| (turn.role, turn.text().as_str().to_owned()))
            .collect();
        assert_eq!(
            seen,
            [
                (Role::User, "a\n\nb".to_owned()),
                (Role::Assistant, "c".to_owned())
            ]
        );
    }

    #[test]
    fn a_body_of_any_size_is_written_whole() {
        let long = "\u{1}é\"".repeat(200_000);
        let written = json(&long);
        let back: String = serde_json::from_slice(&written).unwrap();
        assert_eq!(back, long);
    }
}
