//! `porth log erase`: an entry no longer speaks of anybody, and every proof about it is as good as before.

use clap::Args;
use serde::Serialize;

use crate::cli::operator::retention::note_erasures;
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{EventId, SubjectCaseId};

/// Arguments of `porth log erase`.
#[derive(Debug, Args)]
pub(super) struct EraseArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// An entry; repeat for several
    #[arg(long, required_unless_present = "case")]
    entry: Vec<EventId>,
    /// Every entry that rested on the own records of a case of a person's rights
    #[arg(long, conflicts_with = "entry")]
    case: Option<SubjectCaseId>,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
    /// The law or decision that it rests on, as a code for the log, such as uk-gdpr:17-1-d
    #[arg(long)]
    reason: String,
}

#[derive(Serialize)]
struct Done {
    erased: u64,
    held: u64,
    without: u64,
}

/// Erases and says what became of it.
pub(super) fn run(args: &EraseArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let erased = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let events = match args.case {
            Some(case) => gateway.entries_of_case(case).await.map_err(app_failure)?,
            None => args.entry.clone(),
        };
        let erased = gateway.erase_entries(&events, &args.reason, &args.by).await.map_err(app_failure)?;
        note_erasures(gateway, &config, &args.by).await?;
        Ok(erased)
    }))?;
    let done = Done { erased: erased.erased, held: erased.held, without: erased.without };
    output.result(
        format_args!(
            "{} entries no longer speak of anybody; {} kept by freezes; {} had nothing to open",
            done.erased, done.held, done.without
        ),
        &done,
    );
    Ok(())
}
