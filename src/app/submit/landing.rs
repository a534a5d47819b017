//! A file that arrived whole lands, or is refused after all: what its header was judged by may have
//! changed while its rows came.
//!
//! The last look and the landing are one transaction that holds the programme's row. Whatever is
//! suspended, frozen or ended raises the policy revision in that row, so it comes before and is seen,
//! or after: then making the submission visible looks once more at the agency.

use super::{FileFault, OpenSubmission, Received, check_epochs};
use crate::app::error::AppError;
use crate::domain::submission::RowsMode;
use crate::store::Tx;

impl OpenSubmission {
    /// Ends the submission: the file was received whole.
    ///
    /// # Errors
    ///
    /// [`AppError::RefusedFile`] when the file is incomplete, empty, or has bad rows and asked for all
    /// or nothing, or when its sender, feed, epoch or agreement was stopped meanwhile.
    pub async fn finish(mut self) -> Result<Received, AppError> {
        self.advance().await?;
        self.stage().await?;
        let fault = if self.end != Some(self.read) {
            Some(FileFault::Truncated)
        } else if self.rejected > 0 && self.header.rows == RowsMode::AllOrNothing {
            Some(FileFault::Rows)
        } else if self.accepted == 0 {
            Some(FileFault::Empty)
        } else {
            None
        };
        let (mut tx, stopped) = self.last_look().await?;
        if let Some(fault) = stopped.or(fault) {
            drop(tx);
            self.fail(fault.code()).await?;
            return Err(AppError::RefusedFile { id: self.id, fault });
        }
        if let Some(attempt) = self.attempt
            && !tx.lock_upload(self.id, attempt).await?
        {
            return Err(AppError::Interrupted); // another connection goes on with it
        }
        let (agency, feed) = (self.header.agency.as_str(), self.header.feed.as_str());
        let digest = self.gateway.keys().tagger.file(agency, feed, self.digest.as_bytes());
        let earlier = tx.submission_with_digest(&self.header.agency, &self.header.feed, &digest).await?;
        if let Some(earlier) = earlier {
            let now = tx.now().await?;
            tx.mark_failed(self.id, "file.repeat", now).await?;
            tx.commit().await?;
            return Ok(Received { id: earlier, is_repeat: true });
        }
        if !tx.mark_staged(self.id, &digest).await? {
            return Err(AppError::Interrupted); // given up by the clean-up meanwhile
        }
        tx.commit().await?;
        self.gateway.wake_publisher();
        Ok(Received { id: self.id, is_repeat: false })
    }

    /// The transaction in which the file lands, and what stands in the way by now.
    async fn last_look(&self) -> Result<(Tx, Option<FileFault>), AppError> {
        let (programme, header) = (self.gateway.programme(), &self.header);
        loop {
            // Read before the transaction begins: one connection at a time is enough for anybody.
            let policies = self.gateway.current_policies().await?;
            let mut tx = self.gateway.store().begin().await?;
            tx.lock_programme(programme).await?;
            if tx.decided_on(programme).await?.map(|(revision, _)| revision) != Some(policies.revision()) {
                continue; // something was changed in between
            }
            let now = tx.now().await?;
            let stopped = if !tx.is_sender_active(&header.agency, &self.client).await? {
                Some(FileFault::SenderSuspended)
            } else if tx.is_feed_suspended(programme, &header.agency, &header.feed).await? {
                Some(FileFault::Suspended)
            } else if !policies.may_supply(&header.agency, &header.agreement, now) {
                Some(FileFault::Agreement)
            } else {
                check_epochs(header, &policies).err()
            };
            return Ok((tx, stopped));
        }
    }
}
