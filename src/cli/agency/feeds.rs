//! `porth feeds`: which of the agency's feeds are due or late.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::connection::{Connection, failure};
use crate::cli::output::{Failure, Output};

/// Arguments of `porth feeds`.
#[derive(Debug, Args)]
pub struct FeedsArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
}

/// Runs `porth feeds`.
///
/// # Errors
///
/// [`Failure`]; exit code 4 if a feed is overdue, so that a scheduler notices.
pub fn run(args: FeedsArgs, output: &Output) -> Result<(), Failure> {
    let mut session = Connection::read(&args.connection)?.open()?;
    let found: Value = crate::cli::block_on(async move {
        let headers = session.headers(None).await?;
        let answer = session.client().get("/v1/feeds", &headers).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })?;
    let feeds: Vec<&Value> = found["feeds"].as_array().into_iter().flatten().collect();
    output.result(table(&feeds), &found);
    let late = feeds.iter().filter(|feed| feed["state"] == "overdue").count();
    if late == 0 {
        return Ok(());
    }
    Err(Failure::faulty(format!("{late} of {} feeds overdue", feeds.len())).next(
        "make the file with `porth tokenise` and send it with `porth submit`; until then answers say that it is late",
    ))
}

fn table(feeds: &[&Value]) -> String {
    use std::fmt::Write as _;
    if feeds.is_empty() {
        return "the programme expects no feed of this agency".to_owned();
    }
    let mut text = format!("{:<24}{:<14}{:<14}{:<14}in time until", "feed", "state", "as at", "next due");
    for feed in feeds {
        let field = |name: &str| feed[name].as_str().unwrap_or("-").to_owned();
        let (code, state) = (field("feed"), field("state").replace('_', " "));
        let (as_at, due, until) = (field("as_at"), field("next_due"), field("in_time_until"));
        let _ = write!(text, "\n{code:<24}{state:<14}{as_at:<14}{due:<14}{until}");
    }
    text
}
