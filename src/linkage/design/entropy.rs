//! How much an agreement says: the entropy of parts, and what two parts say twice.

use std::collections::HashMap;

use super::{Sample, SurePair, combine, damage, holders};

/// The bits of agreements, in thousandths.
#[derive(Debug, Clone)]
pub struct Entropy {
    of_part: Vec<u32>,
    /// For two parts, what they say twice: a postcode and its street.
    shared: HashMap<(usize, usize), u32>,
    /// For each part, the parts of the same field that it determines: a surname and its Soundex.
    coarser: Vec<Vec<usize>>,
    /// Parts that say the same as an earlier one of their field, or nearly nothing.
    idle: Vec<bool>,
}

/// A part that says less than this is in no key: half the people share it.
const LEAST_MILLIBITS: u32 = 3_000;

/// How many times more often than by chance two parts must agree together to count as dependent.
const DEPENDENT: f64 = 2.0;
/// And how many agreements beyond, so that a handful of coincidences proves nothing.
const BEYOND_CHANCE: f64 = 16.0;
/// And this share of the sure pairs beyond: so many of one person are not among the sure ones.
const NOT_SURE: f64 = 0.02;

impl Entropy {
    /// Measures each part over all pairs of records.
    pub fn measure(sample: &Sample) -> Self {
        let parts = sample.field_of.len();
        let pairs = pairs(sample.records.len());
        let of_part: Vec<u32> = (0..parts)
            .map(|part| {
                let agreeing: f64 = holders(sample, &[part]).values().map(|held| self::pairs(held.len())).sum();
                // A part on which nobody agrees says at most what the number of pairs can show.
                millibits(pairs / agreeing.max(1.0))
            })
            .collect();
        let determines =
            |p: usize, q: usize| p != q && sample.field_of[p] == sample.field_of[q] && is_function(sample, p, q);
        let coarser: Vec<Vec<usize>> = (0..parts).map(|p| (0..parts).filter(|&q| determines(p, q)).collect()).collect();
        let idle = (0..parts)
            .map(|part| {
                let repeats = |&earlier: &usize| coarser[earlier].contains(&part);
                of_part[part] < LEAST_MILLIBITS || coarser[part].iter().any(|q| *q < part && repeats(q))
            })
            .collect();
        Self { of_part, shared: HashMap::new(), coarser, idle }
    }

    /// Measures parts, and what two of them say twice, with the pairs of one person found and set aside.
    pub fn independent_of_people(sample: &Sample) -> Self {
        let mut entropy = Self::measure(sample);
        let needed = sample.pairs_millibits() + 4_000;
        let all = combine::combinations(sample, &entropy, needed, 4, &|_| true);
        let sure = damage::sure_pairs(sample, &entropy, &all, needed);
        entropy.measure_dependence(sample, &sure);
        entropy
    }

    /// Measures what each two parts of different fields say twice, the pairs of one person set aside.
    pub(super) fn measure_dependence(&mut self, sample: &Sample, sure: &[SurePair]) {
        let all = pairs(sample.records.len());
        let parts: Vec<usize> = (0..sample.field_of.len()).filter(|&part| !self.idle[part]).collect();
        for (at, &p) in parts.iter().enumerate() {
            for &q in parts[at + 1..].iter().filter(|&&q| sample.field_of[q] != sample.field_of[p]) {
                let expected = all * chance(self.of_part[p]) * chance(self.of_part[q]);
                let both = 1_u64 << p | 1 << q;
                let of_one_person = sure.iter().filter(|pair| pair.agreement & both == both).count() as f64;
                let agreeing: f64 = holders(sample, &[p, q]).values().map(|held| pairs(held.len())).sum();
                let by_chance = agreeing - of_one_person;
                if by_chance > DEPENDENT * expected + BEYOND_CHANCE + NOT_SURE * sure.len() as f64 {
                    let most = self.of_part[p].min(self.of_part[q]);
                    self.shared.insert((p, q), millibits(by_chance / expected.max(1e-9)).min(most));
                }
            }
        }
    }

