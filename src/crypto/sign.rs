//! Ed25519 signatures: checkpoints, receipts, release certificates, access tokens, agreements.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::random::Random;
use super::secret::Secret;

/// Why a key is not usable or a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Not a PKCS#8 Ed25519 private key.
    #[error("not an Ed25519 private key in PKCS#8 form")]
    PrivateKey,
    /// Not an Ed25519 public key.
    #[error("not an Ed25519 public key: expected 32 bytes")]
    PublicKey,
    /// The signature was not made by this key over these bytes.
    #[error("signature does not hold")]
    Signature,
}

/// Signs. Holds the 32-byte seed; `Debug` shows only the public half.
pub struct SigningKey {
    seed: Secret<32>,
    pair: Ed25519KeyPair,
}

/// The start of a PKCS#8 version 1 Ed25519 key (RFC 8410, section 7); the seed follows.
const PKCS8_V1: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

impl SigningKey {
    /// Makes a new key.
    pub fn generate(random: &dyn Random) -> Self {
        Self::from_seed(Secret::random(random))
    }

    /// Builds the key from its seed.
    pub fn from_seed(seed: Secret<32>) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).expect("any 32 bytes are an Ed25519 seed");
        Self { seed, pair }
    }

    /// Reads a PKCS#8 DER key, version 1 (OpenSSL) or 2 (ring).
    ///
    /// # Errors
    ///
    /// [`SignError::PrivateKey`] for anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SignError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| SignError::PrivateKey)?;
        // Both versions hold the seed after 16 bytes of header; the public key proves it.
        let seed = der.get(16..48).ok_or(SignError::PrivateKey)?;
        let key = Self::from_seed(Secret::from_slice(seed).map_err(|_| SignError::PrivateKey)?);
        if key.pair.public_key().as_ref() == pair.public_key().as_ref() { Ok(key) } else { Err(SignError::PrivateKey) }
    }

    /// The key as PKCS#8 version 1 DER.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let mut der = Zeroizing::new(Vec::with_capacity(48));
        der.extend_from_slice(&PKCS8_V1);
        der.extend_from_slice(self.seed.expose());
        der
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        signature.as_ref().try_into().expect("Ed25519 signatures have 64 bytes")
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.pair.public_key().as_ref().try_into().expect("Ed25519 public keys have 32 bytes"))
    }

    /// The seed, to store it wrapped.
    pub fn seed(&self) -> &Secret<32> {
        &self.seed
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(redacted, {:?})", self.verifying_key())
    }
}

/// Verifies: 32 bytes that anybody may have.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// Reads the 32 bytes.
    ///
    /// # Errors
    ///
    /// [`SignError::PublicKey`] unless there are 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignError> {
        bytes.try_into().map(Self).map_err(|_| SignError::PublicKey)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature.
    ///
    /// # Errors
    ///
    /// [`SignError::Signature`] unless this key made it over these bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignError> {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).map_err(|_| SignError::Signature)
    }

    /// The key id of a C2SP signed note: the first four bytes of SHA-256 over the key's name, a
    /// newline, the algorithm byte 0x01 and the key.
    ///
    /// Source: <https://c2sp.org/signed-note>.
    pub fn note_key_id(&self, name: &str) -> [u8; 4] {
        let hash = Sha256::new().chain_update(name).chain_update([b'\n', ED25519_NOTE]).chain_update(self.0).finalize();
        std::array::from_fn(|i| hash[i])
    }

    /// The verifier key of a C2SP signed note, as verifiers and witnesses are configured with it:
    /// `name+key id+base64 of algorithm and key`.
    pub fn note_verifier_key(&self, name: &str) -> String {
        let id = u32::from_be_bytes(self.note_key_id(name));
        let key = STANDARD.encode([[ED25519_NOTE].as_slice(), &self.0].concat());
        format!("{name}+{id:08x}+{key}")
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", STANDARD.encode(self.0))
    }
}

/// The algorithm byte of an Ed25519 signature in a signed note.
const ED25519_NOTE: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::crypto::token::vectors::{hex, unhex};

    #[test]
    fn the_second_example_of_rfc_8032_is_signed_alike() {
        // RFC 8032, section 7.1, TEST 2.
        let seed = Secret::from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::from_seed(seed.expect("32 bytes"));
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(hex(key.verifying_key().as_bytes()), public);
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(hex(&key.sign(&[0x72])), signature);
        assert_eq!(key.verifying_key().verify(&[0x72], &unhex(signature)), Ok(()));
        assert_eq!(key.verifying_key().verify(&[0x73], &unhex(signature)), Err(SignError::Signature));
    }

    #[test]
    fn a_key_reads_back_from_both_pkcs8_versions() {
        let key = SigningKey::generate(&SystemRandom::new());
        let again = SigningKey::from_pkcs8(&key.to_pkcs8()).expect("version 1");
        assert_eq!(again.verifying_key(), key.verifying_key());
        let version_2 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).expect("generates");
        let ours = SigningKey::from_pkcs8(version_2.as_ref()).expect("version 2");
        let rings = Ed25519KeyPair::from_pkcs8(version_2.as_ref()).expect("its own");
        assert_eq!(ours.verifying_key().as_bytes(), rings.public_key().as_ref());
        for bad in [&[][..], &[0; 48], &key.to_pkcs8()[..47]] {
            assert_eq!(SigningKey::from_pkcs8(bad).err(), Some(SignError::PrivateKey));
        }
    }

    #[test]
    fn a_signed_note_of_another_implementation_takes_our_key_and_signature() {
        let key = SigningKey::generate(&SystemRandom::new());
        let name = "porth.example/log";
        let text = "porth.example/log\n5\nAAAA\n";
        let mut signature = key.verifying_key().note_key_id(name).to_vec();
        signature.extend_from_slice(&key.sign(text.as_bytes()));
        let note = format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signature));
        let verifier = signed_note::StandardVerifier::new(&key.verifying_key().note_verifier_key(name)).expect("key");
        let list = signed_note::VerifierList::new(vec![Box::new(verifier)]);
        let parsed = signed_note::Note::from_bytes(note.as_bytes()).expect("a note");
        let (verified, _) = parsed.verify(&list).expect("verified");
        assert_eq!(verified.len(), 1);
    }

    #[test]
    fn keys_print_only_their_public_half() {
        let key = SigningKey::generate(&SystemRandom::new());
        assert_eq!(format!("{key:?}"), format!("SigningKey(redacted, {:?})", key.verifying_key()));
    }
}
