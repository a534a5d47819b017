//! Blinding: the gateway's own keyed transform of a token, the only form that is stored.
//!
//! Agencies hold the linkage key and never the blinding key; the gateway holds the blinding key
//! and never the linkage key. Naming anybody from a stolen database takes both.
//!
//! A blinding key is replaced by stacking: what is stored goes through the new key as well, and so
//! does every new arrival, after the old one. The old key alone then matches nothing.

use std::fmt;

use super::mac::Keyed;
use super::secret::Secret;
use crate::domain::ids::{ProgrammeCode, TokenType};
use crate::domain::labels;
use crate::domain::token::{Blinded, Token};

/// Blinds the tokens of one programme.
pub struct Blinder {
    /// The message up to the programme, already hashed.
    prefix: Keyed,
    /// The same for pair tokens, under their own label.
    pairs: Keyed,
    /// The keys that were stacked on the first, in order.
    layers: Vec<Layer>,
}

/// A blinding key that was stacked on earlier ones.
#[derive(Clone)]
struct Layer {
    tokens: Keyed,
    tags: Keyed,
}

impl Layer {
    fn apply(&self, blinded: Blinded) -> Blinded {
        Blinded::new(self.tokens.clone().raw(blinded.as_bytes()).finish_short())
    }
}

impl Blinder {
    /// Takes the programme's blinding key.
    pub fn new(key: &Secret<32>, programme: &ProgrammeCode) -> Self {
        let keyed = |label| Keyed::new(key.expose(), label).lp(programme.as_str().as_bytes());
        Self { prefix: keyed(labels::BLIND), pairs: keyed(labels::PAIR), layers: Vec::new() }
    }

    /// Stacks the next blinding key of the programme on those that are there.
    #[must_use]
    pub fn with_layer(mut self, key: &Secret<32>, programme: &ProgrammeCode) -> Self {
        let keyed = |label| Keyed::new(key.expose(), label).lp(programme.as_str().as_bytes());
        self.layers.push(Layer { tokens: keyed(labels::RESTACK), tags: keyed(labels::TAG_RESTACK) });
        self
    }

    /// How many keys there are: the first and those stacked on it.
    pub fn layers(&self) -> u32 {
        u32::try_from(self.layers.len()).unwrap_or(u32::MAX - 1) + 1
    }

    /// Takes what went through `layers` keys through the next one as well; `None` when that key is not here.
    pub fn restack(&self, layers: u32, blinded: Blinded) -> Option<Blinded> {
        Some(self.layer_after(layers)?.apply(blinded))
    }

    /// Takes a tag of the subject index through the same key as [`Blinder::restack`].
    pub fn restack_tag(&self, layers: u32, tag: &[u8; 16]) -> Option<[u8; 16]> {
        Some(self.layer_after(layers)?.tags.clone().raw(tag).finish_short())
    }

    fn layer_after(&self, layers: u32) -> Option<&Layer> {
        self.layers.get(usize::try_from(layers).ok()?.checked_sub(1)?)
    }

    /// The pair token of two records, through the first `layers` keys: what is stored went through as
    /// many, and [`Blinder::restack`] takes it through the next. `parts` are the origin and the two
    /// records' agency, feed and reference, in the records' order.
    pub fn pair(&self, layers: u32, parts: [&str; 7]) -> Blinded {
        let keyed = parts.iter().fold(self.pairs.clone(), |keyed, part| keyed.lp(part.as_bytes()));
        let stacked = usize::try_from(layers.saturating_sub(1)).unwrap_or(usize::MAX);
        let first = Blinded::new(keyed.finish_short());
        self.layers.iter().take(stacked).fold(first, |blinded, layer| layer.apply(blinded))
    }

    /// Prepares one epoch, type and normalisation version for bulk work, through the first `layers`
    /// keys: as many as the stored tokens went through. More than there are means all.
    pub fn prepare(&self, epoch: u32, token_type: &TokenType, norm: u16, layers: u32) -> BlindType {
        let prefix = self.prefix.clone().u32(epoch).lp(token_type.as_str().as_bytes()).u16(norm);
        let stacked = usize::try_from(layers.saturating_sub(1)).unwrap_or(usize::MAX);
        BlindType { prefix, layers: self.layers.iter().take(stacked).cloned().collect() }
    }

