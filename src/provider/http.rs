//! The one way out: a client that is built when first needed, and what servers' refusals mean.
//!
//! A key goes into one header and nowhere else; redirects are never followed; what is on this
//! machine is never reached through a proxy.

use std::error::Error as StdError;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use reqwest::{Client, Response, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tokio::time::timeout;

use crate::config::{ApiKey, Config, Timeouts};

use super::KEY_KEPT_BACK;
use super::endpoint::{Endpoint, is_local_host};
use super::error::{Malformation, Phase, ProviderError, ServerMessage};

const CONTENT: &str = "application/json";
const PROGRAM: &str = concat!("agent/", env!("CARGO_PKG_VERSION"));

/// What a server says about a failure is short; the rest is not read.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// A list of every model there is comes to some hundred kilobytes.
const LIST_BYTES_MAX: usize = 4 << 20;

/// How a key is shown to a server.
pub(super) enum Credential {
    None,
    /// `x-api-key`
    Header(ApiKey),
    /// `authorization: Bearer`
    Bearer(ApiKey),
}

impl Credential {
    fn key(&self) -> Option<&str> {
        match self {
            Credential::None => None,
            Credential::Header(key) | Credential::Bearer(key) => Some(key.expose()),
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let (name, text) = match self {
            Credential::None => return None,
            Credential::Header(key) => {
                let name = HeaderName::from_static("x-api-key");
                (name, zeroize::Zeroizing::new(key.expose().to_owned()))
            }
            Credential::Bearer(key) => {
                let text = format!("Bearer {}", key.expose());
                (AUTHORIZATION, zeroize::Zeroizing::new(text))
            }
        };
        let mut value = HeaderValue::from_str(&text).expect("a key is visible ASCII");
        value.set_sensitive(true);
        Some((name, value))
    }
}

/// The connection to one provider.
pub(super) struct Http {
    pub(super) endpoint: Endpoint,
    pub(super) timeouts: Timeouts,
    credential: Credential,
    tls_ca_file: Option<PathBuf>,
    client: OnceLock<Client>,
    /// Whether there may be a connection that is kept.
    answered: AtomicBool,
}

/// A refusal, and whether the server wants the same request again.
pub(super) struct Refusal {
    pub(super) error: ProviderError,
    pub(super) status: u16,
    /// The server's own words, for telling which part of a request it does not know.
    pub(super) message: String,
    pub(super) headers: HeaderMap,
}

impl Http {
    /// Remembers where to and with what; nothing is opened or built yet.
    pub(super) fn new(endpoint: Endpoint, credential: Credential, config: &Config) -> Self {
        Http {
            endpoint,
            timeouts: config.timeouts.clone(),
            credential,
            tls_ca_file: config.tls_ca_file.clone(),
            client: OnceLock::new(),
            answered: AtomicBool::new(false),
        }
    }

    pub(super) fn host(&self) -> &str {
        self.endpoint.host()
    }

    pub(super) fn is_local(&self) -> bool {
        is_local_host(self.host())
    }

    /// Sends a body and returns the response with its head only.
    pub(super) async fn post(
        &self,
        url: Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, ProviderError> {
        let request = self
            .client()?
            .post(url)
            .headers(headers)
            .header(CONTENT_TYPE, CONTENT)
            .body(body);
        self.send(request).await
    }

    /// What goes with a body, the key kept back.
    pub(super) fn shown_headers(&self, own: &HeaderMap) -> Vec<(String, String)> {
        let shown = |name: &HeaderName, value: &str| (name.to_string(), value.to_owned());
        let own = own.iter().map(|(name, value)| {
            let value = value.to_str().unwrap_or_default();
            shown(name, value)
        });
        let credential = self.credential.header();
        let mut headers = vec![shown(&CONTENT_TYPE, CONTENT), shown(&USER_AGENT, PROGRAM)];
        headers.extend(own);
        headers.extend(credential.map(|(name, _)| shown(&name, KEY_KEPT_BACK)));
        headers
    }

    /// Fetches a JSON document.
    pub(super) async fn json(&self, url: Url, headers: HeaderMap) -> Result<Value, ProviderError> {
        let request = self.client()?.get(url).headers(headers);
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response, "").await.error);
        }
        let bytes = self.read(response, LIST_BYTES_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.malformed(Malformation::NotItsJson))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, ProviderError> {
        let request = match self.credential.header() {
            Some((name, value)) => request.header(name, value),
            None => request,
        };
        // A connection that is kept may have been closed by the server while nobody looked; it
        // is only seen by using it.
        let kept = self.answered.load(Ordering::Relaxed);
        let spare = if kept { request.try_clone() } else { None };
        let response = match (self.send_once(request).await, spare) {
            (Err(ProviderError::ConnectionLost { .. }), Some(spare)) => self.send_once(spare).await,
            (outcome, _) => outcome,
        };
        self.answered.fetch_or(response.is_ok(), Ordering::Relaxed);
        response
    }

    async fn send_once(&self, request: reqwest::RequestBuilder) -> Result<Response, ProviderError> {
        let seconds = self.timeouts.first_byte_seconds;
        match timeout(limit(seconds), request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.unreachable(error)),
            Err(_) => Err(self.timeout(Phase::FirstByte, seconds)),
        }
    }

    /// Reads the body of a refusal and says what it means. `model` is the one that was asked for.
    pub(super) async fn refusal(&self, response: Response, model: &str) -> Refusal {
        let status = response.status();
        let headers = response.headers().clone();
        // Whatever was said before the connection broke is what there is.
        let body = self.read_some(response, ERROR_BYTES_MAX).await;
        let (kind, message) = said(&body);
        let mut error = self.failure(status.as_u16(), &kind, &message, model);
        if let ProviderError::RateLimited {
            retry_after_seconds,
            ..
        } = &mut error
        {
            *retry_after_seconds = headers
                .get("retry-after")
                .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        }
        Refusal {
            error,
            status: status.as_u16(),
            message,
            headers,
        }
    }

    /// What a status, and a vendor's own name for an error, mean.
    pub(super) fn failure(
        &self,
        status: u16,
        kind: &str,
        message: &str,
        model: &str,
    ) -> ProviderError {
        let host = self.host().to_owned();
        let lower = message.to_ascii_lowercase();
        let speaks_of = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let message = ServerMessage::clean(message, self.credential.key());
        match status {
            300..=399 => ProviderError::Redirected { host, status },
            401 | 403 => ProviderError::Auth {
                host,
                status,
                message,
            },
            404 if speaks_of(&["model"]) || kind == "model_not_found" => {
                ProviderError::UnknownModel {
                    host,
                    model: super::error::clean_name(model),
                    message,
                }
            }
            404 => ProviderError::NoSuchAddress { host, message },
            413 => ProviderError::RequestTooLarge { host, message },
            400 | 422 | 500
                if kind == "context_length_exceeded" || speaks_of(&CONTEXT_OVERFLOWS) =>
            {
                ProviderError::RequestTooLarge { host, message }
            }
            429 => ProviderError::RateLimited {
                host,
                retry_after_seconds: None,
                message,
            },
            503 | 529 => ProviderError::Overloaded { host, message },
            500.. => ProviderError::Server {
                host,
                status,
                message,
            },
            _ => ProviderError::Rejected {
                host,
                status,
                message,
            },
        }
    }

    pub(super) fn malformed(&self, what: Malformation) -> ProviderError {
        ProviderError::Malformed {
            host: self.host().to_owned(),
            what,
        }
    }

    pub(super) fn timeout(&self, phase: Phase, seconds: u32) -> ProviderError {
        ProviderError::Timeout {
            host: self.host().to_owned(),
            phase,
            seconds,
        }
    }

    /// What a failure of the transport means. URLs stay out of it.
    pub(super) fn unreachable(&self, error: reqwest::Error) -> ProviderError {
        let host = self.host().to_owned();
        let source = error.without_url();
        if source.is_timeout() && source.is_connect() {
            return self.timeout(Phase::Connect, self.timeouts.connect_seconds);
        }
        if chain(&source).any(is_tls) {
            ProviderError::Tls { host, source }
        } else if source.is_connect() {
            ProviderError::Connect { host, source }
        } else {
            ProviderError::ConnectionLost { host, source }
        }
    }

    pub(super) async fn read(
        &self,
        mut response: Response,
        max: usize,
    ) -> Result<Vec<u8>, ProviderError> {
        let mut body = Vec::new();
        loop {
            let seconds = self.timeouts.idle_seconds;
            match timeout(limit(seconds), response.chunk()).await {
                Ok(Ok(Some(chunk))) if body.len() + chunk.len() <= max => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Ok(Some(_))) => {
                    return Err(ProviderError::ReplyTooLarge {
                        host: self.host().to_owned(),
                        limit_bytes: max as u64,
                    });
                }
                Ok(Ok(None)) => return Ok(body),
                Ok(Err(error)) => return Err(self.unreachable(error)),
                Err(_) => return Err(self.timeout(Phase::Idle, seconds)),
            }
        }
    }

    /// As much of a body as comes within the idle time and the limit.
    async fn read_some(&self, mut response: Response, max: usize) -> Vec<u8> {
        let mut body = Vec::new();
        let reading = async {
            while body.len() < max {
                let Ok(Some(chunk)) = response.chunk().await else {
                    break;
                };
                body.extend_from_slice(&chunk[..chunk.len().min(max - body.len())]);
            }
        };
        // Out of time or not: what came is what there is.
        let _ = timeout(limit(self.timeouts.idle_seconds), reading).await;
        body
    }

    fn client(&self) -> Result<&Client, ProviderError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.build()?;
        Ok(self.client.get_or_init(|| client))
    }

    fn build(&self) -> Result<Client, ProviderError> {
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls(self.tls_ca_file.as_deref())?)
            .user_agent(PROGRAM)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(1)
            .connect_timeout(limit(self.timeouts.connect_seconds));
        if self.is_local() {
            // Whoever answers for a proxy or a name server shall not get words that were to stay
            // on this machine.
            builder = builder.no_proxy().resolve_to_addrs(
                "localhost",
                &[
                    (Ipv4Addr::LOCALHOST, 0).into(),
                    (Ipv6Addr::LOCALHOST, 0).into(),
                ],
            );
        }
        builder.build().map_err(|error| ProviderError::Client {
            source: error.without_url(),
        })
    }
}

