//! Colours code: comments, quoted text, numbers and words of the language. No grammar: a line is
//! looked at once, from left to right, and what is not known stays plain.

use super::style::{Ink, Span, Style};

/// What tells a family of languages apart.
struct Family {
    names: &'static [&'static str],
    line_comments: &'static [&'static str],
    block_comment: Option<(&'static str, &'static str)>,
    quotes: &'static [char],
    words: &'static str,
}

const FAMILIES: [Family; 7] = [
    Family {
        names: &["rust", "rs"],
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        quotes: &['"'],
        words: "as async await break const continue crate dyn else enum extern false fn for if \
                impl in let loop match mod move mut pub ref return self Self static struct super \
                trait true type unsafe use where while Some None Ok Err",
    },
    Family {
        names: &[
            "c",
            "h",
            "cpp",
            "c++",
            "cc",
            "hpp",
            "java",
            "kotlin",
            "kt",
            "scala",
            "swift",
            "go",
            "golang",
            "cs",
            "csharp",
            "js",
            "javascript",
            "jsx",
            "ts",
            "typescript",
            "tsx",
            "php",
            "dart",
            "zig",
            "css",
            "scss",
            "proto",
        ],
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        quotes: &['"', '\'', '`'],
        words: "abstract as async await bool boolean break case catch chan char class const \
                constexpr continue def default defer delete do double else enum export extends \
                extern false final finally float for from fun func function go guard if \
                implements import in int interface internal is let long map namespace new nil \
                null nullptr object of operator override package private protected public range \
                return select short signed sizeof static string struct super switch template this \
                throw throws true try type typedef typename typeof undefined union unsigned use \
                using val var virtual void volatile when where while yield",
    },
    Family {
        names: &["python", "py", "starlark", "bzl"],
        line_comments: &["#"],
        block_comment: None,
        quotes: &['"', '\''],
        words: "and as assert async await break case class continue def del elif else except \
                False finally for from global if import in is lambda match None nonlocal not or \
                pass raise return self True try while with yield",
    },
    Family {
        names: &[
            "sh",
            "bash",
            "zsh",
            "fish",
            "shell",
            "console",
            "ruby",
            "rb",
            "perl",
            "pl",
            "r",
            "make",
            "makefile",
            "dockerfile",
            "elixir",
            "ex",
            "julia",
            "jl",
            "nix",
            "powershell",
        ],
        line_comments: &["#"],
        block_comment: None,
        quotes: &['"', '\''],
        words: "alias and begin break case class continue declare def do done elif else elsif end \
                ensure esac exit export fi for foreach fn function if import in let local module \
                my next nil not or require rescue return select self set shift sub then true \
                false unless unset until use while yield FROM RUN COPY CMD ENV WORKDIR ENTRYPOINT",
    },
    Family {
        names: &[
            "toml",
            "yaml",
            "yml",
            "ini",
            "conf",
            "json",
            "jsonc",
            "json5",
            "hcl",
            "properties",
        ],
        line_comments: &["#", "//", ";"],
        block_comment: None,
        quotes: &['"', '\''],
        words: "true false null yes no on off",
    },
    Family {
        names: &[
            "sql", "psql", "mysql", "sqlite", "lua", "haskell", "hs", "ada", "elm",
        ],
        line_comments: &["--"],
        block_comment: None,
        quotes: &['"', '\''],
        words: "add all alter and as asc begin between by case create data delete desc distinct do \
                drop else elseif end exists false for from full function group having if import in \
                index inner insert into is join key left let like limit local module nil not null \
                offset on or order outer primary references repeat return right select set table \
                then true type union unique until update values view when where while with",
    },
    Family {
        names: &["html", "xml", "svg", "vue", "svelte"],
        line_comments: &[],
        block_comment: Some(("<!--", "-->")),
        quotes: &['"', '\''],
        words: "",
    },
];

/// Looks at one block of code, line by line.
pub(super) struct Highlighter {
    family: Option<&'static Family>,
    in_comment: bool,
}

impl Highlighter {
    /// For the language that a fence names.
    pub(super) fn of(language: &str) -> Self {
        let name = language.to_ascii_lowercase();
        let family = FAMILIES
            .iter()
            .find(|family| family.names.contains(&name.as_str()));
        Highlighter {
            family,
            in_comment: false,
        }
    }

    pub(super) fn line(&mut self, line: &str) -> Vec<Span> {
        let Some(family) = self.family else {
            return vec![Span::new(line, Style::default())];
        };
        let mut spans: Vec<Span> = Vec::new();
        let mut at = 0;
        while at < line.len() {
            let (length, ink) = self.token(family, line, at);
            let piece = &line[at..at + length];
            let style = Style {
                ink,
                ..Style::default()
            };
            match spans.last_mut() {
                Some(last) if last.style == style => last.text.push_str(piece),
                _ => spans.push(Span::new(piece, style)),
            }
            at += length;
        }
        spans
    }

    /// The length of what lies at `at`, and what it is.
    fn token(&mut self, family: &Family, line: &str, at: usize) -> (usize, Ink) {
        let rest = &line[at..];
        if let Some((open, close)) = family.block_comment {
            if self.in_comment {
                return self.comment(rest, 0, close);
            }
            if rest.starts_with(open) {
                return self.comment(rest, open.len(), close);
            }
        }
        // A `#` within a word, as in `$#` or `a#b`, begins no comment.
        let apart = line[..at].ends_with(char::is_whitespace) || at == 0;
        let comments = family.line_comments;
        if comments
            .iter()
            .any(|mark| rest.starts_with(mark) && (apart || mark.len() > 1 && *mark != "--"))
        {
            return (rest.len(), Ink::Comment);
        }
        let first = rest.chars().next().unwrap_or(' ');
        if family.quotes.contains(&first) {
            return (quoted(rest, first), Ink::Quoted);
        }
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let word = &rest[..word.unwrap_or(rest.len())];
        if word.is_empty() {
            return (first.len_utf8(), Ink::Plain);
        }
        let mut known = family.words.split_ascii_whitespace();
        let sql = family.line_comments == ["--"];
        let ink = if word.starts_with(|c: char| c.is_ascii_digit()) {
            Ink::Number
        } else if known.any(|name| name == word || sql && name.eq_ignore_ascii_case(word)) {
            Ink::Keyword
        } else {
            Ink::Plain
        };
        (word.len(), ink)
    }

    fn comment(&mut self, rest: &str, from: usize, close: &str) -> (usize, Ink) {
        let end = rest[from..].find(close);
        self.in_comment = end.is_none();
        let length = end.map_or(rest.len(), |end| from + end + close.len());
        (length, Ink::Comment)
    }
}

/// The length of a quoted text; to the end of the line where the quote does not close.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    // An apostrophe, or a quote that goes on in the next line.
    if quote == '\'' { 1 } else { rest.len() }
}
