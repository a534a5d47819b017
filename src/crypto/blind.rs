//! Blinding: the gateway's own keyed transform of a token, the only form that is stored.
//!
//! Agencies hold the linkage key and never the blinding key; the gateway holds the blinding key
//! and never the linkage key. Naming anybody from a stolen database takes both.

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
}

impl Blinder {
    /// Takes the programme's blinding key.
    pub fn new(key: &Secret<32>, programme: &ProgrammeCode) -> Self {
        Self { prefix: Keyed::new(key.expose(), labels::BLIND).lp(programme.as_str().as_bytes()) }
    }

    /// Prepares one epoch, type and normalisation version for bulk work.
    pub fn prepare(&self, epoch: u32, token_type: &TokenType, norm: u16) -> BlindType {
        BlindType { prefix: self.prefix.clone().u32(epoch).lp(token_type.as_str().as_bytes()).u16(norm) }
    }

    /// Blinds a single token. For many of one type use [`Blinder::prepare`].
    pub fn blind(&self, epoch: u32, token_type: &TokenType, norm: u16, token: &Token) -> Blinded {
        self.prepare(epoch, token_type, norm).blind(token)
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
}

impl BlindType {
    /// The stored form of a token: 16 bytes.
    pub fn blind(&self, token: &Token) -> Blinded {
        Blinded::new(self.prefix.clone().raw(token.as_bytes()).finish_short())
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
            prop_assert_eq!(stored, ours.prepare(epoch, &nhs, norm).blind(&token));
            prop_assert_ne!(stored, blinder(&other_key, "cornwall").blind(epoch, &nhs, norm, &token));
            prop_assert_ne!(stored, blinder(&key, "devon").blind(epoch, &nhs, norm, &token));
            prop_assert_ne!(stored, ours.blind(epoch + 1, &nhs, norm, &token));
            prop_assert_ne!(stored, ours.blind(epoch, &upn, norm, &token));
            prop_assert_ne!(stored, ours.blind(epoch, &nhs, norm + 1, &token));
            prop_assert_ne!(stored, ours.blind(epoch, &nhs, norm, &other_token));
        }
    }
}
