//! Reviews: what waits for this officer, and the samples that were drawn.

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::plain::{self, Tag};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::error::AppError;
use crate::app::policies::Policies;
use crate::app::review::ReviewError;
use crate::app::review::steps::date_of;
use crate::domain::review::state::State as ReviewState;
use crate::domain::time::Timestamp;
use crate::store::{ReviewsWanted, StoredPlan, StoredReview};

/// Reviews of one list.
const MOST: i64 = 50;

#[derive(Template)]
#[template(path = "reviews.html")]
pub(super) struct ReviewsPage {
    frame: Frame,
    account: String,
    is_officer: bool,
    may_draw: bool,
    groups: Vec<Group>,
    samples: Vec<SampleLine>,
}

/// Reviews that are at the same place.
struct Group {
    heading: &'static str,
    none: &'static str,
    reviews: Vec<ReviewLine>,
    is_cut: bool,
}

/// A review in a list.
pub(super) struct ReviewLine {
    pub(super) path: String,
    pub(super) index: u64,
    pub(super) agency: String,
    pub(super) state: Tag,
    pub(super) finding: String,
    pub(super) due: String,
    pub(super) is_overdue: bool,
}

struct SampleLine {
    path: String,
    drawn: String,
    strategy: String,
    population: u64,
    sample: u64,
    reviewed: u64,
    adverse: u64,
}

/// Shows the page.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<ReviewsPage>, Failed> {
    let gateway = console.gateway();
    let policies = gateway.current_policies().await?;
    let now = gateway.store().now().await.map_err(AppError::from)?;
    let account = visitor.session.account.as_str();
    let is_officer = is_registered(&console, account).await?;
    let mut all = Vec::new();
    for state in
        [ReviewState::Taken, ReviewState::Proposed, ReviewState::Referred, ReviewState::Due, ReviewState::Drawn]
    {
        let wanted = ReviewsWanted { state: Some(state.to_string()), limit: MOST, ..ReviewsWanted::default() };
        all.push(gateway.store().reviews(&wanted).await.map_err(AppError::from)?);
    }
    let [taken, proposed, referred, due, drawn] = <[Vec<StoredReview>; 5]>::try_from(all).unwrap_or_default();
    let group = |heading, none, reviews: Vec<StoredReview>| Group {
        heading,
        none,
        is_cut: i64::try_from(reviews.len()).is_ok_and(|count| count >= MOST),
        reviews: reviews.iter().map(|review| line(review, &policies, now)).collect(),
    };
    let is_mine = |review: &StoredReview| review.reviewer.as_deref() == Some(account);
    let (mine, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(is_mine);
    let second = proposed.into_iter().chain(referred).filter(|review| !is_mine(review)).collect();
    let mut groups = vec![
        group("Yours", "You have begun no review that is not finished.", mine),
        group("Waiting for a second officer", "No finding of another officer waits for a second one.", second),
        group("Actions to be done", "No finding asks for something that is not done.", due),
        group("Not begun", "Nobody has to begin: every disclosure of every sample is being reviewed, or was.", drawn),
    ];
    if !others.is_empty() {
        groups.push(group("With other officers", "", others));
    }
    let mut samples = Vec::new();
    for plan in gateway.store().review_plans().await.map_err(AppError::from)?.into_iter().take(20) {
        samples.push(sample_line(&console, plan).await?);
    }
    Ok(Shown(ReviewsPage {
        frame: visitor.frame("Reviews", &page::REVIEWS),
        account: account.to_owned(),
        is_officer,
        may_draw: page::DRAW.is_for(visitor.access.persona),
        groups,
        samples,
    }))
}

/// Whether somebody is registered as a reviewing officer.
pub(super) async fn is_registered(console: &Console, account: &str) -> Result<bool, Failed> {
    match console.gateway().officer(account).await {
        Ok(_) => Ok(true),
        Err(ReviewError::App(error)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

/// A review as a list shows it.
pub(super) fn line(review: &StoredReview, policies: &Policies, now: Timestamp) -> ReviewLine {
    let state = review.state.parse::<ReviewState>();
    let due = review.due.map(date_of);
    ReviewLine {
        path: format!("/reviews/{}", review.entry),
        index: review.index,
        agency: review
            .agency
            .as_ref()
            .map_or_else(|| "nobody outside".to_owned(), |code| words::agency(policies, code)),
        state: state.map_or(Tag { said: "Unknown", colour: "grey" }, plain::state),
        finding: plain::named(review.finding.as_deref(), plain::finding),
        is_overdue: state == Ok(ReviewState::Due) && due.is_some_and(|due| due < now.date()),
        due: due.map_or_else(String::new, words::day),
    }
}

async fn sample_line(console: &Console, plan: StoredPlan) -> Result<SampleLine, Failed> {
    let figures = match console.gateway().review_figures(plan.event).await {
        Ok(found) => Some(found.figures),
        Err(ReviewError::App(error)) => return Err(error.into()),
        Err(_) => None,
    };
    Ok(SampleLine {
        path: format!("/reviews/samples/{}", plan.event),
        drawn: words::moment(plan.drawn_at),
        strategy: plain::named(Some(&plan.strategy), plain::strategy),
        population: plan.population,
        sample: plan.sample,
        reviewed: figures.as_ref().map_or(0, |figures| figures.reviewed),
        adverse: figures.as_ref().map_or(0, |figures| figures.adverse),
    })
}
