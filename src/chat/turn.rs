//! One turn, from the person's line to the kept answer.

use std::future::Future;
use std::pin::pin;

use futures_util::StreamExt;
use futures_util::future::{Either, select};

use crate::memory::{self, Accepted, Audience, Context, Said as TypedLine, UpdateFilter};
use crate::model::{
    Attachment, Block, MemoryEvent, Message, Record, Role, Stop, Text, Timestamp, Usage,
};
use crate::provider::{Event, Notice, Provider, ProviderError, Request, is_local_host};

use super::compose::{Composed, Ingredients, Recalled, compose, messages_that_fit};
use super::error::ChatError;
use super::session::Session;

/// What happens while an answer comes.
#[derive(Debug)]
pub enum Told {
    /// More of the reply, without memory blocks. Untrusted: may hold any character.
    Text(Text),
    Notice(Notice),
}

/// A turn that was had.
#[derive(Debug)]
pub struct Answer {
    /// As it lies in the log; none if nothing came.
    pub message: Option<Message>,
    pub accepted: Accepted,
    /// What was learnt, waits or was refused, in one line.
    pub learnt: Option<Text>,
    pub composed: Composed,
    /// The fault that cut the answer, after some of it had come.
    pub fault: Option<ProviderError>,
}

/// A reply as far as it came.
struct Reply {
    text: Text,
    usage: Option<Usage>,
    stop: Stop,
    proposals: Vec<memory::Proposal>,
    fault: Option<ProviderError>,
}

impl Session {
    /// Writes the person's line down. Durable when it returns; no model has been asked yet.
    pub fn say(&mut self, text: Text, now: Timestamp) -> Result<(), ChatError> {
        self.say_with(text, Vec::new(), now)
    }

    /// The same with files that go with it; each is stored once, right before the message.
    pub fn say_with(
        &mut self,
        text: Text,
        files: Vec<Attachment>,
        now: Timestamp,
    ) -> Result<(), ChatError> {
        if text.trim().is_empty() {
            return Err(ChatError::EmptyPrompt);
        }
        let mut records = self.beginnings(now);
        let mut message = Message::text(self.conversation(), Role::User, now, text);
        let named = files.iter().map(|file| Block::Attachment {
            id: file.id,
            name: file.name.clone(),
            media: file.media.clone(),
        });
        message.content.splice(0..0, named);
        records.extend(files.into_iter().map(Record::Attachment));
        records.push(Record::Message(message));
        self.append(&records)?;
        self.has_begun();
        self.messages += 1;
        Ok(())
    }

    /// The request for an answer to what was said last.
    pub fn compose(
        &mut self,
        provider: &dyn Provider,
        model: &str,
        recalled: &Recalled,
        now: Timestamp,
    ) -> Result<Composed, ChatError> {
        let remote = provider.host().filter(|host| !is_local_host(host));
        if let Some(host) = remote.filter(|_| self.is_local()) {
            return Err(ChatError::PrivateConversation {
                host: host.to_owned(),
            });
        }
        let audience = if remote.is_some() {
            Audience::Remote
        } else {
            Audience::ThisMachine
        };
        let (standing, additions) = self.standing(audience, now);
        let window = self.buffer.fold.window(self.conversation()).cloned();
        let kept = self.window_messages(window.as_ref())?;
        let (messages, tokens) = messages_that_fit(self.log.as_mut(), &kept, &self.settings)?;
        let parts = Ingredients {
            model,
            settings: &self.settings,
            standing: &standing,
            additions: &additions,
            recalled,
            messages,
            window: window.as_ref(),
        };
        Ok(compose(parts, tokens))
    }

