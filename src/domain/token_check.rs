//! Tokens of the test people: whether an agency's system makes the tokens that it should.
//!
//! A key check shows that a system holds the right key, not that it uses it. A system that sends an old
//! hash value, written anew in the text form of a token, cannot be told from one that makes tokens. So
//! the key custodian computes tokens for a published list of invented people and registers their hash,
//! and before an agency delivers anything its own system has to come to the same ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ids::{ProgrammeCode, TokenType};
use super::labels;
use super::token::Token;

/// Tokens by the number of the test person, then by type.
pub type TestTokens = BTreeMap<u16, BTreeMap<TokenType, Vec<Token>>>;

/// Most test people that a check may speak of.
pub const MOST_TEST_PEOPLE: usize = 64;

/// What an agency's system sends: the tokens that it makes of the test people in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCheck {
    /// The programme.
    #[schema(value_type = String)]
    pub programme: ProgrammeCode,
    /// SHA-256 of the match-keys file, hexadecimal.
    pub match_keys: String,
    /// Linkage key epoch.
    pub epoch: u32,
    /// The person's number in the list, then the token type, then its tokens in any order.
    #[schema(value_type = Object)]
    pub people: TestTokens,
}

/// What came of one token type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TypeOutcome {
    /// The tokens are the registered ones.
    Equal,
    /// They are others.
    Differs,
    /// None were sent.
    Missing,
}

/// One hash for each type, over the tokens of every person:
/// `SHA-256("porth/v1/test-people" + LP(type) + u16(person) + u16(count) + tokens in ascending order + …)`.
pub fn digests(people: &TestTokens) -> BTreeMap<TokenType, [u8; 32]> {
    let mut hashes: BTreeMap<TokenType, Sha256> = BTreeMap::new();
    for (person, types) in people {
        for (token_type, tokens) in types.iter().filter(|(_, tokens)| !tokens.is_empty()) {
            let hash = hashes.entry(token_type.clone()).or_insert_with(|| begin(token_type));
            let mut tokens: Vec<&[u8; 32]> = tokens.iter().map(Token::as_bytes).collect();
            tokens.sort_unstable();
            hash.update(person.to_be_bytes());
            hash.update((tokens.len() as u16).to_be_bytes());
            for token in tokens {
                hash.update(token);
            }
        }
    }
    hashes.into_iter().map(|(token_type, hash)| (token_type, hash.finalize().into())).collect()
}

fn begin(token_type: &TokenType) -> Sha256 {
    let name = token_type.as_str().as_bytes();
    let mut hash = Sha256::new();
    hash.update(labels::TEST_PEOPLE);
    hash.update((name.len() as u16).to_be_bytes());
    hash.update(name);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(people: &[(u16, &str, &[u8])]) -> TestTokens {
        let mut all = TestTokens::new();
        for (person, token_type, values) in people {
            let values = values.iter().map(|value| Token::new([*value; 32])).collect();
            all.entry(*person).or_default().insert(TokenType::parse(token_type).expect("a type"), values);
        }
        all
    }

    #[test]
    fn the_hash_of_a_type_depends_on_its_own_tokens_and_whose_they_are_alone() {
        let nhs = TokenType::parse("nhs").expect("a type");
        let of = |people: &[(u16, &str, &[u8])]| digests(&tokens(people)).get(&nhs).copied();
        let whole = of(&[(1, "nhs", &[1, 2]), (2, "nhs", &[3])]);
        assert_eq!(whole, of(&[(1, "nhs", &[2, 1]), (2, "nhs", &[3]), (2, "k3", &[9])]), "order and other types");
        for other in [
            of(&[(1, "nhs", &[1]), (2, "nhs", &[2, 3])]),
            of(&[(2, "nhs", &[1, 2]), (1, "nhs", &[3])]),
            of(&[(1, "nhs", &[1, 2])]),
            of(&[(1, "nhs", &[1, 2]), (2, "nhs", &[4])]),
        ] {
            assert_ne!(whole, other);
        }
        assert_eq!(of(&[(1, "nhs", &[])]), None, "no token is no evidence");
        let legacy = TokenType::parse("legacy").expect("a type");
        let same = digests(&tokens(&[(1, "nhs", &[1]), (1, "legacy", &[1])]));
        assert_ne!(same[&nhs], same[&legacy], "a type's hash is of no use for another");
    }
}
