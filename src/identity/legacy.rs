//! Hash values that an older system made: SHA-256 of an identifier with a salt glued to it.
//!
//! Some partners hold these and nothing else. Such a value is no secret to whoever knows the salt, and
//! it never leaves the agency: it goes into a keyed token like any other identifier, which keeps it
//! from those who lack the linkage key and makes it no stronger towards those who have it.

use sha2::{Digest as _, Sha256};

use super::error::IdentityError;
use super::text::{ascii, redacted_debug};

const MISSING: IdentityError = IdentityError::missing("legacy.missing");
const FORM: IdentityError =
    IdentityError::invalid("legacy.form", "an old hash value is a SHA-256 in 64 hexadecimal digits");
const EMPTY: IdentityError =
    IdentityError::sentinel("legacy.sentinel", "this is the hash of an empty or repeated text and names nobody");

/// What systems hash where a number is missing.
const FILLERS: [&str; 10] = ["", "\0", "0", "null", "NULL", "None", "unknown", "UNKNOWN", "0000000000", "9999999999"];

/// A hash value of an older system: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LegacyHash([u8; 64]);
redacted_debug!(LegacyHash);

impl LegacyHash {
    /// Reads a value as the older system wrote it, in either case.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] `legacy.missing`, `legacy.form`, or `legacy.sentinel` for the unsalted hash of
    /// a filler. The salted hash of a filler cannot be told from any other: the older system must not
    /// have made it.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(MISSING);
        }
        let mut value: [u8; 64] = text.as_bytes().try_into().map_err(|_| FORM)?;
        value.make_ascii_lowercase();
        if !value.iter().all(u8::is_ascii_hexdigit) {
            return Err(FORM);
        }
        let is_one_digit = value.iter().all(|digit| *digit == value[0]);
        if is_one_digit || FILLERS.iter().any(|filler| is_hash_of(&value, filler)) {
            return Err(EMPTY);
        }
        Ok(Self(value))
    }

    /// The 64 lower-case digits.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

fn is_hash_of(value: &[u8; 64], text: &str) -> bool {
    let digit = |half: u8| char::from_digit(u32::from(half), 16);
    let hash = Sha256::digest(text.as_bytes());
    let digits = hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.eq(value.iter().map(|byte| Some(char::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> String {
        Sha256::digest(text.as_bytes()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    #[test]
    fn sixty_four_digits_in_either_case_are_one_value() {
        let value = hash("pepper-of-2011:9434765919");
        let read = LegacyHash::parse(&format!(" {} ", value.to_uppercase())).expect("a hash");
        assert_eq!(read.as_str(), value);
    }

    #[test]
    fn other_forms_and_hashes_of_fillers_are_refused() {
        let value = hash("x");
        for text in [&value[1..], &format!("0x{}", &value[2..]), &format!("{value}0"), "9434765919", "not known"] {
            assert_eq!(LegacyHash::parse(text).map_err(IdentityError::code), Err("legacy.form"), "{text}");
        }
        assert_eq!(LegacyHash::parse("  ").map_err(IdentityError::code), Err("legacy.missing"));
        for filler in FILLERS {
            assert_eq!(
                LegacyHash::parse(&hash(filler)).map_err(IdentityError::code),
                Err("legacy.sentinel"),
                "{filler}"
            );
        }
        assert_eq!(LegacyHash::parse(&"0".repeat(64)).map_err(IdentityError::code), Err("legacy.sentinel"));
    }
}
