//! Emergency enquiries: fast, recorded, and reviewed by somebody else before the day ends.
//!
//! Somebody asks with the relationship `emergency` and says what kind of danger there is. The clause has
//! to allow it; everything else is decided and answered like any enquiry, with nothing to wait for. The
//! entry carries the danger, and a row that is written with it waits for a review. A system of which one
//! is not reviewed in time gets no further emergency enquiry answered until it is; it may ask on every
//! other ground meanwhile.

use jiff::civil::Date;

use super::caller::AgencyCaller;
use super::enquire::EnquiryError;
use super::enquire::log_entry::Asked;
use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{EventId, OpaqueRef, RoleCode};
use crate::domain::time::Timestamp;
use crate::policy::rules::RuleHit;
use crate::store::{StoreError, StoredEmergency};
use crate::tlog::entry::{Body, EmergencyReview, ReviewerCommitments};

/// A review is never due earlier than this after the enquiry: an enquiry shortly before midnight would
/// have to be reviewed at once.
const AT_LEAST_SECONDS: i64 = 4 * 3600;
/// The refusal's code in the log, and why.
const UNREVIEWED: (&str, &str) = ("M01", "An emergency enquiry of this system was not reviewed by the end of its day.");
/// The sealed opening of a reference has one length.
const REFERENCE_LENGTH: usize = 96;

/// What a review comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewFinding {
    /// There was an emergency, and what was asked was needed.
    Justified,
    /// There was, but the record does not show it.
    RecordIncomplete,
    /// There was none, or less would have done.
    NotJustified,
}

impl ReviewFinding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Justified, Self::RecordIncomplete, Self::NotJustified];

    /// The word in requests and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::RecordIncomplete => "record-incomplete",
            Self::NotJustified => "not-justified",
        }
    }

    /// The finding of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.as_str() == text)
    }
}

