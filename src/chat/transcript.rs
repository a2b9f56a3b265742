//! The messages of one conversation, read from the log.

use crate::model::{Id, Message, Record};
use crate::vault::{Log, VaultError};

use super::conversations::Conversations;

/// Conversations that forks may be stacked on.
const FORKS_MAX: usize = 32;

/// Calls `each` for every message of a conversation, in order, with its number. A fork begins with
/// the messages of what it was forked from.
pub fn transcript(
    log: &mut dyn Log,
    conversations: &Conversations,
    id: Id,
    each: &mut dyn FnMut(u64, Message),
) -> Result<(), VaultError> {
    let mut parts = Vec::new();
    let (mut part, mut until) = (id, None);
    while let Some(found) = conversations.find(part) {
        parts.push((part, until, found.first_seq, found.last_seq));
        match found.forked {
            Some((from, message)) if parts.len() < FORKS_MAX => {
                (part, until) = (from, Some(message));
            }
            _ => break,
        }
    }
    for (part, until, first_seq, last_seq) in parts.into_iter().rev() {
        read_part(log, part, until, first_seq, last_seq, each)?;
    }
    Ok(())
}

fn read_part(
    log: &mut dyn Log,
    id: Id,
    until: Option<Id>,
    first_seq: u64,
    last_seq: u64,
    each: &mut dyn FnMut(u64, Message),
) -> Result<(), VaultError> {
    let mut after = first_seq - 1;
    while after < last_seq {
        let batch = log.read(after)?;
        let Some(last) = batch.last() else {
            return Ok(());
        };
        after = last.seq;
        for entry in batch.iter().take_while(|entry| entry.seq <= last_seq) {
            let Ok(Record::Message(message)) = entry.record() else {
                continue;
            };
            if message.conversation != id {
                continue;
            }
            let ends = until == Some(message.id);
            each(entry.seq, message);
            if ends {
                return Ok(());
            }
        }
    }
    Ok(())
}
