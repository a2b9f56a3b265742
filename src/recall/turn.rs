//! One passage of a message, in eight bytes: all that ranking knows of it besides its terms.

use jiff::civil;

use crate::model::Role;

/// Content words of one passage; a longer message has several, of nearly equal length.
pub const PASSAGE_WORDS_MAX: usize = 60;
/// The words of a message that count in its neighbours: its first and its last.
pub const NEAR_WORDS: usize = 20;

/// A speaker: a role, or a person with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Speaker(pub u8);

impl Speaker {
    pub const USER: Speaker = Speaker(0);
    pub const ASSISTANT: Speaker = Speaker(1);
    pub const OTHER: Speaker = Speaker(2);
    /// A memory item, which nobody says.
    pub const MEMORY: Speaker = Speaker(3);
    /// Persons with names have this number and those above.
    pub const NAMED: u8 = 4;
    pub const COUNT: usize = 64;

    pub fn of(role: Role) -> Speaker {
        match role {
            Role::User => Speaker::USER,
            Role::Assistant => Speaker::ASSISTANT,
            Role::System | Role::Unknown => Speaker::OTHER,
        }
    }
}

/// The bits, from the highest: second of the day 17, low half of the seq 16, speaker 6, content
/// words of the passage 6, length of the message 6, flags 13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn(pub u64);

impl Turn {
    /// The passage goes on with the message of the one before it.
    pub const CONTINUES: u64 = 1;
    pub const FIRST_PERSON: u64 = 1 << 1;
    pub const TIME: u64 = 1 << 2;
    pub const NUMBER: u64 = 1 << 3;
    pub const ASKS: u64 = 1 << 4;

    /// The highest [`Turn::length`].
    pub const LENGTH_MAX: u8 = 63;

    pub fn new(
        second: u32,
        seq: u64,
        speaker: Speaker,
        words: usize,
        length: u8,
        flags: u64,
    ) -> Turn {
        debug_assert!(second < 86_400 && words <= PASSAGE_WORDS_MAX && length < 64);
        Turn(
            u64::from(second) << 47
                | (seq & 0xffff) << 31
                | u64::from(speaker.0 & 63) << 25
                | (words as u64 & 63) << 19
                | u64::from(length & 63) << 13
                | (flags & 0x1fff),
        )
    }

    /// As it lies in an index file: most significant byte first.
    pub fn from_bytes(bytes: [u8; 8]) -> Turn {
        Turn(u64::from_be_bytes(bytes))
    }

    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    pub fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    pub fn second(self) -> u32 {
        (self.0 >> 47) as u32
    }

    pub fn seq_low(self) -> u16 {
        (self.0 >> 31) as u16
    }

    pub fn speaker(self) -> Speaker {
        Speaker((self.0 >> 25) as u8 & 63)
    }

    pub fn words(self) -> u32 {
        (self.0 >> 19) as u32 & 63
    }

    /// How many of its words its neighbours borrow.
    pub fn near_words(self) -> u32 {
        self.words().min(NEAR_WORDS as u32)
    }

    /// The content words of the whole message, on the scale of [`length_of`].
    pub fn length(self) -> u8 {
        (self.0 >> 13) as u8 & 63
    }
}

/// Four steps for each doubling: `round(4 · log2(1 + words))`, at most 63.
pub fn length_of(words: usize) -> u8 {
    ((4.0 * (1.0 + words as f64).log2()).round() as u8).min(63)
}

/// The words that a length stands for.
pub fn words_of(length: u8) -> f64 {
    (f64::from(length) / 4.0).exp2() - 1.0
}

/// Days since 1970-01-01 of a moment, and the second of that day (UTC).
pub fn day_and_second(at: jiff::Timestamp) -> (i32, u32) {
    let seconds = at.as_second();
    (
        seconds.div_euclid(86_400) as i32,
        seconds.rem_euclid(86_400) as u32,
    )
}

/// Year, month and day of a day since 1970-01-01.
pub fn date_of(day: i32) -> Option<civil::Date> {
    jiff::Timestamp::from_second(i64::from(day) * 86_400)
        .ok()
        .map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_gives_back_what_it_was_made_of() {
        let flags = Turn::CONTINUES | Turn::ASKS;
        let turn = Turn::new(86_399, 0x0012_3456, Speaker(63), 60, 57, flags);
        assert_eq!(
            (
                turn.second(),
                turn.seq_low(),
                turn.speaker().0,
                turn.words(),
                turn.length()
            ),
            (86_399, 0x3456, 63, 60, 57)
        );
        assert!(turn.has(Turn::CONTINUES) && turn.has(Turn::ASKS) && !turn.has(Turn::TIME));
    }

    #[test]
    fn days_before_1970_are_days_too() {
        let at = "1969-12-31T23:59:58Z".parse().unwrap();
        assert_eq!(day_and_second(at), (-1, 86_398));
        assert_eq!(date_of(-1).unwrap().to_string(), "1969-12-31");
    }
}
