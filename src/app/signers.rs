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
