//! Signed notes: a text and signatures under it (C2SP signed-note).
//!
//! Keys stay outside: whoever signs or verifies comes in through [`NoteSigner`] and [`NoteVerifier`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

const MAX_NOTE_BYTES: usize = 1_000_000;
const MAX_SIGNATURES: usize = 100;
/// Signature type of a plain Ed25519 signature.
pub const TYPE_ED25519: u8 = 0x01;
/// Signature type of a witness's timestamped Ed25519 cosignature.
pub const TYPE_COSIGNATURE: u8 = 0x04;

/// Says which key made a signature. It hints, it does not prove.
pub type KeyId = [u8; 4];

/// The key id of an Ed25519 key: the first 4 bytes of `SHA-256(name || 0x0A || type || public key)`.
pub fn key_id(name: &str, signature_type: u8, public_key: &[u8; 32]) -> KeyId {
    let digest =
        Sha256::new().chain_update(name).chain_update([b'\n', signature_type]).chain_update(public_key).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Whether a name can stand in a signature line: not empty, no spaces, control characters or `+`.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// A key that signs notes.
pub trait NoteSigner {
    /// The key's name; see [`is_key_name`].
    fn name(&self) -> &str;
    /// The key's id; see [`key_id`].
    fn key_id(&self) -> KeyId;
    /// Signs the note's text.
    ///
    /// # Errors
    ///
    /// [`SigningFailed`] if the key cannot be used now.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SigningFailed>;
}

/// A key that a reader trusts.
pub trait NoteVerifier {
    /// The key's name.
    fn name(&self) -> &str;
    /// The key's id.
    fn key_id(&self) -> KeyId;
    /// Whether the bytes are this key's signature of the note's text.
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool;
}

/// The key could not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key could not sign")]
pub struct SigningFailed;

/// What is wrong with a note. Never carries its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the format of a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// A signature claims a trusted key and is not its signature.
    #[error("a signature that names a trusted key is false")]
    FalseSignature,
    /// No signature is by a trusted key.
    #[error("no signature is by a trusted key")]
    NoTrustedSignature,
    /// The key could not sign.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    key: KeyId,
    bytes: Vec<u8>,
}

impl Signature {
    /// Parses a line without its line end: em dash, space, name, space, base64.
    ///
    /// # Errors
    ///
    /// [`NoteError::Malformed`] for any other text.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a signature line is an em dash, a key name and base64");
        let (name, encoded) = line.strip_prefix("— ").and_then(|line| line.split_once(' ')).ok_or(malformed)?;
        let decoded = STANDARD.decode(encoded).map_err(|_| malformed)?;
        let (key, bytes) = decoded.split_first_chunk::<4>().ok_or(malformed)?;
        if !is_key_name(name) || bytes.is_empty() {
            return Err(malformed);
        }
        Ok(Self { name: name.to_owned(), key: *key, bytes: bytes.to_vec() })
    }

    /// The key's name as claimed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id as claimed.
    pub const fn key_id(&self) -> KeyId {
        self.key
    }

    /// The signature itself.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn is_by(&self, verifier: &dyn NoteVerifier) -> bool {
        self.name == verifier.name() && self.key == verifier.key_id()
    }
}
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "— {} {}", self.name, STANDARD.encode([&self.key[..], &self.bytes].concat()))
    }
}

/// Why a text is no verifier key. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a verifier key: name, '+', 8 hexadecimal digits, '+', base64; the id must be the key's")]
pub struct VerifierKeyError;

/// Name and key of a verifier key, `name+key id+base64(type || key)`; the id must be the key's own.
///
/// # Errors
///
/// [`VerifierKeyError`] for any other text, and for a key of another type.
pub fn parse_verifier_key(text: &str, kind: u8) -> Result<(String, [u8; 32]), VerifierKeyError> {
    let mut parts = text.trim().splitn(3, '+');
    let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(VerifierKeyError);
    };
    let bytes = STANDARD.decode(encoded).map_err(|_| VerifierKeyError)?;
    let key: [u8; 32] = match bytes.split_first() {
        Some((first, key)) if *first == kind => key.try_into().map_err(|_| VerifierKeyError)?,
        _ => return Err(VerifierKeyError),
    };
    let is_own = u32::from_str_radix(id, 16).is_ok_and(|id| id.to_be_bytes() == key_id(name, kind, &key));
    if id.len() == 8 && is_own && is_key_name(name) { Ok((name.to_owned(), key)) } else { Err(VerifierKeyError) }
}

