//! Commands about memory: what is remembered, and what of it was told.

use super::super::failure::Failure;
use super::super::memory::find_item;
use super::super::output::{complain, one_line};
use super::super::project;
use super::super::shell::now;
use super::super::talk;
use super::super::why;
use super::Chatting;
use super::commands::Outcome;
use crate::chat::UndoWhat;
use crate::memory::{Filter, Memory};
use crate::model::{Kind, MemoryEvent, MemoryOp, Project, Record, Status};

impl Chatting {
    pub(super) fn show_memory(&mut self, words: &str) -> Result<Outcome, Failure> {
        let session = self.open_session()?;
        let memory = &session.memory.fold;
        let words = words.to_lowercase();
        let mut any = false;
        let here = session.project();
        talk::project_line(session)
            .iter()
            .for_each(|line| complain(line));
        let items = memory.items(Filter::default());
        for stored in items.filter(|stored| stored.item.comes_up_in(here)) {
            let text = one_line(&stored.item.text);
            let holds = |word: &str| text.to_lowercase().contains(word);
            if !words.split_whitespace().all(holds) {
                continue;
            }
            any = true;
            let pending = stored.item.status == Status::Pending;
            let waits = if pending { "  [waits for you]" } else { "" };
            let id = memory.short_id(stored.item.id);
            let of = project::mark(stored.item.project.as_ref());
            complain(&format!("{id}  {text}{of}{waits}"));
        }
        match (any, words.is_empty()) {
            (true, _) => {}
            (false, true) => complain("Nothing is remembered yet."),
            (false, false) => complain("Nothing that is remembered holds these words."),
        }
        Ok(Outcome::Go)
    }

    pub(super) fn remember(&mut self, text: &str) -> Result<Outcome, Failure> {
        let session = self.kept_session()?;
        let accepted = session.remember(text, Kind::Fact, false, now())?;
        let notice = accepted.notice(&session.memory.fold);
        complain(&notice.map_or("known already".to_owned(), |notice| one_line(&notice)));
        Ok(Outcome::Go)
    }

    pub(super) fn forget(&mut self, prefix: &str) -> Result<Outcome, Failure> {
        let session = self.kept_session()?;
        let id = find_item(&session.memory.fold, prefix)?;
        let event = MemoryEvent {
            at: now(),
            op: MemoryOp::Forget { id },
        };
        session.append(&[Record::Memory(event)])?;
        complain("forgotten; the bytes stay until purged; /undo takes it back");
        Ok(Outcome::Go)
    }

    /// Takes the last change back that was not taken back already.
    pub(super) fn undo(&mut self, _: &str) -> Result<Outcome, Failure> {
        let undone = self.undone.clone();
        let session = self.kept_session()?;
        let undo = session.undo(UndoWhat::LastBut(&undone), true, now())?;
        let undo = undo.ok_or(Failure::NothingToUndo)?;
        let memory = &session.memory.fold;
        let taken = memory.batches().last().map(|batch| batch.first_seq);
        let here = session.project();
        for op in &undo.ops {
            complain(&taken_back(memory, op, here));
        }
        if undo.ops.is_empty() {
            complain("Nothing of the last change is left to take back.");
        }
        self.undone.push(undo.first_seq);
        self.undone.extend(taken.filter(|_| !undo.ops.is_empty()));
        Ok(Outcome::Go)
    }

    pub(super) fn why(&mut self, _: &str) -> Result<Outcome, Failure> {
        let Some(composed) = &self.last else {
            complain("Nothing was asked yet.");
            return Ok(Outcome::Go);
        };
        why::lines(composed).iter().for_each(|line| complain(line));
        Ok(Outcome::Go)
    }
}

/// What an operation that takes another back did.
fn taken_back(memory: &Memory, op: &MemoryOp, here: Option<&Project>) -> String {
    let text = |id| match memory.item(id).map(|stored| &stored.item) {
        Some(item) if item.comes_up_in(here) => one_line(&item.text),
        Some(_) => "an item of another project".to_owned(),
        None => String::new(),
    };
    match op {
        MemoryOp::Reject { id } | MemoryOp::Forget { id } | MemoryOp::Expire { id } => {
            format!("taken back: {}", text(*id))
        }
        MemoryOp::Restore { id } => format!("is back: {}", text(*id)),
        MemoryOp::Edit { id, .. } => format!("reads again: {}", text(*id)),
        MemoryOp::Pin { id } => format!("pinned again: {}", text(*id)),
        MemoryOp::Unpin { id } => format!("not pinned any more: {}", text(*id)),
        _ => "taken back".to_owned(),
    }
}
