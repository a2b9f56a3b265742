//! OpenAI's chat completions, and the many servers that speak them.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::model::{Role, Stop, Text, Usage};

use super::error::{Malformation, ProviderError, clean_name};
use super::exchange::{Fault, Reader, Wire, exchange};
use super::frames::{Frame, Framing};
use super::http::Http;
use super::request::{Part, Request, ToolUse};
use super::select::DEFAULT_MODEL;
use super::turns::{self, Merged};
use super::{Event, ModelInfo, Notice, Provider};

/// Whose own API it is.
pub(super) const OPENAI_HOST: &str = "api.openai.com";
/// A reply asks for a handful of tools.
const TOOLS_MAX: u64 = 256;

/// A server that speaks chat completions.
pub(super) struct OpenAi {
    name: String,
    http: Http,
    /// What this server turned out not to know.
    without_usage: AtomicBool,
    without_format: AtomicBool,
    /// Whether the limit is called `max_completion_tokens`; everyone else reads `max_tokens`.
    new_limit: AtomicBool,
    /// What `default` stands for, once the server was asked.
    model: OnceLock<String>,
}

impl OpenAi {
    pub(super) fn new(name: &str, http: Http) -> Self {
        let own = http.host() == OPENAI_HOST;
        OpenAi {
            name: name.to_owned(),
            http,
            without_usage: AtomicBool::new(false),
            without_format: AtomicBool::new(false),
            new_limit: AtomicBool::new(own),
            model: OnceLock::new(),
        }
    }

    /// A base URL without a path means `/v1`; one with a path is taken as it is, and may be that
    /// of the endpoint itself.
    fn at(&self, path: &str) -> Url {
        let base = self.http.endpoint.path();
        let base = base.strip_suffix("/chat/completions").unwrap_or(base);
        let base = if base.is_empty() { "/v1" } else { base };
        self.http.endpoint.at(&format!("{base}{path}"))
    }
}

impl Provider for OpenAi {
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
            let list = self.http.json(self.at("/models"), HeaderMap::new()).await?;
            let data = list.get("data").unwrap_or(&list).as_array();
            let data = data.ok_or_else(|| self.http.malformed(Malformation::NotItsJson))?;
            Ok(data
                .iter()
                .filter_map(|model| {
                    // Not in OpenAI's own lists, but in those of servers that know it.
                    let context = ["context_length", "max_model_len", "context_window"]
                        .iter()
                        .find_map(|name| model.get(name)?.as_u64());
                    Some(ModelInfo {
                        id: clean_name(model.get("id")?.as_str()?),
                        name: model.get("name").and_then(Value::as_str).map(clean_name),
                        context_tokens: context,
                    })
                })
                .collect())
        })
    }
}

impl Wire for OpenAi {
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
            // A server of one model often takes any name and may have no list.
            let Ok(models) = self.models().await else {
                return Ok(None);
            };
            let first = models.into_iter().next().map(|model| model.id);
            Ok(first.map(|id| Notice::Model(self.model.get_or_init(|| id).clone())))
        })
    }

    fn url(&self) -> Url {
        self.at("/chat/completions")
    }

    fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    fn body(&self, request: &Request) -> Zeroizing<Vec<u8>> {
        let model = match self.model.get() {
            Some(model) if request.model == DEFAULT_MODEL => model,
            _ => &request.model,
        };
        let new_limit = self.new_limit.load(Ordering::Relaxed);
        let usage = !self.without_usage.load(Ordering::Relaxed);
        let format = !self.without_format.load(Ordering::Relaxed);
        turns::json(&Body {
            model,
            messages: messages(request),
            stream: true,
            stream_options: usage.then(|| json!({"include_usage": true})),
            max_tokens: (!new_limit).then_some(request.max_tokens),
            max_completion_tokens: new_limit.then_some(request.max_tokens),
            temperature: request.temperature,
            response_format: request.schema.as_ref().filter(|_| format).map(|schema| {
                json!({"type": "json_schema", "json_schema":
                    {"name": schema.name, "schema": schema.schema}})
            }),
            tools: request
                .tools
                .iter()
                .map(|tool| {
                    json!({"type": "function", "function": {"name": tool.name,
                        "description": tool.description, "parameters": tool.input_schema}})
                })
                .collect(),
            // Nobody else has a store to keep the conversation out of.
            store: (self.http.host() == OPENAI_HOST).then_some(false),
        })
    }

    fn adapts(&self, status: u16, message: &str) -> bool {
        if !matches!(status, 400 | 422) {
            return false;
        }
        let says = |word: &str| message.contains(word);
        let now = |flag: &AtomicBool| !flag.swap(true, Ordering::Relaxed);
        (says("max_completion_tokens") && now(&self.new_limit))
            || ((says("stream_options") || says("include_usage")) && now(&self.without_usage))
            || ((says("response_format") || says("json_schema")) && now(&self.without_format))
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

fn messages(request: &Request) -> Vec<MessageOut<'_>> {
    let mut out = Vec::new();
    let system = turns::system_text(request);
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
    let has_image = |part: &&Part| matches!(part, Part::Image { .. });
    if !turn.parts.iter().any(|part| has_image(part)) {
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

#[derive(Default)]
struct Reply {
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
