//! `porth review findings|reply`: an agency reads what was found about its own disclosures, and replies.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::agency::connection::{Connection, failure, now};
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::EventId;
use crate::domain::review::finding::Position;
use crate::tlog::entry::Code;

/// Arguments of `porth review findings`.
#[derive(Debug, Args)]
pub(super) struct FindingsArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
}

/// Arguments of `porth review reply`.
#[derive(Debug, Args)]
pub(super) struct ReplyArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The disclosure's entry, as `findings` shows it
    #[arg(value_name = "ENTRY")]
    entry: EventId,
    /// accepted, disputed or corrected
    #[arg(long)]
    position: Position,
    /// Why, or where it is written up: a code, never a text about anybody
    #[arg(long)]
    reason: Code,
}

/// Lists the findings.
pub(super) fn findings(args: &FindingsArgs, output: Output) -> Result<(), Failure> {
    let mut session = Connection::read(&args.connection)?.open()?;
    let found: Vec<Value> = crate::cli::block_on(async move {
        let (mut found, mut path) = (Vec::new(), "/v1/reviews".to_owned());
        loop {
            let headers = session.headers(None).await?;
            let answer = session.client().get(&path, &headers).await;
            let page: Value = answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))?;
            found.extend(page["findings"].as_array().into_iter().flatten().cloned());
            let Some(after) = page["next_after"].as_u64() else { return Ok::<_, Failure>(found) };
            path = format!("/v1/reviews?after={after}");
        }
    })?;
    let text = if found.is_empty() {
        "No finding about a disclosure to this agency is in effect.".to_owned()
    } else {
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    output.result(text, &json!({ "findings": found }));
    Ok(())
}

/// Replies.
pub(super) fn reply(args: &ReplyArgs, output: Output) -> Result<(), Failure> {
    let body = json!({
        "entry": args.entry.to_string(), "position": args.position.as_str(), "reason": args.reason,
    });
    let mut session = Connection::read(&args.connection)?.open()?;
    let said: Value = crate::cli::block_on(async move {
        let key = uuid_v7(now(), &SystemRandom::new()).to_string();
        let headers = session.headers(Some(key)).await?;
        let answer = session.client().post_json("/v1/reviews/replies", &headers, &body).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })?;
    let entry = said["disclosure"].as_str().unwrap_or("-");
    output.result(format_args!("Replied; the reply is log entry {entry}."), &said);
    Ok(())
}

fn line(finding: &Value) -> String {
    let word = |name: &str| finding[name].as_str().unwrap_or("-").to_owned();
    let replies = finding["replies"].as_array().into_iter().flatten().filter_map(|reply| reply["position"].as_str());
    let replies: Vec<&str> = replies.collect();
    let replied = if replies.is_empty() { "no reply".to_owned() } else { format!("replied {}", replies.join(", ")) };
    let (entry, found, severity) = (word("entry"), word("finding"), word("severity"));
    let over = if finding["is_closed"] == true { "closed" } else { "open" };
    format!("{entry} {found} {severity} {} by {} {over}; {replied}", word("action"), word("due"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_found_what_is_done_and_what_was_replied() {
        let mut finding = json!({ "entry": "e", "finding": "not_justified_no_basis", "severity": "high",
            "action": "retrain", "due": "2026-10-31", "is_closed": false, "replies": [] });
        assert_eq!(line(&finding), "e not_justified_no_basis high retrain by 2026-10-31 open; no reply");
        finding["replies"] = json!([{ "position": "accepted" }, { "position": "corrected" }]);
        assert!(line(&finding).ends_with("replied accepted, corrected"));
    }
}
