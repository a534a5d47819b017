//! Sealing to a public key: HPKE (RFC 9180), base mode, for what the gateway must hand on or keep
//! without being able to read it: identity envelopes, shield openings.
//!
//! Sealed form: suite (1 byte), encapsulated key (32), ciphertext and tag. Suite 1 is X25519,
//! HKDF-SHA256, ChaCha20-Poly1305; the byte is the seam for a post-quantum suite.

use std::convert::Infallible;
use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as KemTrait, OpModeR, OpModeS, Serializable as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::aead;
use super::mac::Keyed;
use super::random::Random;
use super::secret::Secret;
use crate::domain::token::{decode_base64url, encode_base64url};

type Kem = X25519HkdfSha256;
type PrivateKey = <Kem as KemTrait>::PrivateKey;
type PublicKey = <Kem as KemTrait>::PublicKey;
type EncappedKey = <Kem as KemTrait>::EncappedKey;

/// Why something cannot be sealed or opened. Carries no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text is not a sealing public key.
    #[error("not a sealing public key: expected '{PUBLIC_PREFIX}' and 43 base64url characters")]
    PublicKey,
    /// The public key is one that would give everybody the same secret.
    #[error("sealing public key is unusable; ask its owner to make a new one")]
    WeakKey,
    /// The plaintext does not fit the fixed length.
    #[error("plaintext is too long for an envelope of fixed length {0}")]
    TooLong(usize),
    /// Not a sealed message, or of an unknown suite.
    #[error("sealed message is malformed or of an unknown suite")]
    Malformed,
    /// Another key, another purpose, other associated data, or altered.
    #[error("sealed message does not open: another key, another purpose, or altered")]
    Refused,
}

/// A public key that anybody may seal to; written `pspk1_` and 43 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct SealPublicKey(PublicKey);

const PUBLIC_PREFIX: &str = "pspk1_";

impl SealPublicKey {
    /// Reads the 32 bytes.
    ///
    /// # Errors
    ///
    /// [`SealError::PublicKey`] unless there are 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        PublicKey::from_bytes(bytes).map(Self).map_err(|_| SealError::PublicKey)
    }

    /// Reads the text form.
    ///
    /// # Errors
    ///
    /// [`SealError::PublicKey`] for any other text.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let body = text.strip_prefix(PUBLIC_PREFIX).ok_or(SealError::PublicKey)?;
        Self::from_bytes(&decode_base64url::<32>(body).ok_or(SealError::PublicKey)?)
    }

    /// The 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// The key's name where the key itself is not needed: it follows from the key.
    pub fn key_id(&self) -> String {
        let hash = Sha256::digest(self.to_bytes());
        format!("seal-{:016x}", u64::from_be_bytes(std::array::from_fn(|at| hash[at])))
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", encode_base64url(&self.to_bytes()))
    }
}

impl fmt::Debug for SealPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// A key pair of whoever may open: the data team, a programme's shield officers.
pub struct SealKeyPair {
    private: Secret<32>,
    public: SealPublicKey,
}

impl SealKeyPair {
    /// Makes a new pair, on its owner's machine.
    pub fn generate(random: &dyn Random) -> Self {
        let (private, public) = Kem::derive_keypair(Secret::<32>::random(random).expose());
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&private.to_bytes());
        Self { private: Secret::take(&mut bytes), public: SealPublicKey(public) }
    }

    /// Reads the private key back from its owner's file.
    pub fn from_private(private: Secret<32>) -> Self {
        let public = Kem::sk_to_pk(&opened_key(&private));
        Self { private, public: SealPublicKey(public) }
    }

    /// The half that others seal to.
    pub fn public(&self) -> &SealPublicKey {
        &self.public
    }

    /// The private key bytes, to write the owner's file.
    pub fn secret(&self) -> &Secret<32> {
        &self.private
    }

    /// A keyed tag of bytes that only the owner of this pair can make.
    pub fn tag(&self, label: &str, bytes: &[u8]) -> [u8; 16] {
        Keyed::new(self.private.expose(), label).raw(bytes).finish_short()
    }

    /// Opens a message sealed to this pair's public key under the same label and associated data.
    ///
    /// # Errors
    ///
    /// [`SealError::Malformed`] or [`SealError::Refused`].
    pub fn open(&self, label: &str, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (&suite, rest) = sealed.split_first().ok_or(SealError::Malformed)?;
        let (encapsulated, ciphertext) = rest.split_at_checked(ENCAPSULATED).ok_or(SealError::Malformed)?;
        if suite != SUITE_X25519 || ciphertext.len() <= TAG {
            return Err(SealError::Malformed);
        }
        let padded = open_unpadded(&self.private, encapsulated, label.as_bytes(), aad, ciphertext)?;
        aead::unpad(padded).ok_or(SealError::Refused)
    }
}

impl fmt::Debug for SealKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKeyPair(redacted, {:?})", self.public)
    }
}

/// Bytes that sealing adds to the padded length.
pub const OVERHEAD: usize = 1 + ENCAPSULATED + TAG;
const ENCAPSULATED: usize = 32;
const TAG: usize = 16;
const SUITE_X25519: u8 = 1;

/// Seals to a public key, padded so that every message of a kind has one length:
/// `padded_length` + [`OVERHEAD`]. `label` is one of [`crate::domain::labels`]; `aad` binds the
/// message to its place, and opening needs the same.
///
/// # Errors
///
/// [`SealError::TooLong`] if the plaintext leaves no room for one byte of padding,
/// [`SealError::WeakKey`] for a public key of small order.
pub fn seal(
    random: &dyn Random,
    public: &SealPublicKey,
    label: &str,
    aad: &[u8],
    plaintext: &[u8],
    padded_length: usize,
) -> Result<Vec<u8>, SealError> {
    let padded = aead::pad(plaintext, padded_length).ok_or(SealError::TooLong(padded_length))?;
    seal_unpadded(random, public, label.as_bytes(), aad, &padded)
}

