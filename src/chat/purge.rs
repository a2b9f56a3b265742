//! What a purge has to take out: hidden or named content, and what was derived from it.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use crate::memory::{Memory, before_purge, holds_words_of};
use crate::model::{Block, Id, MemoryEvent, MemoryOp, Message, Record, Status, Text, WorkOp};
use crate::vault::{Log, VaultError, View};

use super::conversations::Conversations;

/// What is to go.
#[derive(Clone, Debug, Default)]
pub struct PurgeTargets {
    pub items: BTreeSet<Id>,
    pub conversations: BTreeSet<Id>,
}

/// A message that holds the words a purged item was learnt from.
#[derive(Clone, Debug)]
pub struct Quoting {
    pub conversation: Id,
    pub message: Id,
    pub quote: Text,
}

/// The records of a purge, worked out and not yet done.
#[derive(Debug, Default)]
pub struct PurgePlan {
    /// To be appended first, or what a purged item replaced would count again.
    pub before: Vec<MemoryOp>,
    pub seqs: BTreeSet<u64>,
    /// Records that stay without what was derived from purged ones.
    pub replacements: BTreeMap<u64, Zeroizing<Vec<u8>>>,
    pub items: usize,
    pub conversations: usize,
    pub messages: usize,
    /// What the person may want gone as well.
    pub quoting: Vec<Quoting>,
}

impl PurgeTargets {
    /// Everything that is hidden: forgotten items, deleted conversations.
    pub fn hidden(memory: &Memory, conversations: &Conversations) -> Self {
        let forgotten = memory
            .all()
            .filter(|stored| stored.item.status == Status::Forgotten);
        PurgeTargets {
            items: forgotten.map(|stored| stored.item.id).collect(),
            conversations: conversations.deleted().collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.conversations.is_empty()
    }

    /// Adds the items that were learnt in the conversations.
    pub fn with_memories(&mut self, memory: &Memory) {
        let learnt = memory.all().filter(|stored| {
            let from = stored.item.source.conversation;
            from.is_some_and(|id| self.conversations.contains(&id))
        });
        self.items
            .extend(learnt.map(|stored| stored.item.id).collect::<Vec<_>>());
    }

    /// Reads the whole log and says what has to go.
    pub fn plan(&self, log: &mut dyn Log, memory: &View<Memory>) -> Result<PurgePlan, VaultError> {
        let ids: Vec<Id> = self.items.iter().copied().collect();
        let mut plan = PurgePlan {
            before: before_purge(&ids, &memory.fold),
            items: self.items.len(),
            conversations: self.conversations.len(),
            ..PurgePlan::default()
        };
        let mut attachments = Attachments::default();
        let mut after = 0;
        loop {
            let batch = log.read(after)?;
            let Some(last) = batch.last() else { break };
            after = last.seq;
            for entry in &batch {
                if let Ok(record) = entry.record() {
                    self.judge(entry.seq, record, &ids, &mut plan, &mut attachments);
                }
            }
        }
        plan.seqs.extend(attachments.orphans());
        plan.quoting = self.quoting(memory);
        Ok(plan)
    }

    fn judge(
        &self,
        seq: u64,
        record: Record,
        ids: &[Id],
        plan: &mut PurgePlan,
        attachments: &mut Attachments,
    ) {
        let gone = |id: &Id| self.conversations.contains(id);
        match record {
            Record::Message(message) => {
                let goes = gone(&message.conversation);
                attachments.note(&message, goes);
                if goes {
                    plan.seqs.insert(seq);
                    plan.messages += 1;
                }
            }
            Record::Attachment(attachment) => attachments.place(attachment.id, seq),
            Record::Conversation(event) if gone(&event.id) => {
                plan.seqs.insert(seq);
            }
            Record::Summary(summary) if gone(&summary.conversation) => {
                plan.seqs.insert(seq);
            }
            Record::Work(mut work) => {
                if let WorkOp::ExtractionOwed {
                    conversation,
                    answer,
                    ..
                } = &mut work.op
                {
                    // What a model made of the conversation may hold words of what goes.
                    match gone(conversation) {
                        true => {
                            plan.seqs.insert(seq);
                        }
                        false if answer.take().is_some() => {
                            let line = Record::Work(work).to_line();
                            plan.replacements.insert(seq, line);
                        }
                        false => {}
                    }
                }
            }
            Record::Memory(event) if holds_words_of(&event.op, ids) => {
                plan.seqs.insert(seq);
            }
            Record::Memory(event) => {
                if let Some(event) = without_quote(event, &self.conversations) {
                    plan.replacements
                        .insert(seq, Record::Memory(event).to_line());
                }
            }
            _ => {}
        }
    }

    fn quoting(&self, memory: &View<Memory>) -> Vec<Quoting> {
        let items = self.items.iter().filter_map(|id| memory.fold.item(*id));
        let sources = items.map(|stored| &stored.item.source);
        let quotes = sources.filter_map(|source| {
            let conversation = source.conversation?;
            let known = self.conversations.contains(&conversation);
            (!known).then_some(Quoting {
                conversation,
                message: source.message?,
                quote: source.quote.clone()?,
            })
        });
        quotes.collect()
    }
}

/// An item that stays must not quote a message that goes.
fn without_quote(mut event: MemoryEvent, gone: &BTreeSet<Id>) -> Option<MemoryEvent> {
    let item = match &mut event.op {
        MemoryOp::Add { item }
        | MemoryOp::Supersede { item, .. }
        | MemoryOp::Merge { item, .. } => item,
        _ => return None,
    };
    let quotes = item
        .source
        .conversation
        .is_some_and(|id| gone.contains(&id));
    if !quotes || item.source.quote.is_none() {
        return None;
    }
    item.source.quote = None;
    Some(event)
}

/// Attachments are records of their own: one goes when no message that stays names it.
#[derive(Default)]
struct Attachments {
    places: BTreeMap<Id, u64>,
    kept: BTreeSet<Id>,
    dropped: BTreeSet<Id>,
}

impl Attachments {
    fn place(&mut self, id: Id, seq: u64) {
        self.places.insert(id, seq);
    }

    fn note(&mut self, message: &Message, goes: bool) {
        for block in &message.content {
            if let Block::Attachment { id, .. } = block {
                let set = if goes {
                    &mut self.dropped
                } else {
                    &mut self.kept
                };
                set.insert(*id);
            }
        }
    }

    fn orphans(&self) -> impl Iterator<Item = u64> + '_ {
        let gone = self.dropped.iter().filter(|id| !self.kept.contains(id));
        gone.filter_map(|id| self.places.get(id).copied())
    }
}
