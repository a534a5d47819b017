//! Who the programme's keys link and who they must not: twins, namesakes, brides and movers.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::UK_MATCH_KEYS;
use super::match_keys::derive;
use super::raw::RawFields;
use crate::domain::match_keys::{MatchKeys, Tier};

const TODAY: Date = jiff::civil::date(2026, 9, 20);

type Person<'a> = &'a [(&'a str, &'a str)];

/// The surest tier at which two records share a value, households left out.
fn shared(one: Person<'_>, other: Person<'_>) -> Option<Tier> {
    let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
    let values = |person: Person<'_>| -> BTreeSet<(usize, Vec<u8>)> {
        let mut raw = RawFields::new();
        for (field, text) in person {
            assert!(raw.push(&keys, field, text), "{field}");
        }
        derive(&keys, &raw, TODAY).person_values(&keys).map(|(key, value)| (key, value.to_vec())).collect()
    };
    let (one, other) = (values(one), values(other));
    one.intersection(&other).map(|(key, _)| keys.keys()[*key].tier).min()
}

macro_rules! person {
    ($forename:literal, $surname:literal, $dob:literal, $postcode:literal, $uprn:literal $(, $field:literal = $text:literal)*) => {
        &[("forename", $forename), ("surname", $surname), ("dob", $dob), ("postcode", $postcode), ("uprn", $uprn)
            $(, ($field, $text))*]
    };
}

#[test]
fn people_of_one_household_are_never_linked() {
    let pairs: [(&str, Person<'_>, Person<'_>); 8] = [
        (
            "twins",
            person!("Jowan", "Penrose", "2015-03-09", "TR1 1AA", "10012345"),
            person!("Tegen", "Penrose", "2015-03-09", "TR1 1AA", "10012345"),
        ),
        (
            "twins with one first name",
            person!("Muhammad Ali", "Khan", "2015-03-09", "TR1 1AA", "10012345"),
            person!("Muhammad Hassan", "Khan", "2015-03-09", "TR1 1AA", "10012345"),
        ),
        (
            "twins with like names",
            person!("Jayden", "Penrose", "2015-03-09", "TR1 1AA", "10012345"),
            person!("Jaden", "Penrose", "2015-03-09", "TR1 1AA", "10012345"),
        ),
        (
            "twins of one short form",
            person!("Sam", "Penrose", "2015-03-09", "TR1 1AA", "10012345"),
            person!("Samantha", "Penrose", "2015-03-09", "TR1 1AA", "10012345"),
        ),
        (
            "twins known by initials",
            person!("J", "Penrose", "2015-03-09", "TR1 1AA", "10012345"),
            person!("J.", "Penrose", "2015-03-09", "TR1 1AA", "10012345"),
        ),
        (
            "babies not yet named",
            person!("Baby of Sarah", "Penrose", "2026-09-09", "TR1 1AA", "10012345"),
            person!("Baby of Sarah", "Penrose", "2026-09-09", "TR1 1AA", "10012345"),
        ),
        (
            "father and son",
            person!("John", "Penrose", "1985-03-09", "TR1 1AA", "10012345"),
            person!("John", "Penrose Jnr", "2015-03-09", "TR1 1AA", "10012345"),
        ),
        (
            "two whose day of birth is not known",
            person!("John", "Penrose", "1985-01-01", "TR1 1AA", "10012345"),
            person!("John", "Penrose", "1985-01-01", "TR1 1AA", "10012345"),
        ),
    ];
    for (who, one, other) in pairs {
        assert_ne!(shared(one, other), Some(Tier::Link), "{who}");
    }
}

#[test]
fn namesakes_in_one_house_born_in_different_years_are_not_even_suggested() {
    let father: Person<'_> = person!("John", "Penrose", "1985-03-09", "TR1 1AA", "10012345");
    let son: Person<'_> = person!("John", "Penrose", "2015-03-09", "TR1 1AA", "10012345");
    assert_eq!(shared(father, son), None);
}

#[test]
fn one_person_written_two_ways_is_linked() {
    let pairs: [(&str, Person<'_>, Person<'_>); 6] = [
        (
            "accents, apostrophes and spacing",
            person!("Zoë", "O’Brien", "2009-04-17", "tr11aa", ""),
            person!("ZOE", "OBRIEN", "2009-04-17", "TR1 1AA", "10012345"),
        ),
        (
            "a surname that changed, the former one known",
            person!("Demelza", "Nance", "1988-04-17", "TR1 1AA", "", "surname" = "Penrose"),
            person!("Demelza", "Penrose", "1988-04-17", "TR1 1AA", ""),
        ),
        (
            "a double surname of which one half was kept",
            person!("Demelza", "Penrose-Nance", "1988-04-17", "TR1 1AA", ""),
            person!("Demelza", "Nance", "1988-04-17", "TR1 1AA", ""),
        ),
        (
            "a move, the former address known",
            person!("Demelza", "Nance", "1988-04-17", "PL12 6LF", "10055555", "postcode" = "TR1 1AA"),
            person!("Demelza", "Nance", "1988-04-17", "TR1 1AA", "10012345"),
        ),
        (
            "a sure short form",
            person!("Lizzie", "MacDonald", "1988-04-17", "TR1 1AA", ""),
            person!("Elizabeth", "McDonald", "1988-04-17", "TR1 1AA", ""),
        ),
        (
            "an identifier alone",
            &[("nhs", "999 000 0018")],
            person!("Demelza", "Nance", "1988-04-17", "TR1 1AA", "", "nhs" = "9990000018"),
        ),
    ];
    for (who, one, other) in pairs {
        assert_eq!(shared(one, other), Some(Tier::Link), "{who}");
    }
}

#[test]
fn what_may_be_one_person_goes_to_a_reviewer() {
    let base: Person<'_> = person!("Demelza", "Nance", "1988-04-07", "TR1 1AA", "10012345");
    let others: [(&str, Person<'_>); 6] = [
        ("surname changed, nobody said", person!("Demelza", "Penrose", "1988-04-07", "TR1 1AA", "10012345")),
        ("moved far", person!("Demelza", "Nance", "1988-04-07", "EX1 1AA", "10077777")),
        ("names in each other's column", person!("Nance", "Demelza", "1988-04-07", "TR1 1AA", "10012345")),
        ("another day of the month", person!("Demelza", "Nance", "1988-04-17", "TR1 1AA", "10012345")),
        ("day and month swapped", person!("Demelza", "Nance", "1988-07-04", "TR1 1AA", "10012345")),
        ("forename misspelt", person!("Demelsa", "Nance", "1988-04-07", "TR1 1AA", "10012345")),
    ];
    for (who, other) in others {
        assert_eq!(shared(base, other), Some(Tier::Suggest), "{who}");
    }
}
