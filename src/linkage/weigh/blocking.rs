//! Which pairs are looked at: those that share a rare token, or rare combinations of two.

use super::population::Population;

/// Candidate pairs for each record that one pass may give on average.
const PAIRS_A_RECORD: u64 = 8;
/// Holders of one token, or combination, beyond which a pass leaves it out.
const MOST_HOLDERS: usize = 120;

/// A pass: the slots, each a field and a level, whose tokens are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pass(pub(super) Vec<(usize, usize)>);

/// For every field, and for every two fields, the coarsest levels that do not give too many pairs.
///
/// The choice follows from counts of tokens alone.
pub(super) fn passes<K>(population: &Population<K>, agreeing: &[Vec<u64>], all_pairs: u64) -> Vec<Pass> {
    let budget = PAIRS_A_RECORD * population.len() as u64;
    let fields = agreeing.len();
    let mut passes = Vec::new();
    for (field, levels) in agreeing.iter().enumerate() {
        let fitting = (0..levels.len()).filter(|level| levels[*level] <= budget);
        if let Some(level) = fitting.max_by_key(|level| (levels[*level], std::cmp::Reverse(*level))) {
            passes.push(Pass(vec![(field, level)]));
        }
    }
    for first in 0..fields {
        for second in first + 1..fields {
            let mut best: Option<(u64, Pass)> = None;
            for (a, &count_a) in agreeing[first].iter().enumerate() {
                for (b, &count_b) in agreeing[second].iter().enumerate() {
                    // As if the two fields had nothing to do with one another.
                    let expected = u128::from(count_a) * u128::from(count_b) / u128::from(all_pairs.max(1));
                    let expected = u64::try_from(expected).unwrap_or(u64::MAX);
                    if expected <= budget && best.as_ref().is_none_or(|(most, _)| expected > *most) {
                        best = Some((expected, Pass(vec![(first, a), (second, b)])));
                    }
                }
            }
            passes.extend(best.map(|(_, pass)| pass));
        }
    }
    passes
}

/// The pairs that the passes give, ascending, each once.
pub(super) fn candidates<K>(
    population: &Population<K>,
    passes: &[Pass],
    wanted: impl Fn(u32, u32) -> bool,
) -> Vec<(u32, u32)> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for Pass(slots) in passes {
        let before = found.len();
        let mut keys: Vec<(u64, u32)> = Vec::new();
        for record in 0..population.len() as u32 {
            let of = |slot: (usize, usize)| {
                population.tokens_of(record).iter().copied().filter(move |token| population.slot(*token) == slot)
            };
            match slots.as_slice() {
                [first] => keys.extend(of(*first).map(|token| (u64::from(token), record))),
                [first, second] => {
                    for a in of(*first) {
                        keys.extend(of(*second).map(|b| (u64::from(a) << 32 | u64::from(b), record)));
                    }
                }
                _ => {}
            }
        }
        keys.sort_unstable();
        for group in keys.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() <= MOST_HOLDERS) {
            for (at, (_, a)) in group.iter().enumerate() {
                let others = group[at + 1..].iter().map(|(_, b)| *b);
                found.extend(others.filter(|b| population.may_match(*a, *b) && wanted(*a, *b)).map(|b| (*a, b)));
            }
        }
        // Two sorted runs, which the stable sort merges instead of sorting all again.
        found[before..].sort_unstable();
        merge(&mut found);
        found.dedup();
    }
    found
}

#[expect(clippy::stable_sort_primitive, reason = "it finds sorted runs and merges them; the unstable one sorts anew")]
fn merge(found: &mut [(u32, u32)]) {
    found.sort();
}
