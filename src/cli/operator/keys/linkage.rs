//! `porth keys linkage`: epochs of the linkage key, from the custodian's next one to the end of the last.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::custodian;
use crate::cli::agency::key_file::{AgencyKeyFile, LinkageKeyFile};
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::time::Timestamp;
use crate::store::StoredEpoch;

/// Arguments of `porth keys linkage`.
#[derive(Debug, Args)]
pub(super) struct LinkageArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the next epoch's linkage key and key checks: a key custodian, on a machine of an agency
    Next(NextArgs),
    /// List the epochs and their states
    List(ConfigFile),
    /// Refuse an epoch's tokens and stop matching on those that are stored, at once
    Freeze(MoveArgs),
    /// End an epoch: matching on it stops, and its stored tokens are removed
    Retire(RetireArgs),
}

#[derive(Debug, Args)]
struct NextArgs {
    /// The custodian's file of the present epoch
    #[arg(long, value_name = "FILE")]
    linkage: PathBuf,
    /// The programme's match-keys file
    #[arg(long, value_name = "FILE")]
    match_keys: PathBuf,
    /// Folder for the next epoch's files; made if need be
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Debug, Args)]
struct MoveArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Which epoch
    #[arg(long)]
    epoch: u32,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// Why, as a code for the log, such as incident:2026-014
    #[arg(long, value_parser = crate::cli::typed::code)]
    reason: String,
}

#[derive(Debug, Args)]
struct RetireArgs {
    #[command(flatten)]
    change: MoveArgs,
    /// Retire it although visible records have tokens of no other active epoch: nobody finds them then
    #[arg(long)]
    leave_behind: bool,
}

/// Arguments of `porth keys drop-epoch`.
#[derive(Debug, Args)]
pub(super) struct DropEpochArgs {
    /// The agency's key file
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// Which epoch
    #[arg(long)]
    epoch: u32,
}

#[derive(Serialize)]
struct Listed {
    epoch: u32,
    state: &'static str,
    since: Timestamp,
    tokens_are_being_removed: bool,
}

impl From<StoredEpoch> for Listed {
    fn from(epoch: StoredEpoch) -> Self {
        Self {
            epoch: epoch.epoch,
            state: epoch.state.as_str(),
            since: epoch.changed_at,
            tokens_are_being_removed: epoch.needs_sweeping(),
        }
    }
}

/// Runs `porth keys linkage`.
pub(super) fn run(args: &LinkageArgs, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Next(args) => next(args, output),
        Command::List(config) => list(config, output),
        Command::Freeze(args) => freeze(args, output),
        Command::Retire(args) => retire(args, output),
    }
}

fn next(args: &NextArgs, output: Output) -> Result<(), Failure> {
    let present = LinkageKeyFile::read(&args.linkage).map_err(custodian::key_file_failure)?;
    let epoch = present.epoch().checked_add(1).ok_or_else(|| Failure::failed("there is no epoch after this one"))?;
    custodian::init(&args.folder, present.programme(), epoch, &args.match_keys, output)
}

fn list(config: &ConfigFile, output: Output) -> Result<(), Failure> {
    let config = config.read()?;
    let epochs =
        crate::cli::block_on(with_gateway(&config, async |gateway| gateway.epochs().await.map_err(app_failure)))?;
    let epochs: Vec<Listed> = epochs.into_iter().map(Listed::from).collect();
    let line = |listed: &Listed| {
        let removing = if listed.tokens_are_being_removed { ", its stored tokens are being removed" } else { "" };
        format!("epoch {}: {}{removing}", listed.epoch, listed.state)
    };
    output.result(epochs.iter().map(line).collect::<Vec<_>>().join("\n"), &epochs);
    Ok(())
}

fn freeze(args: &MoveArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let alone = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.freeze_epoch(args.epoch, &args.by, &args.reason).await.map_err(app_failure)?;
        gateway.records_only_in(args.epoch).await.map_err(app_failure)
    }))?;
    let value = serde_json::json!({ "epoch": args.epoch, "state": "frozen", "records_only_here": alone });
    output.result(
        format_args!(
            "Epoch {} is frozen: its tokens are refused and match nothing.\n{alone} visible records have no tokens of \
             another active epoch; nobody finds them until their agencies deliver again.",
            args.epoch
        ),
        &value,
    );
    output.note(
        "Until the epoch is retired no shield lifts. Next: the custodians hand out the next epoch, every agency runs \
         `porth keys drop-epoch` and delivers again, then `porth keys linkage retire`.",
    );
    Ok(())
}

fn retire(args: &RetireArgs, output: Output) -> Result<(), Failure> {
    let change = &args.change;
    let config = change.config.read()?;
    let alone = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let retired = gateway.retire_epoch(change.epoch, args.leave_behind, &change.by, &change.reason);
        retired.await.map_err(app_failure)
    }))?;
    let value = serde_json::json!({ "epoch": change.epoch, "state": "retired", "left_behind": alone });
    output.result(
        format_args!(
            "Epoch {} is retired; {alone} records are left behind. Its stored tokens are removed by the running gateway.",
            change.epoch
        ),
        &value,
    );
    Ok(())
}

/// Takes an epoch out of an agency's key file.
pub(super) fn drop_epoch(args: &DropEpochArgs, output: Output) -> Result<(), Failure> {
    let path: &Path = &args.keys;
    let mut keys = AgencyKeyFile::read(path).map_err(custodian::key_file_failure)?;
    if !keys.remove_epoch(args.epoch) {
        return Err(Failure::failed(format!("{} holds no epoch {}", path.display(), args.epoch)));
    }
    keys.replace(path).map_err(custodian::key_file_failure)?;
    let epochs: Vec<u32> = keys.epochs().collect();
    let value = serde_json::json!({ "file": path, "epochs": epochs });
    output.result(format_args!("{} no longer holds epoch {}.", path.display(), args.epoch), &value);
    Ok(())
}
