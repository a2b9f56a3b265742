//! Answers a person's search, and a line of a conversation, from the index.

use std::collections::HashSet;

use crate::model::{Id, Role, Text, Timestamp};

use super::RecallError;
use super::analyse::{Phrase, question};
use super::contents::Contents;
use super::index::Index;
use super::meaning::{EmbedError, Embedder, Meaning};
use super::rank::{Counted, Question, Scored, Weights, rank, rank_by_meaning};
use super::source::Source;
use super::turn::{Speaker, day_and_second};

/// Which records are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    #[default]
    All,
    Messages,
    Memory,
}

/// Which conversations are looked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Among {
    Only(HashSet<Id>),
    /// All but these.
    But(HashSet<Id>),
}

impl Default for Among {
    fn default() -> Self {
        Among::But(HashSet::new())
    }
}

impl Among {
    fn is_everything(&self) -> bool {
        matches!(self, Among::But(none) if none.is_empty())
    }

    fn has(&self, conversation: &[u8; 16]) -> bool {
        match self {
            Among::But(hidden) => !hidden.contains(&Id::from_bytes(*conversation)),
            Among::Only(wanted) => wanted.contains(&Id::from_bytes(*conversation)),
        }
    }
}

/// What a hit must be.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub scope: Scope,
    pub role: Option<Role>,
    pub conversation: Option<Id>,
    /// Of messages; which items are found, `standing` says.
    pub conversations: Among,
    /// The first moment that counts.
    pub since: Option<Timestamp>,
    /// The first moment that counts no more.
    pub until: Option<Timestamp>,
    /// The records whose words an item of memory has today: of memory, only these are found.
    pub standing: HashSet<u64>,
    /// Nothing of conversations that stay on this machine.
    pub may_leave: bool,
    /// Also messages without a word of the query, for the words of the messages around them.
    pub by_neighbours: bool,
}

/// A record that answers, with how well.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub seq: u64,
    pub score: f64,
    /// The standard score of its words alone, over all messages.
    pub words: f64,
    /// The part of the question's weight that its words, or those around it, have: 0 to 1.
    pub coverage: f64,
    /// How far it stands out by its meaning; 0 where that was not asked about.
    pub meaning: f64,
    /// It holds a word of the question itself, or is by the person or of the day named there.
    pub own: bool,
    pub is_memory: bool,
}

/// A search as a person types it: words, "phrases" and -exclusions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The words to rank by, those of phrases among them.
    pub words: String,
    pub phrases: Vec<Phrase>,
    phrase_texts: Vec<String>,
    pub excluded: Vec<String>,
    /// What it means, where that is asked about too.
    pub meaning: Option<Meaning>,
}

/// Longer ones are cut.
const QUERY_BYTES_MAX: usize = 64 * 1024;
/// So many texts are opened at most to look for phrases.
const OPENED_MAX: usize = 4096;

/// Weaker hits do not bear on a line; see `docs/search-index.md` for how these were chosen.
const FLOOR_WORDS: f64 = 2.0;
/// Among fewer messages than these none stands out as far: the floor falls with their number,
const FLOOR_MESSAGES: f64 = 64.0;
/// and for so few, the question among them, it says nothing.
const NO_FLOOR_MESSAGES: f64 = 16.0;
pub const FLOOR_COVERAGE: f64 = 0.35;
/// Meaning that stands out so far bears on a line without a word of it.
pub const FLOOR_MEANING: f64 = 4.0;
/// A search, whose finds a person looks at, shows what stands out less.
const FOUND_BY_MEANING: f64 = 3.0;

impl Query {
    /// Words only: what looks like a phrase or an exclusion is none.
    pub fn plain(text: &str) -> Query {
        let end = text.floor_char_boundary(QUERY_BYTES_MAX);
        Query {
            words: text[..end].to_owned(),
            ..Query::default()
        }
    }

    /// Asks about the meaning as well.
    pub fn understand(&mut self, embedder: &dyn Embedder) -> Result<(), EmbedError> {
        self.meaning = Meaning::of(&self.words, embedder)?;
        Ok(())
    }

