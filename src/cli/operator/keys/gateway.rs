//! Keys of the operator's two processes: the gateway and the sequencer.

use std::path::Path;

use serde::Serialize;

use super::files::{self, names_in};
use crate::cli::output::{Failure, Output};
use crate::crypto::kek::Kek;
use crate::crypto::keyring::{Keyring, KeyringError, Role};
use crate::crypto::random::SystemRandom;
use crate::domain::token::encode_base64url;
use crate::runtime::machine_time;

#[derive(Serialize)]
struct Made<'a> {
    folder: String,
    roles: Vec<&'a str>,
    kek_file: String,
    kek_is_new: bool,
    public_key: String,
}

/// Makes the keys of a gateway process.
pub(super) fn init_gateway(folder: &Path, kek_file: &Path, output: Output) -> Result<(), Failure> {
    if names_in(folder).iter().any(|path| super::custodian::is_linkage_key(path)) {
        return Err(Failure::failed(format!("{} holds a linkage key", folder.display()))
            .next("the gateway's operator must never hold it: use another machine, and tell the key custodians"));
    }
    init(folder, kek_file, &Role::GATEWAY, Role::Receipt, output)?;
    output.note("Keep the key-encryption key out of the backups of this folder: either without the other is useless.");
    Ok(())
}

/// Makes the checkpoint key, in a folder of the sequencer's own.
pub(super) fn init_sequencer(folder: &Path, kek_file: &Path, output: Output) -> Result<(), Failure> {
    if Role::GATEWAY.into_iter().any(|role| folder.join(format!("{}.v1.json", role.name())).exists()) {
        return Err(Failure::failed(format!("{} holds the gateway's keys", folder.display()))
            .next("the checkpoint key belongs into a folder of its own, read by the sequencer's own user"));
    }
    init(folder, kek_file, &[Role::Checkpoint], Role::Checkpoint, output)?;
    output.note("In production this folder and its key-encryption key belong to the sequencer's own user.");
    Ok(())
}

fn init(folder: &Path, kek_file: &Path, roles: &[Role], signs: Role, output: Output) -> Result<(), Failure> {
    let names: Vec<String> = roles.iter().map(|role| format!("{}.v1.json", role.name())).collect();
    files::refuse_existing(folder, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let random = SystemRandom::new();
    let kek_is_new = !kek_file.exists();
    if kek_is_new {
        if let Some(parent) = kek_file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            files::make_folder(parent)?;
        }
        files::write_sealed(kek_file, Kek::new_file_text(&random).as_bytes())?;
    }
    let kek = Kek::from_file(kek_file).map_err(Failure::unusable)?;
    let keyring = Keyring::init(folder, roles, &kek, &random, machine_time()).map_err(|error| match error {
        KeyringError::Exists(_) => Failure::failed(error).next("keys are never overwritten: choose another folder"),
        other => Failure::failed(other),
    })?;
    let public = keyring.signing_key(signs).map_err(Failure::failed)?.verifying_key();
    let made = Made {
        folder: folder.display().to_string(),
        roles: roles.iter().map(|role| role.name()).collect(),
        kek_file: kek_file.display().to_string(),
        kek_is_new,
        public_key: encode_base64url(public.as_bytes()),
    };
    let text = format!(
        "Made in {}: {}.\nWrapped under {} ({}).\nThe {} key's public half: {}",
        made.folder,
        made.roles.join(", "),
        made.kek_file,
        if kek_is_new { "new, mode 0400" } else { "as it was" },
        signs.name(),
        made.public_key
    );
    output.result(text, &made);
    Ok(())
}
