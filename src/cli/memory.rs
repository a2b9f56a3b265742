//! `agent memory …`: long-term memory from the command line.

mod changes;
pub(super) mod learn;
mod listing;
mod review;
mod tidy;

use std::process::ExitCode;

use serde::Serialize;

use super::args::{KindArg, MemoryAction, Placing, PurgeArgs, StatusArg};
use super::browse;
use super::failure::Failure;
use super::mend;
use super::output::{complain, one_line, print_json};
use super::project;
use super::search::moment;
use super::secret_input::{has_terminal, is_sure};
use super::shell::{Shell, now};
use crate::chat::UndoWhat;
use crate::keeper::Opened;
use crate::memory::{
    self, Accepted, Context, Filter, Found, Judgement, Memory, Stored, approve_shown,
    edit_by_command, move_by_command,
};
use crate::model::{
    Id, Item, Kind, MemoryEvent, MemoryOp, Project, Record, Source, Status, Text, Timestamp,
};
use crate::vault::{Log, View};

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Fact => Kind::Fact,
            KindArg::Preference => Kind::Preference,
            KindArg::Outcome => Kind::Outcome,
        }
    }
}

impl From<StatusArg> for Status {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Pending => Status::Pending,
            StatusArg::Active => Status::Active,
            StatusArg::Superseded => Status::Superseded,
            StatusArg::Expired => Status::Expired,
            StatusArg::Rejected => Status::Rejected,
            StatusArg::Forgotten => Status::Forgotten,
        }
    }
}

/// An item as `--json` shows it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    pub id: Id,
    pub kind: Kind,
    pub text: &'a Text,
    pub status: Status,
    pub pinned: bool,
    pub created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    pub source: &'a Source,
    pub supersedes: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<&'a Project>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<&'a str>,
}

impl<'a> From<&'a Item> for Shown<'a> {
    fn from(item: &'a Item) -> Self {
        Shown {
            id: item.id,
            kind: item.kind,
            text: &item.text,
            status: item.status,
            pinned: item.pinned,
            created: item.created,
            confirmed: item.confirmed,
            expires: item.expires,
            source: &item.source,
            supersedes: item.supersedes,
            project: item.project.as_ref(),
            flag: item.flag.as_deref(),
        }
    }
}

/// The word for a value, as JSON spells it.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().replace('_', " ")
}

struct Desk {
    shell: Shell,
    vault: Opened,
    view: View<Memory>,
}