fn seal_unpadded(
    random: &dyn Random,
    public: &SealPublicKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeS::Base,
        &public.0,
        info,
        plaintext,
        aad,
        &mut Source(random),
    )
    .map_err(|_| SealError::WeakKey)?;
    Ok([[SUITE_X25519].as_slice(), &encapsulated.to_bytes(), &ciphertext].concat())
}

fn open_unpadded(
    private: &Secret<32>,
    encapsulated: &[u8],
    info: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let encapsulated = EncappedKey::from_bytes(encapsulated).map_err(|_| SealError::Malformed)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeR::Base,
        &opened_key(private),
        &encapsulated,
        info,
        ciphertext,
        aad,
    )
    .map(Zeroizing::new)
    .map_err(|_| SealError::Refused)
}

fn opened_key(private: &Secret<32>) -> PrivateKey {
    PrivateKey::from_bytes(private.expose()).expect("any 32 bytes are an X25519 private key")
}

/// Our randomness in the form that `hpke` takes.
struct Source<'a>(&'a dyn Random);

impl TryRng for Source<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}
impl TryCryptoRng for Source<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::crypto::token::vectors::{hex, unhex};
    use crate::domain::labels::SHIELD_OPENING;

    fn pair() -> SealKeyPair {
        SealKeyPair::generate(&SystemRandom::new())
    }

    #[test]
    fn the_example_of_rfc_9180_opens() {
        // RFC 9180, appendix A.2.1 (this suite, base mode), sequence number 0.
        let private = Secret::from_hex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let pair = SealKeyPair::from_private(private.expect("32 bytes"));
        let public = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
        assert_eq!(hex(&pair.public().to_bytes()), public);
        let encapsulated = unhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
        let ciphertext =
            unhex("1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28");
        let opened = open_unpadded(
            pair.secret(),
            &encapsulated,
            &unhex("4f6465206f6e2061204772656369616e2055726e"),
            b"Count-0",
            &ciphertext,
        );
        assert_eq!(opened.expect("opens").as_slice(), b"Beauty is truth, truth beauty");
    }

    /// Randomness that is given.
    struct Given([u8; 32]);

    impl Random for Given {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.copy_from_slice(&self.0[..buffer.len()]);
        }
    }

    #[test]
    fn the_example_of_rfc_9180_is_sealed_and_its_keys_are_made_alike() {
        // RFC 9180, appendix A.2.1: ikmR and ikmE are the randomness that both key pairs are derived from.
        let given = |text| Given(unhex(text).try_into().expect("32 bytes"));
        let pair = SealKeyPair::generate(&given("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df"));
        // The text gives the last byte as fb; the bit in which this differs is none of the scalar (RFC 7748, section 5).
        assert_eq!(hex(pair.secret().expose()), "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e07b");
        let sealed = seal_unpadded(
            &given("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b"),
            pair.public(),
            &unhex("4f6465206f6e2061204772656369616e2055726e"),
            b"Count-0",
            b"Beauty is truth, truth beauty",
        );
        let sealed = sealed.expect("seals");
        assert_eq!(hex(&sealed[1..33]), "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
        assert_eq!(
            hex(&sealed[33..]),
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
        );
    }

    #[test]
    fn only_the_right_key_label_and_binding_open() {
        let (ours, theirs) = (pair(), pair());
        let sealed = seal(&SystemRandom::new(), ours.public(), SHIELD_OPENING, b"entry 7", b"path", 128).expect("fits");
        assert_eq!(ours.open(SHIELD_OPENING, b"entry 7", &sealed).expect("opens").as_slice(), b"path");
        assert_eq!(theirs.open(SHIELD_OPENING, b"entry 7", &sealed), Err(SealError::Refused));
        assert_eq!(ours.open("porth/v1/other", b"entry 7", &sealed), Err(SealError::Refused));
        assert_eq!(ours.open(SHIELD_OPENING, b"entry 8", &sealed), Err(SealError::Refused));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 0x40;
            assert!(ours.open(SHIELD_OPENING, b"entry 7", &altered).is_err(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(ours.open(SHIELD_OPENING, b"entry 7", &sealed[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn every_message_of_a_kind_has_one_length() {
        let ours = pair();
        let seal = |plaintext: &[u8]| seal(&SystemRandom::new(), ours.public(), SHIELD_OPENING, b"", plaintext, 512);
        assert_eq!(seal(b"").expect("fits").len(), 512 + OVERHEAD);
        assert_eq!(seal(&[1; 511]).expect("fits").len(), 512 + OVERHEAD);
        assert_eq!(seal(&[1; 512]), Err(SealError::TooLong(512)));
        assert_ne!(seal(b"x"), seal(b"x"));
    }

    #[test]
    fn keys_read_back_as_written() {
        let ours = pair();
        let private = Secret::from_slice(ours.secret().expose()).expect("32");
        assert_eq!(SealKeyPair::from_private(private).public(), ours.public());
        assert_eq!(SealPublicKey::parse(&ours.public().to_text()).as_ref(), Ok(ours.public()));
        let other_prefix = ours.public().to_text().replace("pspk1_", "pspk2_");
        for bad in ["", "pspk1_", &ours.public().to_text()[6..], &other_prefix] {
            assert_eq!(SealPublicKey::parse(bad), Err(SealError::PublicKey), "{bad}");
        }
        assert!(format!("{ours:?}").starts_with("SealKeyPair(redacted, pspk1_"));
    }
}
