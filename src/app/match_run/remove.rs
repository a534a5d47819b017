//! A run's pages are sealed copies of what records said. They are kept so that the run can be computed
//! again, for as long as is configured and no longer; its row, its digests and its log entries stay.

use super::{MatchRunError, RunGround};
use crate::app::gateway::Gateway;

const DAY_SECONDS: i64 = 24 * 3600;

impl Gateway {
    /// Removes the pages of runs that were closed, or begun and never closed, more than so many days ago.
    /// Each removal is an entry of its own in the log. Gives how many runs lost their pages.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`] from the database.
    pub async fn remove_old_run_pages(&self, keep_days: u32) -> Result<u64, MatchRunError> {
        let before = self.store().now().await?.plus_seconds(-i64::from(keep_days) * DAY_SECONDS);
        let mut removed = 0;
        while let Some(run) = self.store().run_to_strip(self.programme(), before).await? {
            let ground = RunGround::read(&run)?;
            let mut tx = self.store().begin().await?;
            let now = tx.now().await?;
            let entry = self.run_removal_entry(&run, &ground, now).await?;
            if tx.remove_run_pages(run.id, now).await? {
                tx.add_events(&[&entry]).await?;
                tx.commit().await?;
                self.wake_sequencer();
                removed += 1;
            }
        }
        Ok(removed)
    }
}
