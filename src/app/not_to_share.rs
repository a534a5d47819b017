//! Somebody was asked to share and decided not to: that decision is recorded like any other.
//!
//! An agency records its own; an officer records one of any agency. Nothing of the person is said but
//! the agency's own keyed reference of its case, which is sealed.

use super::caller::AgencyCaller;
use super::enrol::code;
use super::error::AppError;
use super::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{AgencyCode, AgreementRef, EventId, OpaqueRef, PurposeCode, RoleCode};
use crate::domain::time::Timestamp;
use crate::store::{KeptReply, StoreError, StoredReply};
use crate::tlog::entry::{Body, Code, Entry, NotShared, NotSharedCommitments};
use crate::tlog::merkle::leaf_hash;

/// The sealed opening of a reference has one length.
const REFERENCE_LENGTH: usize = 96;
/// How long a repeat of a request is known.
const REPLY_SECONDS: i64 = 24 * 3600;
/// Most items of one decision.
const MOST_ITEMS: usize = 32;

/// A decision not to share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSharing {
    /// Who asked: an agency's code, or what it is.
    pub asked_by: Code,
    /// What was asked for.
    pub items: Vec<Code>,
    /// What for.
    pub purpose: PurposeCode,
    /// The agreement that was pointed to.
    pub agreement: Option<AgreementRef>,
    /// Why it was declined.
    pub reason: Code,
    /// The law that the decision rests on.
    pub basis: Code,
    /// The agency's own keyed reference of its case.
    pub case: Option<OpaqueRef>,
}

/// Who decided.
#[derive(Debug, Clone, Copy)]
pub enum Decider<'a> {
    /// An officer, for an agency, by account.
    Officer(&'a str, &'a AgencyCode),
    /// The agency itself: its system, the role, the user's keyed reference and the idempotency key.
    Agency(&'a AgencyCaller, &'a RoleCode, &'a OpaqueRef, &'a str),
}

/// Why the decision is not recorded.
#[derive(Debug, thiserror::Error)]
pub enum NotSharingError {
    /// The programme does not know the agency, purpose or role.
    #[error("the programme declares no such agency, purpose or role [not_to_share.undeclared]")]
    Undeclared,
    /// No items, too many, or one twice.
    #[error("name 1 to 32 different items that were asked for [not_to_share.items]")]
    Items,
    /// The idempotency key was used for another decision.
    #[error("the idempotency key was used for another decision")]
    KeyReused,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for NotSharingError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// A decision that is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSharedEntry {
    /// Its log entry.
    pub disclosure: EventId,
    /// When.
    pub at: Timestamp,
    /// Signed promise that it is in the log.
    pub receipt: String,
}

/// The client of a request, where a repeat of it is found, and the hash that binds the key to it.
type RequestTags = (String, [u8; 32], [u8; 32]);

