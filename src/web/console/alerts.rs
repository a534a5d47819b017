//! Alerts: what looks as if somebody should look into it, and what an officer does about it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::fields::{CODE_HINT, Form};
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, capitalised, see_other};
use super::plain::{self, Tag};
use super::reviews::is_registered;
use super::visitor::Visitor;
use super::{page, words};
use crate::app::alerts::{AlertError, AlertStepAsked};
use crate::app::error::AppError;
use crate::app::policies::Policies;
use crate::app::review::steps::date_of;
use crate::config::Persona;
use crate::domain::alert::{Kind, State as AlertState, Step};
use crate::domain::ids::EventId;
use crate::store::StoredAlert;
use crate::tlog::entry::Figure;

/// Alerts of the list.
const MOST: i64 = 200;
/// What is said after a step.
const DONE: &[(&str, &str)] =
    &[("close", "The alert is closed."), ("escalate", "The alert is escalated. It stays open until it is closed.")];

#[derive(Template)]
#[template(path = "alerts.html")]
pub(super) struct AlertsPage {
    frame: Frame,
    with_closed: bool,
    alerts: Vec<AlertLine>,
    is_cut: bool,
}

struct AlertLine {
    path: String,
    about: String,
    severity: String,
    of: String,
    day: String,
    state: Tag,
}

#[derive(Template)]
#[template(path = "alert.html")]
pub(super) struct AlertPage {
    frame: Frame,
    heading: String,
    means: &'static str,
    state: Tag,
    facts: Vec<(&'static str, String)>,
    figures: Vec<(String, u64)>,
    entry: Option<String>,
    opened: String,
    note: &'static str,
    forms: Vec<Form>,
}

/// Shows the alerts that are not closed; all of them with `?all`.
pub(super) async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    uri: Uri,
) -> Result<Shown<AlertsPage>, Failed> {
    let with_closed = uri.query() == Some("all=yes");
    let policies = console.gateway().current_policies().await?;
    let found = console.gateway().store().alerts(with_closed, None, MOST).await.map_err(AppError::from)?;
    let line = |alert: &StoredAlert| AlertLine {
        path: format!("/alerts/{}", alert.event),
        about: plain::named(Some(&alert.kind), plain::alert_kind),
        severity: plain::named(Some(&alert.severity), plain::severity),
        of: whose(alert, &policies),
        day: words::day(date_of(alert.day)),
        state: state_of(alert),
    };
    Ok(Shown(AlertsPage {
        frame: visitor.frame("Alerts", &page::ALERTS),
        with_closed,
        is_cut: i64::try_from(found.len()).is_ok_and(|count| count >= MOST),
        alerts: found.iter().map(line).collect(),
    }))
}

/// Shows one alert.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(alert): Path<String>,
    uri: Uri,
) -> Result<Shown<AlertPage>, Failed> {
    let found = find(&console, &visitor, &alert).await?;
    let is_officer = may_act(&console, &visitor).await?;
    let forms = if is_officer { forms(&console, &visitor, &found).await? } else { Vec::new() };
    let mut shown = page_of(&console, &visitor, &found, forms, is_officer).await?;
    shown.frame = shown.frame.done(&uri, DONE);
    Ok(Shown(shown))
}

/// Closes or escalates.
pub(super) async fn step(
    State(console): State<Console>,
    Path(alert): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let found = find(&console, &visitor, &alert).await?;
    let mut forms = forms(&console, &visitor, &found).await?;
    let Some(form) = forms.iter_mut().find(|form| Some(form.step()) == fields.get("step")) else {
        let said = "Somebody else moved this alert on meanwhile. Look at it again.".to_owned();
        return Err(Failed::Stopped(Box::new(visitor.frame("One alert", &page::ALERTS)), said));
    };
    form.take(&fields);
    let step = if form.step() == "escalate" { Step::Escalate } else { Step::Close };
    let to = if step == Step::Escalate { form.code("to") } else { None };
    let reason = form.code("reason");
    if let (Some(reason), true) = (reason, form.faults().is_empty()) {
        let asked = AlertStepAsked { alert: found.event, step, to };
        match console.gateway().step_alert(&visitor.session.account, &asked, reason.as_str()).await {
            Ok(_) => return Ok(see_other(&format!("/alerts/{}", found.event), form.step())),
            Err(AlertError::App(error)) => return Err(error.into()),
            Err(error) => form.refuse(capitalised(&error.to_string())),
        }
    }
    let faults = form.faults();
    let mut shown = page_of(&console, &visitor, &found, forms, true).await?;
    shown.frame = shown.frame.with_faults(faults);
    Ok(Again(shown).into_response())
}

