//! FEBRL dataset 4 by fuzzy encodings (privacy profile C), half of the partners gone and without the number:
//! alone, and after the match keys. The threshold is the encoding profile's, which is found without the truth.

use porth::crypto::clk::ClkKey;
use porth::crypto::secret::Secret;
use porth::crypto::token::LinkageKey;
use porth::demo::population::society::agencies::{AGENCIES, entries};
use porth::demo::population::society::measure::{records, rules_of};
use porth::demo::population::society::people::{self, Addresses, Society};
use porth::domain::clk::{Clk, EncodingProfile};
use porth::domain::ids::ProgrammeCode;
use porth::domain::match_keys::MatchKeys;
use porth::identity::{ClkEncoder, RawFields, UK_CLK_PROFILE, UK_MATCH_KEYS};
use porth::linkage::cluster::clusters_where;
use porth::linkage::conflict::ConflictProfile;
use porth::linkage::dice::bind;
use porth::linkage::fuzzy::{FuzzyRecord, join};
use porth::linkage::record::LinkRecord;

use super::febrl::{Key, TODAY, both, is_in_half, keys};

const PROFILE: &str = include_str!("../../../policies/clk-profile.febrl.toml");

/// The filters of the records, in their order, under a key that is the same in every run.
fn filters(keys: &MatchKeys, profile: &EncodingProfile, records: &[LinkRecord<Key>]) -> Vec<Option<Clk>> {
    let secret = Secret::from_slice(&[7; 32]).expect("32 bytes");
    let programme = ProgrammeCode::parse("febrl4").expect("a code");
    let key = ClkKey::derive(&LinkageKey::new(secret), &programme, 1, profile);
    let mut encoder = ClkEncoder::new(keys, profile, &key).expect("fits");
    let mut filters = std::collections::BTreeMap::new();
    for (file, name) in [(0, "dataset4a"), (1, "dataset4b")] {
        let path = format!("{}/tests/data/febrl/{name}.csv", env!("CARGO_MANIFEST_DIR"));
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).expect("the test set");
        let headings = reader.headers().expect("a header").clone();
        for row in reader.records().map(|row| row.expect("a row")) {
            let number: u32 = row[0].split('-').nth(1).and_then(|number| number.parse().ok()).expect("rec-N-…");
            let mut raw = RawFields::new();
            for (heading, text) in headings.iter().zip(&row).skip(1) {
                raw.push(keys, heading, text);
            }
            filters.insert((file, number), encoder.encode(&raw, TODAY).and_then(|bits| Clk::new(key.space(), bits)));
        }
    }
    records.iter().map(|record| filters[&record.key].clone()).collect()
}

/// Precision, recall and F1 of pairs of persons, `persons` saying for each record whose it is.
fn quality(name: &str, records: &[LinkRecord<Key>], persons: &[u32]) -> (f64, f64, f64) {
    let mut members: std::collections::BTreeMap<u32, [Vec<u32>; 2]> = std::collections::BTreeMap::new();
    for (record, person) in records.iter().zip(persons) {
        members.entry(*person).or_default()[usize::from(record.key.0)].push(record.key.1);
    }
    let across = |[a, b]: &[Vec<u32>; 2]| a.iter().flat_map(|a| b.iter().map(move |b| (*a, *b))).collect::<Vec<_>>();
    let linked: Vec<(u32, u32)> = members.values().flat_map(across).collect();
    let right = linked.iter().filter(|(a, b)| a == b).count() as f64;
    let of = |file| records.iter().filter(move |record| record.key.0 == file).map(|record| record.key.1);
    let second: std::collections::BTreeSet<u32> = of(1).collect();
    let pairs = of(0).filter(|number| second.contains(number)).count() as f64;
    let (precision, recall) = (right / linked.len() as f64, right / pairs);
    let f1 = 2.0 * precision * recall / (precision + recall);
    #[expect(clippy::print_stdout, reason = "the figures are what a reader runs this for")]
    {
        println!("{name}: precision {precision:.4}, recall {recall:.4}, F1 {f1:.4}");
    }
    (precision, recall, f1)
}

