//! The trust file: the log's name and the public keys that an auditor believes.
//!
//! ```toml
//! origin = "gw.example.gov.uk/2026"
//! log_keys = ["gw.example.gov.uk/2026+0fd0c6b3+AeQ1…"]
//! receipt_keys = ["gw.example.gov.uk/2026+5b6c5a10+AZ3k…"]
//! witnesses = ["witness.example+9a1d2c3b+BPq0…"]
//! quorum = 1
//! witnessed_within_minutes = 245
//! ```
//!
//! Keys are verifier keys of C2SP signed notes: name, key id, algorithm and key.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::app::signers::KeyVerifier;
use crate::app::witness::witness_of;
use crate::cli::operator::{config_failure, read_text, start_failure};
use crate::cli::output::{Failure, Output};
use crate::config::{Config, SequencerConfig};
use crate::crypto::keyring::{Keyring, Role};
use crate::crypto::sign::VerifyingKey;
use crate::runtime;
use crate::tlog::cosignature::Witness;
use crate::tlog::note::{TYPE_ED25519, parse_verifier_key};

/// Arguments of `porth log trust`.
#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    /// The gateway's configuration: gives the receipt keys, and the log's where it sequences itself
    #[arg(long, value_name = "FILE", required_unless_present = "sequencer")]
    config: Option<PathBuf>,
    /// The sequencer's configuration: gives the log's keys
    #[arg(long, value_name = "FILE")]
    sequencer: Option<PathBuf>,
    /// A log key that the sequencer's operator handed over; repeat for several
    #[arg(long, value_name = "VKEY")]
    log_key: Vec<String>,
}

/// What an auditor trusts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct TrustFile {
    /// The log's origin.
    pub(in crate::cli) origin: String,
    /// Keys that sign its checkpoints.
    #[serde(default)]
    pub(in crate::cli) log_keys: Vec<String>,
    /// Keys that sign its receipts.
    #[serde(default)]
    pub(in crate::cli) receipt_keys: Vec<String>,
    /// Witnesses that are believed.
    #[serde(default)]
    pub(in crate::cli) witnesses: Vec<String>,
    /// How many of them must have cosigned.
    #[serde(default)]
    pub(in crate::cli) quorum: usize,
    /// Entries older than this have to be under the witnesses' cosignatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) witnessed_within_minutes: Option<u64>,
}

/// What is added to the limit of the configuration: an entry waits a little for its place.
const PLACE_MINUTES: u64 = 5;
/// The limit where a trust file has witnesses and no limit: that of a configuration that says nothing.
pub(super) const WITHIN_MINUTES: u64 = 240 + PLACE_MINUTES;

impl TrustFile {
    /// What a gateway's configuration and key folders give.
    pub(super) fn of_gateway(config: &Config) -> Result<Self, Failure> {
        let origin = config.log_origin.clone();
        let kek = runtime::open_kek(config).map_err(start_failure)?;
        let receipt_keys = keys_in(&config.keys.folder, &kek, Role::Receipt, &origin)?;
        let log_keys = config.keys.checkpoint_folder.as_ref();
        let log_keys = log_keys.map(|folder| keys_in(folder, &kek, Role::Checkpoint, &origin)).transpose()?;
        let witnesses = config.witnesses.keys.clone();
        let quorum = if witnesses.is_empty() { 0 } else { config.witnesses.quorum };
        let limit = u64::from(config.witnesses.stop_after_minutes) + PLACE_MINUTES;
        let witnessed_within_minutes = (quorum > 0).then_some(limit);
        let log_keys = log_keys.unwrap_or_default();
        Ok(Self { origin, log_keys, receipt_keys, witnesses, quorum, witnessed_within_minutes })
    }

    /// The file's text.
    pub(super) fn text(&self) -> Result<String, Failure> {
        toml::to_string(self).map_err(|_| Failure::failed("the trust file cannot be written"))
    }

