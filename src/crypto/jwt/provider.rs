//! ring behind the `jsonwebtoken` crate, which has no cryptography of its own in this build.
//!
//! Signs EdDSA and ES256. Verifies those and, for officers' identity providers, RS256 and PS256
//! with 2048 to 8192 bits. Every other algorithm is refused here, whatever a caller allows.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// Makes ring the cryptography of `jsonwebtoken` for this process. Call it first in `main`; calling
/// it again changes nothing. Everything in this module calls it by itself.
pub fn install() {
    static PROVIDER: CryptoProvider =
        CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };
    // An error means that it is already installed; nothing else in this process installs one.
    let _ = PROVIDER.install_default();
}

enum RingSigner {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the crate fixes the signature")]
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    if !same_family(*algorithm, key.family()) {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    let signer = match algorithm {
        Algorithm::EdDSA => RingSigner::EdDsa(
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes()).map_err(|_| ErrorKind::InvalidEddsaKey)?,
        ),
        Algorithm::ES256 => RingSigner::Es256(
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_bytes(), &SystemRandom::new())
                .map_err(|_| ErrorKind::InvalidEcdsaKey)?,
        ),
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    Ok(Box::new(signer))
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        match self {
            Self::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Es256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignatureError::new()),
        }
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::EdDsa(_) => Algorithm::EdDSA,
            Self::Es256(_) => Algorithm::ES256,
        }
    }
}

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKeyKind,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the crate fixes the signature")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let known = matches!(algorithm, Algorithm::EdDSA | Algorithm::ES256 | Algorithm::RS256 | Algorithm::PS256);
    if !known {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    if !same_family(*algorithm, key.family()) {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(RingVerifier { algorithm: *algorithm, key: key.kind().clone() }))
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let verified = match (self.algorithm, &self.key) {
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature)
            }
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Algorithm::PS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signature)
            }
            _ => Err(ring::error::Unspecified),
        };
        verified.map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Without this an HMAC algorithm could be run with a public key as its secret.
fn same_family(algorithm: Algorithm, family: jsonwebtoken::AlgorithmFamily) -> bool {
    use jsonwebtoken::AlgorithmFamily::{Ec, Ed, Rsa};
    let wanted = match algorithm {
        Algorithm::EdDSA => Ed,
        Algorithm::ES256 => Ec,
        Algorithm::RS256 | Algorithm::PS256 => Rsa,
        _ => return false,
    };
    family == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_and_other_algorithms_are_refused_whatever_the_key() {
        install();
        let public = DecodingKey::from_ed_der(&[7; 32]);
        let secret = DecodingKey::from_secret(&[7; 32]);
        for algorithm in [Algorithm::HS256, Algorithm::HS512, Algorithm::ES384, Algorithm::RS512, Algorithm::PS384] {
            for key in [&public, &secret] {
                assert!(jsonwebtoken::crypto::verify("AAAA", b"m", key, algorithm).is_err());
            }
        }
        for algorithm in [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256] {
            assert!(jsonwebtoken::crypto::verify("AAAA", b"m", &secret, algorithm).is_err());
        }
        assert!(jsonwebtoken::crypto::sign(b"m", &EncodingKey::from_secret(&[1; 32]), Algorithm::HS256).is_err());
    }

    #[test]
    fn a_key_of_the_wrong_length_is_refused_and_does_not_panic() {
        install();
        for length in [0, 3, 31, 33, 64] {
            let key = DecodingKey::from_ed_der(&vec![1; length]);
            let verified = jsonwebtoken::crypto::verify(&"A".repeat(86), b"m", &key, Algorithm::EdDSA);
            assert!(!verified.expect("a Boolean"), "{length}");
        }
    }

    #[test]
    fn weak_rsa_keys_verify_nothing() {
        install();
        let key = DecodingKey::from_rsa_raw_components(&[0xff; 128], &[1, 0, 1]);
        for algorithm in [Algorithm::RS256, Algorithm::PS256] {
            assert!(!jsonwebtoken::crypto::verify("AAAA", b"m", &key, algorithm).expect("a Boolean"));
        }
    }
}
