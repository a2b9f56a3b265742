use super::*;

fn claims(text: &str) -> Claims {
    Claims::of(text, &["ana".to_owned()])
}

/// The one claim of a note, as words.
fn one(text: &str) -> String {
    let claims = claims(text);
    assert_eq!(claims.all.len(), 1, "{text}: {claims:?}");
    assert!(!claims.more, "{text}: {claims:?}");
    let claim = &claims.all[0];
    let denied = if claim.denied { " not" } else { "" };
    format!(
        "{} {}{denied} = {}",
        claim.subject,
        claim.attribute,
        claim.value.join(" ")
    )
}

#[test]
fn the_ways_to_say_it_are_one_claim() {
    for (claim, texts) in [
        (
            "self name = ana",
            &[
                "User's name is Ana",
                "My name is Ana",
                "The user is called Ana",
                "Name: Ana",
                "name is Ana",
            ][..],
        ),
        (
            "self city = oslo",
            &[
                "User lives in Oslo",
                "I live in Oslo now",
                "Ana is now living in Oslo",
                "The user recently moved to Oslo",
                "Lives in Oslo since 2020",
                "User has moved to Oslo from Bergen",
                "User's home city is Oslo",
                "Ich wohne jetzt in Oslo",
                "J'habite à Oslo",
            ],
        ),
        (
            "self employer = acme",
            &[
                "User works at Acme",
                "I work for Acme as a nurse",
                "User is employed by Acme",
                "User started a new job at Acme",
                "The user's employer is Acme",
                "Trabaja en Acme",
            ],
        ),
        (
            "self diet = vegetarian",
            &[
                "User is vegetarian",
                "I'm a vegetarian",
                "User became vegetarian",
                "The user follows a strict vegetarian diet",
                "User's diet is vegetarian",
                "Dietary preference: vegetarian",
                "Ich bin Vegetarier",
            ],
        ),
        (
            "self diet not = vegetarian",
            &[
                "User is no longer vegetarian",
                "I'm not a vegetarian anymore",
            ],
        ),
        (
            "self diet = omnivore",
            &["User eats meat again", "eats everything"],
        ),
        (
            "self favorite color = red",
            &[
                "User's favorite color is red",
                "My favourite color is red",
                "Red is my favorite color",
            ],
        ),
        (
            "self of coffee and tea = tea",
            &["User prefers tea over coffee", "I prefer tea to coffee"],
        ),
        (
            "self age = 34",
            &["User is 34 years old", "User is 34", "User's age is 34"],
        ),
        (
            "self number of cat = 2",
            &["User has two cats", "I have 2 cats"],
        ),
        ("self marital status = married", &["User is married"]),
        (
            "self wife employer = acme",
            &["User's wife works at Acme", "My wife works at Acme"],
        ),
        ("bob city = oslo", &["Bob lives in Oslo"]),
        (
            "project deadline = friday",
            &["The project's deadline is Friday"],
        ),
        ("self dog name = rex", &["User's dog is called Rex"]),
    ] {
        for text in texts {
            assert_eq!(one(text), claim, "{text}");
        }
    }
}

#[test]
fn what_can_be_true_together_claims_nothing() {
    for text in [
        "User likes tea",
        "User has a dog",
        "User speaks French",
        "User's hobby is chess",
        "User moved to Postgres",
        "User moved to a new team",
        "User works at a bank",
        "User works from home",
        "User lives in a small flat",
        "User used to live in Oslo",
        "User wants to move to Oslo",
        "User might work at Acme",
        "User plans to become vegan",
        "User is a nurse",
        "User's wife is a doctor",
        "User's boss is nice",
        "User's phone is broken",
        "User's name is hard to pronounce",
        "User's company is small",
        "User is happy",
        "User is happy because Bob lives in Oslo",
        "User met a man who works at Acme",
        "User likes vegan food",
        "User eats vegan food on Mondays",
        "Do I live in Oslo?",
        "",
    ] {
        assert_eq!(claims(text).all, [], "{text}");
    }
}

#[test]
fn contradictions_are_of_one_subject_and_attribute() {
    for (new, old) in [
        ("User lives in Bergen", "User lives in Oslo"),
        ("moved to Bergen", "Ana lives in Oslo, Norway"),
        ("Lives in Portland, Maine", "Lives in Portland, Oregon"),
        ("User works for Beta", "User works at Acme as a nurse"),
        ("User is vegan", "User is vegetarian"),
        ("User is not vegetarian anymore", "User is vegetarian"),
        ("User's name is Eva", "User's name is Ana"),
        ("prefers coffee to tea", "prefers tea over coffee"),
        ("has three cats", "has two cats"),
    ] {
        assert!(claims(new).contradict(&claims(old)), "{new} / {old}");
        assert!(claims(new).can_replace(&claims(old)), "{new} / {old}");
    }
    for (new, old) in [
        ("User lives in Oslo", "User lives in Oslo, Norway"),
        ("User lives in Oslo", "User's wife lives in Bergen"),
        ("User works at Acme", "User lives in Oslo"),
        ("User is not vegan", "User is vegetarian"),
        ("User's dog is called Rex", "User's name is Ana"),
        ("User's cat is called Tom", "User's dog is called Rex"),
        (
            "User's favorite color is red",
            "User's favorite food is pizza",
        ),
        ("User goes by Annie", "User's name is Ana"),
        ("User's wife is vegan", "User is vegetarian"),
    ] {
        assert!(!claims(new).contradict(&claims(old)), "{new} / {old}");
    }
}

#[test]
fn a_note_that_says_more_is_not_replaced() {
    let old = claims("User's name is Ana, lives in Oslo and plays chess");
    let new = claims("User lives in Bergen");
    assert!(new.contradict(&old) && !new.can_replace(&old));
    let two = claims("User's name is Ana and lives in Oslo");
    assert_eq!(two.all.len(), 2);
    assert!(!new.can_replace(&two));
    assert!(claims("User's name is Ana and lives in Bergen").can_replace(&two));
}

#[test]
fn a_claim_with_less_detail_is_within_the_other() {
    assert!(claims("lives in Oslo").are_within(&claims("User lives in Oslo, Norway")));
    assert!(!claims("User lives in Oslo, Norway").are_within(&claims("lives in Oslo")));
    assert!(!claims("likes tea").are_within(&claims("likes tea")));
    let nurse = claims("works at Acme as a nurse");
    assert!(!nurse.are_within(&claims("works at Acme")));
    assert!(claims("works for Acme").are_within(&nurse));
}
