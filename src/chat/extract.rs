//! The pass over what was said: finds, with a model, what was not noticed while it was said.
//!
//! A pass is a record before it is a request (`work`: owed), so that whatever becomes of the request
//! it can be made again. What it finds is appended together with its end, judged by the memory of
//! that moment.

use std::future::Future;
use std::pin::Pin;

use crate::memory::{Accepted, AnswerError, Audience, ExtractOp, Extraction, Reader, Said, Turn};
use crate::model::{Id, Message, Record, Role, SourceClass, Text, Timestamp, Work, WorkOp};
use crate::provider::{JsonSchema, Provider, Request};

use super::dictate::{Unanswered, dictate};
use super::error::ChatError;
use super::passes::Pass;
use super::session::{Session, events};
use super::transcript::transcript;
use super::turn::audience_of;

/// Requests of one pass.
const PARTS_MAX: usize = 64;
/// Of an answer that could not be read, what is kept.
const KEPT_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What became of a pass.
#[derive(Debug)]
pub struct Passed {
    /// Of all its parts.
    pub accepted: Accepted,
    /// In one line; none if nothing was learnt.
    pub learnt: Option<Text>,
    /// Why it did not come to its end; it stays owed then.
    pub broke: Option<Broke>,
}

/// Why a pass did not come to its end.
#[derive(Debug)]
pub enum Broke {
    Unanswered(Unanswered),
    Unreadable(AnswerError),
}

/// A message as a pass looks at it.
struct Line {
    seq: u64,
    id: Id,
    role: Role,
    at: Timestamp,
    text: Text,
}

