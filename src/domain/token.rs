//! Tokens on the wire and as stored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// Decodes strict base64url without padding into exactly `N` bytes; `None` for anything else,
/// non-zero trailing bits included.
pub fn decode_base64url<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0u8; N];
    if text.len() != (N * 8).div_ceil(6) {
        return None;
    }
    // `decode_slice_unchecked` bounds are proved by the length test above.
    let length = URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut out).ok()?;
    (length == N).then_some(out)
}

/// Encodes bytes as base64url without padding.
pub fn encode_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Why a text is not a token. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token: a token is exactly 43 base64url characters; values in clear are refused")]
pub struct TokenError;

/// Whether a text looks like the hash of a value, in a form that systems commonly write: hexadecimal
/// digits or base64 of the length of MD5, SHA-1 or SHA-2, with or without the name of the hash.
///
/// Such a value is no token: it lacks the linkage key, and whoever knows how it was made can try every
/// identifier. One that was written anew in the text form of a token cannot be told apart.
pub fn is_raw_hash(text: &str) -> bool {
    const BYTES: [usize; 6] = [16, 20, 28, 32, 48, 64];
    let text = text.trim();
    let text = text.rsplit_once([':', '$', '}']).map_or(text, |(_, value)| value);
    let text = text.strip_prefix("0x").unwrap_or(text);
    let is_hex = text.len().is_multiple_of(2) && BYTES.contains(&(text.len() / 2));
    if is_hex && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return true;
    }
    let bare = text.trim_end_matches('=');
    let is_base64 = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte));
    let is_mixed = bare.bytes().any(|byte| byte.is_ascii_digit()) && bare.bytes().any(|byte| byte.is_ascii_uppercase());
    is_base64 && is_mixed && BYTES.iter().any(|bytes| bare.len() == (bytes * 8).div_ceil(6))
}

/// A token as an agency makes it: 32 bytes, 43 base64url characters on the wire. `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token([u8; 32]);

impl Token {
    /// Wraps the 32 bytes of an HMAC.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses the text form.
    ///
    /// # Errors
    ///
    /// [`TokenError`] unless the text is exactly 43 canonical base64url characters.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        decode_base64url(text).map(Self).ok_or(TokenError)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 43 characters.
    pub fn to_text(&self) -> String {
        encode_base64url(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A token after the gateway's own keyed transform: what is stored and indexed. `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blinded([u8; 16]);

impl Blinded {
    /// Wraps 16 bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Blinded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinded(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_43_canonical_characters_are_a_token() {
        let good = "7kbGVthM8uxgiPHUwW_LXbMTqcIlLqz93h99vZUBflo";
        assert_eq!(Token::parse(good).expect("canonical").to_text(), good);
        let trailing_bits = "7kbGVthM8uxgiPHUwW_LXbMTqcIlLqz93h99vZUBflp";
        let hex = "a".repeat(64);
        for bad in ["", "9434765919", "TR1 1AA", trailing_bits, &good[1..], &format!("{good}="), &hex] {
            assert_eq!(Token::parse(bad), Err(TokenError), "{bad}");
        }
        let spaced = format!(" {}", &good[1..]);
        assert!(Token::parse(&spaced).is_err());
    }

    #[test]
    fn a_hash_in_any_common_form_is_recognised_and_clear_values_are_not() {
        let hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let upper = hex.to_uppercase();
        let padded = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=";
        let prefixed = [format!("sha256:{hex}"), format!("{{SHA256}}{padded}"), format!("0x{hex}"), format!(" {hex} ")];
        for hash in [hex, &upper, padded, &padded[..43], &hex[..40], &hex[..32]] {
            assert!(is_raw_hash(hash) && Token::parse(hash).is_err(), "{hash}");
        }
        assert!(prefixed.iter().all(|hash| is_raw_hash(hash) && Token::parse(hash).is_err()));
        for clear in ["9434765919", "Jowan Trelawny", "TR1 1AA", "2009-04-17", "", "jowan.trelawny@example.org"] {
            assert!(!is_raw_hash(clear), "{clear}");
        }
    }
}
