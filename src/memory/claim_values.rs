//! The other names of attributes and of values that claims are recognised by.

/// Attributes that have several names.
pub(super) const NAMES_OF_ATTRIBUTES: &[(&str, &str)] = &[
    ("first name", "name"),
    ("full name", "name"),
    ("company", "employer"),
    ("workplace", "employer"),
    ("arbeitgeber", "employer"),
    ("current employer", "employer"),
    ("current company", "employer"),
    ("home", "city"),
    ("home city", "city"),
    ("current city", "city"),
    ("home town", "hometown"),
    ("profession", "job"),
    ("occupation", "job"),
    ("dietary preference", "diet"),
    ("dietary restriction", "diet"),
    ("wohnort", "city"),
    ("ville", "city"),
    ("ciudad", "city"),
    ("stadt", "city"),
    ("by", "city"),
    ("prénom", "name"),
    ("nom", "name"),
    ("nombre", "name"),
    ("navn", "name"),
    ("namn", "name"),
];

/// Diets of which a person has one, each with its other names.
pub(super) const DIETS: &[&[&str]] = &[
    &[
        "vegetarian",
        "veggie",
        "vegetarier",
        "vegetarierin",
        "vegetarisch",
        "végétarien",
        "végétarienne",
        "vegetariano",
        "vegetariana",
        "vegetarianer",
        "vegetariër",
        "vegetarisk",
    ],
    &[
        "vegan",
        "veganer",
        "veganerin",
        "végan",
        "végane",
        "vegano",
        "vegana",
        "veganist",
    ],
    &["pescatarian", "pescetarian", "pescetarier"],
    &["flexitarian", "flexitarier"],
    &["omnivore", "omnivorous", "meat", "everything", "fleisch"],
    &["carnivore"],
    &["keto", "ketogenic"],
    &["paleo"],
    &["fruitarian"],
];

pub(super) const MARITAL: &[&str] = &[
    "single",
    "married",
    "divorced",
    "engaged",
    "widowed",
    "separated",
];
