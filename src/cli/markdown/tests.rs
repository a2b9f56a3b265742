use proptest::prelude::*;

use super::{Look, Renderer};

const WIDE: Look = Look {
    columns: 80,
    color: true,
};

fn drawn(text: &str, look: Look) -> String {
    let mut renderer = Renderer::new(look);
    let mut out = renderer.feed(text);
    out.push_str(&renderer.finish());
    out
}

/// What a person sees, colours and all.
fn screen(written: &str, columns: usize) -> (String, String) {
    let rows = std::num::NonZeroU16::new(300).unwrap();
    let columns = std::num::NonZeroU16::new(u16::try_from(columns).unwrap()).unwrap();
    let mut parser = vt100::Parser::new(rows, columns, 0);
    parser.process(written.replace('\n', "\r\n").as_bytes());
    let screen = parser.screen();
    (screen.contents(), screen.contents_formatted())
}

fn seen(text: &str, columns: usize) -> String {
    let look = Look {
        columns,
        color: true,
    };
    screen(&drawn(text, look), columns).0
}

#[test]
fn headings_lists_quotes_and_rules_are_drawn() {
    let text = "# Title\n\nSome **bold**, *slanted* and `code` words.\n\n- one\n  - two *deep*\n- \
                three\n\n12. twelve\n\n> quoted\n> still\n\n---\nend";
    insta::assert_snapshot!(seen(text, 80), @r"
    Title

    Some bold, slanted and code words.

    • one
      • two deep
    • three

    12. twelve

    │ quoted
    │ still

    ────────────────────────────────────────
    end
    ");
}

#[test]
fn long_lines_break_between_words_and_stay_in_their_list() {
    let text =
        "- an item of a list that is much too long for the line\n\nA paragraph that is, too.";
    insta::assert_snapshot!(seen(text, 24), @r"
    • an item of a list
      that is much too long
      for the line

    A paragraph that is,
    too.
    ");
}

#[test]
fn code_is_kept_as_it_stands() {
    let text = "Look:\n\n```rust\nfn main() {\n    let **x = 1; // *not* slanted\n}\n```\ndone";
    insta::assert_snapshot!(seen(text, 40), @r"
    Look:

    ── rust ───────────────────────────────
    fn main() {
        let **x = 1; // *not* slanted
    }
    ───────────────────────────────────────
    done
    ");
    let colored = drawn(text, WIDE);
    assert!(colored.contains("\x1b[35mfn\x1b[0m main"), "{colored:?}");
    assert!(
        colored.contains("\x1b[2m// *not* slanted\x1b[0m"),
        "{colored:?}"
    );
}

#[test]
fn a_table_fits_its_columns_to_the_terminal() {
    let text = "| Name | What it does | n |\n|:--|---|--:|\n| `ls` | lists the *files* of a \
                directory | 1 |\n| a\\|b | x | 10 |\n\nafter";
    insta::assert_snapshot!(seen(text, 80), @r"
    Name │ What it does                   │  n
    ─────┼────────────────────────────────┼───
    ls   │ lists the files of a directory │  1
    a|b  │ x                              │ 10

    after
    ");
    let narrow = seen(text, 30);
    assert!(
        narrow.lines().all(|line| line.chars().count() < 30),
        "{narrow}"
    );
    assert!(
        narrow.contains("│  1") && narrow.contains("directory"),
        "{narrow}"
    );
    let list = seen(text, 16);
    assert!(list.starts_with("• Name: ls\n  What it does:\n"), "{list}");
}

#[test]
fn what_only_looks_like_markdown_is_text() {
    for text in [
        "2 * 3 * 4",
        "snake_case_name and a__init__b",
        "a * b",
        "[not a link] (at all)",
        "#hashtag",
        "-5 degrees",
        "1.5 litres",
        "**never closed",
        "a `tick",
        "| a bar",
        "x < y && y > z",
        "![",
        "~/bin and ~user",
        "100% *",
    ] {
        assert_eq!(seen(text, 80).trim_end(), text);
    }
}

#[test]
fn links_show_where_they_lead() {
    let text = "[here](https://a.example/x) <https://b.example> [https://c.example](https://c.example) \
                ![cat](cat.png)";
    assert_eq!(
        seen(text, 100).trim_end(),
        "here (https://a.example/x) https://b.example https://c.example cat (cat.png)"
    );
}

#[test]
fn without_colours_nothing_but_text_is_written_and_meaning_stays() {
    let look = Look {
        columns: 80,
        color: false,
    };
    let out = drawn("## Head\n**b** and `c`\n", look);
    assert_eq!(out, "## Head\nb and `c`\n");
}

#[test]
fn text_appears_before_its_line_ends() {
    let mut renderer = Renderer::new(WIDE);
    assert_eq!(renderer.feed("Once upon a ti"), "Once upon a ti");
    assert_eq!(renderer.feed("me"), "me");
    assert_eq!(renderer.feed(" **"), "");
    assert_eq!(renderer.feed("there** "), " \x1b[1mthere\x1b[0m");
    assert_eq!(renderer.finish(), "\n");
}

#[test]
fn an_unclosed_block_ends_with_the_reply() {
    let look = Look {
        columns: 10,
        color: false,
    };
    assert_eq!(drawn("```\nx", look), "─────────\nx\n─────────\n");
    assert_eq!(drawn("", look), "");
    assert_eq!(drawn("\n\n", look), "");
}

#[test]
fn an_endless_construct_is_held_back_within_bounds() {
    for start in [
        "**",
        "`",
        "[",
        "<",
        "| a | b |\n|---|---|\n|",
        "```\n",
        "&",
        "- ",
        "*",
        "#",
    ] {
        for filling in ["x", "[", "`", "*", " ", "x y ", "| ", "_a"] {
            let mut renderer = Renderer::new(WIDE);
            renderer.feed(start);
            for _ in 0..400 {
                renderer.feed(&filling.repeat(200));
                assert!(renderer.held_bytes() < 16 * 1024, "{start}{filling}");
            }
        }
    }
}

impl Renderer {
    fn held_bytes(&self) -> usize {
        self.line.len() + self.held.len()
    }
}

/// Text made of what Markdown is made of.
fn markdown() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "word",
        "longer-word-than-most",
        " ",
        " ",
        "\n",
        "\n\n",
        "**",
        "*",
        "_",
        "__",
        "`",
        "```",
        "```rust\n",
        "~~",
        "- ",
        "1. ",
        "# ",
        "### ",
        "> ",
        "| a | b |\n",
        "|---|--:|\n",
        "| ",
        "|",
        "[",
        "](",
        ")",
        "<",
        ">",
        "&amp;",
        "\\",
        "  ",
        "    ",
        "---\n",
        "日本語",
        "🙂",
        "é",
        "\t",
        "!",
        "\u{1b}[31m",
        "\u{9b}2J",
        "\r",
        "\u{8}",
        "\u{202e}",
        "\u{1b}]0;x\u{7}",
        "http://x.example",
        "fn main() { \"quoted\" /* c",
        "*/ // end\n",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_margin_leaves_room_on_the_narrowest_screen() {
    let look = Look {
        columns: 9,
        color: true,
    };
    let text = "\tfn main() { /* c日本語longer-word */\n\n> > > > - deep words";
    for place in (0..text.len()).filter(|place| text.is_char_boundary(*place)) {
        let mut renderer = Renderer::new(look);
        let mut out = renderer.feed(&text[..place]);
        out.push_str(&renderer.feed(&text[place..]));
        out.push_str(&renderer.finish());
        assert_eq!(screen(&out, 9), screen(&drawn(text, look), 9), "{place}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_split_gives_the_same_screen(
        text in markdown(),
        cuts in prop::collection::vec(0.0..1.0_f64, 0..30),
        columns in 9..90_usize,
    ) {
        let look = Look { columns, color: true };
        let whole = drawn(&text, look);
        let mut renderer = Renderer::new(look);
        let mut places: Vec<usize> = cuts
            .iter()
            .map(|cut| (cut * text.len() as f64) as usize)
            .filter(|place| text.is_char_boundary(*place))
            .collect();
        places.sort_unstable();
        let mut out = String::new();
        let mut from = 0;
        for place in places.into_iter().chain([text.len()]) {
            out.push_str(&renderer.feed(&text[from..place]));
            from = place;
        }
        out.push_str(&renderer.finish());
        prop_assert_eq!(screen(&whole, columns).0, screen(&out, columns).0);
        prop_assert_eq!(screen(&whole, columns).1, screen(&out, columns).1);
    }

    #[test]
    fn nothing_of_a_model_acts_on_the_terminal(text in any::<String>(), more in markdown()) {
        let text = format!("{text}{more}");
        for color in [true, false] {
            let drawn = drawn(&text, Look { columns: 80, color });
            // The words that are ours: taking back a word and, where there are any, colours.
            let ours: &[char] = if color { &['m', 'D', 'K'] } else { &['D', 'K'] };
            let mut rest = drawn.as_str();
            let mut bare = String::new();
            while let Some(at) = rest.find('\x1b') {
                bare.push_str(&rest[..at]);
                let end = rest[at..].find(ours).expect("it ends");
                let inner = &rest[at + 1..at + end];
                let known = inner.strip_prefix('[').unwrap_or("no");
                prop_assert!(known.chars().all(|c| c.is_ascii_digit() || c == ';'), "{:?}", inner);
                rest = &rest[at + end + 1..];
            }
            bare.push_str(rest);
            prop_assert!(bare.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", bare);
            let turned = bare.chars().any(|c| ('\u{202a}'..='\u{202e}').contains(&c));
            prop_assert!(!turned);
        }
    }
}
