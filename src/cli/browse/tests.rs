use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::draw::{broken, draw};
use super::state::{Reader, Row, Said, State, Typing, What, Wish};
use crate::model::Id;

fn id(n: u8) -> Id {
    Id::from_digest([n; 16])
}

fn state(what: What, texts: &[&str]) -> State {
    let mut state = State::new(what);
    let rows = texts.iter().enumerate().map(|(n, text)| Row {
        id: id(u8::try_from(n).unwrap()),
        mark: "fact       ".to_owned(),
        text: (*text).to_owned(),
    });
    state.load(rows.collect());
    state.detail = vec!["The detail".to_owned(), "of it".to_owned()];
    state
}

fn press(state: &mut State, keys: &str) -> Wish {
    let mut wish = Wish::Nothing;
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\u{8}' => KeyCode::Backspace,
            c => KeyCode::Char(c),
        };
        wish = state.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    wish
}

fn screen(state: &mut State, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, state, false)).unwrap();
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(usize::from(columns));
    let lines = lines.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>());
    lines
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

#[test]
fn the_list_and_the_detail_stand_beside_or_below_each_other() {
    let mut state = state(What::Memory, &["likes tea", "lives in Bern"]);
    let wide = screen(&mut state, 120, 6);
    assert!(wide.starts_with("Memory  2\n"), "{wide}");
    let first = wide.lines().nth(1).unwrap();
    assert!(
        first.contains("likes tea") && first.contains("│The detail"),
        "{wide}"
    );
    assert!(
        wide.contains("/ filter") && wide.contains("q quit"),
        "{wide}"
    );
    let narrow = screen(&mut state, 40, 12);
    let place = |words: &str| narrow.find(words).unwrap();
    assert!(place("lives in Bern") < place("The detail"), "{narrow}");
    screen(&mut state, 1, 1);
    screen(&mut state, 200, 50);
}

#[test]
fn the_filter_works_while_it_is_typed() {
    let mut state = state(What::Memory, &["likes tea", "lives in Bern", "tea in Bern"]);
    press(&mut state, "jj/tea b");
    assert_eq!(state.shown().len(), 1);
    assert_eq!(state.selected(), Some(id(2)));
    let shown = screen(&mut state, 80, 10);
    assert!(
        shown.contains("Memory  1 of 3") && shown.contains("/tea b█"),
        "{shown}"
    );
    press(&mut state, "\u{8}\u{8}");
    assert_eq!(state.shown().len(), 2);
    assert_eq!(press(&mut state, "\n"), Wish::Nothing);
    assert_eq!(press(&mut state, "\n"), Wish::Open(id(2)));
    press(&mut state, "\u{1b}");
    assert_eq!(state.shown().len(), 3);
    assert_eq!(state.selected(), Some(id(2)), "what was selected stays so");
    press(&mut state, "/zebra");
    assert!(screen(&mut state, 80, 10).contains("Nothing holds these words"));
    assert_eq!(
        press(&mut state, "\na"),
        Wish::Nothing,
        "nothing is selected"
    );
}

#[test]
fn keys_wish_for_what_the_bottom_says() {
    let mut state = state(What::Memory, &["one", "two"]);
    assert_eq!(press(&mut state, "a"), Wish::Approve(id(0)));
    assert_eq!(press(&mut state, "jr"), Wish::Reject(id(1)));
    assert_eq!(press(&mut state, "p"), Wish::Pin(id(1)));
    assert_eq!(press(&mut state, "e"), Wish::Begin(id(1)));
    assert_eq!(press(&mut state, "s"), Wish::Every);
    assert_eq!(press(&mut state, "f"), Wish::Nothing);
    assert!(state.notice.contains("once more"));
    assert_eq!(press(&mut state, "kf"), Wish::Nothing, "another row");
    assert_eq!(press(&mut state, "f"), Wish::Forget(id(0)));
    assert_eq!(press(&mut state, "fjkf"), Wish::Nothing, "a key between");
    assert_eq!(press(&mut state, "q"), Wish::Quit);
    let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(state.key(control), Wish::Quit);
}

#[test]
fn words_are_edited_at_the_bottom() {
    let mut state = state(What::Memory, &["one"]);
    state.typing = Some(Typing::Words(id(0), "one".to_owned()));
    press(&mut state, "!q");
    assert!(screen(&mut state, 80, 8).contains("> one!q█"));
    assert_eq!(
        press(&mut state, "\n"),
        Wish::Words(id(0), "one!q".to_owned())
    );
    state.typing = Some(Typing::Words(id(0), "one".to_owned()));
    assert_eq!(press(&mut state, "x\u{1b}"), Wish::Nothing);
    assert_eq!(state.typing, None);
}

#[test]
fn a_selection_outlives_what_others_change() {
    let mut state = state(What::History, &["one", "two", "three"]);
    press(&mut state, "j");
    let row = |n: u8| Row {
        id: id(n),
        mark: String::new(),
        text: "row".to_owned(),
    };
    state.load(vec![row(9), row(0), row(1), row(2)]);
    assert_eq!((state.selected(), state.index()), (Some(id(1)), 2));
    state.load(vec![row(9), row(0)]);
    assert_eq!(state.selected(), Some(id(0)));
    state.load(Vec::new());
    assert_eq!(state.selected(), None);
    assert!(screen(&mut state, 60, 8).contains("No conversations yet"));
}

#[test]
fn a_conversation_opens_at_its_message_and_scrolls() {
    let mut state = state(What::History, &["one"]);
    let messages = (0..30).map(|n| Said {
        head: format!("you, {n}"),
        text: format!("words of message {n}"),
    });
    state.reader = Some(Reader {
        title: "A title".to_owned(),
        messages: messages.collect(),
        mark: 15,
        ..Reader::default()
    });
    let shown = screen(&mut state, 60, 12);
    assert!(shown.starts_with("A title\n"), "{shown}");
    assert!(
        shown.contains("▸ you, 15") && shown.contains("words of message 15"),
        "{shown}"
    );
    press(&mut state, "G");
    assert!(screen(&mut state, 60, 12).contains("message 29"));
    press(&mut state, "g");
    assert!(screen(&mut state, 60, 12).contains("message 0"));
    press(&mut state, "q");
    assert!(state.reader.is_none());
}

#[test]
fn lines_are_cut_between_words_and_long_words_anywhere() {
    assert_eq!(broken("one two three", 8), ["one two ", "three"]);
    assert_eq!(broken("abcdefghij", 4), ["abcd", "efgh", "ij"]);
    assert_eq!(broken("日本語", 4), ["日本", "語"]);
    assert_eq!(broken("", 4), [""]);
}
