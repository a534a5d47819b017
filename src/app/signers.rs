//! Our Ed25519 keys as signers and verifiers of notes.

use crate::crypto::sign::{SigningKey, VerifyingKey};
use crate::tlog::note::{KeyId, NoteSigner, NoteVerifier, SigningFailed};

/// A signing key under the name that its signatures carry.
pub struct KeySigner<'a> {
    name: &'a str,
    key: &'a SigningKey,
}

impl<'a> KeySigner<'a> {
    /// A key under a name.
    pub fn new(name: &'a str, key: &'a SigningKey) -> Self {
        Self { name, key }
    }
}

impl NoteSigner for KeySigner<'_> {
    fn name(&self) -> &str {
        self.name
    }
    fn key_id(&self) -> KeyId {
        self.key.verifying_key().note_key_id(self.name)
    }
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Ok(self.key.sign(text).to_vec())
    }
}

/// A trusted public key under the name that its signatures carry.
#[derive(Debug, Clone)]
pub struct KeyVerifier {
    name: String,
    key: VerifyingKey,
}

impl KeyVerifier {
    /// A key under a name.
    pub fn new(name: impl Into<String>, key: VerifyingKey) -> Self {
        Self { name: name.into(), key }
    }
}

impl NoteVerifier for KeyVerifier {
    fn name(&self) -> &str {
        &self.name
    }
    fn key_id(&self) -> KeyId {
        self.key.note_key_id(&self.name)
    }
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        self.key.verify(text, signature).is_ok()
    }
}
