//! One exchange: send, perhaps again, and read the answer as it comes.
//!
//! The vendors' files say what to send and how to read it; when to try again, how long to wait
//! and how much to take is decided here, for all of them.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::HeaderMap;
use reqwest::{Response, Url};
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::error::{Malformation, Phase, ProviderError};
use super::frames::{Frame, Frames, Framing};
use super::http::{Http, limit, status_of};
use super::{Event, Notice, Preview, Request};

/// Far beyond any reply of a model.
const REPLY_BYTES_MAX: u64 = 64 << 20;
/// The vendors' own clients try three times.
const RETRIES_MAX: u32 = 2;
/// What is left of a finished reply: reading it lets the connection serve the next one.
const REST_WAIT: Duration = Duration::from_millis(50);
/// A reply that is complete is not waited for any longer, only for its token counts.
const EPILOGUE_WAIT: Duration = Duration::from_secs(1);

/// What a vendor's file knows: how to ask, and how to read.
pub(super) trait Wire: Sync {
    /// What has to be asked before `body` can be written.
    fn prepare<'a>(
        &'a self,
        _request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<Notice>, ProviderError>> {
        Box::pin(async { Ok(None) })
    }
    fn url(&self) -> Url;
    fn headers(&self) -> HeaderMap;
    /// What this server was found not to take: bits that mean something to the vendor's file.
    /// They are only ever added.
    fn quirks(&self) -> &AtomicU8;
    /// Writes the request without what the quirks say.
    fn body(&self, request: &Request, quirks: u8) -> Zeroizing<Vec<u8>>;
    /// The quirks that a refusal of the request speaks of.
    fn complaint(&self, message: &str) -> u8;
    fn framing(&self) -> Framing;
    fn reader(&self) -> Box<dyn Reader>;
}

/// Reads the frames of one answer.
pub(super) trait Reader: Send + Sync {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), Fault>;
    /// Whether the reply is whole: nothing but token counts may follow.
    fn is_whole(&self) -> bool;
    /// Whether its terminator came: nothing follows.
    fn is_over(&self) -> bool;
    /// Gives the last events: tools, usage, and `Done`, which says whether the reply was whole.
    fn end(&mut self, out: &mut Vec<Event>);
}

/// What a reader meets in place of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Malformed(Malformation),
    /// The server reports a failure within the stream.
    Said {
        kind: String,
        message: String,
    },
}

impl From<Malformation> for Fault {
    fn from(what: Malformation) -> Self {
        Fault::Malformed(what)
    }
}

impl Fault {
    pub(super) fn of(error: &serde_json::Value) -> Self {
        let (kind, message) = super::http::error_in(error);
        Fault::Said { kind, message }
    }
}

/// Streams the answer to one request.
pub(super) fn exchange<'a>(
    http: &'a Http,
    wire: &'a dyn Wire,
    request: &'a Request,
) -> BoxStream<'a, Result<Event, ProviderError>> {
    let exchange = Exchange {
        http,
        wire,
        request,
        queue: VecDeque::new(),
        step: Step::Prepare,
        deadline: None,
        retries: 0,
    };
    stream::unfold(exchange, |mut exchange| async move {
        let item = exchange.next().await?;
        Some((item, exchange))
    })
    .boxed()
}

/// The request as it would be sent first.
pub(super) fn preview(http: &Http, wire: &dyn Wire, request: &Request) -> Preview {
    let quirks = wire.quirks().load(Ordering::Relaxed);
    let headers = http.shown_headers(&wire.headers());
    Preview {
        method: "POST",
        url: wire.url().to_string(),
        headers,
        body: wire.body(request, quirks),
    }
}

struct Exchange<'a> {
    http: &'a Http,
    wire: &'a dyn Wire,
    request: &'a Request,
    queue: VecDeque<Result<Event, ProviderError>>,
    step: Step,
    deadline: Option<Instant>,
    retries: u32,
}

enum Step {
    Prepare,
    Send,
    Wait(Duration),
    Read(Box<Reading>),
    Over,
}

struct Reading {
    response: Response,
    frames: Frames,
    reader: Box<dyn Reader>,
    bytes: u64,
    /// Whether any of the reply was handed on.
    begun: bool,
}