/// The verifier key of a public key of a type, under a name.
pub fn verifier_key(name: &str, kind: u8, key: &[u8; 32]) -> String {
    let id = u32::from_be_bytes(key_id(name, kind, key));
    format!("{name}+{id:08x}+{}", STANDARD.encode([&[kind][..], key].concat()))
}

/// A text and the signatures under it, none of them believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<Signature>,
}

impl SignedNote {
    /// Signs a text, which ends in a line end.
    ///
    /// # Errors
    ///
    /// [`NoteError::Malformed`] if no note can hold the text, [`NoteError::Signing`] if a key cannot sign.
    pub fn sign(text: String, signers: &[&dyn NoteSigner]) -> Result<Self, NoteError> {
        check_text(&text)?;
        let mut note = Self { text, signatures: Vec::with_capacity(signers.len()) };
        for signer in signers {
            note.add(*signer)?;
        }
        Ok(note)
    }

    /// Parses a note.
    ///
    /// # Errors
    ///
    /// [`NoteError::Malformed`] for bytes that no note has.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Malformed("longer than a million bytes"));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::Malformed("no blank line before signatures"))?;
        let text = format!("{text}\n");
        check_text(&text)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed("the last line does not end"))?;
        let signatures = lines.split('\n').map(Signature::parse).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Malformed("more than 100 signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// Adds a signature.
    ///
    /// # Errors
    ///
    /// [`NoteError::Signing`] if the key cannot sign, [`NoteError::Malformed`] if its name cannot stand in a note.
    pub fn add(&mut self, signer: &dyn NoteSigner) -> Result<(), NoteError> {
        if !is_key_name(signer.name()) {
            return Err(NoteError::Malformed("a key name is empty or holds spaces or '+'"));
        }
        let bytes = signer.sign(self.text.as_bytes())?;
        self.signatures.push(Signature { name: signer.name().to_owned(), key: signer.key_id(), bytes });
        Ok(())
    }

    /// Adds a signature made elsewhere: a witness's, verified by the caller.
    pub fn push(&mut self, signature: Signature) {
        self.signatures.push(signature);
    }

    /// Which of the trusted keys signed; signatures by other keys are ignored.
    ///
    /// # Errors
    ///
    /// [`NoteError::FalseSignature`] if a signature claims a trusted key falsely,
    /// [`NoteError::NoTrustedSignature`] if none claims one.
    pub fn verify<'v>(&self, trusted: &[&'v dyn NoteVerifier]) -> Result<Vec<&'v dyn NoteVerifier>, NoteError> {
        let mut signed_by = Vec::new();
        for verifier in trusted {
            let mut claims = self.signatures.iter().filter(|signature| signature.is_by(*verifier)).peekable();
            if claims.peek().is_none() {
                continue;
            }
            if !claims.all(|signature| verifier.verify(self.text.as_bytes(), &signature.bytes)) {
                return Err(NoteError::FalseSignature);
            }
            signed_by.push(*verifier);
        }
        if signed_by.is_empty() { Err(NoteError::NoTrustedSignature) } else { Ok(signed_by) }
    }

    /// The text, its last line end included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }
}
impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::Malformed("a control character"));
    }
    if text.len() < 2 || !text.ends_with('\n') {
        return Err(NoteError::Malformed("the text is empty or does not end its last line"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use signed_note::{Note, StandardVerifier, VerifierList};

    use super::*;
    use crate::tlog::testing::TestKey;

    const TEXT: &str = "gw.example/2026\n5\nroot\n";

    fn theirs(key: &TestKey) -> VerifierList {
        let id = format!("{:08x}", u32::from_be_bytes(NoteSigner::key_id(key)));
        let data = STANDARD.encode([&[TYPE_ED25519][..], key.public()].concat());
        let verifier =
            StandardVerifier::new(&format!("{}+{id}+{data}", NoteSigner::name(key))).expect("a verifier key");
        VerifierList::new(vec![Box::new(verifier)])
    }

    #[test]
    fn an_independent_implementation_verifies_what_we_sign() {
        let (log, other) = (TestKey::new("gw.example/2026", 1), TestKey::new("witness.example", 2));
        let note = SignedNote::sign(TEXT.to_owned(), &[&log, &other]).expect("signs");
        let parsed = Note::from_bytes(note.to_string().as_bytes()).expect("a note to them");
        for key in [&log, &other] {
            let (verified, unknown) = parsed.verify(&theirs(key)).expect("verifies");
            assert_eq!((verified.len(), unknown.len()), (1, 1), "{}", NoteSigner::name(key));
        }
        assert_eq!(parsed.to_bytes(), note.to_string().as_bytes());
    }

    #[test]
    fn the_published_example_parses_and_keeps_its_bytes() {
        let text = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n\
            — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let note = SignedNote::parse(text.as_bytes()).expect("a note");
        assert_eq!(note.to_string(), text);
        assert_eq!(note.signatures()[0].key_id(), [0xc7, 0x4f, 0x20, 0xa3]);
        let key = STANDARD.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").expect("base64");
        let public: &[u8; 32] = key[1..].try_into().expect("32 bytes after the type");
        assert_eq!(key_id("PeterNeumann", TYPE_ED25519, public), [0xc7, 0x4f, 0x20, 0xa3]);
        let verifier = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public);
        assert!(verifier.verify(note.text().as_bytes(), note.signatures()[0].bytes()).is_ok());
    }

    #[test]
    fn unknown_signatures_are_ignored_and_false_ones_are_not() {
        let (log, other) = (TestKey::new("log", 1), TestKey::new("other", 2));
        let note = SignedNote::sign(TEXT.to_owned(), &[&log, &other]).expect("signs");
        assert_eq!(note.verify(&[&log]).expect("signed").len(), 1);
        assert_eq!(note.verify(&[&log, &other]).expect("signed").len(), 2);
        let stranger = TestKey::new("stranger", 3);
        assert_eq!(note.verify(&[&stranger]).err(), Some(NoteError::NoTrustedSignature));
        let same_name = TestKey::new("log", 4);
        assert_eq!(note.verify(&[&same_name]).err(), Some(NoteError::NoTrustedSignature));
        let forged = SignedNote { text: TEXT.replace('5', "6"), ..note };
        assert_eq!(forged.verify(&[&log]).err(), Some(NoteError::FalseSignature));
    }

    #[test]
    fn no_flipped_bit_of_a_note_is_accepted() {
        let log = TestKey::new("log", 1);
        let bytes = SignedNote::sign(TEXT.to_owned(), &[&log]).expect("signs").to_string().into_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let accepted = SignedNote::parse(&flipped).and_then(|note| note.verify(&[&log]).map(|_| ()));
            assert!(accepted.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn other_formats_are_refused() {
        let log = TestKey::new("log", 1);
        let good = SignedNote::sign(TEXT.to_owned(), &[&log]).expect("signs").to_string();
        for bad in [
            String::new(),
            TEXT.to_owned(),
            good.trim_end().to_owned(),
            good.replace('—', "-"),
            good.replace("— log ", "— lo g "),
            good.replace("— log ", "— l+g "),
            good.replace('\n', "\r\n"),
            good.clone() + "\n",
            good.clone() + "— short AAAA\n",
        ] {
            assert!(matches!(SignedNote::parse(bad.as_bytes()), Err(NoteError::Malformed(_))), "{bad:?}");
        }
        assert!(SignedNote::sign("no line end".to_owned(), &[]).is_err());
        assert!(SignedNote::sign(TEXT.to_owned(), &[&TestKey::new("two words", 1)]).is_err());
    }
}
