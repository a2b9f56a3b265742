//! Holds the imports of every room to the table in `docs/architecture.md`.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Room → the rooms it may use; `None` is "all".
fn table() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let page = fs::read_to_string("docs/architecture.md").expect("the page is in the repository");
    let names = |cell: &str| -> BTreeSet<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let (_, rooms) = page.split_once("\n## Rooms\n").expect("the page has rooms");
    let rooms = rooms.split("\n## ").next().unwrap_or(rooms);
    rooms
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let room = names(cells[0])
                .into_iter()
                .next()
                .expect("first cell names the room");
            let may = if cells[1] == "all" {
                None
            } else {
                Some(names(cells[1]))
            };
            (room, may)
        })
        .collect()
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The rooms that a source text names by `crate::room`, also inside `use crate::{a::…, b::…}`.
fn named_rooms(text: &str) -> BTreeSet<String> {
    let first_word = |part: &str| -> String {
        part.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut found = BTreeSet::new();
    for part in text.split("crate::").skip(1) {
        let Some(group) = part.strip_prefix('{') else {
            found.insert(first_word(part));
            continue;
        };
        let mut depth = 0;
        let mut members = vec![String::new()];
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                ',' if depth == 0 => members.push(String::new()),
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => members.last_mut().expect("never empty").push(c),
            }
        }
        found.extend(members.iter().map(|member| first_word(member)));
    }
    found
}

#[test]
fn every_import_is_in_the_table() {
    let table = table();
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    assert!(files.len() > 5);
    for file in files {
        let inside = file.strip_prefix("src").unwrap();
        let first = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let room = first.trim_end_matches(".rs");
        if room == "main" || room == "lib" {
            continue;
        }
        let Some(may) = table.get(room) else {
            wrong.push(format!(
                "{}: the room `{room}` is not in the table",
                file.display()
            ));
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        for used in named_rooms(&text) {
            let known = table.contains_key(&used);
            let allowed = used == room || may.as_ref().is_none_or(|may| may.contains(&used));
            if known && !allowed {
                wrong.push(format!("{}: `{room}` may not use `{used}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_source_file_passes_the_wall_of_600_lines() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    for file in files {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 600, "{}: {lines} lines", file.display());
    }
}

#[test]
fn a_group_import_is_seen() {
    let rooms = named_rooms("use crate::{model::{Id, Text}, store, vault::Vault};");
    assert_eq!(
        rooms.into_iter().collect::<Vec<_>>(),
        ["model", "store", "vault"]
    );
    assert!(named_rooms("crate::seal::Key").contains("seal"));
}
