//! Whether a sentence of the person's says a thing of themselves, and as true.
//!
//! "I wish I lived in Oslo", "my brother lives in Oslo" and "the mail says that I live in Oslo" hold
//! the words of a note without saying it.

use super::claim::Claims;
use super::words::{Reading, Word};

/// Before what is said they take it back, put it in doubt, or into another world.
const DOUBTS: &[&str] = &[
    "if",
    "unless",
    "wish",
    "wishes",
    "wished",
    "would",
    "might",
    "may",
    "maybe",
    "perhaps",
    "probably",
    "possibly",
    "suppose",
    "supposing",
    "supposedly",
    "imagine",
    "imagining",
    "imagined",
    "pretend",
    "pretending",
    "dream",
    "dreamt",
    "dreamed",
    "almost",
    "nearly",
    "false",
    "untrue",
    "wrong",
    "lie",
    "doubt",
    "doubts",
    "hypothetically",
    "could",
    "should",
    "want",
    "wants",
    "wanted",
    "hope",
    "hopes",
    "plan",
    "plans",
    "planning",
    "considering",
    "thinking",
    "novel",
    "story",
    "character",
    "roleplay",
    "game",
    "vielleicht",
    "würde",
    "würden",
    "wenn",
    "falls",
    "möchte",
    "angenommen",
    "früher",
    "peut-être",
    "peut",
    "voudrais",
    "aimerais",
    "quizás",
    "quisiera",
    "gustaría",
    "ojalá",
    "forse",
    "vorrei",
    "kanskje",
    "kanske",
    "hvis",
    "misschien",
    "talvez",
    "gostaria",
];

/// Words by which what follows, or went before, is another's.
const SPEECH: &[&str] = &[
    "says",
    "said",
    "saying",
    "told",
    "tells",
    "wrote",
    "writes",
    "written",
    "claims",
    "claimed",
    "according",
    "states",
    "stated",
    "quote",
    "quoting",
    "reads",
    "asked",
    "sagt",
    "sagte",
    "schreibt",
    "schrieb",
    "laut",
    "dit",
    "écrit",
    "selon",
    "dice",
    "dijo",
    "escribe",
    "según",
    "scrive",
    "secondo",
    "sier",
    "skriver",
    "zegt",
    "diz",
    "disse",
    "segundo",
    "говорит",
    "пишет",
];

/// People, and animals, of whom somebody speaks as theirs.
const OTHERS: &[&str] = &[
    "brother",
    "sister",
    "sibling",
    "siblings",
    "mother",
    "father",
    "mom",
    "mum",
    "dad",
    "parents",
    "wife",
    "husband",
    "spouse",
    "partner",
    "girlfriend",
    "boyfriend",
    "fiancé",
    "fiancée",
    "ex",
    "son",
    "daughter",
    "child",
    "children",
    "kids",
    "baby",
    "cousin",
    "uncle",
    "aunt",
    "nephew",
    "niece",
    "grandmother",
    "grandfather",
    "grandma",
    "grandpa",
    "friend",
    "friends",
    "flatmate",
    "roommate",
    "neighbour",
    "neighbor",
    "colleague",
    "coworker",
    "boss",
    "manager",
    "client",
    "customer",
    "teacher",
    "student",
    "doctor",
    "landlord",
    "tenant",
    "dog",
    "cat",
    "bruder",
    "schwester",
    "mutter",
    "vater",
    "frau",
    "mann",
    "freund",
    "freundin",
    "chef",
    "chefin",
    "sohn",
    "tochter",
    "kollege",
    "kollegin",
    "nachbar",
    "frère",
    "sœur",
    "mère",
    "père",
    "femme",
    "mari",
    "ami",
    "amie",
    "fils",
    "fille",
    "patron",
    "hermano",
    "hermana",
    "madre",
    "padre",
    "esposa",
    "marido",
    "amigo",
    "amiga",
    "hijo",
    "hija",
    "jefe",
    "fratello",
    "sorella",
    "moglie",
    "marito",
    "amico",
    "amica",
    "figlio",
    "figlia",
    "bror",
    "søster",
    "syster",
    "mor",
    "far",
    "kone",
    "venn",
    "broer",
    "zus",
    "vrouw",
    "irmão",
    "irmã",
    "брат",
    "сестра",
    "мать",
    "отец",
    "жена",
    "муж",
    "друг",
    "подруга",
    "he",
    "she",
    "they",
    "sie",
    "il",
    "elle",
    "él",
    "ella",
    "han",
    "hun",
    "hon",
    "zij",
    "ele",
    "ela",
    "он",
    "она",
    "они",
];

const FIRST_PERSON: &[&str] = &[
    "i", "we", "ich", "wir", "je", "j", "nous", "yo", "nosotros", "io", "noi", "jeg", "vi", "jag",
    "ik", "wij", "eu", "nós", "я", "мы",
];

/// A would-be note, read, and the names by which memory knows the person.
#[derive(Clone, Copy)]
pub(super) struct Note<'a> {
    pub(super) text: &'a str,
    pub(super) reading: &'a Reading,
    pub(super) own_names: &'a [String],
}

/// Whether a sentence that has the words of a note says them of the one the note is about, without
/// a doubt that the note leaves out.
pub(super) fn says_so(note: &Note<'_>, said: &Reading, said_text: &str) -> bool {
    let (note_text, own_names) = (note.text, note.own_names);
    let note = note.reading;
    let known = |word: &Word| note.words.iter().any(|other| word.is_akin(other));
    let first = said
        .words
        .iter()
        .position(|word| word.is_content() && word.group().is_none() && known(word))
        .unwrap_or(said.words.len());
    let before = &said.words[..first];
    let is_in = |word: &Word, list: &[&str]| list.contains(&&*word.folded);
    let note_doubts = note.words.iter().any(|word| is_in(word, DOUBTS));
    let used_to = before
        .windows(2)
        .any(|two| two[0].folded == "used" && two[1].folded == "to");
    // A month is no doubt.
    let doubts = |word: &Word| (word.first || !word.capital) && is_in(word, DOUBTS);
    if !note_doubts && (used_to || before.iter().any(doubts)) {
        return false;
    }
    let own = before.iter().any(|word| is_in(word, FIRST_PERSON));
    let other = before
        .iter()
        .any(|word| is_in(word, OTHERS) && !known(word));
    if is_reported(said) && !note.words.iter().any(|word| is_in(word, SPEECH)) {
        return false;
    }
    (own || !other) && has_subject_of(note_text, said_text, own_names)
}

/// Whether somebody else is named as the one who says it.
pub(super) fn is_reported(said: &Reading) -> bool {
    said.words.iter().enumerate().any(|(at, word)| {
        let by_me = at > 0 && FIRST_PERSON.contains(&&*said.words[at - 1].folded);
        SPEECH.contains(&&*word.folded) && !by_me
    })
}

/// What the note claims, the sentence may not claim of somebody else only.
fn has_subject_of(note: &str, said: &str, own_names: &[String]) -> bool {
    let (note, said) = (Claims::of(note, own_names), Claims::of(said, own_names));
    note.all.iter().all(|claim| {
        let mut alike = said
            .all
            .iter()
            .filter(|other| other.attribute == claim.attribute && claim.value == other.value)
            .peekable();
        alike.peek().is_none() || alike.any(|other| other.subject == claim.subject)
    })
}
