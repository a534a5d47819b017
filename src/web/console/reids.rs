//! Requests to learn who somebody is that are not over, without their texts.

use askama::Template;
use axum::extract::State;

use super::Console;
use super::frame::{Failed, Frame, Shown};
use super::plain::Tag;
use super::visitor::Visitor;
use super::{page, reid_words, words};
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::reidentification::view::Part;
use crate::app::reidentification::{ReidError, ReidView};
use crate::config::Persona;
use crate::domain::ids::{OpaqueRef, ReidentificationId};
use crate::domain::reidentification::state::State as Where;
use crate::domain::reidentification::vote::Choice;

#[derive(Template)]
#[template(path = "reids.html")]
pub(super) struct ReidsPage {
    frame: Frame,
    lines: Vec<Line>,
    none: &'static str,
    is_officer: bool,
    may_ask: bool,
}

struct Line {
    path: String,
    id: String,
    part: &'static str,
    state: Tag,
    approvals: usize,
    until: String,
    waits: Option<&'static str>,
}

/// Lists them.
pub(super) async fn list(State(console): State<Console>, visitor: Visitor) -> Result<Shown<ReidsPage>, Failed> {
    let frame = visitor.frame("Re-identification", &page::REIDENTIFICATIONS);
    let views = open(console.gateway(), &visitor).await.map_err(|error| failed(error, frame.clone()))?;
    let person = console.gateway().console_person(&visitor.session.account);
    let line = |view: &ReidView| Line {
        path: path(view.id),
        id: view.id.to_string(),
        part: reid_words::part(view.part),
        state: reid_words::state(&view.state),
        approvals: approvals(view),
        until: words::moment(view.expires_at),
        waits: waits_for(visitor.access.persona, view, &person),
    };
    Ok(Shown(ReidsPage {
        lines: views.iter().map(line).collect(),
        none: match visitor.access.persona {
            Persona::Officer => {
                "No request is open in which your agency may approve, or is asked about a record of its own."
            }
            Persona::DataTeam => "No request that your agency’s system made is open.",
            _ => "No request is open in which the agency that you look for has a part.",
        },
        is_officer: visitor.access.persona == Persona::Officer,
        may_ask: visitor.access.persona == Persona::DataTeam,
        frame,
    }))
}

/// Where one request is shown.
pub(super) fn path(id: ReidentificationId) -> String {
    format!("/reidentifications/{id}")
}

/// On whose behalf a visitor deals with requests: the data team as its own system that collects, others as
/// themselves.
pub(super) fn party(visitor: &Visitor) -> AgencyCaller {
    match (visitor.access.persona, &visitor.access.system) {
        (Persona::DataTeam, Some(system)) => {
            AgencyCaller { agency: visitor.access.agency.clone(), client: system.clone() }
        }
        _ => visitor.caller(),
    }
}

/// The open requests in which a visitor has a part. The data team reads what it asked, and approves nothing here.
pub(super) async fn open(gateway: &Gateway, visitor: &Visitor) -> Result<Vec<ReidView>, ReidError> {
    let mut views = gateway.reidentifications(&party(visitor)).await?;
    let is_team = visitor.access.persona == Persona::DataTeam;
    views.retain(|view| !is_team || view.part == Part::Requester);
    Ok(views)
}

/// What a request waits for, if it is for whoever looks.
pub(super) fn waits_for(persona: Persona, view: &ReidView, person: &OpaqueRef) -> Option<&'static str> {
    let has_voted = || view.votes.iter().any(|vote| vote.person == *person && vote.choice != Choice::Withdraw);
    match (persona, view.part, &view.state) {
        (Persona::Officer, Part::Approver, Where::Voting {}) if !has_voted() => Some("Your approval or refusal"),
        (Persona::Officer, Part::Source, Where::Voting {}) => Some("Your agency’s approval, on its own machine"),
        (Persona::Officer, Part::Source, Where::Authorised { .. } | Where::Certified { .. }) => {
            Some("Your agency’s answer, on its own machine")
        }
        (Persona::DataTeam, Part::Requester, Where::Answered { .. }) => Some("Collecting, on your own machine"),
        (Persona::DataTeam, Part::Requester, Where::Collected { .. }) => Some("Your receipt, on your own machine"),
        _ => None,
    }
}

/// How many people approve now.
pub(super) fn approvals(view: &ReidView) -> usize {
    view.votes.iter().filter(|vote| vote.choice == Choice::Approve).count()
}

/// Why a step of a request is not taken, as a page says it.
pub(super) fn failed(error: ReidError, frame: Frame) -> Failed {
    use crate::app::enquire::EnquiryError;
    use crate::app::families::FamilyError;
    use crate::domain::reidentification::refusal::Refusal;
    let stopped = |said: String| Failed::Stopped(Box::new(frame.clone()), said);
    match error {
        ReidError::Refused { refusal: Refusal::Unknown, .. } => Failed::Unknown(Box::new(frame)),
        ReidError::Refused { refusal, disclosure } => {
            let said = super::frame::capitalised(&refusal.to_string());
            stopped(format!("{said} ({}). The refusal is in the log: entry {disclosure}.", refusal.code()))
        }
        ReidError::Family(FamilyError::Enquiry(EnquiryError::NotPermitted { hits, .. })) => {
            Failed::NotPermitted(Box::new(frame), hits)
        }
        ReidError::Family(FamilyError::Enquiry(EnquiryError::CeilingReached { .. })) => stopped(
            "As many requests as the agreement allows in a day were made today. Nobody is re-identified in bulk. The \
             refusal is in the log."
                .to_owned(),
        ),
        ReidError::Family(FamilyError::Enquiry(EnquiryError::App(error))) => Failed::Ours(error),
        other => stopped(format!("{}.", super::frame::capitalised(&other.to_string()))),
    }
}
