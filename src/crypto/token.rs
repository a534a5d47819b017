//! Tokens: what an agency sends instead of an identifier (scheme `pt1`).
//!
//! The linkage key is made and held by key custodians in the agencies. The gateway never has it,
//! nor any type key: it only compares the [key checks](TypeKey::key_check).

use std::fmt;

use super::mac::{Keyed, derive_key, push_lp};
use super::random::Random;
use super::secret::Secret;
use crate::domain::ids::{ProgrammeCode, TokenType};
use crate::domain::labels;
use crate::domain::token::Token;

/// The programme's linkage root key, from which every type key follows.
pub struct LinkageKey(Secret<32>);

impl LinkageKey {
    /// Makes a new linkage key, on a key custodian's machine.
    pub fn generate(random: &dyn Random) -> Self {
        Self(Secret::random(random))
    }

    /// Wraps key bytes read from a custodian's file.
    pub fn new(root: Secret<32>) -> Self {
        Self(root)
    }

    /// The key bytes, to write the custodian's file.
    pub fn secret(&self) -> &Secret<32> {
        &self.0
    }
}

impl fmt::Debug for LinkageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkageKey(redacted)")
    }
}

/// Mints the tokens of one type, in one epoch, from values normalised by one version.
///
/// An agency may hold only the type keys it needs: with the key of `uprn` nobody mints `nhs`.
pub struct TypeKey {
    key: Secret<32>,
    /// The message up to the value, already hashed.
    prefix: Keyed,
    key_check: [u8; 8],
}

impl TypeKey {
    /// Derives a type key from the linkage key.
    pub fn derive(root: &LinkageKey, programme: &ProgrammeCode, epoch: u32, token_type: &TokenType, norm: u16) -> Self {
        let mut salt = labels::PROGRAMME.as_bytes().to_vec();
        push_lp(&mut salt, programme.as_str().as_bytes());
        salt.extend_from_slice(&epoch.to_be_bytes());
        let mut info = labels::TOKEN_KEY.as_bytes().to_vec();
        push_lp(&mut info, token_type.as_str().as_bytes());
        info.extend_from_slice(&norm.to_be_bytes());
        Self::from_bytes(derive_key(root.0.expose(), &salt, &info), programme, epoch, token_type, norm)
    }

    /// Uses a type key that a custodian handed out by itself. Programme, epoch, type and version
    /// must be those it was derived for; a mistake shows as a wrong key check at the gateway only
    /// when the key itself is wrong, so keep them in the same file.
    pub fn from_bytes(
        key: Secret<32>,
        programme: &ProgrammeCode,
        epoch: u32,
        token_type: &TokenType,
        norm: u16,
    ) -> Self {
        let prefix = Keyed::new(key.expose(), labels::TOKEN)
            .lp(token_type.as_str().as_bytes())
            .u16(norm)
            .lp(programme.as_str().as_bytes())
            .u32(epoch);
        let key_check = Keyed::new(key.expose(), labels::KEY_CHECK).finish_short();
        Self { key, prefix, key_check }
    }

    /// The token of a normalised value. Empty, sentinel and invalid values must not get this far.
    pub fn token(&self, value: &[u8]) -> Token {
        Token::new(self.prefix.finish_with_lp(value))
    }

    /// Eight bytes that tell the gateway whether two agencies hold the same key, and nothing else.
    pub fn key_check(&self) -> [u8; 8] {
        self.key_check
    }

    /// The key bytes, to hand this one type to an agency.
    pub fn secret(&self) -> &Secret<32> {
        &self.key
    }
}

impl fmt::Debug for TypeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypeKey(redacted)")
    }
}

/// Known answers that another implementation computed, for this file and its neighbours.
#[cfg(test)]
pub(crate) mod vectors {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    pub(crate) struct Vectors {
        pub(crate) programme: ProgrammeCode,
        pub(crate) epoch: u32,
        pub(crate) norm: u16,
        pub(crate) linkage_root_key: String,
        pub(crate) blinding_key: String,
        pub(crate) pseudonym_key: String,
        pub(crate) subject_id: String,
        pub(crate) tokens: Vec<TokenVector>,
        pub(crate) pseudonyms: Vec<PseudonymVector>,
    }

