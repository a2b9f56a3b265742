//! Long-term memory: items, the rules they live by, and the prompts about them.
//!
//! Pure logic. It folds `memory` records into a state, chooses and words what a model gets to see
//! of it, and judges what a model proposes for it. It never does I/O, never takes the time, and
//! draws nothing at random besides the ids of new items. What a model says is a proposal here: it
//! becomes active only when the person's own words hold it up.

mod accept;
#[cfg(test)]
mod adversary_tests;
mod answer;
mod claim;
mod claim_values;
mod claim_words;
mod consolidate;
mod dates;
mod diff;
mod escape;
mod extract;
mod filling;
mod fold;
mod judge;
mod lenient;
mod markdown;
mod plain;
#[cfg(test)]
mod project_tests;
mod prompt;
mod proposal;
mod purge;
mod query;
mod quote;
mod same;
mod secrets;
#[cfg(test)]
mod session_tests;
mod suspicion;
#[cfg(test)]
mod test_support;
mod told;
mod undo;
mod update;
mod vocabulary;
mod words;

pub use accept::{
    EditError, accept, add_by_command, approve_shown, edit_by_command, move_by_command, receive,
};
pub use answer::AnswerError;
pub use consolidate::{Consolidation, Plan, PlanOp, Planned, Skip};
pub use diff::{Change, diff};
pub use escape::{one_line, quoted};
pub use extract::{Evidence, ExtractOp, Extracted, Extraction, Statement, Turn};
pub use fold::{Batch, Event, Memory, Stored, What};
pub use judge::{Accepted, Context, Judgement, Verdict, Why};
pub use prompt::{
    Audience, Budgets, Note, REMEMBER_DESCRIPTION, Reader, Standing, UPDATE_INSTRUCTIONS,
    estimate_tokens,
};
pub use proposal::{Fault, Proposal, parse_updates, remember_schema};
pub use purge::{before_purge, holds_words_of};
pub use query::{Counts, Filter, Found};
pub use quote::Said;
pub use secrets::{SecretKind, detect_secrets};
pub use suspicion::Flag;
pub use undo::{Undo, bring_back, undo, undo_batch};
pub use update::{Filtered, UpdateFilter};
