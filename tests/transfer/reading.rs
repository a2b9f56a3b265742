//! The forms for reading.

use agent::model::{ConversationOp, Kind, MemoryOp, Role};
use agent::transfer::Format;
use agent::vault::{Log, Vault};

use crate::support::*;

/// Conversations whose messages lie mixed in the log, with words that look like markup.
fn mixed() -> Vault {
    let mut vault = fresh();
    let records = [
        started(id(1)),
        titled(id(1), "<script>alert(1)</script>"),
        started(id(2)),
        said(id(2), 21, Role::User, "second talk"),
        said(
            id(1),
            11,
            Role::User,
            "first & foremost\n# not a heading\n</details>",
        ),
        said(id(2), 22, Role::Assistant, "reply \u{1b}[31mred"),
        said(id(1), 12, Role::Assistant, "first reply"),
        started(id(3)),
        said(id(3), 31, Role::User, "SECRETWORDS"),
        event(id(3), 40, ConversationOp::Deleted),
        memory(MemoryOp::Add {
            item: item(101, Kind::Fact, "lives in <Ghent>"),
        }),
        memory(MemoryOp::Add {
            item: item(102, Kind::Preference, "OLDTASTE"),
        }),
        memory(MemoryOp::Supersede {
            id: id(102),
            item: item(103, Kind::Preference, "likes tea"),
        }),
        memory(MemoryOp::Add {
            item: item(104, Kind::Outcome, "SECRETDEED"),
        }),
        memory(MemoryOp::Forget { id: id(104) }),
    ];
    vault.append(&records).unwrap();
    vault
}

fn text_in(format: Format, all: bool) -> String {
    let (out, _) = export_of(&mut mixed(), format, all);
    String::from_utf8(out).unwrap()
}

#[test]
fn json_is_one_document_by_conversation() {
    let document: serde_json::Value = serde_json::from_str(&text_in(Format::Json, false)).unwrap();
    let talks = document["conversations"].as_array().unwrap();
    let said: Vec<Vec<&str>> = talks
        .iter()
        .map(|talk| {
            let messages = talk["messages"].as_array().unwrap();
            messages
                .iter()
                .map(|m| m["content"].as_str().unwrap())
                .collect()
        })
        .collect();
    assert_eq!(said.len(), 2);
    assert_eq!(said[0][1], "first reply");
    assert_eq!(said[1], ["second talk", "reply \u{1b}[31mred"]);
    let memory = &document["long_term_memory"];
    assert_eq!(memory["key_facts"][0]["text"], "lives in <Ghent>");
    assert_eq!(memory["user_preferences"].as_array().unwrap().len(), 1);
    assert_eq!(memory["past_outcomes"].as_array().unwrap().len(), 0);
    let last = &document["conversation_buffer"].as_array().unwrap()[1];
    assert_eq!(
        (&last["role"], &last["content"]),
        (&"assistant".into(), &"first reply".into())
    );
    let empty: serde_json::Value =
        serde_json::from_slice(&export_of(&mut fresh(), Format::Json, false).0).unwrap();
    assert_eq!(empty["conversations"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_hidden_or_over_is_in_no_form_but_with_all() {
    for format in [Format::Json, Format::Markdown, Format::Html] {
        let text = text_in(format, false);
        assert!(
            !text.contains("SECRET") && !text.contains("OLDTASTE"),
            "{format:?}"
        );
        let text = text_in(format, true);
        for word in [
            "SECRETWORDS",
            "SECRETDEED",
            "OLDTASTE",
            "superseded",
            "forgotten",
        ] {
            assert!(text.contains(word), "{format:?} {word}");
        }
    }
}

#[test]
fn markdown_keeps_what_was_said_inside_quotes() {
    let text = text_in(Format::Markdown, false);
    assert!(
        text.contains("> first & foremost\n> # not a heading\n"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
    let memory = text.find("## Memory").unwrap();
    assert!(memory < text.find("## Conversations").unwrap());
    assert!(text.find("first reply").unwrap() < text.find("second talk").unwrap());
}

#[test]
fn html_runs_its_own_script_and_nothing_of_a_conversation() {
    let text = text_in(Format::Html, true);
    assert_eq!(text.matches("<script").count(), 1);
    assert_eq!(text.matches("<details").count(), 3);
    assert_eq!(text.matches("</details>").count(), 3);
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(text.contains("lives in &lt;Ghent&gt;"));
    for outside in [
        "http:", "https:", "src=", "href=", "url(", "onclick", "style=",
    ] {
        assert!(!text.contains(outside), "{outside}");
    }
    assert!(text.contains("default-src 'none'; style-src 'sha256-"));
    assert!(text.contains("<svg") && text.contains("<title>2026-03-01: 5</title>"));
}

#[test]
fn conversations_larger_than_what_is_held_at_once_come_whole_and_in_order() {
    let mut vault = fresh();
    let filler = "x".repeat(3 << 20);
    for n in 0..8_u8 {
        let long = said(id(1), n, Role::User, &format!("{n} {filler}"));
        let short = said(id(2), 100 + n, Role::User, &format!("short {n}"));
        vault.append(&[long, short]).unwrap();
    }
    let (out, exported) = export_of(&mut vault, Format::Json, false);
    assert_eq!(exported.messages, 16);
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    for talk in document["conversations"].as_array().unwrap() {
        let messages = talk["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 8);
        for (n, message) in messages.iter().enumerate() {
            let content = message["content"].as_str().unwrap();
            let number = content
                .trim_start_matches("short ")
                .split(' ')
                .next()
                .unwrap();
            assert_eq!(number, n.to_string());
        }
    }
}
