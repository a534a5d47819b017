//! Which combinations of fields become match keys: chosen by entropy, from tokens alone.
//!
//! A *part* is a field or something derived of it: a surname, its Soundex, the year of a date. From
//! how often records share its tokens follows its entropy: of all pairs of records, one in
//! 2^bits agrees on it by chance. A combination is kept when its bits exceed those of all pairs by a
//! margin, so that less than one chance agreement is expected over the whole, and when nothing weaker
//! would do: dropping or coarsening any part of it falls below. Hundreds of combinations pass; the
//! few that one file can hold are those that survive most of the damage seen between records that
//! are surely of one person. Nobody's truth is looked at, and values are never seen: any keyed hash
//! of them gives the same result.
//!
//! | file | its noun |
//! |---|---|
//! | [`entropy`] | how much an agreement says |
//! | [`combine`] | the combinations that say enough |
//! | [`damage`] | how records of one person differ |
//! | [`choose`] | the combinations that survive most |

pub mod choose;
pub mod combine;
pub mod damage;
pub mod entropy;

use std::collections::HashMap;

use self::combine::Combination;
use self::damage::SurePair;
use self::entropy::Entropy;

/// The most parts that are weighed at once: a pattern of agreement is one word.
pub const MOST_PARTS: usize = 64;

/// Records as tokens: what the design is made from.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// For each part, the field that it is taken of. At most [`MOST_PARTS`].
    pub field_of: Vec<usize>,
    /// For each record and part, the tokens of its values; none where the field is empty.
    pub records: Vec<Vec<Vec<u64>>>,
}

impl Sample {
    /// The parts on which two records agree, a bit each.
    pub fn agreement(&self, a: usize, b: usize) -> u64 {
        let (a, b) = (&self.records[a], &self.records[b]);
        (0..self.field_of.len())
            .filter(|&part| a[part].iter().any(|token| b[part].contains(token)))
            .fold(0, |pattern, part| pattern | 1 << part)
    }

    /// The base-two logarithm of the number of pairs, in thousandths.
    pub fn pairs_millibits(&self) -> u32 {
        let n = self.records.len().max(2) as f64;
        entropy::millibits(n * (n - 1.0) / 2.0)
    }
}

/// What is asked of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bits above those of all pairs, in thousandths: 4000 expects a sixteenth of a chance agreement.
    pub margin_millibits: u32,
    /// How many keys at most.
    pub keys: usize,
    /// The most parts of one key.
    pub most_parts: usize,
    /// Fixes which damage is imagined.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { margin_millibits: 4_000, keys: 40, most_parts: 5, seed: 1 }
    }
}

/// The keys, and what they were made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    /// The chosen combinations, strongest first.
    pub keys: Vec<Combination>,
    /// The bits of one agreement on each part, in thousandths.
    pub part_millibits: Vec<u32>,
    /// What a combination had to reach.
    pub needed_millibits: u32,
    /// How many combinations reached it with nothing weaker that would do.
    pub candidates: usize,
    /// How many pairs are surely of one person, from which the damage was learnt.
    pub sure_pairs: usize,
    /// How many in ten thousand damaged pairs share one of the chosen keys.
    pub survives_in_10_000: u32,
}

/// A pair that is believed to be one person agrees on this much more than is asked of a key.
const SURE_MILLIBITS: u32 = 10_000;

/// Chooses keys for records like these. `permitted` says which combinations may be used at all.
pub fn design(sample: &Sample, settings: &Settings, permitted: &dyn Fn(&[usize]) -> bool) -> Design {
    let mut entropy = Entropy::measure(sample);
    let needed = sample.pairs_millibits() + settings.margin_millibits;
    let all = combine::combinations(sample, &entropy, needed, settings.most_parts, &|_| true);
    let sure = damage::sure_pairs(sample, &entropy, &all, needed + SURE_MILLIBITS);
    // With the pairs that are one person set aside, what is left shows which fields go together.
    entropy.measure_dependence(sample, &sure);
    let combinations = combine::combinations(sample, &entropy, needed, settings.most_parts, permitted);
    let patterns = damage::patterns(sample, &sure, settings.seed);
    let (mut keys, survives_in_10_000) = choose::choose(&combinations, &patterns, settings.keys);
    keys.sort_by(|a, b| b.millibits.cmp(&a.millibits).then_with(|| a.parts.cmp(&b.parts)));
    Design {
        keys,
        part_millibits: (0..sample.field_of.len()).map(|part| entropy.of(part)).collect(),
        needed_millibits: needed,
        candidates: combinations.len(),
        sure_pairs: sure.len(),
        survives_in_10_000,
    }
}

/// For each value, the records that hold it on these parts together; the value is a hash of theirs.
fn holders(sample: &Sample, parts: &[usize]) -> HashMap<u64, Vec<usize>> {
    let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
    for (place, record) in sample.records.iter().enumerate() {
        let mut values = vec![0xcbf2_9ce4_8422_2325_u64];
        for &part in parts {
            let tokens = &record[part];
            values = values.iter().flat_map(|value| tokens.iter().map(|token| mix(*value, *token))).collect();
        }
        values.sort_unstable();
        values.dedup();
        for value in values {
            holders.entry(value).or_default().push(place);
        }
    }
    holders
}

/// Folds a token into a hash.
fn mix(hash: u64, token: u64) -> u64 {
    let mixed = (hash ^ token).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two agencies' records of `people`, with five fields each; some of the second's are damaged.
    fn sample(people: u64) -> Sample {
        let value = |field: u64, person: u64, among: u64| mix(mix(7, field), mix(11, mix(field, person)) % among);
        let record = |person: u64, damaged: Option<u64>| {
            let field = |at: u64, among| {
                let lost = damaged.is_some_and(|field| field == at);
                if lost { Vec::new() } else { vec![value(at, person, among)] }
            };
            vec![field(0, 700), field(1, 900), field(2, 5_000), field(3, 400), field(4, 600)]
        };
        let first = (0..people).map(|person| record(person, None));
        let second = (0..people).map(|person| record(person, (person % 3 == 0).then_some(person % 5)));
        Sample { field_of: vec![0, 1, 2, 3, 4], records: first.chain(second).collect() }
    }

    #[test]
    fn chosen_keys_say_enough_and_nothing_weaker_would_do() {
        let sample = sample(1_500);
        let design = design(&sample, &Settings::default(), &|_| true);
        assert!(!design.keys.is_empty() && design.sure_pairs >= 1_400, "{design:?}");
        for key in &design.keys {
            assert!(key.millibits >= design.needed_millibits, "{key:?}");
            for &left_out in &key.parts {
                let rest = key.millibits - design.part_millibits[left_out];
                assert!(rest < design.needed_millibits, "{key:?} without {left_out}");
            }
        }
        assert!(design.survives_in_10_000 > 9_000, "{design:?}");
    }

    #[test]
    fn a_combination_that_is_not_permitted_is_never_chosen() {
        let design = design(&sample(1_000), &Settings::default(), &|parts| parts.contains(&2));
        assert!(!design.keys.is_empty() && design.keys.iter().all(|key| key.parts.contains(&2)));
    }

    #[test]
    fn the_same_records_give_the_same_keys() {
        let sample = sample(800);
        assert_eq!(design(&sample, &Settings::default(), &|_| true), design(&sample, &Settings::default(), &|_| true));
    }
}
