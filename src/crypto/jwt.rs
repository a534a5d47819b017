//! JSON Web Tokens, the strict part of the standard that we need and nothing else.
//!
//! | file | what |
//! |---|---|
//! | `provider` | ring behind the `jsonwebtoken` crate; [`install`] it once at start-up |
//! | `jwk` | public keys as partners register them: every member checked |
//! | `jws` | the compact form: size, alphabet, duplicates, header, signature |
//! | `assertion` | `private_key_jwt` client assertions |
//! | `statement` | a hash that a client's key stands by |
//! | `identity` | identity tokens of the provider by which people sign in to the console |
//! | `access` | the gateway's own access tokens, bound to a client certificate |
//!
//! `jsonwebtoken`'s validation is not used: by default it accepts a missing or numeric issuer, an
//! array for the audience, an unchecked `nbf`, a lifetime of years, unknown critical headers and
//! embedded keys. It signs and verifies; what a token must say is checked here.

mod access;
mod assertion;
mod error;
mod identity;
mod jwk;
mod jws;
mod provider;
mod statement;

pub use access::{AccessClaims, AccessGrant, AccessTokens, SignedToken};
pub use assertion::{Assertion, AssertionVerifier, ClientKey, RegisteredKey, UnverifiedAssertion, make_assertion};
pub use error::{ClaimFault, JwkError, JwtError, JwtPart};
pub use identity::{Expected, ProviderKeys, SignedIn};
pub use jwk::{JwsAlgorithm, PublicKey};
pub use provider::install;
pub use statement::{sign_statement, verify_statement};

#[cfg(test)]
mod tests;
