//! What waits for whoever is signed in, by their part.

use super::Console;
use super::frame::Failed;
use super::visitor::Visitor;
use super::{agreements, feeds, health, incidents, match_runs, plain, reids, words};
use crate::app::doctor::Health;
use crate::app::error::AppError;
use crate::app::policies::Policies;
use crate::config::Persona;
use crate::domain::agreement::AgreementStatus;
use crate::domain::review::state::State as ReviewState;
use crate::domain::time::Timestamp;
use crate::store::{RecallState, ReviewsWanted, RunState};

/// Reviews that are counted; more are told as "at least so many".
const MOST: i64 = 500;

/// Something that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) text: String,
    pub(super) path: String,
    pub(super) is_urgent: bool,
}

impl Waiting {
    fn new(text: String, path: impl Into<String>) -> Self {
        Self { text, path: path.into(), is_urgent: false }
    }

    fn urgent(text: String, path: impl Into<String>) -> Self {
        Self { text, path: path.into(), is_urgent: true }
    }
}

/// What waits, what is urgent first.
pub(super) async fn of(console: &Console, visitor: &Visitor, policies: &Policies) -> Result<Vec<Waiting>, Failed> {
    let now = console.gateway().store().now().await.map_err(AppError::from)?;
    let mut waits = Vec::new();
    match visitor.access.persona {
        Persona::Officer => {
            waits.extend(clocks(console).await?);
            waits.extend(reviews(console, visitor).await?);
            waits.extend(alerts(console, now).await?);
            waits.extend(approvals(console, visitor).await?);
            waits.extend(identities(console, visitor).await?);
            waits.extend(standing(policies, now));
            waits.extend(recalls(console).await?);
            waits.extend(cases(console).await?);
        }
        Persona::Auditor => {
            waits.extend(overdue(console, now).await?);
            waits.extend(alerts(console, now).await?);
            waits.extend(standing(policies, now));
        }
        Persona::DataTeam => {
            waits.extend(identities(console, visitor).await?);
            waits.extend(runs(console, visitor).await?);
            waits.extend(standing(policies, now));
        }
        Persona::Operator => waits.extend(troubles(console).await),
    }
    let late = feeds::late(console, visitor).await?;
    if late > 0 {
        waits.push(Waiting::new(
            format!("{}: what only they can renew counts as stale", many(late, "feed is late", "feeds are late")),
            "/feeds",
        ));
    }
    waits.sort_by_key(|waiting| !waiting.is_urgent);
    Ok(waits)
}

/// Incidents whose 72 hours run.
async fn clocks(console: &Console) -> Result<Vec<Waiting>, Failed> {
    let reports = console.gateway().incident_reports().await?;
    let running = reports.iter().filter(|report| report.incident.is_clock_running());
    let told = running.map(|report| {
        let (nature, clock) = (plain::nature(report.incident.nature).0, incidents::clock(&report.incident, report.now));
        Waiting::urgent(format!("Incident, {}: {clock}", nature.to_lowercase()), format!("/incidents/{}", report.id))
    });
    Ok(told.collect())
}

async fn reviews(console: &Console, visitor: &Visitor) -> Result<Vec<Waiting>, Failed> {
    let account = visitor.session.account.as_str();
    let store = console.gateway().store();
    let now = store.now().await.map_err(AppError::from)?;
    let mut counts = [0_usize; 3];
    for state in [ReviewState::Drawn, ReviewState::Taken, ReviewState::Proposed, ReviewState::Referred] {
        let wanted = ReviewsWanted { state: Some(state.to_string()), limit: MOST, ..ReviewsWanted::default() };
        let found = store.reviews(&wanted).await.map_err(AppError::from)?;
        let mine = found.iter().filter(|review| review.reviewer.as_deref() == Some(account)).count();
        match state {
            ReviewState::Drawn => counts[0] += found.len(),
            ReviewState::Taken => counts[1] += mine,
            _ => counts[2] += found.len() - mine,
        }
    }
    let [drawn, mine, second] = counts;
    let said = [
        (mine, many(mine, "review that you began is not finished", "reviews that you began are not finished")),
        (second, many(second, "review waits for a second officer", "reviews wait for a second officer")),
        (
            drawn,
            many(drawn, "disclosure of a sample waits for a reviewer", "disclosures of samples wait for a reviewer"),
        ),
    ];
    let mut waits: Vec<Waiting> =
        said.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| Waiting::new(text, "/reviews")).collect();
    waits.extend(overdue(console, now).await?);
    Ok(waits)
}

/// What findings asked for and nobody did by its day.
async fn overdue(console: &Console, now: Timestamp) -> Result<Option<Waiting>, Failed> {
    let today = now.as_seconds().div_euclid(86_400);
    let (overdue, _) = console.gateway().store().reviews_waiting(today).await.map_err(AppError::from)?;
    let overdue = usize::try_from(overdue).unwrap_or(usize::MAX);
    let text = many(overdue, "action of a review is overdue", "actions of reviews are overdue");
    Ok((overdue > 0).then(|| Waiting::urgent(text, "/reviews")))
}

