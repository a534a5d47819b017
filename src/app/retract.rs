//! An agency takes back a submission that it sent by mistake. What was seen of it is in the log for
//! good; from the next generation on nobody sees its records.

use super::caller::AgencyCaller;
use super::error::AppError;
use super::gateway::Gateway;
use super::submit::FileFault;
use crate::domain::ids::SubmissionId;
use crate::store::{Submission, SubmissionState};

/// Why a submission is not taken back.
#[derive(Debug, thiserror::Error)]
pub enum RetractError {
    /// The caller's agency has no such submission.
    #[error("the agency has no such submission")]
    Unknown,
    /// A later snapshot took its place, or it failed: none of its records are seen.
    #[error("nothing of the submission is seen any more")]
    Over,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<crate::store::StoreError> for RetractError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::App(error.into())
    }
}

impl Gateway {
    /// Takes a submission back: one that is not visible yet never will be; a visible one is hidden by
    /// the publisher, and a log entry says so. With a snapshot go the deltas upon it; what a delta
    /// replaced or removed does not come back. Asked again, it says how far that has come.
    ///
    /// # Errors
    ///
    /// [`RetractError`].
    pub async fn retract_submission(
        &self,
        caller: &AgencyCaller,
        id: SubmissionId,
    ) -> Result<Submission, RetractError> {
        let found = self.store().submission(id).await?;
        let found = found.filter(|submission| submission.agency == caller.agency).ok_or(RetractError::Unknown)?;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        match found.state {
            SubmissionState::Withdrawing | SubmissionState::Withdrawn => return Ok(found),
            SubmissionState::Failed if found.failure.as_deref() == Some(FileFault::Retracted.code()) => {
                return Ok(found);
            }
            SubmissionState::Failed | SubmissionState::Replaced => return Err(RetractError::Over),
            SubmissionState::Visible => {
                if !tx.mark_withdrawing(id).await? {
                    return Err(AppError::Interrupted.into()); // it changed this very moment: asked again, it is told
                }
            }
            SubmissionState::Staging | SubmissionState::Staged | SubmissionState::Publishing => {
                // It may have become visible since it was read.
                if !tx.mark_failed(id, FileFault::Retracted.code(), now).await? && !tx.mark_withdrawing(id).await? {
                    return Err(AppError::Interrupted.into());
                }
            }
        }
        tx.commit().await?;
        self.wake_publisher();
        tracing::info!(submission.id = %id, submission.agency = %found.agency, "an agency takes a submission back");
        self.store().submission(id).await?.ok_or(RetractError::Unknown)
    }
}
