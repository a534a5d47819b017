//! Police National Computer identifiers.
//!
//! Written `YYYY/NNNNNNNC`; the check letter is the two-digit year and the seven digits, read as one
//! number, modulo 23. Short forms leave out the century and leading zeros.

use super::error::IdentityError;
use super::text::{Compact, ascii, classify, redacted_debug};

const MISSING: IdentityError = IdentityError::missing("pnc.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("pnc.sentinel", "a dummy number or a word in its place");
const FORM: IdentityError = IdentityError::invalid("pnc.form", "a PNC identifier is a year, '/', digits and a letter");
const YEAR: IdentityError = IdentityError::invalid("pnc.year", "the year lies in the future or before 1900");
const CHECK_LETTER: IdentityError = IdentityError::invalid("pnc.check_letter", "the check letter does not agree");

/// The letters in the order of the remainder, for PNC identifiers and CRO numbers.
pub(super) const CHECK_LETTERS: &[u8; 23] = b"ZABCDEFGHJKLMNPQRTUVWXY";

/// A PNC identifier whose check letter agrees, in its long form.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PncId([u8; 13]);
redacted_debug!(PncId);

impl PncId {
    /// Reads an identifier in its long or short form. A two-digit year is of this century unless
    /// that would lie after `this_year`.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `pnc.missing`, `pnc.sentinel`, `pnc.form`, `pnc.year` or `pnc.check_letter`.
    pub fn parse(text: &str, this_year: i16) -> Result<Self, IdentityError> {
        let form = || classify(text, MISSING, SENTINEL, FORM);
        let compact = Compact::read(text).ok_or_else(form)?;
        let bytes = compact.as_bytes();
        let slash = bytes.iter().position(|&byte| byte == b'/').ok_or_else(form)?;
        let (year, rest) = (&bytes[..slash], &bytes[slash + 1..]);
        let (letter, serial) = rest.split_last().ok_or_else(form)?;
        let (year_digits, year) = (year.len(), number(year).ok_or_else(form)?);
        let serial = Some(serial).filter(|serial| (1..=7).contains(&serial.len())).and_then(number).ok_or_else(form)?;
        let this_year = u32::try_from(this_year).unwrap_or(0);
        let year = match year_digits {
            2 if 2000 + year <= this_year => 2000 + year,
            2 => 1900 + year,
            4 => year,
            _ => return Err(form()),
        };
        if !letter.is_ascii_uppercase() {
            return Err(form());
        }
        if !(1900..=this_year).contains(&year) {
            return Err(YEAR);
        }
        if serial == 0 {
            return Err(SENTINEL);
        }
        let remainder = (u64::from(year % 100) * 10_000_000 + u64::from(serial)) % 23;
        if CHECK_LETTERS[remainder as usize] != *letter {
            return Err(CHECK_LETTER);
        }
        let mut canonical = *b"0000/0000000?";
        write_digits(&mut canonical[..4], year);
        write_digits(&mut canonical[5..12], serial);
        canonical[12] = *letter;
        Ok(Self(canonical))
    }

    /// The long form, `YYYY/NNNNNNNC`.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

/// Up to nine digits as a number.
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    let well_formed = (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    well_formed.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// Writes a number with leading zeros over the whole of `place`.
pub(super) fn write_digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_forms_find_their_century() {
        for (short, long) in
            [("20/9N", "2020/0000009N"), ("99/123456X", "1999/0123456X"), ("99/1234567B", "1999/1234567B")]
        {
            assert_eq!(PncId::parse(short, 2026).expect("valid").as_str(), long);
        }
        assert_eq!(PncId::parse("2027/0000001A", 2026), Err(YEAR));
    }

    proptest! {
        #[test]
        fn a_single_wrong_digit_never_passes(place in 7usize..12, change in 1u8..10) {
            let mut characters = *b"1999/1234567B";
            characters[place] = b'0' + (characters[place] - b'0' + change) % 10;
            prop_assert!(PncId::parse(ascii(&characters), 2026).is_err());
        }
    }
}
