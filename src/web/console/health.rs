//! Health: what an operator should look at. Nothing in it concerns a person.

use std::time::SystemTime;

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::page;
use super::plain::Tag;
use super::visitor::Visitor;
use crate::app::doctor::{Expected, Finding, Health, examine, unanswered, witnesses};
use crate::domain::time::Timestamp;

#[derive(Template)]
#[template(path = "health.html")]
pub(super) struct HealthPage {
    frame: Frame,
    said: &'static str,
    findings: Vec<Line>,
}

struct Line {
    check: &'static str,
    state: Tag,
    what: String,
    next: String,
}

/// Shows the page.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<HealthPage>, Failed> {
    let mut findings = findings(&console).await;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.health));
    let worst = findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Ok);
    Ok(Shown(HealthPage {
        frame: visitor.frame("Health", &page::HEALTH),
        said: match worst {
            Health::Ok => "All is well.",
            Health::Warn => "It works, and somebody should look at what is first in the list.",
            Health::Fail => "Something does not work, or must not stay so. It is first in the list.",
        },
        findings: findings.into_iter().map(line).collect(),
    }))
}

/// What `porth doctor` asks the database and the log.
pub(super) async fn findings(console: &Console) -> Vec<Finding> {
    let gateway = console.gateway();
    let expected = Expected {
        programme: gateway.programme(),
        log_origin: &gateway.names().log,
        state_file: console.state_file(),
        machine: machine_time(),
    };
    let mut findings = examine(gateway.store(), expected).await;
    let watched = witnesses(gateway.store(), gateway.witnesses(), &gateway.names().log).await;
    findings.push(watched.unwrap_or_else(|error| unanswered(&error)));
    findings
}

#[expect(clippy::disallowed_methods, reason = "the machine's own clock is what the database's is compared with")]
fn machine_time() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn line(finding: Finding) -> Line {
    let (said, colour) = match finding.health {
        Health::Ok => ("Well", "green"),
        Health::Warn => ("Look at it", "yellow"),
        Health::Fail => ("Fails", "red"),
    };
    Line {
        check: finding.check,
        state: Tag { said, colour },
        what: super::frame::capitalised(&finding.what),
        next: finding.next.as_deref().map(super::frame::capitalised).unwrap_or_default(),
    }
}
