//! Identifiers, postcodes and address lines of no particular country, for public test sets and for
//! programmes with their own numbers.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::error::IdentityError;
use super::text::{Compact, ascii, classify, is_invisible, is_placeholder, redacted_debug};

const ID_MISSING: IdentityError = IdentityError::missing("generic_id.missing");
const ID_SENTINEL: IdentityError =
    IdentityError::sentinel("generic_id.sentinel", "a dummy number or a word in its place");
const ID_FORM: IdentityError = IdentityError::invalid("generic_id.form", "an identifier is 3 to 24 letters and digits");
const POSTCODE_MISSING: IdentityError = IdentityError::missing("generic_postcode.missing");
const POSTCODE_SENTINEL: IdentityError = IdentityError::sentinel("generic_postcode.sentinel", "no postcode");
const POSTCODE_FORM: IdentityError =
    IdentityError::invalid("generic_postcode.form", "a postcode is 3 to 10 letters and digits");
const ADDRESS_MISSING: IdentityError = IdentityError::missing("address.missing");
const ADDRESS_SENTINEL: IdentityError = IdentityError::sentinel("address.sentinel", "a word in place of an address");
const ADDRESS_LENGTH: IdentityError = IdentityError::invalid("address.length", "an address line is at most 512 bytes");

/// The longest address line that is read.
const LONGEST: usize = 512;

/// An identifier of 3 to 24 letters and digits, in upper case without separators.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GenericId {
    bytes: [u8; 24],
    length: u8,
}
redacted_debug!(GenericId);

impl GenericId {
    /// Reads an identifier as people type it. One character repeated is a dummy.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `generic_id.missing`, `generic_id.sentinel` or `generic_id.form`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let refused = |error| classify(text, ID_MISSING, ID_SENTINEL, error);
        let compact = Compact::read(text).ok_or_else(|| refused(ID_FORM))?;
        let given = compact.as_bytes();
        if given.len() < 3 || !given.iter().all(u8::is_ascii_alphanumeric) {
            return Err(refused(ID_FORM));
        }
        if given.iter().all(|byte| byte == &given[0]) {
            return Err(ID_SENTINEL);
        }
        if is_placeholder(ascii(given)) {
            return Err(ID_SENTINEL); // UNKNOWN is made of letters too
        }
        let mut id = Self { bytes: [0; 24], length: given.len() as u8 };
        id.bytes[..given.len()].copy_from_slice(given);
        Ok(id)
    }

    /// The letters and digits.
    pub fn as_str(&self) -> &str {
        ascii(&self.bytes[..usize::from(self.length)])
    }
}

/// Writes a postcode of any country over `out`: letters and digits in upper case.
///
/// # Errors
///
/// [`IdentityError`] `generic_postcode.missing`, `generic_postcode.sentinel` or
/// `generic_postcode.form`.
pub fn normalise_generic_postcode(text: &str, out: &mut String) -> Result<(), IdentityError> {
    out.clear();
    let refused = |error| classify(text, POSTCODE_MISSING, POSTCODE_SENTINEL, error);
    let compact = Compact::read(text).ok_or_else(|| refused(POSTCODE_FORM))?;
    let given = compact.as_bytes();
    if !(3..=10).contains(&given.len()) || !given.iter().all(u8::is_ascii_alphanumeric) {
        return Err(refused(POSTCODE_FORM));
    }
    let is_dummy = given.iter().all(|&byte| byte == b'0') || given.iter().all(|&byte| byte == b'9');
    if is_dummy || is_placeholder(ascii(given)) {
        return Err(POSTCODE_SENTINEL);
    }
    out.push_str(ascii(given));
    Ok(())
}

/// Writes one line of an address over `out`: words of letters and digits in upper case without
/// accents, one space between.
///
/// # Errors
///
/// [`IdentityError`] `address.missing`, `address.sentinel` or `address.length`.
pub fn normalise_address(text: &str, out: &mut String) -> Result<(), IdentityError> {
    out.clear();
    if text.len() > LONGEST {
        return Err(ADDRESS_LENGTH);
    }
    if text.is_ascii() {
        out.reserve(text.len());
        let mut after_break = true;
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() {
                out.push(char::from(byte.to_ascii_uppercase()));
                after_break = false;
            } else if byte != b'\'' && !after_break {
                out.push(' ');
                after_break = true;
            }
        }
    } else {
        let visible = text.nfkd().filter(|&c| !is_combining_mark(c) && !is_invisible(c) && c != '\u{2019}');
        for c in visible.flat_map(char::to_uppercase) {
            push_or_break(c, out);
        }
    }
    out.truncate(out.trim_end().len());
    if out.is_empty() {
        return Err(classify(text, ADDRESS_MISSING, ADDRESS_SENTINEL, ADDRESS_SENTINEL));
    }
    if is_placeholder(out) {
        return Err(ADDRESS_SENTINEL);
    }
    Ok(())
}

fn push_or_break(c: char, out: &mut String) {
    if c.is_alphanumeric() {
        out.push(c);
    } else if c != '\'' && !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_address_normalised_twice_is_normalised_once(text in "\\PC{0,60}") {
            let (mut once, mut twice) = (String::new(), String::new());
            if normalise_address(&text, &mut once).is_ok() {
                prop_assert!(normalise_address(&once, &mut twice).is_ok());
                prop_assert_eq!(once, twice);
            }
        }
    }
}
