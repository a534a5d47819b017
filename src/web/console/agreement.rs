//! One agreement: its terms in plain words, and how it comes into force by three people's doing: one asks,
//! two approve.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::agreements::{Line, line, path};
use super::fields::{CODE_HINT, Form};
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, capitalised, see_other};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::activate::{APPROVALS, Activation};
use crate::app::error::AppError;
use crate::app::policies::Policies;
use crate::config::Persona;
use crate::domain::agreement::{Agreement, AgreementStatus, ReceiveClause, SupplyTerm};
use crate::store::ActivationRequest;

/// What is said after a step.
const DONE: &[(&str, &str)] = &[
    ("ask", "It is asked that the agreement be put in force. Two other officers have to approve."),
    ("approve", "Your approval is recorded. Another officer has to approve too."),
    ("in-force", "The agreement is in force."),
    ("withdraw", "The request is taken back, with the approvals that it had."),
];

#[derive(Template)]
#[template(path = "agreement.html")]
pub(super) struct AgreementPage {
    frame: Frame,
    line: Line,
    sha256: String,
    objective: String,
    reviewer: String,
    parties: Vec<PartyLine>,
    groups: [TermGroup; 2],
    activation: Vec<(&'static str, String)>,
    /// Where to come back to from a new proof of who somebody is, where one is needed.
    fresh: Option<String>,
    note: &'static str,
    forms: Vec<Form>,
}

struct PartyLine {
    name: String,
    signatory: String,
    is_signed: bool,
}

/// Terms of one kind.
struct TermGroup {
    heading: &'static str,
    terms: Vec<TermLine>,
}

struct TermLine {
    code: String,
    plain: String,
    from: String,
    to: String,
    items: String,
    modes: String,
    purposes: String,
    powers: String,
}

/// A request that waits, with its approvals.
struct Request {
    stored: ActivationRequest,
    approvals: Vec<String>,
}

/// What this officer may do about the agreement now.
struct Activating {
    forms: Vec<Form>,
    note: &'static str,
    needs_proof: bool,
}

/// Shows one agreement.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(named): Path<(String, String)>,
    uri: Uri,
) -> Result<Shown<AgreementPage>, Failed> {
    let (policies, request) = find(&console, &visitor, &named).await?;
    let agreement = agreement(&policies, &visitor, &named)?;
    let activating = activating(&visitor, agreement, request.as_ref());
    let mut shown = page_of(&visitor, &policies, agreement, request.as_ref(), activating);
    shown.frame = shown.frame.done(&uri, DONE);
    Ok(Shown(shown))
}

/// Asks that it be put in force, approves, or takes the request back.
pub(super) async fn step(
    State(console): State<Console>,
    Path(named): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let (policies, request) = find(&console, &visitor, &named).await?;
    let agreement = agreement(&policies, &visitor, &named)?;
    let mut activating = activating(&visitor, agreement, request.as_ref());
    let Some(form) = activating.forms.iter_mut().find(|form| Some(form.step()) == fields.get("step")) else {
        let said = if activating.needs_proof && fields.get("step") == Some("approve") {
            "You signed in more than five minutes ago. Go back to the agreement and confirm who you are first."
        } else {
            "Somebody else moved this agreement on meanwhile, or it is another officer's step. Look at it again."
        };
        return Err(Failed::Stopped(Box::new(visitor.frame("One agreement", &page::AGREEMENTS)), said.to_owned()));
    };
    form.take(&fields);
    let (gateway, by, of) = (console.gateway(), visitor.session.account.as_str(), agreement.text.reference());
    let taken = match form.step() {
        "ask" => match form.code("reason") {
            Some(reason) => gateway.request_activation(of, by, reason.as_str()).await.map(|()| Some("ask")),
            None => Ok(None),
        },
        "approve" => gateway.approve_activation(of, by).await.map(|came_to| match came_to {
            Activation::Waiting => Some("approve"),
            Activation::InForce { .. } => Some("in-force"),
        }),
        _ => gateway.withdraw_activation(of, by).await.map(|()| Some("withdraw")),
    };
    match taken {
        Ok(Some(done)) => return Ok(see_other(&path(of), done)),
        Ok(None) => {}
        Err(AppError::Policy(said)) => form.refuse(capitalised(&said)),
        Err(error) => return Err(error.into()),
    }
    let faults = form.faults();
    let mut shown = page_of(&visitor, &policies, agreement, request.as_ref(), activating);
    shown.frame = shown.frame.with_faults(faults);
    Ok(Again(shown).into_response())
}

async fn find(
    console: &Console,
    visitor: &Visitor,
    named: &(String, String),
) -> Result<(std::sync::Arc<Policies>, Option<Request>), Failed> {
    let gateway = console.gateway();
    let policies = gateway.current_policies().await?;
    let of = agreement(&policies, visitor, named)?.text.reference().clone();
    let requests = gateway.store().activation_requests().await.map_err(AppError::from)?;
    let request = match requests.into_iter().find(|request| request.agreement == of) {
        Some(stored) => {
            let approvals = gateway.store().activation_approvals(&of).await.map_err(AppError::from)?;
            Some(Request { stored, approvals })
        }
        None => None,
    };
    Ok((policies, request))
}

