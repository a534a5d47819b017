//! `porth alerts`: warnings about what was asked and how, for officers.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::app::alerts::decoy::DecoyRecord;
use crate::app::alerts::{AlertError, AlertStepAsked, MOST};
use crate::app::review::steps::date_of;
use crate::cli::operator::{ConfigFile, app_failure, store_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::alert::{Kind, Step};
use crate::domain::ids::{AgencyCode, EventId, FeedCode, OpaqueRef};
use crate::store::StoredAlert;
use crate::tlog::entry::Code;

/// Arguments of `porth alerts`.
#[derive(Debug, Args)]
pub struct AlertsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List alerts, newest first
    List(ListArgs),
    /// Show one alert
    Show(ShowArgs),
    /// Close an alert
    Close(StepArgs),
    /// Escalate an alert
    Escalate(EscalateArgs),
    /// Look at new entries now, as the gateway does by itself
    Watch(WatchArgs),
    /// Register a record that nobody has a reason to ask about
    AddDecoy(DecoyArgs),
    /// Let a record be no decoy any more
    RemoveDecoy(DecoyArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Closed ones too
    #[arg(long)]
    all: bool,
    /// Only of this kind, such as low_match_rate
    #[arg(long)]
    kind: Option<Kind>,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The alert: the entry that opened it
    #[arg(value_name = "ALERT")]
    alert: EventId,
}

#[derive(Debug, Args)]
struct WatchArgs {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Args)]
struct StepArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The alert: the entry that opened it
    #[arg(value_name = "ALERT")]
    alert: EventId,
    /// Your account, as a registered officer
    #[arg(long)]
    by: String,
    /// Why, as a code for the log
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct EscalateArgs {
    #[command(flatten)]
    step: StepArgs,
    /// To whom: a post or account, never a person's name
    #[arg(long)]
    to: Code,
}

#[derive(Debug, Args)]
struct DecoyArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The key custodian's agency that delivers the record
    #[arg(long)]
    agency: AgencyCode,
    /// Its feed
    #[arg(long)]
    feed: FeedCode,
    /// Its reference of the record
    #[arg(long = "ref", value_parser = OpaqueRef::parse)]
    reference: OpaqueRef,
    /// Your account, as a registered officer
    #[arg(long)]
    by: String,
    /// Why, as a code for the log
    #[arg(long)]
    reason: String,
}

/// Runs `porth alerts`.
///
/// # Errors
///
/// [`Failure`]: exit code 3 where the rules stand against it.
pub fn run(args: AlertsArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::List(args) => list(&args, *output),
        Command::Show(args) => show(&args, *output),
        Command::Close(args) => step(&args, Step::Close, None, *output),
        Command::Escalate(args) => step(&args.step, Step::Escalate, Some(args.to), *output),
        Command::Watch(args) => watch(&args, *output),
        Command::AddDecoy(args) => decoy(args, true, *output),
        Command::RemoveDecoy(args) => decoy(args, false, *output),
    }
}

fn list(args: &ListArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let alerts = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let kind = args.kind.map(Kind::as_str);
        gateway.store().alerts(args.all, kind, MOST).await.map_err(store_failure)
    }))?;
    let text = if alerts.is_empty() {
        "No alert is so.".to_owned()
    } else {
        alerts.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    output.result(text, &alerts.iter().map(value).collect::<Vec<_>>());
    Ok(())
}

fn show(args: &ShowArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let alert = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let found = gateway.store().alert(args.alert).await.map_err(store_failure)?;
        found.ok_or_else(|| alert_failure(AlertError::Unknown))
    }))?;
    let mut lines = vec![line(&alert), format!("Opened at {}.", alert.opened_at)];
    let entry = alert.entry.map(|entry| format!("Raised by entry {entry}."));
    lines.extend(entry);
    lines.extend(alert.escalated_to.as_ref().map(|to| format!("Escalated to {to}.")));
    output.result(lines.join("\n"), &value(&alert));
    Ok(())
}

fn step(args: &StepArgs, step: Step, to: Option<Code>, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let asked = AlertStepAsked { alert: args.alert, step, to };
    let alert = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.step_alert(&args.by, &asked, &args.reason).await.map_err(alert_failure)
    }))?;
    output.result(format_args!("The alert is {}.", alert.state), &value(&alert));
    Ok(())
}

fn watch(args: &WatchArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let rules = config.alerts.thresholds();
    let (sampled, opened) = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let sampled = gateway.sample_always_reviewed().await.map_err(super::review::review_failure)?;
        Ok((sampled, gateway.watch_for_alerts(&rules).await.map_err(alert_failure)?))
    }))?;
    output.result(
        format_args!("{opened} alerts were opened, {sampled} disclosures joined the sample."),
        &json!({ "opened": opened, "sampled": sampled }),
    );
    Ok(())
}

fn decoy(args: DecoyArgs, adds: bool, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let record = DecoyRecord { agency: args.agency, feed: args.feed, reference: args.reference };
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        let done = if adds {
            gateway.register_decoy(&record, &args.by, &args.reason).await
        } else {
            gateway.remove_decoy(&record, &args.by, &args.reason).await
        };
        done.map_err(alert_failure)
    }))?;
    let word = if adds { "a decoy from now on" } else { "no decoy any more" };
    output.result(format_args!("The record is {word}."), &json!({ "is_decoy": adds }));
    Ok(())
}

fn line(alert: &StoredAlert) -> String {
    let agency = alert.agency.as_ref().map_or("-", AgencyCode::as_str);
    let client = alert.client.as_deref().unwrap_or("-");
    let day = date_of(alert.day);
    let figures: Vec<String> = figures(alert)
        .as_array()
        .into_iter()
        .flatten()
        .map(|figure| format!("{} {}", figure["of"].as_str().unwrap_or("-"), figure["count"]))
        .collect();
    let StoredAlert { event, kind, severity, state, .. } = alert;
    format!("{event} {state} {severity} {kind} {agency} {client} {day} {}", figures.join(", ")).trim_end().to_owned()
}

fn value(alert: &StoredAlert) -> Value {
    json!({
        "alert": alert.event.to_string(), "kind": alert.kind, "severity": alert.severity, "state": alert.state,
        "agency": alert.agency, "client": alert.client, "day": date_of(alert.day).to_string(),
        "entry": alert.entry.map(|entry| entry.to_string()), "figures": figures(alert),
        "escalated_to": alert.escalated_to, "opened_at": alert.opened_at,
    })
}

fn figures(alert: &StoredAlert) -> Value {
    serde_json::from_str(&alert.figures).unwrap_or_default()
}

fn alert_failure(error: AlertError) -> Failure {
    match error {
        AlertError::App(error) => app_failure(error),
        AlertError::NotOfficer => {
            Failure::refused(error).next("register the officer first: `porth review officer add`")
        }
        AlertError::WrongState | AlertError::Unknown => {
            Failure::refused(error).next("`porth alerts list --all` shows where each is")
        }
        other => Failure::refused(other).next("nothing was changed"),
    }
}
