//! `porth recall`: a wrong match or delivery is recalled.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::parse_record;
use crate::app::recall::{Named, Raiser, RecallError, RecallReport};
use crate::cli::agency::notices::post;
use crate::cli::agency::possible_matches::parse_record as parse_own_record;
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::claim::RecordName;
use crate::domain::ids::{EventId, FeedCode, OpaqueRef, PairId, PossibleMatchId, RecallId, RoleCode, SubmissionId};
use crate::runtime::machine_time;

/// Arguments of `porth recall`.
#[derive(Debug, Args)]
pub struct RecallArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open a recall: part what was wrongly joined, find and tell everybody who received it
    Open(OpenArgs),
    /// As a holder, recall a record, delivery or answer of the agency's own
    Raise(RaiseArgs),
    /// Show how a recall stands
    Show(ShowArgs),
    /// List recalls, newest first
    List(ListArgs),
    /// Take every open recall as far as it goes now; a running gateway does that by itself
    Run(ListArgs),
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false)]
struct What {
    /// A pair, by the handle that the data team sees
    #[arg(long)]
    pair: Option<PairId>,
    /// A possible match
    #[arg(long)]
    possible_match: Option<PossibleMatchId>,
    /// A record that is of nobody else's person, agency/feed/reference; with `--and` only apart from that one
    #[arg(long, value_parser = parse_record)]
    record: Option<RecordName>,
    /// A log entry: a decision about a possible match, a delivery, or an answer whose recipient's records were
    /// taken for somebody else's
    #[arg(long)]
    entry: Option<EventId>,
    /// A delivery
    #[arg(long)]
    submission: Option<SubmissionId>,
}

#[derive(Debug, Args)]
struct OpenArgs {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    what: What,
    /// The other record, agency/feed/reference
    #[arg(long, value_parser = parse_record, requires = "record")]
    and: Option<RecordName>,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
    /// twin-or-sibling, parent-or-child, namesake or other-person; for a delivery record-wrong
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
#[group(id = "own", required = true, multiple = false)]
struct Own {
    /// A record of the agency's own that is of nobody else's person, feed/reference
    #[arg(long, value_parser = parse_own_record)]
    record: Option<(FeedCode, OpaqueRef)>,
    /// A possible match of the agency's own
    #[arg(long)]
    possible_match: Option<PossibleMatchId>,
    /// A log entry of the agency's own
    #[arg(long)]
    entry: Option<EventId>,
    /// A delivery of the agency's own
    #[arg(long)]
    submission: Option<SubmissionId>,
}

#[derive(Debug, Args)]
struct RaiseArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    #[command(flatten)]
    own: Own,
    /// The role of the person who recalls it
    #[arg(long)]
    role: RoleCode,
    /// twin-or-sibling, parent-or-child, namesake or other-person; for a delivery record-wrong
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The recall
    id: RecallId,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigFile,
}

/// Runs `porth recall`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refuses a holder.
pub fn run(args: RecallArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Open(args) => open(args, output),
        Command::Raise(args) => raise(args, output),
        Command::Show(args) => {
            let config = args.config.read()?;
            let report = crate::cli::block_on(with_gateway(&config, async |gateway| {
                let report = gateway.recall_report(args.id).await.map_err(app_failure)?;
                report.ok_or_else(unknown)
            }))?;
            output.result(words(&report), &value(&report));
            Ok(())
        }
        Command::List(args) => {
            let config = args.config.read()?;
            let reports = crate::cli::block_on(with_gateway(&config, async |gateway| {
                gateway.recall_reports().await.map_err(app_failure)
            }))?;
            output.result(list(&reports), &json!({ "recalls": reports.iter().map(value).collect::<Vec<_>>() }));
            Ok(())
        }
        Command::Run(args) => {
            let config = args.config.read()?;
            let open = crate::cli::block_on(with_gateway(&config, async |gateway| {
                gateway.further_recalls().await.map_err(app_failure)
            }))?;
            output.result(format_args!("{open} recalls are open."), &json!({ "open": open }));
            Ok(())
        }
    }
}