/// A timeout of the configuration.
pub(super) fn limit(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// Roots built in, and those of the person's own file; ring, never another library.
fn tls(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, ProviderError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca_file {
        let bad = |source: Option<io::Error>| ProviderError::Certificates {
            path: path.to_owned(),
            source,
        };
        let pem = std::fs::read(path).map_err(|error| bad(Some(error)))?;
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|_| bad(None))?;
            roots.add(certificate).map_err(|_| bad(None))?;
            added += 1;
        }
        if added == 0 {
            return Err(bad(None));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS 1.2 and 1.3 need")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn StdError + 'static) = *error;
        error.source()
    })
}

fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    // An I/O error's `source` is that of what it wraps: the wrapped error itself is skipped.
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    wrapped.is_some_and(|inner| is_tls(inner))
}

/// How the servers in use say that a prompt does not fit.
const CONTEXT_OVERFLOWS: [&str; 7] = [
    "prompt is too long",
    "context length",
    "context window",
    "context size",
    "context_length",
    "too many tokens",
    "maximum number of tokens",
];

/// The kind and the words of an error body: an object, a bare string, text, or nothing worth
/// showing (HTML).
fn said(body: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => error_in(&value),
        Err(_) if text.starts_with('<') => Default::default(),
        Err(_) => (String::new(), text.to_owned()),
    }
}

