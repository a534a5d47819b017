//! The data team asks who somebody is. The family's number comes in the form's body alone, and is never shown
//! again.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::fields::{Choice, Form};
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, capitalised, see_other};
use super::reids::{failed, party, path};
use super::visitor::Visitor;
use super::{page, reid_words, words};
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::app::reidentification::{NewReidentification, ReidError};
use crate::crypto::random::{random_bytes, uuid_v7};
use crate::domain::law;
use crate::domain::programme::Relationship;
use crate::domain::reidentification::request::RequestFault;
use crate::domain::reidentification::term::ReidentifyTerm;
use crate::domain::reidentification::{Field, Handling};
use crate::domain::tfid::Tfid;
use crate::domain::token::encode_base64url;

/// The page's own path.
const PATH: &str = "/reidentifications/new";
/// The longest name of a piece of work.
const LONGEST_WORK: usize = 200;

#[derive(Template)]
#[template(path = "reid_ask.html")]
pub(super) struct AskPage {
    frame: Frame,
    system: String,
    missing: Option<&'static str>,
    form: Option<Form>,
}

/// Shows the form.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<AskPage>, Failed> {
    let gateway = console.gateway();
    let form = match form_of(gateway, &visitor).await? {
        Ok(form) => Ok(fresh(gateway, form).await?),
        Err(missing) => Err(missing),
    };
    Ok(Shown(page_of(&visitor, form)))
}

/// Asks.
pub(super) async fn ask(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let gateway = console.gateway();
    let frame = || visitor.frame("Ask who somebody is", &page::REIDENTIFICATIONS);
    let mut form = match form_of(gateway, &visitor).await? {
        Ok(form) => form,
        Err(missing) => return Err(Failed::Stopped(Box::new(frame()), missing.to_owned())),
    };
    form.take(&fields);
    if let Some((key, new)) = read(&mut form, gateway, &visitor) {
        match gateway.request_reidentification(&party(&visitor), &new, &key).await {
            Ok(view) => return Ok(see_other(&path(view.id), "ask")),
            Err(ReidError::Form(fault)) => {
                let at = match fault {
                    RequestFault::Reason => "reason",
                    RequestFault::Fields => "fields",
                    RequestFault::Expiry => "hours",
                    RequestFault::Form => "source",
                };
                form.fault(at, capitalised(&fault.to_string()));
            }
            Err(ReidError::Recipient) => form.fault("recipient", "This key is not enrolled any more"),
            Err(ReidError::KeyReused | ReidError::Nonce) => {
                form.refuse("This form was sent before, with something else in it. Open the page anew.");
            }
            Err(error) => return Err(failed(error, frame())),
        }
    }
    for name in ["family", "person"] {
        form.forget(name);
    }
    let faults = form.faults();
    let mut shown = page_of(&visitor, Ok(form));
    shown.frame = shown.frame.clone().with_faults(faults);
    Ok(Again(shown).into_response())
}

fn page_of(visitor: &Visitor, form: Result<Form, &'static str>) -> AskPage {
    AskPage {
        frame: visitor.frame("Ask who somebody is", &page::REIDENTIFICATIONS),
        system: visitor.access.system.clone().unwrap_or_default(),
        missing: form.as_ref().err().copied(),
        form: form.ok(),
    }
}

/// The form, or what is missing before anything can be asked here.
async fn form_of(gateway: &Gateway, visitor: &Visitor) -> Result<Result<Form, &'static str>, Failed> {
    if visitor.access.system.is_none() {
        return Ok(Err(
            "No system of your agency is named that would collect what is asked here. Ask on the command line, or have \
             the operator name one in this part’s line of access.",
        ));
    }
    let policies = gateway.current_policies().await?;
    let agreement = policies.book().agreement(&visitor.access.agreement);
    let terms: Vec<&ReidentifyTerm> = agreement
        .into_iter()
        .flat_map(|agreement| agreement.text.reidentifies())
        .filter(|term| term.requester == visitor.access.agency)
        .collect();
    if terms.is_empty() {
        return Ok(Err("Your agreement has no term under which your agency may ask who somebody is."));
    }
    let recipients = gateway.recipient_keys(&visitor.access.agency).await?;
    if recipients.is_empty() {
        return Ok(Err(
            "No key is enrolled to which an identity for your agency could be sealed. Make one on your own machine \
             with `porth reid key --for recipient`, and have its card enrolled.",
        ));
    }
    let recipients = recipients.iter().map(|key| Choice::of(&key.key_id, key.key_id.clone())).collect();
    let form = Form::new(visitor, PATH, "ask", "", "Ask")
        .hidden("key", "")
        .hidden("nonce", "")
        .text("family", "The family’s number", "It is not shown again, and stands in no address.")
        .text(
            "person",
            "The person’s handle, if one is meant",
            "From a lookup of the family. Without one an adult of the family is meant, whoever has parental responsibility first.",
        )
        .select("source", "Which agency do you ask?", "", sources(&terms, &policies))
        .checkboxes("fields", "What do you need to know?", "No more than the purpose needs.", fields(&terms))
        .paragraph(
            "reason",
            "Why this person?",
            "20 to 500 characters on one line. Officers of other agencies read it: it names nobody.",
        )
        .select("purpose", "What for?", "", purposes(&terms, &policies))
        .select("power", "By which law?", "", powers(&terms))
        .radios("relationship", "Why this family now?", "", relationships(&terms, &policies))
        .text(
            "case",
            "Your reference of the piece of work",
            "It leaves this page as a keyed reference only, and is not kept.",
        )
        .select("recipient", "To which key is it sealed?", "The key that your own machine opens it with.", recipients)
        .radios("handling", "How urgent is it?", "", handlings(&terms))
        .number("hours", "For how many hours may it wait?", "72 at the most; in an emergency 4.");
    Ok(Ok(form))
}

