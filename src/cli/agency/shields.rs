//! `porth shields`: which records the agency itself restricts, and when to look at them again.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::notices::post;
use super::possible_matches::parse_record;
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{FeedCode, OpaqueRef, RoleCode};

/// Arguments of `porth shields`.
#[derive(Debug, Args)]
pub struct ShieldsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the agency's own shields, and which are overdue for another look
    List(ListArgs),
    /// Note when to look at a record again; the shield stands all the same
    Review(ReviewArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// Your role: one that the agency's file names as its shield officers'
    #[arg(long)]
    role: RoleCode,
    /// Show only those that are overdue
    #[arg(long)]
    overdue: bool,
}

#[derive(Debug, Args)]
struct ReviewArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The agency's own record, feed/reference
    #[arg(long, value_parser = parse_record)]
    record: (FeedCode, OpaqueRef),
    /// The day of the next look, such as 2027-03-01
    #[arg(long)]
    on: Date,
    /// Your role: one that the agency's file names as its shield officers'
    #[arg(long)]
    role: RoleCode,
}

/// Runs `porth shields`.
///
/// # Errors
///
/// [`Failure`]; exit code 3 if the gateway refuses.
pub fn run(args: ShieldsArgs, output: &Output) -> Result<(), Failure> {
    match args.action {
        Action::List(args) => list(&args, output),
        Action::Review(args) => {
            let (feed, reference) = &args.record;
            let body = json!({ "record": { "feed": feed, "ref": reference }, "review_on": args.on, "role": args.role });
            let done = post(&args.connection, "/v1/shields/reviews", &body)?;
            output.result("noted, and in the log; the shield stands until a delivery lifts it", &done);
            Ok(())
        }
    }
}

fn list(args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let (mut shields, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = post(&args.connection, "/v1/shields/list", &json!({ "role": args.role, "after": after }))?;
        shields.extend(page["shields"].as_array().into_iter().flatten().cloned());
        let last = shields.last().filter(|_| page["has_more"] == true);
        let Some(last) = last else { break };
        after = json!({ "feed": last["feed"], "ref": last["ref"] });
    }
    shields.retain(|shield| !args.overdue || shield["is_overdue"] == true);
    let line = |shield: &Value| {
        let field = |name: &str| shield[name].as_str().unwrap_or("-").to_owned();
        let overdue = if shield["is_overdue"] == true { "  overdue" } else { "" };
        format!("{}/{}  {}{overdue}", field("feed"), field("ref"), field("review_on"))
    };
    let text = if shields.is_empty() {
        "nothing to show".to_owned()
    } else {
        shields.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    output.result(text, &json!({ "shields": shields }));
    Ok(())
}
