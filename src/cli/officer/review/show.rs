//! `porth review list|figures|show`: what is under review, what came of a plan, and one disclosure in words.

use clap::Args;
use serde_json::{Value, json};

use super::review_failure;
use crate::app::log_access::Grounds;
use crate::app::review::steps::date_of;
use crate::cli::operator::{ConfigFile, store_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{AgreementRef, EventId, RoleCode};
use crate::domain::review::figures::Rate;
use crate::domain::review::state::State;
use crate::store::{ReviewsWanted, StoredPlan, StoredReview};

/// Reviews of a listing.
const MOST: i64 = 500;

/// Arguments of `porth review figures`.
#[derive(Debug, Args)]
pub(super) struct FiguresArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The plan; without one the plans are listed
    #[arg(value_name = "PLAN")]
    plan: Option<EventId>,
}

/// Arguments of `porth review list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Only reviews in this state: drawn, taken, referred, proposed, due or closed
    #[arg(long)]
    state: Option<State>,
    /// Only findings whose action was due before today and is not done
    #[arg(long)]
    overdue: bool,
    /// Only disclosures after this index of the log, to go on where a listing ended
    #[arg(long)]
    after: Option<u64>,
}

/// Arguments of `porth review show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The disclosure's entry
    #[arg(value_name = "ENTRY")]
    entry: EventId,
    /// Your account, as a registered officer
    #[arg(long)]
    by: String,
    /// The agreement that allows your agency the purpose `audit`
    #[arg(long)]
    agreement: AgreementRef,
    /// The role in which you look
    #[arg(long)]
    role: RoleCode,
}

/// Lists plans, or prints the figures of one.
pub(super) fn figures(args: &FiguresArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let Some(plan) = args.plan else {
        let plans = crate::cli::block_on(with_gateway(&config, async |gateway| {
            gateway.store().review_plans().await.map_err(store_failure)
        }))?;
        let line = |plan: &StoredPlan| {
            let StoredPlan { event, strategy, population, sample, drawn_by, drawn_at, .. } = plan;
            format!("{event} {strategy} {sample} of {population} by {drawn_by} at {drawn_at}")
        };
        let value = |plan: &StoredPlan| {
            json!({ "plan": plan.event.to_string(), "strategy": plan.strategy, "population": plan.population,
                "sample": plan.sample, "drawn_by": plan.drawn_by, "drawn_at": plan.drawn_at })
        };
        output.result(
            lines_or(plans.iter().map(line).collect(), "Nothing was drawn."),
            &plans.iter().map(value).collect::<Vec<_>>(),
        );
        return Ok(());
    };
    let found = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.review_figures(plan).await.map_err(review_failure)
    }))?;
    let figures = &found.figures;
    let mut lines = vec![
        format!("Drawn {}: {} of {} disclosures.", found.strategy, figures.sample, figures.population),
        format!("Reviewed {}, which covers {}.", figures.reviewed, percent(figures.coverage)),
        format!("Adverse {}, with an incomplete record {}.", figures.adverse, figures.record_incomplete),
        figures.error_rate.map_or("No error rate yet.".to_owned(), rate_in_words),
    ];
    let strata = found.strata.iter();
    lines.extend(strata.map(|(stratum, population, sample)| format!("  {sample} of {population}: {stratum}")));
    let strata: Vec<Value> = found
        .strata
        .iter()
        .map(|(stratum, population, sample)| json!({ "stratum": stratum, "population": population, "sample": sample }))
        .collect();
    output.result(
        lines.join("\n"),
        &json!({ "plan": plan.to_string(), "strategy": found.strategy, "figures": figures, "strata": strata }),
    );
    Ok(())
}

