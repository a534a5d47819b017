//! Learning what agreement is worth, from tokens alone.
//!
//! The model is that of Fellegi and Sunter with its parameters found by expectation and
//! maximisation, and with the ways in which two people of one home agree as further classes beside
//! "one person" and "two strangers": without them a brother would pass for his sister's record.
//! How often strangers agree follows from the counts of tokens over all pairs, less what the pairs
//! that look like one person contribute; pairs that no pass gives count as strangers.
//!
//! Sources: I. P. Fellegi and A. B. Sunter, "A Theory for Record Linkage", JASA 64 (1969);
//! W. E. Winkler, "Using the EM Algorithm for Weight Computation in the Fellegi-Sunter Model of
//! Record Linkage", ASA Survey Research Methods (1988).

use std::collections::HashMap;

use super::bits::{Millibits, log2_ratio};
use super::blocking::{candidates, passes};
use super::population::{Population, pairs};
use super::shape::{Outcome, Pattern, Shape};

/// Rounds after which learning stops, settled or not.
const MOST_ROUNDS: usize = 500;
/// Learning is settled when no share moves by more than this.
const SETTLED: f64 = 1e-9;
/// Pairs that are looked at to learn how many that agree at one level agree at none before it.
const SAMPLED: u64 = 20_000;

/// What learning gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Learned {
    /// For each field and level, and last for disagreement, the evidence.
    pub(super) evidence: Vec<Vec<Millibits>>,
    /// For each field and level, how often any two records agree: the base of the frequency term.
    pub(super) agreement: Vec<Vec<Millibits>>,
    /// The odds that two records taken at random are one person.
    pub(super) prior: Millibits,
    /// The odds that they are kin, in the order of [`Shape::kin`].
    pub(super) kin: Vec<Millibits>,
    /// How many rounds it took.
    pub(super) rounds: usize,
    /// How many pairs could be made, and how many were looked at.
    pub(super) pairs: (u64, u64),
}

/// Why nothing can be learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LearnError {
    /// Too few records, or no pair of them agrees on anything.
    #[error("too few records agree on anything: weights need at least {LEAST_PAIRS} pairs that may match")]
    TooFew,
}

/// Fewer expected matches than this teach nothing.
pub const LEAST_PAIRS: u64 = 100;

/// Learns from a population.
///
/// # Errors
///
/// [`LearnError`] when there is too little to learn from.
pub(super) fn learn<K>(
    population: &Population<K>,
    conflicts: &dyn Fn(u32, u32) -> bool,
) -> Result<Learned, LearnError> {
    let counts = Counts::of(population);
    let passes = passes(population, &counts.agreeing, counts.all_pairs);
    let found = candidates(population, &passes, |a, b| !conflicts(a, b));
    let patterns = count_patterns(population, &found);
    if (found.len() as u64) < LEAST_PAIRS {
        return Err(LearnError::TooFew);
    }
    let first = counts.first_agreement(population);
    let mut model = Model::start(population, &counts);
    let mut rounds = 0;
    while rounds < MOST_ROUNDS {
        rounds += 1;
        let moved = model.round(&patterns, &counts, &first);
        if moved <= SETTLED {
            break;
        }
    }
    Ok(model.learned(&counts, rounds, found.len() as u64))
}

fn count_patterns<K>(population: &Population<K>, found: &[(u32, u32)]) -> Vec<(Pattern, f64)> {
    let mut counted: HashMap<Pattern, u64> = HashMap::new();
    let mut shared = vec![0; population.shape().comparisons().len()];
    for &(a, b) in found {
        *counted.entry(population.compare(a, b, &mut shared)).or_default() += 1;
    }
    let mut patterns: Vec<(Pattern, f64)> =
        counted.into_iter().map(|(pattern, count)| (pattern, count as f64)).collect();
    patterns.sort_unstable_by_key(|(pattern, _)| *pattern); // sums in one order
    patterns
}

/// What counting tokens says of all pairs.
pub(super) struct Counts {
    pub(super) all_pairs: u64,
    /// For each field, the pairs in which both have it.
    present: Vec<u64>,
    /// For each field and level, the pairs that share a token of it.
    pub(super) agreeing: Vec<Vec<u64>>,
}

