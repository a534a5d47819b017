//! An agency's own shields, and the days on which it means to look at them again.
//!
//! A shield never lapses by itself: it stands until the agency delivers the record without it. So that it
//! is not forgotten either, its agency notes a day for it, and is reminded of those that are overdue.
//! Only the roles that the agency's own file names as its shield officers see any of this, and of no
//! agency's records but its own. The entry of a day noted is the same for every record, restricted or
//! not, there or not: it tells nobody that there is a shield.

use jiff::civil::Date;

use super::caller::AgencyCaller;
use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{EventId, FeedCode, OpaqueRef, RoleCode};
use crate::domain::time::Timestamp;
use crate::store::{OwnShield, StoreError};
use crate::tlog::entry::{Body, ShieldReview, ShieldReviewCommitments};

/// Most shields of a page.
pub const PAGE: usize = 200;
/// The sealed opening of a record's name and its day has one length.
const REVIEW_LENGTH: usize = 256;

/// Why shields are not shown, or a day is not noted.
#[derive(Debug, thiserror::Error)]
pub enum ShieldError {
    /// The role is none of the shield officers' in the agency's own file.
    #[error("the agency's file does not name the role among its shield officers'")]
    NotAnOfficer,
    /// The day lies in the past.
    #[error("the day of the next review lies in the past")]
    Past,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for ShieldError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A page of an agency's own shields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShieldPage {
    /// By feed and reference.
    pub shields: Vec<OwnShield>,
    /// The day by which a shield is overdue.
    pub today: Option<Date>,
    /// Whether there is more.
    pub has_more: bool,
}

impl ShieldPage {
    /// Whether nobody has looked at a shield in time; one without a day is overdue from the start.
    pub fn is_overdue(&self, shield: &OwnShield) -> bool {
        shield.review_on.is_none_or(|day| self.today.is_some_and(|today| day < today))
    }
}

impl Gateway {
    /// The records that the caller's agency restricts itself, after one.
    ///
    /// # Errors
    ///
    /// [`ShieldError`].
    pub async fn own_shields(
        &self,
        caller: &AgencyCaller,
        role: &RoleCode,
        after: Option<(&FeedCode, &OpaqueRef)>,
    ) -> Result<ShieldPage, ShieldError> {
        self.check_shield_officer(caller, role).await?;
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let most = PAGE as i64 + 1;
        let found = self.store().own_shields(self.programme(), view.generation, &caller.agency, after, most).await?;
        let has_more = found.len() > PAGE;
        let shields = found.into_iter().take(PAGE).collect();
        Ok(ShieldPage { shields, today: Some(view.now.date()), has_more })
    }

    /// Notes the day on which the agency means to look at a record of its own again. It succeeds whatever
    /// the record is.
    ///
    /// # Errors
    ///
    /// [`ShieldError`].
    pub async fn note_shield_review(
        &self,
        caller: &AgencyCaller,
        role: &RoleCode,
        (feed, reference): (&FeedCode, &OpaqueRef),
        review_on: Date,
    ) -> Result<(EventId, Timestamp), ShieldError> {
        self.check_shield_officer(caller, role).await?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        if review_on < now.date() {
            return Err(ShieldError::Past);
        }
        let id = EventId::new(uuid_v7(now, self.random()));
        let told = format!("{feed}/{} {review_on}", reference.as_str());
        let (review, sealed) = self.commit(id, "review", told.into_bytes(), REVIEW_LENGTH)?;
        let body = ShieldReview {
            agency: caller.agency.clone(),
            client: code(&caller.client)?,
            role: role.clone(),
            commitments: ShieldReviewCommitments { review },
        };
        let mut event = self.event_with_id(id, now, Body::ShieldReview(body))?;
        event.recipient = Some(caller.agency.to_string());
        event.openings = vec![("review", sealed)];
        tx.note_shield_review(self.programme(), &caller.agency, (feed, reference), review_on, now).await?;
        tx.add_events(&[&event]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok((id, now))
    }

    async fn check_shield_officer(&self, caller: &AgencyCaller, role: &RoleCode) -> Result<(), ShieldError> {
        let policies = self.current_policies().await?;
        let agency = policies.agency(&caller.agency);
        let is_named = agency.is_some_and(|agency| agency.officers().shield_roles.contains(role));
        if is_named { Ok(()) } else { Err(ShieldError::NotAnOfficer) }
    }
}
