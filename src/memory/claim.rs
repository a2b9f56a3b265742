//! Reads from a note what it claims of whom, where only one value can be true at a time.
//!
//! A person has one name, one city, one employer, one diet; they may like many things. Only of the
//! former does a new value put an old one out of place. What is not recognised here claims nothing
//! and so contradicts nothing.

use super::claim_values::{DIETS, MARITAL, NAMES_OF_ATTRIBUTES};
use super::claim_words::{
    ADVERBS, ARTICLES, HEADS, HEDGES, NOT_A_PLACE, OWNERS, PATTERNS, Pattern, SELVES, SINGULAR,
    STOPS, Shape,
};
use super::words::{Reading, Word, read};

/// One value of one attribute of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// `self` for the person the memory is about.
    pub(super) subject: String,
    pub(super) attribute: String,
    pub(super) value: Vec<String>,
    /// Says that the attribute does not have the value.
    pub(super) denied: bool,
}

/// What a note claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) all: Vec<Claim>,
    /// Says more than its claims.
    pub(super) more: bool,
    /// Says more about them: since when, as what, with whom.
    pub(super) detail: bool,
}

impl Claim {
    fn is_of(&self, other: &Claim) -> bool {
        self.subject == other.subject && self.attribute == other.attribute
    }

    /// One value may be the other with more detail: Oslo, and Oslo in Norway.
    fn has_value_of(&self, other: &Claim) -> bool {
        let within = |a: &[String], b: &[String]| a.iter().all(|word| b.contains(word));
        within(&self.value, &other.value) || within(&other.value, &self.value)
    }

    pub(super) fn contradicts(&self, other: &Claim) -> bool {
        let agree = self.has_value_of(other);
        self.is_of(other)
            && match (self.denied, other.denied) {
                (false, false) => !agree,
                (true, true) => false,
                _ => agree,
            }
    }

    /// Says nothing that `other` does not say.
    fn is_within(&self, other: &Claim) -> bool {
        self.is_of(other)
            && self.denied == other.denied
            && self.value.iter().all(|word| other.value.contains(word))
    }
}

impl Claims {
    /// Reads the claims of a note; `own_names` are names of the person the memory is about.
    pub(super) fn of(text: &str, own_names: &[String]) -> Claims {
        Claims::read(text, &read(text), own_names)
    }

    /// The same of a text that was read already.
    pub(super) fn read(text: &str, reading: &Reading, own_names: &[String]) -> Claims {
        match with_verb(text) {
            Some(text) => Claims::of_words(&text, &read(&text).words, own_names),
            None => Claims::of_words(text, &reading.words, own_names),
        }
    }

    fn of_words(text: &str, words: &[Word], own_names: &[String]) -> Claims {
        if words
            .iter()
            .any(|word| HEDGES.contains(&word.folded.as_str()))
            || has_run(words, &["used", "to"])
            || text.trim_end().ends_with('?')
        {
            return Claims {
                more: true,
                ..Claims::default()
            };
        }
        let mut claims = Claims::default();
        let mut subject = String::from("self");
        for clause in clauses(text, words) {
            match read_clause(clause, &subject, own_names) {
                Some((claim, detail)) => {
                    subject.clone_from(&claim.subject);
                    claims.all.push(claim);
                    claims.detail |= detail;
                }
                None => claims.more |= !extends_value(clause, &mut claims.all),
            }
        }
        claims
    }

    /// Whether every claim of this note, and it has nothing else, stands in the other.
    pub(super) fn are_within(&self, other: &Claims) -> bool {
        let held = |claim: &Claim| other.all.iter().any(|known| claim.is_within(known));
        !self.all.is_empty() && !self.more && !self.detail && self.all.iter().all(held)
    }

    pub(super) fn contradict(&self, other: &Claims) -> bool {
        self.all
            .iter()
            .any(|claim| other.all.iter().any(|known| claim.contradicts(known)))
    }

    /// Whether nothing that `other` says is lost when this takes its place.
    pub(super) fn can_replace(&self, other: &Claims) -> bool {
        let answered = |known: &Claim| {
            let mut ours = self.all.iter();
            ours.any(|claim| claim.contradicts(known) || known.is_within(claim))
        };
        !other.more && other.all.iter().all(answered)
    }

    /// The names that the note gives the person.
    pub(super) fn own_names(&self) -> impl Iterator<Item = &String> {
        self.all
            .iter()
            .filter(|claim| claim.subject == "self" && claim.attribute == "name" && !claim.denied)
            .flat_map(|claim| &claim.value)
    }

    pub(super) fn share_an_attribute(&self, other: &Claims) -> bool {
        self.all
            .iter()
            .any(|claim| other.all.iter().any(|known| claim.is_of(known)))
    }
}

