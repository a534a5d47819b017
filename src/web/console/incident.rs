//! One incident: assessed, decided by two officers, closed, with its 72 hours.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::fields::{CODE_HINT, Choice, Form};
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, capitalised, see_other};
use super::incidents::{clock, read_link, state_of};
use super::plain::{self, Tag};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::incident::{IncidentJourneyError, IncidentReport, NewAssessment, Proposal, ProposedDecision};
use crate::config::Persona;
use crate::domain::ids::IncidentId;
use crate::domain::incident::{IncidentError, Risk, State as IncidentState};
use crate::domain::time::Timestamp;

/// The most people or records that are taken.
const MOST: u64 = 10_000_000;
/// What is said after a step.
const DONE: &[(&str, &str)] = &[
    ("opened", "The incident is recorded. Assess the risk to people next."),
    ("assess", "The assessment is recorded."),
    ("propose", "Your decision is proposed. It takes effect when another officer has confirmed it."),
    ("confirm", "The decision is recorded, with both of you."),
    ("close", "The incident is closed."),
    ("link", "The link is recorded."),
];

#[derive(Template)]
#[template(path = "incident.html")]
pub(super) struct IncidentPage {
    frame: Frame,
    id: String,
    nature: (&'static str, &'static str),
    state: Tag,
    clock: String,
    is_late: bool,
    facts: Vec<(&'static str, String)>,
    links: Vec<(String, String)>,
    proposal: Vec<(&'static str, String)>,
    /// Where to come back to from a new proof of who somebody is, where one is needed.
    fresh: Option<String>,
    note: &'static str,
    forms: Vec<Form>,
}

/// Shows it.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(incident): Path<String>,
    uri: Uri,
) -> Result<Shown<IncidentPage>, Failed> {
    let (report, proposal) = find(&console, &visitor, &incident).await?;
    let forms = forms(&visitor, &report, proposal.as_ref());
    let mut shown = page_of(&visitor, &report, proposal.as_ref(), forms);
    shown.frame = shown.frame.done(&uri, DONE);
    Ok(Shown(shown))
}

/// Takes a step.
pub(super) async fn step(
    State(console): State<Console>,
    Path(incident): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let (report, proposal) = find(&console, &visitor, &incident).await?;
    let mut forms = forms(&visitor, &report, proposal.as_ref());
    let Some(form) = forms.iter_mut().find(|form| Some(form.step()) == fields.get("step")) else {
        let said = "Somebody else moved this incident on meanwhile, or it is another officer's step. Look at it again.";
        return Err(Failed::Stopped(Box::new(visitor.frame("One incident", &page::INCIDENTS)), said.to_owned()));
    };
    form.take(&fields);
    match take(&console, &visitor, report.id, form).await {
        Ok(true) => return Ok(see_other(&format!("/incidents/{}", report.id), form.step())),
        Ok(false) => {}
        Err(IncidentJourneyError::App(error)) => return Err(error.into()),
        Err(error) => explain(form, &error),
    }
    let faults = form.faults();
    let mut shown = page_of(&visitor, &report, proposal.as_ref(), forms);
    shown.frame = shown.frame.with_faults(faults);
    Ok(Again(shown).into_response())
}

/// Takes the step of a form; `false` when the form cannot be read.
async fn take(
    console: &Console,
    visitor: &Visitor,
    id: IncidentId,
    form: &mut Form,
) -> Result<bool, IncidentJourneyError> {
    let (gateway, by) = (console.gateway(), visitor.session.account.as_str());
    match form.step() {
        "assess" => {
            let Some(new) = assessment(form) else { return Ok(false) };
            gateway.assess_incident(id, by, &new).await?;
        }
        "propose" => {
            let Some(new) = decision(form) else { return Ok(false) };
            gateway.propose_incident_decision(id, by, &new).await?;
        }
        "confirm" => {
            let Some(proposed_at) = form.chosen::<Timestamp>("proposal") else { return Ok(false) };
            gateway.confirm_incident_decision(id, by, proposed_at).await?;
        }
        "close" => {
            let Some(reason) = form.code("reason") else { return Ok(false) };
            gateway.close_incident(id, by, reason.as_str()).await?;
        }
        _ => {
            let Some(link) = read_link(form) else {
                form.fault("link", "Enter what the incident is linked to");
                return Ok(false);
            };
            gateway.link_incident(id, by, &link).await?;
        }
    }
    Ok(true)
}

async fn find(
    console: &Console,
    visitor: &Visitor,
    incident: &str,
) -> Result<(IncidentReport, Option<Proposal>), Failed> {
    let unknown = || Failed::Unknown(Box::new(visitor.frame("One incident", &page::INCIDENTS)));
    let id: IncidentId = incident.parse().map_err(|_| unknown())?;
    let report = console.gateway().incident_report(id).await?.ok_or_else(unknown)?;
    let proposal = console.gateway().incident_proposal(id).await?;
    Ok((report, proposal))
}

/// What this officer may do now.
fn forms(visitor: &Visitor, report: &IncidentReport, proposal: Option<&Proposal>) -> Vec<Form> {
    let path = format!("/incidents/{}", report.id);
    let form = |step, heading, button| Form::new(visitor, path.as_str(), step, heading, button);
    if visitor.access.persona != Persona::Officer {
        return Vec::new();
    }
    let assess = |heading: &'static str| {
        form("assess", heading, "Record the assessment")
            .radios("risk", "What is the risk to people?", "", plain::choices(Risk::ALL, plain::risk))
            .number("people", "About how many people are concerned?", "")
            .number("records", "About how many records?", "")
            .text(
                "consequences",
                "What may follow for people?",
                "Codes with commas between them, such as address-known-to-perpetrator. It may be empty.",
            )
            .text(
                "measures",
                "What was done?",
                "Codes with commas between them, such as pair-parted, recipients-told. It may be empty.",
            )
            .text("reason", "Why this risk, or where is it written up?", CODE_HINT)
    };
    let link = || {
        form("link", "Link it to a recall, an alert or an entry", "Record the link").secondary().text(
            "link",
            "Which one?",
            "The word recall, alert or entry, a space and the id from its page",
        )
    };
    let yes_no = || vec![Choice::of("yes", "Yes"), Choice::of("no", "No")];
    let decide = |heading: &'static str| {
        form("propose", heading, "Propose this decision")
            .radios("commissioner", "Is the Information Commissioner notified?", "Where a risk is likely this has to be yes.", yes_no())
            .radios("people", "Are the people told?", "Where a high risk is likely this has to be yes, or the reason has to be art34-3-a, art34-3-b or art34-3-c.", yes_no())
            .text("reason", "Why?", CODE_HINT)
            .text("late", "Why is the notification late?", "Only after 72 hours, as a code such as found-late")
    };
    match &report.incident.state {
        IncidentState::Open => vec![assess("Assess the risk"), link()],
        IncidentState::Assessed { .. } => {
            let mut forms = Vec::new();
            match proposal {
                Some(proposal) if proposal.by != visitor.session.account => {
                    if visitor.session.is_fresh {
                        forms.push(
                            form("confirm", "", "Confirm the decision").hidden("proposal", proposal.at.to_string()),
                        );
                    }
                    forms.push(decide("Or propose another decision").secondary());
                }
                Some(_) => forms.push(decide("Propose another decision").secondary()),
                None => forms.push(decide("Decide who is notified")),
            }
            forms.push(assess("Assess it anew").secondary());
            forms.push(link());
            forms
        }
        IncidentState::Decided { .. } => vec![
            form("close", "Close it", "Close the incident").text(
                "reason",
                "What was learned, or where is it written up?",
                CODE_HINT,
            ),
            assess("Assess it anew: the decision ends with that").secondary(),
            link(),
        ],
        IncidentState::Closed { .. } => Vec::new(),
    }
}

