//! A decision about an incident is proposed by one officer and confirmed by another, each signed in as
//! themselves. A proposal changes nothing: the confirmation is the decision, and its entry names both.

use serde::{Deserialize, Serialize};

use super::super::enrol::code;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::{IncidentJourneyError, IncidentReport, check_codes, read};
use crate::domain::ids::IncidentId;
use crate::domain::incident::{Decision, IncidentError};
use crate::domain::time::Timestamp;
use crate::store::{StoreError, StoredProposal};

/// What is proposed about who is notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposedDecision {
    /// Whether the Commissioner is notified.
    pub notify_commissioner: bool,
    /// Whether the people are told.
    pub notify_people: bool,
    /// Why.
    pub reason: String,
    /// Why it is late.
    pub late_reason: Option<String>,
}

/// A decision that waits for a second officer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// By which account.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub decision: ProposedDecision,
}

impl ProposedDecision {
    fn seconded(self, (by, seconded_by): (&str, &str), at: Timestamp) -> Decision {
        let Self { notify_commissioner, notify_people, reason, late_reason } = self;
        let (by, seconded_by) = (by.to_owned(), seconded_by.to_owned());
        Decision { at, by, seconded_by, notify_commissioner, notify_people, reason, late_reason }
    }
}

impl Gateway {
    /// Proposes who is notified; an earlier proposal goes.
    ///
    /// # Errors
    ///
    /// [`IncidentJourneyError`]: whatever would stand against the decision if it were confirmed now.
    pub async fn propose_incident_decision(
        &self,
        id: IncidentId,
        by: &str,
        proposed: &ProposedDecision,
    ) -> Result<(), IncidentJourneyError> {
        code(by).map(drop)?;
        check_codes([&proposed.reason].into_iter().chain(&proposed.late_reason))?;
        let before = self.store().incident(self.programme(), id).await?.ok_or(IncidentJourneyError::Unknown)?;
        let mut incident = read(&before)?;
        let assessed_at = incident.assessment().ok_or(IncidentError::State)?.at;
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        // Tried on a copy with whoever will confirm: no account is called so.
        incident.decide(proposed.clone().seconded((by, ""), now))?;
        let facts = serde_json::to_string(proposed).map_err(|_| AppError::Internal("a proposal is plain data"))?;
        let stored = StoredProposal { assessed_at, proposed_by: by.to_owned(), facts, proposed_at: now };
        tx.put_incident_proposal(id, &stored).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The proposal that waits, if it rests on the newest assessment.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn incident_proposal(&self, id: IncidentId) -> Result<Option<Proposal>, AppError> {
        let Some(before) = self.store().incident(self.programme(), id).await? else { return Ok(None) };
        let incident = read(&before)?;
        let Some(stored) = self.store().incident_proposal(id).await? else { return Ok(None) };
        let is_on_it = incident.decision().is_none()
            && incident.assessment().is_some_and(|assessment| assessment.at == stored.assessed_at);
        if !is_on_it {
            return Ok(None);
        }
        let decision = serde_json::from_str(&stored.facts).map_err(|_| StoreError::Corrupt("a proposal"))?;
        Ok(Some(Proposal { by: stored.proposed_by, at: stored.proposed_at, decision }))
    }

    /// Confirms the proposal of that moment, which the officer has read: from here on it is decided.
    ///
    /// # Errors
    ///
    /// [`IncidentJourneyError`]: nothing waits, the same account proposed it, or the incident changed since.
    pub async fn confirm_incident_decision(
        &self,
        id: IncidentId,
        by: &str,
        proposed_at: Timestamp,
    ) -> Result<IncidentReport, IncidentJourneyError> {
        let stored = self.store().incident_proposal(id).await?;
        let stored = stored.filter(|stored| stored.proposed_at == proposed_at).ok_or(IncidentJourneyError::Changed)?;
        let proposed: ProposedDecision =
            serde_json::from_str(&stored.facts).map_err(|_| StoreError::Corrupt("a proposal"))?;
        let (reason, seconded_by) = (proposed.reason.clone(), by.to_owned());
        let report = self
            .step_incident(id, (stored.proposed_by.as_str(), Some(&seconded_by)), &reason, |incident, now| {
                let newest = incident.assessment().map(|assessment| assessment.at);
                if newest != Some(stored.assessed_at) {
                    return Err(IncidentError::State);
                }
                incident.decide(proposed.seconded((&stored.proposed_by, by), now))
            })
            .await?;
        let mut tx = self.store().begin().await?;
        tx.drop_incident_proposal(id).await?;
        tx.commit().await?;
        Ok(report)
    }
}
