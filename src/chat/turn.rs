//! One turn, from the person's line to the kept answer.

use std::future::Future;
use std::pin::pin;

use crate::memory::{self, Accepted, Audience, Context, Said as TypedLine};
use crate::model::{Attachment, Block, Message, Record, Role, Text, Timestamp};
use crate::provider::{Notice, Provider, ProviderError, Turn, is_local_host};

use super::compact::behind;
use super::compose::{Composed, Ingredients, Recalled, compose, messages_that_fit};
use super::error::ChatError;
use super::reply::Reply;
use super::session::{Session, events};
use super::tools::{Desk, ROUNDS_MAX};

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
    /// What was wrong with the reply's memory blocks.
    pub faults: Vec<memory::Fault>,
    pub composed: Composed,
    /// The fault that cut the answer, after some of it had come.
    pub fault: Option<ProviderError>,
}

impl Session {
    /// Writes the person's line down. Durable when it returns; no model has been asked yet.
    pub fn say(&mut self, text: Text, now: Timestamp) -> Result<(), ChatError> {
        self.say_with(vec![Block::said(text)], Vec::new(), now)
    }

    /// The same, with files: only what the person typed can hold up a memory. Each of `files` is
    /// stored once, right before the message that names it. Under a role that frames what is said,
    /// the framed words are the message.
    pub fn say_with(
        &mut self,
        content: Vec<Block>,
        files: Vec<Attachment>,
        now: Timestamp,
    ) -> Result<(), ChatError> {
        let mut message = Message::text(self.conversation(), Role::User, now, Text::default());
        message.content = content;
        if message.plain().trim().is_empty() {
            return Err(ChatError::EmptyPrompt);
        }
        if let Some(frame) = &self.settings.frame {
            frame.put_around(&mut message.content);
        }
        let mut records = self.beginnings(now);
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
        let audience = audience_of(provider);
        let (standing, additions) = self.standing(audience, now);
        let window = self.buffer.fold.window(self.conversation()).cloned();
        let kept = self.window_messages(window.as_ref())?;
        let summarised = window.as_ref().and_then(|window| window.summarised);
        let open = behind(&kept, summarised);
        let (messages, tokens) = messages_that_fit(self.log.as_mut(), &open, &self.settings)?;
        let parts = Ingredients {
            model,
            settings: &self.settings,
            standing: &standing,
            additions: &additions,
            recalled,
            messages,
            window: window.as_ref(),
            tools: self.tools(),
        };
        Ok(compose(parts, tokens))
    }

    /// Asks for an answer and keeps it, carrying out the tools that it asks for. `interrupt` ends
    /// it early; what had come by then is kept.
    pub async fn answer(
        &mut self,
        provider: &dyn Provider,
        composed: Composed,
        clock: fn() -> Timestamp,
        interrupt: impl Future<Output = ()>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<Answer, ChatError> {
        let mut interrupt = pin!(interrupt);
        let mut request = composed.request.clone();
        let mut reply = Reply::new();
        let mut called = Vec::new();
        for round in 0.. {
            let came = reply
                .take_round(provider, &request, interrupt.as_mut(), tell)
                .await;
            let goes_on = reply.stop.is_complete() && !came.calls.is_empty();
            if !goes_on || round == ROUNDS_MAX {
                break;
            }
            let mut desk = Desk {
                audience: audience_of(provider),
                now: clock(),
                proposals: &mut called,
            };
            let results = self.results(&came.calls, &mut desk);
            let role = Role::Assistant;
            let parts = came.parts;
            request.messages.extend([Turn { role, parts }, results]);
        }
        reply.proposals.append(&mut called);
        let model = format!("{}/{}", provider.name(), composed.request.model);
        self.keep(reply, model, composed, clock())
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
        let teaches = reply.stop.is_complete() && self.settings.learns;
        let (accepted, learnt) = self.append_judged(&mut |session| {
            let accepted = match teaches {
                true => session.judge(&reply.proposals, now)?,
                false => Accepted::default(),
            };
            let learnt = accepted.notice(&session.memory.fold);
            let mut records = vec![Record::Message(message.clone())];
            records.extend(events(&accepted.ops, now));
            Ok((records, (accepted, learnt)))
        })?;
        self.messages += 1;
        self.memories += accepted.ops.len() as u64;
        Ok(Answer {
            message: Some(message),
            accepted,
            learnt,
            faults: reply.faults,
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
            .filter_map(|kept| {
                let text = kept.typed()?;
                Some(TypedLine {
                    id: kept.id,
                    at: kept.at,
                    text,
                })
            })
            .collect();
        let context = self.context(self.conversation(), now);
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
        let context = Context {
            conversation: None,
            now,
            zone: jiff::tz::TimeZone::system(),
            private: None,
            project: self.project().cloned(),
        };
        self.append_judged(&mut |session| {
            let memory = &session.memory.fold;
            let accepted = memory::add_by_command(text, kind, pinned, memory, &context);
            Ok((events(&accepted.ops, now), accepted))
        })
    }
}

/// Who gets to read what is sent to a provider.
pub(super) fn audience_of(provider: &dyn Provider) -> Audience {
    match provider.host() {
        Some(host) if !is_local_host(host) => Audience::Remote,
        _ => Audience::ThisMachine,
    }
}
