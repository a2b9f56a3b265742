//! Holds the pages to the program: the tour of the README runs, and links lead somewhere.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The commands of the tour, one a line.
fn tour() -> Vec<String> {
    let page = fs::read_to_string("README.md").unwrap();
    let (_, behind) = page.split_once("## A short tour").unwrap();
    let (_, block) = behind.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().map(str::to_owned).collect()
}

#[test]
fn every_line_of_the_tour_runs() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("work")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "no data file, but an input")]
    fs::write(home.path().join("work/key.txt"), "sk-of-the-tour\n").unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_agent"));
    let lines = tour();
    assert!(lines.len() > 10);
    for line in lines {
        // The derivation takes about a second on purpose; here the least that is allowed will do.
        let cheap = line.replace("agent init ", "agent init --kdf-memory 19 --kdf-passes 2 ");
        let done = Command::new("/bin/sh")
            .args(["-c", &cheap])
            .current_dir(home.path().join("work"))
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", program.parent().unwrap().display()),
            )
            .env("HOME", home.path())
            .env("AGENT_PASSPHRASE", "the passphrase of the tour")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{line}\n{said}");
    }
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![PathBuf::from("README.md")];
    for dir in ["docs", "docs/decisions"] {
        let entries = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|e| e == "md")));
    }
    pages
}

/// Targets of `[…](…)` that are files.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    files
        .map(|target| target.split('#').next().unwrap_or(target).to_owned())
        .collect()
}

#[test]
fn every_link_leads_to_a_file() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            count += 1;
            if !page.parent().unwrap().join(&link).exists() {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(count > 5);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
