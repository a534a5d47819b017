//! What is always reviewed joins the sample by itself, soon after it has its place in the log.

use super::super::gateway::Gateway;
use super::super::log_index::index_log;
use super::ReviewError;
use super::draw::{Draw, Part, Plan};
use crate::domain::review::sample::Strategy;
use crate::domain::time::Timestamp;

/// Entries that are looked at in one transaction.
const PIECE: u64 = 500;
/// The name of this work: its place in the log, and the account in the entries.
const JOB: &str = "review";
const BY: &str = "review-job";

impl Gateway {
    /// Looks at what was logged since the last time; gives how many disclosures joined the sample.
    ///
    /// # Errors
    ///
    /// [`ReviewError`] from the database; nothing is passed over then.
    pub async fn sample_always_reviewed(&self) -> Result<u64, ReviewError> {
        let size = index_log(self.store()).await?;
        let mut joined = 0;
        loop {
            let from = self.store().log_watched(JOB).await?;
            if from >= size {
                return Ok(joined);
            }
            joined += self.sample_part(Part { first: from, end: size.min(from + PIECE) }).await?;
        }
    }

    async fn sample_part(&self, part: Part) -> Result<u64, ReviewError> {
        let until = self.store().now().await?.plus_seconds(1);
        let wanted = Draw {
            strategy: Strategy::Always,
            since: Timestamp::from_micros(0),
            until,
            filters: Vec::new(),
            weigh_areas: Vec::new(),
            entries: Vec::new(),
            size: 0,
            minimum: 0,
            seed: Some([0; 32]), // everything is taken: there is no chance in it
        };
        let population = self.population(&wanted, part).await?;
        let mut tx = self.store().begin().await?;
        if tx.lock_log_watch(JOB).await? != part.first {
            return Ok(0); // another replica was first
        }
        let now = tx.now().await?;
        if !population.is_empty() {
            let reason = "always-reviewed";
            let plan = Plan { wanted: &wanted, part, seed: [0; 32], population: &population, by: BY, reason };
            let (entry, _) = self.add_plan(&mut tx, now, &plan).await?;
            tx.add_events(&[&entry]).await?;
        }
        tx.set_log_watch(JOB, part.end).await?;
        tx.commit().await?;
        if !population.is_empty() {
            self.wake_sequencer();
        }
        Ok(population.len() as u64)
    }
}
