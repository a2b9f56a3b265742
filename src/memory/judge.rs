//! Judges one would-be item after another against what is known.
//!
//! What comes in is a candidate; what comes out is an operation, or none, and a verdict that says
//! why. Only a candidate with words of the person behind it, or typed by them as a command, can
//! become active. Nothing here ever deletes.

use jiff::tz::TimeZone;

use crate::model::{
    Id, Item, Kind, MemoryOp, Privacy, Project, Source, SourceClass, Status, Text, Timestamp,
};

use super::claim::Claims;
use super::dates::{resolve, without_dates};
use super::escape::one_line;
use super::filling::says_nothing;
use super::fold::{Memory, Stored};
use super::proposal::ITEM_CHARS_MAX;
use super::quote::Quote;
use super::same::{adds_nothing, denies, is_covered};
use super::secrets::{SecretKind, detect_secrets};
use super::suspicion::{Flag, suspicion};
use super::words::{Reading, Word, read};

/// A person may say a thing at more length than a model.
const COMMAND_CHARS_MAX: usize = 2000;
/// So many items may wait before a model's unfounded proposals, or other programs', are dropped.
const WAITING_MAX: usize = 500;
/// How much later the person must say a thing again for that to be worth a record.
const CONFIRM_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Where and when something is to be remembered.
#[derive(Clone, Debug)]
pub struct Context {
    pub conversation: Option<Id>,
    pub now: Timestamp,
    /// In which "yesterday" is meant.
    pub zone: TimeZone,
    /// Of the conversation; its items inherit it.
    pub private: Option<Privacy>,
    /// Of the conversation, too: what other projects know does not exist here, and nothing happens
    /// to what is of none.
    pub project: Option<Project>,
}

/// What became of one would-be item.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub kind: Kind,
    /// As it is stored; empty where it was refused.
    pub text: Text,
    /// The item that was made.
    pub id: Option<Id>,
    pub judgement: Judgement,
}

/// The reasons of a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Active from now on.
    Learnt,
    /// Active from now on, in place of these.
    Replaced(Vec<Id>),
    /// Waits for a person.
    Waiting(Why),
    /// An item says so already; it was confirmed if the person said it anew.
    Known {
        id: Id,
        confirmed: bool,
    },
    /// Sums up what several items say.
    Restated,
    /// The person rejected or forgot this, and has not said it since.
    Declined {
        id: Id,
    },
    /// Contains secrets.
    Refused(Vec<SecretKind>),
    /// Says nothing worth remembering.
    Trivial,
    TooLong,
    /// Would have waited, but too many do already.
    NoRoom,
}

/// Why an item waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing that the person wrote says so.
    NoQuote,
    /// Came through a file, a tool, an import or another program.
    Outside,
    Flagged(Flag),
}

/// What is to be appended, and what is to be said about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accepted {
    pub ops: Vec<MemoryOp>,
    pub verdicts: Vec<Verdict>,
}

pub(super) struct Candidate {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) class: SourceClass,
    pub(super) quote: Option<Quote>,
    /// The item that a model says this one replaces.
    pub(super) replaces: Option<Id>,
    pub(super) pinned: bool,
}

pub(super) struct Judge<'a> {
    context: &'a Context,
    known: Vec<Known>,
    own_names: Vec<String>,
    /// How many items wait, of all projects.
    waiting: usize,
    accepted: Accepted,
}

/// All that there is to judge against.
pub(super) struct Knowledge {
    known: Vec<Known>,
    own_names: Vec<String>,
}

/// An item that there is, or that was just made.
struct Known {
    id: Id,
    status: Status,
    pinned: bool,
    /// Of the project that is judged for, or of none where that is.
    own: bool,
    since: Timestamp,
    ended: Option<Timestamp>,
    fresh: bool,
    reading: Reading,
    /// Read without the dates that were added.
    bare: Reading,
    claims: Claims,
}

/// A candidate, read.
struct Statement {
    text: String,
    reading: Reading,
    bare: Reading,
    claims: Claims,
    said_at: Timestamp,
    /// The person's own: quoted, or typed as a command.
    own: bool,
    by_command: bool,
    flag: Option<Flag>,
}

impl Known {
    fn of(stored: &Stored, here: Option<&Project>) -> Known {
        let item = &stored.item;
        let text = without_dates(&item.text);
        let bare = read(&text);
        Known {
            id: item.id,
            status: item.status,
            pinned: item.pinned,
            own: item.project.as_ref() == here,
            since: stored.last_said(),
            ended: stored.ended(),
            fresh: false,
            reading: if text == *item.text {
                bare.clone()
            } else {
                read(&item.text)
            },
            claims: Claims::read(&text, &bare, &[]),
            bare,
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.status, Status::Active | Status::Pending)
    }

