//! An epoch of the linkage key ends: at once when its key may be in wrong hands, in good order when
//! every feed has been delivered under the next one.
//!
//! In the changeover a record carries tokens of both epochs, and is the bridge between them. From the
//! commit that freezes or retires an epoch on, its tokens match nothing: every decision is bound to
//! the policy revision, which that commit raises. Stored tokens of a retired epoch are removed later.

use crate::app::enrol::key_event;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::epoch::EpochState;
use crate::store::{StoredEpoch, StoredTokens};

/// Records whose tokens are looked at or removed in one step.
const PAGE: i64 = 500;

impl Gateway {
    /// Every epoch of the linkage key, with its state.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn epochs(&self) -> Result<Vec<StoredEpoch>, AppError> {
        Ok(self.store().epochs(self.programme()).await?)
    }

    /// Freezes an epoch: from now on its tokens are refused and match nothing.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when the epoch is unknown, frozen or retired already.
    pub async fn freeze_epoch(&self, epoch: u32, by: &str, reason: &str) -> Result<(), AppError> {
        self.move_epoch(epoch, EpochState::Frozen, by, reason).await
    }

    /// Retires an epoch: its tokens match nothing any more, and the clean-up removes them. Refused while
    /// visible records hold tokens of no other active epoch, unless these may be left behind: nobody
    /// would find them until they are delivered again.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when the epoch is unknown or retired already, or records would be left behind.
    pub async fn retire_epoch(&self, epoch: u32, leave_behind: bool, by: &str, reason: &str) -> Result<i64, AppError> {
        let alone = self.records_only_in(epoch).await?;
        if alone > 0 && !leave_behind {
            return Err(AppError::Policy(format!(
                "{alone} visible records have no tokens of another active epoch: let their agencies deliver again first"
            )));
        }
        self.move_epoch(epoch, EpochState::Retired, by, reason).await?;
        Ok(alone)
    }

    /// How many visible records nobody would find without this epoch.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn records_only_in(&self, epoch: u32) -> Result<i64, AppError> {
        let states = self.epochs().await?;
        let is_active =
            |wanted: u32| wanted != epoch && states.iter().any(|s| s.epoch == wanted && s.state == EpochState::Active);
        let (mut after, mut alone) = (0, 0);
        loop {
            let page = self.store().visible_tokens(self.programme(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(alone) };
            after = last.record;
            let depends = |record: &&StoredTokens| {
                record.tokens.iter().any(|token| token.epoch == epoch)
                    && !record.tokens.iter().any(|token| is_active(token.epoch))
            };
            alone += page.iter().filter(depends).count() as i64;
        }
    }

    async fn move_epoch(&self, epoch: u32, to: EpochState, by: &str, reason: &str) -> Result<(), AppError> {
        let mut tx = self.store().begin().await?;
        // Two changes at a time would each see the state before the other.
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        let known = tx.epochs(self.programme()).await?;
        let Some(from) = known.iter().find(|known| known.epoch == epoch).map(|known| known.state) else {
            return Err(AppError::Policy(format!("epoch {epoch} has no registered key checks")));
        };
        if !from.may_become(to) {
            return Err(AppError::Policy(format!("epoch {epoch} is {} already", from.as_str())));
        }
        tx.set_epoch_state(self.programme(), epoch, to, now).await?;
        // Kept replies, cached decisions and answers under way end here.
        tx.raise_policy_revision(Some(self.programme())).await?;
        let body = key_event(&format!("epoch-{epoch}"), "linkage", to.as_str(), None, by, reason)?;
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        tracing::info!(key.epoch = epoch, key.state = to.as_str(), "an epoch of the linkage key changed its state");
        Ok(())
    }

    /// Removes stored tokens of retired epochs, a page in a transaction; goes on where it stopped.
    /// Returns of how many records.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn sweep_retired(&self) -> Result<u64, AppError> {
        let mut swept = 0;
        for epoch in self.epochs().await?.into_iter().filter(StoredEpoch::needs_sweeping) {
            let mut after = epoch.swept_to;
            loop {
                let mut tx = self.store().begin().await?;
                tx.lock_programme(self.programme()).await?;
                if tx.blinding(self.programme()).await?.is_under_way() {
                    return Ok(swept); // one hand at a time on the tokens
                }
                let page = tx.tokens_after(self.programme(), after, PAGE).await?;
                let last = page.last().map(|record| record.record);
                let holds = |record: &StoredTokens| {
                    record.tokens.iter().chain(&record.households).any(|token| token.epoch == epoch.epoch)
                };
                let before: Vec<StoredTokens> = page.into_iter().filter(holds).collect();
                let after_it: Vec<StoredTokens> = before.iter().map(|record| without(record, epoch.epoch)).collect();
                tx.replace_tokens(&before, &after_it).await?;
                for record in &before {
                    let Some(sealed) = tx.home_tokens(record.record).await? else { continue };
                    let mut tokens = self.open_home_tokens(record.record, &sealed)?;
                    tokens.remove(&epoch.epoch);
                    let left = self.seal_home_tokens(record.record, &tokens);
                    tx.replace_home_tokens(record.record, &sealed, &left).await?;
                }
                tx.note_swept(self.programme(), epoch.epoch, last).await?;
                if last.is_none() {
                    let key = format!("epoch-{}", epoch.epoch);
                    let body = key_event(&key, "linkage", "tokens-removed", None, "tidy", "retired")?;
                    let now = tx.now().await?;
                    tx.add_events(&[&self.event(now, body)?]).await?;
                }
                tx.commit().await?;
                swept += before.len() as u64;
                let Some(last) = last else { break };
                after = last;
            }
            self.wake_sequencer();
        }
        Ok(swept)
    }
}

fn without(record: &StoredTokens, epoch: u32) -> StoredTokens {
    let keep = |tokens: &[crate::store::StoredToken]| {
        tokens.iter().filter(|token| token.epoch != epoch).copied().collect::<Vec<_>>()
    };
    StoredTokens { record: record.record, tokens: keep(&record.tokens), households: keep(&record.households) }
}
