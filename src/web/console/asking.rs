//! On what terms the data team's pages ask, and how a refusal is told. What the terms allow is decided by
//! the journeys, as for any caller of the API.

use axum::http::Uri;

use super::Console;
use super::frame::{Failed, Frame, capitalised};
use super::visitor::Visitor;
use crate::app::claim::ClaimError;
use crate::app::console::handles::{Handle, Subject};
use crate::app::enquire::EnquiryError;
use crate::app::families::FamilyError;
use crate::app::families::request::FamilyTerms;
use crate::app::match_run::{MatchRunError, RunTerms};
use crate::app::policies::Policies;
use crate::crypto::random::random_bytes;
use crate::domain::ids::PurposeCode;
use crate::domain::programme::Relationship;
use crate::domain::tfid::Tfid;
use crate::domain::token::encode_base64url;
use crate::web::api::form;

/// What the data team's part of the work is called in policy files.
pub(super) const DELIVERY: &str = crate::domain::family::CHANGING_PURPOSE;

/// The programme's purpose of this name.
pub(super) fn purpose(policies: &Policies, name: &str, frame: impl Fn() -> Frame) -> Result<PurposeCode, Failed> {
    let found = policies.programme().purposes().iter().find(|purpose| purpose.code.as_str() == name);
    found.map(|purpose| purpose.code.clone()).ok_or_else(|| {
        Failed::Stopped(
            Box::new(frame()),
            "The programme’s file declares no purpose that this page could ask for.".to_owned(),
        )
    })
}

/// The terms of a look at families.
pub(super) fn family_terms(
    console: &Console,
    visitor: &Visitor,
    policies: &Policies,
    purpose: &PurposeCode,
) -> Result<FamilyTerms, Failed> {
    let gateway = console.gateway();
    Ok(FamilyTerms {
        programme: gateway.programme().clone(),
        agreement: visitor.access.agreement.clone(),
        relationship: relationship(policies, purpose),
        purpose: purpose.clone(),
        role: visitor.access.role.clone(),
        case: gateway.console_sitting(&visitor.session)?,
        user: gateway.console_user(&visitor.session.account)?,
    })
}

/// The terms of a step of a match run.
pub(super) fn run_terms(
    console: &Console,
    visitor: &Visitor,
    policies: &Policies,
    purpose: &PurposeCode,
) -> Result<RunTerms, Failed> {
    Ok(RunTerms {
        agreement: visitor.access.agreement.clone(),
        relationship: relationship(policies, purpose),
        role: visitor.access.role.clone(),
        user: console.gateway().console_user(&visitor.session.account)?,
    })
}

/// The data team looks at lists: it says so where the purpose takes that.
pub(super) fn relationship(policies: &Policies, purpose: &PurposeCode) -> Relationship {
    let allowed = policies.programme().purpose(purpose).map(|purpose| &purpose.relationships);
    let takes = |wanted: &Relationship| allowed.is_some_and(|allowed| allowed.contains(wanted));
    let first = || allowed.and_then(|allowed| allowed.first().copied());
    Some(Relationship::Screening).filter(takes).or_else(first).unwrap_or(Relationship::Screening)
}

/// The family that a handle in an address stands for; an address of another session leads nowhere.
pub(super) async fn family_of(
    console: &Console,
    visitor: &Visitor,
    handle: &str,
    frame: impl Fn() -> Frame,
) -> Result<(Handle, Tfid), Failed> {
    let unknown = || Failed::Unknown(Box::new(frame()));
    let handle = Handle::parse(handle).ok_or_else(unknown)?;
    match console.gateway().behind_handle(&visitor.session, &handle).await? {
        Some(Subject::Family(tfid)) => Ok((handle, tfid)),
        _ => Err(unknown()),
    }
}

/// A parameter of an address.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let given = form::parse(uri.query().unwrap_or_default()).ok()?;
    given.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What makes a form good once: drawn when it is shown, sent back with it.
pub(super) fn once(console: &Console) -> String {
    encode_base64url(&random_bytes::<16>(console.gateway().random()))
}

/// The same, as it came back.
pub(super) fn once_of(posted: Option<&str>) -> Option<String> {
    let is_one = |text: &&str| crate::domain::token::decode_base64url::<16>(text).is_some();
    posted.filter(is_one).map(ToOwned::to_owned)
}

/// A look at families that was not given.
pub(super) fn of_family(error: FamilyError, frame: Frame) -> Failed {
    match error {
        FamilyError::Enquiry(error) => of_enquiry(error, frame),
        FamilyError::Request(fault) => Failed::Stopped(Box::new(frame), told(&fault)),
    }
}

/// A step of a match run that was not taken.
pub(super) fn of_run(error: MatchRunError, frame: Frame) -> Failed {
    match error {
        MatchRunError::Unknown => Failed::Unknown(Box::new(frame)),
        MatchRunError::Enquiry(error) => of_enquiry(error, frame),
        other => Failed::Stopped(Box::new(frame), told(&other)),
    }
}

/// A check of a claim that was not made.
pub(super) fn of_claim(error: ClaimError, frame: Frame) -> Failed {
    match error {
        ClaimError::Enquiry(error) => of_enquiry(error, frame),
        other => Failed::Stopped(Box::new(frame), told(&other)),
    }
}

/// A question that was not answered.
pub(super) fn of_enquiry(error: EnquiryError, frame: Frame) -> Failed {
    match error {
        EnquiryError::NotPermitted { hits, .. } => Failed::NotPermitted(Box::new(frame), hits),
        EnquiryError::CeilingReached { .. } => Failed::TooMany(Box::new(frame)),
        EnquiryError::Question(_) => Failed::Malformed(
            Box::new(frame),
            "The programme knows no such role or purpose: an operator has to mend this part's line of access.",
        ),
        EnquiryError::App(error) => Failed::Ours(error),
        other => Failed::Stopped(Box::new(frame), told(&other)),
    }
}

fn told(error: &impl std::fmt::Display) -> String {
    format!("{}.", capitalised(&error.to_string()))
}
