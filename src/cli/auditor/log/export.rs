//! `porth log export`.

use std::path::PathBuf;

use clap::Args;

use super::trust::{TrustFile, written};
use crate::app::export::{BundleFor, ExportError};
use crate::app::log_access::{Grounds, LogAccessError};
use crate::cli::operator::{ConfigFile, app_failure, read_bytes, start_failure};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{AgencyCode, AgreementRef, RoleCode};
use crate::runtime::prepare;

/// Arguments of `porth log export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// A new or empty folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Add the openings that the reader may see: who asked, of entries whose every contribution the
    /// reader may learn too; case and answer of those that it asked itself
    #[arg(long, requires_all = ["reader", "agreement", "role"])]
    with_openings: bool,
    /// The agency for which the bundle is made
    #[arg(long = "for", value_name = "AGENCY", id = "reader")]
    reader: Option<AgencyCode>,
    /// The agreement that allows it the purpose `audit`, such as programme-delivery/v1
    #[arg(long)]
    agreement: Option<AgreementRef>,
    /// The role of the person who reads it
    #[arg(long)]
    role: Option<RoleCode>,
    /// The account that exports, for the log
    #[arg(long, default_value = "operator", value_parser = crate::cli::typed::code)]
    by: String,
    /// A trust file to put beside the entries, where the sequencer has its own keys; made of the
    /// configuration unless given
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

/// Logs the export, then writes the newest checkpoint and everything below it.
pub(super) fn run(args: &ExportArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    if std::fs::read_dir(&args.to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::failed(format!("{} is not empty", args.to.display()))
            .next("name a new folder: files of another export would be found as faults"));
    }
    let reader = match (&args.reader, &args.agreement, &args.role) {
        (Some(agency), Some(agreement), Some(role)) if args.with_openings => {
            Some((agency.clone(), Grounds { agreement: agreement.clone(), role: role.clone(), user: None }))
        }
        _ => None,
    };
    let keys = match &args.keys {
        Some(path) => read_bytes(path)?,
        None => written(&TrustFile::of_gateway(&config)?)?.into_bytes(),
    };
    let wanted = BundleFor { by: args.by.clone(), reader, with_openings: args.with_openings };
    let (event, exported) = crate::cli::block_on(async {
        let prepared = prepare(&config).await.map_err(start_failure)?;
        let made = prepared.gateway.export_bundle(&wanted, &keys, prepared.sequencer.as_deref(), &args.to).await;
        made.map_err(export_failure)
    })?;
    let value = serde_json::json!({
        "folder": args.to,
        "entry": event,
        "entries": exported.entries,
        "openings": exported.openings,
    });
    let openings = if args.with_openings { format!(" and {} openings", exported.openings) } else { String::new() };
    output.result(format_args!("Exported {} entries{openings} to {}.", exported.entries, args.to.display()), &value);
    output.note(format_args!("The export is log entry {event}."));
    if args.with_openings {
        output.note("The openings say who asked, and what the reader was answered. Hand this folder only to the reader that you named.");
    }
    Ok(())
}

fn export_failure(error: ExportError) -> Failure {
    match error {
        ExportError::App(error) | ExportError::Access(LogAccessError::App(error)) => app_failure(error),
        ExportError::Access(LogAccessError::NotPermitted { ref hits, .. }) => {
            let rules: Vec<String> = hits.iter().map(|hit| format!("{} ({})", hit.say, hit.rule)).collect();
            Failure::refused(format!("the agreements do not permit it: {}", rules.join(" ")))
                .next("name an agreement in force whose receive clause has the purpose `audit` and the role")
        }
        ExportError::Access(LogAccessError::CeilingReached { .. }) => {
            Failure::refused("the account has examined the log as often as the clause allows in a day")
                .next("try again tomorrow")
        }
        ExportError::Access(other) => Failure::failed(other),
        ExportError::Superseded | ExportError::Changed => {
            Failure::failed(error).next("empty the folder and export once more")
        }
        ExportError::NotSequenced => {
            Failure::failed(error).next("is `porth sequence` running? its log says why it does not go on")
        }
        ExportError::NoCheckpoint => {
            Failure::failed(error).next("run `porth sequence`, or the gateway where it sequences the log itself")
        }
        ExportError::File { .. } => Failure::failed(error).next("check the folder and the space on its disk"),
    }
}
