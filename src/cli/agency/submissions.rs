//! `porth submissions`: what became of the files that the agency sent, and taking one back.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::connection::{Connection, Session, failure, now};
use super::retry::Retry;
use super::submit::{count, row_error_table, state_of};
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::SubmissionId;

/// How often the gateway is asked how far it is.
const POLL: Duration = Duration::from_secs(1);
/// Row errors that are fetched with one call.
const PAGE: u32 = 1000;

/// Arguments of `porth submissions`.
#[derive(Debug, Args)]
pub struct SubmissionsArgs {
    #[command(subcommand)]
    command: SubmissionsCommand,
}

#[derive(Debug, Subcommand)]
enum SubmissionsCommand {
    /// List the agency's submissions, the newest first
    List(ListArgs),
    /// Show one submission with every row error that is kept
    Show(OneArgs),
    /// List its records that have no household evidence, because too many of its records share an address
    SharedAddresses(OneArgs),
    /// Take a submission back that was sent by mistake
    Retract(RetractArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Only those before this one
    #[arg(long, value_name = "ID")]
    before: Option<SubmissionId>,
}

#[derive(Debug, Args)]
struct OneArgs {
    /// The submission's id, as `porth submit` and `porth submissions list` print it
    id: SubmissionId,
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
}

#[derive(Debug, Args)]
struct RetractArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Do not wait until nobody sees its records any more
    #[arg(long)]
    no_wait: bool,
    /// How many minutes to wait at most
    #[arg(long, default_value_t = 30)]
    wait_minutes: u64,
}

/// Runs `porth submissions`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refused.
pub fn run(args: SubmissionsArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        SubmissionsCommand::List(args) => list(&args, output),
        SubmissionsCommand::Show(args) => show(&args, output),
        SubmissionsCommand::SharedAddresses(args) => shared_addresses(&args, output),
        SubmissionsCommand::Retract(args) => retract(&args, output),
    }
}

fn list(args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let mut session = Connection::read(&args.connection)?.open()?;
    let before = args.before.map(|id| format!("&before={id}")).unwrap_or_default();
    let path = format!("/v1/submissions?limit={}{before}", args.limit);
    let found: Value = crate::cli::block_on(async move { get(&mut session, &path, output).await })?;
    let submissions: Vec<&Value> = found["submissions"].as_array().into_iter().flatten().collect();
    output.result(table(&submissions), &found);
    if let Some(before) = found["next_before"].as_str() {
        output.note(format_args!("there are more: add --before {before}"));
    }
    Ok(())
}

fn table(submissions: &[&Value]) -> String {
    if submissions.is_empty() {
        return "the agency has sent nothing".to_owned();
    }
    let mut text = format!(
        "{:<38}{:<20}{:<10}{:<12}{:<12}{:>10}{:>10}  {}",
        "submission", "feed", "mode", "as at", "state", "accepted", "rejected", "failure"
    );
    for one in submissions {
        let field = |name: &str| one[name].as_str().unwrap_or("-");
        let (id, feed, mode, as_at) = (field("id"), field("feed"), field("mode"), field("as_at"));
        let (accepted, rejected) = (count(one, "rows_accepted"), count(one, "rows_rejected"));
        let failure = one["failure"]["code"].as_str().unwrap_or_default();
        let line = format!(
            "{id:<38}{feed:<20}{mode:<10}{as_at:<12}{:<12}{accepted:>10}{rejected:>10}  {failure}",
            state_of(one)
        );
        let _ = write!(text, "\n{}", line.trim_end());
    }
    text
}

fn show(args: &OneArgs, output: &Output) -> Result<(), Failure> {
    let mut session = Connection::read(&args.connection)?.open()?;
    let id = args.id;
    let found = crate::cli::block_on(async move { whole(&mut session, id, output).await })?;
    output.result(page(&found), &found);
    Ok(())
}

/// A submission with every page of its row errors.
async fn whole(session: &mut Session, id: SubmissionId, output: &Output) -> Result<Value, Failure> {
    let mut found = get(session, &format!("/v1/submissions/{id}?limit={PAGE}"), output).await?;
    let mut errors: Vec<Value> = found["errors"].as_array().cloned().unwrap_or_default();
    let mut after = found["next_after"].as_u64();
    while let Some(last) = after {
        let next = get(session, &format!("/v1/submissions/{id}?limit={PAGE}&after={last}"), output).await?;
        errors.extend(next["errors"].as_array().cloned().unwrap_or_default());
        after = next["next_after"].as_u64();
    }
    found["errors"] = errors.into();
    found["next_after"] = Value::Null;
    Ok(found)
}

fn page(found: &Value) -> String {
    let field = |name: &str| found[name].as_str().unwrap_or("-");
    let mut text = format!(
        "submission {}: {}\n{} of {}, {}, as at {}, under {}\nreceived {}",
        field("id"),
        state_of(found),
        field("mode"),
        field("feed"),
        field("rows").replace('_', " "),
        field("as_at"),
        field("agreement"),
        field("received_at"),
    );
    if let Some(at) = found["finished_at"].as_str() {
        let _ = write!(text, ", settled {at}");
    }
    let (read, accepted, rejected) =
        (count(found, "rows_read"), count(found, "rows_accepted"), count(found, "rows_rejected"));
    let _ = write!(text, "\n{read} rows read, {accepted} accepted, {rejected} rejected");
    if let Some(code) = found["failure"]["code"].as_str() {
        let _ = write!(text, "\n{code}: {}", found["failure"]["meaning"].as_str().unwrap_or_default());
    }
    if let Some(errors) = row_error_table(found) {
        let _ = write!(text, "\n{errors}");
    }
    text
}

