//! What a model proposes to remember: the content of a `<memory_update>` block, and of the
//! `remember` tool, which takes the same.

use serde_json::{Value, json};

use crate::model::{Kind, Text};

use super::lenient;

/// Items that one block may propose.
const ITEMS_MAX: usize = 20;
/// A longer item is left out: cut off, it would say something else.
pub(super) const ITEM_CHARS_MAX: usize = 500;

/// One thing that a model wants remembered. Nothing is known yet about who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub kind: Kind,
    pub text: Text,
}

/// What was wrong with a reply's memory blocks; nothing was learnt from what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("a memory block is not the JSON it should be")]
    Malformed,
    #[error("a memory block has no end")]
    MissingEnd,
    #[error("a memory block is above 64 KiB")]
    TooLarge,
    #[error("more than 8 memory blocks in one reply")]
    TooManyBlocks,
    #[error("more than 20 items in one memory block")]
    TooManyItems,
    #[error("a memory item is above 500 characters")]
    ItemTooLong,
}

/// Reads the JSON of a block. Unknown keys are ignored; a list may be null or a single item, an
/// item a string or an object with a text in it.
pub fn parse_updates(json: &str) -> Result<(Vec<Proposal>, Vec<Fault>), Fault> {
    if json.trim().is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let known = |value: &Value| {
        let members = value.as_object().into_iter().flatten();
        let mut keys = members.map(|(key, _)| kind_of(key));
        value.as_object().is_some_and(serde_json::Map::is_empty) || keys.any(|kind| kind.is_some())
    };
    let value = lenient::object(json, known).ok_or(Fault::Malformed)?;
    let mut texts = Vec::new();
    for (key, list) in value.as_object().into_iter().flatten() {
        if let Some(kind) = kind_of(key) {
            collect(kind, list, &mut texts);
        }
    }
    let mut faults = Vec::new();
    if texts.len() > ITEMS_MAX {
        texts.truncate(ITEMS_MAX);
        faults.push(Fault::TooManyItems);
    }
    let whole = texts.len();
    texts.retain(|proposal| proposal.text.chars().count() <= ITEM_CHARS_MAX);
    if texts.len() < whole {
        faults.push(Fault::ItemTooLong);
    }
    Ok((texts, faults))
}

/// The JSON schema of the `remember` tool's input.
pub fn remember_schema() -> Value {
    let list = |about: &str| {
        json!({
            "type": "array",
            "items": {"type": "string"},
            "description": about,
        })
    };
    json!({
        "type": "object",
        "properties": {
            "key_facts": list("Lasting facts, in the person's own words"),
            "user_preferences": list("How the person likes things, in their own words"),
            "past_outcomes": list("What was decided or finished, in the person's own words"),
        },
        "additionalProperties": false,
    })
}

fn kind_of(key: &str) -> Option<Kind> {
    let name: String = key
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match name.as_str() {
        "keyfacts" | "keyfact" | "facts" | "fact" => Some(Kind::Fact),
        "userpreferences" | "userpreference" | "preferences" | "preference" => {
            Some(Kind::Preference)
        }
        "pastoutcomes" | "pastoutcome" | "outcomes" | "outcome" => Some(Kind::Outcome),
        _ => None,
    }
}

fn collect(kind: Kind, list: &Value, out: &mut Vec<Proposal>) {
    let mut push = |text: &str| {
        let text = text.trim();
        if !text.is_empty() {
            out.push(Proposal {
                kind,
                text: text.into(),
            });
        }
    };
    match list {
        Value::String(text) => push(text),
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::String(text) => push(text),
                    Value::Object(_) => {
                        if let Some(text) = text_of(item) {
                            push(text);
                        }
                    }
                    _ => {}
                }
            }
        }
        Value::Object(members) => match text_of(list) {
            Some(text) => push(text),
            // Small models write {"name": "Ana"} where a list is asked for.
            None => {
                for (key, value) in members {
                    if let Value::String(value) = value {
                        push(&format!("{}: {value}", key.replace('_', " ")));
                    }
                }
            }
        },
        _ => {}
    }
}

fn text_of(object: &Value) -> Option<&str> {
    const KEYS: [&str; 8] = [
        "text",
        "fact",
        "preference",
        "outcome",
        "content",
        "value",
        "description",
        "memory",
    ];
    KEYS.iter().find_map(|key| object.get(key)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str) -> Vec<(Kind, String)> {
        let (proposals, _) = parse_updates(json).unwrap();
        proposals
            .into_iter()
            .map(|proposal| (proposal.kind, proposal.text.as_str().to_owned()))
            .collect()
    }

    #[test]
    fn the_three_lists_become_proposals() {
        let json = r#"{"key_facts":["a"],"user_preferences":["b"],"past_outcomes":["c"],"mood":1}"#;
        let expected = [
            (Kind::Fact, "a"),
            (Kind::Outcome, "c"),
            (Kind::Preference, "b"),
        ];
        let mut found = texts(json);
        found.sort_by(|a, b| a.1.cmp(&b.1));
        let mut expected = expected
            .map(|(kind, text)| (kind, text.to_owned()))
            .to_vec();
        expected.sort_by(|a, b| a.1.cmp(&b.1));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_models_write_instead_is_understood() {
        let a = vec![(Kind::Fact, "a".to_owned())];
        for json in [
            r#"{"key_facts":"a"}"#,
            r#"{"key_facts":{"text":"a"},"user_preferences":null}"#,
            r#"{"key_facts":[{"fact":"a","confidence":1}, 7, null, ""]}"#,
            r#"{"Key Facts":["a"],"past_outcomes":[]}"#,
            "```json\n{\"facts\": [\"a\",]}\n```",
        ] {
            assert_eq!(texts(json), a, "{json}");
        }
        assert_eq!(
            texts(r#"{"key_facts":{"home_city":"Oslo"}}"#),
            [(Kind::Fact, "home city: Oslo".to_owned())]
        );
        assert_eq!(texts("{}"), []);
        assert_eq!(texts(" "), []);
    }

    #[test]
    fn what_has_no_list_of_ours_is_malformed() {
        for json in [
            "[]",
            "a",
            r#"{"x":1}"#,
            r#"{"key_facts":["a"#,
            "key_facts: a",
        ] {
            assert_eq!(parse_updates(json), Err(Fault::Malformed), "{json}");
        }
    }

    #[test]
    fn a_block_holds_twenty_items_of_five_hundred_characters() {
        let many: Vec<String> = (0..30).map(|n| format!("item {n}")).collect();
        let (proposals, faults) = parse_updates(&json!({"key_facts": many}).to_string()).unwrap();
        assert_eq!((proposals.len(), faults), (20, vec![Fault::TooManyItems]));
        let long = ["é".repeat(500), "é".repeat(501)];
        let (proposals, faults) = parse_updates(&json!({"key_facts": long}).to_string()).unwrap();
        assert_eq!((proposals.len(), faults), (1, vec![Fault::ItemTooLong]));
    }
}