pub(super) fn run(shell: Shell, action: MemoryAction) -> Result<ExitCode, Failure> {
    if matches!(action, MemoryAction::Browse) {
        return browse::run(&shell, browse::What::Memory);
    }
    if let MemoryAction::Forget { ids, purge: true } = action {
        let args = PurgeArgs {
            memory: ids,
            yes: true,
            ..PurgeArgs::default()
        };
        return mend::purge(&shell, &args);
    }
    match action {
        MemoryAction::Extract(args) => return learn::extract(&shell, &args),
        MemoryAction::Consolidate(args) => return tidy::consolidate(&shell, &args),
        MemoryAction::Undo { dry_run } => return tidy::undo(&shell, UndoWhat::Last, dry_run),
        MemoryAction::Restore { ids } => return tidy::restore(&shell, &ids),
        MemoryAction::Review => return review::review(&shell),
        _ => {}
    }
    let reads = matches!(
        action,
        MemoryAction::List { .. }
            | MemoryAction::Show { .. }
            | MemoryAction::History { .. }
            | MemoryAction::Pending
    );
    let mut vault = if reads {
        shell.open()?
    } else {
        shell.open_to_write()?
    };
    let view = View::load(&mut vault, Memory::new())?;
    if view.was_rebuilt() {
        shell.note("note: the long-term memory was made again from the log");
    }
    let mut desk = Desk { shell, vault, view };
    desk.act(action)?;
    if reads {
        return desk.shell.verdict(&mut desk.vault);
    }
    // The change is in the log already; a checkpoint that fails only costs the next start time.
    if desk.view.is_behind()
        && let Err(error) = desk.view.save(&mut desk.vault)
    {
        desk.shell.note(&format!(
            "warning: the checkpoint could not be written: {error}"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

impl Desk {
    fn act(&mut self, action: MemoryAction) -> Result<(), Failure> {
        match action {
            MemoryAction::List {
                kind,
                status,
                all,
                of,
            } => {
                let filter = Filter {
                    kind: kind.map(Kind::from),
                    status: status.map(Status::from),
                    every: all,
                };
                self.list(filter, of.project.as_deref())
            }
            // Taken before: it wants the whole screen.
            MemoryAction::Browse => Ok(()),
            MemoryAction::Pending => {
                let filter = Filter {
                    status: Some(Status::Pending),
                    ..Filter::default()
                };
                self.list(filter, None)
            }
            MemoryAction::Show { id } => self.show(&id),
            MemoryAction::History { id } => self.history(&id),
            MemoryAction::Add {
                text,
                kind,
                pin,
                expires,
                placing,
            } => {
                let expires = expires.as_deref().map(moment).transpose()?;
                let project = match placing.general || placing.project.is_some() {
                    true => self.place(&placing)?,
                    false => project::usual(&self.shell),
                };
                self.add(&text, (kind.into(), pin), expires, project)
            }
            MemoryAction::Edit { id, text, placing } => self.edit(&id, text.as_deref(), &placing),
            MemoryAction::Forget { ids, .. } => {
                let ops = self.each(&ids, |id| MemoryOp::Forget { id })?;
                self.change(ops, "hidden everywhere; the bytes stay until purged")
            }
            MemoryAction::Approve { ids } => self.approve(&ids),
            MemoryAction::Reject { ids } => {
                let ops = self.each(&ids, |id| MemoryOp::Reject { id })?;
                self.change(ops, "turned down")
            }
            MemoryAction::Pin { id } => {
                let ops = self.each(&[id], |id| MemoryOp::Pin { id })?;
                self.change(ops, "pinned")
            }
            MemoryAction::Unpin { id } => {
                let ops = self.each(&[id], |id| MemoryOp::Unpin { id })?;
                self.change(ops, "not pinned any more")
            }
            MemoryAction::Extract(_)
            | MemoryAction::Consolidate(_)
            | MemoryAction::Undo { .. }
            | MemoryAction::Restore { .. }
            | MemoryAction::Review => Ok(()),
        }
    }

    fn find(&self, prefix: &str) -> Result<Id, Failure> {
        find_item(&self.view.fold, prefix)
    }
}

/// The item whose id begins so.
pub(super) fn find_item(memory: &Memory, prefix: &str) -> Result<Id, Failure> {
    match memory.by_prefix(prefix) {
        Found::One(stored) => Ok(stored.item.id),
        Found::None => Err(Failure::NoSuchItem(prefix.to_owned())),
        Found::Ambiguous(ids) => Err(Failure::AmbiguousItem {
            prefix: prefix.to_owned(),
            count: ids.len(),
        }),
    }
}

impl Desk {
    fn each(&self, ids: &[String], op: fn(Id) -> MemoryOp) -> Result<Vec<MemoryOp>, Failure> {
        ids.iter().map(|prefix| self.find(prefix).map(op)).collect()
    }

    fn append(&mut self, ops: Vec<MemoryOp>) -> Result<(), Failure> {
        let at = now();
        let events = ops
            .into_iter()
            .map(|op| Record::Memory(MemoryEvent { at, op }));
        let records: Vec<Record> = events.collect();
        if !records.is_empty() {
            self.vault.append(&records)?;
            self.view.catch_up(&mut self.vault)?;
        }
        Ok(())
    }

    fn change(&mut self, ops: Vec<MemoryOp>, done: &str) -> Result<(), Failure> {
        let ids: Vec<Id> = ops.iter().filter_map(named).collect();
        self.append(ops)?;
        let stored: Vec<&Stored> = ids
            .iter()
            .filter_map(|id| self.view.fold.item(*id))
            .collect();
        if self.shell.global.json {
            let shown: Vec<Shown<'_>> = stored.iter().map(|s| Shown::from(&s.item)).collect();
            return print_json(&shown);
        }
        for stored in stored {
            let id = self.view.fold.short_id(stored.item.id);
            self.shell.note(&format!("{id}: {done}"));
        }
        Ok(())
    }

    /// Shows the items and asks on the terminal: nothing but a person lets an item count.
    fn approve(&mut self, ids: &[String]) -> Result<(), Failure> {
        if !has_terminal() {
            return Err(Failure::ApprovalNeedsTerminal);
        }
        let mut shown = Vec::new();
        for prefix in ids {
            let id = self.find(prefix)?;
            let text = self
                .view
                .fold
                .item(id)
                .map(|stored| stored.item.text.clone());
            shown.extend(text.map(|text| (id, text)));
        }
        shown.retain(|(_, text)| review::is_shown_whole(text));
        if shown.len() < ids.len() {
            complain("An item that holds characters that cannot be shown is not approved.");
        }
        for (id, text) in &shown {
            let id = self.view.fold.short_id(*id);
            complain(&format!("{id}  “{}”", one_line(text)));
        }
        if shown.is_empty() || !is_sure("Let this count?")? {
            self.shell.note("Nothing was approved.");
            return Ok(());
        }
        // Another process may have changed a text while it was read: that one is not approved.
        self.vault.refresh()?;
        self.view.catch_up(&mut self.vault)?;
        let (ops, changed) = approve_shown(&shown, &self.view.fold);
        for id in changed {
            self.shell.note(&format!(
                "{}: does not wait any more",
                self.view.fold.short_id(id)
            ));
        }
        self.change(ops, "counts from now on")
    }

    fn add(
        &mut self,
        text: &str,
        (kind, pin): (Kind, bool),
        expires: Option<Timestamp>,
        project: Option<Project>,
    ) -> Result<(), Failure> {
        if text.trim().is_empty() {
            return Err(Failure::EmptyText);
        }
        let context = Context {
            conversation: None,
            now: now(),
            zone: jiff::tz::TimeZone::system(),
            private: None,
            project,
        };
        let mut accepted = memory::add_by_command(text, kind, pin, &self.view.fold, &context);
        for op in &mut accepted.ops {
            if let MemoryOp::Add { item } | MemoryOp::Supersede { item, .. } = op {
                item.expires = expires;
            }
        }
        let id = self.accepted_id(&accepted)?;
        let was = self.replaced(&accepted);
        self.append(accepted.ops)?;
        let Some(stored) = id.and_then(|id| self.view.fold.item(id)) else {
            return Err(Failure::EmptyText);
        };
        if self.shell.global.json {
            return print_json(&Shown::from(&stored.item));
        }
        let id = self.view.fold.short_id(stored.item.id);
        let text = one_line(&stored.item.text);
        let line = match accepted.verdicts.first().map(|verdict| &verdict.judgement) {
            Some(Judgement::Known { .. }) => format!("known already, {id}: {text}"),
            Some(Judgement::Replaced(_)) => format!("remembered {id}: {text}, in place of {was}"),
            _ => format!("remembered {id}: {text}"),
        };
        self.shell.note(&line);
        Ok(())
    }

    /// Where the person wants an item to come up.
    fn place(&mut self, placing: &Placing) -> Result<Option<Project>, Failure> {
        let named = placing.project.as_deref();
        let found = named.map(|wanted| project::named(&mut self.vault, &self.view.fold, wanted));
        found.transpose()
    }

    /// Changes the words of an item, or moves it, or both.
    fn edit(&mut self, id: &str, text: Option<&str>, placing: &Placing) -> Result<(), Failure> {
        let id = self.find(id)?;
        let edited = text.map(|text| edit_by_command(id, text, &self.view.fold));
        let mut ops: Vec<MemoryOp> = edited.transpose()?.into_iter().collect();
        if !placing.general && placing.project.is_none() {
            return self.change(ops, "changed");
        }
        let to = self.place(placing)?;
        let mut memory = self.view.fold.clone();
        memory.apply_ops(now(), &ops);
        let (moving, there) = move_by_command(id, to.as_ref(), &memory)?;
        ops.extend(moving);
        self.append(ops)?;
        let stored = self.view.fold.item(there).expect("it was moved there");
        if self.shell.global.json {
            return print_json(&[Shown::from(&stored.item)]);
        }
        let id = self.view.fold.short_id(there);
        self.shell.note(&match &to {
            Some(project) => format!("{id}: comes up in {} alone", one_line(project.name())),
            None => format!("{id}: comes up everywhere"),
        });
        Ok(())
    }

    /// The words of the items that an addition takes the place of.
    fn replaced(&self, accepted: &Accepted) -> String {
        let Some(Judgement::Replaced(ids)) = accepted.verdicts.first().map(|v| &v.judgement) else {
            return String::new();
        };
        let stored = ids.iter().filter_map(|id| self.view.fold.item(*id));
        let texts: Vec<String> = stored
            .map(|stored| format!("“{}”", one_line(&stored.item.text)))
            .collect();
        texts.join(" and ")
    }

    /// The item that an addition made or found.
    fn accepted_id(&self, accepted: &Accepted) -> Result<Option<Id>, Failure> {
        let Some(verdict) = accepted.verdicts.first() else {
            return Ok(None);
        };
        match &verdict.judgement {
            Judgement::Refused(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                Err(Failure::SecretInMemory(names.join(" and ")))
            }
            Judgement::TooLong => Err(Failure::TextTooLong),
            Judgement::Known { id, .. } => Ok(Some(*id)),
            _ => Ok(verdict.id),
        }
    }
}

/// The item that an operation is about.
fn named(op: &MemoryOp) -> Option<Id> {
    match op {
        MemoryOp::Edit { id, .. }
        | MemoryOp::Pin { id }
        | MemoryOp::Unpin { id }
        | MemoryOp::Approve { id }
        | MemoryOp::Reject { id }
        | MemoryOp::Forget { id } => Some(*id),
        _ => None,
    }
}