    /// Blinds a single token through every key. For many of one type use [`Blinder::prepare`].
    pub fn blind(&self, epoch: u32, token_type: &TokenType, norm: u16, token: &Token) -> Blinded {
        self.prepare(epoch, token_type, norm, self.layers()).blind(token)
    }
}

impl fmt::Debug for Blinder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinder(redacted)")
    }
}

/// Blinds tokens of one epoch, type and normalisation version: one hash state copied per token.
pub struct BlindType {
    prefix: Keyed,
    layers: Vec<Layer>,
}

impl BlindType {
    /// The stored form of a token: 16 bytes.
    pub fn blind(&self, token: &Token) -> Blinded {
        let first = Blinded::new(self.prefix.clone().raw(token.as_bytes()).finish_short());
        self.layers.iter().fold(first, |blinded, layer| layer.apply(blinded))
    }
}

impl fmt::Debug for BlindType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindType(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::token::vectors::{self, hex, key};

    fn blinder(key: &[u8; 32], programme: &str) -> Blinder {
        let key = Secret::from_slice(key).expect("32");
        Blinder::new(&key, &ProgrammeCode::parse(programme).expect("a code"))
    }

    #[test]
    fn blinded_tokens_equal_those_of_another_implementation() {
        let vectors = vectors::read();
        let blinder = Blinder::new(&key(&vectors.blinding_key), &vectors.programme);
        for vector in &vectors.tokens {
            let token = Token::parse(&vector.token).expect("a token");
            let blinded = blinder.blind(vectors.epoch, &vector.r#type, vectors.norm, &token);
            assert_eq!(hex(blinded.as_bytes()), vector.blinded);
        }
    }

    #[test]
    fn a_pair_token_is_the_same_before_and_after_another_key_is_stacked() {
        let programme = ProgrammeCode::parse("cornwall").expect("a code");
        let next = Secret::from_slice(&[9; 32]).expect("32");
        let (one, two) = (blinder(&[7; 32], "cornwall"), blinder(&[7; 32], "cornwall").with_layer(&next, &programme));
        let parts = ["confirmed", "education", "attendance", "r1", "police", "outcomes", "r2"];
        let mut other = parts;
        other[6] = "r3";
        assert_eq!(one.pair(1, parts), two.pair(1, parts));
        assert_eq!(two.restack(1, one.pair(1, parts)), Some(two.pair(2, parts)));
        assert_ne!(two.pair(1, parts), two.pair(2, parts));
        assert_ne!(one.pair(1, parts), one.pair(1, other));
        assert_ne!(one.pair(1, parts), blinder(&[7; 32], "devon").pair(1, parts));
    }

    proptest! {
        #[test]
        fn the_stored_form_differs_by_key_programme_epoch_type_norm_and_token(
            key in any::<[u8; 32]>(), token in any::<[u8; 32]>(), epoch in 0u32..u32::MAX, norm in 0u16..u16::MAX,
        ) {
            let nhs = TokenType::parse("nhs").expect("a code");
            let upn = TokenType::parse("upn").expect("a code");
            let mut other_key = key;
            other_key[31] ^= 1;
            let mut other_token = token;
            other_token[0] ^= 0x80;
            let (token, other_token) = (Token::new(token), Token::new(other_token));
            let ours = blinder(&key, "cornwall");
            let stored = ours.blind(epoch, &nhs, norm, &token);
            prop_assert_eq!(stored, ours.prepare(epoch, &nhs, norm, 1).blind(&token));
            prop_assert_ne!(stored, blinder(&other_key, "cornwall").blind(epoch, &nhs, norm, &token));
            prop_assert_ne!(stored, blinder(&key, "devon").blind(epoch, &nhs, norm, &token));
            prop_assert_ne!(stored, ours.blind(epoch + 1, &nhs, norm, &token));
            prop_assert_ne!(stored, ours.blind(epoch, &upn, norm, &token));
            prop_assert_ne!(stored, ours.blind(epoch, &nhs, norm + 1, &token));
            prop_assert_ne!(stored, ours.blind(epoch, &nhs, norm, &other_token));
        }
    }
}
