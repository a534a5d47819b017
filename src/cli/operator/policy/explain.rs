//! `porth policy explain`.

use clap::Args;
use serde::Serialize;

use super::source::Source;
use crate::cli::output::{Failure, Output};
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{AgencyCode, AgreementRef, PurposeCode, RoleCode};
use crate::domain::programme::Relationship;
use crate::policy::decide::{contributors, contributors_for_statistics};
use crate::policy::decision::{Decision, Terms};
use crate::policy::explain;

/// Arguments of `porth policy explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    source: Source,
    /// Who asks
    #[arg(long)]
    recipient: AgencyCode,
    /// Under which agreement and version, such as early-help-core/v1
    #[arg(long)]
    agreement: AgreementRef,
    /// For what
    #[arg(long)]
    purpose: PurposeCode,
    /// In which form: eligible, count, areas, criteria or lead
    #[arg(long, value_parser = word::<AnswerMode>)]
    mode: AnswerMode,
    /// In which role the asking person acts
    #[arg(long)]
    role: RoleCode,
    /// Why this family now: `open_case`, `referral`, `screening`, `statutory_enquiry` or `emergency`
    #[arg(long, value_parser = word::<Relationship>)]
    relationship: Relationship,
}

#[derive(Serialize)]
struct Explained<'a> {
    permitted: bool,
    sentences: &'a [String],
    decisions: &'a [Decision],
}

/// Prints the sentences. A refusal is an answer here, not a failure.
pub(super) fn run(args: &ExplainArgs, output: Output) -> Result<(), Failure> {
    let sourced = args.source.read(output)?;
    let terms = Terms {
        recipient: args.recipient.clone(),
        agreement: args.agreement.clone(),
        purpose: args.purpose.clone(),
        mode: args.mode,
        role: args.role.clone(),
        relationship: args.relationship,
    };
    let feeds = sourced.feeds(&args.recipient, &args.agreement);
    let book = sourced.book();
    // Tables have a door of their own, and no other purpose passes it.
    let is_statistical = book.programme().purpose(&terms.purpose).is_some_and(|purpose| purpose.statistical);
    let decide = if is_statistical { contributors_for_statistics } else { contributors };
    let (permitted, sentences, decisions) = match decide(book, &terms, &feeds, sourced.now) {
        Ok(permitted) => (true, explain::permitted(book, &permitted), permitted.decisions),
        Err(refusal) => (false, explain::refusal(book, &refusal), refusal.decisions),
    };
    let explained = Explained { permitted, sentences: &sentences, decisions: &decisions };
    output.result(sentences.join("\n"), &explained);
    Ok(())
}

/// Reads a word as the files write it.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|_| "not one of the words that the files use".to_owned())
}
