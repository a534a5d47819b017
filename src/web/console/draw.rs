//! A sample is drawn.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::fields::{CODE_HINT, Choice, Form};
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, see_other};
use super::visitor::Visitor;
use super::{page, plain};
use crate::app::error::AppError;
use crate::app::policies::Policies;
use crate::app::review::ReviewError;
use crate::app::review::draw::Draw;
use crate::domain::review::sample::Strategy;
use crate::domain::time::Timestamp;
use crate::tlog::entry::{Code, Facet};

/// The largest sample that is drawn from a page.
const MOST: u64 = 500;
/// What somebody chooses from; what is always reviewed needs no draw.
const STRATEGIES: [Strategy; 4] = [Strategy::Random, Strategy::Stratified, Strategy::Risk, Strategy::Targeted];

#[derive(Template)]
#[template(path = "draw.html")]
pub(super) struct DrawPage {
    frame: Frame,
    form: Form,
}

/// Shows the form.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<DrawPage>, Failed> {
    let policies = console.gateway().current_policies().await?;
    let now = console.gateway().store().now().await.map_err(AppError::from)?;
    let first = now.date().first_of_month();
    let form = form(&visitor, &policies).with("since", first.to_string()).with("until", now.date().to_string());
    let form = form.with("size", "20").with("minimum", "1");
    Ok(Shown(DrawPage { frame: visitor.frame("Draw a sample", &page::REVIEWS), form }))
}

/// Draws.
pub(super) async fn draw(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let policies = console.gateway().current_policies().await?;
    let mut form = form(&visitor, &policies);
    form.take(&fields);
    if let Some((wanted, reason)) = read(&mut form) {
        match console.gateway().draw_review(&wanted, &visitor.session.account, reason.as_str()).await {
            Ok(drawn) => return Ok(see_other(&format!("/reviews/samples/{}", drawn.plan), "drawn")),
            Err(ReviewError::App(error)) => return Err(error.into()),
            Err(ReviewError::NotOfficer) => {
                form.refuse("Your account is not registered as that of a reviewing officer: ask your operator");
            }
            Err(ReviewError::Size { .. }) => {
                form.refuse("There is nothing to draw from: no disclosure of these days fits, or too many do");
            }
            Err(error) => form.refuse(super::frame::capitalised(&error.to_string())),
        }
    }
    let frame = visitor.frame("Draw a sample", &page::REVIEWS).with_faults(form.faults());
    Ok(Again(DrawPage { frame, form }).into_response())
}

fn form(visitor: &Visitor, policies: &Policies) -> Form {
    let mut agencies: Vec<Choice> =
        policies.book().agencies().map(|agency| Choice::of(agency.code(), agency.name())).collect();
    agencies.sort_by(|a, b| a.label.cmp(&b.label));
    agencies.insert(0, Choice::of("", "All of them"));
    Form::new(visitor, page::DRAW.path, "draw", "", "Draw the sample")
        .radios("strategy", "How is the sample drawn?", "", plain::choices(&STRATEGIES, plain::strategy))
        .day("since", "Disclosures from")
        .day("until", "To, with this day")
        .select("agency", "Disclosures to which agency?", "", agencies)
        .number("size", "How many?", "500 at the most")
        .number("minimum", "How many of each group, at least?", "Counts for samples by agency, area and power alone")
        .text("reason", "Why, or under which plan?", CODE_HINT)
}

fn read(form: &mut Form) -> Option<(Draw, Code)> {
    let strategy = form.chosen::<Strategy>("strategy").filter(|strategy| STRATEGIES.contains(strategy));
    let (since, until) = (form.date("since"), form.date("until"));
    let agency = form.optional_code("agency");
    let (size, minimum) = (form.whole("size", MOST), form.whole("minimum", MOST));
    if size == Some(0) {
        form.fault("size", "Enter a number from 1 to 500");
    }
    if strategy == Some(Strategy::Targeted) && agency.is_none() {
        form.fault("agency", "Choose the agency whose disclosures are all reviewed");
    }
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        form.fault("until", "The last day is before the first one");
    }
    let reason = form.code("reason")?;
    let end = until?.tomorrow().ok()?;
    let wanted = Draw {
        strategy: strategy?,
        since: Timestamp::start_of(since?),
        until: Timestamp::start_of(end),
        filters: agency.map(|agency| (Facet::Agency, agency)).into_iter().collect(),
        weigh_areas: Vec::new(),
        entries: Vec::new(),
        size: usize::try_from(size?).ok()?,
        minimum: usize::try_from(minimum?).ok()?,
        seed: None,
    };
    form.faults().is_empty().then_some((wanted, reason))
}
