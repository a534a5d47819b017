//! Weighing field tokens: how probable it is that two records which no match key joins are one
//! person.
//!
//! Each compared field comes as tokens at several levels, from the whole value to its beginning.
//! Two records agree at the first level at which they share a token; a field that one of them lacks
//! says nothing. [`learn`](self::learn()) finds from tokens alone what each agreement is worth;
//! [`weigh`] applies it. The only threshold is [`LEAST_ODDS`].
//!
//! | file | its noun |
//! |---|---|
//! | `bits` | evidence as whole numbers |
//! | `shape` | the compared fields, and how two records compare |
//! | `population` | records side by side, their tokens counted |
//! | `blocking` | which pairs are looked at |
//! | `learn` | the weights being learned |
//! | `artefact` | the weights, frozen |
//! | `score` | the odds of one pair, and why |
//! | `joining` | pairs that stand once records are joined |

mod artefact;
mod bits;
mod blocking;
mod joining;
mod learn;
mod population;
mod score;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use artefact::{Estimate, FieldWeights, LearnedFrom, LevelWeights, Weights, WeightsError};
pub use bits::Millibits;
pub use learn::{LEAST_PAIRS, LearnError};
pub use population::{FieldRecord, FieldToken, Population};
pub use score::{FieldEvidence, Scorer, WeighedPair};
pub use shape::{Comparison, Kin, Role, Shape, ShapeError};

use self::blocking::{candidates, passes};
use self::learn::Counts;

/// Learns weights from a population, with the estimate of what they get wrong there. `match_keys`
/// names the file that declares the fields; `conflicts` says which records cannot be one person
/// whatever agrees.
///
/// # Errors
///
/// [`LearnError`] when there is too little to learn from.
pub fn learn<K>(
    population: &Population<K>,
    match_keys: String,
    conflicts: &dyn Fn(u32, u32) -> bool,
) -> Result<Weights, LearnError> {
    let learned = learn::learn(population, conflicts)?;
    let weights = Weights::new(population.shape(), match_keys, population.len(), &learned);
    let accepted = weigh(population, &weights, None, conflicts);
    let estimate = estimate(&accepted);
    Ok(weights.with_estimate(estimate))
}

/// What is new since an earlier run.
#[derive(Debug, Clone, Copy)]
pub struct Since<'a> {
    /// The records that are new or changed: only pairs with one of them are weighed.
    pub arrived: &'a BTreeSet<u32>,
    /// Pairs of the other records that an earlier run let stand: they stand still.
    pub standing: &'a [(u32, u32)],
}

/// The odds from which a pair is accepted: four to one, two bits. A false link tells one person's
/// affairs as another's; a missed one leaves somebody to be found by the agencies themselves.
pub const LEAST_ODDS: Millibits = 2_000;

/// The pairs at [`LEAST_ODDS`] or better that stand once records are joined, strongest first; with
/// `since`, only those with a record that is new.
///
/// `conflicts` says which records cannot be one person whatever agrees.
pub fn weigh<K>(
    population: &Population<K>,
    weights: &Weights,
    since: Option<Since<'_>>,
    conflicts: &dyn Fn(u32, u32) -> bool,
) -> Vec<WeighedPair> {
    let counts = Counts::of(population);
    let passes = passes(population, &counts.agreeing, counts.all_pairs);
    let is_wanted = |a: u32, b: u32| since.is_none_or(|since| since.arrived.contains(&a) || since.arrived.contains(&b));
    let found = candidates(population, &passes, is_wanted);
    let scorer = Scorer::new(weights, population);
    let accepted = found.iter().filter_map(|(a, b)| scorer.weigh(*a, *b));
    let accepted = accepted.filter(|pair| pair.odds >= LEAST_ODDS && !conflicts(pair.a, pair.b)).collect();
    joining::join(population, &scorer, accepted, since.map_or(&[], |since| since.standing), conflicts)
}

/// What the accepted pairs' own odds say of how many of them are false.
pub fn estimate(accepted: &[WeighedPair]) -> Estimate {
    let false_links: f64 = accepted.iter().map(WeighedPair::error).sum();
    let share = false_links / accepted.len().max(1) as f64;
    Estimate { accepted: accepted.len() as u64, false_links_per_10000_in_thousandths: (share * 1e7).round() as u64 }
}
