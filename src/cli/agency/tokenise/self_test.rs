//! The published known answers, run by this very build: normalisation, match keys and tokens.

use serde::Deserialize;

use crate::crypto::secret::Secret;
use crate::crypto::token::{LinkageKey, TypeKey};
use crate::domain::ids::{ProgrammeCode, TokenType};

const VECTORS: &str = include_str!("../../../../tests/vectors/token-v1.json");

#[derive(Deserialize)]
struct Vectors {
    programme: ProgrammeCode,
    epoch: u32,
    norm: u16,
    linkage_root_key: String,
    tokens: Vec<TokenVector>,
}

#[derive(Deserialize)]
struct TokenVector {
    r#type: TokenType,
    value_hex: String,
    token: String,
    key_check: String,
}

/// How many answers were compared.
pub(super) struct Counts {
    pub(super) identity: usize,
    pub(super) tokens: usize,
}

/// Runs everything; the error says what does not come out.
pub(super) fn run() -> Result<Counts, String> {
    let identity = crate::identity::self_test().map_err(|failure| failure.to_string())?;
    let tokens = tokens(VECTORS)?;
    Ok(Counts { identity, tokens })
}

fn tokens(text: &str) -> Result<usize, String> {
    let unreadable = || "the token vectors built into this program cannot be read".to_owned();
    let vectors: Vectors = serde_json::from_str(text).map_err(|_| unreadable())?;
    let root = LinkageKey::new(Secret::from_hex(&vectors.linkage_root_key).map_err(|_| unreadable())?);
    for (at, vector) in vectors.tokens.iter().enumerate() {
        let key = TypeKey::derive(&root, &vectors.programme, vectors.epoch, &vector.r#type, vectors.norm);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let value: Option<Vec<u8>> = vector.value_hex.as_bytes().chunks(2).map(byte).collect();
        let is_right = key.token(&value.ok_or_else(unreadable)?).to_text() == vector.token
            && super::super::key_file::hex(&key.key_check()) == vector.key_check;
        if !is_right {
            return Err(format!("token {}, case {}: the result differs from the vector", vector.r#type, at + 1));
        }
    }
    Ok(vectors.tokens.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_answers_come_out_and_a_changed_one_does_not() {
        let counts = run().unwrap_or_else(|failure| panic!("{failure}"));
        assert!(counts.identity >= 150 && counts.tokens == 6);
        let changed = VECTORS.replace("7kbGVthM8uxg", "7kbGVthM8uxh");
        assert!(tokens(&changed).is_err_and(|failure| failure.contains("nhs")));
    }
}
