//! Criminal Records Office numbers.
//!
//! Written `NNNNNN/YYC`, or `SFYY/NC` for people without fingerprints on file. The check letter is
//! that of PNC identifiers over the year and the digits: padded to six in the standard form, not
//! padded in the `SF` form.

use super::error::IdentityError;
use super::pnc::{CHECK_LETTERS, number, write_digits};
use super::text::{Compact, ascii, classify, redacted_debug};

const MISSING: IdentityError = IdentityError::missing("cro.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("cro.sentinel", "a dummy number or a word in its place");
const FORM: IdentityError = IdentityError::invalid(
    "cro.form",
    "a CRO number is digits, '/', a year and a letter, or SF, a year, '/', digits and a letter",
);
const CHECK_LETTER: IdentityError = IdentityError::invalid("cro.check_letter", "the check letter does not agree");

/// A CRO number whose check letter agrees, in its canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CroNumber {
    bytes: [u8; 12],
    length: u8,
}
redacted_debug!(CroNumber);

impl CroNumber {
    /// Reads a number in the standard or the `SF` form. The two forms never equal one another.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `cro.missing`, `cro.sentinel`, `cro.form` or `cro.check_letter`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let form = || classify(text, MISSING, SENTINEL, FORM);
        let compact = Compact::read(text).ok_or_else(form)?;
        let bytes = compact.as_bytes();
        let slash = bytes.iter().position(|&byte| byte == b'/').ok_or_else(form)?;
        let (left, (letter, right)) = (&bytes[..slash], bytes[slash + 1..].split_last().ok_or_else(form)?);
        let (year, serial, is_sf) = match left.strip_prefix(b"SF") {
            Some(year) => (year, right, true),
            None => (right, left, false),
        };
        if year.len() != 2 || !(1..=6).contains(&serial.len()) || !letter.is_ascii_uppercase() {
            return Err(form());
        }
        let (year, value) = (number(year).ok_or_else(form)?, number(serial).ok_or_else(form)?);
        if value == 0 {
            return Err(SENTINEL);
        }
        let digits = if is_sf { value.ilog10() + 1 } else { 6 };
        let remainder = (u64::from(year) * 10_u64.pow(digits) + u64::from(value)) % 23;
        if CHECK_LETTERS[remainder as usize] != *letter {
            return Err(CHECK_LETTER);
        }
        let digits = digits as usize;
        let mut cro = Self { bytes: *b"000000/00?\0\0", length: 10 };
        if is_sf {
            cro.bytes[..5].copy_from_slice(b"SF00/");
            write_digits(&mut cro.bytes[2..4], year);
            write_digits(&mut cro.bytes[5..5 + digits], value);
            cro.bytes[5 + digits] = *letter;
            cro.length = 6 + digits as u8;
        } else {
            write_digits(&mut cro.bytes[..6], value);
            write_digits(&mut cro.bytes[7..9], year);
            cro.bytes[9] = *letter;
        }
        Ok(cro)
    }

    /// The canonical form: six digits in the standard form, no leading zeros in the `SF` form.
    pub fn as_str(&self) -> &str {
        ascii(&self.bytes[..usize::from(self.length)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_have_one_canonical_writing() {
        // 21000042 mod 23 = 7 (G); 2142 mod 23 = 3 (C); 21999999 mod 23 = 16 (R).
        assert_eq!(CroNumber::parse("42/21G").expect("valid").as_str(), "000042/21G");
        assert_eq!(CroNumber::parse("000042/21g").expect("valid").as_str(), "000042/21G");
        assert_eq!(CroNumber::parse("SF21/42C").expect("valid").as_str(), "SF21/42C");
        assert_eq!(CroNumber::parse("sf21/0042C").expect("valid").as_str(), "SF21/42C");
        assert_eq!(CroNumber::parse("SF21/999999A").map(drop), Err(CHECK_LETTER));
        for text in ["", "SF/1A", "123", "1/2/3", "1234567/21A", "/", "SF21/"] {
            assert!(CroNumber::parse(text).is_err(), "{text}");
        }
    }
}
