//! Unique property reference numbers.
//!
//! The list of all UPRNs is public, so an unkeyed hash of one hides nothing; see the token scheme.

use super::error::IdentityError;
use super::text::{Compact, ascii, classify, redacted_debug};

const MISSING: IdentityError = IdentityError::missing("uprn.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("uprn.sentinel", "a dummy number or a word in its place");
const DIGITS: IdentityError = IdentityError::invalid("uprn.digits", "a UPRN is a whole number of up to 12 digits");

/// A unique property reference number, padded to twelve digits for exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uprn([u8; 12]);
redacted_debug!(Uprn);

impl Uprn {
    /// Reads a number with or without leading zeros.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `uprn.missing`, `uprn.sentinel` (zero and all nines too) or `uprn.digits`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let compact = Compact::read(text).filter(|compact| {
            let bytes = compact.as_bytes();
            !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)
        });
        let Some(compact) = compact else { return Err(classify(text, MISSING, SENTINEL, DIGITS)) };
        let zeros = compact.as_bytes().iter().take_while(|&&digit| digit == b'0').count();
        let digits = &compact.as_bytes()[zeros..];
        if digits.is_empty() || (digits.len() >= 6 && digits.iter().all(|&digit| digit == b'9')) {
            return Err(SENTINEL);
        }
        let mut padded = [b'0'; 12];
        let start = padded.len().checked_sub(digits.len()).ok_or(DIGITS)?;
        padded[start..].copy_from_slice(digits);
        Ok(Self(padded))
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_make_no_difference() {
        for text in ["10012345", "0010012345", "000010012345", " 10012345 ", "0000000010012345"] {
            assert_eq!(Uprn::parse(text).expect("valid").as_str(), "000010012345", "{text}");
        }
        assert_eq!(Uprn::parse("1234567890123"), Err(DIGITS));
        assert_eq!(Uprn::parse("10012345.0"), Err(DIGITS));
    }
}