/// Notes also come as "name: Ana".
fn with_verb(text: &str) -> Option<String> {
    let (key, value) = text.split_once(": ")?;
    (key.split_whitespace().count() <= 4).then(|| format!("{key} is {value}"))
}

fn has_run(words: &[Word], run: &[&str]) -> bool {
    words.windows(run.len()).any(|window| {
        window
            .iter()
            .map(|word| &*word.folded)
            .eq(run.iter().copied())
    })
}

/// Cuts at commas, semicolons, ends of sentences and "and".
fn clauses<'a>(text: &str, words: &'a [Word]) -> Vec<&'a [Word]> {
    let mut found = Vec::new();
    let mut start = 0;
    for i in 0..words.len() {
        let between = if i == 0 {
            ""
        } else {
            &text[words[i - 1].end.min(words[i].start)..words[i].start]
        };
        let joint = matches!(&*words[i].folded, "and" | "und" | "et" | "y" | "og" | "och");
        if between.contains([',', ';', '.', '!', '\n', '(', '，', '。', '、']) || joint {
            found.push(&words[start..i]);
            start = if joint { i + 1 } else { i };
        }
    }
    found.push(&words[start.min(words.len())..]);
    found.retain(|clause| !clause.is_empty());
    found
}

/// "Norway" after "lives in Oslo," belongs to the place.
fn extends_value(clause: &[Word], claims: &mut [Claim]) -> bool {
    let names = clause.iter().all(|word| word.capital) && clause.len() <= 3;
    match claims.last_mut() {
        Some(last) if names => {
            last.value
                .extend(clause.iter().map(|word| word.folded.clone()));
            true
        }
        _ => false,
    }
}

/// The claim of a clause, and whether it goes into detail.
fn read_clause(
    clause: &[Word],
    subject_before: &str,
    own_names: &[String],
) -> Option<(Claim, bool)> {
    const DENIALS: [&str; 6] = ["not", "no", "never", "longer", "anymore", "stopped"];
    let mut denied = clause.iter().any(|word| DENIALS.contains(&&*word.folded));
    let words: Vec<&Word> = clause
        .iter()
        .filter(|word| {
            let folded = &*word.folded;
            !ADVERBS.contains(&folded) && !DENIALS.contains(&folded) && folded != "does"
        })
        .filter(|word| !(denied && matches!(&*word.folded, "do" | "being")))
        .collect();
    let own = |word: &Word| SELVES.contains(&&*word.folded) || own_names.contains(&word.folded);
    let (at, rest, found) = (0..words.len()).find_map(|at| {
        let fitting = PATTERNS
            .iter()
            .filter(|pattern| fits(pattern, &words[at..]));
        let mut read = fitting.filter_map(|pattern| {
            let rest = &words[at + pattern.words.len()..];
            let found = match pattern.attribute {
                "is" => copula(&words[..at], rest, &own),
                "has" => counted(rest),
                attribute => valued(attribute, rest),
            };
            Some((at, rest, found?))
        });
        read.next()
    })?;
    let detail = rest
        .iter()
        .position(|word| STOPS.contains(&&*word.folded))
        .is_some_and(|end| rest[end..].iter().any(|word| word.is_content()))
        && !found.attribute.starts_with("of ");
    let subject = match found.subject {
        Some(subject) => subject,
        None => subject_of(&words[..at], &own)?.unwrap_or_else(|| subject_before.to_owned()),
    };
    let attribute = match found.attribute.strip_prefix("not ") {
        Some(attribute) => {
            denied = !denied;
            attribute.to_owned()
        }
        None => found.attribute,
    };
    let claim = Claim {
        subject,
        attribute,
        value: found.value,
        denied,
    };
    Some((claim, detail))
}

struct Found {
    /// Where the attribute was part of the subject.
    subject: Option<String>,
    attribute: String,
    value: Vec<String>,
}

impl Found {
    fn new(attribute: &str, value: Vec<String>) -> Option<Found> {
        (!value.is_empty() && value.len() <= 8).then(|| Found {
            subject: None,
            attribute: attribute.to_owned(),
            value,
        })
    }

    fn of(self, subject: String) -> Found {
        Found {
            subject: Some(subject),
            ..self
        }
    }
}

fn fits(pattern: &Pattern, words: &[&Word]) -> bool {
    words.len() > pattern.words.len()
        && pattern
            .words
            .iter()
            .zip(words)
            .all(|(wanted, word)| *wanted == word.folded)
}

