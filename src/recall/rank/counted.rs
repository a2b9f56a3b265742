//! Which conversations count in a ranking, where not all do: what is usual, and what stands out, is
//! then told from these alone, as if there were no others.

use crate::recall::contents::{Contents, Conversation};
use crate::recall::source::Posting;

/// Some of an index.
#[derive(Clone, Debug)]
pub struct Counted {
    /// By number.
    conversations: Vec<bool>,
    passages: u32,
    messages: u64,
}

impl Counted {
    /// Those that are wanted, by id.
    pub fn of(contents: &Contents, wanted: impl Fn(&[u8; 16]) -> bool) -> Counted {
        let all = contents.conversations.iter();
        let conversations: Vec<bool> = all.map(|conversation| wanted(&conversation.id)).collect();
        let mut passages = 0;
        for (n, run) in (0..).zip(&contents.runs) {
            if conversations[run.conversation as usize] {
                passages += contents.range(n).len() as u32;
            }
        }
        let counted = contents.conversations.iter().zip(&conversations);
        let counted = counted.filter(|(_, counts)| **counts);
        let messages = counted.map(|(of, _)| u64::from(of.messages)).sum();
        Counted {
            conversations,
            passages,
            messages,
        }
    }

    fn has(&self, contents: &Contents, run: u32) -> bool {
        let conversation = contents.runs[run as usize].conversation;
        self.conversations[conversation as usize]
    }
}

/// What counts: these, or, where nothing is said, all.
#[derive(Clone, Copy)]
pub(super) struct Counting<'a>(pub(super) Option<&'a Counted>);

impl Counting<'_> {
    pub(super) fn passages(self, contents: &Contents) -> u32 {
        self.0.map_or(contents.passages, |some| some.passages)
    }

    pub(super) fn messages(self, contents: &Contents) -> u64 {
        self.0.map_or(contents.sums.messages, |some| some.messages)
    }

    pub(super) fn has(self, contents: &Contents, run: u32) -> bool {
        self.0.is_none_or(|some| some.has(contents, run))
    }

    /// How many conversations count, and how many words these have.
    pub(super) fn conversations(self, contents: &Contents) -> (usize, u64) {
        let Some(some) = self.0 else {
            return (contents.conversations.len(), contents.sums.words);
        };
        let all = contents.conversations.iter().zip(&some.conversations);
        let counted = all.filter(|(_, counts)| **counts);
        counted.fold((0, 0), |(n, words), (of, _)| (n + 1, words + of.words))
    }

    /// Those that count, with what goes with them.
    pub(super) fn each<'b, T>(
        self,
        contents: &'b Contents,
        with: &'b [T],
    ) -> impl Iterator<Item = (&'b Conversation, &'b T)> {
        let all = contents.conversations.iter().zip(with).enumerate();
        let counts = move |n: usize| self.0.is_none_or(|some| some.conversations[n]);
        all.filter(move |(n, _)| counts(*n)).map(|(_, both)| both)
    }

    /// Leaves of postings those that count.
    pub(super) fn thin(self, contents: &Contents, postings: &mut Vec<Posting>) {
        if self.0.is_none() {
            return;
        }
        let mut run = 0;
        postings.retain(|posting| {
            run = contents.run_near(run, posting.passage);
            self.has(contents, run)
        });
    }
}
