//! Stage 4: a holder says whether the address in a record of its own is that person's home, and whether the
//! record is one person. It names its own record alone and learns nothing: the answer is the same whether
//! the record is in a candidate family or not.
//!
//! A rejection sets the record's address aside in every later run, until the holder confirms it. A split
//! parts the record from the records of others with which it is linked, as a doubt does.

use super::{MatchRunError, PURPOSE, RunDisclosure, RunGround};
use crate::app::caller::AgencyCaller;
use crate::app::gateway::Gateway;
use crate::app::possible_matches::MatchError;
use crate::app::possible_matches::doubt::OwnDoubt;
use crate::crypto::random::uuid_v7;
use crate::domain::ids::{EventId, FeedCode, MatchRunId, OpaqueRef, RoleCode};
use crate::domain::pair::{Decision, Reason, RecordName};
use crate::store::{NewValidation, RunState};

/// What a holder decides about a record of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnValidation {
    /// The record.
    pub record: (FeedCode, OpaqueRef),
    /// Confirm, reject or split.
    pub decision: Decision,
    /// The role of the person who decided.
    pub role: RoleCode,
    /// Why.
    pub reason: Reason,
}

impl Gateway {
    /// Takes a holder's decision after a run was closed. The same request under the same key is taken once.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`]; none of it depends on other agencies' records.
    pub async fn validate_record(
        &self,
        caller: &AgencyCaller,
        id: MatchRunId,
        said: &OwnValidation,
        idempotency: &str,
    ) -> Result<RunDisclosure, MatchRunError> {
        let run = self.store().match_run(self.programme(), id).await?.ok_or(MatchRunError::Unknown)?;
        // Whoever delivered nothing that it read does not hear whether there is such a run.
        if !RunGround::read(&run)?.inputs.iter().any(|input| input.agency == caller.agency) {
            return Err(MatchRunError::Unknown);
        }
        if run.state != RunState::Closed {
            return Err(MatchRunError::NotDue);
        }
        let OwnValidation { record: (feed, reference), decision, role, reason } = said;
        self.check_role(role).await?;
        if *decision == Decision::Merge || !decision.takes(*reason) {
            return Err(MatchError::Reason.into());
        }
        let name = RecordName { agency: caller.agency.clone(), feed: feed.clone(), reference: reference.clone() };
        let request = format!("{id} {feed}/{} {decision} {role} {reason}", reference.as_str());
        let tag = self.tag_of(&caller.client, idempotency, &[PURPOSE, &request])?;
        let generation = self.store().view(self.programme()).await?.map_or(0, |view| view.generation);
        let own = (&name.agency, &name.feed);
        let references = [name.reference.clone()];
        if self.store().shown_records(self.programme(), generation, own, &references).await?.is_empty() {
            return Err(MatchError::Record.into());
        }
        if *decision == Decision::Split {
            let doubt = OwnDoubt {
                decision: *decision,
                record: said.record.clone(),
                other: None,
                role: role.clone(),
                reason: *reason,
            };
            self.raise_doubt(caller, &doubt, idempotency).await?;
        }
        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        let now = tx.now().await?;
        if let Some((event, _)) = tx.validation_by_tag(self.programme(), &caller.agency, &tag).await? {
            drop(tx);
            return self.taken(event).await;
        }
        let event = EventId::new(uuid_v7(now, self.random()));
        let words = (decision.as_str(), role, reason.as_str());
        let who = (&caller.agency, caller.client.as_str());
        let effects = [format!("match run {id}")];
        let entry = self.decision_entry((self.match_id()?, event, now), who, words, &name, &effects)?;
        let new = NewValidation {
            event,
            run: id,
            record: &name,
            decision: decision.as_str(),
            role: role.as_str(),
            reason: reason.as_str(),
            at: now,
            tag,
        };
        tx.add_events(&[&entry]).await?;
        tx.add_validation(self.programme(), &new).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(RunDisclosure { disclosure: event, receipt: self.receipt(event, entry.leaf_hash, now)? })
    }

    async fn taken(&self, event: EventId) -> Result<RunDisclosure, MatchRunError> {
        let entry = self.store().sealed_entry(event, "record").await?.ok_or(MatchRunError::Unknown)?;
        Ok(RunDisclosure { disclosure: event, receipt: self.receipt(event, entry.leaf_hash, entry.at)? })
    }
}
