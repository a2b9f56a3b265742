//! Tools of ours that a model may ask for while it answers, and never has to.
//!
//! A tool is one entry of `TOOLS`: what a model is told of it, when it is offered, and what is done
//! when it is asked for. Its result goes back in the next turn of the same answer. What comes in is
//! a model's: inputs are checked by the tool, and rounds, calls and results are bounded here. No
//! tool approves, forgets or sends anything.

mod remember;

use serde_json::Value;

use crate::memory::{Audience, Proposal};
use crate::model::{Role, Text, Timestamp};
use crate::provider::{Part, Tool, ToolUse, Turn};

use super::session::Session;

/// Requests of one answer beyond the first.
pub(super) const ROUNDS_MAX: usize = 4;
/// Calls of one round that are carried out.
const CALLS_MAX: usize = 8;
const RESULT_BYTES_MAX: usize = 64 * 1024;

/// Every tool there is, in the order in which a provider's cache sees them.
const TOOLS: &[OwnTool] = &[remember::TOOL];

/// A tool as a constant.
pub(super) struct OwnTool {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// JSON Schema of the input, an object.
    pub(super) input_schema: fn() -> Value,
    /// Whether this session has a use for it. The same through a session, for the cache's sake.
    pub(super) is_offered: fn(&Session) -> bool,
    pub(super) run: fn(&mut Session, Call<'_>) -> Given,
}

/// What a model asks for.
pub(super) struct Call<'a> {
    /// Hostile: of any shape.
    pub(super) input: &'a Value,
    /// Where the result goes: to another host, nothing private.
    #[expect(dead_code, reason = "for tools that read")]
    pub(super) audience: Audience,
    #[expect(dead_code, reason = "for tools that read")]
    pub(super) now: Timestamp,
    /// Takes what is to be remembered; it is judged with the whole answer.
    pub(super) proposals: &'a mut Vec<Proposal>,
}

/// What a model gets back.
pub(super) enum Given {
    Result(Text),
    /// The call was not understood or could not be carried out; the text says why.
    Fault(Text),
}

/// What all calls of one answer have in common.
pub(super) struct Desk<'a> {
    pub(super) audience: Audience,
    pub(super) now: Timestamp,
    pub(super) proposals: &'a mut Vec<Proposal>,
}

impl Session {
    /// The tools to name in a request.
    pub(super) fn tools(&self) -> Vec<Tool> {
        let offered = TOOLS.iter().filter(|tool| (tool.is_offered)(self));
        offered
            .map(|tool| Tool {
                name: tool.name.to_owned(),
                description: tool.description.to_owned(),
                input_schema: (tool.input_schema)(),
            })
            .collect()
    }

    /// Carries out the calls of one round; the turn holds a result for each.
    pub(super) fn results(&mut self, calls: &[ToolUse], desk: &mut Desk<'_>) -> Turn {
        let mut parts = Vec::new();
        for (n, call) in calls.iter().enumerate() {
            let given = match n < CALLS_MAX {
                true => self.call(call, desk),
                false => Given::Fault("too many calls in one turn".into()),
            };
            let (text, is_error) = match given {
                Given::Result(text) => (text, false),
                Given::Fault(text) => (text, true),
            };
            parts.push(Part::ToolResult {
                id: call.id.clone(),
                content: bounded(text),
                is_error,
            });
        }
        let role = Role::User;
        Turn { role, parts }
    }

    fn call(&mut self, call: &ToolUse, desk: &mut Desk<'_>) -> Given {
        let tool = TOOLS.iter().find(|tool| tool.name == call.name);
        let Some(tool) = tool.filter(|tool| (tool.is_offered)(self)) else {
            return Given::Fault("there is no such tool".into());
        };
        let call = Call {
            input: &call.input,
            audience: desk.audience,
            now: desk.now,
            proposals: desk.proposals,
        };
        (tool.run)(self, call)
    }
}

fn bounded(text: Text) -> Text {
    match text.len() > RESULT_BYTES_MAX {
        true => text[..text.floor_char_boundary(RESULT_BYTES_MAX)].into(),
        false => text,
    }
}

#[cfg(test)]
mod tests;
