//! `porth possible-matches`: which records of its own the agency is asked to verify, and what it decides.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connection::{Connection, failure, now};
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::{FeedCode, OpaqueRef, PossibleMatchId, RoleCode};
use crate::domain::pair::{Decision, Reason, ReversalReason};

/// Arguments of `porth possible-matches`.
#[derive(Debug, Args)]
pub struct PossibleMatchesArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show which of the agency's own records wait to be verified
    List(ListArgs),
    /// Decide about a record
    Decide(DecideArgs),
    /// Take a decision back
    Reverse(ReverseArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
}

#[derive(Debug, Args)]
struct DecideArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// confirm, reject, split or merge; the first two answer a question that `list` showed
    decision: Decision,
    /// The possible match; for confirm and reject
    #[arg(long)]
    id: Option<PossibleMatchId>,
    /// The agency's feed and its own reference, feed/reference; for split and merge
    #[arg(long, value_parser = parse_record, conflicts_with = "id")]
    record: Option<(FeedCode, OpaqueRef)>,
    /// The agency's other record, feed/reference; for merge, and for a split between two of its own
    #[arg(long, value_parser = parse_record, requires = "record")]
    other: Option<(FeedCode, OpaqueRef)>,
    /// The role of the person who decided
    #[arg(long)]
    role: RoleCode,
    /// checked-file, checked-source, checked-person, record-wrong, twin-or-sibling, parent-or-child,
    /// namesake, other-person or duplicate
    #[arg(long)]
    reason: Reason,
}

#[derive(Debug, Args)]
struct ReverseArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The possible match whose decision is taken back
    id: PossibleMatchId,
    /// The role of the person who takes it back
    #[arg(long)]
    role: RoleCode,
    /// mistake, new-evidence or complaint
    #[arg(long)]
    reason: ReversalReason,
}

/// Runs `porth possible-matches`.
///
/// # Errors
///
/// [`Failure`]; exit code 3 if the gateway refuses.
pub fn run(args: PossibleMatchesArgs, output: &Output) -> Result<(), Failure> {
    match args.action {
        Action::List(args) => list(&args, output),
        Action::Decide(args) => decide(&args, output),
        Action::Reverse(args) => {
            let body = json!({ "role": args.role, "reason": args.reason.as_str() });
            let path = format!("/v1/possible-matches/{}/reversals", args.id);
            let found = post(&args.connection, &path, &body)?;
            output.result("taken back, and in the log", &found);
            Ok(())
        }
    }
}

fn list(args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let mut session = Connection::read(&args.connection)?.open()?;
    let items: Vec<Value> = crate::cli::block_on(async move {
        let (mut items, mut path) = (Vec::new(), "/v1/possible-matches".to_owned());
        loop {
            let headers = session.headers(None).await?;
            let answer = session.client().get(&path, &headers).await;
            let page: Value = answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))?;
            items.extend(page["possible_matches"].as_array().into_iter().flatten().cloned());
            let Some(after) = page["next_after"].as_str() else { return Ok::<_, Failure>(items) };
            path = format!("/v1/possible-matches?after={after}");
        }
    })?;
    output.result(table(&items.iter().collect::<Vec<_>>()), &json!({ "possible_matches": items }));
    Ok(())
}

fn decide(args: &DecideArgs, output: &Output) -> Result<(), Failure> {
    let (role, reason) = (&args.role, args.reason.as_str());
    let record = |(feed, reference): &(FeedCode, OpaqueRef)| json!({ "feed": feed, "ref": reference });
    let is_answer = matches!(args.decision, Decision::Confirm | Decision::Reject);
    let (path, body) = match (&args.id, &args.record) {
        (Some(id), _) if is_answer => {
            let body = json!({ "decision": args.decision.as_str(), "role": role, "reason": reason });
            (format!("/v1/possible-matches/{id}/decisions"), body)
        }
        (None, Some(own)) if !is_answer => {
            let other = args.other.as_ref().map(record);
            let body = json!({
                "decision": args.decision.as_str(), "record": record(own), "other": other, "role": role, "reason": reason,
            });
            ("/v1/possible-matches".to_owned(), body)
        }
        _ => {
            return Err(Failure::failed("confirm and reject take --id; split and merge take --record"));
        }
    };
    let found = post(&args.connection, &path, &body)?;
    let id = found["id"].as_str().unwrap_or("-");
    output.result(format!("decided, and in the log; to take it back: porth possible-matches reverse {id}"), &found);
    Ok(())
}

fn post(connection: &std::path::Path, path: &str, body: &Value) -> Result<Value, Failure> {
    let mut session = Connection::read(connection)?.open()?;
    crate::cli::block_on(async move {
        let key = uuid_v7(now(), &SystemRandom::new()).to_string();
        let headers = session.headers(Some(key)).await?;
        let answer = session.client().post_json(path, &headers, body).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })
}

pub(in crate::cli) fn parse_record(text: &str) -> Result<(FeedCode, OpaqueRef), String> {
    let (feed, reference) = text.split_once('/').ok_or("write it as feed/reference")?;
    let feed = FeedCode::parse(feed).map_err(|error| error.to_string())?;
    Ok((feed, OpaqueRef::parse(reference).map_err(|error| error.to_string())?))
}

fn table(items: &[&Value]) -> String {
    use std::fmt::Write as _;
    if items.is_empty() {
        return "no record of this agency waits to be verified".to_owned();
    }
    let mut text = format!("{:<38}{:<16}{:<24}{:<9}{:<12}verify", "possible match", "feed", "ref", "role", "as at");
    for item in items {
        let field = |name: &str| item[name].as_str().unwrap_or("-").to_owned();
        let fields: Vec<&str> = item["fields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (id, feed, reference) = (field("id"), field("feed"), field("ref"));
        let (role, as_at) = (field("role"), field("as_at"));
        let _ = write!(text, "\n{id:<38}{feed:<16}{reference:<24}{role:<9}{as_at:<12}{}", fields.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_feed_and_a_reference() {
        let (feed, reference) = parse_record("attendance/AAAAAAAAAAAAAAAAAAAAAA").expect("both");
        assert_eq!((feed.as_str(), reference.as_str().len()), ("attendance", 22));
        for bad in ["attendance", "/AAAAAAAAAAAAAAAAAAAAAA", "attendance/Jowan Trelawny"] {
            assert!(parse_record(bad).is_err_and(|error| !error.contains("Jowan")), "{bad}");
        }
    }

    #[test]
    fn the_list_names_records_and_fields() {
        let item = json!({ "id": "an id", "feed": "attendance", "ref": "a ref", "role": "child", "as_at": "2026-09-18",
            "fields": ["dob", "forename"] });
        let text = table(&[&item]);
        assert!(text.lines().count() == 2 && text.ends_with("dob, forename"), "{text}");
    }
}