#[test]
fn encodings_link_half_of_the_set_at_a_threshold_that_was_found_without_the_truth() {
    let keys = keys("match-keys.febrl.toml");
    let profile = EncodingProfile::parse(PROFILE.as_bytes()).expect("well-formed");
    assert!(profile.fields().iter().all(|field| field.field != "soc_sec_id"));
    let half: Vec<_> = both(&keys).into_iter().filter(is_in_half).collect();
    let filters = filters(&keys, &profile, &half);

    // The threshold that the profile carries is the one that the files give, but for noise.
    let of = |file| {
        let of_file = half.iter().zip(&filters).filter(move |(record, _)| record.key.0 == file);
        of_file.filter_map(|(_, clk)| clk.clone()).collect::<Vec<_>>()
    };
    let bound = bind(&[of(0), of(1)], &profile, 1000).expect("bound");
    assert!(
        bound.threshold.in_thousandths().abs_diff(profile.threshold().in_thousandths()) <= 10,
        "{bound:?}, and the profile says {}",
        profile.threshold()
    );

    let rules = rules_of(&keys).expect("rules");
    let conflicts: Vec<_> = half.iter().map(|record| ConflictProfile::of(&record.tokens, &rules)).collect();
    let conflict = |a: usize, b: usize| conflicts[a].conflicts_with(&conflicts[b], &rules);
    let mut by_keys: Vec<u32> = vec![0; half.len()];
    for (number, cluster) in (0..).zip(clusters_where(&half, &rules, |key| Some(u32::from(key.0)))) {
        cluster.members().iter().for_each(|&member| by_keys[member] = number);
    }
    let everybody_alone: Vec<u32> = (0..half.len() as u32).collect();
    let joined = |persons: &[u32]| {
        let record = |((record, clk), person): ((&LinkRecord<Key>, &Option<Clk>), &u32)| FuzzyRecord {
            key: record.key,
            feed: u16::from(record.key.0),
            person: *person,
            clk: clk.clone(),
        };
        let records: Vec<_> = half.iter().zip(&filters).zip(persons).map(record).collect();
        let pairs = join(&records, &[], &profile, &conflict).expect("compared");
        let mut persons = persons.to_vec();
        for pair in pairs {
            let (from, to) = (persons[pair.b], persons[pair.a]);
            persons.iter_mut().filter(|person| **person == from).for_each(|person| *person = to);
        }
        persons
    };

    let (precision, _, f1) = quality("half, profile C alone", &half, &joined(&everybody_alone));
    assert!(precision >= 0.999 && f1 >= ALONE, "precision {precision}, F1 {f1}");
    let (_, before, _) = quality("half, profile A alone", &half, &by_keys);
    let (precision, recall, f1) = quality("half, profile A and then C", &half, &joined(&by_keys));
    assert!(precision >= 0.999 && f1 >= WITH_KEYS && recall >= before, "precision {precision}, F1 {f1}");
}

/// Six agencies write down invented people with families: twins, namesakes, fathers and sons of one name. The
/// threshold of the shipped profile is what these give, and what encodings add joins hardly anybody wrongly.
#[test]
fn the_shipped_threshold_holds_for_invented_families_too() {
    let keys = MatchKeys::parse(UK_MATCH_KEYS).expect("the shipped file");
    let profile = EncodingProfile::parse(UK_CLK_PROFILE.as_bytes()).expect("the shipped file");
    let entries = entries(&Society::generate(INVENTED, 2016, Addresses::Matched), 2016);
    let secret = Secret::from_slice(&[7; 32]).expect("32 bytes");
    let programme = ProgrammeCode::parse("tff").expect("a code");
    let key = ClkKey::derive(&LinkageKey::new(secret), &programme, 1, &profile);
    let mut encoder = ClkEncoder::new(&keys, &profile, &key).expect("fits");
    let mut encode = |texts: &[(&'static str, String)]| {
        let mut raw = RawFields::new();
        for (field, text) in texts {
            raw.push(&keys, field, text);
        }
        encoder.encode(&raw, people::TODAY).and_then(|bits| Clk::new(key.space(), bits))
    };
    let clks: Vec<Option<Clk>> = entries.iter().map(|entry| encode(&entry.texts)).collect();

    // In no file is anybody twice: of a record that an agency holds twice the first is taken.
    let mut files = vec![Vec::new(); AGENCIES.len()];
    let mut seen = std::collections::BTreeSet::new();
    for (entry, clk) in entries.iter().zip(&clks) {
        if seen.insert((entry.agency, entry.person)) {
            files[entry.agency].extend(clk.clone());
        }
    }
    let bound = bind(&files, &profile, 1000).expect("bound");
    assert!(
        bound.threshold.in_thousandths() <= profile.threshold().in_thousandths() + 10,
        "{bound:?}, and the profile says {}",
        profile.threshold()
    );

    let records = records(&keys, &entries);
    let rules = rules_of(&keys).expect("rules");
    let conflicts: Vec<_> = records.iter().map(|record| ConflictProfile::of(&record.tokens, &rules)).collect();
    let mut made: Vec<FuzzyRecord<u32>> = Vec::new();
    for ((record, entry), clk) in records.iter().zip(&entries).zip(&clks) {
        made.push(FuzzyRecord { key: record.key, feed: entry.agency as u16, person: 0, clk: clk.clone() });
    }
    for (number, cluster) in (0..).zip(clusters_where(&records, &rules, |_| None)) {
        cluster.members().iter().for_each(|&member| made[member].person = number);
    }
    let conflict = |a: usize, b: usize| conflicts[a].conflicts_with(&conflicts[b], &rules);
    let count = |profile: &EncodingProfile| {
        let pairs = join(&made, &[], profile, &conflict).expect("compared");
        let wrong = pairs.iter().filter(|pair| entries[pair.a].person != entries[pair.b].person).count();
        println!("at {}: {} pairs after the match keys, {wrong} of two people", profile.threshold(), pairs.len());
        (pairs.len(), wrong)
    };
    println!("{} records of {INVENTED} people: {bound:?}", entries.len());
    let (pairs, wrong) = count(&profile);
    assert!(wrong <= 2, "{wrong} of {pairs}");
}

/// How many people are invented.
const INVENTED: usize = 5_000;

/// Floors under what is reached.
const ALONE: f64 = 0.5;
const WITH_KEYS: f64 = 0.998;
