//! `porth families`: the programme team looks families up, decides about them, and follows them.
//!
//! A request is read from a file or from standard input, never from an argument: a family's number
//! stays out of the shell's history and of the list of processes.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::families::request::{FamilyDecision, FamilyEngagement, FamilyLead, FamilyLookup};
use crate::cli::agency::connection::{Connection, failure, now};
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};

/// Arguments of `porth families`.
#[derive(Debug, Args)]
pub struct FamiliesArgs {
    #[command(subcommand)]
    command: FamiliesCommand,
}

#[derive(Debug, Subcommand)]
enum FamiliesCommand {
    /// Look a family up by its number
    Lookup(RequestArgs),
    /// Issue numbers; attach, add to, merge or split families
    Decide(RequestArgs),
    /// Note who leads for a family, or that the lead ended
    Lead(RequestArgs),
    /// Note contact since a family was attached, and see whether anybody leads
    Engagement(RequestArgs),
}

/// Where the gateway is, and what is asked.
#[derive(Debug, Args)]
struct RequestArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The request as JSON, as the API takes it; `-` reads standard input
    #[arg(long, short)]
    request: PathBuf,
    /// The key under which a repeat is not done twice; a new one by default
    #[arg(long)]
    idempotency_key: Option<String>,
}

/// Runs `porth families`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refused.
pub fn run(args: FamiliesArgs, output: &Output) -> Result<(), Failure> {
    let (path, request, say): (_, _, fn(&Value) -> String) = match args.command {
        FamiliesCommand::Lookup(request) => ("/v1/families/lookup", checked::<FamilyLookup>(request)?, say_family),
        FamiliesCommand::Decide(request) => {
            ("/v1/families/decisions", checked::<FamilyDecision>(request)?, say_results)
        }
        FamiliesCommand::Lead(request) => ("/v1/families/lead", checked::<FamilyLead>(request)?, say_results),
        FamiliesCommand::Engagement(request) => {
            ("/v1/families/engagement", checked::<FamilyEngagement>(request)?, say_engagement)
        }
    };
    let (args, body) = request;
    let mut session = Connection::read(&args.connection)?.open()?;
    let key = args.idempotency_key.unwrap_or_else(|| uuid_v7(now(), &SystemRandom::new()).to_string());
    let mut answer: Value = crate::cli::block_on(async {
        let headers = session.headers(Some(key.clone())).await?;
        let again =
            |failed: Failure| failed.next(format!("to repeat it without doing it twice, add --idempotency-key {key}"));
        let answer = session.client().post_json(path, &headers, &body).await;
        let answer =
            answer.map_err(|error| if error.problem().is_some() { failure(&error) } else { again(failure(&error)) })?;
        answer.json().map_err(|error| again(failure(&error)))
    })?;
    if let Some(members) = answer.as_object_mut() {
        members.remove("padding");
    }
    output.result(say(&answer), &answer);
    Ok(())
}

/// Reads the request and sees that it is one, before anything leaves. What is wrong is told by place.
fn checked<T: DeserializeOwned + Serialize>(args: RequestArgs) -> Result<(RequestArgs, Value), Failure> {
    let bytes = read(&args.request)?;
    let request: T = serde_json::from_slice(&bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::failed(format!("request.malformed: not a request of this kind at line {line}, column {column}"))
            .next("see docs/families.md for the form of each request")
    })?;
    let request = serde_json::to_value(&request).map_err(|_| Failure::failed("the request cannot be written"))?;
    Ok((args, request))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(Failure::failed)?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

fn say_family(answer: &Value) -> String {
    let family = &answer["family"];
    if family.is_null() {
        return "No family of this number may be seen.".to_owned();
    }
    let mut text =
        format!("{}  {}  issued {}", word(&family["tfid"]), word(&family["route"]), word(&family["issued_on"]));
    let attached = if family["attached_on"].is_null() {
        "not attached".to_owned()
    } else {
        format!("attached {}", word(&family["attached_on"]))
    };
    let people = family["people"].as_array().map_or(0, Vec::len);
    let _ = write!(text, "  {attached}\n{people} people may be seen");
    for (member, code) in [("areas", "code"), ("criteria", "code")] {
        for found in family[member].as_array().into_iter().flatten() {
            let _ = write!(text, "\n{}  {}", word(&found[code]), word(&found["state"]));
        }
    }
    if family["count"].is_object() {
        let _ = write!(text, "\n{} areas met, {} open", family["count"]["met"], family["count"]["open"]);
    }
    if family["work"].is_object() {
        say_work(&family["work"], &mut text);
    }
    text
}

fn say_work(work: &Value, text: &mut String) {
    let _ = write!(text, "\nlead: {}", word(&work["lead_state"]));
    for spell in work["leads"].as_array().into_iter().flatten() {
        let until = if spell["ended"].is_null() { String::new() } else { format!(" until {}", word(&spell["ended"])) };
        let _ = write!(
            text,
            "\n  {} ({}) since {}{until}",
            word(&spell["agency"]),
            word(&spell["team_route"]),
            word(&spell["since"])
        );
    }
    let engaged = if work["engaged_since"].is_null() { "not engaged" } else { "engaged since" };
    let _ = write!(text, "\n{engaged} {}", word(&work["engaged_since"]));
    for service in work["services"].as_array().into_iter().flatten() {
        let state = if service["is_open"] == true { "open" } else { "over" };
        let _ =
            write!(text, "\n  {} {state}, last contact {}", word(&service["agency"]), word(&service["last_contact"]));
    }
}

fn say_results(answer: &Value) -> String {
    let results = answer["results"].as_array().into_iter().flatten();
    let mut lines: Vec<String> =
        results.map(|result| format!("{}  {}", word(&result["outcome"]), word(&result["tfid"]))).collect();
    if answer["continuity_alert"] == true {
        lines.push(ALERT.to_owned());
    }
    lines.join("\n")
}

fn say_engagement(answer: &Value) -> String {
    let family = &answer["family"];
    if family.is_null() {
        return "No family of this number may be seen.".to_owned();
    }
    let mut text = word(&family["tfid"]);
    say_work(&family["work"], &mut text);
    if family["continuity_alert"] == true {
        let _ = write!(text, "\n{ALERT}");
    }
    text
}

const ALERT: &str = "continuity alert: nobody leads any more, and areas are still met";

/// A text as it is, nothing for `null`.
fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_number_and_an_alert_are_said_in_words() {
        assert!(say_family(&json!({ "family": null })).contains("may be seen"));
        let work = json!({ "lead_state": "ended", "leads": [], "engaged_since": null, "services": [] });
        let family = json!({ "tfid": "TF-0000-0000-0000-0011", "work": work, "continuity_alert": true });
        let said = say_engagement(&json!({ "family": family }));
        assert!(said.contains("lead: ended") && said.contains("not engaged") && said.ends_with(ALERT), "{said}");
    }

    #[test]
    fn a_request_that_is_none_is_told_by_place_and_not_repeated() {
        let folder = tempfile::tempdir().expect("a folder");
        let request = folder.path().join("request.json");
        std::fs::write(&request, r#"{"tfid": "TF-0000-JJJJ-0000-0012"}"#).expect("written");
        let args = RequestArgs { connection: PathBuf::new(), request, idempotency_key: None };
        let refused = format!("{:?}", checked::<FamilyLookup>(args).expect_err("no request"));
        assert!(refused.contains("line 1") && !refused.contains("JJJJ"), "{refused}");
    }
}