    fn says(&self, new: &Statement) -> bool {
        adds_nothing(&new.reading, &self.reading)
            || new.claims.are_within(&self.claims)
            // A note that was shown comes back without its date; said anew, it is another day.
            || (!(new.own && new.said_at > self.since) && adds_nothing(&new.bare, &self.bare))
    }

    fn is_denied_by(&self, new: &Statement) -> bool {
        new.claims.contradict(&self.claims) || denies(&new.reading, &self.reading)
    }

    /// Whether the new item says all that this one says, and more.
    fn is_refined_by(&self, new: &Statement) -> bool {
        self.own
            && self.status == Status::Active
            && !self.pinned
            && self.since <= new.said_at
            && (adds_nothing(&self.reading, &new.reading) || self.claims.are_within(&new.claims))
    }

    fn can_be_replaced_by(&self, new: &Statement) -> bool {
        new.claims.can_replace(&self.claims) || denies(&new.reading, &self.reading)
    }
}

impl Knowledge {
    /// Of all that comes up in a project, or where there is none.
    pub(super) fn of(memory: &Memory, here: Option<&Project>) -> Self {
        let seen = || memory.all().filter(|stored| stored.item.comes_up_in(here));
        let mut known: Vec<Known> = seen().map(|stored| Known::of(stored, here)).collect();
        let own_names: Vec<String> = known
            .iter()
            .filter(|known| known.status == Status::Active)
            .flat_map(|known| known.claims.own_names().cloned())
            .collect();
        let named = |word: &Word| own_names.contains(&word.folded);
        // Only who is called by name has more claims than were read without it.
        for (known, stored) in known.iter_mut().zip(seen()) {
            if known.bare.words.iter().any(named) {
                known.claims = Claims::of(&without_dates(&stored.item.text), &own_names);
            }
        }
        Knowledge { known, own_names }
    }

    /// The active items that one which is about to become active says otherwise than, and can take
    /// the place of; pinned ones stay.
    pub(super) fn answered_by(&self, id: Id, text: &str) -> Vec<Id> {
        let bare = without_dates(text);
        let reading = read(&bare);
        let claims = Claims::read(&bare, &reading, &self.own_names);
        self.known
            .iter()
            .filter(|known| known.own && known.id != id)
            .filter(|known| known.status == Status::Active && !known.pinned)
            .filter(|known| {
                let contradicts = claims.contradict(&known.claims);
                (contradicts && claims.can_replace(&known.claims)) || denies(&reading, &known.bare)
            })
            .map(|known| known.id)
            .collect()
    }
}

impl<'a> Judge<'a> {
    pub(super) fn new(memory: &Memory, context: &'a Context) -> Self {
        let here = context.project.as_ref();
        let Knowledge { known, own_names } = Knowledge::of(memory, here);
        Judge {
            waiting: memory.pending().count(),
            context,
            known,
            own_names,
            accepted: Accepted::default(),
        }
    }

    /// The names by which memory knows the person.
    pub(super) fn own_names(&self) -> &[String] {
        &self.own_names
    }

    /// Whether two notes give a value to the same attribute of the same subject.
    pub(super) fn share_an_attribute(&self, a: &str, b: &str) -> bool {
        let claims = |text: &str| Claims::of(&without_dates(text), &self.own_names);
        claims(a).share_an_attribute(&claims(b))
    }

    pub(super) fn finish(self) -> Accepted {
        self.accepted
    }

    pub(super) fn push(&mut self, op: MemoryOp) {
        self.accepted.ops.push(op);
    }

    pub(super) fn judge(&mut self, candidate: Candidate) {
        let kind = candidate.kind;
        let by_command = candidate.class == SourceClass::UserCommand;
        let text = one_line(&candidate.text);
        let chars_max = if by_command {
            COMMAND_CHARS_MAX
        } else {
            ITEM_CHARS_MAX
        };
        if text.chars().count() > chars_max {
            self.say(kind, "", None, Judgement::TooLong);
            return;
        }
        let mut secrets = detect_secrets(&candidate.text);
        secrets.extend(detect_secrets(&text));
        secrets.dedup();
        if !secrets.is_empty() {
            self.say(kind, "", None, Judgement::Refused(secrets));
            return;
        }
        if says_nothing(&text, by_command) {
            self.say(kind, &text, None, Judgement::Trivial);
            return;
        }
        let new = self.statement(&candidate, text);
        let replaced = match self.find_same(&new) {
            Some(known) if !self.takes_over(known, &new) => {
                self.meet(kind, &new, known, candidate.pinned);
                return;
            }
            same => same,
        };
        if let Some(judgement) = self.was_settled(&new) {
            self.say(kind, &new.text, None, judgement);
            return;
        }
        self.add(candidate, new, replaced);
    }

