//! OpenAI's chat completions, and the many servers that speak them.

mod ask;
mod reply;

use std::sync::OnceLock;
use std::sync::atomic::AtomicU8;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::Value;
use zeroize::Zeroizing;

use super::endpoint::Endpoint;
use super::error::{Malformation, ProviderError, clean_name};
use super::exchange::{Reader, Wire, exchange, preview};
use super::frames::Framing;
use super::http::Http;
use super::request::Request;
use super::select::DEFAULT_MODEL;
use super::{Event, ModelInfo, Notice, Preview, Provider, turns};

pub(super) use ask::tool;

/// Whose own API it is.
pub(super) const OPENAI_HOST: &str = "api.openai.com";

/// Quirk: `stream_options` is refused, and with it the usage.
const WITHOUT_USAGE: u8 = 1;
/// Quirk: `response_format` is refused.
const WITHOUT_FORMAT: u8 = 2;
/// Quirk: the limit is called `max_completion_tokens`; nearly everyone else reads `max_tokens`.
const NEW_LIMIT: u8 = 4;
/// Quirk: there is a store to keep the conversation out of.
const WITH_STORE: u8 = 8;
/// Quirk: `tools` are refused, by the server or by the model it runs.
const WITHOUT_TOOLS: u8 = 16;

/// A server that speaks chat completions.
pub(super) struct OpenAi {
    name: String,
    http: Http,
    quirks: AtomicU8,
    /// What `default` stands for, once the server was asked.
    model: OnceLock<String>,
}

impl OpenAi {
    pub(super) fn new(name: &str, http: Http) -> Self {
        let quirks = match http.host() {
            OPENAI_HOST => NEW_LIMIT | WITH_STORE,
            _ => 0,
        };
        OpenAi {
            name: name.to_owned(),
            http,
            quirks: AtomicU8::new(quirks),
            model: OnceLock::new(),
        }
    }

    fn at(&self, path: &str) -> Url {
        at(&self.http.endpoint, path)
    }
}

/// A base URL without a path means `/v1`; one with a path is taken as it is, and may be that of the
/// endpoint itself.
pub(super) fn at(endpoint: &Endpoint, path: &str) -> Url {
    let base = endpoint.path();
    let base = base.strip_suffix("/chat/completions").unwrap_or(base);
    let base = if base.is_empty() { "/v1" } else { base };
    endpoint.at(&format!("{base}{path}"))
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

    fn preview(&self, request: &Request) -> Option<Preview> {
        Some(preview(&self.http, self, request))
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

    fn quirks(&self) -> &AtomicU8 {
        &self.quirks
    }

    fn body(&self, request: &Request, quirks: u8) -> Zeroizing<Vec<u8>> {
        let model = match self.model.get() {
            Some(model) if request.model == DEFAULT_MODEL => model,
            _ => &request.model,
        };
        turns::json(&ask::Body::of(request, model, quirks))
    }

    fn complaint(&self, message: &str) -> u8 {
        let says = |word: &str| message.contains(word);
        if says("stream_options") || says("include_usage") {
            WITHOUT_USAGE
        } else if says("response_format") || says("json_schema") {
            WITHOUT_FORMAT
        } else if says("max_completion_tokens") {
            NEW_LIMIT
        } else if says("tool") || says("function call") {
            WITHOUT_TOOLS
        } else {
            0
        }
    }

    fn framing(&self) -> Framing {
        Framing::ServerSentEvents
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(reply::Reply::default())
    }
}
