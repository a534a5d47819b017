//! One match run: how far it is, stage by stage, what it rests on, and its next step.
//!
//! A step reads a page of the snapshot. A post takes steps for a few seconds and leads back to the page, which
//! says how far the run has come: whoever goes away and comes back goes on where it was.

use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::asking::{self, DELIVERY};
use super::fields::Form;
use super::form::Posted;
use super::frame::{Failed, Frame, Shown, see_other};
use super::match_runs::{path, state};
use super::plain::Tag;
use super::visitor::Visitor;
use super::{chart, page, words};
use crate::app::match_run::{MatchRunError, RunReport};
use crate::app::policies::Policies;
use crate::domain::ids::MatchRunId;
use crate::store::RunState;

/// How long one post takes steps.
const A_WHILE: Duration = Duration::from_secs(4);

/// What is said after a step.
const DONE: &[(&str, &str)] = &[
    ("begun", "The run is begun: what it is computed from is fixed."),
    ("go-on", "The run has gone on."),
    ("close", "The run is closed: its candidate families are found."),
    ("same", "Computed again, the run comes to the same bytes."),
];

#[derive(Template)]
#[template(path = "match_run.html")]
pub(super) struct RunPage {
    frame: Frame,
    number: i64,
    state: Tag,
    note: &'static str,
    kept: u64,
    expected: u64,
    progress: String,
    stages: Vec<Stage>,
    difference: Option<String>,
    candidates: Option<String>,
    inputs: Vec<(String, String, String)>,
    sha256: Option<String>,
    id: String,
    forms: Vec<Form>,
}

/// A stage of a run.
struct Stage {
    name: &'static str,
    plain: &'static str,
    state: Tag,
    count: String,
}

/// Shows a run.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(run): Path<String>,
    uri: Uri,
) -> Result<Shown<RunPage>, Failed> {
    let frame = || visitor.frame("One match run", &page::MATCH_RUNS);
    let report = report(&console, &visitor, &run).await?;
    let policies = console.gateway().current_policies().await?;
    let is_whole = report.state == RunState::Closed && report.removed_at.is_none();
    let difference = if is_whole {
        match console.gateway().match_run_difference(&visitor.caller(), report.id).await {
            Ok(None) => Some("There is no closed run before it to compare with.".to_owned()),
            Ok(Some(found)) => Some(format!(
                "Against the closed run before it: {} families added, {} gone, {} changed.",
                found.added, found.gone, found.changed
            )),
            Err(MatchRunError::Removed) => Some("The pages of the run before it were removed.".to_owned()),
            Err(error) => return Err(asking::of_run(error, frame())),
        }
    } else {
        None
    };
    let forms = forms(&visitor, &report);
    Ok(Shown(RunPage {
        number: report.number,
        state: state(&report),
        note: note(&report),
        kept: report.records.1,
        expected: report.records.0.max(1),
        progress: format!("{} of {} records", chart::thousands(report.records.1), chart::thousands(report.records.0)),
        stages: stages(&report),
        difference,
        candidates: is_whole.then(|| format!("{}/families", path(&report))),
        inputs: inputs(&report, &policies),
        sha256: report.output_sha256.map(|digest| digest.to_string()),
        id: report.id.to_string(),
        forms,
        frame: frame().done(&uri, DONE),
    }))
}

/// Takes the next steps.
pub(super) async fn step(
    State(console): State<Console>,
    Path(run): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let frame = || visitor.frame("One match run", &page::MATCH_RUNS);
    let mut report = report(&console, &visitor, &run).await?;
    let step = fields.get("step").unwrap_or_default();
    if !forms(&visitor, &report).iter().any(|form| form.step() == step) {
        let said = "The run has gone on meanwhile. Look at it again.";
        return Err(Failed::Stopped(Box::new(frame()), said.to_owned()));
    }
    let policies = console.gateway().current_policies().await?;
    let purpose = asking::purpose(&policies, DELIVERY, frame)?;
    let terms = asking::run_terms(&console, &visitor, &policies, &purpose)?;
    let (caller, gateway) = (visitor.caller(), console.gateway());
    if step == "repeat" {
        let repeated = gateway.repeat_match_run(&caller, report.id, &terms).await;
        let repeated = repeated.map_err(|error| asking::of_run(error, frame()))?;
        if !repeated.is_same {
            let said =
                "Computed again, the run comes to other bytes than it did: something was altered. Tell your operator.";
            return Err(Failed::Stopped(Box::new(frame()), said.to_owned()));
        }
        return Ok(see_other(&path(&report), "same").into_response());
    }
    let (without_reply, until) = (step == "close-alone", Instant::now() + A_WHILE);
    loop {
        let before = report.state;
        let advanced = gateway.advance_match_run(&caller, report.id, &terms, without_reply).await;
        report = advanced.map_err(|error| asking::of_run(error, frame()))?;
        if report.state != RunState::Snapshot || before != RunState::Snapshot || Instant::now() >= until {
            break;
        }
    }
    let word = if report.state == RunState::Closed { "close" } else { "go-on" };
    Ok(see_other(&path(&report), word).into_response())
}