fn assessment(form: &mut Form) -> Option<NewAssessment> {
    let risk = form.chosen::<Risk>("risk");
    let (people, records) = (form.whole("people", MOST), form.whole("records", MOST));
    let (consequences, measures) = (form.codes("consequences"), form.codes("measures"));
    let reason = form.code("reason")?.to_string();
    let new = NewAssessment { risk: risk?, people: people?, records: records?, consequences, measures, reason };
    form.faults().is_empty().then_some(new)
}

fn decision(form: &mut Form) -> Option<ProposedDecision> {
    let (commissioner, people) = (form.chosen::<String>("commissioner"), form.chosen::<String>("people"));
    let mut yes = |name, typed: Option<String>| match typed.as_deref() {
        Some("yes") => Some(true),
        Some("no") => Some(false),
        _ => {
            form.fault(name, "Choose yes or no");
            None
        }
    };
    let (notify_commissioner, notify_people) = (yes("commissioner", commissioner), yes("people", people));
    let late_reason = form.optional_code("late").map(String::from);
    let reason = form.code("reason")?.to_string();
    let new = ProposedDecision {
        notify_commissioner: notify_commissioner?,
        notify_people: notify_people?,
        reason,
        late_reason,
    };
    form.faults().is_empty().then_some(new)
}