impl Counts {
    pub(super) fn of<K>(population: &Population<K>) -> Self {
        let everybody = 0..population.len() as u32;
        let comparisons = population.shape().comparisons();
        let holding = |field: usize| everybody.clone().filter(move |record| population.has(*record, field));
        let present = (0..comparisons.len()).map(|field| population.pairs_among(holding(field))).collect();
        let mut agreeing: Vec<Vec<u64>> =
            comparisons.iter().map(|comparison| vec![0; comparison.levels.len()]).collect();
        for token in 0..population.token_count() {
            let (field, level) = population.slot(token);
            agreeing[field][level] += population.pairs_among(population.holders(token).iter().copied());
        }
        Self { all_pairs: population.pairs_among(everybody), present, agreeing }
    }

    /// For each field and level, the pairs that agree at it and at none before it; by looking at some
    /// of them, taken evenly by a fixed sequence.
    fn first_agreement<K>(&self, population: &Population<K>) -> Vec<Vec<f64>> {
        let mut ends: Vec<Vec<(u64, u32)>> = vec![Vec::new(); population.shape().comparisons().len() * 16];
        for token in 0..population.token_count() {
            let (field, level) = population.slot(token);
            let of_slot = &mut ends[field * 16 + level];
            let before = of_slot.last().map_or(0, |(end, _)| *end);
            of_slot.push((before + pairs(population.holders(token).len() as u64), token));
        }
        let mut shared = vec![0; population.shape().comparisons().len()];
        let of_level = |field: usize, level: usize, count: u64, shared: &mut [u32]| {
            let ends = &ends[field * 16 + level];
            let all = ends.last().map_or(0, |(end, _)| *end);
            if level == 0 || count == 0 {
                return count as f64;
            }
            let (mut seen, mut first) = (0_u64, 0_u64);
            for step in 0..SAMPLED.min(all) {
                let place = if all <= SAMPLED { step } else { scatter(step) % all };
                let group = ends.partition_point(|(end, _)| *end <= place);
                let before = if group == 0 { 0 } else { ends[group - 1].0 };
                let (a, b) = nth_pair(population.holders(ends[group].1), place - before);
                if population.may_match(a, b) {
                    seen += 1;
                    let pattern = population.compare(a, b, shared);
                    first += u64::from(pattern.get(field) == Outcome::Agrees(level));
                }
            }
            if seen == 0 { 0.0 } else { count as f64 * first as f64 / seen as f64 }
        };
        let mut firsts = Vec::with_capacity(self.agreeing.len());
        for (field, levels) in self.agreeing.iter().enumerate() {
            let each = levels.iter().enumerate();
            firsts.push(each.map(|(level, &count)| of_level(field, level, count, &mut shared)).collect());
        }
        firsts
    }
}

