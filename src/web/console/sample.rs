//! One sample: how it was drawn, how much of it is reviewed, how much was wrong and how sure that is.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;

use super::Console;
use super::form::Posted;
use super::frame::{Failed, Frame, Shown};
use super::reviews::{self, ReviewLine};
use super::visitor::Visitor;
use super::{page, plain, words};
use crate::app::error::AppError;
use crate::app::review::ReviewError;
use crate::domain::ids::EventId;
use crate::domain::review::figures::Rate;
use crate::domain::review::sample::Strategy;
use crate::tlog::entry::{Body, Entry};

/// Disclosures of a sample that are listed.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "sample.html")]
pub(super) struct SamplePage {
    frame: Frame,
    plan: String,
    facts: Vec<(&'static str, String)>,
    figures: Vec<(&'static str, String)>,
    strata: Vec<(String, u64, u64)>,
    reviews: Vec<ReviewLine>,
    left_out: usize,
    again: Option<&'static str>,
    form_token: String,
}

/// Shows a sample.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(plan): Path<String>,
    uri: Uri,
) -> Result<Shown<SamplePage>, Failed> {
    let mut shown = of(&console, &visitor, &plan).await?;
    shown.frame =
        shown.frame.done(&uri, &[("drawn", "The sample is drawn. It is in the log, and can be reviewed now.")]);
    Ok(Shown(shown))
}

/// Draws the sample once more and compares.
pub(super) async fn again(
    State(console): State<Console>,
    Path(plan): Path<String>,
    posted: Posted,
) -> Result<Shown<SamplePage>, Failed> {
    let visitor = posted.visitor;
    let mut shown = of(&console, &visitor, &plan).await?;
    let frame = || visitor.frame("One sample", &page::REVIEWS);
    let event = plan.parse().map_err(|_| Failed::Unknown(Box::new(frame())))?;
    let repeated = console.gateway().repeat_draw(event).await.map_err(|error| failed(error, frame()))?;
    shown.again = Some(if repeated.is_same {
        "Drawn again by what its entry says, it comes out the same, disclosure by disclosure."
    } else {
        "Drawn again by what its entry says, it comes out another. Tell your operator: the log, its index or the program has changed."
    });
    Ok(Shown(shown))
}

async fn of(console: &Console, visitor: &Visitor, plan: &str) -> Result<SamplePage, Failed> {
    let gateway = console.gateway();
    let frame = || visitor.frame("One sample", &page::REVIEWS);
    let unknown = || Failed::Unknown(Box::new(frame()));
    let event: EventId = plan.parse().map_err(|_| unknown())?;
    let found = gateway.review_figures(event).await.map_err(|error| failed(error, frame()))?;
    let body = gateway.store().event_body(event).await.map_err(AppError::from)?.ok_or_else(unknown)?;
    let entry = Entry::parse(&body).map_err(|_| unknown())?;
    let Body::ReviewPlan(said) = entry.body() else { return Err(unknown()) };
    let policies = gateway.current_policies().await?;
    let now = gateway.store().now().await.map_err(AppError::from)?;
    let mut facts = vec![
        ("How", plain::named::<Strategy>(Some(&found.strategy), plain::strategy)),
        ("Disclosures from", words::moment(said.since)),
        ("Until", words::moment(said.until)),
        ("Drawn", format!("{}, by {}", words::moment(entry.at()), said.by)),
        ("Why", said.reason.to_string()),
        (
            "Seed",
            format!(
                "{}, {}",
                said.seed,
                if said.seed_from.as_str() == "given" { "given" } else { "made by the gateway" }
            ),
        ),
    ];
    if !said.filters.is_empty() {
        let filters = said.filters.iter().map(|filter| format!("{}: {}", filter.by, filter.value));
        facts.push(("Narrowed by", filters.collect::<Vec<_>>().join(", ")));
    }
    let figures = &found.figures;
    let sampled = gateway.store().review_sample(event).await.map_err(AppError::from)?;
    let mut reviews = Vec::new();
    for one in sampled.iter().take(MOST) {
        let review = gateway.store().review(one.entry).await.map_err(AppError::from)?;
        reviews.extend(review.map(|review| reviews::line(&review, &policies, now)));
    }
    Ok(SamplePage {
        frame: frame(),
        plan: event.to_string(),
        facts,
        figures: vec![
            ("Disclosures to draw from", figures.population.to_string()),
            ("Drawn", figures.sample.to_string()),
            ("Reviewed, with a finding that stands", figures.reviewed.to_string()),
            ("Coverage", format!("{} of all disclosures to draw from", percent(figures.coverage))),
            ("Not justified", figures.adverse.to_string()),
            ("Record incomplete", figures.record_incomplete.to_string()),
            ("Error rate", figures.error_rate.as_ref().map_or_else(|| "Nothing is reviewed yet".to_owned(), rate)),
        ],
        strata: found.strata,
        left_out: sampled.len().saturating_sub(MOST),
        reviews,
        again: None,
        form_token: visitor.session.form_token.clone(),
    })
}

fn failed(error: ReviewError, frame: Frame) -> Failed {
    match error {
        ReviewError::App(error) => error.into(),
        ReviewError::Look(error) => Failed::of_look(error, frame),
        _ => Failed::Unknown(Box::new(frame)),
    }
}

/// The share of disclosures that were not justified, and how sure that is.
fn rate(rate: &Rate) -> String {
    let share = percent(rate.share);
    match &rate.interval {
        None => format!("{share} of those reviewed. The sample was chosen, so this says nothing of the others."),
        Some(interval) if interval.method == "exact" => format!("{share}. Every disclosure was reviewed."),
        Some(interval) => format!(
            "{share} of those reviewed. Of all disclosures it is between {} and {}, with 95% confidence.",
            percent(interval.from),
            percent(interval.to)
        ),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::review::figures::Interval;

    #[test]
    fn an_error_rate_says_how_sure_it_is() {
        let some = Rate { share: 0.25, interval: Some(Interval { from: 0.1, to: 0.5, method: "wilson" }) };
        let said = rate(&some);
        assert!(said.starts_with("25.0%") && said.contains("between 10.0% and 50.0%"), "{said}");
        let all = Rate { share: 0.0, interval: Some(Interval { from: 0.0, to: 0.0, method: "exact" }) };
        assert_eq!(rate(&all), "0.0%. Every disclosure was reviewed.");
        assert!(rate(&Rate { share: 0.5, interval: None }).contains("says nothing of the others"));
    }
}
