//! How near two filters are: enough to take the nearest first, and to say so in three words.

use crate::domain::clk::{Clk, Threshold};

/// The parts of a likeness of one: whole numbers, so that no two machines disagree.
const WHOLE: u32 = 1_000_000;

/// How near two filters of one space are. It can be ordered, held to a threshold and told as a
/// [`Band`]; the number itself never leaves this module.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closeness(u32);

/// The third between the threshold and equality in which a likeness lies: all that is ever told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// Next to the threshold.
    Low,
    /// In between.
    Middle,
    /// Next to equality.
    High,
}

impl Closeness {
    /// How near two filters are; `None` where they cannot be compared, or have nothing in common: two
    /// empty filters are not alike.
    ///
    /// ```
    /// use porth::domain::clk::{Clk, Space};
    /// use porth::linkage::dice::Closeness;
    ///
    /// let space = Space { profile: [1; 16], epoch: 1, key_check: [2; 8] };
    /// let filter = |word| Clk::new(space, &[word; 8]).expect("not empty");
    /// let near = Closeness::of(&filter(0b1110), &filter(0b0111)).expect("they share two of three");
    /// assert!(near < Closeness::of(&filter(0b1110), &filter(0b1110)).expect("equal"));
    /// assert!(Closeness::of(&filter(0b1100), &filter(0b0011)).is_none());
    /// ```
    pub fn of(a: &Clk, b: &Clk) -> Option<Self> {
        if a.space() != b.space() || a.words().len() != b.words().len() {
            return None;
        }
        let ones = |words: &[u64]| words.iter().map(|word| word.count_ones()).sum::<u32>();
        let common: u32 = a.words().iter().zip(b.words()).map(|(a, b)| (a & b).count_ones()).sum();
        let all = ones(a.words()) + ones(b.words());
        // At most 2048 common ones: far from the end of the range.
        (common > 0).then(|| Self((u64::from(common) * 2 * u64::from(WHOLE) / u64::from(all)) as u32))
    }

    /// Whether it reaches a threshold, exactly as [`Threshold::is_reached`] says of the filters.
    pub fn reaches(self, threshold: Threshold) -> bool {
        self.0 >= least(threshold)
    }

    /// Thousandths, rounded down: for counting how alike strangers are.
    pub(super) fn in_thousandths(self) -> usize {
        (self.0 / (WHOLE / 1000)) as usize
    }

    /// The third in which it lies.
    pub fn band(self, threshold: Threshold) -> Band {
        let (least, above) = (least(threshold), self.0.saturating_sub(least(threshold)));
        match above * 3 / (WHOLE - least).max(1) {
            0 => Band::Low,
            1 => Band::Middle,
            _ => Band::High,
        }
    }
}

/// What a threshold is in these parts. A likeness that was rounded down reaches it all the same, because
/// the threshold has fewer digits.
fn least(threshold: Threshold) -> u32 {
    u32::from(threshold.in_thousandths()) * (WHOLE / 1000)
}

impl Band {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Middle => "middle",
            Self::High => "high",
        }
    }
}

impl std::fmt::Debug for Closeness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Closeness(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clk::Space;

    const SPACE: Space = Space { profile: [1; 16], epoch: 1, key_check: [2; 8] };

    /// A filter of ten ones, of which so many are those of every other such filter.
    fn filter(shared: u32, own: u32) -> Clk {
        let own_ones = ((1_u64 << (10 - shared)) - 1) << (10 + 10 * own);
        let mut words = [0; 8];
        words[0] = ((1 << shared) - 1) | own_ones;
        Clk::new(SPACE, &words).expect("ten ones")
    }

    #[test]
    fn it_reaches_a_threshold_exactly_when_the_filters_do() {
        for shared in 1..=9 {
            let closeness = Closeness::of(&filter(shared, 0), &filter(shared, 1)).expect("something in common");
            for thousandths in 1..=1000 {
                let threshold = Threshold::thousandths(thousandths).expect("in range");
                let expected = threshold.is_reached(shared, 10, 10);
                assert_eq!(closeness.reaches(threshold), expected, "{shared} of ten at {thousandths}");
            }
        }
    }

    #[test]
    fn bands_are_the_thirds_above_the_threshold_and_nothing_else_is_told() {
        let threshold = Threshold::thousandths(400).expect("in range");
        let band = |shared| {
            let closeness = Closeness::of(&filter(shared, 0), &filter(shared, 1)).expect("something in common");
            assert_eq!(format!("{closeness:?}"), "Closeness(redacted)");
            closeness.band(threshold).as_str()
        };
        assert_eq!([4, 5, 6, 7, 8, 9].map(band), ["low", "low", "middle", "middle", "high", "high"]);
        let equal = Closeness::of(&filter(5, 0), &filter(5, 0)).expect("equal");
        assert_eq!(equal.band(Threshold::thousandths(1000).expect("in range")), Band::Low, "there is nothing above");
    }

    #[test]
    fn filters_of_two_spaces_or_with_nothing_in_common_are_not_compared() {
        let other = Clk::new(Space { epoch: 2, ..SPACE }, filter(5, 0).words()).expect("ones");
        assert!(Closeness::of(&filter(5, 0), &other).is_none());
        assert!(Closeness::of(&filter(0, 0), &filter(0, 1)).is_none());
    }
}
