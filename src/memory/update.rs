//! Takes `<memory_update>` blocks out of a reply while it streams.
//!
//! A block is never shown and what is in it becomes proposals. In a Markdown code fence or in
//! inline code the tag is only text: who asks about it sees it. The filter decides by characters,
//! so that it does not matter where the stream is cut. It holds back at most a tag, a run of
//! blank space and one block: a block above 64 KiB is still hidden up to its end, but nothing of
//! it is kept and nothing is learnt from it.

use zeroize::Zeroize;

use crate::model::Text;

use super::markdown::Markdown;
use super::proposal::{Fault, Proposal, parse_updates};

const NAME: &str = "memory_update";
/// A longer tag is not ours.
const TAG_CHARS_MAX: usize = 256;
const BLOCK_BYTES_MAX: usize = 64 * 1024;
const SPACE_CHARS_MAX: usize = 4096;
const BLOCKS_MAX: usize = 8;

/// Filters a reply as it streams.
#[derive(Default)]
pub struct UpdateFilter {
    state: State,
    markdown: Markdown,
    /// What is decided and not yet handed out.
    out: String,
    /// Blank space that waits for the next shown character.
    space: String,
    /// The blank space before a block that was hidden since the last shown character.
    gap: Option<String>,
    shown_any: bool,
    blocks: usize,
    proposals: Vec<Proposal>,
    faults: Vec<Fault>,
}

/// What is left when a reply has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Filtered {
    /// The end of the text to show; of `UpdateFilter::strip`, all of it.
    pub text: Text,
    pub proposals: Vec<Proposal>,
    pub faults: Vec<Fault>,
}

#[derive(Default)]
enum State {
    #[default]
    Shown,
    /// `<` and what came after it, as long as it may become our tag.
    Tag(String),
    Block(Block),
}

/// Inside a block.
#[derive(Default)]
struct Block {
    content: String,
    too_large: bool,
    /// `<` and what came after it, as long as it may become a tag of ours.
    tag: String,
    json: JsonEnd,
}

/// Finds the end of the first JSON object: where a model forgets the closing tag, the rest of its
/// answer must not be lost to the person.
#[derive(Default)]
struct JsonEnd {
    depth: usize,
    in_string: bool,
    escaped: bool,
    done: bool,
}

impl JsonEnd {
    fn push(&mut self, c: char) {
        if self.in_string {
            self.in_string = self.escaped || c != '"';
            self.escaped = c == '\\' && !self.escaped;
            return;
        }
        match c {
            '"' if self.depth > 0 => self.in_string = true,
            '{' | '[' => self.depth += 1,
            '}' | ']' if self.depth > 0 => {
                self.depth -= 1;
                self.done = self.depth == 0;
            }
            _ => {}
        }
    }
}

/// What the characters since a `<` are.
#[derive(Clone, Copy, PartialEq)]
enum Tag {
    Open,
    Close,
    /// Opened and closed at once.
    Empty,
    /// Needs more characters; the name is complete or not.
    Begun {
        named: bool,
    },
    Other,
}

/// Reads a tag of ours: the name in any case, blanks and attributes after it.
fn read_tag(text: &str) -> Tag {
    let body = text.strip_prefix('<').unwrap_or(text);
    let (closing, body) = match body.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (false, body),
    };
    if body.len() < NAME.len() {
        let fits = NAME[..body.len()].eq_ignore_ascii_case(body);
        return if fits {
            Tag::Begun { named: false }
        } else {
            Tag::Other
        };
    }
    let Some((name, rest)) = body.split_at_checked(NAME.len()) else {
        return Tag::Other;
    };
    if !name.eq_ignore_ascii_case(NAME) {
        return Tag::Other;
    }
    let Some(attributes) = rest.strip_suffix('>') else {
        let plausible =
            rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '/');
        return if plausible && rest.chars().all(fits_attribute) {
            Tag::Begun { named: true }
        } else {
            Tag::Other
        };
    };
    let trimmed = attributes.trim();
    match trimmed {
        "" if closing => Tag::Close,
        "" => Tag::Open,
        "/" => Tag::Empty,
        _ if !closing && trimmed.contains('=') && trimmed.ends_with('/') => Tag::Empty,
        _ if !closing && trimmed.contains('=') => Tag::Open,
        _ => Tag::Other,
    }
}

fn fits_attribute(c: char) -> bool {
    c.is_whitespace() || c.is_alphanumeric() || "_-:.=\"'/".contains(c)
}

impl UpdateFilter {
    pub fn new() -> Self {
        UpdateFilter::default()
    }

    /// Filters a whole text at once.
    pub fn strip(text: &str) -> Filtered {
        let mut filter = UpdateFilter::new();
        let mut shown = filter.feed(text);
        let mut end = filter.finish();
        shown.push_str(&end.text);
        end.text = shown;
        end
    }

    /// Takes the next piece, cut anywhere, and gives what can be shown by now.
    pub fn feed(&mut self, piece: &str) -> Text {
        for c in piece.chars() {
            self.push(c);
        }
        Text::new(std::mem::take(&mut self.out))
    }

