//! What a browser shows and what a key does: nothing of the terminal, nothing of the vault.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::model::Id;

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub id: Id,
    /// What stands before the text: a kind and marks, or a day.
    pub mark: String,
    pub text: String,
}

/// One message of the conversation that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub head: String,
    pub text: String,
}

/// A conversation that is read, at one of its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reader {
    pub title: String,
    pub messages: Vec<Said>,
    /// The message that it was opened for.
    pub mark: usize,
    /// The first line on the screen; unset until it was drawn.
    pub top: Option<usize>,
    /// Lines there are, and lines that fit, as they were drawn last.
    pub lines: usize,
    pub height: usize,
}

/// What is being browsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum What {
    Memory,
    History,
}

/// What is typed at the bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    Filter,
    /// New words for an item, or a new title for a conversation.
    Words(Id, String),
}

/// What a key asks for, besides what it changes on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Quit,
    /// The conversation behind the row.
    Open(Id),
    Approve(Id),
    Reject(Id),
    Forget(Id),
    Pin(Id),
    Words(Id, String),
    /// Begin to type new words: the old ones are asked for.
    Begin(Id),
    /// List everything, or only what counts.
    Every,
}

pub(super) struct State {
    pub what: What,
    rows: Vec<Row>,
    pub filter: String,
    pub typing: Option<Typing>,
    selected: Option<Id>,
    /// About the row that is selected.
    pub detail: Vec<String>,
    pub reader: Option<Reader>,
    pub notice: String,
    pub every: bool,
    /// A row that is to be hidden when the key comes a second time.
    sure: Option<Id>,
    /// Rows that fit, as they were drawn last.
    pub height: usize,
}

impl State {
    pub(super) fn new(what: What) -> Self {
        State {
            what,
            rows: Vec::new(),
            filter: String::new(),
            typing: None,
            selected: None,
            detail: Vec::new(),
            reader: None,
            notice: String::new(),
            every: false,
            sure: None,
            height: 1,
        }
    }

    /// Takes the rows as they are now; what was selected stays so, if it is still there.
    pub(super) fn load(&mut self, rows: Vec<Row>) {
        let before = self.index();
        self.rows = rows;
        self.keep_selection(before);
    }

    /// Rows that hold every word of the filter.
    pub(super) fn shown(&self) -> Vec<&Row> {
        let filter = self.filter.to_lowercase();
        let words: Vec<&str> = filter.split_whitespace().collect();
        let rows = self.rows.iter();
        rows.filter(|row| {
            let text = format!("{} {} {}", row.mark, row.text, row.id).to_lowercase();
            words.iter().all(|word| text.contains(word))
        })
        .collect()
    }

    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn selected(&self) -> Option<Id> {
        self.selected
    }

    /// Where the selection is among the rows that are shown.
    pub(super) fn index(&self) -> usize {
        let shown = self.shown();
        let at = shown.iter().position(|row| Some(row.id) == self.selected);
        at.unwrap_or(0)
    }

    fn keep_selection(&mut self, before: usize) {
        let shown = self.shown();
        let there = shown.iter().any(|row| Some(row.id) == self.selected);
        if !there {
            let at = before.min(shown.len().saturating_sub(1));
            self.selected = shown.get(at).map(|row| row.id);
        }
    }

    fn go(&mut self, to: usize) {
        let shown = self.shown();
        let at = to.min(shown.len().saturating_sub(1));
        self.selected = shown.get(at).map(|row| row.id);
    }

