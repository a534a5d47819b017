//! Invented families with known truth: several agencies, repeated people, twins, namesakes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::token::Blinded;

/// Forename, surname, date, postcode, house.
const FIELDS: [(&str, Role, &[&str], Option<usize>); 5] = [
    ("forename", Role::Forename, &["exact", "prefix"], Some(2)),
    ("surname", Role::Surname, &["exact", "prefix"], None),
    ("dob", Role::Date, &["exact", "year"], Some(2)),
    ("postcode", Role::Place, &["exact", "area"], None),
    ("house", Role::Place, &["exact"], None),
];

fn shape() -> Shape {
    let comparison = |(name, role, levels, needed): &(&str, Role, &[&str], Option<usize>)| Comparison {
        name: (*name).to_owned(),
        levels: levels.iter().map(|level| (*level).to_owned()).collect(),
        role: *role,
        needed: *needed,
    };
    Shape::new(FIELDS.iter().map(comparison).collect()).expect("few")
}

type Values = [Option<u32>; 5];

/// A token for each level: the coarser one is shared by eight values of the field.
fn record(key: u32, feed: u16, values: Values) -> FieldRecord<u32> {
    let mut tokens = Vec::new();
    for (comparison, value) in (0..).zip(values) {
        let Some(value) = value else { continue };
        for level in 0..FIELDS[usize::from(comparison)].2.len() as u8 {
            let mut bytes = [comparison; 16];
            bytes[1] = level;
            bytes[2..6].copy_from_slice(&(if level == 0 { value } else { value / 8 }).to_be_bytes());
            tokens.push(FieldToken { comparison, level, epoch: 1, value: Blinded::new(bytes) });
        }
    }
    FieldRecord { key, feed, tokens }
}

/// A fixed sequence of numbers below a limit.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }
}

/// Families of two parents and two children, every fifth pair of children twins, a father in ten with
/// his son's name; each person in most of four feeds, with errors and gaps. The key's last digit is
/// the feed, the rest the person.
fn families(count: u32) -> Vec<FieldRecord<u32>> {
    let mut numbers = Numbers(42);
    let mut records = Vec::new();
    for family in 0..count {
        let (surname, postcode, house) = (numbers.below(400), numbers.below(300), numbers.below(90));
        let birthday = numbers.below(6000);
        let forenames = [0; 4].map(|_| numbers.below(300));
        for member in 0..4_u32 {
            let is_twin = family.is_multiple_of(5) && member == 3;
            let dob =
                if is_twin { birthday } else { (birthday + member * 901 + if member < 2 { 9000 } else { 0 }) % 16_000 };
            let dob = if member == 2 { birthday } else { dob };
            let forename =
                if family.is_multiple_of(10) && member == 0 { forenames[2] } else { forenames[member as usize] };
            for feed in 0..4_u16 {
                if numbers.below(4) == 0 {
                    continue;
                }
                let mut values = [forename, surname, dob, postcode, house].map(Some);
                match numbers.below(12) {
                    0 => values[numbers.below(5) as usize] = None,
                    1 => values[0] = Some(forename ^ 1),
                    2 => values[1] = Some(numbers.below(400)),
                    3 => values[2] = Some(dob ^ 3),
                    4 => (values[3], values[4]) = (Some(numbers.below(300)), Some(numbers.below(90))),
                    _ => {}
                }
                records.push(record((family * 4 + member) * 10 + u32::from(feed), feed, values));
            }
        }
    }
    records
}

fn person(key: u32) -> u32 {
    key / 10
}

/// Right, false and missed links over all pairs.
fn quality(population: &Population<u32>, accepted: &[WeighedPair]) -> (usize, usize, usize) {
    let is_right = |pair: &&WeighedPair| person(*population.key(pair.a)) == person(*population.key(pair.b));
    let right = accepted.iter().filter(is_right).count();
    let mut held: BTreeMap<u32, usize> = BTreeMap::new();
    (0..population.len() as u32).for_each(|at| *held.entry(person(*population.key(at))).or_default() += 1);
    let all: usize = held.values().map(|count| count * (count - 1) / 2).sum();
    (right, accepted.len() - right, all - right)
}