fn shared_addresses(args: &OneArgs, output: &Output) -> Result<(), Failure> {
    let mut session = Connection::read(&args.connection)?.open()?;
    let path = format!("/v1/submissions/{}/shared-addresses", args.id);
    let found: Value = crate::cli::block_on(async move { get(&mut session, &path, output).await })?;
    let number = |name: &str| count(&found, name);
    let mut text = format!(
        "addresses of more than {} records: {}; {} records have no household evidence for it",
        number("more_than"),
        number("addresses"),
        number("records")
    );
    for reference in found["references"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let _ = write!(text, "\n{reference}");
    }
    output.result(text, &found);
    Ok(())
}

fn retract(args: &RetractArgs, output: &Output) -> Result<(), Failure> {
    let mut session = Connection::read(&args.one.connection)?.open()?;
    let (id, most) = (args.one.id, Duration::from_secs(60 * args.wait_minutes));
    let no_wait = args.no_wait;
    let found = crate::cli::block_on(async move {
        let mut found = take_back(&mut session, id, output).await?;
        let began = Instant::now();
        while !no_wait && state_of(&found) == "withdrawing" {
            if began.elapsed() > most {
                return Err(Failure::failed(format!("submission {id} is not withdrawn yet"))
                    .next(format!("it goes on by itself; `porth submissions show {id}` says how far it is")));
            }
            tokio::time::sleep(POLL).await;
            found = get(&mut session, &format!("/v1/submissions/{id}"), output).await?;
        }
        Ok(found)
    })?;
    let text = match state_of(&found) {
        "withdrawn" => "withdrawn; nobody sees a record of it any more. What was answered before stays in the log",
        "failed" => "taken back before anybody saw it",
        "withdrawing" => "being taken back",
        other => other,
    };
    output.result(format_args!("submission {id}: {text}"), &found);
    if state_of(&found) == "visible" {
        return Err(Failure::failed("the gateway could not take the submission back; it is seen as before")
            .next("try again, and tell the gateway's operator if it happens again"));
    }
    Ok(())
}

async fn take_back(session: &mut Session, id: SubmissionId, output: &Output) -> Result<Value, Failure> {
    let key = uuid_v7(now(), &SystemRandom::new()).to_string();
    let path = format!("/v1/submissions/{id}/retract");
    let mut retry = Retry::new();
    loop {
        let headers = session.headers(Some(key.clone())).await?;
        let answer = session.client().post_bytes(&path, &headers, "application/json", bytes::Bytes::new()).await;
        match answer.and_then(|answer| answer.json()) {
            Ok(found) => return Ok(found),
            Err(error) if retry.again(&error, session, output).await => {}
            Err(error) => return Err(failure(&error)),
        }
    }
}

async fn get(session: &mut Session, path: &str, output: &Output) -> Result<Value, Failure> {
    let mut retry = Retry::new();
    loop {
        let headers = session.headers(None).await?;
        match session.client().get(path, &headers).await.and_then(|answer| answer.json()) {
            Ok(found) => return Ok(found),
            Err(error) if retry.again(&error, session, output).await => {}
            Err(error) => return Err(failure(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_has_a_line_a_submission_and_says_why_one_failed() {
        let failed = json!({ "id": "s-2", "feed": "attendance", "mode": "delta", "as_at": "2026-09-20",
            "state": "failed", "rows_accepted": 0, "rows_rejected": 3, "failure": { "code": "file.rows", "meaning": "" } });
        let visible = json!({ "id": "s-1", "feed": "attendance", "mode": "snapshot", "as_at": "2026-09-19",
            "state": "visible", "rows_accepted": 12, "rows_rejected": 0, "failure": null });
        let text = table(&[&failed, &visible]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("s-2") && lines[1].ends_with("file.rows"), "{text}");
        assert!(lines[2].contains("visible") && lines[2].ends_with('0'), "{text}");
        assert_eq!(table(&[]), "the agency has sent nothing");
    }

    #[test]
    fn a_page_names_failure_and_rows() {
        let found = json!({ "id": "s-2", "feed": "attendance", "mode": "snapshot", "rows": "all_or_nothing",
            "as_at": "2026-09-20", "agreement": "core/v1", "state": "failed", "rows_read": 3, "rows_accepted": 2,
            "rows_rejected": 1, "received_at": "t", "finished_at": "u",
            "failure": { "code": "file.rows", "meaning": "some rows are bad" },
            "errors": [{ "row": 4, "field": "ref", "code": "row.duplicate_ref", "meaning": "Twice." }] });
        let text = page(&found);
        for part in ["s-2: failed", "settled u", "2 accepted, 1 rejected", "file.rows: some rows are bad", "Twice."] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
