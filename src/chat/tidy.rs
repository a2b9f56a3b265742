//! Consolidation and undoing: changes to many items at once, made on the memory of the moment they
//! are appended in, and taken back together.

use std::future::Future;

use crate::memory::{
    AnswerError, Change, Consolidation, Plan, PlanOp, Reader, Skip, diff, undo_batch,
};
use crate::model::{Id, MemoryOp, Project, Role, Timestamp};
use crate::provider::{JsonSchema, Provider, Request, SystemPart};

use super::dictate::{Unanswered, dictate};
use super::error::ChatError;
use super::session::{Session, events};
use super::turn::audience_of;

/// Items made since the last consolidation before another is worth a word.
const GROWN_BY: usize = 50;

/// What a model would have done to a snapshot of memory.
pub struct Proposed {
    consolidation: Consolidation,
    plan: Plan,
    /// Operations that named what was not shown.
    pub ignored: usize,
    /// Items for which there was no room in the request.
    pub left_out: usize,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum Unplanned {
    /// Fewer than two items to put together.
    TooFew,
    Unanswered(Unanswered),
    Unreadable(AnswerError),
}

/// What was changed, or would be.
#[derive(Debug)]
pub struct Tidied {
    pub changes: Vec<Change>,
    pub skipped: Vec<(PlanOp, Skip)>,
}

/// What was taken back, or would be.
#[derive(Debug)]
pub struct Undone {
    /// The first record of the operations that were taken back, and what takes them back.
    pub first_seq: u64,
    pub ops: Vec<MemoryOp>,
    pub changes: Vec<Change>,
    /// Items left alone, since something else happened to them after.
    pub skipped: Vec<Id>,
}

/// Which operations to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoWhat<'a> {
    /// Those that were appended together last.
    Last,
    /// Of those that did something to what comes up here, the last, but for those that begin with
    /// these records.
    LastBut(&'a [u64]),
    LastConsolidation,
}

impl Session {
    /// Shows a model what is remembered of a project, or of none, and reads what it would tidy. Nothing is locked meanwhile
    /// and nothing is changed.
    pub async fn propose_consolidation(
        &mut self,
        provider: &dyn Provider,
        model: &str,
        project: Option<&Project>,
        now: Timestamp,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Result<Proposed, Unplanned>, ChatError> {
        self.refresh()?;
        let audience = audience_of(provider);
        let project = project.cloned();
        let reader = Reader { audience, project };
        let tokens_max = self.settings.window_tokens;
        let memory = &self.memory.fold;
        let Some(consolidation) = Consolidation::new(memory, reader, now, tokens_max) else {
            return Ok(Err(Unplanned::TooFew));
        };
        let mut request = Request::new(model, self.settings.max_tokens);
        request = request.say(Role::User, consolidation.prompt.clone());
        request.system.push(SystemPart {
            text: consolidation.system.into(),
            cached: false,
        });
        request.schema = Some(JsonSchema {
            name: "memory_operations".to_owned(),
            schema: consolidation.schema.clone(),
        });
        let answer = match dictate(provider, &request, interrupt).await {
            Ok(answer) => answer,
            Err(why) => return Ok(Err(Unplanned::Unanswered(why))),
        };
        Ok(match consolidation.parse(&answer) {
            Ok(plan) => Ok(Proposed {
                ignored: plan.ignored,
                left_out: consolidation.left_out,
                consolidation,
                plan,
            }),
            Err(error) => Err(Unplanned::Unreadable(error)),
        })
    }

    /// What proposals come to on the memory of this moment, without doing it.
    pub fn rehearse_consolidation(
        &mut self,
        proposed: &[Proposed],
        now: Timestamp,
    ) -> Result<Tidied, ChatError> {
        self.refresh()?;
        Ok(self.tidied(proposed, now).0)
    }

    /// Does of proposals, each of another project, what still holds on the memory of this moment.
    pub fn consolidate(
        &mut self,
        proposed: &[Proposed],
        now: Timestamp,
    ) -> Result<Tidied, ChatError> {
        self.append_judged(&mut |session| {
            let (tidied, ops) = session.tidied(proposed, now);
            Ok((events(&ops, now), tidied))
        })
    }

    fn tidied(&self, proposed: &[Proposed], now: Timestamp) -> (Tidied, Vec<MemoryOp>) {
        let memory = &self.memory.fold;
        let zone = jiff::tz::TimeZone::system();
        let (mut ops, mut skipped) = (Vec::new(), Vec::new());
        for proposed in proposed {
            let (consolidation, plan) = (&proposed.consolidation, &proposed.plan);
            let planned = consolidation.apply_plan(plan, memory, now, &zone);
            let changes = planned.ops.into_iter();
            ops.extend(changes.filter(|op| *op != MemoryOp::Consolidated));
            skipped.extend(planned.skipped);
        }
        // One mark ends them all, so that they are undone together.
        if !ops.is_empty() {
            ops.push(MemoryOp::Consolidated);
        }
        let changes = diff(memory, &ops, now);
        (Tidied { changes, skipped }, ops)
    }

    /// Takes operations back; none if there are none. `keep` false only tells what would change.
    pub fn undo(
        &mut self,
        what: UndoWhat<'_>,
        keep: bool,
        now: Timestamp,
    ) -> Result<Option<Undone>, ChatError> {
        self.append_judged(&mut |session| {
            let memory = &session.memory.fold;
            let mut batches = memory.batches().iter().rev();
            let batch = match what {
                UndoWhat::Last => batches.next(),
                UndoWhat::LastBut(undone) => {
                    let here = session.project();
                    batches.find(|b| !undone.contains(&b.first_seq) && memory.is_of(b, here))
                }
                UndoWhat::LastConsolidation => batches.find(|batch| batch.consolidation),
            };
            let Some(batch) = batch else {
                return Ok((Vec::new(), None));
            };
            let undo = undo_batch(memory, batch);
            let records = match keep {
                true => events(&undo.ops, now),
                false => Vec::new(),
            };
            let undone = Undone {
                first_seq: batch.first_seq,
                changes: diff(memory, &undo.ops, now),
                ops: undo.ops,
                skipped: undo.skipped,
            };
            Ok((records, Some(undone)))
        })
    }

    /// How many items were made since memory was tidied last, where these are many.
    pub fn has_grown(&self) -> Option<usize> {
        let memory = &self.memory.fold;
        let last = memory.batches().iter().rev().find(|b| b.consolidation);
        let since = last.map_or(0, |batch| batch.last_seq);
        let fresh = memory.active().filter(|stored| {
            let made = stored.events.first().map_or(0, |event| event.seq);
            made > since
        });
        let count = fresh.count();
        (count >= GROWN_BY).then_some(count)
    }
}

#[cfg(test)]
#[path = "tidy_tests.rs"]
mod tests;
