//! Tells code from text in Markdown that streams, one character at a time.
//!
//! Fences of three or more backticks or tildes at the start of a line (also in lists and quotes),
//! and inline code within one line: a backtick without a partner so spoils no more than its line.

/// Where in the Markdown the text has come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Markdown {
    code: Code,
    /// Backticks or tildes in a row just before here.
    run: Option<Run>,
    /// Something other than indentation, quote or list marks was on this line.
    in_line: bool,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    mark: char,
    len: usize,
    starts_line: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Code {
    #[default]
    None,
    Inline(usize),
    /// On the line that opens a fence; another backtick there makes it inline code.
    FenceInfo(char, usize),
    Fence(char, usize),
    /// On the line that closes it, if nothing else is on it.
    FenceEnd(char, usize),
}

impl Markdown {
    /// Whether `next`, which is no backtick and no tilde, would stand in code.
    pub(super) fn is_code_before(&self, next: char) -> bool {
        let mut ahead = self.clone();
        ahead.push(next);
        ahead.code != Code::None
    }

    pub(super) fn push(&mut self, c: char) {
        if let Some(run) = &mut self.run
            && run.mark == c
        {
            run.len += 1;
            return;
        }
        if let Some(run) = self.run.take() {
            self.settle(run);
        }
        if matches!(c, '`' | '~') {
            self.run = Some(Run {
                mark: c,
                len: 1,
                starts_line: !self.in_line,
            });
            self.in_line = true;
            return;
        }
        if c == '\n' {
            self.in_line = false;
            self.code = match self.code {
                Code::Inline(_) | Code::FenceEnd(..) => Code::None,
                Code::FenceInfo(mark, len) => Code::Fence(mark, len),
                code => code,
            };
            return;
        }
        if let Code::FenceEnd(mark, len) = self.code
            && !c.is_whitespace()
        {
            self.code = Code::Fence(mark, len);
        }
        let marks_line = c.is_whitespace() || c.is_ascii_digit() || ">-*+.)".contains(c);
        self.in_line |= !marks_line;
    }

    fn settle(&mut self, run: Run) {
        self.code = match self.code {
            Code::None if run.starts_line && run.len >= 3 => Code::FenceInfo(run.mark, run.len),
            Code::None if run.mark == '`' => Code::Inline(run.len),
            Code::Inline(len) if run.mark == '`' && run.len == len => Code::None,
            Code::FenceInfo('`', len) if run.mark == '`' && run.len == len => Code::None,
            Code::FenceInfo('`', len) if run.mark == '`' => Code::Inline(len),
            Code::Fence(mark, len) if run.starts_line && run.mark == mark && run.len >= len => {
                Code::FenceEnd(mark, len)
            }
            Code::FenceEnd(mark, len) => Code::Fence(mark, len),
            code => code,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an `X` in the text stands in code, for each `X`.
    fn code_at(text: &str) -> Vec<bool> {
        let mut markdown = Markdown::default();
        let mut found = Vec::new();
        for c in text.chars() {
            if c == 'X' {
                found.push(markdown.is_code_before(c));
            }
            markdown.push(c);
        }
        found
    }

    #[test]
    fn fences_and_inline_code_are_code() {
        assert_eq!(
            code_at("X `X` X ``a`X`` X"),
            [false, true, false, true, false]
        );
        assert_eq!(code_at("X\n```rust\nX\n```\nX"), [false, true, false]);
        assert_eq!(code_at("~~~~\n~~~\nX\n~~~~ \nX"), [true, false]);
        assert_eq!(code_at("- ```\n  X\n  ``` no\n X"), [true, true]);
        assert_eq!(code_at("```X```X"), [true, false]);
    }

    #[test]
    fn a_lone_backtick_spoils_only_its_line() {
        assert_eq!(code_at("it`s X\nX"), [true, false]);
        assert_eq!(code_at("a ~~~ X"), [false]);
    }
}
