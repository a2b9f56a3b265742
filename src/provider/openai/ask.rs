//! Writes a request as chat completions take it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::{Role, Text};

use super::super::request::{Part, Request, Tool};
use super::super::turns::{self, Merged};
use super::{NEW_LIMIT, WITH_STORE, WITHOUT_FORMAT, WITHOUT_TOOLS, WITHOUT_USAGE};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<MessageOut<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
}

impl<'a> Body<'a> {
    pub(super) fn of(request: &'a Request, model: &'a str, quirks: u8) -> Self {
        let has = |quirk: u8| quirks & quirk != 0;
        let schema = request.schema.as_ref();
        let with_tools = !has(WITHOUT_TOOLS);
        Body {
            model,
            messages: messages(request, with_tools),
            stream: true,
            stream_options: (!has(WITHOUT_USAGE)).then(|| json!({"include_usage": true})),
            max_tokens: (!has(NEW_LIMIT)).then_some(request.max_tokens),
            max_completion_tokens: has(NEW_LIMIT).then_some(request.max_tokens),
            temperature: request.temperature,
            response_format: schema.filter(|_| !has(WITHOUT_FORMAT)).map(|schema| {
                json!({"type": "json_schema", "json_schema":
                    {"name": schema.name, "schema": schema.schema}})
            }),
            tools: turns::tools(request, with_tools).iter().map(tool).collect(),
            store: has(WITH_STORE).then_some(false),
        }
    }
}

/// A tool as this format has it; Ollama's is the same.
pub(in super::super) fn tool(tool: &Tool) -> Value {
    json!({"type": "function", "function": {"name": tool.name,
        "description": tool.description, "parameters": tool.input_schema}})
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: ContentOut<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ContentOut<'a> {
    None,
    Borrowed(&'a Text),
    Text(Text),
    Parts(Vec<PartOut<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum PartOut<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageOut },
}

#[derive(Serialize)]
struct ImageOut {
    url: Text,
}

fn message<'a>(role: &'static str, content: ContentOut<'a>) -> MessageOut<'a> {
    MessageOut {
        role,
        content,
        tool_calls: Vec::new(),
        tool_call_id: None,
    }
}

fn messages(request: &Request, with_tools: bool) -> Vec<MessageOut<'_>> {
    let mut out = Vec::new();
    let system = turns::system_text(request, with_tools);
    if !system.is_empty() {
        out.push(message("system", ContentOut::Text(system)));
    }
    let role_of = |role| match role {
        Role::Unknown => Role::User,
        known => known,
    };
    for turn in turns::merged(request, role_of) {
        for part in &turn.parts {
            if let Part::ToolResult { id, content, .. } = part {
                let mut result = message("tool", ContentOut::Borrowed(content));
                result.tool_call_id = Some(id);
                out.push(result);
            }
        }
        let role = match turn.role {
            Role::Assistant => "assistant",
            Role::System => "system",
            Role::User | Role::Unknown => "user",
        };
        let mut said = message(role, content(&turn));
        said.tool_calls = turn.parts.iter().filter_map(|part| call(part)).collect();
        if !matches!(said.content, ContentOut::None) || !said.tool_calls.is_empty() {
            out.push(said);
        }
    }
    out
}

fn content<'a>(turn: &Merged<'a>) -> ContentOut<'a> {
    let is_image = |part: &&Part| matches!(part, Part::Image { .. });
    if !turn.parts.iter().any(is_image) {
        let text = turn.text();
        return match text.is_empty() {
            true => ContentOut::None,
            false => ContentOut::Text(text),
        };
    }
    let parts = turn.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(PartOut::Text { text }),
        Part::Image { media, base64 } => {
            let mut url = Text::new(format!("data:{media};base64,"));
            url.push_str(base64);
            Some(PartOut::ImageUrl {
                image_url: ImageOut { url },
            })
        }
        _ => None,
    });
    ContentOut::Parts(parts.collect())
}

fn call(part: &Part) -> Option<Value> {
    let Part::ToolUse(tool) = part else {
        return None;
    };
    Some(json!({"id": tool.id, "type": "function",
        "function": {"name": tool.name, "arguments": tool.input.to_string()}}))
}

#[cfg(test)]
mod tests {
    use super::super::super::request::{JsonSchema, SystemPart, ToolUse, Turn};
    use super::*;

    fn body(request: &Request, quirks: u8) -> Value {
        serde_json::to_value(Body::of(request, &request.model, quirks)).unwrap()
    }

    #[test]
    fn nothing_is_sent_that_was_not_asked_for() {
        let request = Request::new("m", 7).say(Role::User, "hi");
        assert_eq!(
            body(&request, 0),
            json!({"model": "m", "max_tokens": 7, "stream": true,
                "stream_options": {"include_usage": true},
                "messages": [{"role": "user", "content": "hi"}]})
        );
        assert_eq!(
            body(&request, WITHOUT_USAGE | NEW_LIMIT | WITH_STORE),
            json!({"model": "m", "max_completion_tokens": 7, "stream": true, "store": false,
                "messages": [{"role": "user", "content": "hi"}]})
        );
    }

    #[test]
    fn the_system_text_comes_first_and_results_before_the_words_after_them() {
        let mut request = Request::new("m", 7).say(Role::User, "look");
        for text in ["one", "", "two"] {
            let text = text.into();
            request.system.push(SystemPart { text, cached: true });
        }
        let tool = ToolUse {
            id: "t".into(),
            name: "n".into(),
            input: json!({"a": 1}),
        };
        request.messages.push(Turn {
            role: Role::Assistant,
            parts: vec![Part::ToolUse(tool)],
        });
        request.messages.push(Turn {
            role: Role::User,
            parts: vec![
                Part::Text("and".into()),
                Part::Image {
                    media: "image/png".into(),
                    base64: "AA==".into(),
                },
                Part::ToolResult {
                    id: "t".into(),
                    content: "r".into(),
                    is_error: false,
                },
            ],
        });
        assert_eq!(
            body(&request, 0)["messages"],
            json!([
                {"role": "system", "content": "one\n\ntwo"},
                {"role": "user", "content": "look"},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "t",
                    "type": "function", "function": {"name": "n", "arguments": "{\"a\":1}"}}]},
                {"role": "tool", "content": "r", "tool_call_id": "t"},
                {"role": "user", "content": [{"type": "text", "text": "and"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
            ])
        );
    }

    #[test]
    fn a_shape_is_asked_for_until_the_server_refuses_it() {
        let mut request = Request::new("m", 7);
        request.schema = Some(JsonSchema {
            name: "s".into(),
            schema: json!({"type": "object"}),
        });
        let sent = body(&request, 0);
        assert_eq!(sent["response_format"]["json_schema"]["name"], "s");
        assert!(
            body(&request, WITHOUT_FORMAT)
                .get("response_format")
                .is_none()
        );
    }
}
