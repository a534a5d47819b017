//! Incidents: what is open, with its 72 hours, and a new one.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::fields::{CODE_HINT, Form};
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, capitalised, see_other};
use super::plain::{self, Tag};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::incident::{IncidentJourneyError, IncidentReport, Link};
use crate::domain::ids::{EventId, RecallId};
use crate::domain::incident::{Incident, Nature, State as IncidentState};
use crate::domain::time::Timestamp;

#[derive(Template)]
#[template(path = "incidents.html")]
pub(super) struct IncidentsPage {
    frame: Frame,
    may_open: bool,
    incidents: Vec<Line>,
}

struct Line {
    path: String,
    nature: &'static str,
    aware: String,
    clock: String,
    state: Tag,
}

#[derive(Template)]
#[template(path = "new_incident.html")]
pub(super) struct NewIncidentPage {
    frame: Frame,
    form: Form,
}

/// Shows the list.
pub(super) async fn list(State(console): State<Console>, visitor: Visitor) -> Result<Shown<IncidentsPage>, Failed> {
    let mut found = console.gateway().incident_reports().await?;
    found.sort_by_key(|report| (!report.incident.is_clock_running(), report.incident.aware_at));
    let line = |report: &IncidentReport| Line {
        path: format!("/incidents/{}", report.id),
        nature: plain::nature(report.incident.nature).0,
        aware: words::moment(report.incident.aware_at),
        clock: clock(&report.incident, report.now),
        state: state_of(&report.incident),
    };
    Ok(Shown(IncidentsPage {
        frame: visitor.frame("Incidents", &page::INCIDENTS),
        may_open: page::NEW_INCIDENT.is_for(visitor.access.persona),
        incidents: found.iter().map(line).collect(),
    }))
}

/// Shows the form for a new one.
pub(super) async fn ask(visitor: Visitor) -> Shown<NewIncidentPage> {
    Shown(NewIncidentPage { frame: visitor.frame("Record an incident", &page::INCIDENTS), form: form(&visitor) })
}

/// Records one.
pub(super) async fn open(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let mut form = form(&visitor);
    form.take(&fields);
    let nature = form.chosen::<Nature>("nature");
    let aware = form.moment("aware-day", "aware-time");
    let link = read_link(&mut form);
    let reason = form.code("reason");
    if let (Some(nature), Some(aware), Some(reason), true) = (nature, aware, reason, form.faults().is_empty()) {
        let links: Vec<Link> = link.into_iter().collect();
        let by = visitor.session.account.as_str();
        match console.gateway().open_incident(by, nature, reason.as_str(), Some(aware), &links).await {
            Ok(report) => return Ok(see_other(&format!("/incidents/{}", report.id), "opened")),
            Err(IncidentJourneyError::App(error)) => return Err(error.into()),
            Err(IncidentJourneyError::NoSuchLink) => form.fault("link", "There is no such recall, alert or entry"),
            Err(IncidentJourneyError::Step(_)) => form.fault("aware-day", "The moment lies in the future"),
            Err(error) => form.refuse(capitalised(&error.to_string())),
        }
    }
    let frame = visitor.frame("Record an incident", &page::INCIDENTS).with_faults(form.faults());
    Ok(Again(NewIncidentPage { frame, form }).into_response())
}

fn form(visitor: &Visitor) -> Form {
    Form::new(visitor, page::NEW_INCIDENT.path, "open", "", "Record the incident")
        .radios("nature", "What kind of incident is it?", "", plain::choices(Nature::ALL, plain::nature))
        .day("aware-day", "On which day did the controller become aware?")
        .text("aware-time", "At what time?", "Hours and minutes in the United Kingdom, such as 09:30. The 72 hours run from this moment.")
        .text("link", "Which recall, alert or entry does it come from?", "The id from its page, with recall, alert or entry before it, such as alert 0198… Leave it empty where there is none.")
        .text("reason", "What makes it an incident, or where is it written up?", CODE_HINT)
}

/// What an incident comes from: a word and an id.
pub(super) fn read_link(form: &mut Form) -> Option<Link> {
    let typed = form.optional_text("link")?;
    let link = typed.split_once(' ').map(|(of, name)| Link { of: of.to_lowercase(), name: name.trim().to_owned() });
    let is_link = |link: &Link| match link.of.as_str() {
        "recall" => link.name.parse::<RecallId>().is_ok(),
        "alert" | "entry" => link.name.parse::<EventId>().is_ok(),
        _ => false,
    };
    let link = link.filter(is_link);
    if link.is_none() {
        form.fault("link", "Write recall, alert or entry, a space and the id");
    }
    link
}

/// How much of the 72 hours is left, or how they ended.
pub(super) fn clock(incident: &Incident, now: Timestamp) -> String {
    if !incident.is_clock_running() {
        return match incident.decision() {
            Some(decision) if decision.notify_commissioner => "Decided: the Commissioner is notified".to_owned(),
            _ => "Decided: the Commissioner is not notified".to_owned(),
        };
    }
    let left = incident.remaining_seconds(now);
    let (hours, minutes) = (left.abs() / 3600, left.abs() % 3600 / 60);
    let due = words::moment(incident.aware_at.plus_seconds(crate::domain::incident::CLOCK_SECONDS));
    if left < 0 {
        format!("Late by {hours} hours {minutes} minutes: the 72 hours ended on {due}")
    } else {
        format!("{hours} hours {minutes} minutes left, until {due}")
    }
}

/// Where an incident is.
pub(super) fn state_of(incident: &Incident) -> Tag {
    let (said, colour) = match incident.state {
        IncidentState::Open => ("To be assessed", "red"),
        IncidentState::Assessed { .. } => ("To be decided", "orange"),
        IncidentState::Decided { .. } => ("Decided", "blue"),
        IncidentState::Closed { .. } => ("Closed", "green"),
    };
    Tag { said, colour }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_says_what_is_left_and_how_late_it_is() {
        let aware = Timestamp::from_micros(1_790_000_000_000_000);
        let incident = Incident::open(aware, aware, "ig-1", Nature::Other, "x").expect("now");
        assert!(clock(&incident, aware.plus_seconds(3_600)).starts_with("71 hours 0 minutes left, until "));
        assert!(clock(&incident, aware.plus_seconds(73 * 3_600 + 60)).starts_with("Late by 1 hours 1 minutes"));
    }
}
