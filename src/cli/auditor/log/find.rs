//! `porth log find` and `porth log explain`: the log examined through the gateway, which logs every look.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::cli::agency::connection::{Connection, failure};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{AgreementRef, EventId, RoleCode};
use crate::domain::time::Timestamp;
use crate::tlog::entry::Code;

/// On what grounds somebody looks.
#[derive(Debug, Args)]
pub(super) struct GroundsArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The agreement that allows the purpose `audit`, such as programme-delivery/v1
    #[arg(long)]
    agreement: AgreementRef,
    /// The role in which the asking person acts
    #[arg(long)]
    role: RoleCode,
}

/// Arguments of `porth log find`.
#[derive(Debug, Args)]
pub(super) struct FindArgs {
    #[command(flatten)]
    grounds: GroundsArgs,
    /// An agency that asked, supplied, signed, delivered or was decided about
    #[arg(long)]
    agency: Option<Code>,
    /// A criteria area, or another item such as lead
    #[arg(long)]
    area: Option<Code>,
    /// A legal power, such as WRA2012-s131
    #[arg(long)]
    power: Option<Code>,
    /// What it was for
    #[arg(long)]
    purpose: Option<Code>,
    /// A rule that withheld something, or the code of a refusal
    #[arg(long)]
    rule: Option<Code>,
    /// answered or refused
    #[arg(long)]
    outcome: Option<Code>,
    /// The entry type, such as enquiry
    #[arg(long = "type")]
    kind: Option<Code>,
    /// An agreement version that the entry names
    #[arg(long)]
    under: Option<Code>,
    /// The role of the person who asked
    #[arg(long)]
    acting_as: Option<Code>,
    /// Entries from this moment on, such as 2026-09-20T10:15:00.000000Z
    #[arg(long)]
    since: Option<Timestamp>,
    /// Entries before this moment
    #[arg(long)]
    until: Option<Timestamp>,
    /// Entries below this index, to go on where a page ended
    #[arg(long)]
    before: Option<u64>,
    /// Entries of a page
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
}

/// Arguments of `porth log explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    grounds: GroundsArgs,
    /// The entry's event
    #[arg(long)]
    entry: EventId,
    /// Make its decision again: as at its date, and as it would come out today
    #[arg(long)]
    replay: bool,
}

/// Searches and prints a page.
pub(super) fn find(args: &FindArgs, output: Output) -> Result<(), Failure> {
    let filters = [
        ("agency", &args.agency),
        ("area", &args.area),
        ("power", &args.power),
        ("purpose", &args.purpose),
        ("rule", &args.rule),
        ("outcome", &args.outcome),
        ("type", &args.kind),
        ("under", &args.under),
        ("acting-as", &args.acting_as),
    ];
    // Codes and times are letters, digits and a few marks: nothing in them needs escaping in a query.
    let mut query = format!("&limit={}", args.limit);
    for (name, value) in filters {
        query.extend(value.iter().map(|value| format!("&{name}={value}")));
    }
    for (name, value) in [("since", args.since), ("until", args.until)] {
        query.extend(value.iter().map(|value| format!("&{name}={value}")));
    }
    query.extend(args.before.iter().map(|before| format!("&before={before}")));
    let page = get(&args.grounds, "/v1/log/entries", &query)?;
    note(&page, output);
    let entries = page["entries"].as_array().into_iter().flatten();
    let mut lines: Vec<String> = entries.map(line).collect();
    if lines.is_empty() {
        lines.push("Nothing in the log is so.".to_owned());
    }
    if let Some(next) = page["next"].as_u64() {
        lines.push(format!("There is more: --before {next}"));
    }
    output.result(lines.join("\n"), &page);
    Ok(())
}

/// Prints one entry in words, or its replay.
pub(super) fn explain(args: &ExplainArgs, output: Output) -> Result<(), Failure> {
    let path = format!("/v1/log/entries/{}", args.entry);
    if !args.replay {
        let read = get(&args.grounds, &path, "")?;
        note(&read, output);
        output.result(words(&read["sentences"]).join("\n"), &read);
        return Ok(());
    }
    let replayed = get(&args.grounds, &format!("{path}/replay"), "")?;
    note(&replayed, output);
    output.result(replay_in_words(&replayed), &replayed);
    let differs = replayed["then"]["is_same"] == false || replayed["answer"] == "differs";
    if differs {
        return Err(Failure::faulty("the entry is not what its own texts give")
            .next("verify the log, and look for a change of the program between the two decisions"));
    }
    Ok(())
}

fn replay_in_words(replayed: &Value) -> String {
    let mut lines = Vec::new();
    let missing = words(&replayed["missing"]);
    if !missing.is_empty() {
        lines.push("The entry cannot be replayed as at its date:".to_owned());
        lines.extend(missing);
    }
    for (name, lead) in [("then", "As at its date"), ("today", "Today")] {
        let compared = &replayed[name];
        if compared.is_null() {
            continue;
        }
        let same = if compared["is_same"] == true { "the same" } else { "NOT the same" };
        lines.push(format!("{lead} the decision comes out {same}."));
        lines.extend(words(&compared["differences"]));
    }
    lines.push(
        match replayed["answer"].as_str() {
            Some("same") => "The kept evidence gives the answer that was recorded.",
            Some("differs") => "The kept evidence does NOT give the answer that was recorded.",
            Some("altered") => "The kept evidence is not what the entry commits to: it was altered. Verify the log.",
            Some("unreadable") => "The kept evidence does not open under the loaded keys, or is no answer.",
            Some("gone") => "The evidence was erased: the answer cannot be judged again.",
            _ => "There is no answer about a person to judge again.",
        }
        .to_owned(),
    );
    lines.join("\n")
}

fn line(found: &Value) -> String {
    let entry: Value = found["entry"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let (body, text) = (&entry["body"], |value: &Value| value.as_str().unwrap_or("-").to_owned());
    let outcome = match &body["outcome"] {
        Value::Object(refused) => format!("refused {}", refused.get("refused").map(text).unwrap_or_default()),
        other => text(other),
    };
    let who = if body["recipient"].is_string() { &body["recipient"] } else { &body["agency"] };
    format!(
        "{} {} {} {} {} {} {outcome}",
        found["index"],
        text(&found["event"]),
        text(&entry["at"]),
        text(&entry["type"]),
        text(who),
        text(&body["purpose"])
    )
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn note(answer: &Value, output: Output) {
    if let Some(disclosure) = answer["disclosure"].as_str() {
        output.note(format_args!("This look is log entry {disclosure}."));
    }
}

fn get(grounds: &GroundsArgs, path: &str, query: &str) -> Result<Value, Failure> {
    let mut session = Connection::read(&grounds.connection)?.open()?;
    let path = format!("{path}?agreement={}&role={}{query}", grounds.agreement, grounds.role);
    crate::cli::block_on(async move {
        let headers = session.headers(None).await?;
        let answer = session.client().get(&path, &headers).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })
}
