//! The gateway certifies a request: enough officers and the source signed it, the agreement still
//! allows it, and the entry that says so is under a checkpoint that witnesses cosigned.

use super::record::{Decided, Doing, Move, Opened, Said};
use super::{MOST_TRIES, ReidError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::random_bytes;
use crate::domain::ids::{EventId, ReidentificationId};
use crate::domain::reidentification::Handling;
use crate::domain::reidentification::certificate::{CERTIFICATE_SECONDS, Certificate, SignedCertificate};
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::state::{Event, State};
use crate::domain::time::Timestamp;
use crate::domain::token::encode_base64url;
use crate::policy::reidentify::{WhoTerms, may_ask_who};
use crate::store::{ReidKeyKind, StoreError};
use crate::tlog::digest::Digest;

impl Gateway {
    /// The certificate for the source, issued when the source asks for it: its quarter of an hour begins
    /// there. One that is still good is given again.
    ///
    /// # Errors
    ///
    /// [`ReidError::NotInLogYet`] while no cosigned checkpoint covers the authorisation; refusals are in
    /// the log.
    pub async fn certify_reidentification(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
    ) -> Result<SignedCertificate, ReidError> {
        let doing = Doing::new(caller, "certify");
        for _ in 0..MOST_TRIES {
            let (opened, now) = self.due_reid(doing, id).await?;
            if opened.stored.source != caller.agency || opened.record.is_none() {
                return Err(self.refuse_reid(doing, Some(&opened), Refusal::Unknown).await);
            }
            let entry = match &opened.stored.state {
                State::Certified { not_after, .. } if now < *not_after => {
                    let kept = opened.inside.certificate.clone();
                    return kept.ok_or_else(|| StoreError::Corrupt("a certificate").into());
                }
                State::Certified { entry, .. } | State::Authorised { entry } => *entry,
                State::Answered { .. } | State::Collected { .. } | State::Lapsed { .. } | State::Closed { .. } => {
                    return Err(self.refuse_reid(doing, Some(&opened), Refusal::AlreadyAnswered).await);
                }
                State::Voting {} => {
                    let votes = self.store().reid_votes(id).await?;
                    let (_, missing) = self.count_approvals(&opened, &votes).await?;
                    let refusal = missing.unwrap_or(Refusal::NotDue);
                    return Err(self.refuse_reid(doing, Some(&opened), refusal).await);
                }
                _ => return Err(self.refuse_reid(doing, Some(&opened), Refusal::NotDue).await),
            };
            let (decided, signed) = self.decide_certificate(&opened, entry, now).await?;
            if self.take_reid(doing, opened, decided, now).await?.is_some()
                && let Some(signed) = signed
            {
                return Ok(signed);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn decide_certificate(
        &self,
        opened: &Opened,
        entry: EventId,
        now: Timestamp,
    ) -> Result<(Decided, Option<SignedCertificate>), ReidError> {
        if !self.still_allowed(opened, now).await? {
            return Ok((Decided::Refuse(Refusal::AgreementEnded), None));
        }
        if !self.has_recipient(opened).await? {
            return Ok((Decided::Refuse(Refusal::RecipientRemoved), None));
        }
        let votes = self.store().reid_votes(opened.stored.id).await?;
        let (approvals, missing) = self.count_approvals(opened, &votes).await?;
        if let Some(refusal) = missing {
            return Ok((Decided::Reopen(refusal), None));
        }
        let (entry_text, proof) = self.proof_of_authorisation(entry).await?.ok_or(ReidError::NotInLogYet)?;
        let not_after = now.plus_seconds(CERTIFICATE_SECONDS).min(opened.stored.expires_at);
        let certificate = Certificate {
            approvals,
            entry,
            id: encode_base64url(&random_bytes::<16>(self.random())),
            issued_at: now,
            log: self.names().log.clone(),
            not_after,
            request: opened.inside.text.clone(),
            v: 1,
        };
        let text = certificate.text();
        let signature = self.keys().certificate.sign(&Certificate::signed_bytes(&text));
        let said = Said {
            certificate: Some(Digest::of(text.as_bytes())),
            approvals: Some(certificate.approvals.len() as u64),
            ..Said::default()
        };
        let signed =
            SignedCertificate { certificate: text, signature: encode_base64url(&signature), entry: entry_text, proof };
        let event = Event::Certify { certificate: certificate.id, not_after };
        let step = Move { said, certificate: Some(signed.clone()), ..Move::new(event) };
        Ok((Decided::Move(Box::new(step)), Some(signed)))
    }

    /// Whether the key that the identity is sealed to is still enrolled.
    pub(super) async fn has_recipient(&self, opened: &Opened) -> Result<bool, StoreError> {
        let key = self.store().reid_key(&opened.request.recipient.key_id).await?;
        Ok(key.is_some_and(|key| key.kind == ReidKeyKind::Recipient && key.agency == opened.stored.requester))
    }

    /// Whether the agreement allows now what it allowed when it was asked.
    pub(super) async fn still_allowed(&self, opened: &Opened, now: Timestamp) -> Result<bool, ReidError> {
        let request = &opened.request;
        let terms = WhoTerms {
            requester: request.requester.clone(),
            agreement: request.agreement.clone(),
            source: request.source.clone(),
            purpose: request.purpose.clone(),
            power: request.power.clone(),
            role: request.role.clone(),
            fields: request.fields.iter().copied().collect(),
            emergency: request.handling == Handling::Emergency,
        };
        let policies = self.current_policies().await?;
        Ok(may_ask_who(policies.book(), &terms, now).is_ok())
    }

    /// The authorisation's entry with its proof, under a checkpoint that the quorum cosigned; where there
    /// are no witnesses, under the newest signed one.
    async fn proof_of_authorisation(&self, entry: EventId) -> Result<Option<(String, String)>, AppError> {
        let quorum = self.witnesses().map_or(0, |witnesses| witnesses.numbers().1);
        let note = match quorum {
            0 => self.store().newest_checkpoint().await?.map(|(_, _, note)| note),
            _ => self.cosigned_checkpoint(u64::MAX).await?,
        };
        let Some(note) = note else { return Ok(None) };
        let Some(body) = self.logged_body(entry).await? else { return Ok(None) };
        let Some(proof) = self.inclusion_under(entry, &body, note).await? else { return Ok(None) };
        let text = String::from_utf8(body).map_err(|_| StoreError::Corrupt("a log entry"))?;
        Ok(Some((text, proof.render())))
    }
}
