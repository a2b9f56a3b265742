//! `agent memory list`, `show` and `history`: what is remembered, for people to look at. Everything
//! there is, of every project.

use super::super::failure::Failure;
use super::super::output::{one_line, print_json, print_line};
use super::super::project;
use super::super::shell::now;
use super::{Desk, Shown, word};
use crate::memory::{Filter, Stored};
use crate::model::Status;

impl Desk {
    /// Those of one project, if one is named.
    pub(super) fn list(&mut self, filter: Filter, of: Option<&str>) -> Result<(), Failure> {
        let memory = &self.view.fold;
        let of = of.map(|wanted| project::named(&mut self.vault, memory, wanted));
        let of = of.transpose()?;
        let items = memory.items(filter);
        let wanted = |s: &&Stored| of.is_none() || s.item.project == of;
        let items: Vec<&Stored> = items.filter(wanted).collect();
        if self.shell.global.json {
            let shown: Vec<Shown<'_>> = items.iter().map(|s| Shown::from(&s.item)).collect();
            return print_json(&shown);
        }
        if items.is_empty() {
            self.shell.note(match of {
                None => "Nothing is remembered yet. `agent memory add TEXT` adds something.",
                Some(_) => "Nothing is remembered of this project alone.",
            });
        }
        let waiting = items
            .iter()
            .filter(|s| s.item.status == Status::Pending)
            .count();
        let ids = items.iter().map(|s| self.view.fold.short_id(s.item.id));
        let wide = ids.map(|id| id.len()).max().unwrap_or(0);
        for stored in &items {
            print_line(&self.line(stored, wide))?;
        }
        if waiting > 0 && filter.status.is_none() {
            self.shell.note(&format!(
                "{waiting} wait for you: `agent memory review` goes through them"
            ));
        }
        Ok(())
    }

    fn line(&self, stored: &Stored, wide: usize) -> String {
        let item = &stored.item;
        let mut marks = Vec::new();
        if item.status != Status::Active {
            marks.push(word(&item.status));
        }
        if item.pinned {
            marks.push("pinned".to_owned());
        }
        marks.extend(item.project.as_ref().map(|p| one_line(p.name())));
        marks.extend(item.flag.as_ref().map(|flag| one_line(flag)));
        let now = now();
        if item.status == Status::Active && !stored.is_live(now) {
            marks.push("its time is over".to_owned());
        } else if item.status == Status::Active && stored.is_stale(now) {
            let day = stored.last_said().strftime("%Y-%m-%d");
            marks.push(format!("not confirmed since {day}"));
        }
        let marks = if marks.is_empty() {
            String::new()
        } else {
            format!("  [{}]", marks.join(", "))
        };
        let id = self.view.fold.short_id(item.id);
        format!(
            "{id:<wide$}  {:<10}  {}{marks}",
            word(&item.kind),
            one_line(&item.text)
        )
    }

    pub(super) fn show(&self, prefix: &str) -> Result<(), Failure> {
        let id = self.find(prefix)?;
        let Some(stored) = self.view.fold.item(id) else {
            return Err(Failure::NoSuchItem(prefix.to_owned()));
        };
        let item = &stored.item;
        if self.shell.global.json {
            return print_json(&Shown::from(item));
        }
        print_line(&one_line(&item.text))?;
        let mut rows = vec![
            ("id", item.id.to_string()),
            ("kind", word(&item.kind)),
            ("status", word(&item.status)),
            ("created", item.created.to_string()),
            ("source", word(&item.source.class)),
        ];
        rows.extend(
            item.project
                .as_ref()
                .map(|p| ("project", one_line(p.root()))),
        );
        rows.extend(item.confirmed.map(|at| ("confirmed", at.to_string())));
        rows.extend(item.expires.map(|at| ("expires", at.to_string())));
        rows.extend(
            item.source
                .conversation
                .map(|id| ("conversation", id.to_string())),
        );
        rows.extend(
            item.source
                .quote
                .as_ref()
                .map(|quote| ("quote", one_line(quote))),
        );
        rows.extend(item.supersedes.map(|id| ("supersedes", id.to_string())));
        rows.extend(
            stored
                .superseded_by
                .map(|id| ("superseded by", id.to_string())),
        );
        rows.extend(item.flag.as_ref().map(|flag| ("flagged", one_line(flag))));
        if item.pinned {
            rows.push(("pinned", "yes".to_owned()));
        }
        rows.into_iter()
            .try_for_each(|(name, value)| print_line(&format!("  {name:<14}{value}")))
    }

    pub(super) fn history(&self, prefix: &str) -> Result<(), Failure> {
        let id = self.find(prefix)?;
        let Some(stored) = self.view.fold.item(id) else {
            return Err(Failure::NoSuchItem(prefix.to_owned()));
        };
        if self.shell.global.json {
            return print_json(&stored.events);
        }
        print_line(&one_line(&stored.item.text))?;
        for event in &stored.events {
            let old = event
                .text_before
                .as_ref()
                .map_or_else(String::new, |text| format!(" (before: {})", one_line(text)));
            print_line(&format!("  {}  {}{old}", event.at, word(&event.what)))?;
        }
        Ok(())
    }
}
