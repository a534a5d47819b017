//! `porth referral`: a referral comes in and is taken step by step to where it ends.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::app::referral::{Ground, NewReferral, NewStep};
use crate::cli::agency::connection::{Connection, failure, now};
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::cli::output::{Failure, Output};
use crate::cli::typed::word;
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::{AgencyCode, AgreementRef, EventId, ReferralId, RoleCode, TeamRoute};
use crate::domain::programme::Relationship;
use crate::domain::referral::{Door, Step};
use crate::domain::tfid::Tfid;

/// Arguments of `porth referral`.
#[derive(Debug, Args)]
pub struct ReferralArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take a referral in
    Receive(ReceiveArgs),
    /// Take the step that is next
    Step(StepArgs),
}

#[derive(Debug, Args)]
struct Common {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The agency's key file, which makes references of cases and users
    #[arg(long, short)]
    keys: PathBuf,
    /// The agreement whose receive clause covers the step, such as early-help-core/v1
    #[arg(long)]
    agreement: AgreementRef,
    /// Why this family now: `open_case`, referral, screening, `statutory_enquiry` or emergency
    #[arg(long, value_parser = word::<Relationship>)]
    relationship: Relationship,
    /// The role in which the acting person acts
    #[arg(long)]
    role: RoleCode,
    /// The user name of the acting person; leaves as a keyed reference only
    #[arg(long)]
    user: String,
    /// The key under which a repeat is not done twice; a new one by default
    #[arg(long)]
    idempotency_key: Option<String>,
}

#[derive(Debug, Args)]
struct ReceiveArgs {
    #[command(flatten)]
    common: Common,
    /// Where it came in: `early_help` or `education_welfare`
    #[arg(long, value_parser = word::<Door>)]
    door: Door,
    /// The case number; leaves as a keyed reference only
    #[arg(long)]
    case: String,
}

#[derive(Debug, Args)]
struct StepArgs {
    #[command(flatten)]
    common: Common,
    /// Which referral
    #[arg(long)]
    referral: ReferralId,
    /// `check_tracker`, `find_worker`, share, assign, `check_eligibility`, qualify or `issue_tfid`
    #[arg(long, value_parser = word::<Step>)]
    step: Step,
    /// Where the route branches: true or false
    #[arg(long)]
    finding: Option<bool>,
    /// The log entry of the enquiry that the step rests on
    #[arg(long)]
    answer: Option<EventId>,
    /// With whom it is shared, or to whom the family is assigned
    #[arg(long)]
    agency: Option<AgencyCode>,
    /// To which of that agency's teams
    #[arg(long)]
    team: Option<TeamRoute>,
    /// A file that holds the family's reference, for the step that issues it
    #[arg(long, value_name = "FILE")]
    tfid_file: Option<PathBuf>,
}

/// Runs `porth referral`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refused.
pub fn run(args: ReferralArgs, output: &Output) -> Result<(), Failure> {
    let answer = match args.command {
        Command::Receive(args) => {
            let (keys, ground) = ground(&args.common)?;
            let new = NewReferral { door: args.door, case: keys.reference().case(args.case.trim()), ground };
            send(&args.common, "/v1/referrals", &new)?
        }
        Command::Step(args) => {
            let (_, ground) = ground(&args.common)?;
            let read = |path: &PathBuf| {
                let text = std::fs::read_to_string(path);
                text.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
            };
            let tfid = args.tfid_file.as_ref().map(read).transpose()?;
            let tfid = tfid.map(|text| Tfid::parse(&text)).transpose().map_err(Failure::failed)?;
            let new = NewStep {
                referral: args.referral,
                step: args.step,
                finding: args.finding,
                answer: args.answer,
                agency: args.agency,
                team: args.team,
                tfid,
                ground,
            };
            send(&args.common, "/v1/referrals/steps", &new)?
        }
    };
    output.result(say(&answer), &answer);
    Ok(())
}

fn ground(common: &Common) -> Result<(AgencyKeyFile, Ground), Failure> {
    let keys = AgencyKeyFile::read(&common.keys).map_err(Failure::unusable)?;
    let ground = Ground {
        agreement: common.agreement.clone(),
        relationship: common.relationship,
        role: common.role.clone(),
        user: keys.reference().user(common.user.trim()),
    };
    Ok((keys, ground))
}

fn send(common: &Common, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
    let mut session = Connection::read(&common.connection)?.open()?;
    let key = common.idempotency_key.clone().unwrap_or_else(|| uuid_v7(now(), &SystemRandom::new()).to_string());
    crate::cli::block_on(async {
        let headers = session.headers(Some(key)).await?;
        let answer = session.client().post_json(path, &headers, body).await;
        answer.map_err(|error| failure(&error))?.json().map_err(|error| failure(&error))
    })
}

fn say(answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or("?").replace('_', " ");
    let next = match answer["next"].as_str() {
        Some(_) => {
            format!("Next: {}, for the purpose {}.", text("next"), answer["next_purpose"].as_str().unwrap_or("?"))
        }
        None => "It ends here.".to_owned(),
    };
    let referral = answer["referral"].as_str().unwrap_or("?");
    format!(
        "Referral {referral}: {}.\n{next}\nLogged as {}.",
        text("state"),
        answer["disclosure"].as_str().unwrap_or("?")
    )
}
