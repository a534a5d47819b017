//! How records of one person differ: learnt from pairs that agree on so much that nobody doubts them.

use std::collections::{BTreeMap, BTreeSet};

use super::combine::Combination;
use super::entropy::Entropy;
use super::{Sample, holders, mix};

/// Two records that are surely of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurePair {
    /// The parts on which they agree, a bit each.
    pub agreement: u64,
}

/// How many records may share a combination before it is passed over: so many pairs say little.
const CROWD: usize = 50;
/// How many damaged pairs are imagined.
const IMAGINED: usize = 20_000;

/// Pairs that share a combination and agree on at least `sure` thousandths of a bit in all.
pub fn sure_pairs(sample: &Sample, entropy: &Entropy, combinations: &[Combination], sure: u32) -> Vec<SurePair> {
    let mut pairs: BTreeSet<(usize, usize)> = BTreeSet::new();
    for combination in combinations {
        for held in holders(sample, &combination.parts).values().filter(|held| (2..=CROWD).contains(&held.len())) {
            for (at, &a) in held.iter().enumerate() {
                pairs.extend(held[at + 1..].iter().map(|&b| (a, b)));
            }
        }
    }
    let agreement = pairs.into_iter().map(|(a, b)| sample.agreement(a, b));
    let sure = agreement.filter(|agreement| entropy.of_pattern(sample, *agreement) >= sure);
    sure.map(|agreement| SurePair { agreement }).collect()
}

/// Patterns of agreement with their weights: those that were seen, and as many that put together what
/// happened to each field by itself, for damage that nobody has seen yet.
pub fn patterns(sample: &Sample, sure: &[SurePair], seed: u64) -> Vec<(u64, u64)> {
    if sure.is_empty() {
        return Vec::new();
    }
    let mut fields: BTreeMap<usize, u64> = BTreeMap::new();
    for (part, field) in sample.field_of.iter().enumerate() {
        *fields.entry(*field).or_default() |= 1 << part;
    }
    let mut weights: BTreeMap<u64, u64> = BTreeMap::new();
    let seen = (IMAGINED / sure.len()).max(1) as u64;
    for pair in sure {
        *weights.entry(pair.agreement).or_default() += seen;
    }
    let mut state = seed;
    for _ in 0..IMAGINED {
        let pattern = fields.values().fold(0, |pattern, parts| {
            state = mix(state.wrapping_add(1), *parts);
            pattern | (sure[(state % sure.len() as u64) as usize].agreement & parts)
        });
        *weights.entry(pattern).or_default() += 1;
    }
    weights.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagined_damage_is_put_together_from_what_was_seen_of_each_field() {
        let sample = Sample { field_of: vec![0, 0, 1], records: Vec::new() };
        // The first field is lost in some pairs and the second in others, never both.
        let sure = [0b100_u64, 0b011, 0b111].map(|agreement| SurePair { agreement });
        let patterns = patterns(&sample, &sure, 1);
        assert!(patterns.iter().any(|(pattern, _)| *pattern == 0), "both lost was imagined");
        assert!(patterns.iter().all(|(pattern, _)| matches!(pattern & 0b011, 0 | 0b011)), "a field is one thing");
    }

    #[test]
    fn without_sure_pairs_there_is_nothing_to_learn() {
        assert!(patterns(&Sample::default(), &[], 1).is_empty());
    }
}
