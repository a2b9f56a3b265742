//! One request about the conversation rather than in it: an answer of a given shape, or a summary.

use std::future::Future;
use std::pin::pin;

use futures_util::StreamExt;
use futures_util::future::{Either, select};

use crate::model::{Stop, Text};
use crate::provider::{Event, Provider, ProviderError, Request};

/// A longer answer is not read on.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// The person, or the time given for it, ended it.
    Interrupted,
    /// It ended early: cut, refused, at the token limit, or too long.
    Stopped(Stop),
    Failed(ProviderError),
}

/// Sends a request and gives the whole answer. What comes of an incomplete one is dropped.
pub(super) async fn dictate(
    provider: &dyn Provider,
    request: &Request,
    interrupt: impl Future<Output = ()>,
) -> Result<Text, Unanswered> {
    let mut events = provider.stream(request);
    let mut interrupt = pin!(interrupt);
    let mut text = Text::default();
    loop {
        let event = match select(events.next(), interrupt.as_mut()).await {
            Either::Left((event, _)) => event,
            Either::Right(_) => return Err(Unanswered::Interrupted),
        };
        match event {
            Some(Ok(Event::Text(piece))) => text.push_str(&piece),
            Some(Ok(Event::Done(stop))) if stop.is_complete() => return Ok(text),
            Some(Ok(Event::Done(stop))) => return Err(Unanswered::Stopped(stop)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Unanswered::Failed(error)),
            None => return Err(Unanswered::Stopped(Stop::Cut)),
        }
        if text.len() > ANSWER_BYTES_MAX {
            return Err(Unanswered::Stopped(Stop::Cut));
        }
    }
}