    /// The bits of an agreement on one part.
    pub fn of(&self, part: usize) -> u32 {
        self.of_part[part]
    }

    /// The bits of an agreement on all these parts together, ascending.
    pub fn of_all(&self, parts: &[usize]) -> u32 {
        let said_before = |at: usize| {
            parts[..at].iter().map(|earlier| self.shared.get(&(*earlier, parts[at])).copied().unwrap_or(0)).max()
        };
        let new = |at: usize| self.of_part[parts[at]].saturating_sub(said_before(at).unwrap_or(0));
        (0..parts.len()).map(new).sum()
    }

    /// The bits of a pattern of agreement: of each field, the strongest part.
    pub fn of_pattern(&self, sample: &Sample, pattern: u64) -> u32 {
        let mut best: HashMap<usize, u32> = HashMap::new();
        for part in (0..sample.field_of.len()).filter(|part| pattern >> part & 1 == 1) {
            let bits = best.entry(sample.field_of[part]).or_default();
            *bits = (*bits).max(self.of_part[part]);
        }
        best.values().sum()
    }

    /// The parts that may be combined.
    pub(super) fn is_idle(&self, part: usize) -> bool {
        self.idle[part]
    }

    /// Parts of the same field that say less.
    pub(super) fn coarser(&self, part: usize) -> &[usize] {
        &self.coarser[part]
    }
}

/// Whether each value of `p` goes with one value of `q`.
fn is_function(sample: &Sample, p: usize, q: usize) -> bool {
    let mut image: HashMap<u64, u64> = HashMap::new();
    let mut single = sample.records.iter().filter_map(|record| match (&record[p][..], &record[q][..]) {
        ([from], [to]) => Some((*from, *to)),
        _ => None,
    });
    single.all(|(from, to)| *image.entry(from).or_insert(to) == to)
}

/// The base-two logarithm in thousandths; 0 for numbers below one.
pub fn millibits(number: f64) -> u32 {
    (number.max(1.0).log2() * 1000.0).round() as u32
}

fn chance(millibits: u32) -> f64 {
    (-f64::from(millibits) / 1000.0).exp2()
}

fn pairs(n: usize) -> f64 {
    let n = n as f64;
    n * (n - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_choice_among_n_says_the_logarithm_of_n() {
        let records = (0..1_024_u64).map(|n| vec![vec![n % 64], vec![n % 8], vec![n % 64 / 2]]).collect();
        let entropy = Entropy::measure(&Sample { field_of: vec![0, 1, 0], records });
        assert!(entropy.of(0).abs_diff(6_000) < 100 && entropy.of(1).abs_diff(3_000) < 100, "{entropy:?}");
        assert_eq!((entropy.coarser(0), entropy.coarser(2)), (&[2_usize][..], &[][..]));
    }

    #[test]
    fn two_parts_that_go_together_are_not_counted_twice() {
        // A postcode and its street, and a name that has nothing to do with either.
        let records = (0..4_000_u64).map(|n| vec![vec![n % 100], vec![n % 50], vec![n * 7919 % 61]]).collect();
        let sample = Sample { field_of: vec![0, 1, 2], records };
        let mut entropy = Entropy::measure(&sample);
        entropy.measure_dependence(&sample, &[]);
        assert!(entropy.of_all(&[0, 1]).abs_diff(entropy.of(0)) < 100, "the street adds nothing");
        assert!(entropy.of_all(&[0, 2]).abs_diff(entropy.of(0) + entropy.of(2)) < 100, "the name adds all");
    }

    #[test]
    fn a_part_that_hardly_tells_people_apart_is_idle() {
        let records = (0..1_000_u64).map(|n| vec![vec![n % 2], vec![n % 500]]).collect();
        let entropy = Entropy::measure(&Sample { field_of: vec![0, 1], records });
        assert!(entropy.is_idle(0) && !entropy.is_idle(1));
    }
}
