//! What a purge must know of memory: which records hold an item's words, and what must not come
//! back to life when they are gone.

use crate::model::{Id, MemoryOp};

use super::fold::Memory;

/// Whether an operation holds words of one of these items, so that a purge must drop its record.
pub fn holds_words_of(op: &MemoryOp, ids: &[Id]) -> bool {
    match op {
        MemoryOp::Add { item }
        | MemoryOp::Supersede { item, .. }
        | MemoryOp::Merge { item, .. } => ids.contains(&item.id),
        MemoryOp::Edit { id, .. } => ids.contains(id),
        _ => false,
    }
}

/// The operations to append before these items are purged. Without the record of a replacement the
/// items it replaced would be active again; these end them for good.
pub fn before_purge(ids: &[Id], memory: &Memory) -> Vec<MemoryOp> {
    memory
        .all()
        .filter(|stored| !ids.contains(&stored.item.id))
        .filter(|stored| stored.superseded_by.is_some_and(|heir| ids.contains(&heir)))
        .map(|stored| MemoryOp::Expire { id: stored.item.id })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::test_support::{add, at, item, later};
    use crate::model::{Fold, MemoryEvent, Record, Status};

    #[test]
    fn purging_an_item_brings_back_nothing_and_leaves_no_word_of_it() {
        let (old, new) = (item("lives in Oslo"), item("lives in Bergen"));
        let mut log = vec![
            add(&old),
            MemoryOp::Supersede {
                id: old.id,
                item: new.clone(),
            },
            MemoryOp::Edit {
                id: new.id,
                text: "lives in Bergen, Norway".into(),
            },
        ];
        let mut memory = Memory::new();
        memory.apply_ops(at(), &log);
        log.extend(before_purge(&[new.id], &memory));
        assert_eq!(log.len(), 4);
        let mut after = Memory::new();
        for (seq, op) in (1..).zip(log) {
            let record = if holds_words_of(&op, &[new.id]) {
                Record::Purged
            } else {
                Record::Memory(MemoryEvent { at: later(1), op })
            };
            let _ = after.apply(seq, &record);
        }
        assert_eq!(after.item(old.id).unwrap().item.status, Status::Expired);
        assert!(after.item(new.id).is_none());
        let saved = String::from_utf8(after.save().unwrap()).unwrap();
        assert!(!saved.contains("Bergen"));
    }
}
