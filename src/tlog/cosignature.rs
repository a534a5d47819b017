//! Cosignatures: a witness says that it saw a checkpoint, at a time, consistent with all before (C2SP
//! tlog-cosignature, Ed25519).
//!
//! The bytes signed are `cosignature/v1`, a line with the time in seconds, and the checkpoint's text;
//! the signature in the note is the time in 8 bytes, then 64 bytes of Ed25519.

use super::note::{KeyId, NoteSigner, NoteVerifier, Signature, SigningFailed, TYPE_COSIGNATURE, key_id};

/// A key that signs bytes, without a name: what lies behind a witness's key.
pub trait Ed25519Signer {
    /// The public key.
    fn public_key(&self) -> &[u8; 32];
    /// Signs the bytes.
    ///
    /// # Errors
    ///
    /// [`SigningFailed`] if the key cannot be used now.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed>;
}

/// Checks a plain Ed25519 signature: public key, message, signature.
pub type Ed25519Check = fn(&[u8; 32], &[u8], &[u8]) -> bool;

/// A witness signing at a moment.
pub struct Cosigner<'a> {
    name: &'a str,
    key: &'a dyn Ed25519Signer,
    seconds: u64,
}

impl<'a> Cosigner<'a> {
    /// A witness with a name, its key and the time in seconds since 1970.
    pub fn new(name: &'a str, key: &'a dyn Ed25519Signer, seconds: u64) -> Self {
        Self { name, key, seconds }
    }
}

impl NoteSigner for Cosigner<'_> {
    fn name(&self) -> &str {
        self.name
    }
    fn key_id(&self) -> KeyId {
        key_id(self.name, TYPE_COSIGNATURE, self.key.public_key())
    }
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = self.key.sign(&message(self.seconds, text))?;
        Ok([&self.seconds.to_be_bytes()[..], &signature].concat())
    }
}

/// A witness that a reader trusts.
#[derive(Clone)]
pub struct Witness {
    name: String,
    public_key: [u8; 32],
    check: Ed25519Check,
}

impl Witness {
    /// A witness with its name and public key; `check` verifies Ed25519.
    pub fn new(name: impl Into<String>, public_key: [u8; 32], check: Ed25519Check) -> Self {
        Self { name: name.into(), public_key, check }
    }

    /// When the witness signed, in seconds since 1970; `None` unless the signature has a time.
    pub fn seconds(signature: &Signature) -> Option<u64> {
        signature.bytes().split_first_chunk::<8>().map(|(seconds, _)| u64::from_be_bytes(*seconds))
    }
}

impl NoteVerifier for Witness {
    fn name(&self) -> &str {
        &self.name
    }
    fn key_id(&self) -> KeyId {
        key_id(&self.name, TYPE_COSIGNATURE, &self.public_key)
    }
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        signature.split_first_chunk::<8>().is_some_and(|(seconds, signature)| {
            let seconds = u64::from_be_bytes(*seconds);
            signature.len() == 64 && (self.check)(&self.public_key, &message(seconds, text), signature)
        })
    }
}

fn message(seconds: u64, text: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {seconds}\n").as_bytes(), text].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::checkpoint::Checkpoint;
    use crate::tlog::merkle::leaf_hash;
    use crate::tlog::note::{NoteError, SignedNote};
    use crate::tlog::testing::{TestKey, check_ed25519};

    #[test]
    fn a_witness_vouches_for_the_text_and_the_time_that_it_signed() {
        let (log, key) = (TestKey::new("gw.example/2026", 1), TestKey::new("witness.example", 2));
        let checkpoint = Checkpoint { origin: "gw.example/2026".to_owned(), size: 5, root: leaf_hash(b"") };
        let mut note = checkpoint.sign(&[&log]).expect("signs");
        note.add(&Cosigner::new("witness.example", &key, 1_790_000_000)).expect("signs");

        let witness = Witness::new("witness.example", *key.public(), check_ed25519);
        let read = SignedNote::parse(note.to_string().as_bytes()).expect("a note");
        assert_eq!(read.verify(&[&witness]).expect("cosigned").len(), 1);
        assert_eq!(Witness::seconds(&read.signatures()[1]), Some(1_790_000_000));
        assert_eq!(read.verify(&[&log, &witness]).expect("both").len(), 2);

        for seconds_or_signature in [7, 8, 71] {
            let mut bytes = read.signatures()[1].bytes().to_vec();
            bytes[seconds_or_signature] ^= 1;
            assert!(!witness.verify(read.text().as_bytes(), &bytes), "byte {seconds_or_signature}");
        }
        // The plain signature of the same key is no cosignature.
        let plain = SignedNote::sign(checkpoint.text(), &[&key]).expect("signs");
        assert_eq!(plain.verify(&[&witness]).err(), Some(NoteError::NoTrustedSignature));
    }
}
