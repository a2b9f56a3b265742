//! Notices that something in the directory may have changed.
//!
//! Directories are watched, not files: a rename ends the watch on a file. Any event only means
//! "look"; reading raises events too, so those are left out or looking would never end.

use std::path::Path;

use notify::{EventKind, RecursiveMode, Watcher};

use super::error::StoreError;

/// Ends the watch when dropped.
pub struct Watching {
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Watching {
    /// A watch that reports by another way, or never.
    pub(super) fn silent() -> Self {
        Watching { _watcher: None }
    }
}

pub(super) fn watch(path: &Path, wake: Box<dyn Fn() + Send>) -> Result<Watching, StoreError> {
    let as_error = |source: notify::Error| StoreError::Watch {
        source: source.into(),
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        match event {
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
            // An error may be an overflowed queue: events were lost, so look.
            Ok(_) | Err(_) => wake(),
        }
    })
    .map_err(as_error)?;
    watcher
        .watch(path, RecursiveMode::Recursive)
        .map_err(as_error)?;
    Ok(Watching {
        _watcher: Some(watcher),
    })
}
