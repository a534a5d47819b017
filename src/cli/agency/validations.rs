//! `porth validations`: after a match run a holder looks its own records up and says what it found.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connection::{Connection, Session, failure, now};
use super::possible_matches::parse_record;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::{FeedCode, MatchRunId, OpaqueRef, RoleCode};
use crate::domain::pair::{Decision, Reason};

/// Arguments of `porth validations`.
#[derive(Debug, Args)]
pub struct ValidationsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show which of the agency's own records it is asked to decide about after a match run
    List(ListArgs),
    /// Decide about one of them
    Decide(DecideArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The match run, as the programme team names it
    run: MatchRunId,
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
}

#[derive(Debug, Args)]
struct DecideArgs {
    /// The match run, as the programme team names it
    run: MatchRunId,
    /// confirm (the address is this person's home), reject (it is not) or split (the record is linked with
    /// records of other people)
    decision: Decision,
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The agency's feed and its own reference, feed/reference
    #[arg(long, value_parser = parse_record)]
    record: (FeedCode, OpaqueRef),
    /// The role of the person who decided
    #[arg(long)]
    role: RoleCode,
    /// checked-file, checked-source, checked-person, record-wrong, twin-or-sibling, parent-or-child, namesake or
    /// other-person
    #[arg(long)]
    reason: Reason,
}

/// Runs `porth validations`.
///
/// # Errors
///
/// [`Failure`]; exit code 3 if the gateway refuses.
pub fn run(args: ValidationsArgs, output: &Output) -> Result<(), Failure> {
    crate::cli::block_on(async {
        match args.command {
            Command::List(args) => {
                let mut session = Connection::read(&args.connection)?.open()?;
                let records = work_list(&mut session, args.run).await?;
                output.result(table(&records), &json!({ "records": records }));
                Ok(())
            }
            Command::Decide(args) => {
                let mut session = Connection::read(&args.connection)?.open()?;
                let body = json!({
                    "record": { "feed": args.record.0, "ref": args.record.1 }, "decision": args.decision.as_str(),
                    "role": args.role, "reason": args.reason.as_str(),
                });
                let key = uuid_v7(now(), &SystemRandom::new()).to_string();
                let path = format!("/v1/match-runs/{}/validations", args.run);
                let taken = post(&mut session, &path, Some(key), &body).await?;
                output.result("taken, and in the log", &taken);
                Ok(())
            }
        }
    })
}

/// Every page of the list.
async fn work_list(session: &mut Session, run: MatchRunId) -> Result<Vec<Value>, Failure> {
    let path = format!("/v1/match-runs/{run}/work-list");
    let (mut records, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut page = post(session, &path, None, &json!({ "after": after })).await?;
        if let Some(found) = page["records"].as_array_mut() {
            records.append(found);
        }
        after = page["next_after"].take();
        if after.is_null() {
            return Ok(records);
        }
    }
}

async fn post(session: &mut Session, path: &str, key: Option<String>, body: &Value) -> Result<Value, Failure> {
    let headers = session.headers(key).await?;
    let answer = session.client().post_json(path, &headers, body).await;
    answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
}

fn table(records: &[Value]) -> String {
    use std::fmt::Write as _;
    if records.is_empty() {
        return "no record of this agency waits for a decision".to_owned();
    }
    let mut text = format!("{:<48}{:<9}as at", "record", "role");
    for record in records {
        let field = |name: &str| record[name].as_str().unwrap_or("-");
        let name = format!("{}/{}", field("feed"), field("ref"));
        let _ = write!(text, "\n{name:<48}{:<9}{}", field("role"), field("as_at"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_record_as_the_decision_takes_it() {
        let record =
            json!({ "feed": "attendance", "ref": "AAAAAAAAAAAAAAAAAAAAAA", "role": "child", "as_at": "2026-11-18" });
        let text = table(&[record]);
        let name = text.lines().nth(1).expect("a line").split_whitespace().next().expect("a name");
        assert!(parse_record(name).is_ok(), "{text}");
        assert!(table(&[]).contains("no record"));
    }
}
