//! Match runs: which there are and how far each is; and the beginning of another.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::asking::{self, DELIVERY};
use super::fields::Form;
use super::form::Posted;
use super::frame::{Failed, Frame, Shown, see_other};
use super::plain::Tag;
use super::visitor::Visitor;
use super::{chart, page, words};
use crate::app::match_run::RunReport;
use crate::store::RunState;

/// Runs that are shown.
const MOST: i64 = 50;

#[derive(Template)]
#[template(path = "match_runs.html")]
pub(super) struct RunsPage {
    frame: Frame,
    runs: Vec<Line>,
    is_cut: bool,
    begin: Form,
}

/// A run of the list.
struct Line {
    path: String,
    number: i64,
    as_at: String,
    state: Tag,
    records: String,
    families: String,
}

/// Shows the list.
pub(super) async fn list(State(console): State<Console>, visitor: Visitor) -> Result<Shown<RunsPage>, Failed> {
    let reports = own(&console, &visitor).await?;
    Ok(Shown(RunsPage {
        frame: visitor.frame("Match runs", &page::MATCH_RUNS),
        is_cut: reports.len() as i64 == MOST,
        runs: reports.iter().map(line).collect(),
        begin: begin_form(&visitor).with("once", asking::once(&console)),
    }))
}

/// The data team's runs, the newest first.
pub(super) async fn own(console: &Console, visitor: &Visitor) -> Result<Vec<RunReport>, Failed> {
    let found = console.gateway().own_match_runs(&visitor.caller(), MOST).await;
    found.map_err(|error| asking::of_run(error, visitor.frame("Match runs", &page::MATCH_RUNS)))
}

/// Begins a run. A form that is sent twice begins one.
pub(super) async fn begin(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let frame = || visitor.frame("Match runs", &page::MATCH_RUNS);
    let Some(once) = asking::once_of(fields.get("once")) else {
        return Err(Failed::Stopped(Box::new(frame()), "The form is not whole. Open the page again.".to_owned()));
    };
    let policies = console.gateway().current_policies().await?;
    let purpose = asking::purpose(&policies, DELIVERY, frame)?;
    let terms = asking::run_terms(&console, &visitor, &policies, &purpose)?;
    let begun = console.gateway().begin_match_run(&visitor.caller(), &terms, &once).await;
    let begun = begun.map_err(|error| asking::of_run(error, frame()))?;
    Ok(see_other(&path(&begun), "begun").into_response())
}

/// The address of a run's page.
pub(super) fn path(report: &RunReport) -> String {
    format!("/match-runs/{}", report.id)
}

/// Where a run is.
pub(super) fn state(report: &RunReport) -> Tag {
    let (said, colour) = match report.state {
        RunState::Snapshot => ("Snapshot being taken", "blue"),
        RunState::Listed if report.waits_for_reply => ("Waits for the benefits agency", "yellow"),
        RunState::Listed => ("Ready to find families", "yellow"),
        RunState::Closed => ("Closed", "green"),
        RunState::Failed => ("Failed", "orange"),
    };
    Tag { said, colour }
}

fn line(report: &RunReport) -> Line {
    let (expected, kept) = report.records;
    Line {
        path: path(report),
        number: report.number,
        as_at: words::moment(report.as_at),
        state: state(report),
        records: if kept == expected {
            chart::thousands(kept)
        } else {
            format!("{} of {}", chart::thousands(kept), chart::thousands(expected))
        },
        families: report.counts.map_or_else(|| "not found yet".to_owned(), |counts| chart::thousands(counts.families)),
    }
}

fn begin_form(visitor: &Visitor) -> Form {
    Form::new(visitor, "/match-runs", "begin", "", "Begin a match run").hidden("once", "")
}