/// A run of the data team's; another's is as unknown as none.
pub(super) async fn report(console: &Console, visitor: &Visitor, run: &str) -> Result<RunReport, Failed> {
    let frame = || visitor.frame("One match run", &page::MATCH_RUNS);
    let id: MatchRunId = run.parse().map_err(|_| Failed::Unknown(Box::new(frame())))?;
    let report = console.gateway().show_match_run(&visitor.caller(), id).await;
    report.map_err(|error| asking::of_run(error, frame()))
}

/// What may be done with the run now.
fn forms(visitor: &Visitor, report: &RunReport) -> Vec<Form> {
    let form = |step, heading, button| Form::new(visitor, path(report), step, heading, button);
    match report.state {
        RunState::Snapshot => vec![form("go-on", "", "Go on with the snapshot")],
        RunState::Listed if report.waits_for_reply => {
            vec![form("close-alone", "Go on without the reply", "Find families without the reply").secondary()]
        }
        RunState::Listed => vec![form("close", "", "Find the families")],
        RunState::Closed if report.removed_at.is_none() => {
            vec![form("repeat", "", "Compute it again and compare").secondary()]
        }
        RunState::Closed | RunState::Failed => Vec::new(),
    }
}

fn note(report: &RunReport) -> &'static str {
    match report.state {
        RunState::Snapshot => "Nothing is lost if you leave: the run goes on where it was.",
        RunState::Listed if report.waits_for_reply => {
            "The benefits agency fetches its list of addresses, and answers for each. It never learns why an address is \
             on the list. What it does not answer adds nothing, and is no no."
        }
        RunState::Listed => "The snapshot is whole, and nothing more is waited for.",
        RunState::Closed if report.removed_at.is_some() => {
            "The pages of this run were removed when the time for which they are kept was over. Its counts and its log \
             entries remain."
        }
        RunState::Closed => "It is closed, and nothing in it changes any more.",
        RunState::Failed => {
            "It cannot be carried on: a key of the gateway changed, or rows were tidied away, while the snapshot was \
             being taken. Begin another."
        }
    }
}

fn stages(report: &RunReport) -> Vec<Stage> {
    let tag = |said, colour| Tag { said, colour };
    let place = match report.state {
        RunState::Snapshot => 1,
        RunState::Listed => 3,
        RunState::Closed => 5,
        RunState::Failed => 0,
    };
    let state = |own: u8| match (place, own) {
        (0, _) => tag("Given up", "grey"),
        (place, own) if own < place => tag("Done", "green"),
        (place, own) if own == place => tag("Under way", "blue"),
        _ => tag("Not begun", "grey"),
    };
    let counts = report.counts.unwrap_or_default();
    let count = |number: u64, what: &str| {
        report.counts.map_or_else(String::new, |_| format!("{} {what}", chart::thousands(number)))
    };
    vec![
        Stage {
            name: "Snapshot",
            plain: "What the agreements let the data team draw on is kept, sealed, as it is now.",
            state: state(1),
            count: format!("{} records", chart::thousands(report.records.1)),
        },
        Stage {
            name: "Addresses",
            plain: "Addresses of households with a child, and of which somebody meets a criterion.",
            state: state(2),
            count: count(counts.households, "addresses"),
        },
        Stage {
            name: "The benefits agency",
            plain: "It answers for each address on its list.",
            state: if place == 5 && counts.answered == 0 { tag("No reply", "grey") } else { state(3) },
            count: count(counts.listed, &format!("listed, {} answered", chart::thousands(counts.answered))),
        },
        Stage {
            name: "Candidate families",
            plain: "People who may stand as one family, and together meet criteria in enough areas.",
            state: state(4),
            count: count(
                counts.families,
                &format!("families; {} people in all records", chart::thousands(counts.persons)),
            ),
        },
        Stage {
            name: "Set aside",
            plain: "Addresses with too many people to be one family: hostels, refuges, placeholders.",
            state: state(4),
            count: count(counts.quarantined, "addresses"),
        },
    ]
}

fn inputs(report: &RunReport, policies: &Policies) -> Vec<(String, String, String)> {
    let line = |input: &crate::tlog::entry::RunInput| {
        (words::agency(policies, &input.agency), input.feed.to_string(), words::day(input.as_at.date()))
    };
    report.inputs.iter().map(line).collect()
}