    fn statement(&self, candidate: &Candidate, text: String) -> Statement {
        let by_command = candidate.class == SourceClass::UserCommand;
        let said_at = match &candidate.quote {
            Some(quote) => quote.at,
            None => self.context.now,
        };
        let day = said_at.to_zoned(self.context.zone.clone()).date();
        let resolved = resolve(&text, day);
        let bare = without_dates(&text);
        let quoted = candidate.class == SourceClass::UserSaid && candidate.quote.is_some();
        Statement {
            reading: read(&resolved),
            bare: read(&bare),
            claims: Claims::of(&bare, &self.own_names),
            text: resolved,
            said_at,
            own: by_command || quoted,
            by_command,
            flag: suspicion(&candidate.text),
        }
    }

    /// An open item that says the same, an active one before a waiting one. One of no project
    /// is as good in a project, unless it waits or the new one is given for the project.
    fn find_same(&self, new: &Statement) -> Option<usize> {
        let says = |status: Status, own: bool| {
            let fits = |known: &Known| known.status == status && known.own == own;
            self.known
                .iter()
                .position(|known| fits(known) && known.says(new))
        };
        let borrowed = || match new.by_command {
            true => None,
            false => says(Status::Active, false),
        };
        says(Status::Active, true)
            .or_else(borrowed)
            .or_else(|| says(Status::Pending, true))
    }

    /// Whether the person now said themselves what so far only waited.
    fn takes_over(&self, known: usize, new: &Statement) -> bool {
        let clean = new.flag.is_none() || new.by_command;
        self.known[known].status == Status::Pending && new.own && clean
    }

    fn meet(&mut self, kind: Kind, new: &Statement, known: usize, pinned: bool) {
        let known = &self.known[known];
        let id = known.id;
        let active = known.status == Status::Active;
        let anew = new.said_at.duration_since(known.since).ge(&CONFIRM_AFTER);
        let confirmed =
            active && known.own && new.own && (new.by_command || (anew && new.flag.is_none()));
        let pin = pinned && known.own && !known.pinned;
        if confirmed {
            self.push(MemoryOp::Confirm { id });
        }
        if pin {
            self.push(MemoryOp::Pin { id });
        }
        self.say(kind, &new.text, None, Judgement::Known { id, confirmed });
    }

    /// What was said before and has ended since stays ended, unless the person says it again.
    fn was_settled(&self, new: &Statement) -> Option<Judgement> {
        let said_since = |known: &Known| {
            new.by_command || (new.own && known.ended.is_some_and(|ended| new.said_at > ended))
        };
        let ended = self
            .known
            .iter()
            .rev()
            .find(|known| !known.is_open() && known.says(new) && !said_since(known));
        if let Some(known) = ended {
            let id = known.id;
            return Some(match known.status {
                Status::Rejected | Status::Forgotten => Judgement::Declined { id },
                _ => Judgement::Known {
                    id,
                    confirmed: false,
                },
            });
        }
        let active = |known: &&Known| known.status == Status::Active;
        let readings: Vec<&Reading> = self
            .known
            .iter()
            .filter(active)
            .map(|known| &known.bare)
            .collect();
        (!new.own && is_covered(&new.bare, &readings)).then_some(Judgement::Restated)
    }

    fn add(&mut self, candidate: Candidate, new: Statement, same: Option<usize>) {
        let rivals: Vec<usize> = (0..self.known.len())
            .filter(|i| {
                let known = &self.known[*i];
                let named = candidate.replaces == Some(known.id);
                known.own && known.status == Status::Active && (named || known.is_denied_by(&new))
            })
            .collect();
        let why = self.why_waiting(&candidate, &new, &rivals);
        if let (Some(_), Some(same)) = (why, same) {
            self.meet(candidate.kind, &new, same, candidate.pinned);
            return;
        }
        if why.is_some() && !self.has_room(&candidate) {
            self.say(candidate.kind, &new.text, None, Judgement::NoRoom);
            return;
        }
        let replaced = self.replaced(&candidate, &new, &rivals, same);
        let item = self.item(candidate, &new, why, &replaced);
        let waited = |id: &Id| same.is_some_and(|same| self.known[same].id == *id);
        let judgement = match why {
            Some(why) => Judgement::Waiting(why),
            None if replaced.iter().all(waited) => Judgement::Learnt,
            None => Judgement::Replaced(replaced.clone()),
        };
        self.say(item.kind, &item.text, Some(item.id), judgement);
        self.remember(&item, new, &replaced);
        self.push(match (why, replaced.as_slice()) {
            (Some(_), _) | (None, []) => MemoryOp::Add { item },
            (None, [id]) => MemoryOp::Supersede { id: *id, item },
            (None, _) => MemoryOp::Merge {
                ids: replaced,
                item,
            },
        });
    }

