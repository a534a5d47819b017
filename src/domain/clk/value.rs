//! A filter on the wire: what it must share with another to be compared, and its bits.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Space;
use crate::domain::token::{decode_base64url, encode_base64url};

const HEAD: usize = 16 + 4 + 8;
/// What filters of 512, 1024 and 2048 bits come to with their head.
const LENGTHS: [usize; 3] = [HEAD + 64, HEAD + 128, HEAD + 256];

/// Why a text is no fuzzy encoding. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a fuzzy encoding: it is 123, 208 or 379 base64url characters and not empty; values in clear are refused")]
pub struct ClkError;

/// A fuzzy encoding as an agency makes it. `Debug` hides the bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Clk {
    space: Space,
    words: Box<[u64]>,
}

impl Clk {
    /// Puts a filter together; none when it has no ones, because two empty filters would seem alike.
    pub fn new(space: Space, words: &[u64]) -> Option<Self> {
        words.iter().any(|word| *word != 0).then(|| Self { space, words: words.into() })
    }

    /// Parses the text form.
    ///
    /// # Errors
    ///
    /// [`ClkError`] unless it is canonical base64url of one of the known lengths, with a one in it.
    pub fn parse(text: &str) -> Result<Self, ClkError> {
        fn bytes<const N: usize>(text: &str) -> Option<Vec<u8>> {
            decode_base64url::<N>(text).map(|bytes| bytes.to_vec())
        }
        let bytes = bytes::<{ LENGTHS[0] }>(text)
            .or_else(|| bytes::<{ LENGTHS[1] }>(text))
            .or_else(|| bytes::<{ LENGTHS[2] }>(text));
        bytes.and_then(|bytes| Self::from_bytes(&bytes)).ok_or(ClkError)
    }

    /// Reads the bytes behind the text form: a head of 28, then the bits. None for other lengths and for
    /// a filter without a one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if !LENGTHS.contains(&bytes.len()) {
            return None;
        }
        let (profile, rest) = bytes.split_first_chunk::<16>()?;
        let (epoch, rest) = rest.split_first_chunk::<4>()?;
        let (key_check, rest) = rest.split_first_chunk::<8>()?;
        let space = Space { profile: *profile, epoch: u32::from_be_bytes(*epoch), key_check: *key_check };
        let (words, _) = rest.as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        Self::new(space, &words)
    }

    /// The text form: base64url without padding.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(HEAD + 8 * self.words.len());
        bytes.extend_from_slice(&self.space.profile);
        bytes.extend_from_slice(&self.space.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.space.key_check);
        bytes.extend(self.words.iter().flat_map(|word| word.to_le_bytes()));
        encode_base64url(&bytes)
    }

    /// What another filter must share with it to be compared.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The bits, 64 to a word.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

impl fmt::Debug for Clk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clk(redacted)")
    }
}

impl Serialize for Clk {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Clk {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: Space = Space { profile: [7; 16], epoch: 3, key_check: [9; 8] };

    #[test]
    fn a_filter_written_and_read_is_the_same() {
        for (words, length) in [(8, 123), (16, 208), (32, 379)] {
            let clk = Clk::new(SPACE, &vec![0x0123_4567_89ab_cdef; words]).expect("not empty");
            let text = clk.to_text();
            assert_eq!(text.len(), length);
            assert_eq!(Clk::parse(&text), Ok(clk.clone()));
            let json = serde_json::to_string(&clk).expect("text");
            assert_eq!(serde_json::from_str::<Clk>(&json).expect("read"), clk);
            assert!(Clk::parse(&text[1..]).is_err() && Clk::parse(&format!("{text}=")).is_err());
            assert!(Clk::from_bytes(&[9; HEAD + 65]).is_none(), "no such length");
        }
    }

    #[test]
    fn an_empty_filter_and_a_value_in_clear_are_none() {
        assert!(Clk::new(SPACE, &[0; 16]).is_none());
        let empty = encode_base64url(&[0; HEAD + 128]);
        for text in ["", "Ada Lovelace", &empty] {
            assert_eq!(Clk::parse(text), Err(ClkError));
        }
    }

    #[test]
    fn nothing_of_a_filter_is_shown() {
        let clk = Clk::new(SPACE, &[1; 16]).expect("not empty");
        assert_eq!(format!("{clk:?}"), "Clk(redacted)");
        let shown = serde_json::from_str::<Clk>("\"Ada Lovelace\"").expect_err("refused").to_string();
        assert!(!shown.contains("Ada"), "{shown}");
    }
}
