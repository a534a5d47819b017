//! Unique learner numbers.
//!
//! Source: Learning Records Service, "Unique learner number validation": ten digits, modulus 11.

use super::error::IdentityError;
use super::text::{Compact, ascii, classify, redacted_debug};

const MISSING: IdentityError = IdentityError::missing("uln.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("uln.sentinel", "a dummy number or a word in its place");
const DIGITS: IdentityError = IdentityError::invalid("uln.digits", "a ULN has ten digits, the first not zero");
const CHECK_DIGIT: IdentityError = IdentityError::invalid("uln.check_digit", "the check digit does not agree");

/// A unique learner number whose check digit agrees.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uln([u8; 10]);
redacted_debug!(Uln);

impl Uln {
    /// Reads a number as people type it; 9999999999 means "unknown".
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `uln.missing`, `uln.sentinel`, `uln.digits` or `uln.check_digit`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let digits = Compact::read(text).and_then(|compact| compact.digits::<10>());
        let Some(digits) = digits else { return Err(classify(text, MISSING, SENTINEL, DIGITS)) };
        if digits.iter().all(|&digit| digit == digits[0]) {
            return Err(SENTINEL);
        }
        if digits[0] == b'0' {
            return Err(DIGITS);
        }
        // A remainder of 0 in the first nine would need a check digit of 10, so it can never agree here.
        let sum: u32 = digits.iter().zip((1..=10).rev()).map(|(d, weight)| u32::from(d - b'0') * weight).sum();
        if sum % 11 == 10 { Ok(Self(digits)) } else { Err(CHECK_DIGIT) }
    }

    /// The ten digits.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::NhsNumber;

    proptest! {
        #[test]
        fn a_single_wrong_digit_never_passes(place in 0usize..10, change in 1u8..10) {
            let mut digits = *b"9276308686";
            digits[place] = b'0' + (digits[place] - b'0' + change) % 10;
            prop_assert!(Uln::parse(ascii(&digits)).is_err());
        }

        #[test]
        fn no_number_is_both_a_learner_s_and_a_patient_s(number in 1_000_000_000u64..10_000_000_000) {
            let text = number.to_string();
            prop_assert!(Uln::parse(&text).is_err() || NhsNumber::parse(&text).is_err());
        }
    }
}
