use proptest::prelude::*;

use super::*;
use crate::model::Kind;

const BLOCK: &str = r#"<memory_update>{"key_facts":["lives in Oslo"]}</memory_update>"#;

fn shown(text: &str) -> String {
    UpdateFilter::strip(text).text.as_str().to_owned()
}

fn learnt(text: &str) -> Vec<String> {
    let proposals = UpdateFilter::strip(text).proposals;
    proposals
        .iter()
        .map(|p| p.text.as_str().to_owned())
        .collect()
}

fn faults(text: &str) -> Vec<Fault> {
    UpdateFilter::strip(text).faults
}

#[test]
fn a_block_is_hidden_and_learnt() {
    let filtered = UpdateFilter::strip(&format!("Hello.\n\n{BLOCK}\n"));
    assert_eq!(filtered.text.as_str(), "Hello.");
    assert_eq!(filtered.faults, []);
    assert_eq!(
        filtered.proposals,
        [Proposal {
            kind: Kind::Fact,
            text: "lives in Oslo".into()
        }]
    );
}

#[test]
fn several_blocks_and_text_between_them() {
    let text = format!("{BLOCK}\n\nOne\n{BLOCK}\n\nTwo {BLOCK} three{BLOCK}\n\n{BLOCK}");
    assert_eq!(shown(&text), "One\n\nTwo three");
    assert_eq!(learnt(&text).len(), 5);
}

#[test]
fn the_tag_may_be_written_loosely() {
    for open in [
        "<MEMORY_UPDATE>",
        "<memory_update >",
        "<memory_update\n version=\"1\">",
    ] {
        let text = format!("a{open}{{\"key_facts\":[\"x\"]}}</Memory_Update >");
        assert_eq!(shown(&text), "a", "{open}");
        assert_eq!(learnt(&text), ["x"], "{open}");
    }
    assert_eq!(shown("a <memory_update/> b</memory_update>"), "a b");
}

#[test]
fn what_only_looks_like_the_tag_is_shown() {
    for text in [
        "<mem",
        "a <memory> b",
        "<memory_updates>{}</memory_updates>",
        "2 < 3 <<memory",
        "<memory_update block -> here",
        "</memory",
        "<ｍemory_update>",
    ] {
        assert_eq!(shown(text), text);
        assert_eq!(faults(text), []);
    }
    let long = format!("<memory_update {}", "a".repeat(300));
    assert_eq!(shown(&long), long);
    assert_eq!(shown(&format!("<{BLOCK}")), "<");
}

#[test]
fn in_code_the_tag_is_text() {
    for text in [
        format!("Write `{BLOCK}` at the end"),
        format!("```\n{BLOCK}\n```"),
        format!("So:\n\n~~~xml\n{BLOCK}\n~~~\nDone"),
        format!("1. ```\n   {BLOCK}\n   ```"),
        "the `<memory_update>` tag".to_owned(),
    ] {
        assert_eq!(shown(&text), text);
        assert_eq!(learnt(&text), [""; 0]);
    }
    let after = format!("```\n{BLOCK}\n```\nSee?\n{BLOCK}");
    assert_eq!(shown(&after), format!("```\n{BLOCK}\n```\nSee?"));
    assert_eq!(learnt(&after).len(), 1);
}

#[test]
fn a_malformed_block_is_hidden_and_reported() {
    let text = "Hi\n<memory_update>{key_facts: oops</memory_update>";
    assert_eq!(shown(text), "Hi");
    assert_eq!(faults(text), [Fault::Malformed]);
    assert_eq!(learnt(text), [""; 0]);
}

#[test]
fn a_block_without_end_is_hidden_and_nothing_is_learnt() {
    for text in [
        "Hi <memory_update>{\"key_facts\":[\"x\"]}",
        "Hi <memory_update>{\"key_facts\":[\"x",
        "Hi <memory_update>{\"key_facts\":[\"x\"]}</memory_upd",
        "Hi <memory_update ",
    ] {
        assert_eq!(shown(text), "Hi");
        assert_eq!(faults(text), [Fault::MissingEnd]);
        assert_eq!(learnt(text), [""; 0]);
    }
}

#[test]
fn an_answer_after_a_block_without_end_is_not_lost() {
    let text = "<memory_update>{\"key_facts\":[\"x\"]}\n\nThe answer is <b>4</b>.";
    assert_eq!(shown(text), "The answer is <b>4</b>.");
    assert_eq!(faults(text), [Fault::MissingEnd]);
    let tag_next = "<memory_update>{\"key_facts\":[\"x\"]}\n<b>4</b>";
    assert_eq!(shown(tag_next), "<b>4</b>");
    let twice = format!("<memory_update>{{}} {BLOCK} end");
    assert_eq!(shown(&twice), "end");
    assert_eq!(learnt(&twice), ["lives in Oslo"]);
}

#[test]
fn a_huge_block_is_hidden_and_not_kept() {
    let huge = "x".repeat(BLOCK_BYTES_MAX);
    let text = format!("a<memory_update>{{\"key_facts\":[\"{huge}\"]}}</memory_update>b");
    assert_eq!(shown(&text), "ab");
    assert_eq!(faults(&text), [Fault::TooLarge]);
    let mut filter = UpdateFilter::new();
    let _ = filter.feed("<memory_update>{\"");
    for _ in 0..100 {
        let _ = filter.feed(&huge);
    }
    let State::Block(block) = &filter.state else {
        panic!("still in the block");
    };
    assert!(block.content.capacity() <= 2 * BLOCK_BYTES_MAX);
    assert_eq!(filter.finish().faults, [Fault::MissingEnd]);
}

#[test]
fn no_more_than_eight_blocks_count() {
    let text = BLOCK.repeat(10);
    assert_eq!(learnt(&text).len(), 8);
    assert_eq!(faults(&text), [Fault::TooManyBlocks]);
}

#[test]
fn text_without_a_block_keeps_its_blank_space() {
    let text = "  a\n\n\n b \n";
    assert_eq!(shown(text), text);
    let blank = " ".repeat(10_000);
    assert_eq!(shown(&blank), blank);
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("<memory_update>".to_owned()),
        Just("</memory_update>".to_owned()),
        Just(BLOCK.to_owned()),
        Just("{\"key_facts\":[\"x\"]}".to_owned()),
        Just("```".to_owned()),
        Just("~~~\n".to_owned()),
        Just("<memory_update a='1'".to_owned()),
        "[`<>/\n {}\"a-zé😀]{0,6}",
    ]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_as_the_whole(
        pieces in prop::collection::vec(piece(), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let text = pieces.concat();
        let whole = UpdateFilter::strip(&text);
        let chars: Vec<char> = text.chars().collect();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(chars.len() + 1)).collect();
        places.extend([0, chars.len()]);
        places.sort_unstable();
        let mut filter = UpdateFilter::new();
        let mut shown = String::new();
        for pair in places.windows(2) {
            let part: String = chars[pair[0]..pair[1]].iter().collect();
            shown.push_str(&filter.feed(&part));
        }
        let end = filter.finish();
        shown.push_str(&end.text);
        prop_assert_eq!(shown.as_str(), whole.text.as_str());
        prop_assert_eq!(end.proposals, whole.proposals);
        prop_assert_eq!(end.faults, whole.faults);
    }

    #[test]
    fn what_is_shown_of_plain_text_is_all_of_it(text in "[^<]*") {
        let filtered = UpdateFilter::strip(&text);
        prop_assert_eq!(filtered.text.as_str(), text.as_str());
    }
}
