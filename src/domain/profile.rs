//! Evidence of the privacy profiles B and C: what of a record only a match run may read.
//!
//! The gateway seals it on arrival to a key that it does not have. One length for all: whether a
//! record came with many tokens, few or none does not show.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::token::{Blinded, encode_base64url};

/// Most field tokens of one record, of all types and epochs.
pub const MOST_FIELD_TOKENS: usize = 160;
/// Most bytes of a fuzzy encoding.
pub const MOST_CLK_BYTES: usize = 512;
/// The length that every record's evidence is padded to before it is sealed.
pub const PADDED_BYTES: usize = 4096;

const VERSION: u8 = 1;
const TOKEN_BYTES: usize = 22;
/// Version, blinding keys, number of tokens; then the tokens; then the encoding to the end.
const HEAD_BYTES: usize = 1 + 4 + 2;
const _: () = assert!(HEAD_BYTES + MOST_FIELD_TOKENS * TOKEN_BYTES + MOST_CLK_BYTES < PADDED_BYTES);

/// A fuzzy encoding as an agency made it. What its bytes mean is between agencies and match run.
/// `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Clk(Vec<u8>);

/// The text is not an encoding. Never carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an encoding: base64url of 1 to {MOST_CLK_BYTES} bytes")]
pub struct ClkError;

impl Clk {
    /// Takes the bytes.
    ///
    /// # Errors
    ///
    /// [`ClkError`] for none or too many.
    pub fn new(bytes: Vec<u8>) -> Result<Self, ClkError> {
        if (1..=MOST_CLK_BYTES).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(ClkError) }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Clk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clk(redacted)")
    }
}

impl Serialize for Clk {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode_base64url(&self.0))
    }
}

impl<'de> Deserialize<'de> for Clk {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(|_| serde::de::Error::custom(ClkError))?;
        Self::new(bytes).map_err(serde::de::Error::custom)
    }
}

/// A blinded field token with what makes it comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlindedField {
    /// Small number of its type and norm.
    pub kind: u16,
    /// Linkage key epoch.
    pub epoch: u32,
    /// The blinded value.
    pub value: Blinded,
}

/// One record's evidence, before it is sealed and after it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileEvidence {
    /// How many blinding keys the tokens went through: others are compared with these alone.
    pub layers: u32,
    /// The field tokens.
    pub tokens: Vec<BlindedField>,
    /// The fuzzy encoding.
    pub clk: Option<Clk>,
}

/// The bytes are not evidence of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed evidence of a match run is malformed")]
pub struct ProfileError;

impl ProfileEvidence {
    /// The bytes to seal; fewer than [`PADDED_BYTES`] where the limits above are kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.layers.to_be_bytes());
        bytes.extend_from_slice(&u16::try_from(self.tokens.len()).unwrap_or(u16::MAX).to_be_bytes());
        for token in &self.tokens {
            bytes.extend_from_slice(&token.kind.to_be_bytes());
            bytes.extend_from_slice(&token.epoch.to_be_bytes());
            bytes.extend_from_slice(token.value.as_bytes());
        }
        bytes.extend_from_slice(self.clk.as_ref().map_or(&[], Clk::as_bytes));
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProfileError> {
        let (&version, rest) = bytes.split_first().ok_or(ProfileError)?;
        let (layers, rest) = rest.split_first_chunk::<4>().ok_or(ProfileError)?;
        let (count, rest) = rest.split_first_chunk::<2>().ok_or(ProfileError)?;
        let length = usize::from(u16::from_be_bytes(*count)) * TOKEN_BYTES;
        let (tokens, clk) = rest.split_at_checked(length).ok_or(ProfileError)?;
        if version != VERSION {
            return Err(ProfileError);
        }
        let (pieces, _) = tokens.as_chunks::<TOKEN_BYTES>();
        let tokens = pieces.iter().map(|piece| {
            let mut value = [0; 16];
            value.copy_from_slice(&piece[6..]);
            BlindedField {
                kind: u16::from_be_bytes([piece[0], piece[1]]),
                epoch: u32::from_be_bytes([piece[2], piece[3], piece[4], piece[5]]),
                value: Blinded::new(value),
            }
        });
        let tokens = tokens.collect();
        let clk = if clk.is_empty() { None } else { Some(Clk::new(clk.to_vec()).map_err(|_| ProfileError)?) };
        Ok(Self { layers: u32::from_be_bytes(*layers), tokens, clk })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(tokens: usize, clk: usize) -> ProfileEvidence {
        let token = |at: usize| BlindedField { kind: at as u16, epoch: 7, value: Blinded::new([at as u8; 16]) };
        ProfileEvidence {
            layers: 2,
            tokens: (0..tokens).map(token).collect(),
            clk: (clk > 0).then(|| Clk::new(vec![3; clk]).expect("few")),
        }
    }

    #[test]
    fn evidence_reads_back_as_written_and_its_most_fits() {
        for (tokens, clk) in [(0, 0), (3, 0), (0, 128), (MOST_FIELD_TOKENS, MOST_CLK_BYTES)] {
            let evidence = evidence(tokens, clk);
            let bytes = evidence.to_bytes();
            assert!(bytes.len() < PADDED_BYTES);
            assert_eq!(ProfileEvidence::from_bytes(&bytes), Ok(evidence));
        }
        let bytes = evidence(3, 0).to_bytes();
        for length in 0..bytes.len() {
            assert!(ProfileEvidence::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        assert!(ProfileEvidence::from_bytes(&[&[9], &bytes[1..]].concat()).is_err());
    }

    #[test]
    fn an_encoding_is_base64url_of_a_limited_length() {
        let good: Clk = serde_json::from_str("\"AAEC\"").expect("three bytes");
        assert_eq!(good.as_bytes(), [0, 1, 2]);
        assert_eq!(serde_json::to_string(&good).expect("text"), "\"AAEC\"");
        for bad in ["", "AAE=", "A A", &"A".repeat(700)] {
            assert!(serde_json::from_value::<Clk>(bad.into()).is_err(), "{bad}");
        }
        assert_eq!(format!("{good:?}"), "Clk(redacted)");
    }
}