/// Who the words before the verb are about: nobody named, or somebody; `None` where they are more
/// than a name for somebody.
fn subject_of(before: &[&Word], own: &impl Fn(&Word) -> bool) -> Option<Option<String>> {
    const AUXILIARIES: [&str; 21] = [
        "has", "have", "is", "am", "are", "been", "was", "got", "ai", "hat", "habe", "har", "bin",
        "ist", "sono", "he", "ha", "suis", "est", "ben", "heb",
    ];
    let end = before
        .iter()
        .rposition(|word| !AUXILIARIES.contains(&&*word.folded))
        .map_or(0, |last| last + 1);
    let mut words: Vec<&str> = Vec::new();
    for word in &before[..end] {
        let folded = &*word.folded;
        let known = own(word) || ARTICLES.contains(&folded);
        if !known && (STOPS.contains(&folded) || AUXILIARIES.contains(&folded)) {
            return None;
        }
        if !ARTICLES.contains(&folded) {
            words.push(if own(word) { "self" } else { folded });
        }
    }
    words.dedup();
    match words.len() {
        0 => Some(None),
        1..=4 => Some(Some(words.join(" "))),
        _ => None,
    }
}

/// The value after a verb, up to where another thought begins.
fn value_of(rest: &[&Word]) -> Vec<String> {
    let end = rest
        .iter()
        .position(|word| STOPS.contains(&&*word.folded))
        .unwrap_or(rest.len());
    rest[..end]
        .iter()
        .filter(|word| !ARTICLES.contains(&&*word.folded))
        .map(|word| word.folded.clone())
        .collect()
}

fn valued(attribute: &str, rest: &[&Word]) -> Option<Found> {
    const OF_ONESELF: [&str; 7] = [
        "home",
        "night",
        "nights",
        "himself",
        "herself",
        "themselves",
        "myself",
    ];
    let first = rest.first()?;
    let word = &*first.folded;
    let indefinite = matches!(word, "a" | "an" | "my" | "their" | "his" | "her");
    match attribute {
        "prefer" => preferred(rest),
        "diet" => Found::new("diet", diet(rest)?),
        "birth" => {
            let day = rest.iter().any(|word| word.has_digit());
            let attribute = if day { "birthday" } else { "birthplace" };
            Found::new(attribute, value_of(rest))
        }
        "age" => first
            .has_digit()
            .then(|| Found::new("age", value_of(rest)))?,
        "moved" => {
            // People also move to Linux, to a new team and to the next topic.
            let place = first.is_proper() && !rest.iter().take(2).any(|w| is_no_place(w));
            place.then(|| Found::new("city", value_of(rest)))?
        }
        "joined" => {
            let place = !first.is_proper() || rest.iter().take(2).any(|w| is_no_place(w));
            (!place).then(|| Found::new("employer", value_of(rest)))?
        }
        "moved from" => {
            let to = rest.iter().position(|word| word.folded == "to")?;
            valued("moved", &rest[to + 1..])
        }
        "gezogen" => {
            let end = rest
                .iter()
                .position(|word| word.folded.ends_with("gezogen"))?;
            Found::new("city", value_of(&rest[..end]))
        }
        "not diet" => Found::new("not diet", diet(rest)?),
        "not employer" if !first.is_proper() => None,
        "city" if indefinite || NOT_A_PLACE.contains(&word) => None,
        "city" if word == "the" && !rest.get(1).is_some_and(|word| word.capital) => None,
        "employer" if indefinite || OF_ONESELF.contains(&word) => None,
        attribute => Found::new(attribute, value_of(rest)),
    }
}

fn is_no_place(word: &Word) -> bool {
    NOT_A_PLACE.contains(&&*word.folded)
}

/// "tea over coffee": of the two, tea.
fn preferred(rest: &[&Word]) -> Option<Found> {
    let over = rest
        .iter()
        .position(|word| matches!(&*word.folded, "over" | "to" | "than"))?;
    let side = |words: &[&Word]| -> Vec<String> {
        words
            .iter()
            .filter(|word| !matches!(&*word.folded, "rather" | "instead"))
            .map(|word| word.folded.clone())
            .collect()
    };
    let (chosen, other) = (side(&rest[..over]), side(&rest[over + 1..]));
    let short = |side: &[String]| (1..=4).contains(&side.len());
    if !short(&chosen) || !short(&other) {
        return None;
    }
    let mut pair = [chosen.join(" "), other.join(" ")];
    pair.sort();
    let attribute = format!("of {} and {}", pair[0], pair[1]);
    Found::new(&attribute, vec![chosen.join(" ")])
}

fn diet(rest: &[&Word]) -> Option<Vec<String>> {
    const PLAIN: [&str; 8] = [
        "strict",
        "strictly",
        "fully",
        "mostly",
        "again",
        "diet",
        "lifestyle",
        "eater",
    ];
    let words: Vec<&str> = rest
        .iter()
        .map(|word| &*word.folded)
        .filter(|word| !ARTICLES.contains(word) && !PLAIN.contains(word))
        .collect();
    let value = *words.first()?;
    let names = DIETS.iter().find(|names| names.contains(&value))?;
    let ends = words.get(1).is_none_or(|word| STOPS.contains(word));
    ends.then(|| vec![names[0].to_owned()])
}

