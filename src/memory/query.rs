//! Questions to the state of memory: by id, by kind and status, how many.

use crate::model::{Id, Kind, Status, Timestamp};

use super::fold::{Memory, Stored};

/// Hex characters that a shortened id has at the least.
const SHORT_MIN: usize = 8;

/// What a shortened id names.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<'a> {
    One(&'a Stored),
    None,
    /// The ids that begin so, in order.
    Ambiguous(Vec<Id>),
}

/// Which items to list. With no status named: active and pending ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub kind: Option<Kind>,
    pub status: Option<Status>,
    /// Also superseded, expired and rejected ones. Forgotten ones only when named by `status`.
    pub every: bool,
}

/// How many items have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub pending: usize,
    pub active: usize,
    pub superseded: usize,
    pub expired: usize,
    pub rejected: usize,
    pub forgotten: usize,
    /// Of the active ones.
    pub pinned: usize,
}

impl Filter {
    fn takes(self, stored: &Stored) -> bool {
        let status = stored.item.status;
        let by_status = match self.status {
            Some(wanted) => wanted == status,
            None if self.every => status != Status::Forgotten,
            None => matches!(status, Status::Active | Status::Pending),
        };
        by_status && self.kind.is_none_or(|kind| kind == stored.item.kind)
    }
}

impl Memory {
    /// The item whose id begins with `prefix` (hyphens and case do not count).
    pub fn by_prefix(&self, prefix: &str) -> Found<'_> {
        let mut hits = self
            .all()
            .filter(|stored| stored.item.id.has_prefix(prefix));
        match (hits.next(), hits.next()) {
            (None, _) => Found::None,
            (Some(one), None) => Found::One(one),
            (Some(one), Some(two)) => {
                let first = [one.item.id, two.item.id];
                Found::Ambiguous(
                    first
                        .into_iter()
                        .chain(hits.map(|stored| stored.item.id))
                        .collect(),
                )
            }
        }
    }

    /// The shortest beginning of an id, of at least 8 hex characters, that no other item shares.
    pub fn short_id(&self, id: Id) -> String {
        let text = id.to_string();
        let shared = |other: Option<Id>| -> usize {
            other.map_or(0, |other| shared_hex(&text, &other.to_string()))
        };
        let before = self.ids_before(id).next_back().map(|stored| stored.item.id);
        let after = self.ids_after(id).next().map(|stored| stored.item.id);
        let wanted = SHORT_MIN.max(shared(before).max(shared(after)) + 1);
        let mut hex = 0;
        text.chars()
            .take_while(|c| {
                let take = hex < wanted;
                hex += usize::from(*c != '-');
                take
            })
            .collect::<String>()
            .trim_end_matches('-')
            .to_owned()
    }

    /// The items that `filter` takes, in order of id, which is the order of their making.
    pub fn items(&self, filter: Filter) -> impl DoubleEndedIterator<Item = &Stored> {
        self.all().filter(move |stored| filter.takes(stored))
    }

    /// The active items, those whose time is over included.
    pub fn active(&self) -> impl DoubleEndedIterator<Item = &Stored> {
        self.all()
            .filter(|stored| stored.item.status == Status::Active)
    }

    /// The active items that count as true at `now`.
    pub fn live(&self, now: Timestamp) -> impl DoubleEndedIterator<Item = &Stored> {
        self.all().filter(move |stored| stored.is_live(now))
    }

    /// The items that wait for a person.
    pub fn pending(&self) -> impl DoubleEndedIterator<Item = &Stored> {
        self.all()
            .filter(|stored| stored.item.status == Status::Pending)
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for stored in self.all() {
            match stored.item.status {
                Status::Pending => counts.pending += 1,
                Status::Active => {
                    counts.active += 1;
                    counts.pinned += usize::from(stored.item.pinned);
                }
                Status::Superseded => counts.superseded += 1,
                Status::Expired => counts.expired += 1,
                Status::Rejected => counts.rejected += 1,
                Status::Forgotten => counts.forgotten += 1,
                Status::Unknown => {}
            }
        }
        counts
    }
}

fn shared_hex(a: &str, b: &str) -> usize {
    a.chars()
        .zip(b.chars())
        .take_while(|(x, y)| x == y)
        .filter(|(x, _)| *x != '-')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::test_support::{at, memory_of};

    #[test]
    fn a_prefix_names_one_item_or_none_or_several() {
        let near = [
            "01900000-0000-7000-8000-000000000001",
            "01900000-0000-7000-8000-0000000000f2",
        ];
        let far = "01a00000-0000-7000-8000-000000000003";
        let memory = memory_of(&[near[0], near[1], far]);
        let id = |text: &str| text.parse::<Id>().unwrap();
        assert!(matches!(memory.by_prefix("01A"), Found::One(s) if s.item.id == id(far)));
        assert_eq!(memory.by_prefix("7"), Found::None);
        assert_eq!(memory.by_prefix(""), Found::None);
        assert_eq!(
            memory.by_prefix("0190"),
            Found::Ambiguous(vec![id(near[0]), id(near[1])])
        );
        assert_eq!(memory.short_id(id(far)), "01a00000");
        assert_eq!(
            memory.short_id(id(near[0])),
            "01900000-0000-7000-8000-00000000000"
        );
        for text in near {
            let short = memory.short_id(id(text));
            assert!(matches!(memory.by_prefix(&short), Found::One(s) if s.item.id == id(text)));
        }
    }

    #[test]
    fn what_is_forgotten_is_listed_only_when_named() {
        use crate::model::MemoryOp;
        let text = "01900000-0000-7000-8000-000000000001";
        let mut memory = memory_of(&[text, "01a00000-0000-7000-8000-000000000003"]);
        let id: Id = text.parse().unwrap();
        memory.apply_ops(at(), &[MemoryOp::Forget { id }]);
        let every = Filter {
            every: true,
            ..Filter::default()
        };
        assert_eq!(memory.items(Filter::default()).count(), 1);
        assert_eq!(memory.items(every).count(), 1);
        let named = Filter {
            status: Some(Status::Forgotten),
            ..Filter::default()
        };
        assert_eq!(memory.items(named).next().unwrap().item.id, id);
        assert_eq!(memory.counts().forgotten, 1);
        assert_eq!(memory.counts().active, 1);
    }
}
