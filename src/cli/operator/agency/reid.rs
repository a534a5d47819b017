//! Keys for re-identification are enrolled and revoked by two people together.

use std::path::PathBuf;

use clap::Args;

use crate::cli::agency::reid::read_card;
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};

/// Arguments of `porth agency enrol-reid-key`.
#[derive(Debug, Args)]
pub(super) struct EnrolArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The card of the officer, or of the data team
    #[arg(long, value_name = "FILE")]
    card: PathBuf,
    /// The key id as its owner read it out; it must be the card's
    #[arg(long)]
    key_id: String,
    /// The first person's account, for the log
    #[arg(long)]
    by: String,
    /// The second person's account, for the log
    #[arg(long)]
    confirmed_by: String,
}

/// Arguments of `porth agency revoke-reid-key`.
#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The key id
    #[arg(long)]
    key_id: String,
    /// The first person's account, for the log
    #[arg(long)]
    by: String,
    /// The second person's account, for the log
    #[arg(long)]
    confirmed_by: String,
    /// Why, as a code for the log, such as key-lost
    #[arg(long)]
    reason: String,
}

pub(super) fn enrol(args: &EnrolArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let (card, key) = read_card(&args.card)?;
    if card.key_id != args.key_id {
        return Err(Failure::failed("the key id that was read out is not that of the card")
            .next("ask its owner again, by another channel than the one that brought the card"));
    }
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.enrol_reid_key(&key, &args.by, &args.confirmed_by).await.map_err(app_failure)
    }))?;
    output.result(format_args!("{} of {} is enrolled.", card.key_id, card.agency), &card);
    Ok(())
}

pub(super) fn revoke(args: &RevokeArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        let (by, confirmed_by) = (&args.by, &args.confirmed_by);
        gateway.revoke_reid_key(&args.key_id, by, confirmed_by, &args.reason).await.map_err(app_failure)
    }))?;
    let value = serde_json::json!({ "key_id": args.key_id, "revoked": true });
    output.result(format_args!("Revoked {}: its approvals count no longer.", args.key_id), &value);
    Ok(())
}
