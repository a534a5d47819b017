//! Percentages in whole numbers, with a named rule for halves.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What becomes of a percentage that ends on exactly a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Halves {
    /// 17.5 is 18 and 2.5 is 3.
    Up,
    /// 17.5 is 18 and 2.5 is 2.
    ToEven,
}

impl Halves {
    /// The rule's name, as tables state it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "half-up",
            Self::ToEven => "half-even",
        }
    }
}

impl fmt::Display for Halves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part of a whole in whole per cent; `None` without a whole.
///
/// ```
/// use porth::domain::statistics::percent::{Halves, percent};
/// assert_eq!(percent(14, 80, Halves::ToEven), Some(18)); // 17.5
/// assert_eq!(percent(2, 80, Halves::ToEven), Some(2)); // 2.5
/// assert_eq!(percent(2, 80, Halves::Up), Some(3));
/// assert_eq!(percent(1, 0, Halves::Up), None);
/// ```
pub fn percent(part: u64, whole: u64, halves: Halves) -> Option<u64> {
    if whole == 0 {
        return None;
    }
    let (part, whole) = (u128::from(part) * 100, u128::from(whole));
    let (down, rest) = (part / whole, part % whole);
    let goes_up = match (rest * 2).cmp(&whole) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => halves == Halves::Up || down % 2 == 1,
    };
    u64::try_from(down + u128::from(goes_up)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_shares_come_out_under_the_rule_that_their_table_used() {
        // Permanent exclusions 2015/16: 64, 14 and 2 of 80 were printed as 80, 18 and 2 per cent.
        assert_eq!([64, 14, 2].map(|part| percent(part, 80, Halves::ToEven)), [80, 18, 2].map(Some));
        assert_ne!(percent(2, 80, Halves::Up), Some(2), "half-up is another rule");
        assert_eq!(percent(1_788, 1_966, Halves::Up), Some(91));
        assert_eq!(percent(u64::MAX, u64::MAX, Halves::Up), Some(100));
    }
}
