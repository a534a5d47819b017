//! How well the keys link: FEBRL dataset 4, whose truth is known, whole and with half the partners
//! gone. A test set of unrelated people; see `policies/match-keys.febrl.toml`.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::match_keys::{Derived, Deriver};
use super::raw::RawFields;
use crate::domain::match_keys::{MatchKeys, Tier};

const KEYS: &str = include_str!("../../policies/match-keys.febrl.toml");
const FILE_A: &str = include_str!("../../tests/data/febrl/dataset4a.csv");
const FILE_B: &str = include_str!("../../tests/data/febrl/dataset4b.csv");

/// The set was made with people born from 1900 on: a later day would make some too old.
const TODAY: Date = jiff::civil::date(2005, 1, 1);

struct Record {
    person: u32,
    /// For each key, its values.
    values: Vec<Vec<Vec<u8>>>,
}

fn records(keys: &MatchKeys, text: &str) -> Vec<Record> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(',').map(str::trim).collect();
    let mut deriver = Deriver::new(keys);
    let mut derived = Derived::default();
    let read = |line: &str| {
        let mut raw = RawFields::new();
        let mut person = None;
        for (name, value) in names.iter().zip(line.split(',').map(str::trim)) {
            if *name == "rec_id" {
                person = value.split('-').nth(1).and_then(|number| number.parse().ok());
            } else {
                assert!(raw.push(keys, name, value), "{name} is declared");
            }
        }
        deriver.derive(&raw, TODAY, &mut derived);
        let mut values = vec![Vec::new(); keys.keys().len()];
        for (key, value) in derived.values() {
            values[key].push(value.to_vec());
        }
        Record { person: person.expect("rec-N-…"), values }
    };
    lines.map(read).collect()
}

/// Key by key, links two records when a value is held by one of either file that is not linked yet.
fn link(keys: &MatchKeys, a: &[&Record], b: &[&Record]) -> Vec<(u32, u32)> {
    let (mut free_a, mut free_b) = (vec![true; a.len()], vec![true; b.len()]);
    let mut links = Vec::new();
    for key in (0..keys.keys().len()).filter(|&key| keys.keys()[key].tier == Tier::Link) {
        let mut held: BTreeMap<&[u8], (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for (at, record) in a.iter().enumerate().filter(|(at, _)| free_a[*at]) {
            record.values[key].iter().for_each(|value| held.entry(value).or_default().0.push(at));
        }
        for (at, record) in b.iter().enumerate().filter(|(at, _)| free_b[*at]) {
            record.values[key].iter().for_each(|value| held.entry(value).or_default().1.push(at));
        }
        for pair in held.values() {
            if let ([in_a], [in_b]) = (pair.0.as_slice(), pair.1.as_slice())
                && free_a[*in_a]
                && free_b[*in_b]
            {
                (free_a[*in_a], free_b[*in_b]) = (false, false);
                links.push((a[*in_a].person, b[*in_b].person));
            }
        }
    }
    links
}

/// Precision and F1 of the links.
fn quality(name: &str, keys: &MatchKeys, a: &[&Record], b: &[&Record], true_pairs: usize) -> (f64, f64) {
    let people: std::collections::BTreeSet<u32> = a.iter().map(|record| record.person).collect();
    assert_eq!(b.iter().filter(|record| people.contains(&record.person)).count(), true_pairs, "{name}");
    let links = link(keys, a, b);
    let right = links.iter().filter(|(a, b)| a == b).count() as f64;
    let (precision, recall) = (right / links.len() as f64, right / true_pairs as f64);
    let f1 = 2.0 * precision * recall / (precision + recall);
    println!("FEBRL 4 {name}: precision {precision:.4}, recall {recall:.4}, F1 {f1:.4}");
    (precision, f1)
}

#[test]
fn composite_keys_find_the_pairs_of_a_public_test_set() {
    let keys = MatchKeys::parse(KEYS).expect("the shipped file");
    assert!((30..=40).contains(&keys.keys().len()) && keys.is_for_a_test_set());
    let number = keys.field_index("soc_sec_id").expect("declared");
    assert!(keys.keys().iter().all(|key| key.components.iter().all(|part| part.field != number)));
    let (a, b) = (records(&keys, FILE_A), records(&keys, FILE_B));

    let full = quality("full", &keys, &a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>(), 5_000);
    let half_a: Vec<&Record> = a.iter().filter(|record| record.person % 3 != 2).collect();
    let half_b: Vec<&Record> = b.iter().filter(|record| record.person % 3 != 0).collect();
    assert_eq!((half_a.len(), half_b.len()), (3_334, 3_333));
    let half = quality("half", &keys, &half_a, &half_b, 1_667);

    for (precision, f1) in [full, half] {
        assert!(precision >= 0.999 && f1 >= 0.99, "precision {precision}, F1 {f1}");
    }
}
