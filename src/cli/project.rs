//! Which project: the one that the program was started in, or one that the person names.
//!
//! A project is the root of a work tree of git. Paths are read to find it, and two short files
//! where it is a linked one; git is not run, and nothing it would obey is. Every directory is
//! taken for a root rather than for a part of another's, so that what misleads it only parts.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::args::Talk;
use super::failure::Failure;
use super::output::one_line;
use super::shell::Shell;
use crate::chat::Buffer;
use crate::memory::Memory;
use crate::model::Project;
use crate::vault::{Log, View};

/// Directories above the one that was started in.
const ABOVE_MAX: usize = 128;
/// A longer `.git` file names nothing.
const FILE_BYTES_MAX: u64 = 8192;

/// Why there is no such project.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProjectError {
    #[error("there is no git work tree here")]
    NotHere,
    #[error("nothing is of a project called {0}")]
    Unknown(String),
    #[error("{count} projects are called {name}")]
    Ambiguous { name: String, count: usize },
}

impl ProjectError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            ProjectError::NotHere => "git init makes one; --no-project does without",
            ProjectError::Unknown(_) => "agent memory list --json shows the paths there are",
            ProjectError::Ambiguous { .. } => "give the path",
        }
    }
}

/// How lists mark what is of a project.
pub(super) fn mark(project: Option<&Project>) -> String {
    project.map_or_else(String::new, |p| format!("  [{}]", one_line(p.name())))
}

/// The project of new conversations, if the options or the settings want one.
pub(super) fn of_talk(shell: &Shell, talk: &Talk) -> Result<Option<Project>, Failure> {
    let reads = !talk.incognito || talk.with_memory;
    match (talk.project, talk.no_project) {
        _ if !reads => Ok(None),
        (true, _) => Ok(Some(here()?)),
        (_, true) => Ok(None),
        _ => Ok(usual(shell)),
    }
}

/// The project that is here, if the settings want one.
pub(super) fn usual(shell: &Shell) -> Option<Project> {
    match shell.config.memory.by_project {
        true => here().ok(),
        false => None,
    }
}

/// The project that is here.
pub(super) fn here() -> Result<Project, ProjectError> {
    std::env::current_dir()
        .ok()
        .and_then(|dir| of_path(&dir))
        .ok_or(ProjectError::NotHere)
}

/// The project that a person means: by its name, by a path in it, or, without a word, the one that
/// is here.
pub(super) fn named(log: &mut dyn Log, memory: &Memory, wanted: &str) -> Result<Project, Failure> {
    if wanted.is_empty() {
        return Ok(here()?);
    }
    let buffer = View::load(log, Buffer::default())?.fold;
    let items = memory.all().filter_map(|s| s.item.project.as_ref());
    let mut known: Vec<&Project> = buffer.projects().iter().chain(items).collect();
    known.sort();
    known.dedup();
    if wanted.contains('/') || wanted.starts_with('.') {
        let there = of_path(Path::new(wanted));
        let as_written = || {
            known
                .iter()
                .find(|p| p.root() == wanted.trim_end_matches('/'))
        };
        let found = there.or_else(|| as_written().map(|p| (*p).clone()));
        return Ok(found.ok_or_else(|| ProjectError::Unknown(wanted.to_owned()))?);
    }
    known.retain(|project| project.name() == wanted);
    match known.as_slice() {
        [] => Err(ProjectError::Unknown(wanted.to_owned()).into()),
        [one] => Ok((*one).clone()),
        several => {
            let (name, count) = (wanted.to_owned(), several.len());
            Err(ProjectError::Ambiguous { name, count }.into())
        }
    }
}

fn of_path(dir: &Path) -> Option<Project> {
    let root = root_of(&fs::canonicalize(dir).ok()?)?;
    Some(Project::new(in_words(&root)))
}

/// A path as text; what is not UTF-8 in it is spelled out, so that no two become one.
fn in_words(path: &Path) -> String {
    let mut words = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        words.push_str(chunk.valid());
        let spelled = chunk.invalid().iter();
        words.extend(spelled.map(|byte| format!("\\x{byte:02x}")));
    }
    words
}

/// The root of the nearest work tree; of a linked one, its main repository's.
fn root_of(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().take(ABOVE_MAX).find_map(|dir| {
        let git = dir.join(".git");
        let found = fs::metadata(&git).ok()?;
        if found.is_dir() {
            return is_repository(&git).then(|| dir.to_owned());
        }
        let linked = || main_root(&git, dir).unwrap_or_else(|| dir.to_owned());
        found.is_file().then(linked)
    })
}

