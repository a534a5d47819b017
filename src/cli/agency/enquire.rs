//! `porth enquire`: asks about one person, and says the answer in plain words.

mod words;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::connection::{Connection, failure, now};
use super::key_file::AgencyKeyFile;
use super::person::PersonArgs;
use super::tokenise::read_match_keys;
use crate::app::enquire::Question;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{AgreementRef, PurposeCode, RoleCode};
use crate::domain::programme::{Danger, Relationship};
use crate::domain::submission::SCHEME;

/// Arguments of `porth enquire`.
#[derive(Debug, Args)]
pub struct EnquireArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short, required_unless_present = "dry_run")]
    connection: Option<PathBuf>,
    /// The agency's key file; twice while the linkage key is being changed, with an epoch in each
    #[arg(long, short, required = true)]
    keys: Vec<PathBuf>,
    /// The programme's match-keys file, if not the one shipped with this program
    #[arg(long)]
    match_keys: Option<PathBuf>,
    #[command(flatten)]
    person: PersonArgs,
    /// The agreement that lets the agency ask, such as early-help-core/v1
    #[arg(long)]
    agreement: AgreementRef,
    /// What the answer is for
    #[arg(long)]
    purpose: PurposeCode,
    /// In which form: eligible, count, areas, criteria or lead
    #[arg(long, value_parser = parse_mode)]
    mode: AnswerMode,
    /// Why this person now: `open_case`, referral, screening, `statutory_enquiry` or emergency
    #[arg(long, value_parser = parse_relationship)]
    relationship: Relationship,
    /// In an emergency, what kind of danger: life, child, adult or missing. It is reviewed the same day
    #[arg(long, value_parser = parse_danger)]
    danger: Option<Danger>,
    /// The role in which the asking person acts
    #[arg(long)]
    role: RoleCode,
    /// The case number; leaves as a keyed reference only
    #[arg(long)]
    case: String,
    /// The user name of the person who asks; leaves as a keyed reference only
    #[arg(long)]
    user: String,
    /// Where the receipt goes: the gateway's signed promise that the enquiry is in the log
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// The key under which a repeat is not asked twice; a new one by default
    #[arg(long)]
    idempotency_key: Option<String>,
    /// Show exactly what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `porth enquire`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refused.
pub fn run(args: EnquireArgs, output: &Output) -> Result<(), Failure> {
    let match_keys = read_match_keys(args.match_keys.as_deref())?;
    let key_file = AgencyKeyFile::read_all(&args.keys).map_err(Failure::unusable)?;
    let person = args.person.tokenise(&match_keys, &key_file, output)?;
    let question = Question {
        programme: key_file.programme().clone(),
        agreement: args.agreement,
        purpose: args.purpose,
        mode: args.mode,
        relationship: args.relationship,
        emergency: args.danger,
        role: args.role,
        case: key_file.reference().case(args.case.trim()),
        user: key_file.reference().user(args.user.trim()),
        scheme: SCHEME.to_owned(),
        norm: match_keys.norm(),
        epochs: person.epochs,
        tokens: person.tokens,
        household: person.household,
    };
    if args.dry_run {
        let text = serde_json::to_string_pretty(&question).unwrap_or_default();
        output.result(format_args!("This would be sent, and nothing else\n{text}"), &question);
        return Ok(());
    }
    let Some(connection) = &args.connection else { return Err(Failure::failed("`--connection` is needed")) };
    // Found out before the question is asked and logged, not after.
    if let Some(path) = &args.receipt
        && path.exists()
    {
        return Err(Failure::failed(format!("{}: is there already; a receipt is never overwritten", path.display())));
    }
    let mut session = Connection::read(connection)?.open()?;
    let key = args.idempotency_key.unwrap_or_else(|| uuid_v7(now(), &SystemRandom::new()).to_string());
    let answer: Value = crate::cli::block_on(async {
        let headers = session.headers(Some(key.clone())).await?;
        let again =
            |failed: Failure| failed.next(format!("to ask again without asking twice, add --idempotency-key {key}"));
        let answer = session.client().post_json("/v1/enquiries", &headers, &question).await;
        let answer =
            answer.map_err(|error| if error.problem().is_some() { failure(&error) } else { again(failure(&error)) })?;
        answer.json().map_err(|error| again(failure(&error)))
    })?;
    if let Some(path) = &args.receipt {
        save_receipt(path, &answer, output);
    }
    output.result(words::say(&answer), &answer);
    Ok(())
}

fn save_receipt(path: &Path, answer: &Value, output: &Output) {
    let Some(receipt) = words::receipt(answer) else {
        output.note("warning: the answer carries no receipt");
        return;
    };
    // The answer is printed even so: it was given, and it is in the log.
    if let Err(error) = std::fs::write(path, receipt) {
        output.note(format_args!("warning: the receipt cannot be saved to {}: {error}", path.display()));
        output.line(receipt);
    }
}

pub(super) fn parse_mode(text: &str) -> Result<AnswerMode, String> {
    let found = AnswerMode::ALL.into_iter().find(|mode| mode.as_str() == text);
    found.ok_or_else(|| "use eligible, count, areas, criteria or lead".to_owned())
}

pub(super) fn parse_relationship(text: &str) -> Result<Relationship, String> {
    let found = Relationship::ALL.into_iter().find(|relationship| relationship.as_str() == text);
    found.ok_or_else(|| format!("use {}", Relationship::ALL.map(Relationship::as_str).join(", ")))
}

fn parse_danger(text: &str) -> Result<Danger, String> {
    let found = Danger::ALL.into_iter().find(|danger| danger.as_str() == text);
    found.ok_or_else(|| format!("use {}", Danger::ALL.map(Danger::as_str).join(", ")))
}
