//! Short hashes that two people compare on the telephone.

use std::fmt;
use std::str::FromStr;

/// The first ten bytes of a SHA-256, as five groups of four hexadecimal digits.
///
/// Eighty bits: whoever wants another file with the same ones has to try about 2^80 files. They are
/// compared on the telephone, so that whoever carries a file cannot exchange it unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 10]);

impl Fingerprint {
    /// Of a SHA-256.
    pub(crate) fn of(sha256: &[u8; 32]) -> Self {
        Self(std::array::from_fn(|at| sha256[at]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> =
            self.0.chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair.get(1).unwrap_or(&0))).collect();
        f.write_str(&groups.join("-"))
    }
}

impl FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "a fingerprint is twenty hexadecimal digits, in groups or not";
        let digits: Option<Vec<u8>> = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.'))
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits: [u8; 20] = digits.ok_or(RULE)?.try_into().map_err(|_| RULE)?;
        Ok(Self(std::array::from_fn(|at| digits[2 * at] << 4 | digits[2 * at + 1])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_as_people_write_it() {
        let fingerprint = Fingerprint::of(&std::array::from_fn(|at| (at as u8).wrapping_mul(17)));
        assert_eq!(fingerprint.to_string(), "0011-2233-4455-6677-8899");
        for text in ["0011-2233-4455-6677-8899", "0011 2233 4455 6677 8899", "00112233445566778899"] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
        assert_ne!("0011-2233-4455-6677-8898".parse(), Ok(fingerprint));
        for bad in ["", "0011", "0011-2233-4455-6677-889g", "0011-2233-4455-6677-8899-00"] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }
}
