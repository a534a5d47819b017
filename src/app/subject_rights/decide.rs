//! What a controller decides about its own records takes effect with the decision, and is taken back by
//! the case or part under which it was decided.
//!
//! A restricted record contributes to nothing: it is dropped wherever records are read, before
//! anything of it is opened, so that an answer is the one that would be given if it were not held.

use serde::Serialize;

use super::{ActingUser, Done, Matter, OwnMatter, Said, SubjectError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{CriterionCode, ReasonCode};
use crate::domain::subject_case::{ClockFault, Effect, PartOutcome};
use crate::domain::time::Timestamp;
use crate::store::{RecordMark, Tx};

/// What is decided about own records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What.
    #[serde(serialize_with = "as_text")]
    pub outcome: PartOutcome,
    /// Why, as a code.
    pub reason: ReasonCode,
    /// Which criteria are contested; none for all of them.
    pub criteria: Vec<CriterionCode>,
    /// Who decides.
    pub user: ActingUser,
}

impl Gateway {
    /// Decides about the own records of a case.
    ///
    /// # Errors
    ///
    /// [`SubjectError`]; nothing is changed then.
    pub async fn decide_subject_case(
        &self,
        caller: &AgencyCaller,
        id: crate::domain::ids::SubjectCaseId,
        verdict: &Verdict,
    ) -> Result<Done<()>, SubjectError> {
        let own = self.check_verdict(caller, Matter::Case(id), verdict).await?;
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        self.put_in_effect(&mut tx, &own, verdict, now).await?;
        let said = Said {
            action: "decided",
            reason: Some(verdict.reason.as_str()),
            result: Some(verdict.outcome.as_str()),
            due: own.clock.due_on(),
        };
        let matter = (&*own.text, own.right.as_str());
        let entry = self.subject_entry(caller, &verdict.user, matter, &said, &own.records, now)?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(self.done(&entry, ())?)
    }

    /// Takes back what decisions in a case or part did to the caller's own records.
    ///
    /// # Errors
    ///
    /// [`SubjectError`]; nothing is changed then.
    pub async fn lift_subject_marks(
        &self,
        caller: &AgencyCaller,
        matter: Matter,
        reason: &ReasonCode,
        user: &ActingUser,
    ) -> Result<Done<()>, SubjectError> {
        self.check_acting(user).await?;
        let own = self.own_matter(caller, matter).await?;
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        for name in &own.records {
            tx.drop_record_marks(self.programme(), name, &own.number).await?;
        }
        tx.raise_policy_revision(Some(self.programme())).await?;
        let said = Said { action: "lifted", reason: Some(reason.as_str()), due: own.clock.due_on(), ..Said::default() };
        let entry = self.subject_entry(caller, user, (&own.text, own.right.as_str()), &said, &own.records, now)?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(self.done(&entry, ())?)
    }

    pub(super) async fn check_verdict(
        &self,
        caller: &AgencyCaller,
        matter: Matter,
        verdict: &Verdict,
    ) -> Result<OwnMatter, SubjectError> {
        self.check_acting(&verdict.user).await?;
        let own = self.own_matter(caller, matter).await?;
        if own.clock.closed_at.is_some() {
            return Err(ClockFault::Closed.into());
        }
        let contests = verdict.outcome.effect() == Some(Effect::Contested);
        if !own.right.takes(verdict.outcome) || (!verdict.criteria.is_empty() && !contests) {
            return Err(SubjectError::Words);
        }
        Ok(own)
    }

    /// Marks the records. From the commit on no answer is given that was decided before: the policy
    /// revision is another.
    pub(super) async fn put_in_effect(
        &self,
        tx: &mut Tx,
        own: &OwnMatter,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let Some(effect) = verdict.outcome.effect() else { return Ok(()) };
        let whole = [String::new()];
        let criteria: Vec<String> = verdict.criteria.iter().map(ToString::to_string).collect();
        let criteria = if criteria.is_empty() { &whole[..] } else { &criteria[..] };
        for name in &own.records {
            for criterion in criteria {
                let (name, criterion) = (name.clone(), criterion.clone());
                let mark = RecordMark { name, effect, criterion, matter: own.number };
                tx.add_record_mark(self.programme(), &mark, now).await?;
            }
        }
        tx.raise_policy_revision(Some(self.programme())).await?;
        Ok(())
    }
}

fn as_text<S: serde::Serializer>(outcome: &PartOutcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.as_str())
}
