//! Writes a request as the Messages API takes it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::Role;

use super::super::request::{Part, Request, Tool};
use super::super::turns;
use super::{WITHOUT_FORMAT, WITHOUT_THINKING, WITHOUT_TOOLS};

/// More breakpoints than these are refused.
const BREAKPOINTS_MAX: usize = 4;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<BlockOut<'a>>,
    messages: Vec<TurnOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
}

impl<'a> Body<'a> {
    pub(super) fn of(request: &'a Request, quirks: u8) -> Self {
        let with_tools = quirks & WITHOUT_TOOLS == 0;
        let tools = turns::tools(request, with_tools);
        let thinking = !tools.is_empty() && quirks & WITHOUT_THINKING == 0;
        let schema = request.schema.as_ref();
        Body {
            model: &request.model,
            max_tokens: request.max_tokens,
            stream: true,
            system: system(request, with_tools),
            messages: messages(request),
            temperature: request.temperature,
            tools: tools.iter().map(ToolOut::of).collect(),
            // With tools on, newer models say what they would have said between two calls in
            // thinking blocks that are empty unless a summary is asked for.
            thinking: thinking.then(|| json!({"type": "adaptive", "display": "summarized"})),
            // Newer models refuse a forced tool: this is the one way to a given shape.
            output_config: schema
                .filter(|_| quirks & WITHOUT_FORMAT == 0)
                .map(|schema| json!({"format": {"type": "json_schema", "schema": schema.schema}})),
        }
    }
}

#[derive(Serialize)]
struct TurnOut<'a> {
    role: &'static str,
    content: Vec<BlockOut<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockOut<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Image {
        source: ImageSource<'a>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: &'a Value,
    },
    ToolResult {
        tool_use_id: &'a str,
        content: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    #[serde(untagged)]
    Opaque(Value),
}

#[derive(Serialize)]
struct CacheControl {
    r#type: &'static str,
}

#[derive(Serialize)]
struct ImageSource<'a> {
    r#type: &'static str,
    media_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
struct ToolOut<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
}

impl<'a> ToolOut<'a> {
    fn of(tool: &'a Tool) -> Self {
        ToolOut {
            name: &tool.name,
            description: &tool.description,
            input_schema: &tool.input_schema,
        }
    }
}

fn text(text: &str) -> BlockOut<'_> {
    BlockOut::Text {
        text,
        cache_control: None,
    }
}

fn system(request: &Request, with_tools: bool) -> Vec<BlockOut<'_>> {
    let parts = request.system.iter();
    let parts = parts.filter(|part| !part.text.trim().is_empty());
    let wanted = parts.clone().filter(|part| part.cached).count();
    // The last breakpoints cover the most.
    let mut spare = wanted.saturating_sub(BREAKPOINTS_MAX);
    let instead = Some(&request.instead_of_tools).filter(|text| !with_tools && !text.is_empty());
    parts
        .map(|part| {
            let cached = part.cached && spare == 0;
            spare -= usize::from(part.cached && spare > 0);
            BlockOut::Text {
                text: &part.text,
                cache_control: cached.then_some(CacheControl {
                    r#type: "ephemeral",
                }),
            }
        })
        .chain(instead.map(|instead| text(instead)))
        .collect()
}

fn messages(request: &Request) -> Vec<TurnOut<'_>> {
    // Older models refuse `system` between messages; all read what the person's side says.
    let role_of = |role| match role {
        Role::Assistant => Role::Assistant,
        Role::User | Role::System | Role::Unknown => Role::User,
    };
    let mut out = Vec::new();
    for turn in turns::merged(request, role_of) {
        let role = match turn.role {
            Role::Assistant => "assistant",
            _ => "user",
        };
        if out.is_empty() && role == "assistant" {
            out.push(TurnOut {
                role: "user",
                content: vec![text("(An earlier part of the conversation is left out.)")],
            });
        }
        let mut parts = turn.parts;
        // Results of tools have to stand before anything else of their turn.
        parts.sort_by_key(|part| !matches!(part, Part::ToolResult { .. }));
        out.push(TurnOut {
            role,
            content: parts.into_iter().map(block).collect(),
        });
    }
    out
}

