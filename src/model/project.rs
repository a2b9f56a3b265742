//! The project that a conversation belongs to, and what was learnt in it.

use serde::{Deserialize, Serialize};

use super::text::Text;

/// A project, by the directory that is its root. Printed by `Debug` as a length only, as whose
/// clients a person has is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Project(Text);

impl Project {
    pub fn new(root: impl Into<Text>) -> Self {
        Project(root.into())
    }

    /// Its whole root.
    pub fn root(&self) -> &str {
        &self.0
    }

    /// What people call it: the last part of its root.
    pub fn name(&self) -> &str {
        let parts = self.0.rsplit('/');
        parts.into_iter().find(|p| !p.is_empty()).unwrap_or("/")
    }
}

/// Whether something that is of `of` comes up in `here`: what is of no project does everywhere,
/// what is of one only in that one.
pub fn comes_up(of: Option<&Project>, here: Option<&Project>) -> bool {
    of.is_none() || of == here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_a_project_comes_up_there_alone() {
        let (a, b) = (Project::new("/home/me/a"), Project::new("/home/me/b"));
        assert!(comes_up(None, None) && comes_up(None, Some(&a)));
        assert!(comes_up(Some(&a), Some(&a)));
        assert!(!comes_up(Some(&a), Some(&b)) && !comes_up(Some(&a), None));
    }

    #[test]
    fn a_project_is_called_by_the_last_part_and_never_printed() {
        let project = Project::new("/home/me/client a");
        assert_eq!(project.name(), "client a");
        assert_eq!(Project::new("/").name(), "/");
        assert!(!format!("{project:?}").contains("client"));
    }
}
