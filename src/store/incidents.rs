//! Incidents: everything recorded of one as text, with what it is linked to.

use super::statements::statements;
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{IncidentId, ProgrammeCode};
use crate::domain::time::Timestamp;

statements! {
    ADD = "INSERT INTO incident (id, programme, state, aware_at, opened_at, facts, revision)
           VALUES ($1, $2, $3, $4, $5, $6, 1)";
    BY_ID = "SELECT id, state, facts, revision FROM incident WHERE programme = $1 AND id = $2";
    ALL = "SELECT id, state, facts, revision FROM incident WHERE programme = $1 ORDER BY opened_at DESC, id LIMIT $2";
    CHANGE = "UPDATE incident SET state = $3, facts = $4, revision = revision + 1 WHERE id = $1 AND revision = $2";
    LINK = "INSERT INTO incident_link (incident, of, name) VALUES ($1, $2, $3)
            ON CONFLICT (incident, of, name) DO NOTHING";
    PROPOSE = "INSERT INTO incident_proposal (incident, assessed_at, proposed_by, facts, proposed_at)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (incident) DO UPDATE SET assessed_at = excluded.assessed_at,
                   proposed_by = excluded.proposed_by, facts = excluded.facts, proposed_at = excluded.proposed_at";
    PROPOSAL = "SELECT assessed_at, proposed_by, facts, proposed_at FROM incident_proposal WHERE incident = $1";
    DROP_PROPOSAL = "DELETE FROM incident_proposal WHERE incident = $1";
    LINKS = "SELECT of, name FROM incident_link WHERE incident = $1 ORDER BY of, name";
}

/// An incident as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIncident {
    /// Its id.
    pub id: IncidentId,
    /// Its state's word.
    pub state: String,
    /// What was recorded, JSON.
    pub facts: String,
    /// Raised by every step.
    pub revision: i64,
}

/// A decision that one officer proposed and another has to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProposal {
    /// When the assessment was made that it rests on.
    pub assessed_at: Timestamp,
    /// By which account.
    pub proposed_by: String,
    /// What is proposed, JSON.
    pub facts: String,
    /// When.
    pub proposed_at: Timestamp,
}

impl Store {
    /// The decision that is proposed, if one is.
    pub async fn incident_proposal(&self, id: IncidentId) -> Result<Option<StoredProposal>, StoreError> {
        let row = self.fetch_optional(PROPOSAL, values![id.as_bytes()]).await?;
        let read = |row: &Row| {
            Ok(StoredProposal {
                assessed_at: Timestamp::from_micros(row.int(0)?),
                proposed_by: row.text(1)?,
                facts: row.text(2)?,
                proposed_at: Timestamp::from_micros(row.int(3)?),
            })
        };
        row.as_ref().map(read).transpose()
    }

    /// An incident by id.
    pub async fn incident(
        &self,
        programme: &ProgrammeCode,
        id: IncidentId,
    ) -> Result<Option<StoredIncident>, StoreError> {
        self.fetch_optional(BY_ID, values![programme.as_str(), id.as_bytes()]).await?.as_ref().map(read).transpose()
    }

    /// The newest incidents.
    pub async fn incidents(&self, programme: &ProgrammeCode, limit: i64) -> Result<Vec<StoredIncident>, StoreError> {
        self.fetch_all(ALL, values![programme.as_str(), limit]).await?.iter().map(read).collect()
    }

    /// What an incident is linked to: kind and id.
    pub async fn incident_links(&self, id: IncidentId) -> Result<Vec<(String, String)>, StoreError> {
        let rows = self.fetch_all(LINKS, values![id.as_bytes()]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
    }
}

impl Tx {
    /// Keeps a proposed decision in place of an earlier one.
    pub async fn put_incident_proposal(&mut self, id: IncidentId, new: &StoredProposal) -> Result<(), StoreError> {
        let values = values![
            id.as_bytes(),
            new.assessed_at.as_micros(),
            &new.proposed_by,
            &new.facts,
            new.proposed_at.as_micros(),
        ];
        self.execute(PROPOSE, values).await.map(drop)
    }

    /// Drops a proposed decision.
    pub async fn drop_incident_proposal(&mut self, id: IncidentId) -> Result<(), StoreError> {
        self.execute(DROP_PROPOSAL, values![id.as_bytes()]).await.map(drop)
    }

    /// Opens an incident.
    pub async fn add_incident(
        &mut self,
        programme: &ProgrammeCode,
        new: &StoredIncident,
        aware_at: Timestamp,
        opened_at: Timestamp,
    ) -> Result<(), StoreError> {
        let values = values![
            new.id.as_bytes(),
            programme.as_str(),
            &new.state,
            aware_at.as_micros(),
            opened_at.as_micros(),
            &new.facts
        ];
        self.execute(ADD, values).await.map(drop)
    }

    /// Writes what was recorded since it was read. False when somebody else was faster.
    pub async fn change_incident(&mut self, changed: &StoredIncident) -> Result<bool, StoreError> {
        let values = values![changed.id.as_bytes(), changed.revision, &changed.state, &changed.facts];
        Ok(self.execute(CHANGE, values).await? == 1)
    }

    /// Links an incident to a recall, an alert or a log entry.
    pub async fn link_incident(&mut self, id: IncidentId, of: &str, name: &str) -> Result<(), StoreError> {
        self.execute(LINK, values![id.as_bytes(), of, name]).await.map(drop)
    }
}

fn read(row: &Row) -> Result<StoredIncident, StoreError> {
    Ok(StoredIncident {
        id: IncidentId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("incident id"))?,
        state: row.text(1)?,
        facts: row.text(2)?,
        revision: row.int(3)?,
    })
}
