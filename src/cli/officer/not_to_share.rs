//! `porth not-to-share`: a decision not to share is recorded, by an officer for an agency or by the agency.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::app::not_to_share::{Decider, NotSharing, NotSharingError};
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::cli::agency::notices::post;
use crate::cli::operator::{app_failure, config_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::config::Config;
use crate::domain::ids::{AgencyCode, AgreementRef, PurposeCode, RoleCode};
use crate::tlog::entry::Code;

/// Arguments of `porth not-to-share`.
#[derive(Debug, Args)]
pub struct NotToShareArgs {
    /// The gateway's configuration file, for officers
    #[arg(long, value_name = "FILE", required_unless_present = "connection", conflicts_with = "connection")]
    config: Option<PathBuf>,
    /// The connection file, for the agency that decided
    #[arg(long, short)]
    connection: Option<PathBuf>,
    /// For officers: your account, for the log; never a person's name
    #[arg(long, required_unless_present = "connection")]
    by: Option<String>,
    /// For officers: the agency whose data were asked for
    #[arg(long, required_unless_present = "connection")]
    agency: Option<AgencyCode>,
    /// For the agency: its key file, so that names leave as keyed references only
    #[arg(long, short, required_unless_present = "config")]
    keys: Option<PathBuf>,
    /// For the agency: the user name of the person who decided
    #[arg(long, required_unless_present = "config")]
    user: Option<String>,
    /// For the agency: the role of that person
    #[arg(long, required_unless_present = "config")]
    role: Option<RoleCode>,
    /// For the agency: its case number
    #[arg(long, requires = "keys")]
    case: Option<String>,
    /// Who asked: an agency's code, or what it is, such as landlord
    #[arg(long)]
    asked_by: Code,
    /// What was asked for: an area, an item or a kind of data; several may be given
    #[arg(long, required = true)]
    item: Vec<Code>,
    /// What it was asked for
    #[arg(long)]
    purpose: PurposeCode,
    /// The agreement that was pointed to
    #[arg(long)]
    agreement: Option<AgreementRef>,
    /// Why it was declined, as a code
    #[arg(long)]
    reason: Code,
    /// The law that the decision rests on, such as UKGDPR-art5-1-b
    #[arg(long)]
    basis: Code,
}

/// Runs `porth not-to-share`.
///
/// # Errors
///
/// [`Failure`]; exit code 3 if the gateway refuses an agency.
pub fn run(args: NotToShareArgs, output: &Output) -> Result<(), Failure> {
    let done = match (&args.connection, &args.config) {
        (Some(connection), _) => {
            let (Some(keys), Some(user), Some(role)) = (&args.keys, &args.user, &args.role) else {
                return Err(Failure::failed("an agency's decision needs --keys, --user and --role"));
            };
            let keys = AgencyKeyFile::read_all(std::slice::from_ref(keys)).map_err(Failure::unusable)?;
            let case = args.case.as_deref().map(|case| keys.reference().case(case.trim()));
            let body = json!({
                "asked_by": args.asked_by, "items": args.item, "purpose": args.purpose, "agreement": args.agreement,
                "reason": args.reason, "basis": args.basis, "case": case, "role": role,
                "user": keys.reference().user(user.trim()),
            });
            post(connection, "/v1/decisions-not-to-share", &body)?
        }
        (None, Some(config)) => {
            let (Some(by), Some(agency)) = (&args.by, &args.agency) else {
                return Err(Failure::failed("an officer names --by and --agency"));
            };
            let config = Config::read(config).map_err(config_failure)?;
            let what = NotSharing {
                asked_by: args.asked_by.clone(),
                items: args.item.clone(),
                purpose: args.purpose.clone(),
                agreement: args.agreement.clone(),
                reason: args.reason.clone(),
                basis: args.basis.clone(),
                case: None,
            };
            let done = crate::cli::block_on(with_gateway(&config, async |gateway| {
                let done = gateway.decide_not_to_share(Decider::Officer(by, agency), &what).await;
                done.map_err(|error| match error {
                    NotSharingError::App(error) => app_failure(error),
                    other => Failure::failed(other),
                })
            }))?;
            json!({ "disclosure": done.disclosure.to_string(), "at": done.at.to_string(), "receipt": done.receipt })
        }
        (None, None) => return Err(Failure::failed("name --config or --connection")),
    };
    output.result("recorded, and in the log", &done);
    Ok(())
}