    /// Does what a key says.
    pub(super) fn key(&mut self, key: KeyEvent) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Wish::Quit;
        }
        let sure = self.sure.take();
        self.notice.clear();
        if let Some(typing) = self.typing.take() {
            return self.type_key(typing, key);
        }
        if let Some(reader) = &mut self.reader {
            if matches!(key.code, KeyCode::Esc | KeyCode::Char('q') | KeyCode::Left) {
                self.reader = None;
            } else {
                reader.key(key.code);
            }
            return Wish::Nothing;
        }
        let at = self.index();
        match key.code {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Esc if self.filter.is_empty() => return Wish::Quit,
            KeyCode::Esc => {
                self.filter.clear();
                self.keep_selection(at);
            }
            KeyCode::Char('/') => self.typing = Some(Typing::Filter),
            KeyCode::Down | KeyCode::Char('j') => self.go(at + 1),
            KeyCode::Up | KeyCode::Char('k') => self.go(at.saturating_sub(1)),
            KeyCode::PageDown | KeyCode::Char(' ') => self.go(at + self.height),
            KeyCode::PageUp => self.go(at.saturating_sub(self.height)),
            KeyCode::Home | KeyCode::Char('g') => self.go(0),
            KeyCode::End | KeyCode::Char('G') => self.go(usize::MAX),
            KeyCode::Char('s') if self.what == What::Memory => {
                self.every = !self.every;
                return Wish::Every;
            }
            code => return self.act(code, sure),
        }
        Wish::Nothing
    }

    /// The keys that are about the row.
    fn act(&mut self, code: KeyCode, sure: Option<Id>) -> Wish {
        let Some(id) = self.selected else {
            return Wish::Nothing;
        };
        let memory = self.what == What::Memory;
        match code {
            KeyCode::Enter | KeyCode::Right => Wish::Open(id),
            KeyCode::Char('e') => Wish::Begin(id),
            KeyCode::Char('a') if memory => Wish::Approve(id),
            KeyCode::Char('r') if memory => Wish::Reject(id),
            KeyCode::Char('p') if memory => Wish::Pin(id),
            KeyCode::Char('f') if sure == Some(id) => Wish::Forget(id),
            KeyCode::Char('f') => {
                self.sure = Some(id);
                self.notice = "f once more hides it everywhere; any other key does not".to_owned();
                Wish::Nothing
            }
            _ => Wish::Nothing,
        }
    }

    fn type_key(&mut self, mut typing: Typing, key: KeyEvent) -> Wish {
        let before = self.index();
        let text = match &mut typing {
            Typing::Filter => &mut self.filter,
            Typing::Words(_, text) => text,
        };
        match key.code {
            KeyCode::Enter => {
                return match typing {
                    Typing::Filter => Wish::Nothing,
                    Typing::Words(id, text) => Wish::Words(id, text),
                };
            }
            KeyCode::Esc => {
                if typing == Typing::Filter {
                    self.filter.clear();
                    self.keep_selection(before);
                }
                return Wish::Nothing;
            }
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
            KeyCode::Char(c) if !c.is_control() && text.len() < 4096 => text.push(c),
            _ => {}
        }
        self.typing = Some(typing);
        self.keep_selection(before);
        Wish::Nothing
    }

    /// What the keys do now.
    pub(super) fn keys(&self) -> &'static str {
        match (&self.typing, &self.reader, self.what) {
            (Some(Typing::Filter), ..) => "type to filter · Enter keeps it · Esc shows all",
            (Some(Typing::Words(..)), ..) => "Enter saves · Esc leaves it · Ctrl-U empties",
            (None, Some(_), _) => "↑↓ scroll · Space page · q back",
            (None, None, What::Memory) => {
                "↑↓ · / filter · Enter source · a approve · r reject · e edit · p pin · f forget · \
                 s all · q quit"
            }
            (None, None, What::History) => "↑↓ · / filter · Enter read · e title · f hide · q quit",
        }
    }
}

impl Reader {
    fn key(&mut self, code: KeyCode) {
        let top = self.top.unwrap_or(0);
        let last = self.lines.saturating_sub(self.height);
        let page = self.height.saturating_sub(2).max(1);
        let to = match code {
            KeyCode::Down | KeyCode::Char('j') => top + 1,
            KeyCode::Up | KeyCode::Char('k') => top.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => top + page,
            KeyCode::PageUp => top.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => last,
            _ => top,
        };
        self.top = Some(to.min(last));
    }
}
