//! The items of long-term memory as the forms for reading show them.

use crate::memory::{Memory, Stored};
use crate::model::{Kind, Status};

use super::hidden::Hidden;

/// The article's names for its three lists.
pub(super) const LISTS: [(Kind, &str, &str); 3] = [
    (Kind::Fact, "key_facts", "Facts"),
    (Kind::Preference, "user_preferences", "Preferences"),
    (Kind::Outcome, "past_outcomes", "Outcomes"),
];

/// The items of one kind, oldest first: what counts, what waits, and with `all` what is over.
pub(super) fn of_kind<'a>(
    memory: &'a Memory,
    kind: Kind,
    hidden: &Hidden,
    all: bool,
) -> Vec<&'a Stored> {
    let mut items: Vec<&Stored> = memory
        .all()
        .filter(|stored| stored.item.kind == kind && !hidden.items.contains(&stored.item.id))
        .filter(|stored| all || matches!(stored.item.status, Status::Active | Status::Pending))
        .collect();
    items.sort_by_key(|stored| (stored.item.created, stored.item.id));
    items
}

/// The status in a word, where it is not the usual one.
pub(super) fn status_word(status: Status) -> Option<&'static str> {
    match status {
        Status::Active => None,
        Status::Pending => Some("waits for approval"),
        Status::Superseded => Some("superseded"),
        Status::Expired => Some("expired"),
        Status::Rejected => Some("rejected"),
        Status::Forgotten => Some("forgotten"),
        Status::Unknown => Some("of a later version"),
    }
}
