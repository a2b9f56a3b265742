//! Reads the answers to the extraction and consolidation prompts, which have one shape: a list of
//! operations, whose members are strings or lists of strings.

use serde_json::{Map, Value};

use crate::model::Id;

use super::lenient;

const OPERATIONS_MAX: usize = 50;
/// A longer answer is not read.
pub(super) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// An answer that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("the answer is above 1 MiB")]
    TooLarge,
    #[error("the answer holds no JSON object with operations")]
    NoOperations,
    #[error("the answer has more than 50 operations")]
    TooMany,
    #[error("operation {0} is not an object")]
    NotAnObject(usize),
    #[error("operation {0} has no known `op`")]
    UnknownOp(usize),
    #[error("operation {index} has no `{member}` of the right type")]
    Member { index: usize, member: &'static str },
}

/// The list of operations of an answer.
pub(super) fn operations(answer: &str) -> Result<Vec<Value>, AnswerError> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(AnswerError::TooLarge);
    }
    let has_list = |value: &Value| value.get("operations").is_some_and(Value::is_array);
    let mut value = lenient::object(answer, has_list).ok_or(AnswerError::NoOperations)?;
    let Some(Value::Array(operations)) = value.get_mut("operations").map(Value::take) else {
        return Err(AnswerError::NoOperations);
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(AnswerError::TooMany);
    }
    Ok(operations)
}

/// The members of one operation.
pub(super) struct Members<'a> {
    object: &'a Map<String, Value>,
    index: usize,
}

impl<'a> Members<'a> {
    pub(super) fn of(operation: &'a Value, index: usize) -> Result<Self, AnswerError> {
        match operation {
            Value::Object(object) => Ok(Members { object, index }),
            _ => Err(AnswerError::NotAnObject(index)),
        }
    }

    /// A string; empty where it is absent or null.
    pub(super) fn text(&self, member: &'static str) -> Result<String, AnswerError> {
        match self.object.get(member) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(self.wrong(member)),
        }
    }

    /// A list of strings; empty where it is absent or null.
    pub(super) fn texts(&self, member: &'static str) -> Result<Vec<String>, AnswerError> {
        let list = match self.object.get(member) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.wrong(member)),
        };
        list.iter()
            .map(|text| text.as_str().map(str::to_owned))
            .collect::<Option<Vec<String>>>()
            .ok_or_else(|| self.wrong(member))
    }

    pub(super) fn wrong(&self, member: &'static str) -> AnswerError {
        AnswerError::Member {
            index: self.index,
            member,
        }
    }
}

/// The id that was shown as, say, `m3`.
pub(super) fn named(name: &str, letter: char, ids: &[Id]) -> Option<Id> {
    let name = name.trim().trim_matches(|c| matches!(c, '[' | ']' | '`'));
    let number: usize = name.strip_prefix(letter)?.parse().ok()?;
    ids.get(number.checked_sub(1)?).copied()
}
