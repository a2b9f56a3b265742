//! Ollama's own chat API, which unlike the others it speaks lets the context size be set.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU8;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::model::{Role, Stop, Text, Usage};

use super::endpoint::Endpoint;
use super::error::{Malformation, ProviderError, clean_name};
use super::exchange::{Fault, Reader, Wire, exchange, preview};
use super::frames::{Frame, Framing};
use super::http::Http;
use super::openai::tool;
use super::request::{Part, Request, ToolUse};
use super::select::DEFAULT_MODEL;
use super::turns;
use super::{Event, ModelInfo, Notice, Preview, Provider};

/// Below this a chat with a memory is cut too early.
const CONTEXT_TOKENS_MIN: u32 = 8192;
/// What a home machine can hold without being told that it can hold more.
const CONTEXT_TOKENS_MAX: u32 = 32_768;

/// Quirk: the server, or the model, takes no `format`.
const WITHOUT_FORMAT: u8 = 1;
/// Quirk: the model takes no `tools`.
const WITHOUT_TOOLS: u8 = 2;

/// An Ollama server.
pub(super) struct Ollama {
    name: String,
    http: Http,
    context_tokens_max: u32,
    quirks: AtomicU8,
    /// What `default` stands for, once the server was asked.
    model: OnceLock<String>,
}

impl Ollama {
    /// `context_tokens_max`: the largest context to ask for.
    pub(super) fn new(name: &str, http: Http, context_tokens_max: Option<u32>) -> Self {
        Ollama {
            name: name.to_owned(),
            http,
            context_tokens_max: context_tokens_max.unwrap_or(CONTEXT_TOKENS_MAX),
            quirks: AtomicU8::new(0),
            model: OnceLock::new(),
        }
    }

    fn at(&self, path: &str) -> Url {
        at(&self.http.endpoint, path)
    }
}

/// A base URL meant for one of the other formats it speaks is taken as well.
pub(super) fn at(endpoint: &Endpoint, path: &str) -> Url {
    let base = endpoint.path();
    let base = base.strip_suffix("/v1").unwrap_or(base);
    let base = base.strip_suffix("/api").unwrap_or(base);
    endpoint.at(&format!("{base}/api{path}"))
}

impl Provider for Ollama {
    fn name(&self) -> &str {
        &self.name
    }

    fn host(&self) -> Option<&str> {
        Some(self.http.host())
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Event, ProviderError>> {
        exchange(&self.http, self, request)
    }

    fn preview(&self, request: &Request) -> Option<Preview> {
        Some(preview(&self.http, self, request))
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async {
            let list = self.http.json(self.at("/tags"), HeaderMap::new()).await?;
            let models = list.get("models").and_then(Value::as_array);
            let models = models.ok_or_else(|| self.http.malformed(Malformation::NotItsJson))?;
            Ok(models
                .iter()
                .filter_map(|model| {
                    let id = model.get("model").or_else(|| model.get("name"))?;
                    Some(ModelInfo {
                        id: clean_name(id.as_str()?),
                        name: None,
                        context_tokens: None,
                    })
                })
                .collect())
        })
    }
}

impl Wire for Ollama {
    fn prepare<'a>(
        &'a self,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<Notice>, ProviderError>> {
        Box::pin(async {
            if request.model != DEFAULT_MODEL {
                return Ok(None);
            }
            if let Some(model) = self.model.get() {
                return Ok(Some(Notice::Model(model.clone())));
            }
            let first = self.models().await?.into_iter().next();
            let first = first.ok_or_else(|| ProviderError::NoModels {
                host: self.http.host().to_owned(),
            })?;
            let model = self.model.get_or_init(|| first.id);
            Ok(Some(Notice::Model(model.clone())))
        })
    }

    fn url(&self) -> Url {
        self.at("/chat")
    }

    fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    fn quirks(&self) -> &AtomicU8 {
        &self.quirks
    }

    fn body(&self, request: &Request, quirks: u8) -> Zeroizing<Vec<u8>> {
        let with_tools = quirks & WITHOUT_TOOLS == 0;
        turns::json(&Body {
            model: match self.model.get() {
                Some(model) if request.model == DEFAULT_MODEL => model,
                _ => &request.model,
            },
            messages: messages(request, with_tools),
            stream: true,
            // Without this, a prompt that does not fit loses its front (the standing
            // instructions and the memory) and nobody is told.
            truncate: false,
            format: request
                .schema
                .as_ref()
                .filter(|_| quirks & WITHOUT_FORMAT == 0)
                .map(|schema| &schema.schema),
            tools: turns::tools(request, with_tools).iter().map(tool).collect(),
            options: Options {
                num_ctx: context_tokens(request, self.context_tokens_max),
                num_predict: request.max_tokens,
                temperature: request.temperature,
            },
        })
    }

    fn complaint(&self, message: &str) -> u8 {
        if message.contains("tool") {
            WITHOUT_TOOLS
        } else if message.contains("format") {
            WITHOUT_FORMAT
        } else {
            0
        }
    }

    fn framing(&self) -> Framing {
        Framing::JsonValues
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Reply::default())
    }
}

