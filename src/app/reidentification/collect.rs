//! The requester collects the envelope and countersigns. The same system with the same key may fetch it
//! again for a quarter of an hour; anybody else is refused at once. Afterwards it is gone.

use super::record::{Decided, Doing, Move, Opened, Said};
use super::vote::is_signed;
use super::{MOST_TRIES, ReidError};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::family::Stage;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{EventId, ReidentificationId};
use crate::domain::reidentification::certificate::{Answer, OpenedReceipt, SignedCertificate};
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::state::{Event, State};
use crate::domain::time::Timestamp;
use crate::store::{ReidKeyKind, StoreError, StoredReid};
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
            let opened = self.found_reid(doing, id).await?;
            self.check_asker(doing, caller, &opened, key_id).await?;
            let now = self.in_time(doing, &opened).await?;
            let key = self.store().reid_key(key_id).await?;
            if key.is_none_or(|key| key.kind != ReidKeyKind::Recipient || key.agency != caller.agency) {
                if !opened.stored.state.is_end() {
                    self.expire_reid(&opened, now).await?;
                }
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::RecipientRemoved).await);
            }
            if !self.still_allowed(&opened, now).await? {
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::AgreementEnded).await);
            }
            let waits = matches!(opened.stored.state, State::Answered { .. } | State::Collected { .. });
            if waits && self.is_stopped(&opened).await? {
                self.expire_reid(&opened, now).await?;
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::Stopped).await);
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
                let stored = &opened.stored;
                let is_as_decided = tx.decided_on(self.programme()).await? == opened.decided_on
                    && tx.move_reid(stored, &stored.state, &stored.sealed, stored.envelope.as_deref()).await?;
                if !is_as_decided {
                    continue;
                }
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

    /// Only the system that asked, with the key that it named. Whoever has no part in the request does not
    /// learn that there is one.
    async fn check_asker(
        &self,
        doing: Doing<'_>,
        caller: &AgencyCaller,
        opened: &Opened,
        key_id: &str,
    ) -> Result<(), ReidError> {
        let is_ours = opened.stored.requester == caller.agency;
        if is_ours && opened.stored.client == caller.client && opened.request.recipient.key_id == key_id {
            return Ok(());
        }
        if !is_ours && self.part_in(caller, opened).await?.is_none() {
            return Err(self.refuse_reid(doing, None, Refusal::Unknown).await);
        }
        Err(self.refuse_reid(doing, Some(opened), Refusal::OtherRecipient).await)
    }

    /// Whether something happened since the answer that ends it: what was sealed before a shield, an objection
    /// or a split is not handed over after it, nor what rests on a key that was revoked. Which of them it was
    /// is not told: one of them would be a shield.
    async fn is_stopped(&self, opened: &Opened) -> Result<bool, ReidError> {
        let votes = self.store().reid_votes(opened.stored.id).await?;
        let (_, missing) = self.count_approvals(opened, &votes).await?;
        if opened.record.is_none() || missing.is_some() {
            return Ok(true);
        }
        let kept = opened.stored.envelope.as_deref().ok_or(StoreError::Corrupt("an envelope"))?;
        let answer: Answer = serde_json::from_slice(kept).map_err(|_| StoreError::Corrupt("an envelope"))?;
        let key = self.reid_key(&answer.key_id).await?;
        Ok(key.is_none_or(|key| key.agency != opened.stored.source))
    }

    /// Takes the countersigned receipt and removes the envelope, also when its quarter of an hour is over: the
    /// log is to say that it was opened. The same receipt again changes nothing.
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
            // Not asked whether it is in time: what was opened was opened.
            let opened = self.found_reid(doing, id).await?;
            self.check_asker(doing, caller, &opened, &receipt.key_id).await?;
            let now = self.store().now().await?;
            // With a key that was revoked since, too: it says what happened, and releases nothing.
            let key = self.store().reid_key_ever(&receipt.key_id).await?;
            let bytes = receipt.signed_bytes(&opened.stored.request_sha256);
            if !key.is_some_and(|key| is_signed(&key, &bytes, &receipt.signature)) {
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::RequestAltered).await);
            }
            let refusal = match &opened.stored.state {
                State::Closed { envelope } if *envelope == receipt.envelope => return Ok(()),
                State::Collected { envelope, certificate, .. } | State::Lapsed { envelope, certificate } => {
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

    /// Ends requests of which the time is up, and those whose envelope nobody may collect any more; removes
    /// the envelopes.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn lapse_reidentifications(&self) -> Result<u64, AppError> {
        let now = self.store().now().await?;
        let mut lapsed = 0;
        let failed = |_| AppError::Internal("a request cannot be ended");
        let stage = self.family_stage().await.map_err(|_| AppError::Internal("a request cannot be looked at"))?;
        let mut trouble = None;
        for stored in self.store().open_reids(self.programme(), MOST_OPEN).await? {
            match self.has_to_end(&stage, stored, now).await {
                Ok(Some(opened)) => {
                    self.expire_reid(&opened, now).await.map_err(failed)?;
                    lapsed += 1;
                }
                Ok(None) => {}
                // One that does not open keeps no other envelope waiting.
                Err(error) => trouble = Some(error),
            }
        }
        trouble.map_or(Ok(lapsed), |error| Err(failed(error)))
    }

    /// A request of which the time is up, or whose envelope nobody may collect any more.
    async fn has_to_end(&self, stage: &Stage, stored: StoredReid, now: Timestamp) -> Result<Option<Opened>, ReidError> {
        let is_over = stored.expires_at <= now || stored.state.has_lapsed(now);
        let waits = matches!(stored.state, State::Answered { .. } | State::Collected { .. });
        if !is_over && !waits {
            return Ok(None);
        }
        let opened = self.opened_on(stage, stored).await?;
        let ends = is_over || !self.has_recipient(&opened).await? || self.is_stopped(&opened).await?;
        Ok(ends.then_some(opened))
    }
}