async fn alerts(console: &Console, now: Timestamp) -> Result<Option<Waiting>, Failed> {
    let open = console.gateway().store().open_alerts().await.map_err(AppError::from)?;
    let count: usize = open.iter().map(|(_, count, _)| usize::try_from(*count).unwrap_or(usize::MAX)).sum();
    let Some(oldest) = open.iter().map(|(_, _, at)| *at).min() else { return Ok(None) };
    let days = (now.as_seconds() - oldest.as_seconds()) / 86_400;
    let since = if days > 0 { format!(", the oldest for {}", many_days(days)) } else { String::new() };
    Ok(Some(Waiting::new(format!("{}{since}", many(count, "alert is open", "alerts are open")), "/alerts")))
}

/// Agreements that somebody else wants in force.
async fn approvals(console: &Console, visitor: &Visitor) -> Result<Vec<Waiting>, Failed> {
    let store = console.gateway().store();
    let account = visitor.session.account.as_str();
    let mut waits = Vec::new();
    for request in store.activation_requests().await.map_err(AppError::from)? {
        let approvals = store.activation_approvals(&request.agreement).await.map_err(AppError::from)?;
        if request.requested_by != account && !approvals.iter().any(|officer| officer == account) {
            let text = format!("Agreement {} waits for your approval to be in force", request.agreement);
            waits.push(Waiting::new(text, agreements::path(&request.agreement)));
        }
    }
    Ok(waits)
}

/// Requests to learn who somebody is that wait for whoever looks, or for a machine of theirs.
async fn identities(console: &Console, visitor: &Visitor) -> Result<Option<Waiting>, Failed> {
    let frame = || visitor.frame("Home", &super::page::HOME);
    let views = reids::open(console.gateway(), visitor).await.map_err(|error| reids::failed(error, frame()))?;
    let person = console.gateway().console_person(&visitor.session.account);
    let waits = |view: &&crate::app::reidentification::ReidView| {
        reids::waits_for(visitor.access.persona, view, &person).is_some()
    };
    let count = views.iter().filter(waits).count();
    let text =
        many(count, "request to learn who somebody is waits for you", "requests to learn who somebody is wait for you");
    Ok((count > 0).then(|| Waiting::new(text, super::page::REIDENTIFICATIONS.path)))
}

/// Agreements that are overdue for review, suspended, or signed and not in force.
fn standing(policies: &Policies, now: Timestamp) -> Vec<Waiting> {
    let told = policies.book().agreements().filter_map(|agreement| {
        let (title, path) = (agreement.text.title(), agreements::path(agreement.text.reference()));
        let review_due = agreement.text.review_due();
        let text = match agreement.status {
            AgreementStatus::InForce if review_due < now.date() => {
                format!("{title}: its review was due on {}", words::day(review_due))
            }
            AgreementStatus::Signed => format!("{title}: signed by all, and not in force"),
            AgreementStatus::Suspended => format!("{title}: suspended"),
            _ => return None,
        };
        Some(Waiting::new(text, path))
    });
    told.collect()
}

/// Match runs that somebody has to take further.
async fn runs(console: &Console, visitor: &Visitor) -> Result<Vec<Waiting>, Failed> {
    let reports = match_runs::own(console, visitor).await?;
    let open = reports.iter().filter(|report| matches!(report.state, RunState::Snapshot | RunState::Listed));
    let told = open.map(|report| {
        let said = match_runs::state(report).said.to_lowercase();
        Waiting::new(format!("Match run {}: {said}", report.number), match_runs::path(report))
    });
    Ok(told.collect())
}

async fn recalls(console: &Console) -> Result<Option<Waiting>, Failed> {
    let reports = console.gateway().recall_reports().await?;
    let open = reports.iter().filter(|report| report.recall.state != RecallState::Closed).count();
    let text = many(open, "recall is not acknowledged by all", "recalls are not acknowledged by all");
    Ok((open > 0).then(|| Waiting::new(text, "/recalls")))
}

async fn cases(console: &Console) -> Result<Option<Waiting>, Failed> {
    let cases = console.gateway().subject_case_register().await?;
    let overdue = cases.iter().filter(|(_, is_overdue)| *is_overdue).count();
    let text = many(overdue, "case of a person’s rights is overdue", "cases of people’s rights are overdue");
    Ok((overdue > 0).then(|| Waiting::urgent(text, "/rights")))
}

async fn troubles(console: &Console) -> Option<Waiting> {
    let findings = health::findings(console).await;
    let of = |health: Health| findings.iter().filter(|finding| finding.health == health).count();
    let (failing, warning) = (of(Health::Fail), of(Health::Warn));
    if failing > 0 {
        return Some(Waiting::urgent(
            many(failing, "check of the gateway fails", "checks of the gateway fail"),
            "/health",
        ));
    }
    let text = many(warning, "check of the gateway wants a look", "checks of the gateway want a look");
    (warning > 0).then(|| Waiting::new(text, "/health"))
}

fn many(count: usize, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}

fn many_days(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}