/// Says at its field why a step was not taken.
fn explain(form: &mut Form, error: &IncidentJourneyError) {
    let (field, said) = match error {
        IncidentJourneyError::Step(IncidentError::Commissioner) => {
            ("commissioner", "A risk was assessed: the Commissioner has to be notified")
        }
        IncidentJourneyError::Step(IncidentError::People) => {
            ("people", "The risk is high: tell the people, or give the ground of article 34(3) as the reason")
        }
        IncidentJourneyError::Step(IncidentError::LateReason) => {
            ("late", "72 hours have passed: say why the notification is late")
        }
        IncidentJourneyError::Step(IncidentError::NotLate) => ("late", "Nothing is late: leave this empty"),
        IncidentJourneyError::NoSuchLink => ("link", "There is no such recall, alert or entry"),
        IncidentJourneyError::Step(IncidentError::State) | IncidentJourneyError::Changed => {
            return form.refuse("Somebody else changed the incident meanwhile: look at it again");
        }
        IncidentJourneyError::Step(IncidentError::SecondPerson) => {
            return form.refuse("You proposed this decision: another officer confirms it");
        }
        other => return form.refuse(capitalised(&other.to_string())),
    };
    form.fault(field, said);
    if form.faults().is_empty() {
        form.refuse(said);
    }
}

fn page_of(visitor: &Visitor, report: &IncidentReport, proposal: Option<&Proposal>, forms: Vec<Form>) -> IncidentPage {
    let incident = &report.incident;
    let yes = |yes: bool| if yes { "Yes".to_owned() } else { "No".to_owned() };
    let mut facts = vec![
        ("Aware since", words::moment(incident.aware_at)),
        ("Recorded", format!("{}, by {}", words::moment(incident.opened_at), incident.opened_by)),
        ("Why", incident.reason.clone()),
    ];
    if let Some(assessed) = incident.assessment() {
        let joined = |codes: &[String]| if codes.is_empty() { "none named".to_owned() } else { codes.join(", ") };
        facts.extend([
            ("Risk", format!("{} ({})", plain::risk(assessed.risk).0, assessed.reason)),
            ("People and records", format!("About {} people, {} records", assessed.people, assessed.records)),
            ("May follow", joined(&assessed.consequences)),
            ("Was done", joined(&assessed.measures)),
            ("Assessed", format!("{}, by {}", words::moment(assessed.at), assessed.by)),
        ]);
    }
    if let Some(decided) = incident.decision() {
        facts.extend([
            ("Commissioner notified", yes(decided.notify_commissioner)),
            ("People told", yes(decided.notify_people)),
            (
                "Decided",
                format!(
                    "{}, by {} and {}: {}",
                    words::moment(decided.at),
                    decided.by,
                    decided.seconded_by,
                    decided.reason
                ),
            ),
        ]);
        facts.extend(decided.late_reason.clone().map(|reason| ("Late because", reason)));
    }
    if let IncidentState::Closed { closing, .. } = &incident.state {
        facts.push(("Closed", format!("{}, by {}: {}", words::moment(closing.at), closing.by, closing.reason)));
    }
    let is_officer = visitor.access.persona == Persona::Officer;
    let is_own = proposal.is_some_and(|proposal| proposal.by == visitor.session.account);
    let waits = proposal.is_some() && !is_own && is_officer;
    let proposal = proposal.map_or_else(Vec::new, |proposal| {
        let mut told = vec![
            ("Commissioner notified", yes(proposal.decision.notify_commissioner)),
            ("People told", yes(proposal.decision.notify_people)),
            ("Why", proposal.decision.reason.clone()),
            ("Proposed", format!("{}, by {}", words::moment(proposal.at), proposal.by)),
        ];
        told.extend(proposal.decision.late_reason.clone().map(|reason| ("Late because", reason)));
        told
    });
    let link = |link: &crate::app::incident::Link| {
        let path = match link.of.as_str() {
            "recall" => format!("/recalls/{}", link.name),
            "alert" => format!("/alerts/{}", link.name),
            _ => format!("/log/{}", link.name),
        };
        (path, format!("{} {}", capitalised(&link.of), link.name))
    };
    IncidentPage {
        frame: visitor.frame("One incident", &page::INCIDENTS),
        id: report.id.to_string(),
        nature: plain::nature(incident.nature),
        state: state_of(incident),
        clock: clock(incident, report.now),
        is_late: incident.is_clock_running() && incident.remaining_seconds(report.now) < 0,
        facts,
        links: report.links.iter().map(link).collect(),
        proposal,
        fresh: (waits && !visitor.session.is_fresh).then(|| format!("/incidents/{}", report.id)),
        note: match (&incident.state, is_officer) {
            (IncidentState::Closed { .. }, _) => "The incident is closed.",
            (_, false) => "Only an officer can take the next step.",
            _ if is_own => "You proposed this decision: another officer confirms it, or you propose another.",
            _ => "",
        },
        forms,
    }
}
