//! A sample is drawn. The same population and seed give the same sample, whoever draws it.
//!
//! Every candidate has a *ticket*, SHA-256 over the label `porth/v1/review-draw`, the seed and the index
//! of its entry; the smallest tickets are drawn. A candidate of weight `w` has `w` tickets and counts
//! by its smallest: that draws one after the other, each time in proportion to the weights that are
//! left (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006), in whole
//! numbers alone. Which entries were drawn can so be checked with any SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::domain::ids::EventId;
use crate::domain::labels;
use crate::domain::words::words;

words! {
    /// How a sample is drawn.
    Strategy {
        /// Every disclosure with the same chance.
        Random = "random",
        /// By agency, areas and powers, with a least number of each.
        Stratified = "stratified",
        /// Those of more risk with more chance.
        Risk = "risk",
        /// Those that a complaint or a filter names.
        Targeted = "targeted",
        /// Those that are always reviewed; the gateway takes them by itself.
        Always = "always",
    }
}

impl Strategy {
    /// Whether the share of errors in the sample speaks for the population.
    pub const fn speaks_for_the_population(self) -> bool {
        matches!(self, Self::Random | Self::Stratified)
    }
}

/// Chance that was recorded: everything that was not fixed by the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

/// A disclosure that may be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Index of its entry in the log.
    pub index: u64,
    /// Its entry.
    pub event: EventId,
    /// Its stratum: agency, areas, powers.
    pub stratum: String,
    /// How many tickets it has where risk counts; at least 1.
    pub weight: u32,
}

/// What makes a disclosure more likely to be drawn where risk counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Risks {
    /// Somebody was said to be in danger.
    pub is_emergency: bool,
    /// Benefits data were involved.
    pub has_benefits_data: bool,
    /// An area was involved that whoever draws calls sensitive, such as health or domestic abuse.
    pub is_of_named_area: bool,
    /// The client had not been seen on an earlier day.
    pub is_of_new_client: bool,
    /// The same client had been refused before on that day.
    pub follows_refusal: bool,
    /// An alert was opened about that client on that day.
    pub was_alerted: bool,
}

impl Risks {
    /// The number of tickets.
    pub const fn weight(self) -> u32 {
        1 + 8 * self.is_emergency as u32
            + 4 * self.has_benefits_data as u32
            + 4 * self.is_of_named_area as u32
            + 2 * self.is_of_new_client as u32
            + 4 * self.follows_refusal as u32
            + 8 * self.was_alerted as u32
    }
}

/// What was drawn from a population, by stratum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Disclosures in the stratum.
    pub population: u64,
    /// Of these in the sample.
    pub sample: u64,
}

/// Draws: indexes of the drawn entries, in order.
///
/// `most` is how many are wanted. Where the strategy is stratified, every stratum gives at least
/// `minimum`, or all that it has, even if that makes the sample larger than `most`. Targeted and
/// always-reviewed populations are taken whole.
pub fn draw(population: &[Candidate], strategy: Strategy, seed: Seed, most: usize, minimum: usize) -> BTreeSet<u64> {
    let all = population.iter();
    match strategy {
        Strategy::Targeted | Strategy::Always => all.map(|candidate| candidate.index).collect(),
        Strategy::Random => smallest(seed, all.map(|candidate| (candidate.index, 1)), most),
        Strategy::Risk => smallest(seed, all.map(|candidate| (candidate.index, candidate.weight.max(1))), most),
        Strategy::Stratified => {
            let mut strata: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
            for candidate in all {
                strata.entry(&candidate.stratum).or_default().push(candidate.index);
            }
            let sizes: Vec<usize> = strata.values().map(Vec::len).collect();
            let takes = allocate(&sizes, most, minimum);
            let drawn = strata.values().zip(takes);
            drawn.flat_map(|(indexes, take)| smallest(seed, indexes.iter().map(|index| (*index, 1)), take)).collect()
        }
    }
}

/// How many are taken of each stratum: at least `minimum` of each, and the rest where it brings the
/// shares nearest to the population's (Sainte-Laguë, ties to the earlier stratum).
pub fn allocate(sizes: &[usize], most: usize, minimum: usize) -> Vec<usize> {
    let mut takes: Vec<usize> = sizes.iter().map(|size| minimum.min(*size)).collect();
    let mut rest = most.saturating_sub(takes.iter().sum());
    while rest > 0 {
        let open = (0..sizes.len()).filter(|place| takes[*place] < sizes[*place]);
        // size / (2 take + 1), compared without fractions; `max_by` keeps the last of equals.
        let next = open.rev().max_by(|a, b| (sizes[*a] * (2 * takes[*b] + 1)).cmp(&(sizes[*b] * (2 * takes[*a] + 1))));
        let Some(next) = next else { break };
        takes[next] += 1;
        rest -= 1;
    }
    takes
}

