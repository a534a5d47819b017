//! The trust file: the log's name and the public keys that an auditor believes.
//!
//! ```toml
//! origin = "gw.example.gov.uk/2026"
//! log_keys = ["gw.example.gov.uk/2026+0fd0c6b3+AeQ1…"]
//! receipt_keys = ["gw.example.gov.uk/2026+5b6c5a10+AZ3k…"]
//! certificate_keys = ["gw.example.gov.uk/2026+1e4d5b22+AfT9…"]
//! witnesses = ["witness.example+9a1d2c3b+BPq0…"]
//! quorum = 1
//! witnessed_within_minutes = 245
//! ```
//!
//! Keys are verifier keys of C2SP signed notes: name, key id, algorithm and key.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::signers::KeyVerifier;
use crate::crypto::kek::Kek;
use crate::crypto::keyring::{Keyring, KeyringError, Role};
use crate::crypto::sign::VerifyingKey;
use crate::tlog::note::{TYPE_ED25519, parse_verifier_key};

/// What is added to the limit of the configuration: an entry waits a little for its place.
pub const PLACE_MINUTES: u64 = 5;

/// What an auditor trusts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFile {
    /// The log's origin.
    pub origin: String,
    /// Keys that sign its checkpoints.
    #[serde(default)]
    pub log_keys: Vec<String>,
    /// Keys that sign its receipts.
    #[serde(default)]
    pub receipt_keys: Vec<String>,
    /// Keys that sign its release certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificate_keys: Vec<String>,
    /// Witnesses that are believed.
    #[serde(default)]
    pub witnesses: Vec<String>,
    /// How many of them must have cosigned.
    #[serde(default)]
    pub quorum: usize,
    /// Entries older than this have to be under the witnesses' cosignatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnessed_within_minutes: Option<u64>,
}

impl TrustFile {
    /// The same with whom the gateway believes, and how long after an entry they have to have seen it.
    #[must_use]
    pub fn with_witnesses(self, keys: Vec<String>, quorum: usize, stop_after: Duration) -> Self {
        let quorum = if keys.is_empty() { 0 } else { quorum };
        let limit = stop_after.as_secs() / 60 + PLACE_MINUTES;
        Self { witnesses: keys, quorum, witnessed_within_minutes: (quorum > 0).then_some(limit), ..self }
    }

    /// The file's text; none where a value of it cannot be written.
    pub fn text(&self) -> Option<String> {
        toml::to_string(self).ok()
    }

    /// Verifiers of the receipts' signatures; a key that cannot be read is none.
    pub fn receipt_verifiers(&self) -> Vec<KeyVerifier> {
        self.receipt_keys.iter().filter_map(|text| verifier(text)).collect()
    }
}

/// A verifier of an Ed25519 key's signatures; none where the text is not its verifier key.
pub fn verifier(text: &str) -> Option<KeyVerifier> {
    let (name, key) = parse_verifier_key(text, TYPE_ED25519).ok()?;
    Some(KeyVerifier::new(name, VerifyingKey::from_bytes(&key).ok()?))
}

/// The verifier keys of a folder of keys in one role.
///
/// # Errors
///
/// [`KeyringError`] when the folder cannot be opened.
pub fn keys_in(folder: &Path, kek: &Kek, role: Role, origin: &str) -> Result<Vec<String>, KeyringError> {
    let keyring = Keyring::open(folder, kek)?;
    Ok(keyring.verifying_keys(role).into_iter().map(|(_, key)| key.note_verifier_key(origin)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::crypto::sign::SigningKey;
    use crate::tlog::note::{NoteVerifier as _, TYPE_COSIGNATURE};

    #[test]
    fn a_verifier_key_reads_back_and_a_changed_one_does_not() {
        let key = SigningKey::generate(&SystemRandom::new()).verifying_key();
        let text = key.note_verifier_key("gw.example/log");
        assert_eq!(verifier(&text).expect("a key").name(), "gw.example/log");
        let renamed = text.replacen("gw.", "hw.", 1);
        for wrong in [renamed.as_str(), "gw.example/log", "", &text[..text.len() - 4], &text.replacen('+', "+0", 1)] {
            assert!(verifier(wrong).is_none());
        }
        assert!(parse_verifier_key(&text, TYPE_COSIGNATURE).is_err(), "a log key is no witness key");
    }
}
