//! `agent search`: what is found, by which words, and how it is shown.

use serde_json::Value;

use super::world::{Home, fields};

/// A vault with one conversation for each of these lines.
fn said(lines: &[&str]) -> Home {
    let home = Home::with_vault();
    for line in lines {
        home.agent(["ask", line]).run().expect_code(0);
    }
    home
}

/// The texts that a search finds among what the person said, best first.
fn found(home: &Home, args: &[&str]) -> Vec<String> {
    let rows = home.json(["search", "--role", "user"].iter().chain(args));
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn words_of_any_script_are_found_by_other_forms() {
    let lines = [
        "Die Donaudampfschifffahrtsgesellschaften fuhren gestern mit zwei Häusern vorbei",
        "Мы вчера купили две красные книги о птицах и читали их дома",
        "昨日、東京でおいしいラーメンを食べました。",
        "우리는 어제 부산에서 생선을 먹었다",
        "ذهبنا أمس إلى المكتبة وقرأنا الكتب القديمة",
        "Χθες αγοράσαμε παλιά βιβλία στην Αθήνα",
        "Hier nous avons mangé des crêpes à l'île près du château",
    ];
    let home = said(&lines);
    for (n, words) in [
        (0, "Donaudampfschifffahrtsgesellschaft"),
        (0, "haus"),
        (1, "красная книга"),
        (1, "птица"),
        (2, "東京"),
        (2, "ラーメン"),
        (3, "부산"),
        (4, "المكتبة"),
        (5, "βιβλια"),
        (6, "crepe"),
        (6, "CHÂTEAU"),
    ] {
        let best = found(&home, &[words]);
        assert_eq!(best.first().map(String::as_str), Some(lines[n]), "{words}");
    }
    assert_eq!(found(&home, &["大阪"]), [""; 0]);
}

#[test]
fn phrases_exclusions_and_filters_narrow_what_is_found() {
    let home = said(&[
        "the red wine came with cheese",
        "wine, red as blood",
        "red wine and a banjo",
    ]);
    home.json(["memory", "add", "drinks red wine on Fridays"]);
    let hits = |args: &[&str]| found(&home, args).len();
    assert_eq!(hits(&["red wine"]), 3);
    assert_eq!(hits(&["\"red wine\""]), 2);
    assert_eq!(hits(&["red wine -cheese"]), 2);
    assert_eq!(hits(&["wine -banjo -cheese"]), 1);
    assert_eq!(hits(&["wine", "-k", "1"]), 1);
    assert_eq!(hits(&["wine", "--since", "2999-01-01"]), 0);
    assert_eq!(hits(&["wine", "--until", "2999-01-01"]), 3);
    assert_eq!(hits(&["wine", "--until", "2020-05-31"]), 0);
    let listed = home.json(["history", "list"]);
    let cid = listed[0]["id"].as_str().unwrap();
    assert_eq!(
        found(&home, &["wine", "--cid", cid]),
        ["red wine and a banjo"]
    );
    let memory = home.json(["search", "wine", "--in", "memory"]);
    assert_eq!(memory[0]["text"], "drinks red wine on Fridays");
    assert_eq!(memory.as_array().unwrap().len(), 1);
    let messages = home.json(["search", "wine", "--in", "messages", "--role", "assistant"]);
    for row in messages.as_array().unwrap() {
        assert_eq!(row["role"], "assistant");
    }
    let wrong = home.agent(["search", "wine", "--since", "soon"]).run();
    wrong.expect_code(2);
    home.agent(["search", "wine", "--cid", "ffff"])
        .run()
        .expect_code(1);
}

#[test]
fn nothing_and_far_too_much_is_asked_without_harm() {
    let home = said(&["a lonely capercaillie"]);
    for nothing in ["", " ", "\"\"", "-", "the of and", "?!", "\u{1b}[2J"] {
        let run = home.agent(["search", "--", nothing]).run();
        run.expect_code(0).expect_stderr("Nothing was found");
        assert_eq!(run.text(), "");
    }
    let many: String = (0..9000).map(|n| format!("word{n} ")).collect();
    let long = format!("{many} capercaillie");
    assert_eq!(
        found(&home, &[&long]),
        [""; 0],
        "beyond 64 KiB nothing is read"
    );
    let long = format!("capercaillie {many}");
    assert_eq!(found(&home, &[&long]).len(), 1);
    let phrase = format!("\"{}\"", "capercaillie ".repeat(4000));
    assert_eq!(found(&home, &[&phrase]), [""; 0]);
}

#[test]
fn hits_are_shown_between_their_neighbours_and_hold_nothing_that_acts_on_a_terminal() {
    let home = Home::with_vault();
    let lines = "the first line\nsecond: a red\u{1b}[31m kestrel\nthe third line\n";
    home.agent(["chat"]).input(lines).run().expect_code(0);
    let args = ["search", "kestrel", "--role", "user", "-C", "2"];
    let shown = home.agent(args).run();
    let shown = shown.expect_code(0).text();
    let at = |words: &str| {
        shown
            .find(words)
            .unwrap_or_else(|| panic!("{words}: {shown}"))
    };
    assert!(at("the first line") < at("▸ second: a red[31m kestrel"));
    assert!(at("kestrel") < at("the third line"));
    assert!(!shown.contains('\u{1b}'));
    let rows = home.json(args);
    let names = "after at before conversation memory message role score seq snippet text";
    assert_eq!(fields(&rows[0]).join(" "), names);
    assert_eq!(rows[0]["role"], "user");
    let neighbours = |side: &str| rows[0][side].as_array().unwrap().len();
    assert_eq!((neighbours("before"), neighbours("after")), (2, 2));
    let bold = home
        .agent(["search", "kestrels", "--role", "user", "--color", "always"])
        .run();
    assert!(
        bold.text().contains("\u{1b}[1mkestrel\u{1b}[0m"),
        "{}",
        bold.text()
    );
}

#[test]
fn what_was_forgotten_edited_or_deleted_is_not_found() {
    let home = said(&["the secret ptarmigan lives upstairs"]);
    let texts = || -> Vec<String> {
        let rows = home.json(["search", "ptarmigan"]);
        let rows = rows.as_array().unwrap().iter();
        let texts = rows.filter(|row| row["role"] != "assistant");
        texts
            .map(|row| row["text"].as_str().unwrap().to_owned())
            .collect()
    };
    let item: Value = home.json(["memory", "add", "owns a ptarmigan"]);
    let id = item["id"].as_str().unwrap().to_owned();
    assert_eq!(texts().len(), 2);
    home.agent(["memory", "edit", &id, "owns a ptarmigan and a wren"])
        .run()
        .expect_code(0);
    let edited = texts();
    assert!(edited.contains(&"owns a ptarmigan and a wren".to_owned()));
    assert_eq!(edited.len(), 2);
    home.agent(["memory", "edit", &id, "owns a wren"])
        .run()
        .expect_code(0);
    assert_eq!(texts().len(), 1);
    home.agent(["memory", "forget", &id]).run().expect_code(0);
    assert_eq!(
        home.json(["search", "wren", "--in", "memory"]),
        Value::Array(Vec::new())
    );
    let listed = home.json(["history", "list"]);
    let cid = listed[0]["id"].as_str().unwrap();
    home.agent(["history", "delete", cid]).run().expect_code(0);
    assert_eq!(texts(), [""; 0]);
}