/// The shares of a population's strata in a sample.
pub fn shares(population: &[Candidate], sample: &BTreeSet<u64>) -> BTreeMap<String, Share> {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for candidate in population {
        let share = shares.entry(candidate.stratum.clone()).or_default();
        share.population += 1;
        share.sample += u64::from(sample.contains(&candidate.index));
    }
    shares
}

/// SHA-256 over a population, a line each in the order of the log: index, event, stratum, weight.
pub fn population_digest(population: &[Candidate]) -> [u8; 32] {
    let mut lines = String::new();
    for Candidate { index, event, stratum, weight } in population {
        let _ = writeln!(lines, "{index} {event} {stratum} {weight}"); // a String takes every write
    }
    Sha256::digest(lines).into()
}

/// SHA-256 over a sample, a line each in the order of the log: index, event.
pub fn sample_digest(population: &[Candidate], sample: &BTreeSet<u64>) -> [u8; 32] {
    let mut lines = String::new();
    for Candidate { index, event, .. } in population.iter().filter(|candidate| sample.contains(&candidate.index)) {
        let _ = writeln!(lines, "{index} {event}");
    }
    Sha256::digest(lines).into()
}

fn smallest(seed: Seed, candidates: impl Iterator<Item = (u64, u32)>, most: usize) -> BTreeSet<u64> {
    let mut tickets: Vec<([u8; 32], u64)> = candidates.map(|(index, w)| (ticket(seed, index, w), index)).collect();
    tickets.sort_unstable();
    tickets.into_iter().take(most).map(|(_, index)| index).collect()
}

