//! The candidate families of a match run: read as a disclosure, and given numbers.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::asking::{self, DELIVERY};
use super::families::{name, path};
use super::fields::Form;
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{family, match_run, match_runs, page};
use crate::app::console::handles::{Handle, Subject};
use crate::app::families::request::{Decision, FamilyDecision};
use crate::app::families::{Decided, Outcome};
use crate::domain::agreement::AnswerMode;
use crate::domain::family::{IdentificationRoute, RecordName};
use crate::linkage::match_run::CandidateFamily;

/// Candidates of a page.
const PER_PAGE: usize = 25;

#[derive(Template)]
#[template(path = "candidates.html")]
pub(super) struct CandidatesPage {
    frame: Frame,
    run: String,
    number: i64,
    families: Vec<Candidate>,
    first: usize,
    last: usize,
    all: usize,
    next: Option<String>,
    form: Option<Form>,
    look: String,
}

/// A candidate of the page.
struct Candidate {
    handle: String,
    name: String,
    people: usize,
    areas: String,
}

#[derive(Template)]
#[template(path = "issued.html")]
struct IssuedPage {
    frame: Frame,
    run: String,
    number: i64,
    lines: Vec<Issued>,
    look: String,
}

/// What became of a candidate.
struct Issued {
    candidate: String,
    told: &'static str,
    /// Address and name of the family.
    family: Option<(String, String)>,
}

/// Shows a page of them. Each look is decided and logged anew.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(run): Path<String>,
    uri: Uri,
) -> Result<Shown<CandidatesPage>, Failed> {
    let from = asking::parameter(&uri, "from").and_then(|from| from.parse::<usize>().ok()).unwrap_or(0);
    Ok(Shown(page_of(&console, &visitor, &run, from, None).await?))
}

/// Gives numbers to those that were picked.
pub(super) async fn issue(
    State(console): State<Console>,
    Path(run): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let frame = || visitor.frame("Numbers issued", &page::MATCH_RUNS);
    let report = match_run::report(&console, &visitor, &run).await?;
    let mut form = issue_form(&visitor, &match_runs::path(&report));
    form.take(&fields);
    let once = asking::once_of(fields.get("once"));
    let mut picked: Vec<(Handle, Vec<RecordName>)> = Vec::new();
    for handle in fields.named("pick-").filter_map(Handle::parse).take(PER_PAGE) {
        if let Some(Subject::Candidate(records)) = console.gateway().behind_handle(&visitor.session, &handle).await? {
            picked.push((handle, records));
        }
    }
    if picked.is_empty() {
        form.refuse("Pick at least one family of the list");
    }
    let reason = family::reason(&mut form);
    let (Some(reason), Some(once), false) = (reason, once, picked.is_empty()) else {
        let from = fields.get("from").and_then(|from| from.parse().ok()).unwrap_or(0);
        return Ok(Again(page_of(&console, &visitor, &run, from, Some(form)).await?).into_response());
    };
    let policies = console.gateway().current_policies().await?;
    let purpose = asking::purpose(&policies, DELIVERY, frame)?;
    let candidates = picked.iter().map(|(_, records)| records.clone()).collect();
    let decision = FamilyDecision {
        terms: asking::family_terms(&console, &visitor, &policies, &purpose)?,
        mode: AnswerMode::Count,
        reason,
        decision: Decision::Issue { route: IdentificationRoute::DataMatch, candidates },
    };
    let decided = console.gateway().decide_family(&visitor.caller(), &decision, &once).await;
    let decided = decided.map_err(|error| asking::of_family(error, frame()))?;
    let mut lines = Vec::new();
    for ((handle, _), Decided { outcome, family }) in picked.iter().zip(&decided.results) {
        let subjects: Vec<Subject> = family.iter().map(|tfid| Subject::Family(*tfid)).collect();
        let family = console.gateway().page_handles(&visitor.session, &subjects).await?;
        let family = family.first().map(|family| (path(family), name(family)));
        lines.push(Issued { candidate: candidate_name(handle), told: told(*outcome), family });
    }
    Ok(Shown(IssuedPage {
        frame: frame(),
        run: match_runs::path(&report),
        number: report.number,
        lines,
        look: decided.entries.first().map_or_else(String::new, |entry| entry.disclosure.to_string()),
    })
    .into_response())
}

async fn page_of(
    console: &Console,
    visitor: &Visitor,
    run: &str,
    from: usize,
    refused: Option<Form>,
) -> Result<CandidatesPage, Failed> {
    let frame = || visitor.frame("Candidate families", &page::MATCH_RUNS);
    let report = match_run::report(console, visitor, run).await?;
    let policies = console.gateway().current_policies().await?;
    let purpose = asking::purpose(&policies, DELIVERY, frame)?;
    let terms = asking::run_terms(console, visitor, &policies, &purpose)?;
    let given = console.gateway().match_run_families(&visitor.caller(), report.id, &terms).await;
    let given = given.map_err(|error| asking::of_run(error, frame()))?;
    let all = given.families.len();
    let shown: Vec<&CandidateFamily> = given.families.iter().skip(from).take(PER_PAGE).collect();
    let subject = |family: &&CandidateFamily| {
        // A record of a person who is in the family twice is named once.
        let records: BTreeSet<&RecordName> = family.people.iter().flatten().collect();
        Subject::Candidate(records.into_iter().cloned().collect())
    };
    let subjects: Vec<Subject> = shown.iter().map(subject).collect();
    let handles = console.gateway().page_handles(&visitor.session, &subjects).await?;
    let area = |code: &crate::domain::ids::AreaCode| {
        policies.programme().area(code).map_or_else(|| code.to_string(), |area| area.title.clone())
    };
    let families: Vec<Candidate> = shown
        .iter()
        .zip(&handles)
        .map(|(family, handle)| Candidate {
            handle: handle.to_string(),
            name: candidate_name(handle),
            people: family.people.len(),
            areas: family.areas.iter().map(area).collect::<Vec<_>>().join("; "),
        })
        .collect();
    let last = from + families.len();
    let faults = refused.as_ref().map(Form::faults).unwrap_or_default();
    let form = refused.unwrap_or_else(|| issue_form(visitor, &match_runs::path(&report)));
    let form = form.with("once", asking::once(console)).with("from", from.to_string());
    Ok(CandidatesPage {
        frame: frame().with_faults(faults),
        run: match_runs::path(&report),
        number: report.number,
        first: from + 1,
        last,
        all,
        next: (last < all).then(|| format!("{}/families?from={last}", match_runs::path(&report))),
        form: (!families.is_empty()).then_some(form),
        families,
        look: given.entry.disclosure.to_string(),
    })
}

fn issue_form(visitor: &Visitor, run: &str) -> Form {
    Form::new(visitor, format!("{run}/families"), "issue", "Give numbers to those that are picked", "Give numbers")
        .hidden("once", "")
        .hidden("from", "")
        .text("reason", "Why, or where is it written up?", family::REASON_HINT)
}

fn candidate_name(handle: &Handle) -> String {
    format!("Candidate {}", handle.short())
}

fn told(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "It got a number.",
        Outcome::Already => "It had a number already.",
        Outcome::NotOneFamily => "No number: the evidence of addresses does not make these people one family.",
        _ => "No number: nothing of it may be seen any more.",
    }
}
