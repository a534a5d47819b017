//! `porth claim`: a family is engaged, and a claim for a result checked, from the data team's machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::claim::{NewClaimCheck, NewEngagement};
use crate::app::enquire::Question;
use crate::cli::agency::connection::{Connection, failure, now};
use crate::cli::auditor::claim::VerifyClaimArgs;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::claim::Route;
use crate::domain::ids::EventId;

/// How often an entry's proof is asked for before the bundle is written without it.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// Arguments of `porth claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record that a family is engaged, with what the evidence says of it now
    Engage(EngageArgs),
    /// Check whether a result may be claimed for a family, and write the evidence bundle
    Check(CheckArgs),
    /// Check an evidence bundle, offline: no configuration, no database, no gateway
    Verify(VerifyClaimArgs),
}

#[derive(Debug, Args)]
struct Asked {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The family as a question in JSON, such as `porth enquire --dry-run --json` prints it
    #[arg(long)]
    family: PathBuf,
    /// Where the bundle goes: what was found, with the log entries and their proofs
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The key under which a repeat is not asked twice; a new one by default
    #[arg(long)]
    idempotency_key: Option<String>,
}

#[derive(Debug, Args)]
struct EngageArgs {
    #[command(flatten)]
    asked: Asked,
    /// The day on which a service began to work with the family
    #[arg(long, value_name = "DATE", value_parser = crate::cli::typed::day)]
    engaged_on: Date,
}

#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    asked: Asked,
    /// The log entry of the family's engagement
    #[arg(long)]
    engagement: EventId,
    /// On which ground the result is claimed: outcomes or employment
    #[arg(long, value_parser = word::<Route>, default_value = "outcomes")]
    route: Route,
}

/// Runs `porth claim`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refused.
pub fn run(args: ClaimArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Engage(args) => {
            let family = read_question(&args.asked.family)?;
            let new = NewEngagement { family, engaged_on: args.engaged_on };
            let answer = ask(&args.asked, "/v1/families/baseline", &new)?;
            keep(&args.asked, &answer)?;
            let entry = answer["disclosure"].as_str().unwrap_or_default();
            output.result(format_args!("Engaged. A claim check names the entry {entry}."), &answer);
        }
        Command::Check(args) => {
            let family = read_question(&args.asked.family)?;
            let new = NewClaimCheck { family, engagement: args.engagement, route: args.route };
            let answer = ask(&args.asked, "/v1/families/claim-check", &new)?;
            keep(&args.asked, &answer)?;
            output.result(say(&answer["found"]), &answer);
        }
        Command::Verify(args) => return crate::cli::auditor::claim::run(&args, output),
    }
    Ok(())
}

/// Asks, and asks again under the same key until the entries have their proofs.
fn ask(asked: &Asked, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
    if asked.to.exists() {
        return Err(Failure::failed(format!(
            "{}: is there already; a bundle is never overwritten",
            asked.to.display()
        )));
    }
    let mut session = Connection::read(&asked.connection)?.open()?;
    let key = asked.idempotency_key.clone().unwrap_or_else(|| uuid_v7(now(), &SystemRandom::new()).to_string());
    crate::cli::block_on(async {
        let mut answer = Value::Null;
        for attempt in 0..TRIES {
            let headers = session.headers(Some(key.clone())).await?;
            match session.client().post_json(path, &headers, body).await {
                Ok(reply) => answer = reply.json().map_err(|error| failure(&error))?,
                // What was found was given; only its proof is missing.
                Err(_) if attempt > 0 => break,
                Err(error) => return Err(failure(&error)),
            }
            let entries = answer["entries"].as_array().map_or(&[][..], Vec::as_slice);
            if entries.iter().all(|entry| entry["proof"].is_string()) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(answer)
    })
}

fn keep(asked: &Asked, answer: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(answer).map_err(Failure::failed)?;
    std::fs::write(&asked.to, text + "\n").map_err(|error| Failure::failed(format!("{}: {error}", asked.to.display())))
}

fn read_question(path: &Path) -> Result<Question, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    let unreadable = |_| Failure::failed(format!("{}: is not a question in JSON", path.display()));
    serde_json::from_slice(&bytes).map_err(unreadable)
}

fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|_| "use outcomes or employment".to_owned())
}

/// The finding in words: the verdict, each area, and what is in the way.
fn say(found: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut lines = vec![match found["verdict"].as_str() {
        Some("ready") => "Ready: everybody who has to say so has said so.".to_owned(),
        Some("human_review") => "Somebody has to look at it before it is claimed.".to_owned(),
        _ => "Not ready.".to_owned(),
    }];
    for area in found["areas"].as_array().into_iter().flatten() {
        let relevant = if area["is_relevant"] == true { ", met at engagement" } else { "" };
        let judged = if area["rests_on_judgement"] == true { ", in part on professional judgement" } else { "" };
        lines.push(format!(
            "  Area {}: {}{relevant}{judged}",
            text(&area["area"]),
            text(&area["change"]).replace('_', " ")
        ));
    }
    for reason in found["reasons"].as_array().into_iter().flatten() {
        let about: Vec<String> =
            ["area", "criterion"].iter().filter_map(|name| reason[*name].as_str()).map(str::to_owned).collect();
        let person = reason["person"].as_u64().map(|at| match &found["pseudonyms"][at as usize] {
            Value::Null => "somebody who is not found now".to_owned(),
            pseudonym => text(pseudonym),
        });
        let about = [about, person.into_iter().collect()].concat().join(", ");
        lines.push(format!("  In the way: {} ({about})", text(&reason["code"])));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_finding_is_said_with_what_is_in_the_way_and_of_whom() {
        let said = say(&json!({
            "verdict": "not_ready", "pseudonyms": ["P-1", "P-2"],
            "areas": [{ "area": "A2", "is_relevant": true, "change": "still_met", "rests_on_judgement": true }],
            "reasons": [{ "needs_review": false, "code": "still-met", "area": "A2", "criterion": "E1", "person": 1 }],
        }));
        assert_eq!(
            said,
            "Not ready.\n  Area A2: still met, met at engagement, in part on professional judgement\n  \
             In the way: still-met (A2, E1, P-2)"
        );
    }
}