    /// What a person types.
    pub fn parse(text: &str) -> Query {
        let mut text = text;
        if text.len() > QUERY_BYTES_MAX {
            text = &text[..text.floor_char_boundary(QUERY_BYTES_MAX)];
        }
        let mut out = Query::default();
        let mut rest = text;
        let mut at_start = true;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            let closing = match c {
                '"' => Some('"'),
                '“' | '„' => Some('”'),
                '«' => Some('»'),
                _ => None,
            };
            let end = closing.and_then(|closing| {
                after.find(|c| c == closing || (closing == '”' && matches!(c, '“' | '"')))
            });
            if let Some(end) = end {
                out.phrase(&after[..end]);
                rest = &after[end..];
                rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
                at_start = true;
                continue;
            }
            if c == '-' && at_start && after.starts_with(char::is_alphanumeric) {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                out.excluded.push(after[..end].to_owned());
                rest = &after[end..];
                continue;
            }
            out.words.push(c);
            at_start = c.is_whitespace() || c == '(';
            rest = after;
        }
        out
    }

    fn phrase(&mut self, text: &str) {
        if let Some(phrase) = Phrase::of(text) {
            self.phrases.push(phrase);
            self.phrase_texts.push(text.to_owned());
            self.words.push(' ');
            self.words.push_str(text);
            self.words.push(' ');
        }
    }
}

/// The passages of messages that hold a set of words, or all but those.
struct Marked(HashSet<u64>);

impl Index {
    /// The best `k` records for a query, best first. `open` gives the text of a record, and is
    /// asked only where a phrase has to be checked; `None` leaves the record out.
    pub fn search<E: From<RecallError>>(
        &self,
        query: &Query,
        filter: &Filter,
        k: usize,
        open: &mut dyn FnMut(u64) -> Result<Option<Text>, E>,
    ) -> Result<Vec<Hit>, E> {
        let question = self.question(query, filter);
        let excluded = self.excluded(query)?;
        let required = self.required(query)?;
        let limits = Limits::of(self, filter);
        let bears = |scored: &Scored| {
            (scored.coverage > 0.0 && (scored.own || filter.by_neighbours))
                || scored.meaning >= FOUND_BY_MEANING
        };
        let mut allow = |contents: &Contents, scored: &Scored| {
            limits.allow(self, contents, scored)
                && !excluded.0.contains(&scored.seq)
                && required.iter().all(|seqs| seqs.0.contains(&scored.seq))
        };
        let meaning = query.meaning.as_ref();
        if query.phrases.is_empty() {
            let found = self.ranked((&question, meaning), k, &mut allow, &bears)?;
            return Ok(found.iter().map(hit).collect());
        }
        let most = OPENED_MAX.max(k);
        let found = self.ranked((&question, meaning), most, &mut allow, &bears)?;
        let mut hits = Vec::new();
        for scored in found {
            if hits.len() == k {
                break;
            }
            let Some(text) = open(scored.seq)? else {
                continue;
            };
            if query
                .phrases
                .iter()
                .all(|phrase| !phrase.find(&text).is_empty())
            {
                hits.push(hit(&scored));
            }
        }
        Ok(hits)
    }

