//! A vote as a browser posts it: signed there, over the text that was shown there.

use super::fields::{Choice as Offer, Form};
use super::form::Fields;
use super::visitor::Visitor;
use crate::app::reidentification::ReidView;
use crate::app::reidentification::view::Part;
use crate::domain::ids::OpaqueRef;
use crate::domain::reidentification::state::State;
use crate::domain::reidentification::vote::{Choice, Vote};

/// The step of the form.
pub(super) const VOTE: &str = "vote";
/// What is said of the reason.
const REASON_HINT: &str = "Only where you refuse. A code that goes into the log as it is, such as no-ground: letters, digits and - _ . \
     without spaces. Never anybody’s name.";

/// What an officer may vote now.
pub(super) fn choices(view: &ReidView, person: &OpaqueRef) -> Vec<Choice> {
    let has_approved = view.votes.iter().any(|vote| vote.person == *person && vote.choice == Choice::Approve);
    let is_before_answer = matches!(view.state, State::Voting {} | State::Authorised { .. } | State::Certified { .. });
    let mut choices = Vec::new();
    // The source approves beside its own record, which only its own machine can find.
    if matches!(view.state, State::Voting {}) && view.part == Part::Approver && !has_approved {
        choices.push(Choice::Approve);
    }
    if is_before_answer && has_approved {
        choices.push(Choice::Withdraw);
    }
    if (is_before_answer || matches!(view.state, State::Answered { .. })) && view.part != Part::Requester {
        choices.push(Choice::Refuse);
    }
    choices
}

/// The form that the browser signs and sends.
pub(super) fn form(visitor: &Visitor, path: &str, choices: &[Choice], person: &OpaqueRef) -> Form {
    let told = |choice: &Choice| {
        let (label, hint) = match choice {
            Choice::Approve => ("Approve", "It is lawful, it is needed, and less would not do."),
            Choice::Refuse => ("Refuse", "One refusal ends the request."),
            Choice::Withdraw => ("Take my approval back", "The request waits for approvals again."),
        };
        Offer { value: choice.as_str().to_owned(), label: label.to_owned(), hint }
    };
    Form::new(visitor, path, VOTE, "Your decision", "Sign and send")
        .radios("choice", "What do you decide?", "", choices.iter().map(told).collect())
        .text("reason", "Why do you refuse?", REASON_HINT)
        .hidden("agency", visitor.access.agency.as_str())
        .hidden("person", person.as_str())
        .hidden("at", "")
        .hidden("key", "")
        .hidden("signature", "")
}

/// Reads a posted vote; `None` when something is missing, which the form then says.
pub(super) fn read(form: &mut Form, posted: &Fields) -> Option<Vote> {
    let text = |name: &str| posted.get(name).unwrap_or_default().trim();
    let choices = [Choice::Approve, Choice::Refuse, Choice::Withdraw];
    let choice = choices.into_iter().find(|choice| choice.as_str() == text("choice"));
    let Some(choice) = choice else {
        form.fault("choice", "Choose what you decide");
        return None;
    };
    let reason = if choice == Choice::Refuse {
        let Ok(reason) = text("reason").parse() else {
            form.fault("reason", "Enter why you refuse, as a code such as no-ground");
            return None;
        };
        Some(reason)
    } else {
        None
    };
    let signed = || {
        Some(Vote {
            agency: text("agency").parse().ok()?,
            at: text("at").parse().ok()?,
            choice,
            key_id: Some(text("key")).filter(|key| !key.is_empty())?.to_owned(),
            person: OpaqueRef::parse(text("person")).ok()?,
            reason,
            record: None,
            signature: Some(text("signature")).filter(|signature| !signature.is_empty())?.to_owned(),
        })
    };
    let vote = signed();
    if vote.is_none() {
        form.refuse("This browser did not sign it. Nothing was sent on.");
    }
    vote
}