impl Gateway {
    /// Records a decision not to share. An agency's request under the same key is recorded once.
    ///
    /// # Errors
    ///
    /// [`NotSharingError`].
    pub async fn decide_not_to_share(
        &self,
        decider: Decider<'_>,
        what: &NotSharing,
    ) -> Result<NotSharedEntry, NotSharingError> {
        let policies = self.current_policies().await?;
        let programme = policies.programme();
        let agency = match decider {
            Decider::Officer(_, agency) => agency,
            Decider::Agency(caller, role, ..) => {
                programme.role(role).ok_or(NotSharingError::Undeclared)?;
                &caller.agency
            }
        };
        let known = policies.agency(agency).is_some() && programme.purpose(&what.purpose).is_some();
        if !known {
            return Err(NotSharingError::Undeclared);
        }
        let mut items = what.items.clone();
        items.sort();
        items.dedup();
        if items.is_empty() || items.len() > MOST_ITEMS || items.len() != what.items.len() {
            return Err(NotSharingError::Items);
        }

        if let Some(before) = self.decided_before(decider, what).await? {
            return Ok(before);
        }
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let id = EventId::new(uuid_v7(now, self.random()));
        let mut openings = Vec::new();
        let mut sealed = |field: &'static str, reference: &OpaqueRef| {
            let text = reference.as_str().as_bytes().to_vec();
            let (commitment, opening) = self.commit(id, field, text, REFERENCE_LENGTH)?;
            openings.push((field, opening));
            Ok::<_, AppError>(commitment)
        };
        let case = what.case.as_ref().map(|case| sealed("case", case)).transpose()?;
        let (mut client, mut role, mut by, mut actor) = (None, None, None, None);
        match decider {
            Decider::Officer(account, _) => by = Some(code(account)?),
            Decider::Agency(caller, as_role, user, _) => {
                (client, role) = (Some(code(&caller.client)?), Some(as_role.clone()));
                actor = Some(sealed("actor", user)?);
            }
        }
        let body = NotShared {
            agency: agency.clone(),
            asked_by: what.asked_by.clone(),
            items,
            purpose: what.purpose.clone(),
            agreement: what.agreement.clone(),
            reason: what.reason.clone(),
            basis: what.basis.clone(),
            client,
            role,
            by,
            commitments: NotSharedCommitments { case, actor },
        };
        let mut event = self.event_with_id(id, now, Body::NotShared(body))?;
        event.recipient = Some(agency.to_string());
        event.agreement = what.agreement.as_ref().map(ToString::to_string);
        event.purpose = Some(what.purpose.to_string());
        event.outcome = Some("declined".to_owned());
        event.openings = openings;
        tx.add_events(&[&event]).await?;
        if let Some((client, tag, request_hash)) = self.request_of(decider, what)? {
            let reply = StoredReply { request_hash, event: id, policy_revision: 0, generation: 0 };
            let kept = KeptReply { client, tag, reply, expires_at: now.plus_seconds(REPLY_SECONDS) };
            if tx.add_replies(&[&kept]).await?.is_empty() {
                drop(tx);
                return self.decided_before(decider, what).await?.ok_or(AppError::Interrupted.into());
            }
        }
        tx.commit().await?;
        self.wake_sequencer();
        let receipt = self.receipt(id, event.leaf_hash, now)?;
        Ok(NotSharedEntry { disclosure: id, at: now, receipt })
    }

    /// The decision that was recorded under the same key.
    async fn decided_before(
        &self,
        decider: Decider<'_>,
        what: &NotSharing,
    ) -> Result<Option<NotSharedEntry>, NotSharingError> {
        let Some((client, tag, request_hash)) = self.request_of(decider, what)? else { return Ok(None) };
        let now = self.store().now().await?;
        let Some(kept) = self.store().reply(&client, &tag, now).await? else { return Ok(None) };
        if kept.request_hash != request_hash {
            return Err(NotSharingError::KeyReused);
        }
        let body = self.store().event_body(kept.event).await?.ok_or(StoreError::Corrupt("a log entry"))?;
        let at = Entry::parse(&body).map_err(|_| StoreError::Corrupt("a log entry"))?.at();
        let receipt = self.receipt(kept.event, *leaf_hash(&body).as_bytes(), at)?;
        Ok(Some(NotSharedEntry { disclosure: kept.event, at, receipt }))
    }

    /// Where a repeat of an agency's request is found, and the hash that binds the key to it.
    fn request_of(&self, decider: Decider<'_>, what: &NotSharing) -> Result<Option<RequestTags>, AppError> {
        let Decider::Agency(caller, role, user, key) = decider else { return Ok(None) };
        let tag = self.keys().tagger.reply(&caller.client, key, b"POST /v1/decisions-not-to-share");
        let items: Vec<&str> = what.items.iter().map(Code::as_str).collect();
        let request = (
            (what.asked_by.as_str(), items, what.purpose.as_str(), what.agreement.as_ref().map(ToString::to_string)),
            (what.reason.as_str(), what.basis.as_str(), what.case.as_ref().map(OpaqueRef::as_str)),
            (role.as_str(), user.as_str()),
        );
        Ok(Some((caller.client.clone(), tag, self.request_hash(&caller.client, &request)?)))
    }
}
