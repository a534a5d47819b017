//! The requester collects the envelope and countersigns. The same system with the same key may fetch it
//! again for a quarter of an hour; anybody else is refused at once. Afterwards it is gone.

use super::record::{Decided, Doing, Move, Said};
use super::vote::is_signed;
use super::{MOST_TRIES, ReidError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{EventId, ReidentificationId};
use crate::domain::reidentification::certificate::{Answer, OpenedReceipt, SignedCertificate};
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::state::{Event, State};
use crate::domain::time::Timestamp;
use crate::store::{ReidKeyKind, StoreError};
use crate::tlog::digest::Digest;

/// Requests that are looked through for some whose time is up.
const MOST_OPEN: i64 = 1000;

/// What the requester collects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The certificate that it was released under.
    pub certificate: SignedCertificate,
    /// The sealed identity with the source's signature.
    pub answer: Answer,
    /// Until when it may be fetched again.
    pub until: Timestamp,
}

impl Gateway {
    /// Hands the envelope to the system that asked, with the key that it named.
    ///
    /// # Errors
    ///
    /// [`ReidError`]; every refusal is in the log.
    pub async fn collect_reidentification(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
        key_id: &str,
    ) -> Result<Collected, ReidError> {
        let doing = Doing::new(caller, "collect").with_key(key_id);
        for _ in 0..MOST_TRIES {
            let (opened, now) = self.due_reid(doing, id).await?;
            let is_the_asker = opened.stored.requester == caller.agency && opened.stored.client == caller.client;
            if !is_the_asker || opened.request.recipient.key_id != key_id {
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::OtherRecipient).await);
            }
            let key = self.store().reid_key(key_id).await?;
            if key.is_none_or(|key| key.kind != ReidKeyKind::Recipient || key.agency != caller.agency) {
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::OtherRecipient).await);
            }
            if !self.still_allowed(&opened, now).await? {
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::AgreementEnded).await);
            }
            let waits = matches!(opened.stored.state, State::Answered { .. } | State::Collected { .. });
            if waits && opened.inside.record.is_none() {
                // What was sealed before a shield or an objection is not handed over after it.
                self.expire_reid(&opened, now).await?;
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::Expired).await);
            }
            let envelope = opened.stored.envelope.clone();
            let hash = match &opened.stored.state {
                State::Answered { envelope, .. } | State::Collected { envelope, .. } => *envelope,
                _ => return Err(self.refuse_reid(doing, Some(&opened), Refusal::NotDue).await),
            };
            let digest = Some(Digest::new(*hash.as_bytes()));
            let again = match &opened.stored.state {
                State::Collected { until, .. } => Some(*until),
                _ => None,
            };
            let certificate = opened.inside.certificate.clone().ok_or(StoreError::Corrupt("a certificate"))?;
            let answer = envelope.ok_or(StoreError::Corrupt("an envelope"))?;
            let answer: Answer = serde_json::from_slice(&answer).map_err(|_| StoreError::Corrupt("an envelope"))?;
            if let Some(until) = again {
                let entry = EventId::new(uuid_v7(now, self.random()));
                let said = Said { envelope: digest, to: Some("collected"), ..Said::default() };
                let mut entry = self.reid_entry(entry, now, doing, Some(&opened), said)?;
                entry.records = self.record_uses_of(&opened);
                let mut tx = self.store().begin().await?;
                tx.add_events(&[&entry]).await?;
                tx.commit().await?;
                self.wake_sequencer();
                return Ok(Collected { certificate, answer, until });
            }
            let said = Said { envelope: digest, ..Said::default() };
            let decided = Decided::Move(Box::new(Move { said, ..Move::new(Event::Collect) }));
            if let Some(moved) = self.take_reid(doing, opened, decided, now).await?
                && let State::Collected { until, .. } = moved.stored.state
            {
                return Ok(Collected { certificate, answer, until });
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// Takes the countersigned receipt and removes the envelope. The same receipt again changes nothing.
    ///
    /// # Errors
    ///
    /// [`ReidError`]; every refusal is in the log.
    pub async fn receive_reidentification(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
        receipt: &OpenedReceipt,
    ) -> Result<(), ReidError> {
        let doing = Doing::new(caller, "receive").with_key(&receipt.key_id);
        for _ in 0..MOST_TRIES {
            let (opened, now) = self.due_reid(doing, id).await?;
            let is_the_asker = opened.stored.requester == caller.agency && opened.stored.client == caller.client;
            if !is_the_asker || opened.request.recipient.key_id != receipt.key_id {
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::OtherRecipient).await);
            }
            let key = self.store().reid_key(&receipt.key_id).await?;
            let bytes = receipt.signed_bytes(&opened.stored.request_sha256);
            if !key.is_some_and(|key| is_signed(&key, &bytes, &receipt.signature)) {
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::RequestAltered).await);
            }
            let refusal = match &opened.stored.state {
                State::Closed { envelope } if *envelope == receipt.envelope => return Ok(()),
                State::Collected { envelope, certificate, .. } => {
                    let is_of_it = *envelope == receipt.envelope && *certificate == receipt.certificate;
                    (!is_of_it).then_some(Refusal::OtherEnvelope)
                }
                _ => Some(Refusal::NotDue),
            };
            let decided = if let Some(refusal) = refusal {
                Decided::Refuse(refusal)
            } else {
                let digest = Some(Digest::new(*receipt.envelope.as_bytes()));
                let said = Said { envelope: digest, ..Said::default() };
                let event = Event::Receive { envelope: receipt.envelope };
                Decided::Move(Box::new(Move { said, ..Move::new(event) }))
            };
            if self.take_reid(doing, opened, decided, now).await?.is_some() {
                return Ok(());
            }
        }
        Err(AppError::Interrupted.into())
    }

    /// Ends requests of which the time is up, and removes their envelopes.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn lapse_reidentifications(&self) -> Result<u64, AppError> {
        let now = self.store().now().await?;
        let mut lapsed = 0;
        for stored in self.store().open_reids(self.programme(), MOST_OPEN).await? {
            if stored.expires_at <= now || stored.state.has_lapsed(now) {
                let opened = self.opened(stored)?;
                self.expire_reid(&opened, now).await.map_err(|_| AppError::Internal("a request cannot be ended"))?;
                lapsed += 1;
            }
        }
        Ok(lapsed)
    }
}
