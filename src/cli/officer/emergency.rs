//! `porth emergency`: which emergency enquiries wait for a review, and their reviews. A council's officer
//! names the configuration file, somebody at the asking agency its connection file.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::app::emergency::{ReviewError, ReviewFinding, Reviewer};
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::cli::agency::notices::{get, post};
use crate::cli::operator::{app_failure, config_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::config::Config;
use crate::domain::ids::{EventId, RoleCode};

/// Arguments of `porth emergency`.
#[derive(Debug, Args)]
pub struct EmergencyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show which emergency enquiries nobody has reviewed
    List(Where),
    /// Review one
    Review(ReviewArgs),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Where {
    /// The gateway's configuration file, for the council's officers
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The connection file, for the asking agency
    #[arg(long, short)]
    connection: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ReviewArgs {
    /// The log entry of the emergency enquiry
    entry: EventId,
    #[command(flatten)]
    at: Where,
    /// The account of the council's officer, for the log; never a person's name
    #[arg(long, required_unless_present = "connection")]
    by: Option<String>,
    /// At the agency: its key file, so that the user name leaves as a keyed reference only
    #[arg(long, short, required_unless_present = "config")]
    keys: Option<PathBuf>,
    /// At the agency: the user name of the person who reviews, not of the one who asked
    #[arg(long, required_unless_present = "config")]
    user: Option<String>,
    /// At the agency: the role of that person
    #[arg(long, required_unless_present = "config")]
    role: Option<RoleCode>,
    /// justified, record-incomplete or not-justified
    #[arg(long, value_parser = parse_finding)]
    finding: ReviewFinding,
    /// Why, as a code
    #[arg(long)]
    reason: String,
}

/// Runs `porth emergency`.
///
/// # Errors
///
/// [`Failure`]; exit code 3 if the gateway refuses an agency.
pub fn run(args: EmergencyArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::List(at) => list(&at, output),
        Command::Review(args) => review(args, output),
    }
}

fn list(at: &Where, output: &Output) -> Result<(), Failure> {
    let found = if let Some(connection) = &at.connection {
        get(connection, "/v1/emergencies")?
    } else {
        let config = read(at)?;
        let waiting = crate::cli::block_on(with_gateway(&config, async |gateway| {
            gateway.all_emergencies().await.map_err(app_failure)
        }))?;
        let view = |it: &crate::store::StoredEmergency| {
            json!({ "entry": it.event.to_string(), "agency": it.agency, "client": it.client, "at": it.at.to_string(),
                "due_at": it.due_at.to_string() })
        };
        json!({ "emergencies": waiting.iter().map(view).collect::<Vec<_>>() })
    };
    output.result(table(&found), &found);
    Ok(())
}

fn review(args: ReviewArgs, output: &Output) -> Result<(), Failure> {
    let done = match (&args.at.connection, args.keys, args.user, args.role, args.by) {
        (Some(connection), Some(keys), Some(user), Some(role), _) => {
            let keys = AgencyKeyFile::read_all(&[keys]).map_err(Failure::unusable)?;
            let body = json!({
                "entry": args.entry.to_string(), "user": keys.reference().user(user.trim()), "role": role,
                "finding": args.finding.as_str(), "reason": args.reason,
            });
            post(connection, "/v1/emergencies/reviews", &body)?
        }
        (None, .., Some(by)) => {
            let config = read(&args.at)?;
            let done = crate::cli::block_on(with_gateway(&config, async |gateway| {
                let reviewer = Reviewer::Council(&by);
                let done = gateway.review_emergency(reviewer, args.entry, args.finding, &args.reason).await;
                done.map_err(|error| match error {
                    ReviewError::App(error) => app_failure(error),
                    other => Failure::failed(other),
                })
            }))?;
            json!({ "disclosure": done.disclosure.to_string(), "at": done.at.to_string(), "in_time": done.is_in_time })
        }
        _ => return Err(Failure::failed("an agency's review needs --keys, --user and --role; a council's --by")),
    };
    let late = if done["in_time"] == true { "" } else { " It came after the day's end." };
    output.result(format_args!("Reviewed, and in the log.{late}"), &done);
    Ok(())
}

fn read(at: &Where) -> Result<Config, Failure> {
    let path = at.config.as_ref().ok_or_else(|| Failure::failed("name the configuration file: --config"))?;
    Config::read(path).map_err(config_failure)
}

fn table(found: &Value) -> String {
    let items: Vec<&Value> = found["emergencies"].as_array().into_iter().flatten().collect();
    if items.is_empty() {
        return "no emergency enquiry waits for a review".to_owned();
    }
    let line = |item: &&Value| {
        let field = |name: &str| item[name].as_str().unwrap_or("").to_owned();
        format!(
            "{}  {} {}  asked {}  due {}",
            field("entry"),
            field("agency"),
            field("client"),
            field("at"),
            field("due_at")
        )
    };
    items.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn parse_finding(text: &str) -> Result<ReviewFinding, String> {
    ReviewFinding::parse(text).ok_or_else(|| "use justified, record-incomplete or not-justified".to_owned())
}
