//! `porth policy matrix`: every receive clause, purpose and form of answer, line by line.

use clap::Args;
use serde::Serialize;

use super::source::{Source, Sourced};
use crate::cli::output::{Failure, Output};
use crate::domain::agreement::{AgreementText, AnswerMode, ReceiveClause};
use crate::domain::ids::{AgencyCode, AgreementRef, FeedCode, PurposeCode};
use crate::policy::decide::contributors;
use crate::policy::decision::{Decision, Outcome, Terms};
use crate::policy::rules::RuleHit;

/// Arguments of `porth policy matrix`.
#[derive(Debug, Args)]
pub(super) struct MatrixArgs {
    #[command(flatten)]
    source: Source,
    /// Only what this agency may learn
    #[arg(long)]
    recipient: Option<AgencyCode>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Cell {
    recipient: AgencyCode,
    agreement: AgreementRef,
    purpose: PurposeCode,
    mode: AnswerMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<AgencyCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed: Option<FeedCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<String>,
    allowed: bool,
    rules: Vec<String>,
}

/// Prints the matrix.
pub(super) fn run(args: &MatrixArgs, output: Output) -> Result<(), Failure> {
    let sourced = args.source.read(output)?;
    let mut cells = Vec::new();
    for agreement in sourced.book().agreements() {
        let clauses = agreement.text.receives().iter();
        for clause in clauses.filter(|c| args.recipient.as_ref().is_none_or(|only| c.recipient == *only)) {
            cells.extend(of_clause(&sourced, &agreement.text, clause));
        }
    }
    cells.sort();
    cells.dedup();
    output.result(cells.iter().map(Cell::line).collect::<Vec<_>>().join("\n"), &cells);
    Ok(())
}

fn of_clause(sourced: &Sourced, text: &AgreementText, clause: &ReceiveClause) -> Vec<Cell> {
    let mut cells = Vec::new();
    for purpose in &clause.purposes {
        let relationship = sourced.book().programme().purpose(purpose).and_then(|p| p.relationships.first());
        let (Some(relationship), Some(role)) = (relationship, clause.roles.first()) else { continue };
        for mode in &clause.modes {
            let terms = Terms {
                recipient: clause.recipient.clone(),
                agreement: text.reference().clone(),
                purpose: purpose.clone(),
                mode: *mode,
                role: role.clone(),
                relationship: *relationship,
            };
            cells.extend(of_terms(sourced, &terms));
        }
    }
    cells
}

fn of_terms(sourced: &Sourced, terms: &Terms) -> Vec<Cell> {
    let feeds = sourced.feeds(&terms.recipient, &terms.agreement);
    let whole = |hits: &[RuleHit]| Cell {
        recipient: terms.recipient.clone(),
        agreement: terms.agreement.clone(),
        purpose: terms.purpose.clone(),
        mode: terms.mode,
        supplier: None,
        feed: None,
        item: None,
        allowed: false,
        rules: rules(hits),
    };
    let line = |decision: &Decision| Cell {
        supplier: Some(decision.supplier.clone()),
        feed: Some(decision.feed.clone()),
        item: Some(decision.item.to_string()),
        allowed: decision.outcome.is_in(),
        ..whole(match &decision.outcome {
            Outcome::Denied(hits) => hits,
            _ => &[],
        })
    };
    match contributors(sourced.book(), terms, &feeds, sourced.now) {
        Ok(permitted) => permitted.decisions.iter().map(line).collect(),
        Err(refusal) if refusal.decisions.is_empty() => vec![whole(&refusal.hits)],
        Err(refusal) => refusal.decisions.iter().map(line).collect(),
    }
}

fn rules(hits: &[RuleHit]) -> Vec<String> {
    hits.iter().map(|hit| hit.rule.clone()).collect()
}

impl Cell {
    fn line(&self) -> String {
        let verdict = if self.allowed { "allowed".to_owned() } else { format!("blocked by {}", self.rules.join(", ")) };
        let from = match (&self.supplier, &self.feed, &self.item) {
            (Some(supplier), Some(feed), Some(item)) => format!("{supplier}/{feed} {item}"),
            _ => "anything".to_owned(),
        };
        format!("{} {} {} {}: {from}: {verdict}", self.recipient, self.agreement, self.purpose, self.mode)
    }
}
