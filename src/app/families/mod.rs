//! Families as the programme keeps them: numbers, records, history, lead and contact.
//!
//! | file | journey |
//! |---|---|
//! | [`lookup`] | the programme team looks a family up by its number |
//! | [`list`] | it reads which families there are and who works with them, page by page |
//! | [`claim`] | it checks how far a claim for a family would be carried, without making one |
//! | [`decide`] | it issues numbers, attaches, adds to, merges and splits families |
//! | [`issue`] | candidate families get their numbers |
//! | [`lead`] | it notes who leads, and who no longer does |
//! | [`engagement`] | contact since attachment is noted; nobody leading while areas are met raises an alert |
//! | [`request`] | what the team asks and decides |
//! | `subject` | whom a request to re-identify means, for the source alone |
//! | [`change`] | a decided change, its log entries and its history, in one transaction |
//!
//! A family is never shown as such from its row: every look at one is decided by the agreements,
//! computed from the records that these let the asker see, and logged, exactly as an enquiry about a
//! person. A family of which no record may be seen (shielded, retracted, outside the set) is answered
//! as a number that was never issued.

pub mod change;
pub mod claim;
pub mod decide;
pub mod engagement;
pub mod issue;
pub mod lead;
pub mod list;
pub mod lookup;
pub mod request;
pub(super) mod subject;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::request::FamilyTerms;
use super::enquire::family::{FoundFamily, Logged, Permission};
use super::enquire::{EnquiryError, Question, QuestionFault};
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::Policies;
use crate::domain::agreement::AnswerMode;
use crate::domain::family::{CHANGING_PURPOSE, RecordName};
use crate::domain::ids::{AgencyCode, FeedCode};
use crate::domain::item::Item;
use crate::domain::submission::{SCHEME, TokensByEpoch};
use crate::domain::tfid::Tfid;
use crate::domain::token::encode_base64url;
use crate::linkage::standing_family::{Dweller, FeedName, standing_families};
use crate::store::{StoreError, StoredFamily};

pub use super::enquire::family::Logged as FamilyEntry;

/// How often a request is decided anew because something changed meanwhile.
const MOST_TRIES: usize = 4;

/// Why families are not looked at or changed. None of it depends on a family.
#[derive(Debug, thiserror::Error)]
pub enum FamilyError {
    /// As for an enquiry: refused by agreement, over the ceiling, at fault.
    #[error(transparent)]
    Enquiry(#[from] EnquiryError),
    /// The request itself is at fault.
    #[error(transparent)]
    Request(#[from] FamilyFault),
}

impl From<AppError> for FamilyError {
    fn from(error: AppError) -> Self {
        Self::Enquiry(error.into())
    }
}
impl From<StoreError> for FamilyError {
    fn from(error: StoreError) -> Self {
        Self::Enquiry(error.into())
    }
}

/// What is wrong with a request about families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FamilyFault {
    /// Areas are needed, and the mode draws on none.
    #[error("this needs an answer mode that draws on areas: count, areas or criteria")]
    Mode,
    /// No such agency or team.
    #[error("the agency's file lists no such team")]
    Team,
    /// Too few or too many in a list.
    #[error("a request has 1 to 100 candidates of 1 to 64 records each")]
    Count,
    /// A lead does not begin or end in the future.
    #[error("the month lies in the future")]
    Month,
}

impl FamilyFault {
    /// The code in answers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mode => "family.mode",
            Self::Team => "family.team",
            Self::Count => "family.count",
            Self::Month => "family.month",
        }
    }
}

/// What became of a decision about one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done.
    Done,
    /// It was so already.
    Already,
    /// No record of such a family may be seen: never issued, shielded, retracted or outside the set.
    Unknown,
    /// Too few areas are met within what may be heard.
    NotEligible,
    /// The data have not been validated.
    NotValidated,
    /// The evidence of addresses does not make these people one family.
    NotOneFamily,
    /// The month lies before the lead began.
    TooEarly,
    /// Nobody leads, so no lead can end.
    NoLead,
    /// The agreements do not let the asker hear that this agency leads.
    Withheld,
}

/// What became of a decision about one family, and the family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// What became of it.
    pub outcome: Outcome,
    /// The family; absent when it is unknown.
    pub family: Option<Tfid>,
}

impl Decided {
    fn unknown() -> Self {
        Self { outcome: Outcome::Unknown, family: None }
    }

    fn of(outcome: Outcome, family: &Tfid) -> Self {
        Self { outcome, family: Some(*family) }
    }
}

/// The answer to a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionReply {
    /// The log entries of what was disclosed with it.
    pub entries: Vec<Logged>,
    /// What became of it, family by family.
    pub results: Vec<Decided>,
    /// Whether nobody leads while areas are still met; absent where that was not looked at.
    pub continuity_alert: Option<bool>,
}

/// A family that stands, with its records; nothing for a number that was never issued.
struct Standing {
    family: Option<StoredFamily>,
    records: BTreeSet<RecordName>,
}

