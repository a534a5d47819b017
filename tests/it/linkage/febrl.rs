//! FEBRL dataset 4, whose truth is known: whole, with half the partners gone, and with the number.
//! The floors hold what the keys reach; nothing here is chosen by looking at the truth.

use jiff::civil::Date;
use porth::demo::population::society::measure::rules_of;
use porth::domain::match_keys::{MatchKeys, Tier};
use porth::domain::token::Blinded;
use porth::identity::{Derived, Deriver, RawFields};
use porth::linkage::cluster::clusters_where;
use porth::linkage::record::{LinkRecord, LinkToken};
use sha2::{Digest as _, Sha256};

/// The set was made with people born from 1900 on: a later day would make some too old.
pub(super) const TODAY: Date = Date::constant(2005, 1, 1);

/// A file and the number of an entity in it.
pub(super) type Key = (u8, u32);

pub(super) fn keys(name: &str) -> MatchKeys {
    let path = format!("{}/policies/{name}", env!("CARGO_MANIFEST_DIR"));
    let keys = MatchKeys::parse(&std::fs::read_to_string(path).expect("the match keys")).expect("well-formed");
    assert!((28..=40).contains(&keys.keys().len()) && keys.is_for_a_test_set());
    assert!(keys.keys().iter().all(|key| key.tier == Tier::Link && key.evidence_millibits >= Some(29_575)));
    keys
}

fn records(keys: &MatchKeys, file: u8, name: &str) -> Vec<LinkRecord<Key>> {
    let path = format!("{}/tests/data/febrl/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).expect("the test set");
    let headings = reader.headers().expect("a header").clone();
    let mut deriver = Deriver::new(keys);
    let mut derived = Derived::default();
    let record = |row: csv::StringRecord| {
        let number = row[0].split('-').nth(1).and_then(|number| number.parse().ok()).expect("rec-N-…");
        let mut raw = RawFields::new();
        for (heading, text) in headings.iter().zip(&row).skip(1) {
            assert!(raw.push(keys, heading, text), "{heading} is declared");
        }
        deriver.derive(&raw, TODAY, &mut derived);
        let token = |(kind, bytes): (usize, &[u8])| {
            let digest: [u8; 32] = Sha256::digest([&(kind as u64).to_be_bytes()[..], bytes].concat()).into();
            let value = Blinded::new(*digest.first_chunk().expect("32 bytes begin with 16"));
            LinkToken { kind: kind as u16, epoch: 1, value }
        };
        let tokens = derived.values().map(token).collect();
        LinkRecord { key: (file, number), tokens, households: Vec::new() }
    };
    reader.records().map(|row| row.expect("a row")).map(record).collect()
}

/// Precision and F1 over pairs of the two files. `one_each`: the files declare one record a person.
fn quality(keys: &MatchKeys, records: &[LinkRecord<Key>], one_each: bool) -> (f64, f64) {
    let rules = rules_of(keys).expect("rules");
    let (mut linked, mut right) = (0_u32, 0_u32);
    for cluster in clusters_where(records, &rules, |key| one_each.then_some(u32::from(key.0))) {
        let members: Vec<Key> = cluster.members().iter().map(|&member| records[member].key).collect();
        for a in members.iter().filter(|key| key.0 == 0) {
            for b in members.iter().filter(|key| key.0 == 1) {
                linked += 1;
                right += u32::from(a.1 == b.1);
            }
        }
    }
    let of = |file| records.iter().filter(move |record| record.key.0 == file).map(|record| record.key.1);
    let second: std::collections::BTreeSet<u32> = of(1).collect();
    let pairs = of(0).filter(|number| second.contains(number)).count() as f64;
    let (precision, recall) = (f64::from(right) / f64::from(linked), f64::from(right) / pairs);
    let f1 = 2.0 * precision * recall / (precision + recall);
    #[expect(clippy::print_stdout, reason = "the figures are what a reader runs this for")]
    {
        println!("{} records: precision {precision:.4}, recall {recall:.4}, F1 {f1:.4}", records.len());
    }
    (precision, f1)
}

pub(super) fn both(keys: &MatchKeys) -> Vec<LinkRecord<Key>> {
    let mut both = records(keys, 0, "dataset4a");
    both.extend(records(keys, 1, "dataset4b"));
    both
}

/// A third of each file has no partner in the other.
pub(super) fn is_in_half(record: &LinkRecord<Key>) -> bool {
    let (file, number) = record.key;
    number % 3 != if file == 0 { 2 } else { 0 }
}

#[test]
fn composite_keys_alone_link_the_set_without_its_number() {
    let keys = keys("match-keys.febrl.toml");
    let number = keys.field_index("soc_sec_id").expect("declared");
    assert!(keys.keys().iter().all(|key| key.components.iter().all(|part| part.field != number)));
    let whole = both(&keys);
    let half: Vec<_> = whole.iter().filter(|record| is_in_half(record)).cloned().collect();
    assert_eq!((whole.len(), half.len()), (10_000, 6_667));

    for (name, records) in [("whole", &whole), ("half", &half)] {
        for one_each in [true, false] {
            let (precision, f1) = quality(&keys, records, one_each);
            assert!(precision >= 0.999 && f1 >= 0.997, "{name}: precision {precision}, F1 {f1}");
        }
    }
}

#[test]
fn with_the_number_hardly_a_pair_is_missed_and_none_is_wrong() {
    let keys = keys("match-keys.febrl-number.toml");
    let (precision, f1) = quality(&keys, &both(&keys), true);
    assert!(precision > 0.999_999 && f1 >= 0.9995, "precision {precision}, F1 {f1}");
}
