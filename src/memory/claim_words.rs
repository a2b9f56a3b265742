//! The words by which claims are recognised: verbs and attributes of which there is one value.
//!
//! They are texts, taken apart when they are first asked for.

use std::collections::HashSet;
use std::sync::LazyLock;

type Words = LazyLock<HashSet<&'static str>>;

fn words(text: &'static str) -> HashSet<&'static str> {
    text.split_whitespace().collect()
}

/// A run of words that stands between a subject and a value.
pub(super) struct Pattern {
    pub(super) words: Vec<&'static str>,
    pub(super) attribute: &'static str,
}

/// Longer ones first where one begins with another. `is` and `has` are read further.
pub(super) static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let lines = PHRASES.lines().filter_map(|line| line.split_once(": "));
    let each = lines.flat_map(|(attribute, phrases)| {
        phrases.split(", ").map(move |phrase| Pattern {
            words: phrase.split(' ').collect(),
            attribute,
        })
    });
    each.collect()
});

const PHRASES: &str = "
name: is called, am called, is named, changed my name to, changed their name to, changed his name to
name: changed her name to, changed name to, renamed myself, renamed themselves, renamed himself
name: renamed herself
spelling: name is spelled
nickname: goes by, go by, call me
city: is living in, am living in, is based in, am based in, lives in, live in, living in, resides in
city: reside in, based in, settled in, settled down in, is a resident of, am a resident of
city: address is in
moved from: relocated from, moved from
moved: relocated to, moved to
employer: is working at, is working for, am working at, am working for, is employed by
employer: is employed at, employed by, employed at, started working at, started working for
employer: started a new job at, started a job at, started at, got a new job at, got a job at
employer: has a new job at, have a new job at, was hired by, got hired by, got hired at, hired by
employer: job is at, job is with
joined: joined
not employer: quit, left, resigned from
employer: works at, work at, works for, work for, working at, working for
job: works as, work as, is working as, am working as
not diet: gave up being, given up being, quit being
diet: switched to, started eating, gone, became, become, turned, went, going, follows, follow, eats
diet: eat, is on
age: turned
birth: was born in, was born on, born in, born on
prefer: prefers, prefer
name: heißt, heiße
city: wohnt in, wohne in, lebt in, lebe in
employer: arbeitet bei, arbeite bei
name: appelle
city: habite à, vit à
employer: travaille chez
name: se llama, me llamo
city: vive en, vivo en
employer: trabaja en, trabajo en
name: si chiama, mi chiamo
city: vive a, vivo a
name: heter
city: bor i
employer: jobber i, jobber hos, jobbar på
name: heet
city: woont in, woon in
employer: werkt bij, werk bij
gezogen: nach
city: déménagé à, installé à, installée à, mudé a, mudado a, mudó a, trasferito a, trasferita a
employer: lavoro per, lavora per
city: moro em, mora em, vivo em, vive em, mudei para
employer: trabalho na, trabalha na, trabalho no, trabalha no
name: nome é, nome è, chamo
city: flyttet til, flyttede til, flyttat till, flyttade till, verhuisd naar, mieszkam w, mieszka w
city: живу в, живёт в, живет в, переехал в, переехала в
employer: работаю в, работает в
name: зовут
has: has, have
is: is, am, are, ist, bin, est, suis, es, soy, er, är, sono, sou, ben
";

/// Words for the person the memory is about.
pub(super) static SELVES: Words = LazyLock::new(|| {
    words(
        "user users person i my me we our ich mein meine nutzer nutzerin benutzer benutzerin je j m
        mon ma utilisateur utilisatrice yo mi usuario usuaria io mio mia utente ik mijn gebruiker
        jeg min mitt brukeren bruker jag användaren meu minha eu я меня пользователь пользователя
        пользователю brugeren",
    )
});

/// Words that make what follows somebody's.
pub(super) static OWNERS: Words =
    LazyLock::new(|| words("my our mein meine mon ma mi mijn min mitt mio mia meu minha"));

pub(super) static ARTICLES: Words = LazyLock::new(|| {
    words("the a an der die das ein eine einen l le la un une el una de het een en et s")
});

/// Words that only say that it is so now.
pub(super) static ADVERBS: Words = LazyLock::new(|| {
    words(
        "now currently recently just actually presently officially still already jetzt nun maintenant
        ahora nå nu ora adesso agora teraz сейчас теперь today also full first",
    )
});

/// Words that take a claim out of the present or put it in doubt.
pub(super) static HEDGES: Words = LazyLock::new(|| {
    words(
        "formerly previously once might may maybe perhaps probably wants want would will plans plan
        planning considering thinking hopes wishes wish dreams could should if when before until
        sometimes often or almost asked asks thinks believes imagines story character früher
        vielleicht avant antes gelegentlich either",
    )
});

/// Words at which a value ends.
pub(super) static STOPS: Words = LazyLock::new(|| {
    words(
        "but since because with as for while where near from after who which so again by at though
        although instead anymore seit mit depuis desde that until to these last this next in",
    )
});

/// What people move to or live in that is no place.
pub(super) static NOT_A_PLACE: Words = LazyLock::new(|| {
    words(
        "peace fear linux windows macos mac ios android ubuntu debian fedora arch nixos emacs vim
        neovim vscode zed postgres postgresql mysql mariadb sqlite mongodb redis rust go python java
        kotlin swift javascript typescript react vue svelte angular django rails aws azure gcp
        google kubernetes docker podman github gitlab git slack teams discord notion obsidian jira
        linear firefox chrome safari signal telegram whatsapp gmail outlook proton spotify claude
        openai ollama production team department role management product engineering marketing sales
        part full remote monday tuesday wednesday thursday friday saturday sunday january february
        march april june july august september october november december plan version",
    )
});

/// First words that make an attribute one of its kind.
pub(super) static SINGULAR: Words = LazyLock::new(|| {
    words("favorite favourite primary main preferred current default native home legal middle")
});

/// What a value must look like to be taken for one: "the phone is broken" gives no number.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Any,
    /// Has a capital letter, or is all that is said.
    Name,
    Proper,
    Number,
}

/// Attributes, by their last words, of which there is one.
pub(super) static HEADS: LazyLock<Vec<(&str, Shape)>> = LazyLock::new(|| {
    let of = |shape| move |head| (head, shape);
    let any = ANY.split(", ").map(of(Shape::Any));
    let names = NAMES.split(", ").map(of(Shape::Name));
    let proper = PROPER.split(", ").map(of(Shape::Proper));
    let numbers = NUMBERS.split(", ").map(of(Shape::Number));
    any.chain(names).chain(proper).chain(numbers).collect()
});

const ANY: &str = "pronouns, gender, religion, nationality, citizenship, timezone, zone, profession, \
    occupation, deadline, birthday, date, diet, dietary preference, dietary restriction";
const NAMES: &str = "name, surname, nickname, prénom, nom, nombre, navn, namn, editor, shell, browser, city, \
    hometown, employer";
const PROPER: &str = "home, town, country, birthplace, wohnort, ville, ciudad, stadt, by, arbeitgeber, company, \
    workplace, boss, manager, wife, husband, spouse, partner, fiancé, fiancée, mother, father, \
    school, university, bank, doctor, dentist, landlord, therapist, capital";
const NUMBERS: &str =
    "birthdate, age, number, phone, address, version, budget, salary, height, weight, size";
