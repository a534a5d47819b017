//! Unique pupil numbers, permanent and temporary.
//!
//! Source: Department for Education, "Unique pupil numbers: guidance". The letters I, O and S are
//! not used; the check letter is the weighted sum (weights 2 to 13) modulo 23. One widely read help
//! page works an example with 267 for 207 and prints Q; the right letter there is P.

use super::error::IdentityError;
use super::text::{Compact, ascii, classify, redacted_debug};

const MISSING: IdentityError = IdentityError::missing("upn.missing");
const SENTINEL: IdentityError = IdentityError::sentinel("upn.sentinel", "a dummy number or a word in its place");
const UNKNOWN: IdentityError =
    IdentityError::sentinel("upn.unknown_code", "UN1 to UN5 say why there is no number, they are none");
const TEMPORARY: IdentityError =
    IdentityError::sentinel("upn.temporary", "a temporary number changes and cannot stand for a person");
const PERMANENT: IdentityError = IdentityError::invalid("upn.permanent", "this is a permanent number");
const FORM: IdentityError =
    IdentityError::invalid("upn.form", "a UPN is a letter and 12 digits, or a letter, 11 digits and a letter");
const CHECK_LETTER: IdentityError = IdentityError::invalid("upn.check_letter", "the check letter does not agree");

const ALPHABET: &[u8; 23] = b"ABCDEFGHJKLMNPQRTUVWXYZ";

/// A permanent unique pupil number whose check letter agrees.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PermanentUpn([u8; 13]);

/// A temporary unique pupil number whose check letter agrees. A child may have had several.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TemporaryUpn([u8; 13]);
redacted_debug!(PermanentUpn, TemporaryUpn);

impl PermanentUpn {
    /// Reads a number as people type it.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `upn.missing`, `upn.sentinel`, `upn.unknown_code`, `upn.temporary`,
    /// `upn.form` or `upn.check_letter`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let characters = read(text)?;
        if characters[12].is_ascii_digit() { Ok(Self(characters)) } else { Err(TEMPORARY) }
    }

    /// The letter and twelve digits.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

impl TemporaryUpn {
    /// Reads a number as people type it.
    ///
    /// # Errors
    ///
    /// As [`PermanentUpn::parse`], with `upn.permanent` in place of `upn.temporary`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let characters = read(text)?;
        if characters[12].is_ascii_digit() { Err(PERMANENT) } else { Ok(Self(characters)) }
    }

    /// The letter, eleven digits and letter.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

fn read(text: &str) -> Result<[u8; 13], IdentityError> {
    let form = || classify(text, MISSING, SENTINEL, FORM);
    let compact = Compact::read(text).ok_or_else(form)?;
    if let [b'U', b'N', b'1'..=b'5'] = compact.as_bytes() {
        return Err(UNKNOWN);
    }
    let characters: [u8; 13] = compact.as_bytes().try_into().map_err(|_| form())?;
    let [check, digits @ .., last] = &characters;
    let position = |letter: u8| ALPHABET.iter().position(|&known| known == letter);
    if !check.is_ascii_uppercase() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(form());
    }
    let last = if last.is_ascii_digit() { usize::from(last - b'0') } else { position(*last).ok_or_else(form)? };
    if last == 0 && characters[12] == b'0' && digits.iter().all(|&digit| digit == b'0') {
        return Err(SENTINEL); // A000000000000 passes the check
    }
    let sum: usize = digits.iter().zip(2..).map(|(digit, weight)| usize::from(digit - b'0') * weight).sum();
    if position(*check) == Some((sum + last * 13) % 23) { Ok(characters) } else { Err(CHECK_LETTER) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_temporary_number_is_none_for_good() {
        let mut temporary = *b"?82000000001A";
        temporary[0] = *ALPHABET
            .iter()
            .find(|&&letter| {
                temporary[0] = letter;
                read(ascii(&temporary)).is_ok()
            })
            .expect("one letter of 23 agrees");
        let text = ascii(&temporary);
        assert_eq!(PermanentUpn::parse(text), Err(TEMPORARY));
        assert_eq!(TemporaryUpn::parse(text).expect("temporary").as_str(), text);
        assert_eq!(TemporaryUpn::parse("B801200005001"), Err(PERMANENT));
    }

    proptest! {
        #[test]
        fn a_single_wrong_digit_never_passes(place in 1usize..13, change in 1u8..10) {
            for valid in [*b"B801200005001", *b"P207000016049"] {
                let mut characters = valid;
                characters[place] = b'0' + (characters[place] - b'0' + change) % 10;
                prop_assert!(PermanentUpn::parse(ascii(&characters)).is_err());
            }
        }
    }
}
