//! Reads what chat completions answer, streamed or whole, in the dialects that servers have.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{Stop, Text, Usage};

use super::super::Event;
use super::super::error::Malformation;
use super::super::exchange::{Fault, Reader};
use super::super::frames::Frame;
use super::super::request::ToolUse;

/// A reply asks for a handful of tools.
const TOOLS_MAX: u64 = 256;

/// A chunk of a stream, or the one completion that a server may send in its place.
#[derive(Deserialize)]
struct ChunkIn {
    choices: Option<Vec<ChoiceIn>>,
    usage: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct ChoiceIn {
    index: Option<u64>,
    delta: Option<DeltaIn>,
    message: Option<DeltaIn>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct DeltaIn {
    content: Option<ContentIn>,
    refusal: Option<Text>,
    reasoning_content: Option<Value>,
    reasoning: Option<Value>,
    tool_calls: Option<Vec<CallIn>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ContentIn {
    Text(Text),
    Parts(Vec<PartIn>),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct PartIn {
    text: Option<Text>,
}

#[derive(Deserialize)]
struct CallIn {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionIn>,
}

#[derive(Deserialize)]
struct FunctionIn {
    name: Option<String>,
    arguments: Option<Value>,
}

#[derive(Default)]
struct Calling {
    id: String,
    name: String,
    arguments: Text,
}

/// The answer so far.
#[derive(Default)]
pub(super) struct Reply {
    calls: BTreeMap<u64, Calling>,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    refused: bool,
    over: bool,
}

impl Reader for Reply {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Fault> {
        let (data, whole) = match frame {
            Frame::Event(data) => (data, false),
            Frame::Json(data) => (data, true),
        };
        let text = String::from_utf8_lossy(data);
        if text.trim() == "[DONE]" {
            self.over = true;
            return Ok(());
        }
        let chunk: ChunkIn = serde_json::from_str(&text).map_err(|_| Malformation::NotItsJson)?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(Fault::of(&error));
        }
        self.count(chunk.usage.as_ref());
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index.unwrap_or(0) == 0 {
                self.choice(choice, whole, out)?;
            }
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.finish_reason.is_some()
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        let mut broken = false;
        for (number, call) in std::mem::take(&mut self.calls) {
            let input = match call.arguments.trim() {
                "" => Some(json!({})),
                arguments => serde_json::from_str(arguments).ok(),
            };
            match input {
                Some(input) if !call.name.is_empty() => out.push(Event::ToolUse(ToolUse {
                    id: match call.id.is_empty() {
                        true => format!("call_{number}"),
                        false => call.id,
                    },
                    name: call.name,
                    input,
                })),
                _ => broken = true,
            }
        }
        out.extend(self.usage.map(Event::Usage));
        out.push(Event::Done(match self.finish_reason.as_deref() {
            Some("length" | "max_tokens") => Stop::Length,
            Some("content_filter") => Stop::Refused,
            Some(_) if self.refused => Stop::Refused,
            Some(_) if !broken => Stop::End,
            // A terminator without a reason is what some servers end every reply with.
            None if self.over && !broken => Stop::End,
            _ => Stop::Cut,
        }));
    }
}

impl Reply {
    fn choice(&mut self, choice: ChoiceIn, whole: bool, out: &mut Vec<Event>) -> Result<(), Fault> {
        if let Some(delta) = choice.delta.or(choice.message) {
            let thoughts = [delta.reasoning_content, delta.reasoning];
            let thought = thoughts.iter().flatten().find_map(Value::as_str);
            if let Some(thought) = thought.filter(|thought| !thought.is_empty()) {
                out.push(Event::Thinking(thought.into()));
            }
            let texts = match delta.content {
                Some(ContentIn::Text(text)) => vec![text],
                Some(ContentIn::Parts(parts)) => parts.into_iter().filter_map(|p| p.text).collect(),
                Some(ContentIn::Other(_)) | None => Vec::new(),
            };
            self.refused |= delta.refusal.as_ref().is_some_and(|text| !text.is_empty());
            for text in texts.into_iter().chain(delta.refusal) {
                if !text.is_empty() {
                    out.push(Event::Text(text));
                }
            }
            for call in delta.tool_calls.unwrap_or_default() {
                self.call(call)?;
            }
        }
        match choice.finish_reason {
            Some(reason) => self.finish_reason = Some(reason),
            // A completion that came whole is over, whatever it says.
            None if whole => self.finish_reason = Some(String::new()),
            None => {}
        }
        Ok(())
    }

    /// Pieces of a call belong together by `index`; where a server leaves it out, a new id begins
    /// a new call.
    fn call(&mut self, piece: CallIn) -> Result<(), Fault> {
        let last = self.calls.last_key_value().map(|(number, _)| *number);
        let begins = piece.id.as_ref().is_some_and(|id| !id.is_empty());
        let number = match (piece.index, last) {
            (Some(index), _) => index,
            (None, None) => 0,
            (None, Some(last)) => last + u64::from(begins),
        };
        if number >= TOOLS_MAX {
            return Err(Malformation::NotItsJson.into());
        }
        let call = self.calls.entry(number).or_default();
        if let Some(id) = piece.id.filter(|_| call.id.is_empty()) {
            call.id = id;
        }
        let Some(function) = piece.function else {
            return Ok(());
        };
        if let Some(name) = function.name.filter(|_| call.name.is_empty()) {
            call.name = name;
        }
        match function.arguments {
            Some(Value::String(text)) => call.arguments.push_str(&text),
            Some(value @ Value::Object(_)) => call.arguments.push_str(&value.to_string()),
            _ => {}
        }
        Ok(())
    }

    /// `prompt_tokens` counts cached ones as well.
    fn count(&mut self, usage: Option<&Value>) {
        let Some(Value::Object(counts)) = usage else {
            return;
        };
        let number = |name: &str| counts.get(name).and_then(Value::as_u64).unwrap_or(0);
        let cached = counts
            .get("prompt_tokens_details")
            .and_then(|details| details.get("cached_tokens"))
            .and_then(Value::as_u64)
            .unwrap_or(0);
        self.usage = Some(Usage {
            input: number("prompt_tokens").saturating_sub(cached),
            output: number("completion_tokens"),
            cache_read: cached,
            cache_write: 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::frames::Framing;
    use super::super::super::replay::{read, text};
    use super::*;

    const STREAM: &str = include_str!("../../../tests/provider/recorded/openai.events");

    fn replay(body: &str) -> Result<Vec<Event>, Fault> {
        read(
            Framing::ServerSentEvents,
            Reply::default(),
            body.as_bytes(),
            &[],
        )
    }

    fn tool(id: &str, name: &str, input: Value) -> Event {
        Event::ToolUse(ToolUse {
            id: id.into(),
            name: name.into(),
            input,
        })
    }

    #[test]
    fn a_stream_gives_its_text_tools_usage_and_end() {
        let usage = Usage {
            input: 4,
            output: 4,
            cache_read: 6,
            cache_write: 0,
        };
        assert_eq!(
            replay(STREAM).unwrap(),
            [
                Event::Thinking("hm".into()),
                Event::Text("Grüße".into()),
                Event::Text(", 🦀".into()),
                tool("t1", "look", json!({"a": 1})),
                tool("t2", "go", json!({"b": 2})),
                Event::Usage(usage),
                Event::Done(Stop::End),
            ]
        );
    }

    #[test]
    fn a_reply_is_whole_once_its_reason_to_end_came() {
        let reason = STREAM.find("tool_calls\"}]").unwrap() + "tool_calls\"}]}\n\n".len();
        for at in (0..STREAM.len()).filter(|at| STREAM.is_char_boundary(*at)) {
            let events = replay(&STREAM[..at]).unwrap();
            let expected = if at < reason { Stop::Cut } else { Stop::End };
            assert_eq!(events.last(), Some(&Event::Done(expected)), "{at}");
        }
    }

    #[test]
    fn a_completion_that_comes_whole_is_read_all_the_same() {
        let events = replay(
            r#"{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",
            "content":"hello","tool_calls":[{"id":"t","function":{"name":"n",
            "arguments":{"a":1}}}]}}],
            "usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        )
        .unwrap();
        assert_eq!(text(&events), "hello");
        assert!(events.contains(&tool("t", "n", json!({"a": 1}))));
        assert_eq!(events.last(), Some(&Event::Done(Stop::End)));
    }

    #[test]
    fn calls_without_an_index_are_told_apart_by_their_ids() {
        let events = replay(
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[\
             {\"id\":\"a\",\"function\":{\"name\":\"x\",\"arguments\":\"{}\"}},\
             {\"id\":\"b\",\"function\":{\"name\":\"y\"}}]}}]}\n\ndata: [DONE]\n\n",
        )
        .unwrap();
        assert_eq!(
            events,
            [
                tool("a", "x", json!({})),
                tool("b", "y", json!({})),
                Event::Done(Stop::End)
            ]
        );
    }

    #[test]
    fn why_it_stopped_is_told() {
        for (end, stop) in [
            (r#"{"delta":{},"finish_reason":"stop"}"#, Stop::End),
            (r#"{"delta":{},"finish_reason":"length"}"#, Stop::Length),
            (
                r#"{"delta":{},"finish_reason":"content_filter"}"#,
                Stop::Refused,
            ),
            (
                r#"{"delta":{"refusal":"no"},"finish_reason":"stop"}"#,
                Stop::Refused,
            ),
            (r#"{"delta":null,"finish_reason":"invented"}"#, Stop::End),
        ] {
            let events = replay(&format!("data: {{\"choices\":[{end}]}}\n\n")).unwrap();
            assert_eq!(events.last(), Some(&Event::Done(stop)), "{end}");
        }
    }

    #[test]
    fn an_error_is_found_in_any_shape() {
        for body in [
            r#"data: {"error":{"message":"m","code":"server_overloaded"}}"#,
            r#"data: {"error":"m"}"#,
            r#"{"error":{"message":"m"}}"#,
            "data: {\"choices\":[]}\n\n{\"error\":{\"message\":\"m\"}}",
        ] {
            let error = replay(&format!("{body}\n\n")).unwrap_err();
            assert!(
                matches!(error, Fault::Said { message, .. } if message == "m"),
                "{body}"
            );
        }
    }

    #[test]
    fn a_call_number_out_of_all_measure_is_refused() {
        let body = r#"data: {"choices":[{"delta":{"tool_calls":[{"index":4294967296}]}}]}"#;
        assert!(replay(&format!("{body}\n\n")).is_err());
    }

    proptest! {
        #[test]
        fn where_the_stream_is_split_makes_no_difference(cuts: Vec<usize>) {
            let split = read(Framing::ServerSentEvents, Reply::default(), STREAM.as_bytes(), &cuts);
            prop_assert_eq!(split, replay(STREAM));
        }
    }
}