    /// Asks for an answer and keeps it. `interrupt` ends it early; what had come by then is kept.
    pub async fn answer(
        &mut self,
        provider: &dyn Provider,
        composed: Composed,
        clock: fn() -> Timestamp,
        interrupt: impl Future<Output = ()>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<Answer, ChatError> {
        let reply = stream(provider, &composed.request, interrupt, tell).await;
        let now = clock();
        let model = format!("{}/{}", provider.name(), composed.request.model);
        self.keep(reply, model, composed, now)
    }

    /// Appends the reply with what was learnt from it, in one batch.
    fn keep(
        &mut self,
        reply: Reply,
        model: String,
        composed: Composed,
        now: Timestamp,
    ) -> Result<Answer, ChatError> {
        if reply.text.is_empty()
            && reply.proposals.is_empty()
            && let Some(fault) = reply.fault
        {
            return Err(fault.into());
        }
        let mut message = Message::text(self.conversation(), Role::Assistant, now, reply.text);
        message.model = Some(model);
        message.usage = reply.usage;
        message.stop = Some(reply.stop);
        // Judged against the memory of this moment, other processes' changes included.
        self.refresh()?;
        let accepted = match reply.stop.is_complete() && self.settings.use_memory {
            true => self.judge(&reply.proposals, now)?,
            false => Accepted::default(),
        };
        let learnt = accepted.notice(&self.memory.fold);
        let mut records = vec![Record::Message(message.clone())];
        let events = accepted.ops.iter().map(|op| MemoryEvent {
            at: now,
            op: op.clone(),
        });
        records.extend(events.map(Record::Memory));
        self.append(&records)?;
        self.messages += 1;
        self.memories += accepted.ops.len() as u64;
        Ok(Answer {
            message: Some(message),
            accepted,
            learnt,
            composed,
            fault: reply.fault,
        })
    }

    fn judge(
        &mut self,
        proposals: &[memory::Proposal],
        now: Timestamp,
    ) -> Result<Accepted, ChatError> {
        let window = self.buffer.fold.window(self.conversation()).cloned();
        let kept = self.window_messages(window.as_ref())?;
        let typed: Vec<TypedLine<'_>> = kept
            .iter()
            .filter(|kept| kept.role == Role::User)
            .filter_map(|kept| {
                let text = kept.text.as_deref()?;
                Some(TypedLine {
                    id: kept.id,
                    at: kept.at,
                    text,
                })
            })
            .collect();
        let context = Context {
            conversation: Some(self.conversation()),
            now,
            zone: jiff::tz::TimeZone::system(),
            private: self.is_local().then_some(crate::model::Privacy::Local),
        };
        Ok(memory::accept(
            proposals,
            &typed,
            &self.memory.fold,
            &context,
        ))
    }

    /// Remembers what the person asks to have remembered, outside of any turn.
    pub fn remember(
        &mut self,
        text: &str,
        kind: crate::model::Kind,
        pinned: bool,
        now: Timestamp,
    ) -> Result<Accepted, ChatError> {
        self.refresh()?;
        let context = Context {
            conversation: None,
            now,
            zone: jiff::tz::TimeZone::system(),
            private: None,
        };
        let accepted = memory::add_by_command(text, kind, pinned, &self.memory.fold, &context);
        let events = accepted.ops.iter().map(|op| MemoryEvent {
            at: now,
            op: op.clone(),
        });
        let records: Vec<Record> = events.map(Record::Memory).collect();
        if !records.is_empty() {
            self.append(&records)?;
        }
        Ok(accepted)
    }
}

async fn stream(
    provider: &dyn Provider,
    request: &Request,
    interrupt: impl Future<Output = ()>,
    tell: &mut dyn FnMut(Told),
) -> Reply {
    let mut events = provider.stream(request);
    let mut interrupt = pin!(interrupt);
    let mut filter = UpdateFilter::new();
    let mut reply = Reply {
        text: Text::default(),
        usage: None,
        stop: Stop::Cut,
        proposals: Vec::new(),
        fault: None,
    };
    loop {
        let event = match select(events.next(), interrupt.as_mut()).await {
            Either::Left((event, _)) => event,
            Either::Right(_) => {
                reply.stop = Stop::Interrupted;
                break;
            }
        };
        match event {
            Some(Ok(Event::Text(piece))) => show(filter.feed(&piece), &mut reply, tell),
            Some(Ok(Event::Usage(usage))) => reply.usage = Some(usage),
            Some(Ok(Event::Done(stop))) => {
                reply.stop = stop;
                break;
            }
            Some(Ok(Event::Notice(notice))) => tell(Told::Notice(notice)),
            Some(Ok(Event::Thinking(_) | Event::ToolUse(_))) => {}
            Some(Err(fault)) => {
                reply.fault = Some(fault);
                break;
            }
            None => break,
        }
    }
    let end = filter.finish();
    show(end.text, &mut reply, tell);
    reply.proposals = end.proposals;
    reply
}

fn show(piece: Text, reply: &mut Reply, tell: &mut dyn FnMut(Told)) {
    if !piece.is_empty() {
        reply.text.push_str(&piece);
        tell(Told::Text(piece));
    }
}