impl Session {
    /// Makes a pass: asks the model part by part and keeps what holds. `interrupt` ends it; what
    /// was found by then stays, and the rest stays owed.
    pub async fn extract(
        &mut self,
        provider: &dyn Provider,
        model: &str,
        pass: Pass,
        clock: fn() -> Timestamp,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Passed, ChatError> {
        // The pass may be over what another process said since: whose it is has to be known.
        self.refresh()?;
        let audience = self.audience_for(provider, pass.conversation)?;
        let mut interrupt = std::pin::pin!(interrupt);
        let work = pass.work.unwrap_or_else(Id::fresh);
        let mut passed = Passed {
            accepted: Accepted::default(),
            learnt: None,
            broke: None,
        };
        let mut after = self.message_before(pass.conversation, pass.after_seq)?;
        let mut after_seq = pass.after_seq;
        let mut announced = false;
        for _ in 0..PARTS_MAX {
            let lines = self.lines_behind(&pass, after_seq)?;
            let end = lines.last().map(|line| line.id).or(after);
            let reader = self.reader(audience, pass.conversation);
            let Some(part) = Part::new(self, lines, reader, clock()) else {
                // The person said nothing there.
                if let Some(through) = end {
                    let done = done_record(work, clock(), pass.conversation, through);
                    self.append(&[done])?;
                }
                break;
            };
            let (through, through_seq) = part.end();
            let is_last = !self.is_more(&pass, through_seq)?;
            let owed = |after, answer| {
                work_record(work, clock(), pass.conversation, Owing { after, answer })
            };
            if !announced {
                self.append(&[owed(after, None)])?;
            }
            announced = true;
            let read = part
                .ask(provider, model, &self.settings, interrupt.as_mut())
                .await;
            let ops = match read {
                Ok(ops) => ops,
                Err((broke, answer)) => {
                    if let Some(answer) = answer {
                        self.append(&[owed(after, Some(answer))])?;
                    }
                    passed.broke = Some(broke);
                    break;
                }
            };
            let now = clock();
            let end = match is_last {
                true => done_record(work, now, pass.conversation, through),
                false => owed(Some(through), None),
            };
            let (accepted, learnt) = self.keep_part(&part, &ops, pass.conversation, now, &end)?;
            passed.take(accepted, learnt);
            (after, after_seq) = (Some(through), through_seq);
            if is_last {
                break;
            }
        }
        Ok(passed)
    }

    /// Appends what holds of a part's findings, with the record that says how far the pass is.
    fn keep_part(
        &mut self,
        part: &Part,
        ops: &[ExtractOp],
        conversation: Id,
        now: Timestamp,
        end: &Record,
    ) -> Result<(Accepted, Option<Text>), ChatError> {
        let (accepted, learnt) = self.append_judged(&mut |session| {
            let context = session.context(conversation, now);
            let memory = &session.memory.fold;
            let accepted = part.extraction.accept(ops, &part.said(), memory, &context);
            let learnt = accepted.notice(memory);
            let mut records = events(&accepted.ops, now);
            records.push(end.clone());
            Ok((records, (accepted, learnt)))
        })?;
        self.memories += accepted.ops.len() as u64;
        Ok((accepted, learnt))
    }

    /// Leaves a pass for later.
    pub fn owe(&mut self, pass: Pass, now: Timestamp) -> Result<(), ChatError> {
        let work = pass.work.unwrap_or_else(Id::fresh);
        let after = self.message_before(pass.conversation, pass.after_seq)?;
        let owing = Owing {
            after,
            answer: None,
        };
        self.append(&[work_record(work, now, pass.conversation, owing)])
    }

    /// What a pass would find, without keeping anything of it: of its first part.
    pub async fn rehearse(
        &mut self,
        provider: &dyn Provider,
        model: &str,
        pass: Pass,
        now: Timestamp,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Passed, ChatError> {
        self.refresh()?;
        let audience = self.audience_for(provider, pass.conversation)?;
        let mut passed = Passed {
            accepted: Accepted::default(),
            learnt: None,
            broke: None,
        };
        let lines = self.lines_behind(&pass, pass.after_seq)?;
        let reader = self.reader(audience, pass.conversation);
        let Some(part) = Part::new(self, lines, reader, now) else {
            return Ok(passed);
        };
        let interrupt = std::pin::pin!(interrupt);
        match part.ask(provider, model, &self.settings, interrupt).await {
            Ok(ops) => {
                let context = self.context(pass.conversation, now);
                let memory = &self.memory.fold;
                passed.accepted = part.extraction.accept(&ops, &part.said(), memory, &context);
                passed.learnt = passed.accepted.notice(memory);
            }
            Err((broke, _)) => passed.broke = Some(broke),
        }
        Ok(passed)
    }

    pub(super) fn audience_for(
        &self,
        provider: &dyn Provider,
        conversation: Id,
    ) -> Result<Audience, ChatError> {
        let audience = audience_of(provider);
        let window = self.buffer.fold.window(conversation);
        let local = window.is_some_and(|window| window.local)
            || (conversation == self.conversation() && self.is_local());
        match provider.host() {
            Some(host) if local && audience == Audience::Remote => {
                Err(ChatError::PrivateConversation {
                    host: host.to_owned(),
                })
            }
            _ => Ok(audience),
        }
    }

    /// The messages of a conversation behind a place, as far as one request may hold them.
    fn lines_behind(&mut self, pass: &Pass, seq: u64) -> Result<Vec<Line>, ChatError> {
        let most = self.settings.window_tokens.saturating_mul(8);
        let (mut after, mut bytes) = (seq, 0);
        let mut lines = Vec::new();
        while bytes <= most && after < pass.last_seq {
            let batch = self.log.read(after)?;
            let Some(last) = batch.last() else { break };
            after = last.seq;
            for entry in &batch {
                let Ok(Record::Message(message)) = entry.record() else {
                    continue;
                };
                if message.conversation != pass.conversation || bytes > most {
                    continue;
                }
                let text = words_of(&message);
                bytes += text.len() + 64;
                lines.push(Line {
                    seq: entry.seq,
                    id: message.id,
                    role: message.role,
                    at: message.at,
                    text,
                });
            }
        }
        Ok(lines)
    }

    fn is_more(&mut self, pass: &Pass, seq: u64) -> Result<bool, ChatError> {
        let window = self.buffer.fold.window(pass.conversation);
        let last = window.and_then(|window| window.messages.back());
        match last {
            Some(last) => Ok(last.seq.min(pass.last_seq) > seq),
            None => Ok(!self.lines_behind(pass, seq)?.is_empty()),
        }
    }

    /// The last message of a conversation up to a place.
    fn message_before(&mut self, conversation: Id, seq: u64) -> Result<Option<Id>, ChatError> {
        let window = self.buffer.fold.window(conversation);
        let kept = window.map(|window| window.messages.iter().rev());
        if let Some(kept) = kept.into_iter().flatten().find(|kept| kept.seq <= seq) {
            return Ok(Some(kept.id));
        }
        let conversations = self.conversations()?;
        let mut before = None;
        let mut each = |at, message: Message| {
            if at <= seq {
                before = Some(message.id);
            }
        };
        transcript(
            self.log.as_mut(),
            &conversations.fold,
            conversation,
            &mut each,
        )?;
        Ok(before)
    }
}

/// What the person typed, or the assistant said: no files, nothing imported.
fn words_of(message: &Message) -> Text {
    match message.role {
        Role::User => message.typed(),
        _ if message.source == Some(SourceClass::Import) => Text::default(),
        _ => message.plain(),
    }
}

impl Passed {
    fn take(&mut self, accepted: Accepted, learnt: Option<Text>) {
        self.accepted.ops.extend(accepted.ops);
        self.accepted.verdicts.extend(accepted.verdicts);
        if let Some(more) = learnt {
            let line = self.learnt.get_or_insert_default();
            if !line.is_empty() {
                line.push_str(" · ");
            }
            line.push_str(&more);
        }
    }
}

/// What one request is about.
struct Part {
    extraction: Extraction,
    lines: Vec<Line>,
}

impl Part {
    fn new(
        session: &Session,
        mut lines: Vec<Line>,
        reader: Reader,
        now: Timestamp,
    ) -> Option<Self> {
        let spoken: Vec<Turn<'_>> = lines.iter().map(Line::turn).collect();
        let tokens_max = session.settings.window_tokens;
        let memory = &session.memory.fold;
        let extraction = Extraction::new(&spoken, memory, reader, now, tokens_max)?;
        lines.truncate(extraction.taken);
        Some(Part { extraction, lines })
    }

    fn end(&self) -> (Id, u64) {
        let last = self.lines.last().expect("a part has a message");
        (last.id, last.seq)
    }

    fn said(&self) -> Vec<Said<'_>> {
        let own = self.lines.iter().filter(|line| line.role == Role::User);
        own.map(|line| Said {
            id: line.id,
            at: line.at,
            text: &line.text,
        })
        .collect()
    }

    async fn ask(
        &self,
        provider: &dyn Provider,
        model: &str,
        settings: &super::session::Settings,
        interrupt: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Vec<ExtractOp>, (Broke, Option<Text>)> {
        let extraction = &self.extraction;
        let mut request = Request::new(model, settings.max_tokens);
        request = request.say(Role::User, extraction.prompt.clone());
        request.system.push(crate::provider::SystemPart {
            text: extraction.system.into(),
            cached: false,
        });
        request.schema = Some(JsonSchema {
            name: "memory_operations".to_owned(),
            schema: extraction.schema.clone(),
        });
        let answer = dictate(provider, &request, interrupt).await;
        let answer = answer.map_err(|why| (Broke::Unanswered(why), None))?;
        let read = extraction.parse(&answer);
        read.map(|read| read.ops).map_err(|error| {
            let end = answer.floor_char_boundary(KEPT_ANSWER_BYTES_MAX.min(answer.len()));
            (Broke::Unreadable(error), Some(answer[..end].into()))
        })
    }
}

impl Line {
    fn turn(&self) -> Turn<'_> {
        Turn {
            id: self.id,
            role: self.role,
            at: self.at,
            text: &self.text,
        }
    }
}

struct Owing {
    after: Option<Id>,
    answer: Option<Text>,
}

fn work_record(id: Id, at: Timestamp, conversation: Id, owing: Owing) -> Record {
    let op = WorkOp::ExtractionOwed {
        conversation,
        after: owing.after,
        answer: owing.answer,
    };
    Record::Work(Work { id, at, op })
}

fn done_record(id: Id, at: Timestamp, conversation: Id, through: Id) -> Record {
    let op = WorkOp::Done {
        conversation: Some(conversation),
        through: Some(through),
    };
    Record::Work(Work { id, at, op })
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
