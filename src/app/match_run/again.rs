//! A run is computed again from what was kept of it, and compared with the run before it.

use super::log_entry::{Acting, Said};
use super::{MatchRunError, RunGround, RunTerms};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::ids::MatchRunId;
use crate::linkage::match_run::{CandidateFamily, RunDifference, difference};
use crate::store::{RunState, StoreError, StoredRun};
use crate::tlog::digest::Digest;

/// What computing a run again came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatedRun {
    /// SHA-256 of what came out now.
    pub output_sha256: Digest,
    /// Whether it is, byte for byte, what came out then.
    pub is_same: bool,
}

impl Gateway {
    /// Computes a closed run's stages again, from its snapshot, its reply and the files of its day.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`].
    pub async fn repeat_match_run(
        &self,
        caller: &AgencyCaller,
        id: MatchRunId,
        terms: &RunTerms,
    ) -> Result<RepeatedRun, MatchRunError> {
        let run = self.closed_run(caller, id).await?;
        let ground = RunGround::read(&run)?;
        let material = self.material(&run, &ground).await?;
        let snapshot_sha256 = material.snapshot_sha256;
        let found = tokio::task::spawn_blocking(move || material.result()).await;
        let found = found.map_err(|_| AppError::Interrupted)??;
        let output_sha256 = Digest::of(&found.output);
        let is_same = found.output == self.output_of(&run).await?
            && run.output_sha256.is_some_and(|sha256| sha256 == *output_sha256.as_bytes());
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let acting = Acting { caller, terms, policies: &policies, view };
        let said = Said { sha256: Some(output_sha256), snapshot_sha256: Some(snapshot_sha256), ..Said::default() };
        let entry = self.run_step_entry(&acting, id, "repeat", said)?;
        let mut tx = self.store().begin().await?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(RepeatedRun { output_sha256, is_same })
    }

    /// How a closed run differs from the closed run before it, in counts; `None` for the first.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`].
    pub async fn match_run_difference(
        &self,
        caller: &AgencyCaller,
        id: MatchRunId,
    ) -> Result<Option<RunDifference>, MatchRunError> {
        let run = self.closed_run(caller, id).await?;
        let Some(before) = self.store().closed_run_before(self.programme(), run.number).await? else {
            return Ok(None);
        };
        if before.removed_at.is_some() {
            return Err(MatchRunError::Removed);
        }
        let (before, after) = (self.families_of(&before).await?, self.families_of(&run).await?);
        Ok(Some(difference(&before, &after)))
    }

    pub(super) async fn closed_run(&self, caller: &AgencyCaller, id: MatchRunId) -> Result<StoredRun, MatchRunError> {
        let run = self.own_run(caller, id).await?;
        match (run.state, run.removed_at) {
            (RunState::Closed, None) => Ok(run),
            (RunState::Closed, Some(_)) => Err(MatchRunError::Removed),
            _ => Err(MatchRunError::NotDue),
        }
    }

    pub(in crate::app) async fn families_of(&self, run: &StoredRun) -> Result<Vec<CandidateFamily>, AppError> {
        let lines = self.output_of(run).await?;
        let read =
            |line: &[u8]| serde_json::from_slice(line).map_err(|_| StoreError::Corrupt("a line of a match run").into());
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect()
    }
}
