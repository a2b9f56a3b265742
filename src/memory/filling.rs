//! Knows what small models fill lists with when there is nothing to say.

use super::words::read;

const PLACEHOLDERS: [&str; 22] = [
    "none",
    "n/a",
    "na",
    "null",
    "unknown",
    "nothing",
    "nothing new",
    "string",
    "text",
    "fact",
    "key fact",
    "key facts",
    "preference",
    "user preference",
    "outcome",
    "past outcome",
    "not specified",
    "not mentioned",
    "not provided",
    "no new facts",
    "no preferences",
    "no outcomes",
];
const TALK: [&str; 20] = [
    "asked",
    "asks",
    "asking",
    "inquired",
    "inquires",
    "greeted",
    "greets",
    "requested",
    "requests",
    "thanked",
    "replied",
    "responded",
    "queried",
    "wondered",
    "seeks",
    "sought",
    "initiated",
    "started a conversation",
    "wants to know",
    "said hello",
];
const ENDS: [&str; 6] = [
    "mentioned",
    "specified",
    "provided",
    "available",
    "stated",
    "given",
];

/// Whether a text is empty, a placeholder, a question, or about the talking itself: what small
/// models fill lists with. A person's command may be anything but empty.
pub(super) fn says_nothing(text: &str, by_command: bool) -> bool {
    let reading = read(text);
    if by_command {
        return reading.words.is_empty();
    }
    if reading.meaning().next().is_none() || text.trim_end().ends_with(['?', '？']) {
        return true;
    }
    let lower = text.to_lowercase();
    let bare = lower.trim_matches(|c: char| !c.is_alphanumeric());
    let about = bare
        .strip_prefix("the user ")
        .or_else(|| bare.strip_prefix("user "))
        .map(|rest| rest.strip_prefix("is ").unwrap_or(rest));
    let denies = bare.starts_with("no ") && ENDS.iter().any(|end| bare.ends_with(end));
    denies
        || PLACEHOLDERS.contains(&bare)
        || about.is_some_and(|about| {
            TALK.iter()
                .any(|talk| about == *talk || about.starts_with(&format!("{talk} ")))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_is_told_from_notes() {
        for text in [
            "",
            "...",
            "None.",
            "N/A",
            "the user asked for a poem",
            "No facts mentioned",
        ] {
            assert!(says_nothing(text, false), "{text}");
        }
        for text in [
            "none of her cats like fish",
            "User is asking price sensitive",
            "User asks",
        ] {
            let expected = text == "User asks" || text.contains("asking");
            assert_eq!(says_nothing(text, false), expected, "{text}");
        }
        assert!(!says_nothing("None", true) && says_nothing(" … ", true));
    }
}