fn rate_in_words(rate: Rate) -> String {
    let share = percent(rate.share);
    match rate.interval {
        None => format!("Error rate of what was reviewed {share}; the sample was chosen and speaks for no other."),
        Some(interval) if interval.method == "exact" => format!("Error rate {share}, exactly: all was reviewed."),
        Some(interval) => format!(
            "Error rate {share}; of the population between {} and {} (95%, {}).",
            percent(interval.from),
            percent(interval.to),
            interval.method
        ),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// Lists reviews.
pub(super) fn list(args: &ListArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let (reviews, today) = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let today = gateway.store().now().await.map_err(store_failure)?.as_seconds().div_euclid(86_400);
        let wanted = ReviewsWanted {
            state: args.state.map(|state| state.as_str().to_owned()),
            due_before: args.overdue.then_some(today),
            after: args.after,
            limit: MOST,
        };
        Ok((gateway.store().reviews(&wanted).await.map_err(store_failure)?, today))
    }))?;
    let line = |review: &StoredReview| {
        let words = [&review.reviewer, &review.finding, &review.action, &review.owner];
        let words: Vec<&str> = words.into_iter().map(|word| word.as_deref().unwrap_or("-")).collect();
        let due = review.due.map_or("-".to_owned(), |day| date_of(day).to_string());
        let late = if is_overdue(review, today) { " OVERDUE" } else { "" };
        format!("{} {} {} {} {due}{late}", review.index, review.entry, review.state, words.join(" "))
    };
    let mut lines: Vec<String> = reviews.iter().map(line).collect();
    if let Some(last) = reviews.last().filter(|_| reviews.len() as i64 == MOST) {
        lines.push(format!("There may be more: --after {}", last.index));
    }
    let values: Vec<Value> = reviews.iter().map(|review| value(review, today)).collect();
    output.result(lines_or(lines, "Nothing is so."), &values);
    Ok(())
}

/// Shows a disclosure to an officer.
pub(super) fn show(args: &ShowArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let grounds = Grounds { agreement: args.agreement.clone(), role: args.role.clone(), user: None };
    let (shown, today) = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let today = gateway.store().now().await.map_err(store_failure)?.as_seconds().div_euclid(86_400);
        let shown = gateway.read_for_review(&args.by, &grounds, args.entry).await.map_err(review_failure)?;
        Ok((shown, today))
    }))?;
    output.note(format_args!("This look is log entry {}.", shown.read.logged.disclosure));
    let mut lines = shown.read.sentences.clone();
    lines.push(shown.read.proved.entry.clone());
    let has = shown.review.reviewer.as_deref().unwrap_or("nobody");
    lines.push(format!("The review is {}; {has} has it.", shown.review.state));
    for reply in &shown.replies {
        lines.push(format!("The agency replied {} ({}) at {}.", reply.position, reply.reason, reply.at));
    }
    let replies: Vec<Value> = shown
        .replies
        .iter()
        .map(|reply| json!({ "position": reply.position, "reason": reply.reason, "at": reply.at }))
        .collect();
    let value = json!({
        "look": shown.read.logged.disclosure.to_string(), "sentences": shown.read.sentences,
        "entry": shown.read.proved.entry, "review": value(&shown.review, today), "replies": replies,
    });
    output.result(lines.join("\n"), &value);
    Ok(())
}

fn is_overdue(review: &StoredReview, today: i64) -> bool {
    review.state == State::Due.as_str() && review.due.is_some_and(|due| due < today)
}

/// A review as JSON.
pub(super) fn value(review: &StoredReview, today: i64) -> Value {
    json!({
        "entry": review.entry.to_string(), "index": review.index, "agency": review.agency, "state": review.state,
        "reviewer": review.reviewer, "finding": review.finding, "severity": review.severity,
        "action": review.action, "owner": review.owner, "due": review.due.map(|day| date_of(day).to_string()),
        "is_overdue": is_overdue(review, today), "agreement": review.agreement, "reason": review.reason,
    })
}

fn lines_or(lines: Vec<String>, none: &str) -> String {
    if lines.is_empty() { none.to_owned() } else { lines.join("\n") }
}
