//! Anthropic's Messages API, and servers that speak it.

mod ask;
mod reply;

use std::sync::atomic::AtomicU8;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;
use zeroize::Zeroizing;

use super::error::{Malformation, ProviderError, clean_name};
use super::exchange::{Reader, Wire, exchange, preview};
use super::frames::Framing;
use super::http::Http;
use super::request::Request;
use super::{Event, ModelInfo, Preview, Provider, turns};

/// The one version there is (`anthropic-version`).
const VERSION: &str = "2023-06-01";
/// What bearer tokens of an account, rather than a gateway, have to be announced with.
const OAUTH_BETA: &str = "oauth-2025-04-20";

/// Quirk: `thinking` is refused.
const WITHOUT_THINKING: u8 = 1;
/// Quirk: `output_config` is refused.
const WITHOUT_FORMAT: u8 = 2;
/// Quirk: `tools` are refused, by the server or by the model it runs.
const WITHOUT_TOOLS: u8 = 4;

/// A server that speaks the Messages API.
pub(super) struct Anthropic {
    name: String,
    http: Http,
    oauth: bool,
    quirks: AtomicU8,
}

impl Anthropic {
    /// `oauth`: the bearer token is that of an account.
    pub(super) fn new(name: &str, http: Http, oauth: bool) -> Self {
        Anthropic {
            name: name.to_owned(),
            http,
            oauth,
            quirks: AtomicU8::new(0),
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

    fn preview(&self, request: &Request) -> Option<Preview> {
        Some(preview(&self.http, self, request))
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

    fn quirks(&self) -> &AtomicU8 {
        &self.quirks
    }

    fn body(&self, request: &Request, quirks: u8) -> Zeroizing<Vec<u8>> {
        turns::json(&ask::Body::of(request, quirks))
    }

    fn complaint(&self, message: &str) -> u8 {
        if message.contains("output_config") {
            WITHOUT_FORMAT
        } else if message.contains("thinking") {
            WITHOUT_THINKING
        } else if message.contains("tool") {
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
