//! National Insurance numbers.
//!
//! Source: HM Revenue and Customs, National Insurance Manual NIM39110. There is no check digit.

use super::error::IdentityError;
use super::text::{Compact, ascii, classify, redacted_debug};

const MISSING: IdentityError = IdentityError::missing("nino.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("nino.sentinel", "a dummy number or a word in its place");
const TEMPORARY: IdentityError =
    IdentityError::sentinel("nino.temporary_reference", "a temporary reference number is not a NINO");
const ADMINISTRATIVE: IdentityError =
    IdentityError::sentinel("nino.administrative", "this prefix is for administration and names nobody");
const FORM: IdentityError =
    IdentityError::invalid("nino.form", "a NINO is two letters, six digits and a suffix A to D or none");
const PREFIX: IdentityError = IdentityError::invalid("nino.prefix", "no NINO begins with these letters");

/// The first eight characters of a National Insurance number, which name the person.
///
/// The suffix says when contributions were due and is often left out, so it is never kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nino([u8; 8]);
redacted_debug!(Nino);

impl Nino {
    /// Reads a number as people type it, with or without its suffix.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `nino.missing`, `nino.sentinel`, `nino.temporary_reference`,
    /// `nino.administrative`, `nino.form` or `nino.prefix`. The documentation's own example,
    /// QQ123456A, is refused.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let form = || classify(text, MISSING, SENTINEL, FORM);
        let compact = Compact::read(text).ok_or_else(form)?;
        if let [b'0'..=b'9', b'0'..=b'9', b'A'..=b'Z', rest @ ..] = compact.as_bytes()
            && rest.len() == 5
            && rest.iter().all(u8::is_ascii_digit)
        {
            return Err(TEMPORARY);
        }
        let (number, suffix) = compact.as_bytes().split_first_chunk::<8>().ok_or_else(form)?;
        let [first, second, digits @ ..] = number;
        let letters = first.is_ascii_uppercase() && second.is_ascii_uppercase();
        if !letters || !digits.iter().all(u8::is_ascii_digit) || !matches!(suffix, [] | [b'A'..=b'D']) {
            return Err(form());
        }
        let prefix = [*first, *second];
        if matches!(&prefix, b"OO" | b"CR" | b"FY" | b"MW" | b"NC" | b"PP" | b"PY" | b"PZ") {
            return Err(ADMINISTRATIVE);
        }
        let unused = |letter: u8| matches!(letter, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V');
        if unused(*first)
            || unused(*second)
            || *second == b'O'
            || matches!(&prefix, b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        {
            return Err(PREFIX);
        }
        // A real person may have six equal digits, but in files they are nearly always invented.
        if digits.iter().all(|digit| digit == &digits[0]) {
            return Err(SENTINEL);
        }
        Ok(Self(*number))
    }

    /// The two letters and six digits.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_does_not_matter() {
        for text in ["AB123456C", "ab 12 34 56 d", "AB123456", "AB-12-34-56 "] {
            assert_eq!(Nino::parse(text).expect("valid").as_str(), "AB123456", "{text}");
        }
    }

    #[test]
    fn every_prefix_that_is_not_issued_is_refused() {
        let refused = (b'A'..=b'Z')
            .flat_map(|first| (b'A'..=b'Z').map(move |second| [first, second]))
            .filter(|prefix| Nino::parse(&format!("{}123456A", ascii(prefix))).is_err())
            .count();
        // 20 first letters and 19 second ones are in use: 380 pairs, of which 7 are never and 7 only
        // administratively issued (BG GB KN NK NT TN ZZ; CR FY* MW NC PP PY PZ; *F is out already).
        assert_eq!(26 * 26 - refused, 380 - 7 - 6);
    }
}
