//! Counts what records bring in, where they come as records.

use std::collections::HashSet;

use crate::model::{ConversationOp, Id, MemoryOp, Record};

use super::Imported;

pub(super) struct Tally {
    pub imported: Imported,
    conversations: HashSet<Id>,
}

impl Tally {
    pub(super) fn new(imported: Imported) -> Self {
        Tally {
            imported,
            conversations: HashSet::new(),
        }
    }

    pub(super) fn count(&mut self, record: &Record) {
        match record {
            Record::Message(_) => self.imported.messages += 1,
            Record::Memory(event) => {
                let adds = matches!(
                    event.op,
                    MemoryOp::Add { .. } | MemoryOp::Supersede { .. } | MemoryOp::Merge { .. }
                );
                self.imported.memories += u64::from(adds);
            }
            Record::Conversation(event) if matches!(event.op, ConversationOp::Started { .. }) => {
                self.conversations.insert(event.id);
            }
            _ => {}
        }
    }

    pub(super) fn finish(mut self, records: u64) -> Imported {
        self.imported.records = records;
        self.imported.conversations = self.conversations.len() as u64;
        self.imported
    }
}