/// "two cats": as many as there are.
fn counted(rest: &[&Word]) -> Option<Found> {
    const COUNTS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    let count = &*rest.first()?.folded;
    let number = match COUNTS.iter().position(|name| *name == count) {
        Some(number) => number.to_string(),
        None if count.chars().all(|c| c.is_ascii_digit()) => count.to_owned(),
        None => return None,
    };
    let noun = rest.get(1)?.folded.trim_end_matches('s');
    let ends = rest
        .get(2)
        .is_none_or(|word| STOPS.contains(&&*word.folded));
    ends.then(|| Found::new(&format!("number of {noun}"), vec![number]))?
}

/// "… is …": a diet, an age, a state, or an attribute of which there is one.
fn copula(before: &[&Word], rest: &[&Word], own: &impl Fn(&Word) -> bool) -> Option<Found> {
    if let Some(favorite) = favorite_after(rest) {
        return Some(Found::new(&favorite, value_of(before))?.of("self".into()));
    }
    let owner = before
        .iter()
        .rposition(|word| word.possessive || OWNERS.contains(&&*word.folded));
    let split = match owner {
        Some(owner) => owner + 1,
        // "name is Ana", "favorite color is red": of the person.
        None if before.first().is_some_and(|word| !own(word)) => 0,
        None => return state(rest),
    };
    let attribute: Vec<&str> = before[split..]
        .iter()
        .map(|word| &*word.folded)
        .filter(|word| !ARTICLES.contains(word) && !matches!(*word, "new" | "legal" | "real"))
        .collect();
    let name = attribute.join(" ").replace("favourite", "favorite");
    let Some(shape) = shape_of(&attribute, &name) else {
        // "the dog is vegan", "Ana is 34": a state of somebody.
        return if owner.is_none() || attribute.len() == 1 {
            state(rest)
        } else {
            None
        };
    };
    let known = NAMES_OF_ATTRIBUTES.iter().find(|(known, _)| *known == name);
    let name = known.map_or(&*name, |(_, name)| name);
    let who = if split == 0 {
        "self".to_owned()
    } else {
        subject_of(&before[..split], own)?.unwrap_or_else(|| "self".to_owned())
    };
    let value = if name == "diet" {
        diet(rest)?
    } else {
        value_of(rest)
    };
    has_shape(shape, rest).then(|| Some(Found::new(name, value)?.of(who)))?
}

fn shape_of(attribute: &[&str], name: &str) -> Option<Shape> {
    if attribute.len() > 4 {
        return None;
    }
    let last = *attribute.last()?;
    let head = HEADS
        .iter()
        .find(|(head, _)| *head == name || *head == last);
    match head {
        Some((_, shape)) => Some(*shape),
        None => (attribute.len() > 1 && SINGULAR.contains(&attribute[0])).then_some(Shape::Any),
    }
}

fn has_shape(shape: Shape, rest: &[&Word]) -> bool {
    let mut named = rest
        .iter()
        .filter(|word| !ARTICLES.contains(&&*word.folded));
    let Some(first) = named.next() else {
        return false;
    };
    match shape {
        Shape::Any => true,
        Shape::Name => first.capital || rest.len() == 1,
        Shape::Proper => first.capital,
        Shape::Number => rest.iter().any(|word| word.has_digit()),
    }
}

/// "red is my favorite color".
fn favorite_after(rest: &[&Word]) -> Option<String> {
    let at = rest
        .iter()
        .position(|word| matches!(&*word.folded, "favorite" | "favourite"))?;
    let owned = (1..=2).contains(&at);
    let words: Vec<&str> = rest[at + 1..].iter().map(|word| &*word.folded).collect();
    (owned && (1..=3).contains(&words.len())).then(|| format!("favorite {}", words.join(" ")))
}

/// "is vegetarian", "is 34 years old", "is married".
fn state(rest: &[&Word]) -> Option<Found> {
    if let Some(value) = diet(rest) {
        return Found::new("diet", value);
    }
    let words: Vec<&str> = rest.iter().map(|word| &*word.folded).collect();
    let first = *words.first()?;
    if rest[0].has_digit() && (words.len() == 1 || words[1..].starts_with(&["years", "old"])) {
        return Found::new("age", vec![first.to_owned()]);
    }
    // "single-minded" and "engaged in" are not meant.
    let plain = words
        .get(1)
        .is_none_or(|next| matches!(*next, "to" | "with" | "since" | "again"));
    (plain && MARITAL.contains(&first))
        .then(|| Found::new("marital status", vec![first.to_owned()]))?
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;
