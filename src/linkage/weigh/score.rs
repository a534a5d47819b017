//! What two records' agreements come to: the odds that they are one person.

use super::artefact::Weights;
use super::bits::{Millibits, exp2, log2_ratio};
use super::learn::place;
use super::population::Population;
use super::shape::{Kin, Outcome, Pattern};

/// Two records, as numbered by their population, and what speaks for one person behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeighedPair {
    /// The odds that they are one person, in thousandths of a bit: 0 is one to one. The strongest
    /// pair has the most.
    pub odds: Millibits,
    /// The record with the smaller key.
    pub a: u32,
    /// The record with the larger key.
    pub b: u32,
}

impl WeighedPair {
    /// The chance that the two are different people.
    pub fn error(&self) -> f64 {
        1.0 / (1.0 + exp2(self.odds))
    }
}

/// What one field says of two records; never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldEvidence {
    /// The field's name.
    pub field: String,
    /// The level at which they agree; `None` when they disagree at every level.
    pub level: Option<String>,
    /// What that is worth, rarity included, in thousandths of a bit.
    pub evidence: Millibits,
}

/// Weighs pairs of a population by frozen weights.
pub struct Scorer<'a, K> {
    weights: &'a Weights,
    population: &'a Population<K>,
    /// For each token, what its rarity adds to agreement upon it.
    rarity: Vec<Millibits>,
}

impl<'a, K> Scorer<'a, K> {
    /// Prepares to weigh: counts how rare each value is in the population.
    pub(super) fn new(weights: &'a Weights, population: &'a Population<K>) -> Self {
        let fields = weights.fields();
        let mut holding = vec![0_u32; fields.len()];
        for record in 0..population.len() as u32 {
            for (field, count) in holding.iter_mut().enumerate() {
                *count += u32::from(population.has(record, field));
            }
        }
        let rarity = |token: u32| {
            let (field, level) = population.slot(token);
            let share = log2_ratio(population.holders(token).len() as f64, f64::from(holding[field]));
            fields[field].levels[level].agreement - share
        };
        Self { weights, population, rarity: (0..population.token_count()).map(rarity).collect() }
    }

    /// The odds of two records; `None` when a field that has to agree does not.
    pub fn weigh(&self, a: u32, b: u32) -> Option<WeighedPair> {
        let mut shared = [0; super::shape::MOST_COMPARISONS];
        let pattern = self.population.compare(a, b, &mut shared);
        if pattern.is_refused(self.population.shape()) {
            return None;
        }
        let (mut one, mut kins) = (self.weights.prior(), [0; Kin::ALL.len()]);
        let kinds = self.population.shape().kin();
        kins[..kinds.len()].copy_from_slice(self.weights.kin());
        for (field, comparison) in self.population.shape().comparisons().iter().enumerate() {
            let Some(evidence) = self.evidence(pattern, field, shared[field]) else { continue };
            one += evidence;
            for (sum, kin) in kins.iter_mut().zip(kinds) {
                *sum += if kin.shares(comparison.role) { evidence } else { 0 };
            }
        }
        // Against strangers, who have odds of one, and every kind of kin.
        let against = kins[..kinds.len()].iter().fold(1.0, |sum, kin| sum + exp2(*kin));
        let (a, b) = (a.min(b), a.max(b));
        Some(WeighedPair { odds: one - log2_ratio(against, 1.0), a, b })
    }

    /// What each field says of two records, in the order of the fields; those that one of them lacks
    /// are left out.
    pub fn explain(&self, a: u32, b: u32) -> Vec<FieldEvidence> {
        let mut shared = [0; super::shape::MOST_COMPARISONS];
        let pattern = self.population.compare(a, b, &mut shared);
        let of = |(field, weights): (usize, &super::artefact::FieldWeights)| {
            let level = match pattern.get(field) {
                Outcome::Agrees(level) => Some(weights.levels[level].name.clone()),
                _ => None,
            };
            let evidence = self.evidence(pattern, field, shared[field])?;
            Some(FieldEvidence { field: weights.name.clone(), level, evidence })
        };
        self.weights.fields().iter().enumerate().filter_map(of).collect()
    }

    fn evidence(&self, pattern: Pattern, field: usize, token: u32) -> Option<Millibits> {
        let weights = &self.weights.fields()[field];
        let outcome = pattern.get(field);
        let place = place(outcome, weights.levels.len() + 1)?;
        Some(match weights.levels.get(place) {
            Some(level) => level.evidence + self.rarity[token as usize],
            None => weights.disagrees,
        })
    }
}