fn ticket(seed: Seed, index: u64, weight: u32) -> [u8; 32] {
    let mut start = Sha256::new_with_prefix(labels::REVIEW_DRAW);
    start.update(seed.0);
    start.update(index.to_be_bytes());
    let numbered = |number: u32| -> [u8; 32] { start.clone().chain_update(number.to_be_bytes()).finalize().into() };
    (1..weight).map(numbered).fold(numbered(0), <[u8; 32]>::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(number: u32) -> Seed {
        Seed(Sha256::digest(number.to_be_bytes()).into())
    }

    /// Strata `a` of 60, `b` of 30, `c` of 9 and `d` of 1; every tenth has the weight 9.
    fn population() -> Vec<Candidate> {
        let stratum = |index| {
            ["a", "b", "c", "d"][usize::from(index >= 60) + usize::from(index >= 90) + usize::from(index == 99)]
        };
        let candidate = |index: u64| Candidate {
            index: 1000 + index,
            event: EventId::from_slice(&u128::from(index).to_be_bytes()).expect("16 bytes"),
            stratum: stratum(index).to_owned(),
            weight: if index.is_multiple_of(10) { 9 } else { 1 },
        };
        (0..100).map(candidate).collect()
    }

    #[test]
    fn samples_are_those_that_another_implementation_drew() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/review-sample-v1.json")).expect("JSON");
        let bytes = |value: &serde_json::Value| -> [u8; 32] {
            let text = value.as_str().expect("hexadecimal");
            let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
            let bytes: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect();
            bytes.try_into().expect("32 bytes")
        };
        let candidates: Vec<Candidate> = vectors["population"]
            .as_array()
            .expect("a population")
            .iter()
            .map(|line| Candidate {
                index: line["index"].as_u64().expect("an index"),
                event: line["event"].as_str().expect("an event").parse().expect("a UUID"),
                stratum: line["stratum"].as_str().expect("a stratum").to_owned(),
                weight: line["weight"].as_u64().expect("a weight") as u32,
            })
            .collect();
        assert_eq!(population_digest(&candidates), bytes(&vectors["population_sha256"]));
        let samples = vectors["samples"].as_array().expect("samples");
        assert!(samples.len() >= 6);
        for sample in samples {
            let size = |name: &str| sample[name].as_u64().expect("a number") as usize;
            let strategy = sample["strategy"].as_str().expect("a word").parse().expect("a strategy");
            let drawn = draw(&candidates, strategy, Seed(bytes(&sample["seed"])), size("most"), size("minimum"));
            let expected: BTreeSet<u64> =
                sample["indexes"].as_array().expect("indexes").iter().map(|it| it.as_u64().expect("one")).collect();
            assert_eq!(drawn, expected, "{sample}");
            assert_eq!(sample_digest(&candidates, &drawn), bytes(&sample["sample_sha256"]), "{sample}");
        }
    }

    #[test]
    fn a_seed_gives_one_sample_whatever_order_the_population_comes_in() {
        let (mut population, n) = (population(), 20);
        for strategy in [Strategy::Random, Strategy::Stratified, Strategy::Risk] {
            let drawn = draw(&population, strategy, seed(1), n, 2);
            population.reverse();
            assert_eq!(draw(&population, strategy, seed(1), n, 2), drawn);
            assert_ne!(draw(&population, strategy, seed(2), n, 2), drawn, "another seed, another sample");
            assert_eq!(drawn.len(), n);
        }
        assert_eq!(draw(&population, Strategy::Targeted, seed(1), 1, 0).len(), 100);
    }

    #[test]
    fn shares_of_strata_stay_in_bounds_over_a_thousand_seeds() {
        let population = population();
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        for number in 0..1000 {
            let random = draw(&population, Strategy::Random, seed(number), 20, 0);
            for (stratum, share) in shares(&population, &random) {
                *sums.entry(stratum).or_default() += share.sample;
            }
            let stratified = draw(&population, Strategy::Stratified, seed(number), 20, 2);
            let taken: Vec<u64> = shares(&population, &stratified).into_values().map(|share| share.sample).collect();
            assert_eq!(taken, [11, 6, 2, 1], "the same numbers of each stratum whatever the seed");
        }
        // Hypergeometric: mean 20 N_h / 100, standard error of the mean of 1,000 draws below 0.07; five of them.
        for (stratum, expected) in [("a", 12.0), ("b", 6.0), ("c", 1.8), ("d", 0.2)] {
            let mean = sums[stratum] as f64 / 1000.0;
            assert!((mean - expected).abs() < 0.35, "{stratum}: {mean}");
        }
    }

    #[test]
    fn every_disclosure_of_a_stratum_has_the_same_chance() {
        let population = population();
        let mut drawn: BTreeMap<u64, u32> = BTreeMap::new();
        for number in 0..1000 {
            for index in draw(&population, Strategy::Stratified, seed(number), 20, 2) {
                *drawn.entry(index).or_default() += 1;
            }
        }
        // 11 of 60: 183 in 1,000, standard deviation 12; six of them.
        for index in 1000..1060 {
            assert!((110..=257).contains(&drawn[&index]), "{index}: {}", drawn[&index]);
        }
        assert_eq!(drawn[&1099], 1000, "a stratum of one is always there");
    }

    #[test]
    fn nine_tickets_make_nine_times_the_chance_to_be_first() {
        let population = population();
        let mut heavy = 0;
        for number in 0..1000 {
            let first = draw(&population, Strategy::Risk, seed(number), 1, 0);
            heavy += u32::from(first.first().expect("one").is_multiple_of(10));
        }
        // 10 of weight 9 among 90 of weight 1: half; standard deviation 16, five of them.
        assert!((420..=580).contains(&heavy), "{heavy}");
    }

    #[test]
    fn the_minimum_wins_over_the_size_and_nothing_is_taken_that_is_not_there() {
        assert_eq!(allocate(&[60, 30, 9, 1], 4, 3), [3, 3, 3, 1]);
        assert_eq!(allocate(&[60, 30, 9, 1], 1_000, 0), [60, 30, 9, 1]);
        assert_eq!(allocate(&[5, 5], 3, 0), [2, 1], "a tie goes to the earlier");
        assert_eq!(allocate(&[], 10, 2), Vec::<usize>::new());
        assert_eq!(allocate(&[60, 30, 10], 10, 0), [6, 3, 1]);
    }

    #[test]
    fn each_risk_adds_its_tickets() {
        assert_eq!(Risks::default().weight(), 1);
        assert_eq!(Risks { is_emergency: true, ..Risks::default() }.weight(), 9);
        let all = Risks {
            is_emergency: true,
            has_benefits_data: true,
            is_of_named_area: true,
            is_of_new_client: true,
            follows_refusal: true,
            was_alerted: true,
        };
        assert_eq!(all.weight(), 31);
    }
}
