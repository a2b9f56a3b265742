//! Resolves "last week" and its like against the day it was said on.
//!
//! The words stay and the date is added in brackets, so that a note read a year later still says
//! what it said: `visited Oslo last week [week of 2026-11-09]`. English only; other languages keep
//! their words, and every note has the day it was said on beside it.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

use super::words::{Word, read};

/// Brackets added to one text.
const DATES_MAX: usize = 4;

/// A text with the dates that its relative words mean, said on `day`.
pub(super) fn resolve(text: &str, day: Date) -> String {
    let words = read(text).words;
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut i = 0;
    let mut added = 0;
    while i < words.len() && added < DATES_MAX {
        let in_a_row = |len: usize| {
            let mut pairs = words[i..i + len].windows(2);
            pairs.all(|pair| {
                let between = text.get(pair[0].end..pair[1].start);
                between.is_some_and(|between| between.trim().is_empty())
            })
        };
        let found = phrase(&words, i, day).filter(|(len, _)| in_a_row(*len));
        let Some((len, date)) = found else {
            i += 1;
            continue;
        };
        let end = words[i + len - 1].end;
        i += len;
        let owns = words[i - 1].possessive;
        if owns || text[end..].trim_start().starts_with('[') {
            continue;
        }
        out.push_str(&text[copied..end]);
        out.push_str(&format!(" [{date}]"));
        copied = end;
        added += 1;
    }
    out.push_str(&text[copied..]);
    out
}

