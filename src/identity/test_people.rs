//! The published list of invented people on whom an agency's system shows that it makes the right tokens.

use jiff::civil::Date;

use super::raw::RawFields;
use crate::domain::match_keys::MatchKeys;

/// The list as published: a number, then the fields of the programme's match keys.
pub const TEST_PEOPLE: &str = include_str!("../../tests/vectors/test-people.csv");

/// The day against which their dates are judged, whenever the tokens are made.
pub const TEST_PEOPLE_TODAY: Date = jiff::civil::date(2026, 9, 20);

/// The test people with their numbers; a field that a programme does not declare is left out.
///
/// No cell of the list needs quotation marks, so it is read without a parser for them.
pub fn test_people(keys: &MatchKeys) -> Vec<(u16, RawFields<'static>)> {
    let mut lines = TEST_PEOPLE.lines().map(|line| line.split(','));
    let headings: Vec<&str> = lines.next().into_iter().flatten().collect();
    let person = |(number, cells): (u16, std::str::Split<'static, char>)| {
        let mut raw = RawFields::new();
        for (heading, cell) in headings.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            raw.push(keys, heading, cell);
        }
        (number, raw)
    };
    (1..).zip(lines).map(person).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::identity::{UK_MATCH_KEYS, derive};

    #[test]
    fn every_cell_is_read_and_every_match_key_has_a_value() {
        let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
        let mut covered = BTreeSet::new();
        for (number, raw) in test_people(&keys) {
            let derived = derive(&keys, &raw, TEST_PEOPLE_TODAY);
            for field in derived.fields() {
                let name = &keys.fields()[field.field].name;
                assert_eq!(field.refused, None, "person {number}, {name}");
            }
            covered.extend(derived.values().map(|(key, _)| keys.keys()[key].name.to_string()));
        }
        let all: BTreeSet<String> = keys.keys().iter().map(|key| key.name.to_string()).collect();
        assert_eq!(covered, all);
    }

    #[test]
    fn the_list_is_numbered_in_order_and_has_no_quotation_marks() {
        let mut lines = TEST_PEOPLE.lines();
        let columns = lines.next().map_or(0, |line| line.split(',').count());
        for (number, line) in (1..).zip(lines) {
            assert!(line.starts_with(&format!("{number},")) && line.split(',').count() == columns, "line {number}");
            assert!(!line.contains('"'));
        }
    }
}