impl Exchange<'_> {
    async fn next(&mut self) -> Option<Result<Event, ProviderError>> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                return Some(item);
            }
            let next = match std::mem::replace(&mut self.step, Step::Over) {
                Step::Over => return None,
                Step::Prepare => self.prepare().await,
                Step::Wait(duration) => {
                    sleep(duration).await;
                    Ok(Step::Send)
                }
                Step::Send => self.send().await,
                Step::Read(reading) => self.read(reading).await,
            };
            match next {
                Ok(step) => self.step = step,
                Err(error) => self.queue.push_back(Err(error)),
            }
        }
    }

    async fn prepare(&mut self) -> Result<Step, ProviderError> {
        self.deadline = Some(Instant::now() + limit(self.http.timeouts.total_seconds));
        let notice = self.wire.prepare(self.request).await?;
        self.queue.extend(notice.map(|n| Ok(Event::Notice(n))));
        Ok(Step::Send)
    }

    async fn send(&mut self) -> Result<Step, ProviderError> {
        let quirks = self.wire.quirks().load(Ordering::Relaxed);
        let body = Bytes::from_owner(self.wire.body(self.request, quirks));
        let sent = self
            .http
            .post(self.wire.url(), self.wire.headers(), body)
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return self.again(error, None, &HeaderMap::new()),
        };
        if response.status().is_success() {
            return Ok(Step::Read(Box::new(Reading {
                response,
                frames: Frames::new(self.wire.framing()),
                reader: self.wire.reader(),
                bytes: 0,
                begun: false,
            })));
        }
        let refusal = self.http.refusal(response, &self.request.model).await;
        // Some servers fail rather than refuse where their model takes no tools.
        let speaks = match refusal.status {
            400 | 422 => true,
            404 | 500 | 501 => refusal.message.contains("tool"),
            _ => false,
        };
        if speaks {
            let learnt = self.wire.complaint(&refusal.message) & !quirks;
            if learnt != 0 {
                // Each bit is learnt once: this comes to an end.
                self.wire.quirks().fetch_or(learnt, Ordering::Relaxed);
                return Ok(Step::Send);
            }
        }
        self.again(refusal.error, Some(refusal.status), &refusal.headers)
    }

    /// Tries again if that is worth it, else fails.
    fn again(
        &mut self,
        error: ProviderError,
        status: Option<u16>,
        headers: &HeaderMap,
    ) -> Result<Step, ProviderError> {
        let worth_it = match (status, &error) {
            (Some(status), _) => is_worth_retrying(status, headers),
            // On this machine a server that is not running will not be in half a second.
            (None, ProviderError::Connect { .. } | ProviderError::ConnectionLost { .. }) => {
                !self.http.is_local()
            }
            (None, ProviderError::Timeout { phase, .. }) => *phase == Phase::Connect,
            (None, _) => false,
        };
        if !worth_it || self.retries >= RETRIES_MAX {
            return Err(error);
        }
        let jitter = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
        let delay = server_delay(headers).unwrap_or_else(|| own_delay(self.retries, jitter));
        if self
            .deadline
            .is_some_and(|end| Instant::now() + delay > end)
        {
            return Err(error);
        }
        self.retries += 1;
        self.queue.push_back(Ok(Event::Notice(Notice::Retrying {
            attempt: self.retries,
            after_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            status,
        })));
        Ok(Step::Wait(delay))
    }

    async fn read(&mut self, mut reading: Box<Reading>) -> Result<Step, ProviderError> {
        let whole = reading.reader.is_whole();
        let chunk = match self.wait(&mut reading, whole).await {
            Ok(chunk) => chunk,
            // Whatever happens to a connection after the reply is whole, the reply is whole.
            Err(_) if whole => None,
            Err(error) => return Err(error),
        };
        let Some(chunk) = chunk else {
            return self.end(*reading);
        };
        reading.bytes += chunk.len() as u64;
        if reading.bytes > REPLY_BYTES_MAX {
            return Err(ProviderError::ReplyTooLarge {
                host: self.http.host().to_owned(),
                limit_bytes: REPLY_BYTES_MAX,
            });
        }
        let Reading { frames, reader, .. } = &mut *reading;
        let mut out = Vec::new();
        let pushed = frames.push(&chunk, &mut |frame| match reader.is_over() {
            true => Ok(()),
            false => reader.frame(frame, &mut out),
        });
        reading.begun |= self.hand_on(out);
        match pushed {
            Err(_) if reading.reader.is_whole() => self.end(*reading),
            Err(fault) => Err(self.fault(fault)),
            Ok(()) if reading.reader.is_over() => {
                rest(&mut reading.response).await;
                self.end(*reading)
            }
            Ok(()) => Ok(Step::Read(reading)),
        }
    }

    async fn wait(
        &self,
        reading: &mut Reading,
        whole: bool,
    ) -> Result<Option<Bytes>, ProviderError> {
        let timeouts = &self.http.timeouts;
        let (phase, seconds) = match reading.bytes {
            0 => (Phase::FirstByte, timeouts.first_byte_seconds),
            _ => (Phase::Idle, timeouts.idle_seconds),
        };
        let idle = if whole { EPILOGUE_WAIT } else { limit(seconds) };
        let left = self
            .deadline
            .map_or(idle, |end| end.saturating_duration_since(Instant::now()));
        match timeout(idle.min(left), reading.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(self.http.unreachable(error)),
            Err(_) if left < idle => Err(self.http.timeout(Phase::Total, timeouts.total_seconds)),
            Err(_) => Err(self.http.timeout(phase, seconds)),
        }
    }

    fn end(&mut self, mut reading: Reading) -> Result<Step, ProviderError> {
        let Reading { frames, reader, .. } = &mut reading;
        let mut out = Vec::new();
        let finished = match reader.is_over() {
            true => Ok(()),
            false => frames.finish(&mut |frame| reader.frame(frame, &mut out)),
        };
        if let Err(Fault::Said { kind, message }) = finished {
            self.hand_on(out);
            return Err(self.fault(Fault::Said { kind, message }));
        }
        let begun = reading.begun | out.iter().any(is_reply);
        if !begun && !reading.reader.is_whole() {
            return Err(match (reading.bytes, reading.frames.any()) {
                (0, _) | (_, true) => ProviderError::EndedEarly {
                    host: self.http.host().to_owned(),
                },
                _ => self.http.malformed(Malformation::NotAStream),
            });
        }
        reading.reader.end(&mut out);
        self.hand_on(out);
        Ok(Step::Over)
    }

    fn fault(&self, fault: Fault) -> ProviderError {
        match fault {
            Fault::Malformed(what) => self.http.malformed(what),
            Fault::Said { kind, message } => {
                let model = &self.request.model;
                self.http.failure(status_of(&kind), &kind, &message, model)
            }
        }
    }

    fn hand_on(&mut self, out: Vec<Event>) -> bool {
        let begun = out.iter().any(is_reply);
        self.queue.extend(out.into_iter().map(Ok));
        begun
    }
}