    /// Ends the reply: the last of its text, what it proposes, and what was wrong with it.
    pub fn finish(mut self) -> Filtered {
        match std::mem::take(&mut self.state) {
            State::Shown => {}
            State::Tag(held) => match read_tag(&held) {
                Tag::Begun { named: true } if !held.starts_with("</") => {
                    self.hide(Some(Fault::MissingEnd))
                }
                Tag::Begun { named: true } => self.hide(None),
                _ => self.show_all(&held),
            },
            State::Block(_) => self.hide(Some(Fault::MissingEnd)),
        }
        if self.gap.is_none() {
            self.out.push_str(&self.space);
        }
        Filtered {
            text: Text::new(std::mem::take(&mut self.out)),
            proposals: std::mem::take(&mut self.proposals),
            faults: std::mem::take(&mut self.faults),
        }
    }

    fn push(&mut self, c: char) {
        match std::mem::take(&mut self.state) {
            State::Shown => self.push_shown(c),
            State::Tag(held) => self.push_tag(held, c),
            State::Block(block) => self.push_block(block, c),
        }
    }

    fn push_shown(&mut self, c: char) {
        if c == '<' && !self.markdown.is_code_before(c) {
            self.state = State::Tag(String::from('<'));
        } else {
            self.show(c);
        }
    }

    fn push_tag(&mut self, mut held: String, c: char) {
        held.push(c);
        let tag = if held.chars().count() > TAG_CHARS_MAX {
            Tag::Other
        } else {
            read_tag(&held)
        };
        match tag {
            Tag::Begun { .. } => self.state = State::Tag(held),
            Tag::Open => self.state = State::Block(Block::default()),
            // A closing tag alone says nothing to a person either.
            Tag::Close | Tag::Empty => self.hide(None),
            Tag::Other => {
                held.pop();
                self.show_all(&held);
                self.push(c);
            }
        }
    }

    fn push_block(&mut self, mut block: Block, c: char) {
        if block.tag.is_empty() && c != '<' {
            self.push_content(block, c);
            return;
        }
        block.tag.push(c);
        let tag = if block.tag.chars().count() > TAG_CHARS_MAX {
            Tag::Other
        } else {
            read_tag(&block.tag)
        };
        match tag {
            Tag::Begun { .. } => self.state = State::Block(block),
            Tag::Close => self.close(block),
            // The end of the block before was forgotten.
            Tag::Open => {
                self.hide(Some(Fault::MissingEnd));
                self.state = State::Block(Block::default());
            }
            Tag::Empty | Tag::Other => {
                let mut tag = std::mem::take(&mut block.tag);
                tag.pop();
                if tag.is_empty() {
                    self.push_content(block, c);
                    return;
                }
                self.state = State::Block(block);
                for held in tag.chars() {
                    match std::mem::take(&mut self.state) {
                        State::Block(block) => self.push_content(block, held),
                        State::Shown => self.show(held),
                        State::Tag(_) => unreachable!("only `push_shown` begins a tag"),
                    }
                }
                self.push(c);
            }
        }
    }

    fn push_content(&mut self, mut block: Block, c: char) {
        let between = c.is_whitespace() || matches!(c, '`' | ',' | ';');
        if block.json.done && !between {
            self.hide(Some(Fault::MissingEnd));
            if c == '<' {
                self.show(c);
            } else {
                self.push(c);
            }
            return;
        }
        if !block.json.done {
            block.json.push(c);
        }
        if block.content.len() + c.len_utf8() > BLOCK_BYTES_MAX {
            block.too_large = true;
            block.content.zeroize();
        }
        if !block.too_large {
            block.content.push(c);
        }
        self.state = State::Block(block);
    }

    fn close(&mut self, mut block: Block) {
        if block.too_large {
            self.hide(Some(Fault::TooLarge));
            return;
        }
        self.blocks += 1;
        if self.blocks > BLOCKS_MAX {
            self.hide(Some(Fault::TooManyBlocks));
            return;
        }
        match parse_updates(&block.content) {
            Ok((proposals, faults)) => {
                self.proposals.extend(proposals);
                for fault in faults {
                    self.fault(fault);
                }
                self.hide(None);
            }
            Err(fault) => self.hide(Some(fault)),
        }
        block.content.zeroize();
    }

    fn hide(&mut self, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.fault(fault);
        }
        let space = std::mem::take(&mut self.space);
        self.gap = Some(match self.gap.take() {
            Some(gap) => wider(gap, space),
            None => space,
        });
    }

    /// A fault is told once, however often it happens.
    fn fault(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn show_all(&mut self, held: &str) {
        for c in held.chars() {
            self.show(c);
        }
    }

    fn show(&mut self, c: char) {
        self.markdown.push(c);
        if c.is_whitespace() && self.space.len() < SPACE_CHARS_MAX {
            self.space.push(c);
            return;
        }
        let space = std::mem::take(&mut self.space);
        let space = match self.gap.take() {
            Some(_) if !self.shown_any => String::new(),
            Some(gap) => wider(gap, space),
            None => space,
        };
        self.out.push_str(&space);
        self.out.push(c);
        self.shown_any = true;
    }
}

/// Of the blank space before and after a block, what parts the text better.
fn wider(before: String, after: String) -> String {
    let lines = |space: &str| space.matches('\n').count();
    if (lines(&after), after.len()) > (lines(&before), before.len()) {
        after
    } else {
        before
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
