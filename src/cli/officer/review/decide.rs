//! `porth review decide|second|done|release`: the steps of a review.

use clap::Args;
use jiff::civil::Date;
use serde_json::json;

use super::review_failure;
use super::show::value;
use crate::app::review::steps::{Asked, Stepped, Verdict};
use crate::cli::operator::{ConfigFile, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{AgreementRef, EventId};
use crate::domain::review::finding::{Action, Finding, Severity};
use crate::tlog::entry::Code;

/// Arguments that every step has.
#[derive(Debug, Args)]
pub(super) struct StepArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The disclosure's entry
    #[arg(value_name = "ENTRY")]
    entry: EventId,
    /// Your account, as a registered officer
    #[arg(long)]
    by: String,
    /// Why, or where it is written up, as a code for the log
    #[arg(long)]
    reason: String,
}

/// Arguments of `porth review decide`.
#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    #[command(flatten)]
    step: StepArgs,
    /// justified, record_incomplete, not_justified_minimisation, not_justified_no_basis, wrong_subject,
    /// basis_unclear or suspected_misuse
    #[arg(long)]
    finding: Finding,
    /// none, low, medium or high
    #[arg(long, default_value = "none")]
    severity: Severity,
    /// none, correct_note, retrain, change_policy, suspend_agreement, breach_case or refer_to_dpo
    #[arg(long, default_value = "none")]
    action: Action,
    /// Who does it: a post or account, never a person's name
    #[arg(long)]
    owner: Option<Code>,
    /// The day by which it is done, such as 2026-10-31
    #[arg(long)]
    due: Option<Date>,
    /// The agreement to suspend once a second officer has confirmed
    #[arg(long)]
    suspend: Option<AgreementRef>,
}

/// Arguments of `porth review second`.
#[derive(Debug, Args)]
pub(super) struct SecondArgs {
    #[command(flatten)]
    step: StepArgs,
    /// confirm: it takes effect; or return: somebody else reviews anew
    #[arg(value_enum)]
    verdict: Second,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Second {
    /// It takes effect
    Confirm,
    /// Somebody else reviews the disclosure anew
    Return,
}

/// Decides.
pub(super) fn decide(args: &DecideArgs, output: Output) -> Result<(), Failure> {
    let verdict = Verdict {
        finding: args.finding,
        severity: args.severity,
        action: args.action,
        owner: args.owner.clone(),
        due: args.due,
        agreement: args.suspend.clone(),
    };
    step(&args.step, &Asked::Decide(verdict), output)
}

/// Confirms or returns.
pub(super) fn second(args: &SecondArgs, output: Output) -> Result<(), Failure> {
    let asked = match args.verdict {
        Second::Confirm => Asked::Confirm,
        Second::Return => Asked::Return,
    };
    step(&args.step, &asked, output)
}

/// Says that it is done.
pub(super) fn done(args: &StepArgs, output: Output) -> Result<(), Failure> {
    step(args, &Asked::Complete, output)
}

/// Gives back.
pub(super) fn release(args: &StepArgs, output: Output) -> Result<(), Failure> {
    step(args, &Asked::Release, output)
}

fn step(args: &StepArgs, asked: &Asked, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let stepped = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.step_review(&args.by, args.entry, asked, &args.reason).await.map_err(review_failure)
    }))?;
    let Stepped { event, review, suspended } = &stepped;
    let mut text = format!("The review is {}; the step is log entry {event}.", review.state);
    if let Some(agreement) = suspended {
        text = format!("{text}\n{agreement} is suspended.");
    }
    let today = review.changed_at.as_seconds().div_euclid(86_400);
    let value = json!({ "event": event.to_string(), "review": value(review, today), "suspended": suspended });
    output.result(text, &value);
    Ok(())
}