impl Standing {
    /// The family, when the look showed somebody who belongs to it.
    fn if_seen(&self, found: &FoundFamily) -> Option<&StoredFamily> {
        let is_seen = found.people.iter().flat_map(|person| &person.records).any(|name| self.records.contains(name));
        self.family.as_ref().filter(|_| is_seen)
    }
}

impl Gateway {
    /// The family of a number, or that which it became part of. The same questions are asked of the
    /// database whatever there is.
    async fn family_standing(&self, tfid: &Tfid) -> Result<Standing, StoreError> {
        let named = self.store().family(self.programme(), tfid).await?;
        let survivor = named.and_then(|family| family.merged_into).unwrap_or(*tfid);
        let family = self.store().family(self.programme(), &survivor).await?;
        let records = self.store().family_records(&survivor).await?;
        Ok(Standing { family, records: records.into_iter().collect() })
    }

    /// The terms of a request as the question that policy decides and the log keeps.
    fn family_question(
        &self,
        terms: &FamilyTerms,
        mode: AnswerMode,
        policies: &Policies,
    ) -> Result<Question, FamilyError> {
        let fault = |fault: QuestionFault| FamilyError::Enquiry(fault.into());
        if &terms.programme != self.programme() {
            return Err(fault(QuestionFault::Programme));
        }
        let programme = policies.programme();
        if programme.purpose(&terms.purpose).is_none() || programme.role(&terms.role).is_none() {
            return Err(fault(QuestionFault::Undeclared));
        }
        QuestionFault::unless_calm(terms.relationship).map_err(fault)?;
        Ok(Question {
            programme: terms.programme.clone(),
            agreement: terms.agreement.clone(),
            purpose: terms.purpose.clone(),
            mode,
            relationship: terms.relationship,
            emergency: None,
            role: terms.role.clone(),
            case: terms.case.clone(),
            user: terms.user.clone(),
            scheme: SCHEME.to_owned(),
            norm: policies.norm(),
            epochs: Vec::new(),
            tokens: TokensByEpoch::default(),
            household: TokensByEpoch::default(),
        })
    }

    /// A handle of a person in a family, good for one asker: it names no record, and another asker's
    /// handle of the same person is another.
    fn person_handle(&self, asker: &AgencyCode, family: &Tfid, records: &[RecordName]) -> String {
        let first = records
            .iter()
            .min()
            .map_or_else(String::new, |name| format!("{}/{}/{}", name.agency, name.feed, name.reference.as_str()));
        encode_base64url(&self.keys().tagger.reply(asker.as_str(), &family.to_text(), first.as_bytes())[..16])
    }

    /// Binds an idempotency key to the request that carried it, and to the path.
    fn family_request_tags(
        &self,
        client: &str,
        key: &str,
        path: &str,
        request: &impl Serialize,
    ) -> Result<([u8; 32], [u8; 32]), AppError> {
        let bytes = serde_json::to_vec(request).map_err(|_| AppError::Internal("a request cannot be written"))?;
        let tagger = &self.keys().tagger;
        Ok((tagger.reply(client, key, path.as_bytes()), tagger.reply(client, "family", &bytes)))
    }
}

/// Families are changed for one purpose alone.
fn may_change(terms: &FamilyTerms) -> Result<(), (&'static str, &'static str)> {
    if terms.purpose.as_str() == CHANGING_PURPOSE {
        Ok(())
    } else {
        Err(("F02", "Families are changed for programme delivery alone; for other purposes they are read."))
    }
}

/// The numbers that a look is about, as its entry commits to them.
fn subject<'t>(families: impl IntoIterator<Item = &'t Tfid>) -> Vec<u8> {
    let texts: Vec<String> = families.into_iter().map(Tfid::to_text).collect();
    texts.join(" ").into_bytes()
}

/// Whether a set may hear an agency on an item, by any of its feeds.
fn hears(permission: &Permission<'_>, agency: &AgencyCode, item: &Item) -> bool {
    permission.set.feeds_of(item).iter().any(|(supplier, _)| *supplier == agency)
}

/// Whether these people stand as one family by the evidence of their addresses.
fn are_one_family<'d>(dwellers: impl IntoIterator<Item = &'d Dweller>, policies: &Policies) -> bool {
    let dwellers: Vec<Dweller> = dwellers.into_iter().cloned().collect();
    let everybody: Vec<usize> = (0..dwellers.len()).collect();
    standing_families(&dwellers, is_authoritative(policies)).families.contains(&everybody)
}

/// Whether the programme takes a feed's word on where people live.
fn is_authoritative(policies: &Policies) -> impl Fn(&FeedName) -> bool + '_ {
    move |(agency, feed): &(AgencyCode, FeedCode)| {
        policies.programme().feed(agency, feed).is_some_and(|feed| feed.authoritative_for_addresses)
    }
}

/// Kept out of handlers: a stage belongs to one try.
type Tried<T> = Result<Option<T>, FamilyError>;
