//! Salted commitments: an entry binds a value that it does not tell.
//!
//! `commitment = HMAC-SHA256(key = salt, "porth/v1/commitment" + LP(field name) + value)`, with 32
//! fresh random bytes of salt for every field of every entry. Who holds the opening (salt and value) can show
//! what the entry said; once the salt is destroyed, the commitment tells nothing, and every proof
//! about the entry stays valid. Unsalted or shared-salt hashes could be guessed.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::canonical;
use super::digest::Digest;
use crate::domain::ids::EventId;
use crate::domain::labels::COMMITMENT;
use crate::domain::token::{decode_base64url, encode_base64url};

/// A salted commitment as an entry carries it: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(Digest);

impl Commitment {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a line of an openings file is not an opening. Never carries the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an opening: one canonical json object with event, field, salt and value")]
pub struct OpeningError;

/// What proves the value behind a commitment. `Debug` hides salt and value; it is rendered only by
/// [`Opening::to_line`], for an openings file that its reader may see.
///
/// ```
/// use porth::tlog::commitment::Opening;
///
/// let opening = Opening::new("case", [7; 32], b"a case reference".to_vec());
/// assert!(opening.opens(&opening.commitment()));
/// ```
#[derive(PartialEq, Eq)]
pub struct Opening {
    field: String,
    salt: [u8; 32],
    value: Vec<u8>,
}

impl Opening {
    /// An opening of a field: its name, 32 fresh random bytes and the value.
    pub fn new(field: impl Into<String>, salt: [u8; 32], value: Vec<u8>) -> Self {
        Self { field: field.into(), salt, value }
    }

    /// Reads a line that [`Opening::to_line`] wrote, without its line end.
    ///
    /// # Errors
    ///
    /// [`OpeningError`] for any other bytes, however small the difference.
    pub fn parse_line(line: &[u8]) -> Result<(EventId, Self), OpeningError> {
        canonical::check(line).map_err(|_| OpeningError)?;
        let wire: Line<'_> = serde_json::from_slice(line).map_err(|_| OpeningError)?;
        let salt = decode_base64url(wire.salt).ok_or(OpeningError)?;
        let value = decode_value(wire.value).ok_or(OpeningError)?;
        let opening = Self::new(wire.field, salt, value);
        // Covers what JSON lets through: an event id in another spelling, for one.
        if opening.to_line(wire.event).as_bytes() != line {
            return Err(OpeningError);
        }
        Ok((wire.event, opening))
    }

    /// The line of an openings file: canonical JSON, without a line end.
    pub fn to_line(&self, event: EventId) -> String {
        let (salt, value) = (encode_base64url(&self.salt), encode_base64url(&self.value));
        let wire = Line { event, field: &self.field, salt: &salt, value: &value };
        canonical::render(&wire)
    }

    /// The commitment that this opens.
    pub fn commitment(&self) -> Commitment {
        Commitment(Digest::new(self.mac().finalize().into_bytes().into()))
    }

    /// Whether this opens the commitment.
    pub fn opens(&self, commitment: &Commitment) -> bool {
        self.mac().verify_slice(commitment.as_bytes()).is_ok()
    }

    /// The field's name.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The salt.
    pub const fn salt(&self) -> &[u8; 32] {
        &self.salt
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    fn mac(&self) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.salt).expect("HMAC takes a key of any length");
        mac.update(COMMITMENT.as_bytes());
        // Field names are short constants of this crate; a longer one cannot be written in an entry.
        mac.update(&u16::try_from(self.field.len()).unwrap_or(u16::MAX).to_be_bytes());
        mac.update(self.field.as_bytes());
        mac.update(&self.value);
        mac
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("field", &self.field).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    event: EventId,
    field: &'a str,
    salt: &'a str,
    value: &'a str,
}

fn decode_value(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> EventId {
        "0199b4a0-7c00-7000-8000-000000000001".parse().expect("a UUID")
    }

    #[test]
    fn a_commitment_is_the_hmac_that_the_format_page_describes() {
        // Computed with Python's hmac module.
        let opening = Opening::new("subject", [7; 32], b"ada".to_vec());
        assert_eq!(opening.commitment().to_string(), KNOWN);
    }
    const KNOWN: &str = "fb60fb8a0b845f46be36fb8dc92892e286da0c820e1fe46588c68c9adb1e1b50";

    #[test]
    fn an_opening_opens_its_own_commitment_and_no_other() {
        let commitment = Opening::new("subject", [7; 32], b"ada".to_vec()).commitment();
        assert!(Opening::new("subject", [7; 32], b"ada".to_vec()).opens(&commitment));
        for forged in [
            Opening::new("subject", [7; 32], b"adb".to_vec()),
            Opening::new("subject", [8; 32], b"ada".to_vec()),
            Opening::new("subjec", [7; 32], b"tada".to_vec()),
            Opening::new("case", [7; 32], b"ada".to_vec()),
        ] {
            assert!(!forged.opens(&commitment), "{}", forged.field());
        }
    }

    #[test]
    fn an_opening_reads_back_as_written_and_any_flipped_bit_shows() {
        let opening = Opening::new("answer", [3; 32], vec![0, 255, 1]);
        let line = opening.to_line(event());
        assert_eq!(
            Opening::parse_line(line.as_bytes()),
            Ok((event(), Opening::new("answer", [3; 32], vec![0, 255, 1])))
        );
        for bit in 0..line.len() * 8 {
            let mut flipped = line.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok((at, read)) = Opening::parse_line(&flipped) {
                assert!(at != event() || !read.opens(&opening.commitment()), "bit {bit}");
            }
        }
    }

    #[test]
    fn debug_output_holds_neither_salt_nor_value() {
        let text = format!("{:?}", Opening::new("subject", [7; 32], b"ada".to_vec()));
        assert_eq!(text, "Opening { field: \"subject\", .. }");
    }
}