/// Who reviews.
#[derive(Debug, Clone, Copy)]
pub enum Reviewer<'a> {
    /// An officer of the council, by account.
    Council(&'a str),
    /// Somebody at the asking agency: its system, the role and the user's keyed reference.
    Agency(&'a AgencyCaller, &'a RoleCode, &'a OpaqueRef),
}

/// Why a review is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// There is no such emergency enquiry, or it is another agency's.
    #[error("there is no such emergency enquiry of the caller's agency [emergency.unknown]")]
    Unknown,
    /// It was reviewed before.
    #[error("the emergency enquiry was reviewed before [emergency.reviewed]")]
    Reviewed,
    /// Whoever asked cannot review it.
    #[error("whoever asked cannot review it: somebody else has to [emergency.own]")]
    Own,
    /// The programme declares no such role, or the reason is no code.
    #[error("the programme declares no such role, or the reason is not a code [emergency.word]")]
    Word,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for ReviewError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A review that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reviewed {
    /// Its log entry.
    pub disclosure: EventId,
    /// When.
    pub at: Timestamp,
    /// Whether it came in time.
    pub is_in_time: bool,
}

impl Gateway {
    /// Whether an emergency is asked about by a system of which an earlier one is overdue.
    pub(super) async fn is_emergency_overdue(&self, asked: &Asked<'_>) -> Result<bool, StoreError> {
        if asked.question.emergency.is_none() {
            return Ok(false);
        }
        Ok(self.store().overdue_emergencies(&asked.caller.client, asked.view.now).await? > 0)
    }

    /// Writes the entry of the refusal. `None` when what it was decided on changed meanwhile.
    pub(super) async fn refused_unreviewed<T>(&self, asked: &Asked<'_>) -> Result<Option<T>, EnquiryError> {
        let hits = [RuleHit { rule: UNREVIEWED.0.to_owned(), say: UNREVIEWED.1.to_owned() }];
        let entry = self.refusal_entry(asked, &hits, &[])?;
        let Some((disclosure, receipt)) = self.write_refusal(asked, entry).await? else { return Ok(None) };
        metrics::counter!("porth_enquiries", "outcome" => "refused").increment(1);
        Err(EnquiryError::EmergencyUnreviewed { disclosure, receipt })
    }

    /// The emergency enquiries that nobody has reviewed: of the caller's agency.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn own_emergencies(&self, caller: &AgencyCaller) -> Result<Vec<StoredEmergency>, AppError> {
        Ok(self.store().unreviewed_emergencies(self.programme(), Some(&caller.agency)).await?)
    }

    /// The emergency enquiries that nobody has reviewed, of every agency: for the council's officers.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn all_emergencies(&self) -> Result<Vec<StoredEmergency>, AppError> {
        Ok(self.store().unreviewed_emergencies(self.programme(), None).await?)
    }

    /// Reviews an emergency enquiry. The asker's system may ask in emergencies again from then on.
    ///
    /// # Errors
    ///
    /// [`ReviewError`].
    pub async fn review_emergency(
        &self,
        reviewer: Reviewer<'_>,
        entry: EventId,
        finding: ReviewFinding,
        reason: &str,
    ) -> Result<Reviewed, ReviewError> {
        let reason = reason.parse().map_err(|_| ReviewError::Word)?;
        let stored = self.store().emergency(entry).await?.ok_or(ReviewError::Unknown)?;
        if let Reviewer::Agency(caller, role, user) = reviewer {
            if stored.agency != caller.agency {
                return Err(ReviewError::Unknown);
            }
            let policies = self.current_policies().await?;
            policies.programme().role(role).ok_or(ReviewError::Word)?;
            if self.asked_by(entry).await?.is_none_or(|asker| asker == *user) {
                return Err(ReviewError::Own);
            }
        }
        if stored.reviewed.is_some() {
            return Err(ReviewError::Reviewed);
        }
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let id = EventId::new(uuid_v7(now, self.random()));
        let is_in_time = now <= stored.due_at;
        let (mut openings, mut commitments) = (Vec::new(), None);
        let (mut client, mut role, mut by) = (None, None, None);
        match reviewer {
            Reviewer::Council(account) => by = Some(account.parse().map_err(|_| ReviewError::Word)?),
            Reviewer::Agency(caller, as_role, user) => {
                let user = user.as_str().as_bytes().to_vec();
                let (actor, sealed) = self.commit(id, "actor", user, REFERENCE_LENGTH)?;
                openings.push(("actor", sealed));
                commitments = Some(ReviewerCommitments { actor });
                (client, role) = (Some(code(&caller.client)?), Some(as_role.clone()));
            }
        }
        let body = EmergencyReview {
            entry,
            agency: stored.agency.clone(),
            client,
            role,
            by,
            finding: code(finding.as_str())?,
            reason,
            in_time: is_in_time.into(),
            commitments,
        };
        let mut event = self.event_with_id(id, now, Body::EmergencyReview(body))?;
        event.recipient = Some(stored.agency.to_string());
        event.openings = openings;
        if !tx.review_emergency(entry, now, id).await? {
            return Err(ReviewError::Reviewed);
        }
        tx.add_events(&[&event]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(Reviewed { disclosure: id, at: now, is_in_time })
    }

    /// The keyed reference of the user who asked; `None` once that was erased.
    async fn asked_by(&self, entry: EventId) -> Result<Option<OpaqueRef>, AppError> {
        let Some(sealed) = self.store().sealed_entry(entry, "actor").await? else { return Ok(None) };
        let text = self.open_field(entry, "actor", &sealed.sealed)?;
        Ok(std::str::from_utf8(&text).ok().and_then(|text| OpaqueRef::parse(text).ok()))
    }
}

/// The row that waits for a review of an emergency; `None` for any other question.
pub(super) fn emergency_of(id: EventId, asked: &Asked<'_>) -> Option<StoredEmergency> {
    asked.question.emergency?;
    let at = asked.view.now;
    Some(StoredEmergency {
        event: id,
        agency: asked.caller.agency.clone(),
        client: asked.caller.client.clone(),
        at,
        due_at: due_at(at),
        reviewed: None,
    })
}

/// The end of the day, or four hours later where the day ends sooner.
fn due_at(at: Timestamp) -> Timestamp {
    let tomorrow: Date = at.date().tomorrow().unwrap_or(Date::MAX);
    Timestamp::start_of(tomorrow).max(at.plus_seconds(AT_LEAST_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_is_due_at_the_end_of_the_day_and_never_in_less_than_four_hours() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert_eq!(due_at(at("2026-09-20T10:15:00.000000Z")), at("2026-09-21T00:00:00.000000Z"));
        assert_eq!(due_at(at("2026-09-20T23:50:00.000000Z")), at("2026-09-21T03:50:00.000000Z"));
    }

    #[test]
    fn findings_are_known_by_their_words() {
        for finding in ReviewFinding::ALL {
            assert_eq!(ReviewFinding::parse(finding.as_str()), Some(finding));
        }
        assert_eq!(ReviewFinding::parse("fine"), None);
    }
}
