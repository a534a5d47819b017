//! `porth incident`: a breach is recorded, assessed, decided by two people, closed, and packed.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::app::incident::{IncidentJourneyError, IncidentReport, Link, NewAssessment, NewDecision, PackError};
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::IncidentId;
use crate::domain::incident::{Nature, Risk};
use crate::domain::time::Timestamp;

/// Arguments of `porth incident`.
#[derive(Debug, Args)]
pub struct IncidentArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record an incident: the 72 hours run from awareness
    Open(OpenArgs),
    /// Show an incident and how much of the 72 hours is left
    Show(ShowArgs),
    /// List incidents, newest first
    List(ListArgs),
    /// Link an incident to a recall, an alert or a log entry
    Link(LinkArgs),
    /// Assess the risk to people
    Assess(AssessArgs),
    /// Decide who is notified: two people
    Decide(DecideArgs),
    /// Close a decided incident
    Close(CloseArgs),
    /// Write the notice pack: what, when, how many, which entries, with proofs; no identities
    Pack(PackArgs),
}

#[derive(Debug, Args)]
struct By {
    #[command(flatten)]
    config: ConfigFile,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
}

#[derive(Debug, Args)]
struct OpenArgs {
    #[command(flatten)]
    by: By,
    /// wrong-match, wrong-disclosure, wrong-data, key-exposed, misuse, unavailable or other
    #[arg(long)]
    nature: Nature,
    /// Why it is an incident, as a code
    #[arg(long)]
    reason: String,
    /// When the controller became aware, such as 2026-09-20T10:15:00.000000Z; now by default
    #[arg(long)]
    aware_at: Option<Timestamp>,
    /// What it is about: recall:ID, alert:ID or entry:ID; several may be given
    #[arg(long, value_parser = parse_link)]
    link: Vec<Link>,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The incident
    id: IncidentId,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Args)]
struct LinkArgs {
    /// The incident
    id: IncidentId,
    #[command(flatten)]
    by: By,
    /// recall:ID, alert:ID or entry:ID
    #[arg(long, value_parser = parse_link)]
    to: Link,
}

#[derive(Debug, Args)]
struct AssessArgs {
    /// The incident
    id: IncidentId,
    #[command(flatten)]
    by: By,
    /// none, risk or high_risk
    #[arg(long)]
    risk: Risk,
    /// About how many people are concerned
    #[arg(long)]
    people: u64,
    /// About how many records
    #[arg(long)]
    records: u64,
    /// What may follow for people, as a code; several may be given
    #[arg(long)]
    consequence: Vec<String>,
    /// What was done, as a code; several may be given
    #[arg(long)]
    measure: Vec<String>,
    /// Why this risk, as a code
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct DecideArgs {
    /// The incident
    id: IncidentId,
    #[command(flatten)]
    by: By,
    /// The account of the second person
    #[arg(long)]
    second: String,
    /// Whether the Information Commissioner is notified
    #[arg(long, value_name = "yes|no", action = clap::ArgAction::Set, value_parser = yes_no)]
    notify_commissioner: bool,
    /// Whether the people are told
    #[arg(long, value_name = "yes|no", action = clap::ArgAction::Set, value_parser = yes_no)]
    notify_people: bool,
    /// Why, as a code; art34-3-a, -b or -c where people at high risk are not told
    #[arg(long)]
    reason: String,
    /// Why it comes after 72 hours, as a code
    #[arg(long)]
    late_reason: Option<String>,
}

#[derive(Debug, Args)]
struct CloseArgs {
    /// The incident
    id: IncidentId,
    #[command(flatten)]
    by: By,
    /// Why, as a code
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct PackArgs {
    /// The incident
    id: IncidentId,
    #[command(flatten)]
    by: By,
    /// The folder to write; nothing may be in it
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Runs `porth incident`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: IncidentArgs, output: &Output) -> Result<(), Failure> {
    let report = match args.command {
        Command::Open(args) => {
            let config = args.by.config.read()?;
            crate::cli::block_on(with_gateway(&config, async |gateway| {
                let opened = gateway.open_incident(&args.by.by, args.nature, &args.reason, args.aware_at, &args.link);
                opened.await.map_err(refused)
            }))?
        }
        Command::Show(args) => {
            let config = args.config.read()?;
            crate::cli::block_on(with_gateway(&config, async |gateway| {
                let report = gateway.incident_report(args.id).await.map_err(app_failure)?;
                report.ok_or_else(|| refused(IncidentJourneyError::Unknown))
            }))?
        }
        Command::List(args) => return list(&args, output),
        Command::Pack(args) => return pack(&args, output),
        Command::Link(args) => {
            let config = args.by.config.read()?;
            crate::cli::block_on(with_gateway(&config, async |gateway| {
                gateway.link_incident(args.id, &args.by.by, &args.to).await.map_err(refused)
            }))?
        }
        Command::Assess(args) => {
            let config = args.by.config.read()?;
            let new = NewAssessment {
                risk: args.risk,
                people: args.people,
                records: args.records,
                consequences: args.consequence,
                measures: args.measure,
                reason: args.reason,
            };
            crate::cli::block_on(with_gateway(&config, async |gateway| {
                gateway.assess_incident(args.id, &args.by.by, &new).await.map_err(refused)
            }))?
        }
        Command::Decide(args) => {
            let config = args.by.config.read()?;
            let new = NewDecision {
                seconded_by: args.second,
                notify_commissioner: args.notify_commissioner,
                notify_people: args.notify_people,
                reason: args.reason,
                late_reason: args.late_reason,
            };
            crate::cli::block_on(with_gateway(&config, async |gateway| {
                gateway.decide_incident(args.id, &args.by.by, &new).await.map_err(refused)
            }))?
        }
        Command::Close(args) => {
            let config = args.by.config.read()?;
            crate::cli::block_on(with_gateway(&config, async |gateway| {
                gateway.close_incident(args.id, &args.by.by, &args.reason).await.map_err(refused)
            }))?
        }
    };
    output.result(words(&report), &value(&report));
    Ok(())
}

fn list(args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let reports = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.incident_reports().await.map_err(app_failure)
    }))?;
    let mut text = format!("{:<38}{:<18}{:<10}of 72 hours", "incident", "nature", "state");
    for report in &reports {
        let (id, incident) = (report.id.to_string(), &report.incident);
        let _ =
            write!(text, "\n{id:<38}{:<18}{:<10}{}", incident.nature.as_str(), incident.state.as_str(), clock(report));
    }
    let text = if reports.is_empty() { "no incident was ever recorded".to_owned() } else { text };
    output.result(text, &json!({ "incidents": reports.iter().map(value).collect::<Vec<_>>() }));
    Ok(())
}