fn nobody(_: u32, _: u32) -> bool {
    false
}

#[test]
fn people_of_several_agencies_are_joined_and_their_families_are_not() {
    let population = Population::new(shape(), families(400), &[]);
    let weights = learn(&population, "keys".to_owned(), &nobody).expect("enough");
    let accepted = weigh(&population, &weights, None, &nobody);
    let (right, wrong, missed) = quality(&population, &accepted);
    assert!(wrong * 500 <= right, "{wrong} false of {right}");
    assert!(missed * 10 <= right, "{missed} missed of {right}");
    assert!(accepted.windows(2).all(|pair| pair[0].odds >= pair[1].odds), "strongest first");
    assert!(accepted.iter().all(|pair| pair.odds >= LEAST_ODDS && pair.a < pair.b));
}

#[test]
fn neither_the_order_of_records_nor_a_second_run_changes_a_byte() {
    let records = families(60);
    let mut shuffled = records.clone();
    shuffled.reverse();
    shuffled.rotate_left(17);
    let of = |records: Vec<FieldRecord<u32>>| {
        let population = Population::new(shape(), records, &[]);
        let weights = learn(&population, String::new(), &nobody).expect("enough");
        let accepted = weigh(&population, &weights, None, &nobody);
        let keys = accepted.iter().map(|pair| (pair.odds, *population.key(pair.a), *population.key(pair.b)));
        (weights.to_bytes(), keys.collect::<Vec<_>>())
    };
    let (once, again, other) = (of(records.clone()), of(records), of(shuffled));
    assert!(once.1.len() > 200);
    assert_eq!(once, again);
    assert_eq!(once, other);
}

#[test]
fn twins_and_namesakes_are_not_joined_whatever_else_agrees() {
    let population = Population::new(shape(), families(400), &[]);
    let weights = learn(&population, String::new(), &nobody).expect("enough");
    let weighed = |a: Values, b: Values| {
        let mut records = families(400);
        records.extend([record(900_000, 0, a), record(900_010, 1, b)]);
        let population = Population::new(shape(), records, &[]);
        let accepted = weigh(&population, &weights, None, &nobody);
        accepted.iter().any(|pair| *population.key(pair.a) == 900_000 && *population.key(pair.b) == 900_010)
    };
    let child = [Some(801), Some(899), Some(9001), Some(777), Some(85)];
    let with = |at: usize, value| {
        let mut values = child;
        values[at] = value;
        values
    };
    assert!(weighed(child, child));
    assert!(weighed(child, with(3, Some(3))), "moved within the same house number");
    assert!(weighed(child, with(4, None)), "missing is no evidence against");
    assert!(!weighed(child, with(0, Some(4))), "a twin: all agrees but the forename");
    assert!(!weighed(child, with(2, Some(15_000))), "a father of one name: all agrees but the date");
    assert!(!weighed(child, with(0, None)), "the forename is missing: a twin's record would look the same");
    assert!(!weighed([None, None, Some(9001), None, None], [None, None, Some(9001), None, None]), "a birthday alone");
    assert!(!weighed([None; 5], [None; 5]), "nothing at all");
}

#[test]
fn new_records_are_weighed_against_old_ones_with_the_same_result() {
    let population = Population::new(shape(), families(100), &[]);
    let weights = learn(&population, String::new(), &nobody).expect("enough");
    let all = weigh(&population, &weights, None, &nobody);
    // Feed 3 is new, and one person in three of feed 2.
    let is_new = |at: &u32| {
        let key = population.key(*at);
        key % 10 == 3 || (key % 10 == 2 && person(*key).is_multiple_of(3))
    };
    let arrived: BTreeSet<u32> = (0..population.len() as u32).filter(is_new).collect();
    let touches = |pair: &&WeighedPair| arrived.contains(&pair.a) || arrived.contains(&pair.b);
    let standing: Vec<(u32, u32)> = all.iter().filter(|pair| !touches(pair)).map(|pair| (pair.a, pair.b)).collect();
    let new = weigh(&population, &weights, Some(Since { arrived: &arrived, standing: &standing }), &nobody);
    let expected: Vec<WeighedPair> = all.iter().filter(touches).copied().collect();
    assert!(standing.len() > 100 && expected.len() > 100);
    assert_eq!(new, expected);
}

