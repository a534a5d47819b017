//! Repeatable chance: one stream of numbers for each use, all from one seed.

/// A stream of numbers that depends on the seed and the stream's label alone (SplitMix64).
///
/// For invented people only: whoever knows the seed knows every number.
pub(super) struct Random(u64);

impl Random {
    /// The stream of this label. Another use of chance elsewhere does not move its numbers.
    pub(super) fn stream(seed: u64, label: &str) -> Self {
        let start = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3) // FNV-1a
        });
        let mut random = Self(start ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        random
    }

    /// A number from 0 to `bound - 1`; 0 when the bound is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(0) as usize) as i64
    }

    /// True so many times in ten thousand.
    pub(super) fn chance(&mut self, in_ten_thousand: u32) -> bool {
        self.below(10_000) < in_ten_thousand as usize
    }

    /// One of a list that is not empty.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// A position, each as likely as its weight.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().sum::<u32>() as usize);
        for (position, weight) in weights.iter().enumerate() {
            if left < *weight as usize {
                return position;
            }
            left -= *weight as usize;
        }
        0
    }

    /// Puts a list in another order.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_numbers_of_splitmix64() {
        let mut random = Random(1_234_567);
        let expected: [u64; 3] = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.next(), random.next(), random.next()], expected);
    }

    #[test]
    fn a_label_and_a_seed_fix_the_stream() {
        let draw = |seed, label| Random::stream(seed, label).next();
        assert_eq!(draw(1, "homes"), draw(1, "homes"));
        assert_ne!(draw(1, "homes"), draw(2, "homes"));
        assert_ne!(draw(1, "homes"), draw(1, "people"));
    }

    #[test]
    fn draws_stay_in_their_bounds_and_reach_both_ends() {
        let mut random = Random::stream(5, "bounds");
        let draws: Vec<i64> = (0..500).map(|_| random.between(-3, 3)).collect();
        assert_eq!((draws.iter().min(), draws.iter().max()), (Some(&-3), Some(&3)));
        assert!((0..500).all(|_| random.weighted(&[0, 3, 0, 1]) % 2 == 1));
        assert!((0..500).all(|_| !random.chance(0)) && (0..500).all(|_| random.chance(10_000)));
    }
}
