//! The key-encryption key gets a next version, everything is wrapped and sealed under it, and the old one goes.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::files;
use super::rotate::Place;
use crate::app::rotate::signing::Rotation;
use crate::cli::operator::{app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::crypto::kek::{Kek, KekProvider as _};
use crate::crypto::keyring::Keyring;
use crate::crypto::random::SystemRandom;

/// Arguments of `porth keys new-kek`.
#[derive(Debug, Args)]
pub(super) struct NewKekArgs {
    /// The key-encryption key file
    #[arg(long, value_name = "FILE")]
    kek_file: PathBuf,
}

/// Adds the next version to a key-encryption key file.
pub(super) fn new_kek(args: &NewKekArgs, output: Output) -> Result<(), Failure> {
    let kek = Kek::from_file(&args.kek_file).map_err(Failure::unusable)?;
    let (text, version) = kek
        .with_next_version(&SystemRandom::new())
        .ok_or_else(|| Failure::failed("there is no version after this one"))?;
    files::replace_sealed(&args.kek_file, text.as_bytes())?;
    let value = serde_json::json!({ "kek_file": args.kek_file, "version": version });
    output.result(format_args!("{} now holds version {version} beside the old.", args.kek_file.display()), &value);
    output.note("Start every process that reads it again, then run `porth keys rewrap`.");
    Ok(())
}

/// Arguments of `porth keys rewrap` and `porth keys retire-kek`.
#[derive(Debug, Args)]
pub(super) struct RewrapArgs {
    #[command(flatten)]
    place: Place,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// Why, as a code for the log, such as yearly
    #[arg(long, value_parser = crate::cli::typed::code)]
    reason: String,
}

#[derive(Serialize)]
struct Rewrapped {
    kek_version: u32,
    secrets: usize,
    fields: u64,
    fields_current_before: u64,
}

/// Wraps every secret and seals every stored field under the current key-encryption key.
pub(super) fn rewrap(args: &RewrapArgs, output: Output) -> Result<(), Failure> {
    let opened = args.place.open()?;
    let mut secrets = 0;
    for folder in &opened.folders {
        secrets += Keyring::rewrap(folder, &opened.kek, &SystemRandom::new()).map_err(Failure::unusable)?;
    }
    let fields = match &opened.gateway {
        Some(config) => crate::cli::block_on(with_gateway(config, async |gateway| {
            gateway.reseal_fields().await.map_err(app_failure)
        }))?,
        None => crate::app::rotate::fields::Resealed::default(), // the sequencer seals nothing
    };
    let kek_version = opened.kek.current_version();
    opened.note(&Rotation {
        key: &format!("kek-v{kek_version}"),
        used_for: "key-encryption",
        action: "rewrapped",
        public_key: None,
        by: &args.by,
        reason: &args.reason,
    })?;
    let done = Rewrapped { kek_version, secrets, fields: fields.resealed, fields_current_before: fields.current };
    output.result(
        format_args!(
            "Under version {kek_version}: {secrets} secrets wrapped again, {} stored fields sealed again.",
            done.fields
        ),
        &done,
    );
    output.note("The old versions are needed by old backups alone: `porth keys retire-kek` takes them out.");
    Ok(())
}

/// Takes old versions out of the key-encryption key file, once nothing needs them.
pub(super) fn retire_kek(args: &RewrapArgs, output: Output) -> Result<(), Failure> {
    let opened = args.place.open()?;
    let path = opened.kek_file.clone().ok_or_else(|| {
        Failure::failed("the key-encryption key is a systemd credential, which porth cannot change")
            .next("take the old lines out of the credential's source and encrypt it again with systemd-creds")
    })?;
    let current = opened.kek.only_current();
    for folder in &opened.folders {
        // Opens with the current version alone, or says which file does not.
        Keyring::open(folder, &current)
            .map_err(|error| Failure::unusable(error).next("run `porth keys rewrap` first; nothing was changed"))?;
    }
    if let Some(config) = &opened.gateway {
        let needed = crate::cli::block_on(with_gateway(config, async |gateway| {
            gateway.fields_under_older_keys().await.map_err(app_failure)
        }))?;
        if needed > 0 {
            return Err(Failure::failed(format!("{needed} stored fields are still sealed under an older version"))
                .next("start every gateway again, so that it seals under the current one; then `porth keys rewrap`"));
        }
    }
    let (version, removed) = (opened.kek.current_version(), opened.kek.versions().len() - 1);
    files::replace_sealed(&path, current.to_file_text().as_bytes())?;
    opened.note(&Rotation {
        key: &format!("kek-v{version}"),
        used_for: "key-encryption",
        action: "older-destroyed",
        public_key: None,
        by: &args.by,
        reason: &args.reason,
    })?;
    let value = serde_json::json!({ "kek_file": path, "version": version, "removed": removed });
    output.result(format_args!("{} holds version {version} alone; {removed} removed.", path.display()), &value);
    Ok(())
}