fn block(part: &Part) -> BlockOut<'_> {
    match part {
        Part::Text(said) => text(said),
        Part::Image { media, base64 } => BlockOut::Image {
            source: ImageSource {
                r#type: "base64",
                media_type: media,
                data: base64,
            },
        },
        Part::ToolUse(tool) => BlockOut::ToolUse {
            id: &tool.id,
            name: &tool.name,
            input: &tool.input,
        },
        Part::ToolResult {
            id,
            content,
            is_error,
        } => BlockOut::ToolResult {
            tool_use_id: id,
            content,
            is_error: *is_error,
        },
        Part::Opaque(json) => BlockOut::Opaque(serde_json::from_str(json).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::request::{JsonSchema, SystemPart, ToolUse, Turn};
    use super::*;

    fn body(request: &Request, quirks: u8) -> Value {
        serde_json::to_value(Body::of(request, quirks)).unwrap()
    }

    #[test]
    fn nothing_is_sent_that_was_not_asked_for() {
        let request = Request::new("m", 7).say(Role::User, "hi");
        assert_eq!(
            body(&request, 0),
            json!({"model": "m", "max_tokens": 7, "stream": true,
                "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
        );
    }

    #[test]
    fn the_standing_prefix_is_marked_for_the_cache() {
        let mut request = Request::new("m", 7);
        for (n, cached) in [true, false, true, true, true, true]
            .into_iter()
            .enumerate()
        {
            let text = format!("part {n}").into();
            request.system.push(SystemPart { text, cached });
        }
        request.system.push(SystemPart {
            text: " ".into(),
            cached: true,
        });
        let marked: Vec<bool> = body(&request, 0)["system"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["cache_control"] == json!({"type": "ephemeral"}))
            .collect();
        assert_eq!(marked, [false, false, true, true, true, true]);
    }

    #[test]
    fn turns_begin_with_the_person_and_alternate() {
        let mut request = Request::new("m", 7)
            .say(Role::Assistant, "a")
            .say(Role::User, " ")
            .say(Role::User, "b")
            .say(Role::System, "note");
        let tool = ToolUse {
            id: "t".into(),
            name: "n".into(),
            input: json!({}),
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
                    is_error: true,
                },
            ],
        });
        let body = body(&request, 0);
        let turns = body["messages"].as_array().unwrap();
        let roles: Vec<_> = turns
            .iter()
            .map(|turn| turn["role"].as_str().unwrap())
            .collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
        assert_eq!(turns[2]["content"][1]["text"], "note");
        assert_eq!(
            turns[4]["content"],
            json!([
                {"type": "tool_result", "tool_use_id": "t", "content": "r", "is_error": true},
                {"type": "text", "text": "and"},
                {"type": "image", "source":
                    {"type": "base64", "media_type": "image/png", "data": "AA=="}},
            ])
        );
    }

    #[test]
    fn thinking_goes_back_as_it_came_with_the_call_that_it_led_to() {
        let thought = json!({"type": "thinking", "thinking": "", "signature": "x"});
        let mut request = Request::new("m", 7).say(Role::User, "hi");
        request.messages.push(Turn {
            role: Role::Assistant,
            parts: vec![
                Part::Opaque(thought.to_string().into()),
                Part::ToolUse(ToolUse {
                    id: "t".into(),
                    name: "n".into(),
                    input: json!({}),
                }),
            ],
        });
        let sent = body(&request, 0);
        assert_eq!(sent["messages"][1]["content"][0], thought);
        assert_eq!(sent["messages"][1]["content"][1]["type"], "tool_use");
    }

    #[test]
    fn a_shape_is_asked_for_by_format_and_never_by_a_forced_tool() {
        let mut request = Request::new("m", 7);
        request.temperature = Some(0.5);
        request.schema = Some(JsonSchema {
            name: "s".into(),
            schema: json!({"type": "object"}),
        });
        request.tools.push(Tool {
            name: "n".into(),
            description: "d".into(),
            input_schema: json!({"type": "object"}),
        });
        let sent = body(&request, 0);
        assert_eq!(sent["output_config"]["format"]["type"], "json_schema");
        assert_eq!(sent["temperature"], 0.5);
        assert_eq!(sent["thinking"]["display"], "summarized");
        assert!(sent.get("tool_choice").is_none());
        let sent = body(&request, WITHOUT_FORMAT | WITHOUT_THINKING);
        assert!(sent.get("output_config").is_none() && sent.get("thinking").is_none());
    }
}