fn is_repository(git: &Path) -> bool {
    match fs::symlink_metadata(git.join("HEAD")) {
        Ok(_) => true,
        // What may not be looked at is a root as well.
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// The root of the repository that a work tree is linked to. Only if that repository knows it: any
/// directory may say that it belongs to another.
fn main_root(git: &Path, dir: &Path) -> Option<PathBuf> {
    let admin = line_of(git)?;
    let admin = fs::canonicalize(dir.join(admin.strip_prefix("gitdir:")?.trim())).ok()?;
    let trees = admin
        .parent()
        .filter(|trees| trees.ends_with("worktrees"))?;
    let common = trees.parent().filter(|common| is_repository(common))?;
    let back = admin.join(line_of(&admin.join("gitdir"))?.trim());
    if fs::canonicalize(back).ok()? != fs::canonicalize(git).ok()? {
        return None;
    }
    match common.ends_with(".git") {
        true => common.parent().map(Path::to_owned),
        false => Some(common.to_owned()),
    }
}

/// What a file of one line says; nothing if it is no file, or too long for a path.
fn line_of(path: &Path) -> Option<String> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mut text = String::new();
    let file = File::open(path).ok()?.take(FILE_BYTES_MAX + 1);
    let len = { file }.read_to_string(&mut text).ok()?;
    let fits = len as u64 <= FILE_BYTES_MAX && !text.trim_end().contains('\n');
    fits.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "a test makes a repository by hand"
    )]
    fn file(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A repository `a` with a linked work tree `tree`, and a directory beside them.
    fn yard() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        file(&root.join("a/.git/HEAD"), "ref: refs/heads/main\n");
        let admin = root.join("a/.git/worktrees/tree");
        file(
            &root.join("tree/.git"),
            &format!("gitdir: {}\n", admin.display()),
        );
        let back = root.join("tree/.git");
        file(&admin.join("gitdir"), &format!("{}\n", back.display()));
        fs::create_dir_all(root.join("beside/deep")).unwrap();
        fs::create_dir_all(root.join("a/src/deep")).unwrap();
        (dir, root)
    }

    #[test]
    fn a_directory_is_of_the_nearest_work_tree() {
        let (_dir, root) = yard();
        assert_eq!(root_of(&root.join("a/src/deep")), Some(root.join("a")));
        assert_eq!(root_of(&root.join("a")), Some(root.join("a")));
        // A submodule, and a repository within another, are roots of their own.
        file(&root.join("a/lib/.git"), "gitdir: ../.git/modules/lib\n");
        file(
            &root.join("a/.git/modules/lib/HEAD"),
            "ref: refs/heads/main\n",
        );
        assert_eq!(root_of(&root.join("a/lib")), Some(root.join("a/lib")));
        file(&root.join("a/inner/.git/HEAD"), "ref: refs/heads/main\n");
        assert_eq!(root_of(&root.join("a/inner")), Some(root.join("a/inner")));
        // A directory that only has the name is none.
        fs::create_dir_all(root.join("a/src/.git")).unwrap();
        assert_eq!(root_of(&root.join("a/src/deep")), Some(root.join("a")));
        let outside = root_of(&root.join("beside/deep"));
        assert!(outside.is_none_or(|found| root.starts_with(found)));
    }

    #[test]
    fn a_linked_work_tree_is_of_its_main_repository() {
        let (_dir, root) = yard();
        assert_eq!(root_of(&root.join("tree")), Some(root.join("a")));
        // Linked by relative paths.
        file(
            &root.join("tree/.git"),
            "gitdir: ../a/.git/worktrees/tree\n",
        );
        let back = root.join("a/.git/worktrees/tree/gitdir");
        file(&back, "../../../../tree/.git\n");
        assert_eq!(root_of(&root.join("tree")), Some(root.join("a")));
        // Of a repository without a work tree of its own.
        file(&root.join("bare.git/HEAD"), "ref: refs/heads/main\n");
        file(
            &root.join("bare.git/worktrees/t/gitdir"),
            "../../../other/.git",
        );
        file(&root.join("other/.git"), "gitdir: ../bare.git/worktrees/t");
        assert_eq!(root_of(&root.join("other")), Some(root.join("bare.git")));
    }

    #[test]
    fn what_claims_to_belong_to_a_repository_that_does_not_know_it_stands_alone() {
        let (_dir, root) = yard();
        let of_a = format!("gitdir: {}\n", root.join("a/.git/worktrees/tree").display());
        let elsewhere = format!("gitdir: {}\n", root.join("x/worktrees/t").display());
        // An admin directory of the stranger's own, in the right shape, is no part of `a`.
        file(&root.join("x/worktrees/t/gitdir"), "../../../y/.git");
        file(&root.join("x/worktrees/t/commondir"), "../../../a/.git");
        let long = format!("gitdir: {}", "x".repeat(FILE_BYTES_MAX as usize));
        for claim in [
            &of_a,
            &elsewhere,
            &long,
            "gitdir: /",
            "gitdir:",
            "",
            "nonsense\n\0",
        ] {
            file(&root.join("y/.git"), claim);
            assert_eq!(root_of(&root.join("y")), Some(root.join("y")), "{claim}");
        }
        // A tree that was moved by hand is not known where it is now.
        fs::rename(root.join("tree"), root.join("moved")).unwrap();
        assert_eq!(root_of(&root.join("moved")), Some(root.join("moved")));
    }

    #[test]
    fn no_two_paths_become_one_text() {
        use std::ffi::OsStr;
        let odd = |bytes: &[u8]| in_words(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(odd(b"/a/\xff\xfe/b"), "/a/\\xff\\xfe/b");
        assert_ne!(odd(b"/a/\xff"), odd(b"/a/\xfe"));
        assert_eq!(odd("/a/ö".as_bytes()), "/a/ö");
    }
}
