//! The source answers, once. What it hands over is sealed to the data team; the gateway checks only
//! that it fits the certificate, has one of the two lengths, and is signed by an officer of the source.

use super::record::{Decided, Doing, Move, Opened, Said};
use super::vote::is_signed;
use super::{MOST_TRIES, ReidError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::seal;
use crate::domain::ids::ReidentificationId;
use crate::domain::reidentification::binding::Hash32;
use crate::domain::reidentification::certificate::Answer;
use crate::domain::reidentification::identity::PADDED;
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::state::{Event, State};
use crate::domain::reidentification::vote::AHEAD_SECONDS;
use crate::domain::time::Timestamp;
use crate::domain::token::decode_base64url;
use crate::tlog::digest::Digest;

/// The bytes of an envelope; `None` unless it has one of the two fixed lengths.
pub fn envelope_bytes(text: &str) -> Option<Vec<u8>> {
    const SHORT: usize = PADDED[0] + seal::OVERHEAD;
    const LONG: usize = PADDED[1] + seal::OVERHEAD;
    decode_base64url::<SHORT>(text)
        .map(|bytes| bytes.to_vec())
        .or_else(|| decode_base64url::<LONG>(text).map(|bytes| bytes.to_vec()))
}

/// Whether this very envelope is the request's one: its sender did not hear that it was taken.
fn is_taken(state: &State, answer: &Answer) -> bool {
    let hash = envelope_bytes(&answer.envelope).map(|bytes| Hash32::of(&bytes));
    match state {
        State::Answered { envelope, .. }
        | State::Collected { envelope, .. }
        | State::Lapsed { envelope, .. }
        | State::Closed { envelope } => hash == Some(*envelope),
        _ => false,
    }
}

impl Gateway {
    /// Takes the source's answer. The same answer again changes nothing.
    ///
    /// # Errors
    ///
    /// [`ReidError`]; every refusal is in the log.
    pub async fn answer_reidentification(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
        answer: &Answer,
    ) -> Result<State, ReidError> {
        let doing = Doing::new(caller, "answer").with_key(&answer.key_id);
        for _ in 0..MOST_TRIES {
            let opened = self.found_reid(doing, id).await?;
            if opened.stored.source == caller.agency && is_taken(&opened.stored.state, answer) {
                return Ok(opened.stored.state);
            }
            let now = self.in_time(doing, &opened).await?;
            let decided = self.decide_answer(caller, &opened, answer, now).await?;
            if let Some(moved) = self.take_reid(doing, opened, decided, now).await? {
                return Ok(moved.stored.state);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn decide_answer(
        &self,
        caller: &AgencyCaller,
        opened: &Opened,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Decided, ReidError> {
        let refuse = |refusal| Ok(Decided::Refuse(refusal));
        if let Some(refusal) = self.hides_from(caller, opened, now).await? {
            return refuse(refusal);
        }
        let not_after = match &opened.stored.state {
            State::Certified { certificate, not_after, .. } if *certificate == answer.certificate => *not_after,
            State::Certified { .. } => return refuse(Refusal::OtherCertificate),
            State::Answered { .. } | State::Collected { .. } | State::Lapsed { .. } | State::Closed { .. } => {
                return refuse(Refusal::AlreadyAnswered);
            }
            _ => return refuse(Refusal::NotDue),
        };
        if not_after <= now {
            return refuse(Refusal::CertificateExpired);
        }
        let Some(envelope) = envelope_bytes(&answer.envelope) else { return refuse(Refusal::EnvelopeMalformed) };
        let hash = Hash32::of(&envelope);
        let Some(key) = self.reid_key(&answer.key_id).await?.filter(|key| key.agency == caller.agency) else {
            return refuse(Refusal::WrongRole);
        };
        if !is_signed(&key, &answer.signed_bytes(&opened.stored.request_sha256, &hash), &answer.signature) {
            return refuse(Refusal::RequestAltered);
        }
        if answer.sealed_at > now.plus_seconds(AHEAD_SECONDS) || answer.sealed_at > not_after {
            return refuse(Refusal::CertificateExpired);
        }
        if !self.still_allowed(opened, now).await? {
            return refuse(Refusal::AgreementEnded);
        }
        if !self.has_recipient(opened).await? {
            return refuse(Refusal::RecipientRemoved);
        }
        // An officer may have been revoked since the certificate was issued.
        let votes = self.store().reid_votes(opened.stored.id).await?;
        if let (_, Some(refusal)) = self.count_approvals(opened, &votes).await? {
            return Ok(Decided::Reopen(refusal));
        }
        let kept = serde_json::to_vec(answer).map_err(|_| AppError::Internal("an answer cannot be written"))?;
        let said = Said { envelope: Some(Digest::new(*hash.as_bytes())), ..Said::default() };
        let event = Event::Answer { certificate: answer.certificate.clone(), envelope: hash };
        Ok(Decided::Move(Box::new(Move { said, envelope: Some(kept), ..Move::new(event) })))
    }

    /// Logs what a party's own machine refused: checks that fail there are in the log as well.
    ///
    /// # Errors
    ///
    /// [`ReidError`]; [`Refusal::Unknown`] where the caller has no part in such a request.
    pub async fn report_reid_fault(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
        fault: Refusal,
    ) -> Result<(), ReidError> {
        let doing = Doing::new(caller, "fault");
        let opened = self.open_reid(id).await?;
        let part = match &opened {
            Some(opened) => self.part_in(caller, opened).await?,
            None => None,
        };
        if part.is_none() {
            return Err(self.refuse_reid(doing, None, Refusal::Unknown).await);
        }
        match self.refuse_reid(doing, opened.as_ref(), fault).await {
            ReidError::Refused { .. } => Ok(()),
            error => Err(error),
        }
    }
}
