//! Keys that partners gave us end: a system's assertion key, a signatory's key.

use clap::Args;

use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::account::Account;

/// Arguments of `porth agency revoke-key`.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Id of the agency's system
    #[arg(long)]
    client: String,
    /// Id of its assertion key, as `porth agency enrol` printed it; it may begin with a hyphen
    #[arg(long, allow_hyphen_values = true)]
    key_id: String,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// Why, as a code for the log, such as key-lost
    #[arg(long, value_parser = crate::cli::typed::code)]
    reason: String,
}

/// Arguments of `porth agency revoke-signatory`.
#[derive(Debug, Args)]
pub(super) struct SignatoryArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The signatory's key id
    #[arg(long)]
    key_id: String,
    /// The first person's account, for the log
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// The second person's account, for the log
    #[arg(long)]
    confirmed_by: String,
    /// Why, as a code for the log, such as key-lost
    #[arg(long, value_parser = crate::cli::typed::code)]
    reason: String,
}

pub(super) fn key(args: &KeyArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.revoke_client_key(&args.client, &args.key_id, &args.by, &args.reason).await.map_err(app_failure)
    }))?;
    let value = serde_json::json!({ "client": args.client, "assertion_key_id": args.key_id, "revoked": true });
    output.result(format_args!("Revoked: {} gets no access token with {} any more.", args.client, args.key_id), &value);
    output.note("Access tokens that were fetched with it are refused from the next request on.");
    Ok(())
}

pub(super) fn signatory(args: &SignatoryArgs, output: Output) -> Result<(), Failure> {
    if Account::of(&args.by).is(&args.confirmed_by) {
        return Err(Failure::failed("a signatory is revoked by two people: --by and --confirmed-by must differ"));
    }
    let config = args.config.read()?;
    let both = format!("{}:{}", args.by, args.confirmed_by);
    let lost = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.revoke_signatory(&args.key_id, &both, &args.reason).await.map_err(app_failure)
    }))?;
    let value = serde_json::json!({ "key_id": args.key_id, "revoked": true, "signatures_lost": lost });
    output.result(format_args!("Revoked {}: {lost} signatures under agreements no longer count.", args.key_id), &value);
    if lost > 0 {
        output.note("These agreements permit nothing until the party signs them with another enrolled key.");
    }
    Ok(())
}