fn open(args: OpenArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let What { pair, possible_match, record, entry, submission } = args.what;
    let named = match (pair, possible_match, record, entry, submission) {
        (Some(pair), ..) => Named::Pair(pair),
        (_, Some(asked), ..) => Named::PossibleMatch(asked),
        (_, _, Some(record), ..) => match args.and {
            Some(other) => Named::Two(record, other),
            None => Named::Record(record),
        },
        (_, _, _, Some(entry), _) => Named::Entry(entry),
        (_, _, _, _, Some(submission)) => Named::Submission(submission),
        _ => return Err(Failure::failed("name what was wrong")),
    };
    let key = uuid_v7(machine_time(), &SystemRandom::new()).to_string();
    let opened = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let opened = gateway.open_recall(Raiser::Officer(&args.by), &named, &args.reason, &key).await;
        opened.map_err(refused)
    }))?;
    let value = json!({ "recall": opened.id.to_string(), "disclosure": opened.disclosure.to_string(), "at": opened.at.to_string() });
    output.result(format_args!("Recall {} is open, and in the log.", opened.id), &value);
    output.note("The running gateway looks for everybody who received it: `porth recall show` says how far it is.");
    Ok(())
}

fn raise(args: RaiseArgs, output: &Output) -> Result<(), Failure> {
    let Own { record, possible_match, entry, submission } = args.own;
    let record = record.map(|(feed, reference)| json!({ "feed": feed, "ref": reference }));
    let mut body = json!({ "role": args.role, "reason": args.reason });
    for (name, value) in [
        ("record", record),
        ("possible_match", possible_match.map(|id| json!(id.to_string()))),
        ("entry", entry.map(|id| json!(id.to_string()))),
        ("submission", submission.map(|id| json!(id.to_string()))),
    ] {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    let taken = post(&args.connection, "/v1/recalls", &body)?;
    output.result("taken, and in the log; who received it is found and told", &taken);
    Ok(())
}

fn refused(error: RecallError) -> Failure {
    match error {
        RecallError::App(error) => app_failure(error),
        other => Failure::failed(other),
    }
}

fn unknown() -> Failure {
    Failure::failed("there is no recall of this id").next("`porth recall list` shows which there are")
}

fn list(reports: &[RecallReport]) -> String {
    if reports.is_empty() {
        return "nothing was ever recalled".to_owned();
    }
    let mut text = format!("{:<38}{:<11}{:<28}{:>7}{:>11}", "recall", "state", "opened", "wrong", "waits for");
    for report in reports {
        let (recall, counts) = (&report.recall, report.counts);
        let _ = write!(
            text,
            "\n{:<38}{:<11}{:<28}{:>7}{:>11}",
            recall.id.to_string(),
            recall.state.as_str(),
            recall.opened_at.to_string(),
            counts.wrong,
            counts.unacknowledged
        );
    }
    text
}

fn words(report: &RecallReport) -> String {
    let (recall, counts) = (&report.recall, report.counts);
    let who = recall.agency.as_ref().map_or(recall.raised_by.clone(), ToString::to_string);
    let mut text = format!("Recall {}: {}\n", recall.id, recall.state.as_str());
    let _ = writeln!(text, "Opened at {} by {who}: {}", recall.opened_at, recall.reason);
    let _ = writeln!(text, "Answers that had it in them: {}", recall.looked);
    let _ = writeln!(text, "  the same without it:       {}", recall.untouched);
    let _ = writeln!(text, "  wrong:                     {} ({} not certain)", counts.wrong, counts.unsettled);
    let _ = writeln!(text, "Engagements held up: {}; families to look at: {}", counts.engagements, counts.families);
    let names: Vec<String> = report.waits_for.iter().map(ToString::to_string).collect();
    let _ = match names.as_slice() {
        [] => write!(text, "Nobody has anything left to acknowledge."),
        names => write!(text, "Waits for {} acknowledgements by {}.", counts.unacknowledged, names.join(", ")),
    };
    text
}

fn value(report: &RecallReport) -> Value {
    let (recall, counts) = (&report.recall, report.counts);
    json!({
        "recall": recall.id.to_string(), "state": recall.state.as_str(), "reason": recall.reason,
        "by": recall.raised_by, "agency": recall.agency, "opened_at": recall.opened_at.to_string(),
        "disclosure": recall.opened.to_string(), "looked_at": recall.looked, "untouched": recall.untouched,
        "wrong": counts.wrong, "unsettled": counts.unsettled, "engagements": counts.engagements,
        "families": counts.families, "unacknowledged": counts.unacknowledged, "waits_for": report.waits_for,
        "closed_at": recall.closed_at.map(|at| at.to_string()),
    })
}
