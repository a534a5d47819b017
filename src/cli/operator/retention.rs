//! `porth retention`: how long what is kept, deletion now, and freezes on deletion.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{ConfigFile, app_failure, with_gateway};
use crate::app::gateway::Gateway;
use crate::app::retention::Ran;
use crate::app::retention::kept_erasures::{self, KeptError};
use crate::cli::output::{Failure, Output};
use crate::config::Config;
use crate::domain::ids::LegalHoldId;
use crate::domain::retention::{DataItem, Hold};

/// Arguments of `porth retention`.
#[derive(Debug, Args)]
pub struct RetentionArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the periods of the programme file, and what they rest on
    Show(ShowArgs),
    /// Delete now what was kept long enough
    Run(RunArgs),
    /// Freeze deletion, for an inquiry or a claim
    Hold(HoldArgs),
    /// Lift a freeze
    Lift(LiftArgs),
    /// Show every freeze, lifted ones included
    Holds(ShowArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
}

#[derive(Debug, Args)]
struct HoldArgs {
    /// What it covers: everything, or agency, agreement, purpose or entry
    covers: String,
    /// Which one; nothing for everything
    #[arg(default_value = "")]
    name: String,
    #[command(flatten)]
    config: ConfigFile,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
    /// Why, as a code for the log, such as inquiry:2026-1
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct LiftArgs {
    /// The freeze's number
    hold: LegalHoldId,
    #[command(flatten)]
    config: ConfigFile,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
    /// Why, as a code for the log
    #[arg(long)]
    reason: String,
}

#[derive(Serialize)]
struct RuleLine {
    item: &'static str,
    months: Option<u32>,
    source: Option<String>,
}

#[derive(Serialize)]
struct HoldLine {
    hold: String,
    covers: &'static str,
    name: String,
    reason: String,
    placed_by: String,
    placed_at: String,
    lifted_at: Option<String>,
}

#[derive(Serialize)]
struct RanLine {
    entries_erased: u64,
    cases_deleted: u64,
    complaints_deleted: u64,
    held: u64,
}

/// Runs `porth retention`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: RetentionArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Show(args) => show(&args, output),
        Command::Run(args) => run_now(&args, output),
        Command::Hold(args) => hold(&args, output),
        Command::Lift(args) => {
            let config = args.config.read()?;
            crate::cli::block_on(with_gateway(&config, async |gateway| {
                gateway.lift_legal_hold(args.hold, &args.by, &args.reason).await.map_err(app_failure)
            }))?;
            output.result("lifted: what the freeze kept is deleted with the next run", &serde_json::json!({}));
            Ok(())
        }
        Command::Holds(args) => holds(&args, output),
    }
}

fn show(args: &ShowArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let lines = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let policies = gateway.current_policies().await.map_err(app_failure)?;
        let line = |item: &DataItem| {
            let rule = policies.programme().retention(*item);
            let source = rule.map(|rule| rule.source.clone());
            RuleLine { item: item.as_str(), months: rule.map(|rule| rule.months), source }
        };
        Ok(DataItem::ALL.iter().map(line).collect::<Vec<_>>())
    }))?;
    let text = |line: &RuleLine| match (&line.months, &line.source) {
        (Some(months), Some(source)) => format!("{:<14}{months:>5} months   {source}", line.item),
        _ => format!("{:<14}  no rule: nothing is deleted", line.item),
    };
    output.result(lines.iter().map(text).collect::<Vec<_>>().join("\n"), &lines);
    Ok(())
}

fn run_now(args: &RunArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let ran: Ran = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let ran = gateway.retain(&args.by).await.map_err(app_failure)?;
        note_erasures(gateway, &config, &args.by).await?;
        Ok(ran)
    }))?;
    let line = RanLine {
        entries_erased: ran.erased,
        cases_deleted: ran.cases,
        complaints_deleted: ran.complaints,
        held: ran.held,
    };
    output.result(
        format_args!(
            "{} entries no longer speak of anybody; {} cases and {} complaints deleted; {} kept by freezes and decisions",
            ran.erased, ran.cases, ran.complaints, ran.held
        ),
        &line,
    );
    Ok(())
}

fn hold(args: &HoldArgs, output: &Output) -> Result<(), Failure> {
    let hold = Hold::parse(&args.covers, &args.name).map_err(Failure::failed)?;
    let config = args.config.read()?;
    let id = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.place_legal_hold(&hold, &args.by, &args.reason).await.map_err(app_failure)
    }))?;
    output.result(format_args!("freeze {id} is in force"), &serde_json::json!({ "hold": id }));
    Ok(())
}

fn holds(args: &ShowArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let all = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.store().legal_holds(gateway.programme()).await.map_err(super::store_failure)
    }))?;
    let line = |stored: &crate::store::StoredHold| HoldLine {
        hold: stored.id.to_string(),
        covers: stored.hold.covers(),
        name: stored.hold.name().to_owned(),
        reason: stored.reason.clone(),
        placed_by: stored.placed_by.clone(),
        placed_at: stored.placed_at.to_string(),
        lifted_at: stored.lifted.as_ref().map(|(_, at)| at.to_string()),
    };
    let lines: Vec<HoldLine> = all.iter().map(line).collect();
    let text = |line: &HoldLine| {
        let state = line.lifted_at.as_deref().map_or("stands".to_owned(), |at| format!("lifted {at}"));
        format!(
            "{}  {} {}  {}  placed {} by {}  {state}",
            line.hold, line.covers, line.name, line.reason, line.placed_at, line.placed_by
        )
    };
    let text: Vec<String> = lines.iter().map(text).collect();
    output.result(if text.is_empty() { "nothing is frozen".to_owned() } else { text.join("\n") }, &lines);
    Ok(())
}

/// Notes outside the database what was erased.
pub(in crate::cli) async fn note_erasures(gateway: &Gateway, config: &Config, by: &str) -> Result<(), Failure> {
    let path = kept_erasures::beside(&config.state_file());
    gateway.follow_erasures(&path, by).await.map(drop).map_err(|error| match error {
        KeptError::App(error) => app_failure(error),
        other => Failure::unusable(other).next("check `state_file` in the configuration, and who may write there"),
    })
}
