//! A hash that a client's key stands by: proof that whoever asks to be enrolled holds the private key
//! of the public one in the request.

use serde_json::json;

use super::assertion::ClientKey;
use super::error::JwtError;
use super::jwk::PublicKey;
use super::jws::{self, Compact};
use crate::crypto::sign::SignError;
use crate::domain::token::encode_base64url;

const TYPE: &str = "porth-join-request+jwt";

/// Signs a hash with a client's key.
///
/// # Errors
///
/// [`SignError::PrivateKey`] if the key cannot sign.
pub fn sign_statement(key: &ClientKey, sha256: &[u8; 32]) -> Result<String, SignError> {
    let public = key.public();
    let algorithm = public.algorithm();
    let header = json!({ "alg": algorithm.name(), "typ": TYPE, "kid": public.thumbprint() });
    let claims = json!({ "sha256": encode_base64url(sha256) });
    jws::sign(&header, &claims, &key.encoding_key(), algorithm.into()).map_err(|_| SignError::PrivateKey)
}

/// Checks that the key of a public key signed exactly this hash.
///
/// # Errors
///
/// [`JwtError`] for another form, another key or another hash.
pub fn verify_statement(text: &str, key: &PublicKey, sha256: &[u8; 32]) -> Result<(), JwtError> {
    let compact = Compact::parse(text, TYPE)?;
    compact.verify(key)?;
    compact.claims.exactly("sha256", &encode_base64url(sha256), "the hash of what it stands by")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;

    #[test]
    fn only_the_key_itself_stands_by_only_this_hash() {
        let keys = [ClientKey::generate(&SystemRandom::new()), ClientKey::generate_p256().expect("a key")];
        for key in &keys {
            let text = sign_statement(key, &[7; 32]).expect("signs");
            assert_eq!(verify_statement(&text, &key.public(), &[7; 32]), Ok(()));
            assert!(verify_statement(&text, &key.public(), &[8; 32]).is_err());
        }
        let text = sign_statement(&keys[0], &[7; 32]).expect("signs");
        let other = ClientKey::generate(&SystemRandom::new());
        assert!(verify_statement(&text, &other.public(), &[7; 32]).is_err());
        assert!(verify_statement(&text, &keys[1].public(), &[7; 32]).is_err());
    }
}
