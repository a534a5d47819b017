//! Combinations of parts that say enough, with nothing weaker that would do.

use super::Sample;
use super::entropy::Entropy;

/// Parts that make a key together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// Positions of the parts, ascending, each of another field.
    pub parts: Vec<usize>,
    /// What an agreement on all of them says, in thousandths of a bit.
    pub millibits: u32,
}

impl Combination {
    /// The parts, a bit each.
    pub fn pattern(&self) -> u64 {
        self.parts.iter().fold(0, |pattern, part| pattern | 1 << part)
    }
}

/// Every permitted combination of at least two parts that reaches `needed`, unless it also does so
/// with a part left out or coarsened and that weaker one is permitted too.
pub fn combinations(
    sample: &Sample,
    entropy: &Entropy,
    needed: u32,
    most_parts: usize,
    permitted: &dyn Fn(&[usize]) -> bool,
) -> Vec<Combination> {
    let usable: Vec<usize> = (0..sample.field_of.len()).filter(|&part| !entropy.is_idle(part)).collect();
    let mut search = Search { sample, entropy, needed, most_parts, permitted, usable, found: Vec::new() };
    search.extend(&mut Vec::new(), 0);
    search.found
}

struct Search<'a> {
    sample: &'a Sample,
    entropy: &'a Entropy,
    needed: u32,
    most_parts: usize,
    permitted: &'a dyn Fn(&[usize]) -> bool,
    usable: Vec<usize>,
    found: Vec<Combination>,
}

impl Search<'_> {
    fn extend(&mut self, parts: &mut Vec<usize>, from: usize) {
        if parts.len() >= 2 && self.is_enough(parts) {
            if !self.weaker(parts).any(|weaker| self.is_enough(&weaker)) {
                let millibits = self.entropy.of_all(parts);
                self.found.push(Combination { parts: parts.clone(), millibits });
            }
            return; // whatever is added can be left out again
        }
        if parts.len() == self.most_parts {
            return;
        }
        for at in from..self.usable.len() {
            let part = self.usable[at];
            if parts.iter().all(|other| self.sample.field_of[*other] != self.sample.field_of[part]) {
                parts.push(part);
                self.extend(parts, at + 1);
                parts.pop();
            }
        }
    }

    fn is_enough(&self, parts: &[usize]) -> bool {
        self.entropy.of_all(parts) >= self.needed && (self.permitted)(parts)
    }

    /// With one part left out, or in its place a coarser one of its field.
    fn weaker<'p>(&'p self, parts: &'p [usize]) -> impl Iterator<Item = Vec<usize>> + 'p {
        let without = |at: usize| {
            let mut rest = parts.to_vec();
            rest.remove(at);
            rest
        };
        let dropped = (0..parts.len()).filter(|_| parts.len() > 2).map(without);
        let coarsened = (0..parts.len()).flat_map(move |at| {
            self.entropy.coarser(parts[at]).iter().filter(|q| !self.entropy.is_idle(**q)).map(move |&q| {
                let mut changed = without(at);
                changed.push(q);
                changed.sort_unstable();
                changed
            })
        });
        dropped.chain(coarsened)
    }
}
