//! `porth match-run`: the data team begins a match run, carries it on, runs it again and compares it.

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::agency::connection::{Connection, Session, failure, now};
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::{AgreementRef, MatchRunId, OpaqueRef, RoleCode};

/// Arguments of `porth match-run`.
#[derive(Debug, Args)]
pub struct MatchRunArgs {
    #[command(subcommand)]
    command: MatchRunCommand,
}

#[derive(Debug, Subcommand)]
enum MatchRunCommand {
    /// Begin a run and take its snapshot; it then waits for the benefits agency
    Start(StartArgs),
    /// Carry a run on, after an interruption or the benefits agency's reply
    Continue(ContinueArgs),
    /// Show where a run is, what it was computed from, and its counts
    Show(ShowArgs),
    /// Run a closed run again from its snapshot, and compare the bytes; exit code 4 if they differ
    Repeat(RunArgs),
    /// Count how a closed run differs from the one before it
    Diff(ShowArgs),
}

#[derive(Debug, Args)]
struct Who {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The agreement that allows it
    #[arg(long, default_value = "programme-delivery/v1")]
    agreement: AgreementRef,
    /// The role in which you act
    #[arg(long, default_value = "data-analyst")]
    role: RoleCode,
    /// The team's own keyed reference of you
    #[arg(long, value_parser = parse_reference)]
    user: OpaqueRef,
}

#[derive(Debug, Args)]
struct StartArgs {
    #[command(flatten)]
    who: Who,
    /// The key under which a repeat begins no second run; a new one by default
    #[arg(long)]
    idempotency_key: Option<String>,
}

#[derive(Debug, Args)]
struct ContinueArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Close the run without the benefits agency's reply
    #[arg(long)]
    without_reply: bool,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The run
    id: MatchRunId,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The run
    id: MatchRunId,
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
}

/// Runs `porth match-run`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refused, 4 if a run
/// that was computed again came to other bytes.
pub fn run(args: MatchRunArgs, output: &Output) -> Result<(), Failure> {
    crate::cli::block_on(async {
        match args.command {
            MatchRunCommand::Start(args) => {
                let mut session = Connection::read(&args.who.connection)?.open()?;
                let key = args.idempotency_key.unwrap_or_else(|| uuid_v7(now(), &SystemRandom::new()).to_string());
                let begun = post(&mut session, "/v1/match-runs", &terms(&args.who), Some(key)).await?;
                carry_on(&mut session, begun, &args.who, false, output).await
            }
            MatchRunCommand::Continue(args) => {
                let mut session = Connection::read(&args.run.who.connection)?.open()?;
                let at = get(&mut session, &format!("/v1/match-runs/{}", args.run.id)).await?;
                carry_on(&mut session, at, &args.run.who, args.without_reply, output).await
            }
            MatchRunCommand::Show(args) => {
                let mut session = Connection::read(&args.connection)?.open()?;
                let run = get(&mut session, &format!("/v1/match-runs/{}", args.id)).await?;
                output.result(say(&run), &run);
                Ok(())
            }
            MatchRunCommand::Repeat(args) => {
                let mut session = Connection::read(&args.who.connection)?.open()?;
                output.note("running the stages again from the snapshot");
                let path = format!("/v1/match-runs/{}/repeat", args.id);
                let repeated = post(&mut session, &path, &terms(&args.who), None).await?;
                if repeated["is_same"] != true {
                    return Err(Failure::faulty("the run came to other bytes than it did the first time"));
                }
                output.result(format!("the same bytes, SHA-256 {}", word(&repeated["output_sha256"])), &repeated);
                Ok(())
            }
            MatchRunCommand::Diff(args) => {
                let mut session = Connection::read(&args.connection)?.open()?;
                let difference = get(&mut session, &format!("/v1/match-runs/{}/difference", args.id)).await?;
                let text = if difference["has_earlier"] == true {
                    let count = |name: &str| difference[name].as_u64().unwrap_or_default();
                    format!("{} families added, {} gone, {} changed", count("added"), count("gone"), count("changed"))
                } else {
                    "There is no closed run before this one.".to_owned()
                };
                output.result(text, &difference);
                Ok(())
            }
        }
    })
}

/// Takes step after step, until the run is over or waits for somebody.
async fn carry_on(
    session: &mut Session,
    mut run: Value,
    who: &Who,
    without_reply: bool,
    output: &Output,
) -> Result<(), Failure> {
    let path = format!("/v1/match-runs/{}/steps", word(&run["id"]));
    let body = json!({ "terms": terms(who), "without_reply": without_reply });
    loop {
        let is_waiting = run["state"] == "listed" && run["waits_for_reply"] == true && !without_reply;
        if is_waiting || run["state"] == "closed" || run["state"] == "failed" {
            output.result(say(&run), &run);
            return Ok(());
        }
        output.note(format_args!("{} of {} records", run["records_kept"], run["records_expected"]));
        run = post(session, &path, &body, None).await?;
    }
}

async fn get(session: &mut Session, path: &str) -> Result<Value, Failure> {
    let headers = session.headers(None).await?;
    let answer = session.client().get(path, &headers).await;
    answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
}

async fn post(session: &mut Session, path: &str, body: &Value, key: Option<String>) -> Result<Value, Failure> {
    let headers = session.headers(key).await?;
    let answer = session.client().post_json(path, &headers, body).await;
    answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
}

fn terms(who: &Who) -> Value {
    json!({ "agreement": who.agreement, "relationship": "screening", "role": who.role, "user": who.user })
}

fn say(run: &Value) -> String {
    let mut text =
        format!("run {} ({}), {} as at {}", run["number"], word(&run["id"]), word(&run["state"]), word(&run["as_at"]));
    for input in run["inputs"].as_array().into_iter().flatten() {
        let _ = write!(text, "\n  {}/{} as at {}", word(&input["agency"]), word(&input["feed"]), word(&input["as_at"]));
    }
    if let Some(counts) = run["counts"].as_object() {
        for (of, count) in counts {
            let _ = write!(text, "\n{count:>9}  {of}");
        }
    }
    match word(&run["state"]) {
        "closed" => text + "\noutput SHA-256 " + word(&run["output_sha256"]),
        "failed" => text + "\nIt cannot be carried on: its records or keys changed. Begin another run.",
        "listed" if run["waits_for_reply"] == true => {
            text + "\nIt waits for the benefits agency. Then, or to go on without: porth match-run continue"
        }
        _ => text,
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn parse_reference(text: &str) -> Result<OpaqueRef, String> {
    OpaqueRef::parse(text).map_err(|error| error.to_string())
}