/// The kind and the words of an error in the shapes that servers give it.
pub(super) fn error_in(value: &Value) -> (String, String) {
    let value = match value {
        Value::Array(values) => values.first().unwrap_or(value),
        value => value,
    };
    let error = value.get("error").filter(|e| !e.is_null()).unwrap_or(value);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let kind = text(error.get("code"))
        .or_else(|| text(error.get("type")))
        .unwrap_or_default();
    let message = text(Some(error))
        .or_else(|| text(error.get("message")))
        .or_else(|| text(error.get("detail")))
        .or_else(|| error.get("detail").map(Value::to_string))
        .unwrap_or_default();
    (kind, message)
}

/// The status that an error within a stream would have had.
pub(super) fn status_of(kind: &str) -> u16 {
    let status = match kind {
        "invalid_request_error" | "context_length_exceeded" => StatusCode::BAD_REQUEST,
        "authentication_error" | "invalid_api_key" => StatusCode::UNAUTHORIZED,
        "permission_error" | "billing_error" => StatusCode::FORBIDDEN,
        "not_found_error" | "model_not_found" => StatusCode::NOT_FOUND,
        "request_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" => {
            StatusCode::TOO_MANY_REQUESTS
        }
        "timeout_error" => StatusCode::GATEWAY_TIMEOUT,
        "overloaded_error" | "server_overloaded" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    status.as_u16()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_are_found_in_every_shape() {
        for (value, kind, message) in [
            (
                json!({"type":"error","error":{"type":"overloaded_error","message":"m"}}),
                "overloaded_error",
                "m",
            ),
            (
                json!({"error":{"message":"m","type":"t","code":"model_not_found"}}),
                "model_not_found",
                "m",
            ),
            (
                json!({"error":{"message":"m","type":"t","code":400}}),
                "t",
                "m",
            ),
            (json!({"error":"m"}), "", "m"),
            (json!({"message":"m"}), "", "m"),
            (json!({"detail":"m"}), "", "m"),
            (json!([{"error":{"message":"m"}}]), "", "m"),
            (json!("m"), "", "m"),
            (json!({"error":null}), "", ""),
            (json!([]), "", ""),
            (json!(3), "", ""),
        ] {
            assert_eq!(error_in(&value), (kind.into(), message.into()), "{value}");
        }
        assert_eq!(said(b"<html>bad gateway</html>"), Default::default());
        assert_eq!(said(b"\xffoops").1, "\u{fffd}oops");
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(
            tls(Some(file.path())),
            Err(ProviderError::Certificates { source: None, .. })
        ));
        assert!(matches!(
            tls(Some(Path::new("/nowhere/ca.pem"))),
            Err(ProviderError::Certificates {
                source: Some(_),
                ..
            })
        ));
        assert!(tls(None).is_ok());
    }
}
