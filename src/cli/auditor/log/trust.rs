//! `porth log trust`: what auditors have to trust, and how keys are read from the command line.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::signers::KeyVerifier;
pub(in crate::cli) use crate::app::trust_file::TrustFile;
use crate::app::trust_file::{self, PLACE_MINUTES, keys_in};
use crate::app::witness::witness_of;
use crate::cli::operator::{config_failure, read_text, start_failure};
use crate::cli::output::{Failure, Output};
use crate::config::{Config, SequencerConfig};
use crate::crypto::kek::Kek;
use crate::crypto::keyring::Role;
use crate::runtime;
use crate::tlog::cosignature::Witness;

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

/// The limit where a trust file has witnesses and no limit: that of a configuration that says nothing.
pub(super) const WITHIN_MINUTES: u64 = 240 + PLACE_MINUTES;

impl TrustFile {
    /// What a gateway's configuration and key folders give.
    pub(super) fn of_gateway(config: &Config) -> Result<Self, Failure> {
        runtime::trust_file(config).map_err(start_failure)
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
        trust.log_keys.extend(own_keys(&config.keys.checkpoint_folder, &kek, &trust.origin)?);
    }
    for key in &trust.log_keys {
        verifier(key)?;
    }
    let text = written(&trust)?;
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

/// The file's text.
pub(super) fn written(trust: &TrustFile) -> Result<String, Failure> {
    trust.text().ok_or_else(|| Failure::failed("the trust file cannot be written"))
}

/// A verifier of an Ed25519 key's signatures.
pub(in crate::cli) fn verifier(text: &str) -> Result<KeyVerifier, Failure> {
    trust_file::verifier(text).ok_or_else(malformed)
}

/// A verifier of a witness's cosignatures.
pub(in crate::cli) fn witness(text: &str) -> Result<Witness, Failure> {
    witness_of(text).map_err(|_| malformed())
}

fn own_keys(folder: &Path, kek: &Kek, origin: &str) -> Result<Vec<String>, Failure> {
    keys_in(folder, kek, Role::Checkpoint, origin).map_err(|error| start_failure(error.into()))
}

fn malformed() -> Failure {
    Failure::failed(
        "a key is not a verifier key: name, '+', 8 hexadecimal digits, '+', base64; the id must be the key's",
    )
    .next("`porth log trust` prints the log's keys in this form")
}
