//! Anthropic's Messages API, and servers that speak it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::model::{Role, Stop, Text, Usage};

use super::error::{Malformation, ProviderError, clean_name};
use super::exchange::{Fault, Reader, Wire, exchange};
use super::frames::{Frame, Framing};
use super::http::Http;
use super::request::{Part, Request, Tool, ToolUse};
use super::turns;
use super::{Event, ModelInfo, Provider};

/// The one version there is (`anthropic-version`).
const VERSION: &str = "2023-06-01";
/// What bearer tokens of an account, rather than a gateway, have to be announced with.
const OAUTH_BETA: &str = "oauth-2025-04-20";
/// More breakpoints than these are refused.
const BREAKPOINTS_MAX: usize = 4;
/// A reply holds a handful; a stream that opens more is nonsense.
const BLOCKS_MAX: usize = 1024;

/// A server that speaks the Messages API.
pub(super) struct Anthropic {
    name: String,
    http: Http,
    oauth: bool,
    /// What this server turned out not to know.
    without_thinking: AtomicBool,
    without_format: AtomicBool,
}

impl Anthropic {
    /// `oauth`: the bearer token is that of an account.
    pub(super) fn new(name: &str, http: Http, oauth: bool) -> Self {
        Anthropic {
            name: name.to_owned(),
            http,
            oauth,
            without_thinking: AtomicBool::new(false),
            without_format: AtomicBool::new(false),
        }
    }

    /// The base URL may or may not end in `/v1`.
    fn at(&self, path: &str) -> Url {
        let base = self.http.endpoint.path();
        let base = base.strip_suffix("/v1").unwrap_or(base);
        self.http.endpoint.at(&format!("{base}/v1{path}"))
    }
}

impl Provider for Anthropic {
    fn name(&self) -> &str {
        &self.name
    }

    fn host(&self) -> Option<&str> {
        Some(self.http.host())
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Event, ProviderError>> {
        exchange(&self.http, self, request)
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async {
            let mut url = self.at("/models");
            url.set_query(Some("limit=1000"));
            let list = self.http.json(url, self.headers()).await?;
            let data = list.get("data").and_then(Value::as_array);
            let data = data.ok_or_else(|| self.http.malformed(Malformation::NotItsJson))?;
            Ok(data
                .iter()
                .filter_map(|model| {
                    Some(ModelInfo {
                        id: clean_name(model.get("id")?.as_str()?),
                        name: model
                            .get("display_name")
                            .and_then(Value::as_str)
                            .map(clean_name),
                        context_tokens: model.get("max_input_tokens").and_then(Value::as_u64),
                    })
                })
                .collect())
        })
    }
}

impl Wire for Anthropic {
    fn url(&self) -> Url {
        self.at("/messages")
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
        if self.oauth {
            headers.insert("anthropic-beta", HeaderValue::from_static(OAUTH_BETA));
        }
        headers
    }

    fn body(&self, request: &Request) -> Zeroizing<Vec<u8>> {
        let thinking = !request.tools.is_empty() && !self.without_thinking.load(Ordering::Relaxed);
        let format = !self.without_format.load(Ordering::Relaxed);
        turns::json(&Body {
            model: &request.model,
            max_tokens: request.max_tokens,
            stream: true,
            system: system(request),
            messages: messages(request),
            temperature: request.temperature,
            tools: request.tools.iter().map(ToolOut::of).collect(),
            // With tools on, newer models say what they would have said between two calls in
            // thinking blocks that are empty unless a summary is asked for.
            thinking: thinking.then(|| json!({"type": "adaptive", "display": "summarized"})),
            // Newer models refuse a forced tool: this is the one way to a given shape.
            output_config: request
                .schema
                .as_ref()
                .filter(|_| format)
                .map(|schema| json!({"format": {"type": "json_schema", "schema": schema.schema}})),
        })
    }

    fn adapts(&self, status: u16, message: &str) -> bool {
        let learn = |word: &str, flag: &AtomicBool| {
            message.contains(word) && !flag.swap(true, Ordering::Relaxed)
        };
        matches!(status, 400 | 422)
            && (learn("output_config", &self.without_format)
                || learn("thinking", &self.without_thinking))
    }

    fn framing(&self) -> Framing {
        Framing::ServerSentEvents
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Reply::default())
    }
}

#[derive(Serialize)]
struct Body<'a> {
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

fn system(request: &Request) -> Vec<BlockOut<'_>> {
    let parts = request.system.iter();
    let parts = parts.filter(|part| !part.text.trim().is_empty());
    let wanted = parts.clone().filter(|part| part.cached).count();
    // The last breakpoints cover the most.
    let mut spare = wanted.saturating_sub(BREAKPOINTS_MAX);
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
    }
}

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
    InputJsonDelta {
        partial_json: Text,
    },
    #[serde(other)]
    Unknown,
}

/// A tool whose input is still arriving.
struct Tooling {
    id: String,
    name: String,
    input: Option<Value>,
    json: Text,
}

#[derive(Default)]
struct Reply {
    tools: BTreeMap<u64, Tooling>,
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
                DeltaIn::ThinkingDelta { thinking } => say(Event::Thinking, thinking, out),
                DeltaIn::InputJsonDelta { partial_json } => {
                    if let Some(tool) = self.tools.get_mut(&index) {
                        tool.json.push_str(&partial_json);
                    }
                }
                DeltaIn::Unknown => {}
            },
            EventIn::ContentBlockStop { index } => {
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
            BlockIn::Thinking { thinking } => {
                say(Event::Thinking, thinking.unwrap_or_default(), out);
            }
            BlockIn::ToolUse { id, name, input } => {
                if self.tools.len() >= BLOCKS_MAX {
                    return Err(Malformation::NotItsJson.into());
                }
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