/// With what makes the form good once: its name for the call, and the number by which only the requester can
/// say whom the request is about.
async fn fresh(gateway: &Gateway, form: Form) -> Result<Form, Failed> {
    let now = gateway.store().now().await.map_err(crate::app::error::AppError::from)?;
    let key = uuid_v7(now, gateway.random()).to_string();
    let nonce = encode_base64url(&random_bytes::<32>(gateway.random()));
    let form = form.with("key", key).with("nonce", nonce).with("hours", "24");
    Ok(form.with("handling", Handling::Ordinary.as_str()))
}

fn read(form: &mut Form, gateway: &Gateway, visitor: &Visitor) -> Option<(String, NewReidentification)> {
    let key = form.optional_text("key").filter(|key| key.parse::<uuid::Uuid>().is_ok());
    let nonce = form.optional_text("nonce");
    let family = form.optional_text("family").and_then(|text| Tfid::parse(&text).ok());
    if family.is_none() {
        form.fault("family", "Enter the family’s number, as the programme writes it");
    }
    let case = form.optional_text("case").filter(|case| case.len() <= LONGEST_WORK);
    if case.is_none() {
        form.fault("case", "Enter your reference of the piece of work, in 200 characters at the most");
    }
    let reason = form.optional_text("reason");
    if reason.is_none() {
        form.fault("reason", "Enter why this person");
    }
    let (source, purpose, power) = (form.chosen("source"), form.chosen("purpose"), form.chosen("power"));
    let fields: Vec<Field> = form.checked("fields");
    let word = form.optional_text("relationship").unwrap_or_default();
    let relationship = Relationship::ALL.into_iter().find(|known| known.as_str() == word);
    if relationship.is_none() {
        form.fault("relationship", "Choose: why this family now");
    }
    let recipient = form.optional_text("recipient");
    let handling = match form.optional_text("handling").as_deref() {
        Some("ordinary") => Some(Handling::Ordinary),
        Some("emergency") => Some(Handling::Emergency),
        _ => None,
    };
    if handling.is_none() {
        form.fault("handling", "Choose: how urgent is it");
    }
    let longest = handling.unwrap_or(Handling::Ordinary).longest_hours();
    let hours = form.whole("hours", u64::from(longest));
    let person = form.optional_text("person");
    if !form.faults().is_empty() {
        return None;
    }
    let new = NewReidentification {
        agreement: visitor.access.agreement.clone(),
        source: source?,
        family: family?,
        person,
        nonce: nonce.unwrap_or_default(),
        purpose: purpose?,
        power: power?,
        relationship: relationship?,
        role: visitor.access.role.clone(),
        case: gateway.console_case(&case?),
        user: gateway.console_person(&visitor.session.account),
        fields,
        reason: reason?,
        recipient: recipient.unwrap_or_default(),
        hours: u32::try_from(hours?).ok()?,
        handling: handling?,
    };
    let Some(key) = key else {
        form.refuse("This form is not whole. Open the page anew.");
        return None;
    };
    Some((key, new))
}

fn sources(terms: &[&ReidentifyTerm], policies: &Policies) -> Vec<Choice> {
    let codes: BTreeSet<_> = terms.iter().flat_map(|term| &term.sources).collect();
    offered(codes.into_iter().map(|code| Choice::of(code, words::agency(policies, code))))
}

fn purposes(terms: &[&ReidentifyTerm], policies: &Policies) -> Vec<Choice> {
    let codes: BTreeSet<_> = terms.iter().flat_map(|term| &term.purposes).collect();
    let plain = |code| policies.programme().purpose(code).map_or_else(|| code.to_string(), |it| it.plain.clone());
    offered(codes.into_iter().map(|code| Choice::of(code, plain(code))))
}

fn powers(terms: &[&ReidentifyTerm]) -> Vec<Choice> {
    let codes: BTreeSet<_> = terms.iter().flat_map(|term| &term.power).collect();
    let plain = |code: &str| law::plain(&law::POWERS, code).unwrap_or(code).to_owned();
    offered(codes.into_iter().map(|code| Choice::of(code, plain(code.as_str()))))
}

fn relationships(terms: &[&ReidentifyTerm], policies: &Policies) -> Vec<Choice> {
    let purposes = terms.iter().flat_map(|term| &term.purposes);
    let allowed: BTreeSet<Relationship> = purposes
        .filter_map(|code| policies.programme().purpose(code))
        .flat_map(|purpose| purpose.relationships.iter().copied())
        .collect();
    let rules = policies.programme().relationships().iter().filter(|rule| allowed.contains(&rule.code));
    rules.map(|rule| Choice::of(rule.code.as_str(), rule.plain.clone())).collect()
}

fn fields(terms: &[&ReidentifyTerm]) -> Vec<Choice> {
    let fields: BTreeSet<Field> = terms.iter().flat_map(|term| term.fields.iter().copied()).collect();
    fields.into_iter().map(|field| Choice::of(field.as_str(), capitalised(reid_words::field(field)))).collect()
}

fn handlings(terms: &[&ReidentifyTerm]) -> Vec<Choice> {
    let choice = |handling: Handling| Choice::of(handling.as_str(), reid_words::handling(handling));
    let emergency = terms.iter().any(|term| term.emergency).then(|| choice(Handling::Emergency));
    std::iter::once(choice(Handling::Ordinary)).chain(emergency).collect()
}

/// Choices of a list in which nothing is chosen at first, unless there is only one.
fn offered(choices: impl Iterator<Item = Choice>) -> Vec<Choice> {
    let mut choices: Vec<Choice> = choices.collect();
    if choices.len() > 1 {
        choices.insert(0, Choice::of("", "Choose"));
    }
    choices
}
