//! The linkage key: made by the agencies' key custodians, handed to agencies, never to the gateway's
//! operator or the data team. With it, whoever also reads the gateway's database could find out who
//! is in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::files::{self, names_in};
use crate::cli::agency::check_tokens::registrable;
use crate::cli::agency::key_file::{AgencyKeyFile, KeyFileError, LinkageKeyFile, LinkageShare, hex};
use crate::cli::operator::read_bytes;
use crate::cli::output::{Failure, Output};
use crate::crypto::keyring::Role;
use crate::crypto::random::SystemRandom;
use crate::domain::clk::CLK_TYPE;
use crate::domain::ids::{ProgrammeCode, TokenType};
use crate::domain::match_keys::MatchKeys;

/// Arguments of `porth keys share`.
#[derive(Debug, Args)]
pub(super) struct ShareArgs {
    /// The custodian's linkage key file
    #[arg(long, value_name = "FILE")]
    linkage: PathBuf,
    /// The programme's match-keys file
    #[arg(long, value_name = "FILE")]
    match_keys: PathBuf,
    /// Hand over these token types alone, with commas between; all types unless given
    #[arg(long, value_delimiter = ',', value_name = "TYPES")]
    types: Vec<TokenType>,
    /// The share to write, for one agency
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Arguments of `porth keys add-share`.
#[derive(Debug, Args)]
pub(super) struct AddShareArgs {
    /// The agency's key file
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// What the custodian handed over
    #[arg(long, value_name = "FILE")]
    share: PathBuf,
}

/// What the gateway registers: everybody with the right keys of an epoch computes the same.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli::operator) struct KeyChecksFile {
    /// Which programme.
    pub(in crate::cli::operator) programme: ProgrammeCode,
    /// Which epoch.
    pub(in crate::cli::operator) epoch: u32,
    /// Which normalisation.
    pub(in crate::cli::operator) norm: u16,
    /// Type by type, 16 hexadecimal characters.
    pub(in crate::cli::operator) key_checks: BTreeMap<TokenType, String>,
    /// Type by type, the hash over the test people's tokens, 64 hexadecimal characters.
    #[serde(default)]
    pub(in crate::cli::operator) test_tokens: BTreeMap<TokenType, String>,
}

/// Makes the linkage key of an epoch and the key checks to register.
pub(super) fn init(
    folder: &Path,
    programme: &ProgrammeCode,
    epoch: u32,
    match_keys: &Path,
    output: Output,
) -> Result<(), Failure> {
    if let Some(path) = names_in(folder).into_iter().find(|path| belongs_to_the_gateway(path)) {
        return Err(Failure::failed(format!("{} belongs to the gateway", path.display())).next(
            "the gateway's operator must never hold the linkage key: a key custodian of an agency makes it, on a \
             machine of that agency",
        ));
    }
    let match_keys = read_match_keys(match_keys)?;
    let (key_name, checks_name) = (linkage_name(epoch), format!("key-checks-epoch-{epoch}.json"));
    files::make_folder(folder)?;
    files::refuse_existing(folder, &[&key_name, &checks_name])?;
    let linkage = LinkageKeyFile::generate(programme.clone(), epoch, &SystemRandom::new());
    let types: Vec<TokenType> = match_keys.token_types().cloned().collect();
    let tests = registrable(&match_keys, linkage.type_keys(&match_keys)).into_iter();
    let checks = KeyChecksFile {
        programme: programme.clone(),
        epoch,
        norm: match_keys.norm(),
        key_checks: linkage.key_checks(&types, match_keys.norm()),
        test_tokens: tests.map(|(token_type, digest)| (token_type, hex(&digest))).collect(),
    };
    linkage.write(&folder.join(&key_name)).map_err(key_file_failure)?;
    files::write_public_json(&folder.join(&checks_name), &checks)?;
    output.result(
        format_args!(
            "Made {key_name} and {checks_name} in {}: programme {programme}, epoch {epoch}, {} token types.",
            folder.display(),
            checks.key_checks.len()
        ),
        &checks,
    );
    output.note(format_args!(
        "{key_name} is the linkage key. The gateway's operator and the data team must never hold it: with it, whoever \
         reads the gateway's database could find out who is in it.\nKeep it offline with two custodians. Hand agencies \
         their share with `porth keys share`, in person or over a channel that the operator cannot read.\nSend \
         {checks_name}, which is no secret, to the operator: `porth agency register-key-checks`."
    ));
    Ok(())
}

/// Writes what one agency gets.
pub(super) fn share(args: &ShareArgs, output: Output) -> Result<(), Failure> {
    let linkage = LinkageKeyFile::read(&args.linkage).map_err(key_file_failure)?;
    let match_keys = read_match_keys(&args.match_keys)?;
    let is_known = |name: &TokenType| match_keys.token_types().any(|known| known == name) || name.as_str() == CLK_TYPE;
    if let Some(unknown) = args.types.iter().find(|name| !is_known(name)) {
        return Err(Failure::failed(format!("the match-keys file has no token type {unknown}")));
    }
    let share = if args.types.is_empty() { linkage.whole() } else { linkage.subkeys(&args.types, match_keys.norm()) };
    share.write(&args.out).map_err(key_file_failure)?;
    let what =
        if args.types.is_empty() { "every token type".to_owned() } else { format!("{} type(s)", args.types.len()) };
    let value = serde_json::json!({ "file": args.out, "epoch": linkage.epoch(), "types": args.types });
    output.result(format_args!("Wrote {}: epoch {}, {what}.", args.out.display(), linkage.epoch()), &value);
    output.note("It is a secret: hand it over in person or encrypted, and destroy this copy once the agency has it.");
    Ok(())
}

/// Takes a share into an agency's key file.
pub(super) fn add_share(args: &AddShareArgs, output: Output) -> Result<(), Failure> {
    let mut keys = AgencyKeyFile::read(&args.keys).map_err(key_file_failure)?;
    keys.add(LinkageShare::read(&args.share).map_err(key_file_failure)?).map_err(key_file_failure)?;
    keys.replace(&args.keys).map_err(key_file_failure)?;
    let epochs: Vec<u32> = keys.epochs().collect();
    let value = serde_json::json!({ "file": args.keys, "epochs": epochs });
    let listed: Vec<String> = epochs.iter().map(u32::to_string).collect();
    output.result(format_args!("{} now holds epoch(s) {}.", args.keys.display(), listed.join(", ")), &value);
    output.note("Destroy the share.");
    Ok(())
}

/// Whether a file is named like a custodian's linkage key.
pub(super) fn is_linkage_key(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("linkage-epoch-"))
}

pub(super) fn key_file_failure(error: KeyFileError) -> Failure {
    Failure::unusable(error)
}

fn linkage_name(epoch: u32) -> String {
    format!("linkage-epoch-{epoch}.json")
}

pub(super) fn read_match_keys(path: &Path) -> Result<MatchKeys, Failure> {
    let bytes = read_bytes(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::failed(format!("{} is not text", path.display())))?;
    MatchKeys::parse(text).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

/// Whether a file is a gateway's or sequencer's wrapped key or configuration.
fn belongs_to_the_gateway(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_of_type = |wanted: &str| path.extension().is_some_and(|found| found == wanted);
    let roles = Role::GATEWAY.into_iter().chain([Role::Checkpoint]);
    let is_key = is_of_type("json") && roles.into_iter().any(|role| name.starts_with(&format!("{}.v", role.name())));
    let is_config = is_of_type("toml") && fs::read_to_string(path).is_ok_and(|text| text.contains("log_origin"));
    is_key || is_config
}
