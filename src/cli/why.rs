//! `/why`: what went into the last request, and what it cost.

use super::output::one_line;
use crate::chat::Composed;
use crate::provider::NoteKind;

/// Of a note or an earlier moment, what is shown.
const SHOWN_CHARS_MAX: usize = 100;

pub(super) fn lines(composed: &Composed) -> Vec<String> {
    let recalled = &composed.request.notes;
    let mut lines = vec![format!(
        "The last request held {} of this conversation (about {} tokens), {} from memory ({}), {} \
         recalled ({}), instructions ({}) and tools ({}).",
        counted(composed.window_messages, "message"),
        composed.window_tokens,
        counted(composed.standing.len() + composed.additions.len(), "note"),
        composed.standing_tokens,
        recalled.len(),
        composed.recalled_tokens,
        composed.instructions_tokens,
        composed.tools_tokens,
    )];
    if composed.summary_tokens > 0 {
        lines.push(format!(
            "  a summary stood for the older part ({} tokens)",
            composed.summary_tokens
        ));
    }
    if composed.left_out > 0 {
        let count = composed.left_out;
        lines.push(format!("  {count} earlier messages found no room"));
    }
    if composed.notes_left_out > 0 {
        let count = composed.notes_left_out;
        lines.push(format!("  {count} items of memory found no room"));
    }
    for note in &composed.standing {
        let text = shown(&note.text);
        lines.push(format!("  note ({} tokens): {text}", note.tokens));
    }
    for note in &composed.additions {
        let text = shown(&note.text);
        lines.push(format!(
            "  note, added since ({} tokens): {text}",
            note.tokens
        ));
    }
    for note in recalled {
        let day = note.at.strftime("%Y-%m-%d");
        let from = match note.kind {
            NoteKind::Memory => "memory".to_owned(),
            NoteKind::History => one_line(&note.speaker),
        };
        lines.push(format!("  recalled ({day}, {from}): {}", shown(&note.text)));
    }
    lines
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn shown(text: &str) -> String {
    one_line(text).chars().take(SHOWN_CHARS_MAX).collect()
}
