//! The time for an answer, and what an agency's own cases look like.

use super::{ActingUser, CaseSeen, Done, Matter, Said, SubjectError, case_seen};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::SubjectCaseId;
use crate::domain::subject_case::{ClockReason, ClockStep};
use crate::store::StoredCase;

impl Gateway {
    /// The caller's own cases, oldest first. They say when an answer is due, and nothing of what others hold.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn subject_cases(&self, caller: &AgencyCaller) -> Result<Vec<CaseSeen>, AppError> {
        let now = self.store().now().await?;
        let cases = self.store().subject_cases(self.programme(), Some(&caller.agency)).await?;
        Ok(cases.iter().map(|case| case_seen(case, now)).collect())
    }

    /// Every case of every agency, for the officer who watches what is due.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn subject_case_register(&self) -> Result<Vec<(StoredCase, bool)>, AppError> {
        let now = self.store().now().await?;
        let cases = self.store().subject_cases(self.programme(), None).await?;
        let overdue = |case: StoredCase| {
            let is_overdue = case.clock.is_overdue(now);
            (case, is_overdue)
        };
        Ok(cases.into_iter().map(overdue).collect())
    }

    /// Extends the time, stops the clock, lets it run again, or closes the case.
    ///
    /// # Errors
    ///
    /// [`SubjectError`]; nothing is changed then.
    pub async fn step_subject_case(
        &self,
        caller: &AgencyCaller,
        id: SubjectCaseId,
        user: &ActingUser,
        (step, reason): (ClockStep, ClockReason),
    ) -> Result<Done<CaseSeen>, SubjectError> {
        self.check_acting(user).await?;
        if !step.takes(reason) {
            return Err(SubjectError::Words);
        }
        let matter = self.own_matter(caller, Matter::Case(id)).await?;
        let mut case = self.own_case(caller, id).await?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let from = case.clock;
        case.clock = from.after(step, now)?;
        if !tx.set_clock(id, &from, &case.clock).await? {
            return Err(AppError::Interrupted.into()); // another step was first
        }
        let due = case.clock.due_on();
        let said = Said { action: step.as_str(), reason: Some(reason.as_str()), due, ..Said::default() };
        let entry =
            self.subject_entry(caller, user, (&matter.text, matter.right.as_str()), &said, &matter.records, now)?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(self.done(&entry, case_seen(&case, now))?)
    }
}