    /// What bears on a line of a conversation: the best records, none below the floor, none that
    /// `skip` says is at hand already.
    pub fn recall(
        &self,
        line: &Query,
        filter: &Filter,
        k: usize,
        skip: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Vec<Hit>, RecallError> {
        let question = self.question(line, filter);
        let limits = Limits::of(self, filter);
        let floor = floor_words(question.messages(self));
        let bears = |scored: &Scored| {
            let by_words = floor.map_or(scored.own, |floor| scored.words >= floor);
            (by_words && scored.coverage >= FLOOR_COVERAGE) || scored.meaning >= FLOOR_MEANING
        };
        let mut allow = |contents: &Contents, scored: &Scored| {
            limits.allow(self, contents, scored) && !skip(scored.seq)
        };
        let asked = (&question, line.meaning.as_ref());
        let found = self.ranked(asked, k, &mut allow, &bears)?;
        Ok(found.iter().map(hit).collect())
    }

    /// What is asked, of the conversations that are looked through. Items of memory always count.
    fn question(&self, query: &Query, filter: &Filter) -> Question {
        let mut question = Question::of(&query.words, self);
        let among = &filter.conversations;
        if !among.is_everything() {
            let counts = |id: &[u8; 16]| *id == [0; 16] || among.has(id);
            question.counted = Some(Counted::of(self.contents(), counts));
        }
        question
    }

    /// The best by words, and by meaning where that was asked about and there are vectors.
    fn ranked(
        &self,
        (question, meaning): (&Question, Option<&Meaning>),
        k: usize,
        allow: &mut dyn FnMut(&Contents, &Scored) -> bool,
        bears: &dyn Fn(&Scored) -> bool,
    ) -> Result<Vec<Scored>, RecallError> {
        let weights = Weights::default();
        if let Some(meaning) = meaning {
            let asked = (question, meaning);
            if let Some(found) = rank_by_meaning(self, asked, &weights, k, allow, bears)? {
                return Ok(found);
            }
        }
        let mut allow =
            |contents: &Contents, scored: &Scored| bears(scored) && allow(contents, scored);
        rank(self, question, &weights, k, &mut allow)
    }

    /// The messages that hold a word which is excluded.
    fn excluded(&self, query: &Query) -> Result<Marked, RecallError> {
        let mut out = HashSet::new();
        for word in &query.excluded {
            out.extend(self.seqs_with(word)?.into_iter().flat_map(|seqs| seqs.0));
        }
        Ok(Marked(out))
    }

    /// For every content word of a phrase, the messages that hold it.
    fn required(&self, query: &Query) -> Result<Vec<Marked>, RecallError> {
        let mut out = Vec::new();
        for text in &query.phrase_texts {
            out.extend(self.seqs_with(text)?);
        }
        Ok(out)
    }

    fn seqs_with(&self, text: &str) -> Result<Vec<Marked>, RecallError> {
        let contents = self.contents();
        let mut out = Vec::new();
        let mut postings = Vec::new();
        let mut turn = Vec::new();
        for word in question(text, contents.sums.all_languages()) {
            if word.terms.is_empty() {
                continue;
            }
            postings.clear();
            for term in &word.terms {
                self.postings(term, &mut postings)?;
            }
            let mut seqs = HashSet::with_capacity(postings.len());
            for posting in &postings {
                self.columns(posting.passage..posting.passage + 1, &mut turn)?;
                let turn = turn.first().ok_or(RecallError::Damaged)?;
                seqs.insert(contents.seq(contents.run_of(posting.passage), *turn));
            }
            out.push(Marked(seqs));
        }
        Ok(out)
    }
}

/// How far the words of a message must stand out among so many; none where that says nothing.
fn floor_words(messages: u64) -> Option<f64> {
    let above = messages as f64 - NO_FLOOR_MESSAGES;
    let part = above / (FLOOR_MESSAGES - NO_FLOOR_MESSAGES);
    (above > 0.0).then_some(FLOOR_WORDS * part.min(1.0))
}

fn hit(scored: &Scored) -> Hit {
    Hit {
        seq: scored.seq,
        score: scored.score,
        words: scored.words,
        coverage: scored.coverage,
        meaning: scored.meaning,
        own: scored.own,
        is_memory: scored.turn.speaker() == Speaker::MEMORY,
    }
}

/// A filter in the terms of the index.
struct Limits<'a> {
    standing: &'a HashSet<u64>,
    may_leave: bool,
    scope: Scope,
    role: Option<Role>,
    /// A conversation that is wanted and unknown lets nothing through.
    conversation: Option<Option<u32>>,
    conversations: &'a Among,
    since: Option<(i32, u32)>,
    until: Option<(i32, u32)>,
}

impl<'a> Limits<'a> {
    fn of(index: &Index, filter: &'a Filter) -> Limits<'a> {
        let known = |id: Id| index.contents().conversation(&id.bytes());
        Limits {
            standing: &filter.standing,
            may_leave: filter.may_leave,
            scope: filter.scope,
            role: filter.role,
            conversation: filter.conversation.map(known),
            conversations: &filter.conversations,
            since: filter.since.map(day_and_second),
            until: filter.until.map(day_and_second),
        }
    }

    fn allow(&self, index: &Index, contents: &Contents, scored: &Scored) -> bool {
        let run = &contents.runs[scored.run as usize];
        let at = (run.day, scored.turn.second());
        let of = &contents.conversations[run.conversation as usize].id;
        let speaker_is_memory = scored.turn.speaker() == Speaker::MEMORY;
        self.scope_and_role(scored)
            && self
                .conversation
                .is_none_or(|wanted| wanted == Some(run.conversation))
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && !index.state().is_deleted(of)
            && !(self.may_leave && index.state().is_local(of))
            && (speaker_is_memory || self.conversations.has(of))
    }

    fn scope_and_role(&self, scored: &Scored) -> bool {
        let speaker = scored.turn.speaker();
        if speaker == Speaker::MEMORY {
            return self.scope != Scope::Messages
                && self.role.is_none()
                && self.standing.contains(&scored.seq);
        }
        let said_by = match speaker {
            Speaker::ASSISTANT => Role::Assistant,
            Speaker::OTHER => Role::System,
            _ => Role::User,
        };
        self.scope != Scope::Memory && self.role.is_none_or(|role| role == said_by)
    }
}