/// The agreement that an address names.
pub(super) fn agreement<'a>(
    policies: &'a Policies,
    visitor: &Visitor,
    (code, version): &(String, String),
) -> Result<&'a Agreement, Failed> {
    let found = policies.book().agreements().find(|agreement| {
        let reference = agreement.text.reference();
        reference.id.as_str() == code && reference.version.to_string() == *version
    });
    found.ok_or_else(|| Failed::Unknown(Box::new(visitor.frame("Page not found", &page::AGREEMENTS))))
}

fn activating(visitor: &Visitor, agreement: &Agreement, request: Option<&Request>) -> Activating {
    let form = |step, heading, button| Form::new(visitor, path(agreement.text.reference()), step, heading, button);
    let account = visitor.session.account.as_str();
    let nothing = |note| Activating { forms: Vec::new(), note, needs_proof: false };
    if visitor.access.persona != Persona::Officer {
        return nothing("");
    }
    let is_signed = agreement.text.parties().iter().all(|party| agreement.signed_by.contains(&party.agency));
    let Some(request) = request else {
        return match agreement.status {
            AgreementStatus::Signed | AgreementStatus::Suspended if is_signed => Activating {
                forms: vec![form("ask", "Put it in force", "Ask that it be put in force").text(
                    "reason",
                    "Why, or by which decision?",
                    CODE_HINT,
                )],
                note: "Two other officers have to approve before it is in force.",
                needs_proof: false,
            },
            AgreementStatus::Draft => nothing("It is a draft: nothing can be shared under it."),
            AgreementStatus::Signed => nothing("A party's signature is missing, so it cannot be put in force."),
            _ => nothing(""),
        };
    };
    let withdraw = || form("withdraw", "", "Take the request back").secondary();
    if request.stored.requested_by == account {
        let note = "You asked for this: two other officers have to approve.";
        return Activating { forms: vec![withdraw()], note, needs_proof: false };
    }
    if request.approvals.iter().any(|officer| officer == account) {
        return nothing("You approved: another officer has to approve too.");
    }
    let note = "Approve only what you have read: with the second approval it is in force at once.";
    if !visitor.session.is_fresh {
        return Activating { forms: Vec::new(), note, needs_proof: true };
    }
    Activating { forms: vec![form("approve", "", "Approve")], note, needs_proof: false }
}

fn page_of(
    visitor: &Visitor,
    policies: &Policies,
    agreement: &Agreement,
    request: Option<&Request>,
    activating: Activating,
) -> AgreementPage {
    let text = &agreement.text;
    let parties = text.parties().iter().map(|party| PartyLine {
        name: words::agency(policies, &party.agency),
        signatory: party.signatory.clone(),
        is_signed: agreement.signed_by.contains(&party.agency),
    });
    let activation = request.map_or_else(Vec::new, |Request { stored, approvals }| {
        let by = if approvals.is_empty() { "nobody yet".to_owned() } else { approvals.join(", ") };
        vec![
            ("Asked for", format!("{}, by {}", words::moment(stored.requested_at), stored.requested_by)),
            ("Why", stored.reason.clone()),
            ("Approved", format!("{} of {APPROVALS}: {by}", approvals.len())),
        ]
    });
    AgreementPage {
        frame: visitor.frame(text.title(), &page::AGREEMENTS),
        line: line(agreement, &[]),
        sha256: text.hash().to_string(),
        objective: text.why().objective.clone(),
        reviewer: text.reviewer().to_owned(),
        parties: parties.collect(),
        groups: [
            TermGroup {
                heading: "What may be learned",
                terms: text.receives().iter().map(|clause| receive(clause, policies)).collect(),
            },
            TermGroup {
                heading: "What is supplied",
                terms: text.supplies().iter().map(|term| supply(term, policies)).collect(),
            },
        ],
        activation,
        fresh: activating.needs_proof.then(|| path(text.reference())),
        note: activating.note,
        forms: activating.forms,
    }
}

fn supply(term: &SupplyTerm, policies: &Policies) -> TermLine {
    TermLine {
        code: term.id.to_string(),
        plain: term.plain.clone(),
        from: words::agency(policies, &term.supplier),
        to: joined(term.recipients.iter().map(|agency| words::agency(policies, agency))),
        items: joined(&term.items),
        modes: joined(term.modes.iter().map(|mode| mode.as_str())),
        purposes: joined(&term.purposes),
        powers: joined(&term.power),
    }
}

fn receive(clause: &ReceiveClause, policies: &Policies) -> TermLine {
    TermLine {
        code: clause.id.to_string(),
        plain: clause.plain.clone(),
        from: joined(clause.suppliers.iter().map(|agency| words::agency(policies, agency))),
        to: words::agency(policies, &clause.recipient),
        items: joined(&clause.items),
        modes: joined(clause.modes.iter().map(|mode| mode.as_str())),
        purposes: joined(&clause.purposes),
        powers: joined(&clause.power),
    }
}

fn joined<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}
