//! `porth keys grant`: a key custodian seals single type keys to an agency and hands them to the gateway,
//! which passes them on without being able to open them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;

use super::custodian::{key_file_failure, read_match_keys};
use super::files;
use crate::cli::agency::connection::{Connection, failure, now};
use crate::cli::agency::join::fingerprint::Fingerprint;
use crate::cli::agency::join::request::JoinRequest;
use crate::cli::agency::key_file::LinkageKeyFile;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::{AgencyCode, TokenType};

/// Arguments of `porth keys grant`.
#[derive(Debug, Args)]
pub(super) struct GrantArgs {
    /// Which agency
    #[arg(long)]
    agency: AgencyCode,
    /// The agency's joining request, as the agency sent it to you
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The request's fingerprint, as the agency reads it out on the telephone
    #[arg(long, value_name = "DIGITS")]
    fingerprint: Fingerprint,
    /// The custodian's linkage key file
    #[arg(long, value_name = "FILE")]
    linkage: PathBuf,
    /// The programme's match-keys file
    #[arg(long, value_name = "FILE")]
    match_keys: PathBuf,
    /// The token types that the agency's agreements give it, with commas between
    #[arg(long, value_delimiter = ',', value_name = "TYPES", required_unless_present = "all_types")]
    types: Vec<TokenType>,
    /// Every type of the match-keys file but those of legacy hashes, which are named one by one
    #[arg(long, conflicts_with = "types")]
    all_types: bool,
    /// How to reach the gateway as the custodian's own agency
    #[arg(long, short, value_name = "FILE")]
    connection: PathBuf,
}

/// Runs `porth keys grant`.
pub(super) fn run(args: &GrantArgs, output: Output) -> Result<(), Failure> {
    let request: JoinRequest = files::read_public_json(&args.request, "an agency's joining request")?;
    let proved = request.prove().map_err(|fault| Failure::failed(format!("{}: {fault}", args.request.display())))?;
    if request.fingerprint() != args.fingerprint {
        return Err(Failure::failed("the fingerprint that was read out is not that of the request")
            .next("nothing was sealed; ask the agency again on a number that you know, and report a second mismatch"));
    }
    let linkage = LinkageKeyFile::read(&args.linkage).map_err(key_file_failure)?;
    if request.agency != args.agency || request.programme != *linkage.programme() {
        return Err(Failure::failed("the request is another agency's, or for another programme than the linkage key"));
    }
    let match_keys = read_match_keys(&args.match_keys)?;
    let types: BTreeSet<TokenType> = if args.all_types {
        match_keys.token_types().filter(|it| !match_keys.is_legacy(it)).cloned().collect()
    } else {
        args.types.iter().cloned().collect()
    };
    if let Some(unknown) = types.iter().find(|name| match_keys.token_types().all(|known| known != *name)) {
        return Err(Failure::failed(format!("the match-keys file has no token type {unknown}")));
    }
    let listed: Vec<TokenType> = types.iter().cloned().collect();
    let share = linkage.subkeys(&listed, match_keys.norm());
    let random = SystemRandom::new();
    let sealed = share.sealed_for(&random, &proved.sealing_key, &args.agency).map_err(Failure::failed)?;
    let body = serde_json::json!({
        "agency": args.agency, "sealing_key": proved.sealing_key.key_id(), "epoch": linkage.epoch(), "types": types,
        "sealed": URL_SAFE_NO_PAD.encode(&sealed),
    });
    let mut session = Connection::read(&args.connection)?.open()?;
    let grant: serde_json::Value = crate::cli::block_on(async {
        let headers = session.headers(Some(uuid_v7(now(), &random).to_string())).await?;
        let answer = session.client().post_json("/v1/relay/grants", &headers, &body).await;
        answer.map_err(|error| failure(&error))?.json().map_err(|error| failure(&error))
    })?;
    let fingerprint = Fingerprint::of(&share.fingerprint());
    let value = serde_json::json!({
        "grant": grant["id"], "agency": args.agency, "epoch": linkage.epoch(), "types": types,
        "fingerprint": fingerprint.to_string(),
    });
    output.result(
        format_args!(
            "Sealed the keys of {} token type(s), epoch {}, for {}; the gateway holds them until it fetches them.\n\
             Fingerprint: {fingerprint}",
            types.len(),
            linkage.epoch(),
            args.agency
        ),
        &value,
    );
    output.note(
        "Read the fingerprint to the agency on the telephone: with it, it knows that these keys are yours and not \
         made by somebody on the way.",
    );
    Ok(())
}