/// The context to ask for: room for the prompt, by a careful guess, and for the reply, in steps
/// of doubling, since the server loads the model anew whenever it changes.
fn context_tokens(request: &Request, max: u32) -> u32 {
    let system = request.system.iter().map(|part| part.text.len());
    let said = request.messages.iter().flat_map(|turn| &turn.parts);
    let said = said.map(|part| match part {
        Part::Text(text) => text.len(),
        Part::ToolUse(tool) => tool.input.to_string().len(),
        Part::ToolResult { content, .. } => content.len(),
        Part::Opaque(_) => 0,
        // Vision models turn a picture into some hundreds of tokens, whatever its size.
        Part::Image { .. } => 3000,
    });
    let tools = request
        .tools
        .iter()
        .map(|tool| tool.input_schema.to_string().len());
    let bytes: usize = system.chain(said).chain(tools).sum();
    // English has four bytes to a token, other languages fewer.
    let prompt = u32::try_from(bytes / 3).unwrap_or(u32::MAX);
    prompt
        .saturating_add(request.max_tokens)
        .saturating_add(512)
        .checked_next_power_of_two()
        .unwrap_or(u32::MAX)
        .max(CONTEXT_TOKENS_MIN)
        .min(max)
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<MessageOut<'a>>,
    stream: bool,
    truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    options: Options,
}

#[derive(Serialize)]
struct Options {
    num_ctx: u32,
    num_predict: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
}

#[derive(Default, Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: Text,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

fn messages(request: &Request, with_tools: bool) -> Vec<MessageOut<'_>> {
    let mut out = Vec::new();
    let system = turns::system_text(request, with_tools);
    if !system.is_empty() {
        out.push(MessageOut {
            role: "system",
            content: system,
            ..MessageOut::default()
        });
    }
    let role_of = |role| match role {
        Role::Unknown => Role::User,
        known => known,
    };
    // Results are matched to their tools by name.
    let mut tools: Vec<&ToolUse> = Vec::new();
    for turn in turns::merged(request, role_of) {
        let mut said = MessageOut {
            role: match turn.role {
                Role::Assistant => "assistant",
                Role::System => "system",
                Role::User | Role::Unknown => "user",
            },
            content: turn.text(),
            ..MessageOut::default()
        };
        for part in turn.parts {
            match part {
                Part::Text(_) | Part::Opaque(_) => {}
                Part::Image { base64, .. } => said.images.push(base64),
                Part::ToolUse(tool) => {
                    tools.push(tool);
                    said.tool_calls.push(json!({"id": tool.id,
                        "function": {"name": tool.name, "arguments": tool.input}}));
                }
                Part::ToolResult { id, content, .. } => {
                    let tool = tools.iter().rev().find(|tool| tool.id == *id);
                    out.push(MessageOut {
                        role: "tool",
                        content: content.clone(),
                        tool_name: tool.map(|tool| tool.name.as_str()),
                        tool_call_id: Some(id),
                        ..MessageOut::default()
                    });
                }
            }
        }
        if !said.content.is_empty() || !said.images.is_empty() || !said.tool_calls.is_empty() {
            out.push(said);
        }
    }
    out
}

