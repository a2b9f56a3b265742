//! Reads what is piped in as text within bounds.

use std::io::Read;

use super::failure::Failure;
use super::output::stdin_is_terminal;
use crate::model::Text;

/// The most that is read: a record holds 16 MiB, and JSON may need room for escapes.
pub(super) const INPUT_BYTES_MAX: usize = 12 << 20;

/// Everything on standard input; nothing where that is a terminal.
pub(super) fn piped() -> Result<Option<Text>, Failure> {
    if stdin_is_terminal() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let limit = INPUT_BYTES_MAX as u64 + 1;
    std::io::stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(Failure::Input)?;
    if bytes.len() > INPUT_BYTES_MAX {
        return Err(Failure::InputTooLong {
            max: INPUT_BYTES_MAX,
        });
    }
    let text = text_of(bytes).map_err(|at| Failure::InputEncoding { at })?;
    Ok((!text.is_empty()).then_some(text))
}

/// Bytes as text; where they are not UTF-8, the place of the first that is not.
fn text_of(bytes: Vec<u8>) -> Result<Text, usize> {
    String::from_utf8(bytes)
        .map(Text::new)
        .map_err(|error| error.utf8_error().valid_up_to())
}