#[test]
fn a_feed_has_a_person_once_unless_it_is_said_to_repeat() {
    let mut records = families(100);
    let twice: Vec<FieldRecord<u32>> = records.iter().filter(|record| record.feed == 1).take(40).cloned().collect();
    records.extend(twice.into_iter().map(|record| FieldRecord { key: record.key + 5, ..record }));
    let within_one = |repeats: &[u16]| {
        let population = Population::new(shape(), records.clone(), repeats);
        let weights = learn(&population, String::new(), &nobody).expect("enough");
        let accepted = weigh(&population, &weights, None, &nobody);
        let is_repeat = |pair: &&WeighedPair| population.key(pair.a) + 5 == *population.key(pair.b);
        accepted.iter().filter(is_repeat).count()
    };
    assert_eq!(within_one(&[]), 0);
    assert!(within_one(&[1]) >= 38);
}

#[test]
fn records_that_conflict_are_not_joined_even_through_others() {
    let population = Population::new(shape(), families(100), &[]);
    let weights = learn(&population, String::new(), &nobody).expect("enough");
    // Feeds 0 and 1 say of everybody that they are two people.
    let conflicts = |a: u32, b: u32| population.key(a) % 10 + population.key(b) % 10 == 1;
    let accepted = weigh(&population, &weights, None, &conflicts);
    let mut joined: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for pair in &accepted {
        assert!(!conflicts(pair.a, pair.b));
        joined.entry(pair.a).or_default().insert(pair.b);
        joined.entry(pair.b).or_default().insert(pair.a);
    }
    for (record, others) in &joined {
        let feeds: BTreeSet<u32> = others.iter().chain([record]).map(|at| population.key(*at) % 10).collect();
        assert!(!feeds.is_superset(&BTreeSet::from([0, 1])), "{feeds:?}");
    }
}

#[test]
fn an_explanation_names_fields_levels_and_bits_and_adds_up() {
    let population = Population::new(shape(), families(100), &[]);
    let weights = learn(&population, String::new(), &nobody).expect("enough");
    let scorer = weights.scorer(&population);
    let pair = weigh(&population, &weights, None, &nobody)[0];
    let evidence = scorer.explain(pair.a, pair.b);
    assert_eq!(
        evidence.iter().map(|evidence| evidence.field.as_str()).collect::<Vec<_>>(),
        FIELDS.map(|field| field.0)
    );
    assert!(evidence.iter().all(|evidence| evidence.level.as_deref() == Some("exact") && evidence.evidence > 0));
    let sum: Millibits = evidence.iter().map(|evidence| evidence.evidence).sum();
    assert!(pair.odds <= weights.prior() + sum, "kin only speak against");
    assert!(pair.error() < 0.01);
}

#[test]
fn an_artefact_reads_back_and_fits_its_own_fields_alone() {
    let population = Population::new(shape(), families(60), &[]);
    let weights = learn(&population, "hash".to_owned(), &nobody).expect("enough");
    let text = weights.to_bytes();
    assert_eq!(Weights::parse(&text, &shape()), Ok(weights.clone()));
    assert_eq!(weights.match_keys(), "hash");
    assert!(weights.estimate().accepted > 0 && weights.learned().records == population.len() as u64);
    let mut other: Vec<Comparison> = shape().comparisons().to_vec();
    other[0].levels.pop();
    let other = Shape::new(other).expect("few");
    assert_eq!(Weights::parse(&text, &other), Err(WeightsError::OtherFields));
    assert_eq!(Weights::parse(&text, &shape().without_kin()), Err(WeightsError::Malformed));
    assert_eq!(Weights::parse(b"{}", &shape()), Err(WeightsError::Malformed));
}

#[test]
fn too_few_records_teach_nothing() {
    let population = Population::new(shape(), families(1), &[]);
    assert_eq!(learn(&population, String::new(), &nobody), Err(LearnError::TooFew));
    assert!(Population::<u32>::new(shape(), Vec::new(), &[]).is_empty());
}