    #[derive(Deserialize)]
    pub(crate) struct TokenVector {
        pub(crate) r#type: TokenType,
        pub(crate) value_hex: String,
        pub(crate) type_key: String,
        pub(crate) token: String,
        pub(crate) key_check: String,
        pub(crate) blinded: String,
    }

    #[derive(Deserialize)]
    pub(crate) struct PseudonymVector {
        pub(crate) recipient: crate::domain::ids::AgencyCode,
        pub(crate) agreement: crate::domain::ids::AgreementCode,
        pub(crate) purpose: crate::domain::ids::PurposeCode,
        pub(crate) epoch: u32,
        pub(crate) pseudonym: String,
    }

    pub(crate) fn read() -> Vectors {
        serde_json::from_str(include_str!("../../tests/vectors/token-v1.json")).expect("the vector file")
    }

    pub(crate) fn key(hex: &str) -> Secret<32> {
        Secret::from_hex(hex).expect("32 bytes in hexadecimal")
    }

    pub(crate) fn unhex(hex: &str) -> Vec<u8> {
        let digit = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal");
        (0..hex.len()).step_by(2).map(digit).collect()
    }

    pub(crate) fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::vectors::{hex, key, unhex};
    use super::*;
    use crate::crypto::random::SystemRandom;

    fn type_key(root: &LinkageKey, programme: &str, epoch: u32, token_type: &str, norm: u16) -> TypeKey {
        let programme = ProgrammeCode::parse(programme).expect("a code");
        TypeKey::derive(root, &programme, epoch, &TokenType::parse(token_type).expect("a code"), norm)
    }

    #[test]
    fn tokens_equal_those_of_another_implementation() {
        let vectors = vectors::read();
        let root = LinkageKey::new(key(&vectors.linkage_root_key));
        assert_eq!(vectors.tokens.len(), 6);
        for vector in &vectors.tokens {
            let type_key = TypeKey::derive(&root, &vectors.programme, vectors.epoch, &vector.r#type, vectors.norm);
            assert_eq!(hex(type_key.secret().expose()), vector.type_key);
            assert_eq!(type_key.token(&unhex(&vector.value_hex)).to_text(), vector.token);
            assert_eq!(hex(&type_key.key_check()), vector.key_check);
        }
    }

    #[test]
    fn a_type_key_alone_mints_the_same_tokens_as_the_linkage_key() {
        let vectors = vectors::read();
        for vector in &vectors.tokens {
            let alone = TypeKey::from_bytes(
                key(&vector.type_key),
                &vectors.programme,
                vectors.epoch,
                &vector.r#type,
                vectors.norm,
            );
            assert_eq!(alone.token(&unhex(&vector.value_hex)).to_text(), vector.token);
        }
    }

    #[test]
    fn keys_print_nothing_of_themselves() {
        let root = LinkageKey::generate(&SystemRandom::new());
        assert_eq!(format!("{root:?}"), "LinkageKey(redacted)");
        assert_eq!(format!("{:?}", type_key(&root, "p", 1, "nhs", 1)), "TypeKey(redacted)");
    }

    proptest! {
        #[test]
        fn a_token_differs_by_programme_type_epoch_norm_and_value(
            seed in any::<[u8; 32]>(),
            one in ("[a-z]{1,8}", 0u32..9, "[a-z][a-z0-9]{0,4}", 0u16..4, any::<Vec<u8>>()),
            two in ("[a-z]{1,8}", 0u32..9, "[a-z][a-z0-9]{0,4}", 0u16..4, any::<Vec<u8>>()),
        ) {
            let root = LinkageKey::new(Secret::from_slice(&seed).expect("32"));
            let token = |c: &(String, u32, String, u16, Vec<u8>)| type_key(&root, &c.0, c.1, &c.2, c.3).token(&c.4);
            prop_assert_eq!(token(&one), token(&one.clone()));
            prop_assert_eq!(token(&one) == token(&two), one == two);
            // One part changed at a time: the pairs above differ in several.
            let mut changed = [one.clone(), one.clone(), one.clone(), one.clone(), one.clone()];
            changed[0].0.push('x');
            changed[1].1 += 1;
            changed[2].2.push('x');
            changed[3].3 += 1;
            changed[4].4.push(0);
            for case in &changed {
                prop_assert_ne!(token(case), token(&one));
            }
        }
    }
}