    /// Reads the file.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, Failure> {
        toml::from_str(&read_text(path)?)
            .map_err(|error| Failure::failed(format!("{} is not a trust file: {}", path.display(), error.message())))
    }
}

/// Prints the trust file that the configurations give.
pub(super) fn run(args: &TrustArgs, output: Output) -> Result<(), Failure> {
    let mut trust = TrustFile { log_keys: args.log_key.clone(), ..TrustFile::default() };
    if let Some(path) = &args.config {
        let own = TrustFile::of_gateway(&Config::read(path).map_err(config_failure)?)?;
        let log_keys = [std::mem::take(&mut trust.log_keys), own.log_keys.clone()].concat();
        trust = TrustFile { log_keys, ..own };
    }
    if let Some(path) = &args.sequencer {
        let config = SequencerConfig::read(path).map_err(config_failure)?;
        if !trust.origin.is_empty() && trust.origin != config.log_origin {
            return Err(Failure::unusable("gateway and sequencer name the log differently: log_origin"));
        }
        trust.origin.clone_from(&config.log_origin);
        let kek = runtime::open_sequencer_kek(&config).map_err(start_failure)?;
        trust.log_keys.extend(keys_in(&config.keys.checkpoint_folder, &kek, Role::Checkpoint, &trust.origin)?);
    }
    for key in &trust.log_keys {
        verifier(key)?;
    }
    let text = trust.text()?;
    output.result(text.trim_end(), &trust);
    if trust.log_keys.is_empty() {
        output.note("No log key: add it with --sequencer or --log-key; without one no checkpoint can be believed.");
    }
    if trust.receipt_keys.is_empty() {
        output.note("No receipt key: add it with --config, where receipts are to be checked.");
    }
    output.note("Compare the keys with whoever runs the gateway over another channel before you trust them.");
    Ok(())
}

/// A verifier of an Ed25519 key's signatures.
pub(in crate::cli) fn verifier(text: &str) -> Result<KeyVerifier, Failure> {
    let (name, key) = parse(text, TYPE_ED25519)?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| malformed())?;
    Ok(KeyVerifier::new(name, key))
}

/// A verifier of a witness's cosignatures.
pub(in crate::cli) fn witness(text: &str) -> Result<Witness, Failure> {
    witness_of(text).map_err(|_| malformed())
}

fn parse(text: &str, kind: u8) -> Result<(String, [u8; 32]), Failure> {
    parse_verifier_key(text, kind).map_err(|_| malformed())
}

fn keys_in(folder: &Path, kek: &crate::crypto::kek::Kek, role: Role, origin: &str) -> Result<Vec<String>, Failure> {
    let keyring = Keyring::open(folder, kek).map_err(|error| start_failure(error.into()))?;
    Ok(keyring.verifying_keys(role).into_iter().map(|(_, key)| key.note_verifier_key(origin)).collect())
}

fn malformed() -> Failure {
    Failure::failed(
        "a key is not a verifier key: name, '+', 8 hexadecimal digits, '+', base64; the id must be the key's",
    )
    .next("`porth log trust` prints the log's keys in this form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;
    use crate::crypto::sign::SigningKey;
    use crate::tlog::note::TYPE_COSIGNATURE;

    #[test]
    fn a_verifier_key_reads_back_and_a_changed_one_does_not() {
        let key = SigningKey::generate(&SystemRandom::new()).verifying_key();
        let text = key.note_verifier_key("gw.example/log");
        assert_eq!(parse(&text, TYPE_ED25519).unwrap(), ("gw.example/log".to_owned(), *key.as_bytes()));
        let renamed = text.replacen("gw.", "hw.", 1);
        for wrong in [renamed.as_str(), "gw.example/log", "", &text[..text.len() - 4], &text.replacen('+', "+0", 1)] {
            assert!(parse(wrong, TYPE_ED25519).is_err());
        }
        assert!(parse(&text, TYPE_COSIGNATURE).is_err(), "a log key is no witness key");
    }
}