/// A text without the brackets that `resolve` adds.
pub(super) fn without_dates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(" [") {
        let inside = &rest[at + 2..];
        let Some(end) = inside.find(']') else {
            break;
        };
        out.push_str(&rest[..at]);
        if !is_ours(&inside[..end]) {
            out.push_str(&rest[at..at + 2 + end + 1]);
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    out
}

/// The last day that the brackets of a text name, if they name any.
pub(super) fn last_day(text: &str) -> Option<Date> {
    let mut days = Vec::new();
    for part in text.split('[').skip(1) {
        let inside = part.split(']').next().unwrap_or_default();
        let words: Vec<&str> = inside.split(' ').collect();
        let Some(day) = words.last().and_then(|word| word.parse::<Date>().ok()) else {
            continue;
        };
        match words[0] {
            "week" => days.push(plus(day, 6.days())),
            "said" => {}
            _ => days.push(day),
        }
    }
    days.into_iter().max()
}

fn is_ours(inside: &str) -> bool {
    let tail = inside
        .strip_prefix("week of ")
        .or_else(|| inside.strip_prefix("said "))
        .unwrap_or(inside);
    tail.len() >= 4
        && tail.starts_with(|c: char| c.is_ascii_digit())
        && tail.chars().all(|c| c.is_ascii_digit() || c == '-')
}

fn plus(day: Date, span: Span) -> Date {
    day.saturating_add(span)
}

fn monday_of(day: Date) -> Date {
    plus(
        day,
        -(i64::from(day.weekday().to_monday_zero_offset())).days(),
    )
}

fn week(day: Date) -> String {
    format!("week of {}", monday_of(day))
}

fn month(day: Date) -> String {
    day.strftime("%Y-%m").to_string()
}

fn year(day: Date) -> String {
    day.strftime("%Y").to_string()
}

/// The relative phrase that begins at word `i`: how many words, and what it means.
fn phrase(words: &[Word], i: usize, day: Date) -> Option<(usize, String)> {
    let word = |ahead: usize| words.get(i + ahead).map_or("", |word| word.folded.as_str());
    // "Friday's child", "Mondays", "every Friday" name no day.
    let recurs = i > 0
        && matches!(
            words[i - 1].folded.as_str(),
            "every" | "each" | "any" | "per"
        );
    if recurs {
        return None;
    }
    let on = |days: i64| plus(day, days.days()).to_string();
    match (word(0), word(1)) {
        ("day", "before") if word(2) == "yesterday" => Some((3, on(-2))),
        ("day", "after") if word(2) == "tomorrow" => Some((3, on(2))),
        ("yesterday", _) => Some((1, on(-1))),
        ("today" | "tonight", _) => Some((1, on(0))),
        ("tomorrow", _) => Some((1, on(1))),
        ("last", "night") => Some((2, on(-1))),
        ("this", "morning" | "afternoon" | "evening") => Some((2, on(0))),
        (which @ ("last" | "this" | "next"), unit) => {
            relative_unit(which, unit, day).map(|date| (2, date))
        }
        ("in", _) => counted(words, i + 1, day, 1).map(|(len, date)| (len + 1, date)),
        _ => before_now(words, i, day).or_else(|| bare_weekday(words, i, day)),
    }
}

fn relative_unit(which: &str, unit: &str, day: Date) -> Option<String> {
    let step = match which {
        "last" => -1,
        "this" => 0,
        _ => 1,
    };
    let date = match unit {
        "week" => week(plus(day, step.weeks())),
        "weekend" => plus(monday_of(plus(day, step.weeks())), 5.days()).to_string(),
        "month" => month(plus(day, step.months())),
        "year" => year(plus(day, step.years())),
        _ => {
            let weekday = weekday(unit)?;
            match which {
                "last" => day.nth_weekday(-1, weekday).ok()?,
                // Of the week after this one, which is what most people mean.
                "next" => in_week(plus(day, 1.weeks()), weekday),
                _ => on_or_after(day, weekday),
            }
            .to_string()
        }
    };
    Some(date)
}

fn in_week(day: Date, weekday: Weekday) -> Date {
    plus(
        monday_of(day),
        i64::from(weekday.to_monday_zero_offset()).days(),
    )
}

fn on_or_after(day: Date, weekday: Weekday) -> Date {
    if day.weekday() == weekday {
        day
    } else {
        day.nth_weekday(1, weekday).unwrap_or(day)
    }
}

/// "three weeks", "a month", beginning at word `i`; `sign` is -1 for the past.
fn counted(words: &[Word], i: usize, day: Date, sign: i64) -> Option<(usize, String)> {
    let mut at = i;
    let first = words.get(at)?.folded.as_str();
    let count = match first {
        "a" if words
            .get(at + 1)
            .is_some_and(|word| word.folded == "couple") =>
        {
            at += 1;
            if words.get(at + 1).is_some_and(|word| word.folded == "of") {
                at += 1;
            }
            2
        }
        _ => number(first)?,
    };
    let unit = words.get(at + 1)?.folded.as_str();
    let step = sign * count;
    let date = match unit {
        "day" | "days" => plus(day, step.days()).to_string(),
        "week" | "weeks" => plus(day, step.weeks()).to_string(),
        "month" | "months" => month(plus(day, step.months())),
        "year" | "years" => year(plus(day, step.years())),
        _ => return None,
    };
    Some((at + 2 - i, date))
}

/// "three weeks ago".
fn before_now(words: &[Word], i: usize, day: Date) -> Option<(usize, String)> {
    let (len, date) = counted(words, i, day, -1)?;
    words
        .get(i + len)
        .is_some_and(|word| word.folded == "ago")
        .then_some((len + 1, date))
}

/// "on Friday": before or after, as the rest of the sentence says; else only the day it was said.
fn bare_weekday(words: &[Word], i: usize, day: Date) -> Option<(usize, String)> {
    const COMING: [&str; 16] = [
        "will",
        "going",
        "plans",
        "plan",
        "planning",
        "due",
        "until",
        "by",
        "meeting",
        "appointment",
        "deadline",
        "starts",
        "flies",
        "leaves",
        "scheduled",
        "upcoming",
    ];
    const GONE: [&str; 14] = [
        "was", "were", "went", "had", "did", "met", "saw", "got", "said", "bought", "left", "came",
        "since", "began",
    ];
    let weekday = weekday(&words[i].folded)?;
    let on = i > 0
        && matches!(
            words[i - 1].folded.as_str(),
            "on" | "by" | "until" | "since" | "due" | "for"
        );
    // "Friday" alone may be a name; "on Friday" is a day.
    if !on || words[i].possessive {
        return None;
    }
    let says = |list: &[&str]| {
        words
            .iter()
            .any(|word| list.contains(&word.folded.as_str()))
    };
    let past_form = words
        .iter()
        .any(|word| word.folded.ends_with("ed") && word.folded.len() > 4);
    let date = if says(&COMING) {
        on_or_after(day, weekday).to_string()
    } else if says(&GONE) || past_form {
        day.nth_weekday(-1, weekday).ok()?.to_string()
    } else {
        format!("said {day}")
    };
    Some((1, date))
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

fn number(word: &str) -> Option<i64> {
    const NAMES: [&str; 13] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    if matches!(word, "a" | "an") {
        return Some(1);
    }
    if let Some(at) = NAMES.iter().position(|name| *name == word) {
        return i64::try_from(at).ok();
    }
    word.parse().ok().filter(|count| (0..=1000).contains(count))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// A Sunday.
    fn said(text: &str) -> String {
        resolve(text, date(2026, 11, 22))
    }

    #[test]
    fn relative_words_get_their_date() {
        for (text, resolved) in [
            (
                "visited Oslo last week",
                "visited Oslo last week [week of 2026-11-09]",
            ),
            ("saw Bob yesterday.", "saw Bob yesterday [2026-11-21]."),
            ("exam next Friday", "exam next Friday [2026-11-27]"),
            (
                "moves in two weeks to Rome",
                "moves in two weeks [2026-12-06] to Rome",
            ),
            ("flies tomorrow", "flies tomorrow [2026-11-23]"),
            ("ran this morning", "ran this morning [2026-11-22]"),
            ("was ill last month", "was ill last month [2026-10]"),
            ("three days ago", "three days ago [2026-11-19]"),
            (
                "a couple of weeks ago",
                "a couple of weeks ago [2026-11-08]",
            ),
            ("married last year", "married last year [2025]"),
            ("last Monday", "last Monday [2026-11-16]"),
            ("this Wednesday", "this Wednesday [2026-11-25]"),
            ("next weekend", "next weekend [2026-11-28]"),
            (
                "the day before yesterday",
                "the day before yesterday [2026-11-20]",
            ),
            (
                "has a meeting on Tuesday",
                "has a meeting on Tuesday [2026-11-24]",
            ),
            ("went home on Tuesday", "went home on Tuesday [2026-11-17]"),
            ("tennis on Tuesday", "tennis on Tuesday [said 2026-11-22]"),
        ] {
            assert_eq!(said(text), resolved);
            assert_eq!(said(resolved), resolved);
            assert_eq!(without_dates(resolved), text);
        }
    }

    #[test]
    fn what_recurs_or_is_absolute_stays() {
        for text in [
            "runs every Friday",
            "free on Mondays",
            "born 1990-12-24",
            "in 2024",
            "Friday is the name of the dog",
            "in the morning",
            "yesterday's news [sic]",
            "",
        ] {
            assert_eq!(said(text), text);
        }
        assert_eq!(without_dates("a [note] b [2026] c ["), "a [note] b c [");
    }

    #[test]
    fn the_year_turns() {
        let day = date(2027, 1, 1);
        assert_eq!(resolve("last week", day), "last week [week of 2026-12-21]");
        assert_eq!(resolve("last month", day), "last month [2026-12]");
        assert_eq!(
            resolve("last month", date(2026, 3, 31)),
            "last month [2026-02]"
        );
    }

    #[test]
    fn the_last_day_named_is_found() {
        assert_eq!(
            last_day("flies tomorrow [2026-11-23]"),
            Some(date(2026, 11, 23))
        );
        assert_eq!(
            last_day("busy [week of 2026-11-09] x [2026-11-10]"),
            Some(date(2026, 11, 15))
        );
        assert_eq!(last_day("a [said 2026-11-22] b [2026]"), None);
    }

    proptest::proptest! {
        #[test]
        fn resolving_again_changes_nothing(
            text in "((in|last|next|on|two|week|ago|friday|tomorrow|x|é|,|\\[) ?){0,8}",
        ) {
            let once = said(&text);
            proptest::prop_assert_eq!(said(&once), once);
        }
    }
}
