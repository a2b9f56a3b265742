//! Reads an answer as it streams: its text without memory blocks, its calls of tools, its end.

use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::future::{Either, select};

use crate::memory::{Fault, Proposal, UpdateFilter};
use crate::model::{Stop, Text, Usage};
use crate::provider::{Event, Part, Provider, ProviderError, Request, ToolUse};

use super::turn::Told;

/// An answer as far as it came, over all its rounds.
pub(super) struct Reply {
    pub(super) text: Text,
    pub(super) usage: Option<Usage>,
    pub(super) stop: Stop,
    pub(super) proposals: Vec<Proposal>,
    /// What was wrong with its memory blocks.
    pub(super) faults: Vec<Fault>,
    pub(super) fault: Option<ProviderError>,
    /// A later round goes on in a new paragraph.
    parted: bool,
}

/// What one request brought, as it has to stand in the next.
#[derive(Default)]
pub(super) struct Round {
    pub(super) parts: Vec<Part>,
    pub(super) calls: Vec<ToolUse>,
}

impl Reply {
    pub(super) fn new() -> Self {
        Reply {
            text: Text::default(),
            usage: None,
            stop: Stop::Cut,
            proposals: Vec::new(),
            faults: Vec::new(),
            fault: None,
            parted: false,
        }
    }

    /// Sends one request and takes in what comes, until it ends or `interrupt` is ready.
    pub(super) async fn take_round(
        &mut self,
        provider: &dyn Provider,
        request: &Request,
        mut interrupt: Pin<&mut impl Future<Output = ()>>,
        tell: &mut dyn FnMut(Told),
    ) -> Round {
        let mut events = provider.stream(request);
        let mut filter = UpdateFilter::new();
        let mut round = Round::default();
        self.stop = Stop::Cut;
        self.parted = !self.text.is_empty();
        loop {
            let event = match select(events.next(), interrupt.as_mut()).await {
                Either::Left((event, _)) => event,
                Either::Right(_) => {
                    self.stop = Stop::Interrupted;
                    break;
                }
            };
            match event {
                Some(Ok(Event::Text(piece))) => {
                    round.push_text(&piece);
                    self.show(filter.feed(&piece), tell);
                }
                Some(Ok(Event::ToolUse(call))) => {
                    round.parts.push(Part::ToolUse(call.clone()));
                    round.calls.push(call);
                }
                Some(Ok(Event::Opaque(json))) => round.parts.push(Part::Opaque(json)),
                Some(Ok(Event::Usage(usage))) => self.count(usage),
                Some(Ok(Event::Done(stop))) => {
                    self.stop = stop;
                    break;
                }
                Some(Ok(Event::Notice(notice))) => tell(Told::Notice(notice)),
                Some(Ok(Event::Thinking(_))) => {}
                Some(Err(fault)) => {
                    self.fault = Some(fault);
                    break;
                }
                None => break,
            }
        }
        let end = filter.finish();
        self.show(end.text, tell);
        self.proposals.extend(end.proposals);
        self.faults.extend(end.faults);
        round
    }

    fn show(&mut self, piece: Text, tell: &mut dyn FnMut(Told)) {
        if piece.is_empty() {
            return;
        }
        if std::mem::take(&mut self.parted) && !self.text.ends_with('\n') {
            self.text.push_str("\n\n");
            tell(Told::Text("\n\n".into()));
        }
        self.text.push_str(&piece);
        tell(Told::Text(piece));
    }

    fn count(&mut self, usage: Usage) {
        let sum = self.usage.get_or_insert_default();
        sum.input += usage.input;
        sum.output += usage.output;
        sum.cache_read += usage.cache_read;
        sum.cache_write += usage.cache_write;
    }
}

impl Round {
    fn push_text(&mut self, piece: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(text)) => text.push_str(piece),
            _ => self.parts.push(Part::Text(piece.into())),
        }
    }
}
