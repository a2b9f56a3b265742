//! How a piece of text looks, and the words that make a terminal show it so.

/// What a piece of code is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ink {
    #[default]
    Plain,
    Keyword,
    Quoted,
    Number,
    Comment,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub strong: bool,
    pub emphasis: bool,
    pub struck: bool,
    pub code: bool,
    pub link: bool,
    pub faint: bool,
    pub heading: bool,
    pub ink: Ink,
}

impl Style {
    pub(super) const FAINT: Style = Style {
        faint: true,
        strong: false,
        emphasis: false,
        struck: false,
        code: false,
        link: false,
        heading: false,
        ink: Ink::Plain,
    };

    /// The parameters of the terminal's `SGR`; empty for plain text. Colours are the first
    /// sixteen, which every palette keeps readable.
    pub(super) fn sgr(self) -> String {
        let ink = match self.ink {
            Ink::Plain => "",
            Ink::Keyword => "35",
            Ink::Quoted => "32",
            Ink::Number => "33",
            Ink::Comment => "2",
        };
        let parts = [
            (self.strong || self.heading, "1"),
            (self.faint, "2"),
            (self.emphasis, "3"),
            (self.link, "4"),
            (self.struck, "9"),
            (self.heading, "36"),
            (self.code, "36"),
            (!ink.is_empty(), ink),
        ];
        let parts: Vec<&str> = parts.iter().filter(|p| p.0).map(|p| p.1).collect();
        parts.join(";")
    }
}

/// Text of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub text: String,
    pub style: Style,
}

impl Span {
    pub(super) fn new(text: impl Into<String>, style: Style) -> Self {
        Span {
            text: text.into(),
            style,
        }
    }
}
