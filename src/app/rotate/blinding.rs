//! The blinding key is replaced: every stored token goes through the next key as well.
//!
//! In small transactions with a position, so that an interrupted change goes on where it was. While it
//! is under way one person's tokens have two forms, so nothing is looked up, taken in or made visible:
//! callers are told to come back. A short refusal is told apart from an answer; a person who is only
//! half found is not.

use uuid::Uuid;

use crate::app::enrol::key_event;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::crypto::random::{random_bytes, uuid_v7};
use crate::domain::ids::SubmissionId;
use crate::store::{Blinding, StoredToken, StoredTokens};

/// Records or tags that go through the next key in one transaction.
const PAGE: i64 = 250;
/// The code of submissions whose rows were still arriving.
pub const INTERRUPTED: &str = "file.keys_changing";

/// What a change of the blinding key came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restacked {
    /// How many keys stored tokens went through now.
    pub layers: u32,
    /// Records done by this run.
    pub records: u64,
    /// Tags of the subject index done by this run.
    pub tags: u64,
    /// Whether an earlier, interrupted run was completed.
    pub was_resumed: bool,
}

impl Gateway {
    /// Takes every stored token through the next blinding key of the key folder, or completes a run that
    /// was interrupted. `progress` hears how many records and tags are done and may end the run with
    /// `false`; what was committed stays, and the next run goes on from there.
    ///
    /// # Errors
    ///
    /// [`AppError::Policy`] when there is no next key or a submission is just being made visible,
    /// [`AppError::Interrupted`] when `progress` ended it.
    pub async fn restack(
        &self,
        by: &str,
        reason: &str,
        progress: &mut (dyn FnMut(u64) -> bool + Send),
    ) -> Result<Restacked, AppError> {
        let mut done = Restacked { was_resumed: self.begin_restack(by, reason).await?, ..Restacked::default() };
        loop {
            let step = self.restack_page().await?;
            match step {
                Step::Records(count) => done.records += count,
                Step::Tags(count) => done.tags += count,
                Step::Finished(layers) => {
                    done.layers = layers;
                    self.finish_restack(layers, by, reason).await?;
                    return Ok(done);
                }
            }
            if !progress(done.records + done.tags) {
                return Err(AppError::Interrupted);
            }
        }
    }

    /// Says in the database that a change is under way; `true` when one was already.
    async fn begin_restack(&self, by: &str, reason: &str) -> Result<bool, AppError> {
        let programme = self.programme();
        let mut tx = self.store().begin().await?;
        tx.lock_programme(programme).await?;
        let now = tx.now().await?;
        let blinding = tx.blinding(programme).await?;
        if blinding.is_under_way() {
            return Ok(true);
        }
        if self.keys().blinder.layers() <= blinding.layers {
            return Err(AppError::Policy(
                "the key folder holds no newer blinding key: run `porth keys rotate blinding` first".to_owned(),
            ));
        }
        // Nobody else may be half way through the tokens: a publisher reads them page by page.
        let nobody = SubmissionId::new(Uuid::from_bytes(*uuid_v7(now, self.random()).as_bytes()));
        let claim = tx.claim_generation(random_bytes(self.random()), programme, nobody, now, now).await?;
        let claim = claim.ok_or_else(|| {
            AppError::Policy("a submission is being made visible: run this again in a minute".to_owned())
        })?;
        tx.release_claim(&claim).await?;
        tx.interrupt_uploads(programme, INTERRUPTED, now).await?;
        let target = blinding.layers + 1;
        tx.put_blinding(programme, &Blinding { target, records_to: 0, tags_to: Vec::new(), ..blinding }).await?;
        tx.raise_policy_revision(Some(programme)).await?;
        let body = key_event(&format!("blinding-v{target}"), "blinding", "restack-begun", None, by, reason)?;
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(false)
    }

    async fn restack_page(&self) -> Result<Step, AppError> {
        let programme = self.programme();
        let mut tx = self.store().begin().await?;
        tx.lock_programme(programme).await?; // a second run at the same time waits here, and goes on
        let blinding = tx.blinding(programme).await?;
        if !blinding.is_under_way() {
            return Ok(Step::Finished(blinding.layers));
        }
        let (layers, target) = (blinding.layers, blinding.target);
        if !blinding.records_are_done() {
            let before = tx.tokens_after(programme, blinding.records_to, PAGE).await?;
            let Some(last) = before.last().map(|record| record.record) else {
                // Few, and in the transaction that says so: none goes through a key twice.
                for retired in tx.every_retired_token(programme).await? {
                    let next = self.keys().blinder.restack(layers, retired.blinded).ok_or(AppError::KeysChanging)?;
                    tx.set_retired_token(&retired.id, next).await?;
                }
                tx.put_blinding(programme, &blinding.with_records_done()).await?;
                tx.commit().await?;
                return Ok(Step::Records(0));
            };
            let after: Option<Vec<StoredTokens>> = before.iter().map(|record| self.next_form(layers, record)).collect();
            tx.replace_tokens(&before, &after.ok_or(AppError::KeysChanging)?).await?;
            tx.put_blinding(programme, &Blinding { records_to: last, ..blinding }).await?;
            tx.commit().await?;
            return Ok(Step::Records(before.len() as u64));
        }
        let tags = tx.tags_after(&blinding.tags_to, target, PAGE).await?;
        let Some(last) = tags.last().copied() else {
            return Ok(Step::Finished(target));
        };
        for tag in &tags {
            let next = self.keys().blinder.restack_tag(layers, tag).ok_or(AppError::KeysChanging)?;
            tx.replace_tag(tag, &next, target).await?;
        }
        tx.put_blinding(programme, &Blinding { tags_to: last.to_vec(), ..blinding }).await?;
        tx.commit().await?;
        Ok(Step::Tags(tags.len() as u64))
    }

    fn next_form(&self, layers: u32, record: &StoredTokens) -> Option<StoredTokens> {
        let next = |tokens: &[StoredToken]| -> Option<Vec<StoredToken>> {
            let through = |token: &StoredToken| {
                Some(StoredToken { blinded: self.keys().blinder.restack(layers, token.blinded)?, ..*token })
            };
            let mut tokens: Vec<StoredToken> = tokens.iter().map(through).collect::<Option<_>>()?;
            tokens.sort_unstable();
            Some(tokens)
        };
        Some(StoredTokens {
            record: record.record,
            tokens: next(&record.tokens)?,
            households: next(&record.households)?,
        })
    }

    async fn finish_restack(&self, layers: u32, by: &str, reason: &str) -> Result<(), AppError> {
        let programme = self.programme();
        let mut tx = self.store().begin().await?;
        tx.lock_programme(programme).await?;
        if !tx.blinding(programme).await?.is_under_way() {
            return Ok(()); // another run finished it meanwhile
        }
        let now = tx.now().await?;
        let whole = Blinding { layers, target: layers, records_to: 0, tags_to: Vec::new() };
        tx.put_blinding(programme, &whole).await?;
        tx.raise_policy_revision(Some(programme)).await?;
        let body = key_event(&format!("blinding-v{layers}"), "blinding", "restacked", None, by, reason)?;
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        self.wake_publisher();
        Ok(())
    }
}

enum Step {
    Records(u64),
    Tags(u64),
    Finished(u32),
}
