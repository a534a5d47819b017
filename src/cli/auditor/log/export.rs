//! `porth log export`.

use std::path::PathBuf;

use clap::Args;

use crate::app::export::{ExportError, export_log};
use crate::cli::operator::{ConfigFile, app_failure, config_failure, start_failure, store_failure};
use crate::cli::output::{Failure, Output};
use crate::crypto::keyring::Keyring;
use crate::runtime;
use crate::store::Store;

/// Arguments of `porth log export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// A new or empty folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Add the openings: case, subject, actor and answer of every entry, for those who may see them
    #[arg(long)]
    with_openings: bool,
}

/// Exports the newest checkpoint and everything below it.
pub(super) fn run(args: &ExportArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    if std::fs::read_dir(&args.to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::failed(format!("{} is not empty", args.to.display()))
            .next("name a new folder: files of another export would be found as faults"));
    }
    let keys = if args.with_openings {
        let kek = runtime::open_kek(&config).map_err(start_failure)?;
        let keyring = Keyring::open(&config.keys.folder, &kek).map_err(|error| start_failure(error.into()))?;
        Some(runtime::gateway_keys(&config, &kek, &keyring).map_err(start_failure)?)
    } else {
        None
    };
    let location = config.database.location().map_err(config_failure)?;
    let exported = crate::cli::block_on(async {
        let store = Store::connect(&location, config.database.connections).await.map_err(store_failure)?;
        store.check_schema().await.map_err(store_failure)?;
        let exported = export_log(&store, keys.as_ref(), &args.to).await.map_err(export_failure)?;
        store.close().await;
        Ok(exported)
    })?;
    let value = serde_json::json!({
        "folder": args.to,
        "entries": exported.entries,
        "openings": exported.openings,
    });
    let openings = if args.with_openings { format!(" and {} openings", exported.openings) } else { String::new() };
    output.result(format_args!("Exported {} entries{openings} to {}.", exported.entries, args.to.display()), &value);
    if args.with_openings {
        output.note("The openings say who asked about which case. Hand this folder only to those who may see that.");
    }
    Ok(())
}

fn export_failure(error: ExportError) -> Failure {
    match error {
        ExportError::App(error) => app_failure(error),
        ExportError::NoCheckpoint => {
            Failure::failed(error).next("run `porth sequence`, or the gateway where it sequences the log itself")
        }
        ExportError::File { .. } => Failure::failed(error).next("check the folder and the space on its disk"),
    }
}
