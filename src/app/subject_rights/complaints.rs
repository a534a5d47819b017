//! The register of complaints: what about, when it came in, was acknowledged and ended. What somebody
//! said stays with the agency.

use serde::Serialize;

use super::{ActingUser, Done, Said, SubjectError};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::{ComplaintId, ReasonCode, SubjectCaseId};
use crate::domain::subject_case::{ClockFault, acknowledge_by};
use crate::store::{NewComplaint, StoredComplaint};

/// A complaint that an agency took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewComplaintTerms {
    /// What about, as a code such as `delay` or `wrong-match`.
    pub about: ReasonCode,
    /// The agency's own case that it is about.
    pub case: Option<String>,
    /// Who took it.
    pub user: ActingUser,
}

/// What becomes of a complaint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComplaintStep {
    /// The person was told that it came in.
    Acknowledge,
    /// It ended, with an outcome as a code.
    Close(ReasonCode),
}

impl Gateway {
    /// Puts a complaint into the register, once under one idempotency key.
    ///
    /// # Errors
    ///
    /// [`SubjectError`]; nothing is changed then.
    pub async fn take_complaint(
        &self,
        caller: &AgencyCaller,
        new: &NewComplaintTerms,
        case: Option<SubjectCaseId>,
        idempotency: &str,
    ) -> Result<Done<StoredComplaint>, SubjectError> {
        self.check_acting(&new.user).await?;
        if let Some(case) = case {
            self.own_case(caller, case).await?;
        }
        let tag = self.keys().tagger.reply(&caller.client, idempotency, &[0; 32]);
        let mut tx = self.store().begin().await?;
        let received_at = tx.now().await?;
        let id = ComplaintId::new(self.random_number());
        let (agency, about) = (caller.agency.clone(), new.about.to_string());
        let complaint = NewComplaint { id, agency, about, case, received_at };
        if !tx.add_complaint(self.programme(), &complaint, &tag).await? {
            let first = tx.complaint_of_request(&caller.agency, &tag).await?.ok_or(AppError::Interrupted)?;
            drop(tx);
            if first.about != complaint.about || first.case != complaint.case {
                return Err(SubjectError::KeyReused);
            }
            return self.step_entry_of(caller, &new.user, first, ("repeated", None), None).await;
        }
        let stored = StoredComplaint {
            id,
            agency: complaint.agency,
            about: complaint.about,
            case,
            received_at,
            acknowledged_at: None,
            closed_at: None,
            outcome: String::new(),
        };
        self.step_entry_of(caller, &new.user, stored, ("received", None), Some(tx)).await
    }

    /// Acknowledges or closes a complaint.
    ///
    /// # Errors
    ///
    /// [`SubjectError`]; nothing is changed then.
    pub async fn step_complaint(
        &self,
        caller: &AgencyCaller,
        id: ComplaintId,
        step: &ComplaintStep,
        user: &ActingUser,
    ) -> Result<Done<StoredComplaint>, SubjectError> {
        self.check_acting(user).await?;
        let complaint = self.store().complaint(id).await?;
        let mut complaint =
            complaint.filter(|complaint| complaint.agency == caller.agency).ok_or(SubjectError::Unknown)?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let words = match step {
            ComplaintStep::Acknowledge => {
                complaint.acknowledged_at = complaint.acknowledged_at.or(Some(now));
                ("acknowledge", None)
            }
            ComplaintStep::Close(outcome) => {
                complaint.closed_at = Some(now);
                complaint.outcome = outcome.to_string();
                ("close", Some(outcome.to_string()))
            }
        };
        if !tx.step_complaint(&complaint).await? {
            return Err(ClockFault::Closed.into());
        }
        self.step_entry_of(caller, user, complaint, (words.0, words.1.as_deref()), Some(tx)).await
    }

    /// The caller's own complaints, oldest first.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn complaints(&self, caller: &AgencyCaller) -> Result<Vec<StoredComplaint>, AppError> {
        Ok(self.store().complaints(self.programme(), Some(&caller.agency)).await?)
    }

    async fn step_entry_of(
        &self,
        caller: &AgencyCaller,
        user: &ActingUser,
        complaint: StoredComplaint,
        (action, result): (&str, Option<&str>),
        tx: Option<crate::store::Tx>,
    ) -> Result<Done<StoredComplaint>, SubjectError> {
        let mut tx = match tx {
            Some(tx) => tx,
            None => self.store().begin().await?,
        };
        let now = tx.now().await?;
        let due = complaint.acknowledged_at.is_none().then(|| acknowledge_by(complaint.received_at));
        let said = Said { action, reason: Some(&complaint.about), result, due };
        let matter = complaint.id.to_string();
        let entry = self.subject_entry(caller, user, (&matter, "complaint"), &said, &[], now)?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(self.done(&entry, complaint)?)
    }
}
