//! `porth log judge-again`: an answer judged again, as at its date.

use clap::Args;

use crate::app::past::PastError;
use crate::cli::operator::{ConfigFile, app_failure, start_failure};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::EventId;
use crate::runtime::prepare;

/// Arguments of `porth log judge-again`.
#[derive(Debug, Args)]
pub(super) struct JudgeArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The log entry of the answer
    #[arg(long)]
    entry: EventId,
}

/// Judges the answer again and says whether it is the same; prints nothing of the evidence.
pub(super) fn run(args: &JudgeArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let judged = crate::cli::block_on(async {
        let prepared = prepare(&config).await.map_err(start_failure)?;
        prepared.gateway.judge_again(args.entry).await.map_err(failure)
    })?;
    let value = serde_json::json!({
        "entry": args.entry, "at": judged.at, "criteria_version": judged.criteria_version,
        "is_same": judged.is_same, "is_present_programme": judged.is_present_programme,
    });
    let file = if judged.is_present_programme { "still in force" } else { "no longer in force" };
    let outcome = if judged.is_same { "the same" } else { "NOT the same" };
    output.result(
        format_args!(
            "Judged again as at {}, by the criteria of {} (the programme file is {file}): {outcome}.",
            judged.at, judged.criteria_version
        ),
        &value,
    );
    if judged.is_same {
        return Ok(());
    }
    Err(Failure::failed("the evidence in the entry's opening does not give the answer that was recorded")
        .next("verify the log, and look for a change of the program between the two judgements"))
}

fn failure(error: PastError) -> Failure {
    match error {
        PastError::App(error) => app_failure(error),
        other => Failure::failed(other),
    }
}