async fn find(console: &Console, visitor: &Visitor, alert: &str) -> Result<StoredAlert, Failed> {
    let unknown = || Failed::Unknown(Box::new(visitor.frame("One alert", &page::ALERTS)));
    let event: EventId = alert.parse().map_err(|_| unknown())?;
    console.gateway().store().alert(event).await.map_err(AppError::from)?.ok_or_else(unknown)
}

async fn may_act(console: &Console, visitor: &Visitor) -> Result<bool, Failed> {
    Ok(visitor.access.persona == Persona::Officer && is_registered(console, &visitor.session.account).await?)
}

async fn forms(console: &Console, visitor: &Visitor, alert: &StoredAlert) -> Result<Vec<Form>, Failed> {
    let path = format!("/alerts/{}", alert.event);
    let close = || {
        Form::new(visitor, path.as_str(), "close", "Close it", "Close the alert").text(
            "reason",
            "What did you find?",
            CODE_HINT,
        )
    };
    let escalate = || {
        Form::new(visitor, path.as_str(), "escalate", "Or escalate it", "Escalate the alert")
            .text("to", "Who decides?", "A post or account, such as data-protection-officer. Never anybody's name.")
            .text("reason", "Why?", CODE_HINT)
            .secondary()
    };
    let may_close = match console.gateway().may_close_alert(alert, &visitor.session.account).await {
        Err(AlertError::App(error)) => return Err(error.into()),
        may => may.unwrap_or(false),
    };
    Ok(match (alert.state.parse(), may_close) {
        (Ok(AlertState::Open | AlertState::Escalated), true) => vec![close(), escalate()],
        (Ok(AlertState::Escalated), false) => vec![escalate()],
        _ => Vec::new(),
    })
}

async fn page_of(
    console: &Console,
    visitor: &Visitor,
    alert: &StoredAlert,
    forms: Vec<Form>,
    is_officer: bool,
) -> Result<AlertPage, Failed> {
    let policies = console.gateway().current_policies().await?;
    let (heading, means) = alert.kind.parse::<Kind>().map_or(("An alert", ""), plain::alert_kind);
    let figures: Vec<Figure> = serde_json::from_str(&alert.figures).unwrap_or_default();
    let mut facts = vec![
        ("About", whose(alert, &policies)),
        ("Day of the questions", words::day(date_of(alert.day))),
        ("Severity", plain::named(Some(&alert.severity), plain::severity)),
        ("Opened", words::moment(alert.opened_at)),
    ];
    facts.extend(alert.escalated_to.clone().map(|to| ("Escalated to", to)));
    let is_closed = alert.state.parse() == Ok(AlertState::Closed);
    Ok(AlertPage {
        frame: visitor.frame("One alert", &page::ALERTS),
        heading: heading.to_owned(),
        means,
        state: state_of(alert),
        facts,
        figures: figures.into_iter().map(|figure| (figure.of.as_str().replace('_', " "), figure.count)).collect(),
        entry: alert.entry.map(|entry| entry.to_string()),
        opened: alert.event.to_string(),
        note: match (is_closed, is_officer) {
            (true, _) => "The alert is closed.",
            (false, false) => "Only a registered reviewing officer can close or escalate it.",
            (false, true) if forms.iter().all(|form| form.step() != "close") => {
                "You escalated it: another officer closes it."
            }
            (false, true) => "",
        },
        forms,
    })
}

fn whose(alert: &StoredAlert, policies: &Policies) -> String {
    let agency = alert.agency.as_ref().map(|code| words::agency(policies, code));
    match (agency, &alert.client) {
        (Some(agency), Some(client)) => format!("{agency}, through {client}"),
        (Some(agency), None) => agency,
        (None, _) => "The gateway".to_owned(),
    }
}

fn state_of(alert: &StoredAlert) -> Tag {
    alert.state.parse().map_or(Tag { said: "Unknown", colour: "grey" }, plain::alert_state)
}
