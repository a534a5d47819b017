//! NHS numbers.
//!
//! Source: NHS Data Dictionary, "NHS number": ten digits, the last a modulus 11 check digit.

use super::error::IdentityError;
use super::text::{Compact, ascii, classify, redacted_debug};

const MISSING: IdentityError = IdentityError::missing("nhs.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("nhs.sentinel", "a dummy number or a word in its place");
const DIGITS: IdentityError = IdentityError::invalid("nhs.digits", "an NHS number has ten digits");
const CHECK_DIGIT: IdentityError = IdentityError::invalid("nhs.check_digit", "the check digit does not agree");

/// An NHS number whose check digit agrees.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NhsNumber([u8; 10]);
redacted_debug!(NhsNumber);

impl NhsNumber {
    /// Reads a number as people type it; spaces and hyphens are ignored, missing digits never added.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `nhs.missing`, `nhs.sentinel`, `nhs.digits` or `nhs.check_digit`.
    ///
    /// ```
    /// use porth::identity::NhsNumber;
    /// assert_eq!(NhsNumber::parse("943 476 5919").expect("valid").as_str(), "9434765919");
    /// assert_eq!(NhsNumber::parse("9434765918").expect_err("wrong").code(), "nhs.check_digit");
    /// ```
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let digits = Compact::read(text).and_then(|compact| compact.digits::<10>());
        let Some(digits) = digits else { return Err(classify(text, MISSING, SENTINEL, DIGITS)) };
        if digits.iter().all(|&digit| digit == digits[0]) {
            return Err(SENTINEL); // all ten repeated-digit numbers pass the check
        }
        let sum: u32 = digits.iter().zip((1..=10).rev()).map(|(d, weight)| u32::from(d - b'0') * weight).sum();
        if sum.is_multiple_of(11) { Ok(Self(digits)) } else { Err(CHECK_DIGIT) }
    }

    /// The ten digits.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    /// Whether it is from the range 999, which is issued to nobody and kept for tests.
    pub fn is_test_range(&self) -> bool {
        self.0.starts_with(b"999")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_repeated_digit_is_a_sentinel_although_its_check_digit_agrees() {
        for digit in '0'..='9' {
            let text: String = std::iter::repeat_n(digit, 10).collect();
            assert_eq!(NhsNumber::parse(&text), Err(SENTINEL), "{digit}");
        }
    }

    #[test]
    fn only_the_999_range_is_for_tests() {
        assert!(NhsNumber::parse("9990000018").expect("valid").is_test_range());
        assert!(!NhsNumber::parse("9434765919").expect("valid").is_test_range());
        assert_eq!(format!("{:?}", NhsNumber::parse("9434765919").expect("valid")), "NhsNumber(redacted)");
    }

    proptest! {
        #[test]
        fn a_single_wrong_digit_never_passes(place in 0usize..10, change in 1u8..10) {
            for valid in ["9434765919", "4010232137", "9990000018"] {
                let mut digits = valid.as_bytes().to_vec();
                digits[place] = b'0' + (digits[place] - b'0' + change) % 10;
                prop_assert!(NhsNumber::parse(ascii(&digits)).is_err());
            }
        }
    }
}
