//! A controller's queue: parts of cases about its own records, without a word on who opened them.

use super::decide::Verdict;
use super::{Done, Matter, PartSeen, REPLY_BYTES, REPLY_PADDED, REPLY_PLACE, Said, SubjectError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::SubjectPartId;
use crate::domain::subject_case::PartOutcome;
use crate::domain::time::Timestamp;
use crate::store::StoredPart;

/// A controller's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartAnswer {
    /// What is decided about its own records.
    pub verdict: Verdict,
    /// What the person gets: sealed to the case's key, or as it is where the case has none.
    pub reply: Option<Vec<u8>>,
}

impl Gateway {
    /// The caller's own parts of open cases, oldest first.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn subject_parts(&self, caller: &AgencyCaller) -> Result<Vec<PartSeen>, AppError> {
        let now = self.store().now().await?;
        let parts = self.store().subject_parts(self.programme(), &caller.agency).await?;
        Ok(parts.iter().map(|part| part_seen(part, now)).collect())
    }

    /// Takes a controller's answer: what it decides takes effect at once, what it gives waits for the agency that
    /// verified the person. The same outcome once more changes nothing.
    ///
    /// # Errors
    ///
    /// [`SubjectError`]; nothing is changed then.
    pub async fn answer_subject_part(
        &self,
        caller: &AgencyCaller,
        id: SubjectPartId,
        answer: &PartAnswer,
    ) -> Result<Done<PartSeen>, SubjectError> {
        let PartAnswer { verdict, reply } = answer;
        let own = self.check_verdict(caller, Matter::Part(id), verdict).await?;
        let mut part = self.own_part(caller, id).await?;
        if !part.outcome.is_empty() {
            return self.answered_before(&part, verdict.outcome).await;
        }
        let reply = self.kept_form(&part, verdict.outcome, reply.as_deref())?;
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        self.put_in_effect(&mut tx, &own, verdict, now).await?;
        let said = Said {
            action: "answered",
            reason: Some(verdict.reason.as_str()),
            result: Some(verdict.outcome.as_str()),
            due: own.clock.due_on(),
        };
        let matter = (&*own.text, own.right.as_str());
        let entry = self.subject_entry(caller, &verdict.user, matter, &said, &own.records, now)?;
        let outcome = verdict.outcome.as_str();
        if !tx.answer_subject_part(id, outcome, now, reply.as_deref(), entry.id).await? {
            return Err(SubjectError::Answered);
        }
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        outcome.clone_into(&mut part.outcome);
        Ok(self.done(&entry, part_seen(&part, now))?)
    }

    async fn answered_before(&self, part: &StoredPart, outcome: PartOutcome) -> Result<Done<PartSeen>, SubjectError> {
        let (Some(event), Some(at)) = (part.event, part.answered_at) else { return Err(SubjectError::Answered) };
        if part.outcome != outcome.as_str() {
            return Err(SubjectError::Answered);
        }
        let body = self.store().event_body(event).await?.ok_or(SubjectError::Answered)?;
        let leaf = crate::tlog::merkle::leaf_hash(&body);
        let receipt = self.receipt(event, *leaf.as_bytes(), at)?;
        Ok(Done { value: part_seen(part, at), disclosure: event, at, receipt })
    }

    /// The answer as it is kept: ciphertext that the gateway cannot open, or sealed at rest where the case has no key.
    fn kept_form(
        &self,
        part: &StoredPart,
        outcome: PartOutcome,
        reply: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, SubjectError> {
        match (reply, outcome) {
            (None, PartOutcome::Released) => Err(SubjectError::Reply),
            (None, _) => Ok(None),
            (Some(sealed), PartOutcome::Released) if !part.reply_key.is_empty() => {
                if sealed.len() == REPLY_BYTES {
                    Ok(Some(sealed.to_vec()))
                } else {
                    Err(SubjectError::Reply)
                }
            }
            (Some(plain), PartOutcome::Released) => {
                let fields = &self.keys().fields;
                let (table, column) = REPLY_PLACE;
                let row = part.id.as_bytes();
                let sealed = fields.seal_to_length(self.random(), table, column, row, plain, REPLY_PADDED);
                sealed.map(Some).map_err(|_| SubjectError::Reply)
            }
            (Some(_), _) => Err(SubjectError::Reply),
        }
    }
}

fn part_seen(part: &StoredPart, now: Timestamp) -> PartSeen {
    PartSeen {
        id: part.id,
        right: part.right,
        clock: part.clock,
        reply_key: part.reply_key.clone(),
        outcome: part.outcome.clone(),
        is_overdue: part.outcome.is_empty() && part.clock.is_overdue(now),
    }
}