/// A fixed sequence without a visible order: SplitMix64 of the step (S. Vigna, public domain).
fn scatter(step: u64) -> u64 {
    let mut mixed = step.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The pair at a place when all pairs of a list are written out: (0,1), (0,2), (1,2), (0,3), …
fn nth_pair(list: &[u32], place: u64) -> (u32, u32) {
    let (mut low, mut high) = (1_usize, list.len() - 1);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if pairs(middle as u64) <= place {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    (list[(place - pairs(low as u64)) as usize], list[low])
}

/// The model while it is being learned.
struct Model {
    shape: Shape,
    /// For each field: each level, then disagreement; among one person's records.
    m: Vec<Vec<f64>>,
    /// The same among strangers.
    u: Vec<Vec<f64>>,
    prior: f64,
    kin: Vec<f64>,
}

impl Model {
    fn start<K>(population: &Population<K>, counts: &Counts) -> Self {
        let start = |levels: usize| {
            let mut shares = vec![0.1 / levels as f64; levels + 1];
            shares[0] = 0.9;
            shares
        };
        let comparisons = population.shape().comparisons();
        let prior = population.len() as f64 / 4.0 / counts.all_pairs.max(1) as f64;
        let m: Vec<Vec<f64>> = comparisons.iter().map(|comparison| start(comparison.levels.len())).collect();
        let u = counts
            .agreeing
            .iter()
            .zip(&counts.present)
            .map(|(levels, &present)| {
                let share = |count: &u64| (*count as f64 + 1.0) / (present as f64 + 2.0);
                let mut shares: Vec<f64> = levels.iter().map(share).collect();
                shares.push((1.0 - shares.iter().sum::<f64>()).max(0.5));
                shares
            })
            .collect();
        Self {
            shape: population.shape().clone(),
            m,
            u,
            prior,
            kin: vec![prior / 100.0; population.shape().kin().len()],
        }
    }

    /// One round of expectation and maximisation; by how much the model moved.
    fn round(&mut self, patterns: &[(Pattern, f64)], counts: &Counts, first: &[Vec<f64>]) -> f64 {
        let fields = self.m.len();
        let mut matching: Vec<Vec<f64>> = self.m.iter().map(|levels| vec![0.0; levels.len()]).collect();
        let (mut matches, mut kin) = (0.0, vec![0.0; self.kin.len()]);
        for (pattern, count) in patterns {
            let (one, kins, strangers) = self.shares(*pattern);
            let whole = one + kins.iter().sum::<f64>() + strangers;
            let part = one / whole * count;
            matches += part;
            for (sum, share) in kin.iter_mut().zip(&kins) {
                *sum += share / whole * count;
            }
            for (field, sums) in matching.iter_mut().enumerate() {
                if let Some(level) = place(pattern.get(field), sums.len()) {
                    sums[level] += part;
                }
            }
        }
        let mut moved: f64 = 0.0;
        let mut set = |old: &mut f64, new: f64| {
            moved = moved.max((new - *old).abs());
            *old = new;
        };
        for field in 0..fields {
            let levels = matching[field].len();
            let present: f64 = matching[field].iter().sum();
            for (level, matched) in matching[field].iter().enumerate() {
                // Half a pair more than was seen: what never happened may still happen.
                set(&mut self.m[field][level], (matched + 0.5) / (present + 0.5 * levels as f64));
            }
            let all = counts.present[field] as f64;
            let agreeing: f64 = first[field].iter().sum();
            let strangers = (all - present).max(1.0);
            for (level, matched) in matching[field].iter().enumerate() {
                let seen = if level + 1 == levels { all - agreeing } else { first[field][level] };
                let seen = (seen - matched).max(0.0);
                set(&mut self.u[field][level], (seen + 1.0) / (strangers + levels as f64));
            }
        }
        let all = counts.all_pairs as f64;
        set(&mut self.prior, (matches + 0.5) / (all + 1.0));
        for (old, sum) in self.kin.iter_mut().zip(&kin) {
            set(old, (sum + 0.5) / (all + 1.0));
        }
        moved
    }

    /// How probable a pattern is, and that its two records are one person, kin, or strangers.
    fn shares(&self, pattern: Pattern) -> (f64, Vec<f64>, f64) {
        let strangers = 1.0 - self.prior - self.kin.iter().sum::<f64>();
        let (mut one, mut kins, mut strangers) = (self.prior, self.kin.clone(), strangers.max(0.0));
        for (field, comparison) in self.shape.comparisons().iter().enumerate() {
            let Some(level) = place(pattern.get(field), self.m[field].len()) else { continue };
            let (m, u) = (self.m[field][level], self.u[field][level]);
            one *= m;
            strangers *= u;
            for (share, kin) in kins.iter_mut().zip(self.shape.kin()) {
                *share *= if kin.shares(comparison.role) { m } else { u };
            }
        }
        (one, kins, strangers)
    }

    fn learned(&self, counts: &Counts, rounds: usize, looked_at: u64) -> Learned {
        let evidence = self.m.iter().zip(&self.u);
        let evidence = evidence.map(|(m, u)| m.iter().zip(u).map(|(m, u)| log2_ratio(*m, *u)).collect()).collect();
        let agreement = counts.agreeing.iter().zip(&counts.present);
        let agreement = agreement
            .map(|(levels, present)| levels.iter().map(|count| log2_ratio(*count as f64, *present as f64)).collect())
            .collect();
        let strangers = 1.0 - self.prior - self.kin.iter().sum::<f64>();
        Learned {
            evidence,
            agreement,
            prior: log2_ratio(self.prior, strangers),
            kin: self.kin.iter().map(|share| log2_ratio(*share, strangers)).collect(),
            rounds,
            pairs: (counts.all_pairs, looked_at),
        }
    }
}

/// Where an outcome stands among the levels, of which the last is disagreement.
pub(super) fn place(outcome: Outcome, levels: usize) -> Option<usize> {
    match outcome {
        Outcome::Agrees(level) => Some(level),
        Outcome::Disagrees => Some(levels - 1),
        Outcome::Missing => None,
    }
}
