//! The few combinations that survive most of the damage.

use std::collections::BinaryHeap;

use super::combine::Combination;

/// What is left of a pattern's weight each time that a key covers it: a second key for the same
/// damage is worth a twentieth, so that one error more does not lose the pair.
const SECOND: u64 = 20;
/// Weights begin so high that they can be divided some times.
const SCALE: u64 = 160_000;

/// Chooses combinations one after the other, each for the damage that those before do not survive.
/// Gives them with how many in ten thousand patterns share at least one.
pub fn choose(combinations: &[Combination], patterns: &[(u64, u64)], keys: usize) -> (Vec<Combination>, u32) {
    let covered: Vec<Vec<usize>> = combinations
        .iter()
        .map(|combination| {
            let needed = combination.pattern();
            (0..patterns.len()).filter(|&at| patterns[at].0 & needed == needed).collect()
        })
        .collect();
    let mut worth: Vec<u64> = patterns.iter().map(|(_, weight)| weight * SCALE).collect();
    let gain = |worth: &[u64], place: usize| covered[place].iter().map(|&at| worth[at]).sum::<u64>();
    // A gain only ever falls, so one that is still the largest when it is computed anew is the largest.
    let mut queue: BinaryHeap<(u64, std::cmp::Reverse<usize>)> =
        (0..combinations.len()).map(|place| (gain(&worth, place), std::cmp::Reverse(place))).collect();
    let mut is_covered = vec![false; patterns.len()];
    let mut chosen = Vec::new();
    while chosen.len() < keys
        && let Some((_, std::cmp::Reverse(place))) = queue.pop()
    {
        let now = gain(&worth, place);
        if now == 0 {
            continue;
        }
        if queue.peek().is_some_and(|(next, _)| *next > now) {
            queue.push((now, std::cmp::Reverse(place)));
            continue;
        }
        for &at in &covered[place] {
            worth[at] /= SECOND;
            is_covered[at] = true;
        }
        chosen.push(combinations[place].clone());
    }
    let all: u64 = patterns.iter().map(|(_, weight)| weight).sum();
    let survives: u64 = patterns.iter().zip(&is_covered).filter(|(_, is)| **is).map(|((_, weight), _)| weight).sum();
    (chosen, (survives * 10_000).checked_div(all).unwrap_or(0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combination(parts: &[usize]) -> Combination {
        Combination { parts: parts.to_vec(), millibits: 30_000 }
    }

    #[test]
    fn each_key_is_chosen_for_what_the_others_do_not_survive() {
        let combinations = [combination(&[0, 1]), combination(&[0, 2]), combination(&[1, 2])];
        // Nearly always part 2 is lost; sometimes part 0 is.
        let patterns = [(0b011, 90), (0b110, 10)];
        let (two, survives) = choose(&combinations, &patterns, 2);
        assert_eq!((two, survives), (vec![combination(&[0, 1]), combination(&[1, 2])], 10_000));
        assert_eq!(choose(&combinations, &patterns, 1).1, 9_000);
    }

    #[test]
    fn a_key_that_survives_nothing_is_not_chosen() {
        assert_eq!(choose(&[combination(&[0, 1])], &[(0b100, 5)], 3), (Vec::new(), 0));
    }
}
