//! The programme team checks how far a claim for one of its families would be carried: the evidence at
//! engagement compared with the evidence now, by the rules of [`crate::domain::claim`].
//!
//! The engagement is one that the same agency recorded by [`crate::app::claim`]; the family as at now is
//! found by its number. People then and now are matched by the records that they share, so an engagement of
//! another family finds what an unknown family finds. It is a look: it makes no claim, and its entry is no
//! claim check that an auditor could be handed.

use jiff::civil::Date;
use serde::Serialize;

use super::request::FamilyTerms;
use super::{FamilyEntry, FamilyError, MOST_TRIES, subject};
use crate::app::caller::AgencyCaller;
use crate::app::claim::ClaimError;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::agreement::AnswerMode;
use crate::domain::claim::{ClaimCheck, Person, RecordName, Route, Seen};
use crate::domain::ids::EventId;
use crate::domain::tfid::Tfid;
use crate::domain::time::Timestamp;

/// What is to be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FamilyClaim {
    /// Under what: for the purpose that the programme file gives claims.
    pub terms: FamilyTerms,
    /// The family's number.
    pub tfid: Tfid,
    /// The log entry of its engagement.
    pub engagement: EventId,
    /// On which ground a result would be claimed.
    pub route: Route,
}

/// What came of it, with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyClaimed {
    /// Its place in the log.
    pub entry: FamilyEntry,
    /// The day of engagement, as stated.
    pub engaged_on: Date,
    /// When the evidence was looked at then.
    pub engaged_at: Timestamp,
    /// The comparison.
    pub check: ClaimCheck,
}

impl From<FamilyError> for ClaimError {
    fn from(error: FamilyError) -> Self {
        match error {
            FamilyError::Enquiry(error) => Self::Enquiry(error),
            FamilyError::Request(_) => Self::NotAClaim,
        }
    }
}

impl Gateway {
    /// Compares a family at engagement with the same family now.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]; refusals by agreement are in the log.
    pub async fn check_family_claim(
        &self,
        caller: &AgencyCaller,
        request: &FamilyClaim,
    ) -> Result<FamilyClaimed, ClaimError> {
        for _ in 0..MOST_TRIES {
            if let Some(claimed) = self.try_family_claim(caller, request).await? {
                return Ok(claimed);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_family_claim(
        &self,
        caller: &AgencyCaller,
        request: &FamilyClaim,
    ) -> Result<Option<FamilyClaimed>, ClaimError> {
        let stage = self.family_stage().await?;
        let rules = stage.policies.programme().claim().ok_or(ClaimError::NotAClaim)?;
        if request.terms.purpose != rules.purpose {
            return Err(ClaimError::NotAClaim);
        }
        let question = self.family_question(&request.terms, AnswerMode::Criteria, &stage.policies)?;
        let about = subject([&request.tfid]);
        let Some(permission) = self.permit_family_look(&stage, caller, &question, about, Ok(())).await? else {
            return Ok(None);
        };
        let (engagement, past) = self.engagement_of(caller, request.engagement).await?;
        let then = past.persons().ok_or(ClaimError::UnknownEngagement)?;
        let standing = self.family_standing(&request.tfid).await?;
        let found = self.find_family(&permission, &standing.records).await?;
        // A family of which nothing may be seen is compared like one that was never issued.
        let is_seen = standing.if_seen(&found).is_some();
        let now: Vec<Person> = found.people.iter().filter(|_| is_seen).map(person).collect();
        let (before, facts) = (past.facts(), permission.facts());
        let check = ClaimCheck::of(
            request.route,
            Seen { persons: &then, facts: &before },
            Seen { persons: &now, facts: &facts },
        );
        let check = check.ok_or(ClaimError::NotAClaim)?;
        let Some(entry) = self.release_family(&permission, &found, &check).await? else { return Ok(None) };
        Ok(Some(FamilyClaimed { entry, engaged_on: engagement.engaged_on, engaged_at: past.at, check }))
    }
}

fn person(found: &crate::app::enquire::family::FamilyPerson) -> Person {
    let name = |name: &crate::domain::family::RecordName| RecordName {
        agency: name.agency.clone(),
        feed: name.feed.clone(),
        reference: name.reference.clone(),
    };
    Person { records: found.records.iter().map(name).collect(), member: found.member.clone() }
}
