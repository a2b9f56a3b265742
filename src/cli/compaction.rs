//! Compaction on a terminal: when it is due, how long it may take, and what is said of it.

use std::time::Duration;

use futures_util::future::select;

use super::output::{stderr_is_terminal, whisper};
use super::shell::{Shell, now};
use super::talk;
use crate::chat::{ChatError, Compacted, Session, Unanswered};
use crate::provider::Chosen;

/// A person waits for an answer meanwhile.
const LIMIT: Duration = Duration::from_secs(60);

/// Summarises the older part of a conversation that is about to outgrow the window. A failure costs
/// nothing but the summary: the older part is left out then, and the model is told so.
pub(super) fn if_needed(shell: &Shell, session: &mut Session, chosen: &Chosen) {
    if !session.has_outgrown_the_window().unwrap_or(false) {
        return;
    }
    let says = stderr_is_terminal() && !shell.global.quiet;
    if says {
        whisper("(summarising the older part of this conversation; Ctrl-C skips this) …");
    }
    let compacted = run(session, chosen);
    if says {
        whisper("\r\x1b[K");
    }
    match compacted {
        Ok(Compacted::Nothing) => {}
        Ok(compacted) => shell.note(&format!("({})", line(&compacted))),
        Err(error) => shell.note(&format!("(not summarised: {error})")),
    }
}

/// Compacts the conversation now.
pub(super) fn run(session: &mut Session, chosen: &Chosen) -> Result<Compacted, ChatError> {
    let Ok(runtime) = talk::runtime() else {
        return Ok(Compacted::Failed(Unanswered::Interrupted));
    };
    runtime.block_on(async {
        let over = async {
            let pressed = Box::pin(tokio::signal::ctrl_c());
            let late = Box::pin(tokio::time::sleep(LIMIT));
            select(pressed, late).await;
        };
        session
            .compact(chosen.provider.as_ref(), &chosen.model, now, over)
            .await
    })
}

/// What a compaction came to, in a few words.
pub(super) fn line(compacted: &Compacted) -> String {
    match compacted {
        Compacted::Nothing => "there is nothing to summarise".to_owned(),
        Compacted::Summarised(count) => {
            format!("a summary stands for {count} earlier messages now; all stay searchable")
        }
        Compacted::Dropped(count) => {
            format!("{count} earlier messages are left out from now on; all stay searchable")
        }
        Compacted::Failed(Unanswered::Interrupted) => "not summarised: interrupted".to_owned(),
        Compacted::Failed(Unanswered::Stopped(_)) => {
            "not summarised: the model's answer ended early".to_owned()
        }
        Compacted::Failed(Unanswered::Failed(error)) => format!("not summarised: {error}"),
    }
}