    /// The items whose place the new one takes: those it answers, those it says more fully, and the
    /// one that waited to be said by the person.
    fn replaced(
        &self,
        candidate: &Candidate,
        new: &Statement,
        rivals: &[usize],
        same: Option<usize>,
    ) -> Vec<Id> {
        let mut replaced: Vec<Id> = rivals
            .iter()
            .map(|i| &self.known[*i])
            .filter(|known| known.can_be_replaced_by(new) || candidate.replaces == Some(known.id))
            .map(|known| known.id)
            .collect();
        let refined = self.known.iter().filter(|known| known.is_refined_by(new));
        replaced.extend(refined.map(|known| known.id));
        replaced.extend(same.map(|i| self.known[i].id));
        replaced.sort_unstable();
        replaced.dedup();
        replaced
    }

    fn item(
        &self,
        candidate: Candidate,
        new: &Statement,
        why: Option<Why>,
        replaced: &[Id],
    ) -> Item {
        let mut source = Source::of(candidate.class);
        source.conversation = self.context.conversation;
        if let Some(quote) = candidate.quote {
            source.message = Some(quote.message);
            source.quote = Some(quote.text);
        }
        let text = Text::new(new.text.clone());
        let mut item = Item::new(candidate.kind, text, source, new.said_at);
        item.pinned = candidate.pinned;
        item.private = self.context.private;
        item.project = self.context.project.clone();
        item.supersedes = replaced.first().copied();
        let flag = match why {
            Some(Why::Flagged(flag)) => Some(flag),
            _ => new.flag,
        };
        item.flag = flag.map(|flag| flag.name().to_owned());
        if why.is_some() {
            item.status = Status::Pending;
        }
        item
    }

    /// An import is the person's own doing and may be large.
    fn has_room(&self, candidate: &Candidate) -> bool {
        candidate.class == SourceClass::Import || self.waiting < WAITING_MAX
    }

    fn why_waiting(&self, candidate: &Candidate, new: &Statement, rivals: &[usize]) -> Option<Why> {
        if new.by_command {
            return None;
        }
        if let Some(flag) = new.flag {
            return Some(Why::Flagged(flag));
        }
        if !new.own {
            return Some(match candidate.class {
                SourceClass::UserSaid | SourceClass::AssistantSaid => Why::NoQuote,
                _ => Why::Outside,
            });
        }
        let rivals = || rivals.iter().map(|i| &self.known[*i]);
        if rivals().any(|known| known.since > new.said_at) {
            return Some(Why::Flagged(Flag::Outdated));
        }
        let stuck = |known: &Known| {
            known.pinned
                || (known.fresh && known.since == new.said_at)
                || (!known.can_be_replaced_by(new) && candidate.replaces != Some(known.id))
        };
        rivals()
            .any(stuck)
            .then_some(Why::Flagged(Flag::Contradiction))
    }

    /// Takes the new item in, so that the next candidate is judged against it too.
    fn remember(&mut self, item: &Item, new: Statement, replaced: &[Id]) {
        if item.status == Status::Active {
            let now = self.context.now;
            for known in self
                .known
                .iter_mut()
                .filter(|known| replaced.contains(&known.id))
            {
                known.status = Status::Superseded;
                known.ended = Some(now);
            }
            self.own_names.extend(new.claims.own_names().cloned());
        } else {
            self.waiting += 1;
        }
        self.known.push(Known {
            id: item.id,
            status: item.status,
            pinned: item.pinned,
            own: true,
            since: new.said_at,
            ended: None,
            fresh: true,
            reading: new.reading,
            bare: new.bare,
            claims: new.claims,
        });
    }

    fn say(&mut self, kind: Kind, text: &str, id: Option<Id>, judgement: Judgement) {
        self.accepted.verdicts.push(Verdict {
            kind,
            text: text.into(),
            id,
            judgement,
        });
    }
}
