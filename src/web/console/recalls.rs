//! Recalls: wrong matches and deliveries that are being taken back, and who has not acknowledged yet.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::plain::{self, Tag};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::policies::Policies;
use crate::app::recall::RecallReport;
use crate::domain::ids::RecallId;

/// What is said after it was opened.
const DONE: &[(&str, &str)] =
    &[("opened", "The recall is open. Whoever received an answer that rests on it is looked for now.")];

#[derive(Template)]
#[template(path = "recalls.html")]
pub(super) struct RecallsPage {
    frame: Frame,
    recalls: Vec<Line>,
    may_open: bool,
}

struct Line {
    path: String,
    opened: String,
    raised: String,
    wrong: u64,
    waits: usize,
    state: Tag,
}

#[derive(Template)]
#[template(path = "recall.html")]
pub(super) struct RecallPage {
    frame: Frame,
    id: String,
    state: Tag,
    opened: String,
    facts: Vec<(&'static str, String)>,
    waits_for: Vec<String>,
}

/// Shows the list.
pub(super) async fn list(State(console): State<Console>, visitor: Visitor) -> Result<Shown<RecallsPage>, Failed> {
    let policies = console.gateway().current_policies().await?;
    let mut found = console.gateway().recall_reports().await?;
    found.sort_by_key(|report| (report.recall.closed_at.is_some(), std::cmp::Reverse(report.recall.opened_at)));
    let line = |report: &RecallReport| Line {
        path: format!("/recalls/{}", report.recall.id),
        opened: words::moment(report.recall.opened_at),
        raised: raised(report, &policies),
        wrong: report.counts.wrong,
        waits: report.waits_for.len(),
        state: plain::recall_state(report.recall.state),
    };
    let recalls = found.iter().map(line).collect();
    let may_open = page::NEW_RECALL.is_for(visitor.access.persona);
    Ok(Shown(RecallsPage { frame: visitor.frame("Recalls", &page::RECALLS), recalls, may_open }))
}

/// Shows one recall.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(recall): Path<String>,
    uri: Uri,
) -> Result<Shown<RecallPage>, Failed> {
    let frame = || visitor.frame("One recall", &page::RECALLS);
    let unknown = || Failed::Unknown(Box::new(frame()));
    let id: RecallId = recall.parse().map_err(|_| unknown())?;
    let report = console.gateway().recall_report(id).await?.ok_or_else(unknown)?;
    let policies = console.gateway().current_policies().await?;
    let (found, counts) = (&report.recall, &report.counts);
    let facts = vec![
        ("Opened", words::moment(found.opened_at)),
        ("By", raised(&report, &policies)),
        ("Why", found.reason.clone()),
        ("Nothing new can rest on it since", found.undone_at.map_or_else(|| "Not yet".to_owned(), words::moment)),
        ("Answers that had it in them", found.looked.to_string()),
        ("Of these, the same without it", found.untouched.to_string()),
        ("Answers that were wrong", counts.wrong.to_string()),
        ("Of these, perhaps right", counts.unsettled.to_string()),
        ("Engagements that rest on it", format!("{}; claims that rest on them are held up", counts.engagements)),
        ("Families that want attention", counts.families.to_string()),
        ("Notices not acknowledged", counts.unacknowledged.to_string()),
        ("Closed", found.closed_at.map_or_else(|| "Not yet".to_owned(), words::moment)),
    ];
    Ok(Shown(RecallPage {
        frame: frame().done(&uri, DONE),
        id: found.id.to_string(),
        state: plain::recall_state(found.state),
        opened: found.opened.to_string(),
        facts,
        waits_for: report.waits_for.iter().map(|code| words::agency(&policies, code)).collect(),
    }))
}

fn raised(report: &RecallReport, policies: &Policies) -> String {
    match &report.recall.agency {
        Some(agency) => words::agency(policies, agency),
        None => format!("An officer, {}", report.recall.raised_by),
    }
}
