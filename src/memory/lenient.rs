//! Reads JSON out of what models write: in fences, after prose, with a comma too many.

use serde_json::Value;

/// Opening braces that are tried before giving up.
const TRIES_MAX: usize = 16;

/// The first JSON object in `text` that `wanted` accepts.
pub(super) fn object(text: &str, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    let starts = text.char_indices().filter(|(_, c)| *c == '{');
    for (start, _) in starts.take(TRIES_MAX) {
        let rest = &text[start..];
        let value = first_value(rest).or_else(|| first_value(&without_trailing_commas(rest)));
        if let Some(value) = value
            && value.is_object()
            && wanted(&value)
        {
            return Some(value);
        }
    }
    None
}

fn first_value(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        .next()?
        .ok()
}

fn without_trailing_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if c == '"' {
            in_string = true;
        } else if c == ',' && text[i + 1..].trim_start().starts_with(['}', ']']) {
            continue;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_in_fences_and_prose() {
        for text in [
            r#"{"a":1}"#,
            "```json\n{\"a\": 1}\n```",
            "Here {it} is:\n{\"a\": 1,}\nHope this helps {}",
        ] {
            let value = object(text, |value| value.get("a").is_some()).unwrap();
            assert_eq!(value["a"], 1, "{text}");
        }
        for text in ["", "[1]", "{\"a\":", "{'a': 1}", &"{".repeat(100_000)] {
            assert_eq!(object(text, |_| true), None);
        }
    }

    #[test]
    fn commas_inside_strings_stay() {
        let value = object(r#"{"a":["x,]\",}",],}"#, |_| true).unwrap();
        assert_eq!(value["a"][0], "x,]\",}");
    }
}
