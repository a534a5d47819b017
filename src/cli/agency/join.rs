//! `porth join`: how an agency comes into a programme, on the agency's own machine.
//!
//! | file | what |
//! |---|---|
//! | [`fingerprint`] | short hashes that two people compare on the telephone |
//! | [`request`] | what the agency hands in: public things, and proof that it holds the private ones |
//! | [`reply`] | what the operator hands back |
//! | [`finish`] | takes the reply in, fetches and opens the linkage keys |

pub(crate) mod fingerprint;
pub(crate) mod finish;
pub(crate) mod reply;
pub(crate) mod request;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use self::request::JoinRequest;
use super::key_file::{self, AgencyKeyFile};
use crate::cli::operator::keys::files;
use crate::cli::output::{Failure, Output};
use crate::crypto::certs;
use crate::crypto::jwt::ClientKey;
use crate::crypto::random::SystemRandom;
use crate::crypto::seal::SealKeyPair;
use crate::crypto::secret::Secret;
use crate::domain::ids::{AgencyCode, ProgrammeCode};

/// The agency's folder unless another is named.
pub(crate) const FOLDER: &str = "porth-agency";
pub(crate) const CLIENT_KEY: &str = "client.key";
pub(crate) const CERTIFICATE: &str = "client.pem";
pub(crate) const ROOT: &str = "gateway-root.pem";
pub(crate) const ASSERTION_KEY: &str = "assertion.key";
pub(crate) const SEALING_KEY: &str = "sealing.key";
pub(crate) const KEYS: &str = "agency-keys.json";
pub(crate) const CONNECTION: &str = "connection.toml";
pub(crate) const REQUEST: &str = "request.json";
pub(crate) const REPLY: &str = "reply.json";

/// Arguments of `porth join`.
#[derive(Debug, Args)]
pub struct JoinArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make every key on this machine, and one file of public things for the operator
    Request(RequestArgs),
    /// Take the operator's reply in, and fetch the keys that the custodian sealed
    Finish(finish::FinishArgs),
}

#[derive(Debug, Args)]
struct RequestArgs {
    /// The agency's code in the programme
    #[arg(long)]
    agency: AgencyCode,
    /// The programme's code
    #[arg(long)]
    programme: ProgrammeCode,
    /// A name for this system; the agency's code and `-system` unless given
    #[arg(long)]
    client: Option<String>,
    /// Folder for the keys, of this user alone; made if need be
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
}

/// Runs `porth join`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: JoinArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Request(args) => make_request(&args, *output),
        Command::Finish(args) => finish::run(&args, *output),
    }
}

fn make_request(args: &RequestArgs, output: Output) -> Result<(), Failure> {
    const FILES: [&str; 5] = [CLIENT_KEY, ASSERTION_KEY, SEALING_KEY, KEYS, REQUEST];
    let folder = args.folder.as_path();
    let client = args.client.clone().unwrap_or_else(|| format!("{}-system", args.agency));
    request::check_client(&client).map_err(Failure::failed)?;
    files::make_folder(folder)?;
    only_ours(folder)?;
    files::refuse_existing(folder, &FILES)?;

    let random = SystemRandom::new();
    let tls = certs::request(&args.agency).map_err(Failure::failed)?;
    let (assertion, sealing) = (ClientKey::generate(&random), SealKeyPair::generate(&random));
    let request = JoinRequest::make(&args.programme, &args.agency, &client, tls.pem, &assertion, sealing.public())
        .map_err(Failure::failed)?;
    files::write_private(&folder.join(CLIENT_KEY), tls.key_pem.as_bytes())?;
    files::write_private(&folder.join(ASSERTION_KEY), files::private_key_pem(&assertion.to_pkcs8()).as_bytes())?;
    write_sealing_key(&folder.join(SEALING_KEY), &sealing)?;
    AgencyKeyFile::generate(args.programme.clone(), args.agency.clone(), &random)
        .write(&folder.join(KEYS))
        .map_err(Failure::unusable)?;
    let path = folder.join(REQUEST);
    files::write_public_json(&path, &request)?;
    let fingerprint = request.fingerprint();
    let value = serde_json::json!({ "request": path, "client": client, "fingerprint": fingerprint.to_string() });
    output
        .result(format_args!("Wrote {}: nothing in it is secret.\nFingerprint: {fingerprint}", path.display()), &value);
    output.note(format_args!(
        "Send that one file to the gateway's operator and to the programme's key custodian, and read the fingerprint to \
         each of them on the telephone.\nEverything else in {} stays on this machine.",
        folder.display()
    ));
    Ok(())
}

/// Refuses a folder that others may enter: keys are about to lie there.
fn only_ours(folder: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(folder)
        .map_err(|error| Failure::failed(format!("cannot look at {}: {}", folder.display(), error.kind())))?;
    if metadata.mode().trailing_zeros() >= 6 {
        return Ok(());
    }
    Err(Failure::unusable(format!("{} can be entered by other users of this machine", folder.display()))
        .next(format!("`chmod 700 {}`, then run this again", folder.display())))
}

fn write_sealing_key(path: &Path, pair: &SealKeyPair) -> Result<(), Failure> {
    let mut text = Zeroizing::new(String::with_capacity(160));
    text.push_str("# Opens the linkage keys that the custodian sealed for this agency.\n");
    text.push_str(&pair.secret().expose_hex());
    text.push('\n');
    files::write_private(path, text.as_bytes())
}

pub(crate) fn read_sealing_key(path: &Path) -> Result<SealKeyPair, Failure> {
    let bytes = key_file::read_secret(path).map_err(Failure::unusable)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let line = text.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
    Secret::from_hex(line.trim())
        .map(SealKeyPair::from_private)
        .map_err(|_| Failure::unusable(format!("{} is not a sealing key", path.display())))
}
