//! Records that are one person by weight: strongest pairs first, and a joining may be refused.

use std::collections::BTreeMap;

use super::population::Population;
use super::score::{Scorer, WeighedPair};
use crate::linkage::components::Components;

/// The pairs that stand after joining: those whose two records ended up together.
///
/// What stood before is joined first. A pair then joins the clusters of its two records unless two of the records that would come together
/// conflict, come from one feed that has a person once, or most pairs across disagree: a chain of
/// likenesses is no person.
pub(super) fn join<K>(
    population: &Population<K>,
    scorer: &Scorer<'_, K>,
    mut pairs: Vec<WeighedPair>,
    standing: &[(u32, u32)],
    conflicts: &dyn Fn(u32, u32) -> bool,
) -> Vec<WeighedPair> {
    pairs.sort_unstable_by_key(|pair| (std::cmp::Reverse(pair.odds), pair.a, pair.b));
    let mut clusters = Components::new(population.len());
    let mut members: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    let alone = |members: &BTreeMap<usize, Vec<u32>>, root: usize, record: u32| {
        members.get(&root).cloned().unwrap_or_else(|| vec![record])
    };
    for &(a, b) in standing {
        let (first, second) = (clusters.find(a as usize), clusters.find(b as usize));
        let together = [alone(&members, first, a), alone(&members, second, b)].concat();
        if let Some((goes, stays)) = clusters.union(first, second) {
            members.remove(&goes);
            members.insert(stays, together);
        }
    }
    for pair in &pairs {
        let (a, b) = (clusters.find(pair.a as usize), clusters.find(pair.b as usize));
        if a == b {
            continue;
        }
        let (ours, theirs) = (alone(&members, a, pair.a), alone(&members, b, pair.b));
        if !may_join(population, scorer, &ours, &theirs, conflicts) {
            continue;
        }
        if let Some((goes, stays)) = clusters.union(a, b) {
            members.remove(&goes);
            members.insert(stays, [ours, theirs].concat());
        }
    }
    pairs.retain(|pair| clusters.find(pair.a as usize) == clusters.find(pair.b as usize));
    pairs
}

fn may_join<K>(
    population: &Population<K>,
    scorer: &Scorer<'_, K>,
    ours: &[u32],
    theirs: &[u32],
    conflicts: &dyn Fn(u32, u32) -> bool,
) -> bool {
    let across = || ours.iter().flat_map(|a| theirs.iter().map(move |b| (*a, *b)));
    if across().any(|(a, b)| !population.may_match(a, b) || conflicts(a, b)) {
        return false;
    }
    if ours.len() + theirs.len() == 2 {
        return true; // the pair itself
    }
    let agreeing = across().filter(|(a, b)| scorer.weigh(*a, *b).is_some_and(|pair| pair.odds >= 0)).count();
    2 * agreeing >= ours.len() * theirs.len()
}
