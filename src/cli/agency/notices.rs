//! `porth notices`: what the agency has to know about answers that it received; `porth recall raise` is
//! how it says that a record or delivery of its own was wrong.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connection::{Connection, failure, now};
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::{NoticeId, RoleCode};

/// Arguments of `porth notices`.
#[derive(Debug, Args)]
pub struct NoticesArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what waits to be acknowledged
    List(ListArgs),
    /// Acknowledge a notice
    Acknowledge(AcknowledgeArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// Show acknowledged ones too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
struct AcknowledgeArgs {
    /// The notice
    id: NoticeId,
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The role of the person who acknowledges
    #[arg(long)]
    role: RoleCode,
    /// What was done, a code such as record-corrected, case-reviewed or nothing-used
    #[arg(long)]
    action: String,
}

/// Runs `porth notices`.
///
/// # Errors
///
/// [`Failure`]; exit code 3 if the gateway refuses.
pub fn run(args: NoticesArgs, output: &Output) -> Result<(), Failure> {
    match args.action {
        Action::List(args) => list(&args, output),
        Action::Acknowledge(args) => {
            let body = json!({ "role": args.role, "action": args.action });
            let done = post(&args.connection, &format!("/v1/notices/{}/acknowledge", args.id), &body)?;
            output.result("acknowledged, and in the log", &done);
            Ok(())
        }
    }
}

fn list(args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let mut session = Connection::read(&args.connection)?.open()?;
    let all = args.all;
    let notices: Vec<Value> = crate::cli::block_on(async move {
        let (mut notices, mut after) = (Vec::new(), String::new());
        loop {
            let headers = session.headers(None).await?;
            let path = format!("/v1/notices?all={all}{after}");
            let answer = session.client().get(&path, &headers).await;
            let page: Value = answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))?;
            notices.extend(page["notices"].as_array().into_iter().flatten().cloned());
            let Some(next) = page["next_after"].as_str() else { return Ok::<_, Failure>(notices) };
            after = format!("&after={next}");
        }
    })?;
    output.result(in_words(&notices), &json!({ "notices": notices }));
    Ok(())
}

/// Sends something under a fresh idempotency key.
pub(in crate::cli) fn post(connection: &Path, path: &str, body: &Value) -> Result<Value, Failure> {
    let mut session = Connection::read(connection)?.open()?;
    crate::cli::block_on(async move {
        let key = uuid_v7(now(), &SystemRandom::new()).to_string();
        let headers = session.headers(Some(key)).await?;
        let answer = session.client().post_json(path, &headers, body).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })
}

/// Fetches something.
pub(in crate::cli) fn get(connection: &Path, path: &str) -> Result<Value, Failure> {
    let mut session = Connection::read(connection)?.open()?;
    crate::cli::block_on(async move {
        let headers = session.headers(None).await?;
        let answer = session.client().get(path, &headers).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })
}

fn in_words(notices: &[Value]) -> String {
    if notices.is_empty() {
        return "nothing waits to be acknowledged".to_owned();
    }
    notices.iter().map(words).collect::<Vec<_>>().join("\n\n")
}

fn words(notice: &Value) -> String {
    let field = |name: &str| notice[name].as_str().unwrap_or("-").to_owned();
    let mut lines = vec![format!("notice {} of {}", field("id"), field("at"))];
    match notice["kind"].as_str() {
        Some("answer_wrong") => {
            let sure = if notice["certain"] == true { "was wrong" } else { "may have been wrong" };
            lines.push(format!(
                "The answer of {} (log entry {}, {}) {sure}:",
                field("answered_at"),
                field("entry"),
                field("form")
            ));
            lines.push("it rested on a match or delivery that has been recalled.".to_owned());
            lines.push(format!("Your case: {}", field("case")));
            lines.push(match notice["may_ask_again"].as_bool() {
                Some(true) => "Do not use it. Ask again for the answer that holds: the agreements allow it.".to_owned(),
                Some(false) => "Do not use it. The agreements no longer allow the question.".to_owned(),
                None => "Do not use it.".to_owned(),
            });
        }
        Some("family_attention") => {
            lines.push(format!("Family {} has records of different people:", field("tfid")));
            lines.push("look it up, and split it or decide anew.".to_owned());
        }
        _ => lines.push("What it said was erased.".to_owned()),
    }
    if let Some(at) = notice["acknowledged_at"].as_str() {
        lines.push(format!("Acknowledged at {at}."));
    }
    lines.join("\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_whether_to_ask_again() {
        let mut notice = json!({ "id": "an id", "at": "today", "kind": "answer_wrong", "certain": true,
            "entry": "an entry", "may_ask_again": true, "acknowledged_at": null });
        assert!(words(&notice).contains("Ask again") && words(&notice).contains("was wrong"));
        (notice["may_ask_again"], notice["certain"]) = (false.into(), false.into());
        assert!(words(&notice).contains("no longer allow") && words(&notice).contains("may have been wrong"));
        assert!(in_words(&[]).contains("nothing waits"));
    }
}