fn pack(args: &PackArgs, output: &Output) -> Result<(), Failure> {
    let config = args.by.config.read()?;
    let packed = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.pack_incident(args.id, &args.by.by, &args.out).await.map_err(|error| match error {
            PackError::Incident(error) => refused(error),
            other => Failure::failed(other),
        })
    }))?;
    let (entries, proved, agencies) = (packed.entries, packed.proved, packed.agencies);
    output.result(
        format_args!("Wrote {entries} entries, {proved} with their proof, of {agencies} agencies."),
        &json!({ "entries": entries, "proved": proved, "agencies": agencies }),
    );
    Ok(())
}

fn refused(error: IncidentJourneyError) -> Failure {
    match error {
        IncidentJourneyError::App(error) => app_failure(error),
        error @ IncidentJourneyError::Unknown => {
            Failure::failed(error).next("`porth incident list` shows which there are")
        }
        other => Failure::failed(other),
    }
}

fn clock(report: &IncidentReport) -> String {
    if !report.incident.is_clock_running() {
        return "decided".to_owned();
    }
    let left = report.incident.remaining_seconds(report.now);
    let (hours, minutes) = (left.abs() / 3600, left.abs() % 3600 / 60);
    if left < 0 { format!("over for {hours} h {minutes} min") } else { format!("{hours} h {minutes} min left") }
}

fn words(report: &IncidentReport) -> String {
    let incident = &report.incident;
    let mut text = format!("Incident {}: {}, {}\n", report.id, incident.nature, incident.state.as_str());
    let _ = writeln!(
        text,
        "Aware since {}; recorded at {} by {}",
        incident.aware_at, incident.opened_at, incident.opened_by
    );
    let _ = write!(text, "72 hours: {}", clock(report));
    if let Some(assessment) = incident.assessment() {
        let _ = write!(
            text,
            "\nRisk: {}, about {} people and {} records",
            assessment.risk, assessment.people, assessment.records
        );
    }
    if let Some(decision) = incident.decision() {
        let word = |is: bool| if is { "yes" } else { "no" };
        let _ = write!(
            text,
            "\nCommissioner notified: {}; people told: {}; by {} and {}: {}",
            word(decision.notify_commissioner),
            word(decision.notify_people),
            decision.by,
            decision.seconded_by,
            decision.reason
        );
    }
    for link in &report.links {
        let _ = write!(text, "\n{} {}", link.of, link.name);
    }
    text
}

fn value(report: &IncidentReport) -> Value {
    let links: Vec<Value> = report.links.iter().map(|link| json!({ "of": link.of, "id": link.name })).collect();
    json!({
        "incident": report.id.to_string(), "record": report.incident, "links": links,
        "state": report.incident.state.as_str(),
        "seconds_left_of_72_hours": report.incident.remaining_seconds(report.now),
    })
}

fn parse_link(text: &str) -> Result<Link, String> {
    let (of, name) = text.split_once(':').ok_or("write it as recall:ID, alert:ID or entry:ID")?;
    if !["recall", "alert", "entry"].contains(&of) {
        return Err("write it as recall:ID, alert:ID or entry:ID".to_owned());
    }
    Ok(Link { of: of.to_owned(), name: name.to_owned() })
}

fn yes_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("use yes or no".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_its_kind() {
        assert_eq!(parse_link("recall:x").map(|link| link.of), Ok("recall".to_owned()));
        assert!(parse_link("person:x").is_err() && parse_link("recall").is_err());
        assert!(yes_no("maybe").is_err() && yes_no("no") == Ok(false));
    }
}
