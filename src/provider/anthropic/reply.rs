//! Reads what the Messages API answers, streamed or whole.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{Stop, Text, Usage};

use super::super::Event;
use super::super::error::Malformation;
use super::super::exchange::{Fault, Reader};
use super::super::frames::Frame;
use super::super::request::ToolUse;

/// A reply holds a handful; a stream that opens more is nonsense.
const BLOCKS_MAX: usize = 1024;

/// The events of a stream, and the one message that a server may send in their place. Members that
/// a later version adds, and kinds it invents, are ignored.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum EventIn {
    MessageStart {
        message: MessageIn,
    },
    ContentBlockStart {
        index: u64,
        content_block: BlockIn,
    },
    ContentBlockDelta {
        index: u64,
        delta: DeltaIn,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: Option<EndIn>,
        usage: Option<Value>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    Message(MessageIn),
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct MessageIn {
    content: Option<Vec<BlockIn>>,
    stop_reason: Option<String>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct EndIn {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockIn {
    Text {
        text: Option<Text>,
    },
    Thinking {
        thinking: Option<Text>,
        signature: Option<Text>,
    },
    RedactedThinking {
        data: Text,
    },
    ToolUse {
        id: String,
        name: String,
        input: Option<Value>,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum DeltaIn {
    TextDelta {
        text: Text,
    },
    ThinkingDelta {
        thinking: Text,
    },
    SignatureDelta {
        signature: Text,
    },
    InputJsonDelta {
        partial_json: Text,
    },
    #[serde(other)]
    Unknown,
}

/// A thought that is still arriving. Signed, it has to go back with the call that it led to.
#[derive(Default)]
struct Thought {
    text: Text,
    signature: Text,
}

/// A tool whose input is still arriving.
struct Tooling {
    id: String,
    name: String,
    input: Option<Value>,
    json: Text,
}

/// The answer so far.
#[derive(Default)]
pub(super) struct Reply {
    tools: BTreeMap<u64, Tooling>,
    thoughts: BTreeMap<u64, Thought>,
    usage: Option<Usage>,
    stop_reason: Option<String>,
    over: bool,
    broken: bool,
}

impl Reader for Reply {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Fault> {
        let (Frame::Event(data) | Frame::Json(data)) = frame;
        let text = String::from_utf8_lossy(data);
        match serde_json::from_str::<EventIn>(&text) {
            Ok(event) => self.event(event, out),
            // A failure without `type`, as gateways report it.
            Err(_) => match serde_json::from_str::<Value>(&text) {
                Ok(value) if value.get("error").is_some() => Err(Fault::of(&value)),
                _ => Err(Malformation::NotItsJson.into()),
            },
        }
    }

    fn is_whole(&self) -> bool {
        self.over
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        out.extend(self.usage.map(Event::Usage));
        out.push(Event::Done(match self.stop_reason.as_deref() {
            _ if !self.over => Stop::Cut,
            Some("max_tokens" | "model_context_window_exceeded") => Stop::Length,
            Some("refusal") => Stop::Refused,
            _ if self.broken => Stop::Cut,
            // `end_turn`, `stop_sequence`, `tool_use`, and whatever is invented next.
            _ => Stop::End,
        }));
    }
}

impl Reply {
    fn event(&mut self, event: EventIn, out: &mut Vec<Event>) -> Result<(), Fault> {
        match event {
            EventIn::MessageStart { message } => self.count(message.usage.as_ref()),
            EventIn::ContentBlockStart {
                index,
                content_block,
            } => self.start(index, content_block, out)?,
            EventIn::ContentBlockDelta { index, delta } => match delta {
                DeltaIn::TextDelta { text } => say(Event::Text, text, out),
                DeltaIn::ThinkingDelta { thinking } => {
                    if let Some(thought) = self.thoughts.get_mut(&index) {
                        thought.text.push_str(&thinking);
                    }
                    say(Event::Thinking, thinking, out);
                }
                DeltaIn::SignatureDelta { signature } => {
                    if let Some(thought) = self.thoughts.get_mut(&index) {
                        thought.signature.push_str(&signature);
                    }
                }
                DeltaIn::InputJsonDelta { partial_json } => {
                    if let Some(tool) = self.tools.get_mut(&index) {
                        tool.json.push_str(&partial_json);
                    }
                }
                DeltaIn::Unknown => {}
            },
            EventIn::ContentBlockStop { index } => {
                self.end_thought(index, out);
                if let Some(tool) = self.tools.remove(&index) {
                    self.finish(tool, out);
                }
            }
            EventIn::MessageDelta { delta, usage } => {
                self.count(usage.as_ref());
                if let Some(reason) = delta.and_then(|delta| delta.stop_reason) {
                    self.stop_reason = Some(reason);
                }
            }
            EventIn::MessageStop => {
                // A tool still open never came whole.
                self.broken |= !self.tools.is_empty();
                self.over = true;
            }
            EventIn::Error { error } => return Err(Fault::of(&error)),
            EventIn::Message(message) => {
                self.count(message.usage.as_ref());
                for block in message.content.unwrap_or_default() {
                    self.start(0, block, out)?;
                    self.end_thought(0, out);
                    if let Some(tool) = self.tools.remove(&0) {
                        self.finish(tool, out);
                    }
                }
                self.stop_reason = message.stop_reason;
                self.over = true;
            }
            EventIn::Unknown => {}
        }
        Ok(())
    }

    fn start(&mut self, index: u64, block: BlockIn, out: &mut Vec<Event>) -> Result<(), Fault> {
        match block {
            BlockIn::Text { text } => say(Event::Text, text.unwrap_or_default(), out),
            BlockIn::Thinking {
                thinking,
                signature,
            } => {
                let thought = Thought {
                    text: thinking.unwrap_or_default(),
                    signature: signature.unwrap_or_default(),
                };
                say(Event::Thinking, thought.text.clone(), out);
                self.has_room()?;
                self.thoughts.insert(index, thought);
            }
            BlockIn::RedactedThinking { data } => {
                let block = json!({"type": "redacted_thinking", "data": data});
                out.push(Event::Opaque(Text::new(block.to_string())));
            }
            BlockIn::ToolUse { id, name, input } => {
                self.has_room()?;
                let json = Text::default();
                let tool = Tooling {
                    id,
                    name,
                    input,
                    json,
                };
                self.tools.insert(index, tool);
            }
            BlockIn::Unknown => {}
        }
        Ok(())
    }

    fn has_room(&self) -> Result<(), Fault> {
        match self.tools.len() + self.thoughts.len() < BLOCKS_MAX {
            true => Ok(()),
            false => Err(Malformation::NotItsJson.into()),
        }
    }

    fn end_thought(&mut self, index: u64, out: &mut Vec<Event>) {
        let thought = self.thoughts.remove(&index);
        if let Some(thought) = thought.filter(|thought| !thought.signature.is_empty()) {
            let block = json!({"type": "thinking", "thinking": thought.text,
                "signature": thought.signature});
            out.push(Event::Opaque(Text::new(block.to_string())));
        }
    }

    fn finish(&mut self, tool: Tooling, out: &mut Vec<Event>) {
        let input = if tool.json.trim().is_empty() {
            Some(tool.input.unwrap_or_else(|| json!({})))
        } else {
            serde_json::from_str(&tool.json).ok()
        };
        match input {
            Some(input) => out.push(Event::ToolUse(ToolUse {
                id: tool.id,
                name: tool.name,
                input,
            })),
            None => self.broken = true,
        }
    }

    /// Counts are cumulative; some backends fill only the nested object for cache writes.
    fn count(&mut self, usage: Option<&Value>) {
        let Some(Value::Object(counts)) = usage else {
            return;
        };
        let number = |name: &str| counts.get(name).and_then(Value::as_u64);
        let nested = counts
            .get("cache_creation")
            .and_then(Value::as_object)
            .map(|nested| nested.values().filter_map(Value::as_u64).sum())
            .filter(|sum| *sum > 0);
        let usage = self.usage.get_or_insert_default();
        usage.input = number("input_tokens").unwrap_or(usage.input);
        usage.output = number("output_tokens").unwrap_or(usage.output);
        usage.cache_read = number("cache_read_input_tokens").unwrap_or(usage.cache_read);
        usage.cache_write = number("cache_creation_input_tokens")
            .filter(|count| *count > 0)
            .or(nested)
            .unwrap_or(usage.cache_write);
    }
}

fn say(event: fn(Text) -> Event, text: Text, out: &mut Vec<Event>) {
    if !text.is_empty() {
        out.push(event(text));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::frames::Framing;
    use super::super::super::replay::{read, text};
    use super::*;

    const STREAM: &str = include_str!("../../../tests/provider/recorded/anthropic.events");

    fn replay(body: &str) -> Result<Vec<Event>, Fault> {
        read(
            Framing::ServerSentEvents,
            Reply::default(),
            body.as_bytes(),
            &[],
        )
    }

    fn ending(stop_reason: &str) -> Event {
        let body = STREAM.replace("\"tool_use\"}", &format!("{stop_reason}}}"));
        replay(&body).unwrap().pop().unwrap()
    }

    #[test]
    fn a_stream_gives_its_text_tools_usage_and_end() {
        let events = replay(STREAM).unwrap();
        let usage = Usage {
            input: 10,
            output: 42,
            cache_read: 7,
            cache_write: 5,
        };
        assert_eq!(
            events,
            [
                Event::Thinking("hm".into()),
                Event::Opaque(r#"{"signature":"x","thinking":"hm","type":"thinking"}"#.into()),
                Event::Text("Grüße".into()),
                Event::Text(", 🦀".into()),
                Event::ToolUse(ToolUse {
                    id: "t1".into(),
                    name: "look".into(),
                    input: json!({"a": [1]}),
                }),
                Event::Usage(usage),
                Event::Done(Stop::End),
            ]
        );
    }

    #[test]
    fn a_message_that_comes_whole_is_read_all_the_same() {
        let events = replay(
            r#" {"type":"message","content":[{"type":"thinking","thinking":""},
            {"type":"text","text":"a"},{"type":"mystery"},{"type":"text","text":"b"},
            {"type":"tool_use","id":"t","name":"n","input":{"q":1}}],
            "stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"#,
        )
        .unwrap();
        assert_eq!(text(&events), "ab");
        assert!(matches!(&events[2], Event::ToolUse(tool) if tool.input == json!({"q": 1})));
        assert_eq!(events.last(), Some(&Event::Done(Stop::End)));
    }

    #[test]
    fn why_it_stopped_is_told() {
        for (reason, stop) in [
            ("\"end_turn\"", Stop::End),
            ("\"max_tokens\"", Stop::Length),
            ("\"model_context_window_exceeded\"", Stop::Length),
            ("\"refusal\"", Stop::Refused),
            ("\"invented_later\"", Stop::End),
            ("null", Stop::End),
        ] {
            assert_eq!(ending(reason), Event::Done(stop), "{reason}");
        }
    }

    #[test]
    fn a_stream_without_its_terminator_is_cut_wherever_it_ends() {
        let end = STREAM.find(r#"data: {"type":"message_stop"}"#).unwrap();
        for at in (0..end).filter(|at| STREAM.is_char_boundary(*at)) {
            let events = replay(&STREAM[..at]).unwrap();
            assert_eq!(events.last(), Some(&Event::Done(Stop::Cut)), "{at}");
        }
    }

    #[test]
    fn a_tool_whose_input_is_no_json_does_not_pass_for_whole() {
        let body = STREAM.replace("[1]}", "[1");
        let events = replay(&body).unwrap();
        assert!(!events.iter().any(|e| matches!(e, Event::ToolUse(_))));
        assert_eq!(events.last(), Some(&Event::Done(Stop::Cut)));
    }

    #[test]
    fn an_error_within_the_stream_is_an_error() {
        let said = |body: &str| match replay(body) {
            Err(Fault::Said { kind, message }) => (kind, message),
            other => panic!("{other:?}"),
        };
        let error =
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        let expected = ("overloaded_error".to_owned(), "Overloaded".to_owned());
        assert_eq!(said(&format!("event: error\ndata: {error}\n\n")), expected);
        assert_eq!(said(error), expected);
        assert_eq!(said(r#"{"error":"no"}"#).1, "no");
        assert_eq!(
            replay("data: {\"type\":\"message_start\"}\n\n"),
            Err(Fault::Malformed(Malformation::NotItsJson))
        );
    }

    proptest! {
        #[test]
        fn where_the_stream_is_split_makes_no_difference(cuts: Vec<usize>) {
            let split = read(Framing::ServerSentEvents, Reply::default(), STREAM.as_bytes(), &cuts);
            prop_assert_eq!(split, replay(STREAM));
        }

        #[test]
        fn no_stream_makes_it_panic(garbage: Vec<u8>, at: usize) {
            let mut body = STREAM.as_bytes().to_vec();
            let at = at % body.len();
            let until = (at + garbage.len()).min(body.len());
            body.splice(at..until, garbage);
            // An error or events, as it comes; the point is to return.
            drop(read(Framing::ServerSentEvents, Reply::default(), &body, &[]));
        }
    }
}