#[derive(Deserialize)]
struct ChunkIn {
    message: Option<MessageIn>,
    done: Option<bool>,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct MessageIn {
    content: Option<Text>,
    thinking: Option<Text>,
    tool_calls: Option<Vec<CallIn>>,
}

#[derive(Deserialize)]
struct CallIn {
    id: Option<String>,
    function: FunctionIn,
}

#[derive(Deserialize)]
struct FunctionIn {
    name: String,
    arguments: Option<Value>,
}

#[derive(Default)]
struct Reply {
    calls: u64,
    usage: Option<Usage>,
    done_reason: Option<String>,
    over: bool,
}

impl Reader for Reply {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Fault> {
        let (Frame::Event(data) | Frame::Json(data)) = frame;
        let text = String::from_utf8_lossy(data);
        let chunk: ChunkIn = serde_json::from_str(&text).map_err(|_| Malformation::NotItsJson)?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(Fault::of(&error));
        }
        if let Some(message) = chunk.message {
            self.message(message, out);
        }
        if chunk.done == Some(true) {
            self.over = true;
            self.done_reason = chunk.done_reason;
            let counted = chunk.prompt_eval_count.or(chunk.eval_count).is_some();
            self.usage = counted.then(|| Usage {
                input: chunk.prompt_eval_count.unwrap_or(0),
                output: chunk.eval_count.unwrap_or(0),
                ..Usage::default()
            });
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.over
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        out.extend(self.usage.map(Event::Usage));
        out.push(Event::Done(match self.done_reason.as_deref() {
            _ if !self.over => Stop::Cut,
            Some("length") => Stop::Length,
            _ => Stop::End,
        }));
    }
}

impl Reply {
    fn message(&mut self, message: MessageIn, out: &mut Vec<Event>) {
        if let Some(thinking) = message.thinking.filter(|text| !text.is_empty()) {
            out.push(Event::Thinking(thinking));
        }
        if let Some(text) = message.content.filter(|text| !text.is_empty()) {
            out.push(Event::Text(text));
        }
        for call in message.tool_calls.unwrap_or_default() {
            // Older servers give no ids.
            let id = call.id.filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| format!("call_{}", self.calls));
            self.calls += 1;
            out.push(Event::ToolUse(ToolUse {
                id,
                name: call.function.name,
                input: call.function.arguments.unwrap_or_else(|| json!({})),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::replay::read;
    use super::super::request::{JsonSchema, Turn};
    use super::*;

    const STREAM: &str = include_str!("../../tests/provider/recorded/ollama.lines");

    fn replay(body: &str) -> Result<Vec<Event>, Fault> {
        read(Framing::JsonValues, Reply::default(), body.as_bytes(), &[])
    }

    #[test]
    fn a_stream_gives_its_text_tools_usage_and_end() {
        let usage = Usage {
            input: 9,
            output: 3,
            ..Usage::default()
        };
        assert_eq!(
            replay(STREAM).unwrap(),
            [
                Event::Thinking("hm".into()),
                Event::Text("Grüße, 🦀".into()),
                Event::ToolUse(ToolUse {
                    id: "call_0".into(),
                    name: "look".into(),
                    input: json!({"a": 1}),
                }),
                Event::Usage(usage),
                Event::Done(Stop::End),
            ]
        );
    }

    #[test]
    fn a_stream_without_its_last_line_is_cut() {
        let last = STREAM.trim_end().len();
        for at in (0..last).filter(|at| STREAM.is_char_boundary(*at)) {
            let events = replay(&STREAM[..at]).unwrap();
            assert_eq!(events.last(), Some(&Event::Done(Stop::Cut)), "{at}");
        }
        let length = STREAM.replace("\"stop\"", "\"length\"");
        assert_eq!(
            replay(&length).unwrap().pop(),
            Some(Event::Done(Stop::Length))
        );
    }

    #[test]
    fn an_answer_that_comes_whole_and_indented_is_read_all_the_same() {
        let body = "{\n  \"message\": {\n  \"content\": \"hi\"\n },\n \"done\": true\n}";
        assert_eq!(
            replay(body).unwrap(),
            [Event::Text("hi".into()), Event::Done(Stop::End)]
        );
    }

    #[test]
    fn an_error_in_mid_stream_is_an_error() {
        let body = format!(
            "{}\n{{\"error\":\"out of memory\"}}",
            STREAM.lines().next().unwrap()
        );
        assert!(matches!(
            replay(&body),
            Err(Fault::Said { message, .. }) if message == "out of memory"
        ));
    }

    #[test]
    fn the_context_asked_for_grows_by_doubling_up_to_the_limit() {
        let ask = |bytes: usize| {
            let request = Request::new("m", 1000).say(Role::User, "x".repeat(bytes));
            context_tokens(&request, CONTEXT_TOKENS_MAX)
        };
        assert_eq!(ask(10), 8192);
        assert_eq!(ask(3 * 6600), 8192);
        assert_eq!(ask(3 * 6700), 16_384);
        assert_eq!(ask(3 * 20_000), 32_768);
        assert_eq!(ask(10_000_000), 32_768);
        let request = Request::new("m", u32::MAX);
        assert_eq!(context_tokens(&request, 4096), 4096);
        assert_eq!(context_tokens(&request, u32::MAX), u32::MAX);
    }

    #[test]
    fn results_name_their_tool_and_nothing_is_cut_in_silence() {
        let mut request = Request::new("m", 7).say(Role::User, "look");
        request.schema = Some(JsonSchema {
            name: "s".into(),
            schema: json!({"type": "object"}),
        });
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
        let body = serde_json::to_value(messages(&request, true)).unwrap();
        assert_eq!(
            body,
            json!([
                {"role": "user", "content": "look"},
                {"role": "assistant", "content": "", "tool_calls":
                    [{"id": "t", "function": {"name": "n", "arguments": {"a": 1}}}]},
                {"role": "tool", "content": "r", "tool_name": "n", "tool_call_id": "t"},
                {"role": "user", "content": "", "images": ["AA=="]},
            ])
        );
    }

    proptest! {
        #[test]
        fn where_the_stream_is_split_makes_no_difference(cuts: Vec<usize>) {
            let split = read(Framing::JsonValues, Reply::default(), STREAM.as_bytes(), &cuts);
            prop_assert_eq!(split, replay(STREAM));
        }
    }
}
