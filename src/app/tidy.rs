//! What nobody needs any more is removed: rows of replaced and failed submissions, old link rows,
//! used-up assertions, kept replies, screenings whose time is over, sealed keys that nobody fetched, and sessions of
//! the console that ended.

use std::time::{Duration, Instant};

use super::error::AppError;
use super::gateway::Gateway;
use crate::domain::time::Timestamp;
use crate::store::Submission;

/// How long replaced rows stay for answers that are under way, in seconds.
const GRACE_SECONDS: i64 = 15 * 60;
/// How long a submission may be under way before it is given up, in seconds.
const LONGEST_UPLOAD_SECONDS: i64 = 6 * 3600;
/// How long one run goes on with submissions that are given up or whose rows go. It then does the rest of
/// its work; the next run goes on.
const BUDGET: Duration = Duration::from_secs(20);
/// Records that are removed in one transaction.
const PAGE: i64 = 500;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Submissions whose rows are gone.
    pub submissions: u64,
    /// Records that deltas replaced or removed.
    pub records: u64,
    /// Link rows that later ones replaced.
    pub links: u64,
    /// Assertion ids.
    pub assertions: u64,
    /// Kept replies.
    pub replies: u64,
    /// Screenings, collected or not.
    pub screenings: u64,
    /// Records that lost tokens of a retired epoch.
    pub swept: u64,
}

impl Gateway {
    /// Removes what is no longer needed. Interrupted, it goes on where it was the next time.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn tidy(&self) -> Result<Tidied, AppError> {
        let now = self.store().now().await?;
        let mut tidied = Tidied::default();
        let until = Instant::now() + BUDGET;
        self.give_up_stalled(now, until).await?;
        tidied.swept = self.sweep_retired().await?;
        let before = now.plus_seconds(-GRACE_SECONDS);
        tidied.submissions = self.remove_abandoned(before, until).await?;
        if let Some(view) = self.store().view(self.programme()).await?
            && let Some(generation) = self.generation_before(before, now, view.generation)
        {
            let mut tx = self.store().begin().await?;
            tidied.links = tx.forget_links(self.programme(), generation).await?;
            tx.commit().await?;
            tidied.records = self.remove_departed(generation).await?;
        }
        let mut tx = self.store().begin().await?;
        tidied.assertions = tx.forget_assertions(now).await?;
        tidied.replies = tx.forget_replies(now).await?;
        tidied.screenings = tx.forget_screenings(now).await?;
        tx.forget_family_requests(now).await?;
        tx.forget_uploads().await?;
        super::console::drop_stale(&mut tx, now).await?;
        tx.forget_retirements(self.programme()).await?;
        let has_lapsed = self.lapse_grants(&mut tx, now).await?;
        tx.commit().await?;
        if has_lapsed {
            self.wake_sequencer();
        }
        self.lapse_reidentifications().await?;
        Ok(tidied)
    }

    async fn give_up_stalled(&self, now: Timestamp, until: Instant) -> Result<(), AppError> {
        loop {
            let stalled = self.store().stalled_submissions(now.plus_seconds(-LONGEST_UPLOAD_SECONDS)).await?;
            for stalled in &stalled {
                let mut tx = self.store().begin().await?;
                tx.mark_failed(stalled.id, "file.stalled", now).await?;
                tx.commit().await?;
            }
            if stalled.is_empty() || Instant::now() >= until {
                return Ok(());
            }
        }
    }

    /// Removes the rows of every submission that was given up or replaced. A few at a time are read:
    /// whoever fails many files must not be ahead of the clean-up.
    async fn remove_abandoned(&self, before: Timestamp, until: Instant) -> Result<u64, AppError> {
        let mut removed = 0;
        loop {
            let abandoned = self.store().abandoned_submissions(before).await?;
            for submission in &abandoned {
                if !self.remove_rows(submission).await? {
                    return Ok(removed);
                }
                removed += 1;
            }
            if abandoned.is_empty() || Instant::now() >= until {
                return Ok(removed);
            }
        }
    }

    async fn remove_departed(&self, before: i64) -> Result<u64, AppError> {
        let mut removed = 0;
        loop {
            let mut tx = self.store().begin().await?;
            tx.lock_programme(self.programme()).await?;
            if tx.blinding(self.programme()).await?.is_under_way() {
                return Ok(removed); // tokens are changing their form; the next time will do
            }
            let count = tx.remove_departed(self.programme(), before, PAGE).await?;
            tx.commit().await?;
            removed += count;
            if count < PAGE as u64 {
                return Ok(removed);
            }
        }
    }

    /// False when it has to wait for the next time.
    async fn remove_rows(&self, submission: &Submission) -> Result<bool, AppError> {
        loop {
            let blinding = self.store().blinding(self.programme()).await?;
            let page = self.store().submission_records(submission.id, None, PAGE).await?;
            let mut tx = self.store().begin().await?;
            tx.lock_programme(self.programme()).await?;
            if blinding.is_under_way() || tx.blinding(self.programme()).await? != blinding {
                return Ok(false); // the tokens that were read may have another form by now
            }
            if page.is_empty() {
                tx.mark_emptied(submission.id).await?;
                tx.commit().await?;
                return Ok(true);
            }
            tx.remove_records(submission.id, &page).await?;
            tx.commit().await?;
        }
    }
}