fn is_reply(event: &Event) -> bool {
    matches!(
        event,
        Event::Text(_) | Event::Thinking(_) | Event::ToolUse(_)
    )
}

async fn rest(response: &mut Response) {
    let reading = async { while let Ok(Some(_)) = response.chunk().await {} };
    // Too late or broken: the connection is closed, and the next request opens another.
    let _ = timeout(REST_WAIT, reading).await;
}

/// The rule of the vendors' own clients: the server's word counts first.
fn is_worth_retrying(status: u16, headers: &HeaderMap) -> bool {
    match text(headers, "x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => matches!(status, 408 | 409 | 429 | 500..),
    }
}

/// How long the server asks to wait, if that is a reasonable time: milliseconds, seconds, or a
/// date, which is compared with the server's own clock.
fn server_delay(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| text(headers, name).and_then(|text| text.parse::<f64>().ok());
    let seconds = number("retry-after-ms")
        .map(|ms| ms / 1000.0)
        .or_else(|| number("retry-after"))
        .or_else(|| {
            let then = date(headers, "retry-after")?;
            let now = date(headers, "date")?;
            (then - now).total(jiff::Unit::Second).ok()
        })?;
    (seconds > 0.0 && seconds <= 60.0).then(|| Duration::from_secs_f64(seconds))
}

fn own_delay(retries: u32, jitter: f64) -> Duration {
    let seconds = (0.5 * 2f64.powi(retries.min(10) as i32)).min(8.0);
    Duration::from_secs_f64(seconds * (1.0 - 0.25 * jitter))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn date(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new()
        .parse_timestamp(text(headers, name)?)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn the_servers_word_counts_before_the_status() {
        for (status, said, again) in [
            (400, &[][..], false),
            (401, &[], false),
            (408, &[], true),
            (409, &[], true),
            (429, &[], true),
            (500, &[], true),
            (529, &[], true),
            (400, &[("x-should-retry", "true")], true),
            (529, &[("x-should-retry", "false")], false),
            (529, &[("x-should-retry", "perhaps")], true),
        ] {
            assert_eq!(is_worth_retrying(status, &headers(said)), again, "{status}");
        }
    }

    #[test]
    fn a_reasonable_delay_is_obeyed_and_another_is_not() {
        let ms = |pairs: &[(&'static str, &'static str)]| {
            server_delay(&headers(pairs)).map(|delay| delay.as_millis())
        };
        assert_eq!(
            ms(&[("retry-after-ms", "7"), ("retry-after", "3")]),
            Some(7)
        );
        assert_eq!(ms(&[("retry-after", "1.5")]), Some(1500));
        assert_eq!(
            ms(&[
                ("retry-after", "Sun, 22 Nov 2026 10:00:09 GMT"),
                ("date", "Sun, 22 Nov 2026 10:00:00 GMT"),
            ]),
            Some(9000)
        );
        for pairs in [
            &[][..],
            &[("retry-after", "0")],
            &[("retry-after", "-1")],
            &[("retry-after", "61")],
            &[("retry-after", "nan")],
            &[("retry-after", "soon")],
            &[("retry-after", "Sun, 22 Nov 2026 10:00:09 GMT")],
        ] {
            assert_eq!(ms(pairs), None, "{pairs:?}");
        }
    }

    #[test]
    fn our_own_delays_double_up_to_eight_seconds() {
        let ms = |retries, jitter| own_delay(retries, jitter).as_millis();
        assert_eq!((ms(0, 0.0), ms(1, 0.0), ms(9, 0.0)), (500, 1000, 8000));
        assert_eq!((ms(0, 1.0), ms(9, 1.0)), (375, 6000));
    }
}
